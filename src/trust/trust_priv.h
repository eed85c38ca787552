// SPDX-License-Identifier: MIT
/*
 * What the files of this folder share: sets of rules, the automaton of patterns, and the table.
 */
#ifndef TRUST_PRIV_H
#define TRUST_PRIV_H

#include "trust/trust.h"

#include <stdatomic.h>

#define TRUST_MAGIC 0x7257b001u

/* ---- sets of rules ---- */

#define RULE_SET_WORDS 4

/* One bit a rule, by its index in the table. */
struct rule_set {
    uint64_t word[RULE_SET_WORDS];
};
#define RULE_SET_BITS (RULE_SET_WORDS * 64)

/* Beside the built-in rules and those of TRUST_RULES_MAX: what guarded tubes' names set. */
#define RULE_GUARDED (RULE_SET_BITS - 1)

static inline void rule_set_add(struct rule_set *set, size_t index)
{
    set->word[index / 64] |= UINT64_C(1) << index % 64;
}

static inline bool rule_set_has(const struct rule_set *set, size_t index)
{
    return (set->word[index / 64] >> index % 64 & 1) != 0;
}

/* ---- rule.c: rules of our own ---- */

struct rules {
    struct trust_rule *rule;
    size_t count, cap;
};

/* Adds a copy. ENOMEM. */
int rules_add(struct rules *rules, const struct trust_rule *rule);
void rules_fini(struct rules *rules);
/* Its rights, with what comes with them. */
trust_rights rule_rights(const struct trust_rule *rule);
/* Whether monitor and admin count. */
bool rule_is_of_server(const struct trust_rule *rule);
/* `rights` without what isn't for that door. */
trust_rights rule_through(trust_rights rights, enum trust_door door);
/* Without what takes `run` where that isn't there. */
trust_rights rule_in_guarded(trust_rights rights);

/* ---- builtin.c ---- */

/* Adds the built-in rules that the settings ask for. ENOMEM. */
int builtin_add(struct rules *rules, const struct trust_settings *settings);

/* ---- pattern.c: all patterns as one automaton ---- */

/* One byte, one step; `accept` tells which rules' patterns the bytes so far fit. */
struct automaton {
    uint8_t symbol[256]; /* of a byte; 0: of those that no pattern names */
    unsigned symbol_count;
    uint16_t *next; /* state * symbol_count + symbol -> state; 0 is the first */
    struct rule_set *accept;
    size_t state_count;
};

#define PATTERN_STATES_MAX 16384

/* `index`: the bit of a pattern's rule. */
struct pattern {
    const char *text;
    size_t index;
};

/* E2BIG: more states than PATTERN_STATES_MAX, or more pattern than it can hold. ENOMEM. */
int automaton_build(struct automaton *automaton, const struct pattern *patterns, size_t count);
void automaton_fini(struct automaton *automaton);
size_t automaton_run(const struct automaton *automaton, const char *bytes, size_t len);

/* ---- table.c ---- */

/* The rights of one class of peers. Rows are added and never change. */
struct trust_row {
    struct trust_row *next; /* in its bucket */
    struct rule_set fits;
    enum trust_door door;
    uint32_t number; /* of the class */
    trust_rights server;
    bool nothing;
    trust_rights rights[]; /* by class of tube */
};

#define ROW_BUCKETS 64

struct trust {
    unsigned magic;
    struct rules rules;
    struct automaton automaton;
    uint16_t *class_of; /* by state of the automaton */
    struct rule_set *class_rules;
    bool *class_guarded;
    size_t class_count, class_cap;
    /* Any thread adds at the head. */
    _Atomic(struct trust_row *) bucket[ROW_BUCKETS];
    _Atomic uint32_t row_count;
    bool plain[TRUST_DOOR_COUNT]; /* see trust_door_is_plain */
};

#endif
