// SPDX-License-Identifier: MIT
/*
 * What a server is spoken to with. A protocol is one file with one method table, and one row of
 * protocols.def; nothing above it knows how the bytes look.
 *
 * All entries are mandatory, but for `mixes`.
 */
#ifndef LOAD_PROTOCOL_H
#define LOAD_PROTOCOL_H

#include "load/crew.h"

struct run;

/* What a server says of tubes; added up over those of a run. */
struct tube_counts {
    uint64_t total, deleted; /* since the tube was made */
    uint64_t left;           /* in any state */
};

struct protocol {
    const char *name;   /* in front of an address */
    const char *server; /* whose protocol it is, for messages */
    const char *mixes;  /* those that it can do, parted by blanks; NULL: all */

    /* The connection for questions. Questions are lines, answers are lines or texts. */
    const char *text_mark;             /* what stands in front of the size of a text */
    const char *stats;                 /* the question that is answered with "key: value" lines, */
    const char *version_key, *pid_key; /* and two of the keys */
    bool keeps_totals;                 /* count() fills all of its counts, not `left` alone */

    /* Adds the counts of the run's tube number n. */
    void (*count)(struct run *run, uint64_t n, struct tube_counts *counts);

    /* Makes the link put to this tube, and take from it alone. Before its other commands. */
    void (*join)(struct link *link, const char *tube);

    /* Commands; see link_put and so on. */
    void (*put)(struct link *link, uint64_t serial, uint32_t pri, uint32_t delay_s, uint32_t ttr_s,
                size_t size);
    void (*reserve)(struct link *link);
    void (*delete)(struct link *link, uint64_t id, uint64_t key);

    /* Reads one answer; the contract is answer_read's. */
    size_t (*answer)(const struct sent *sent, const char *text, size_t len, size_t max_body,
                     struct reply *reply);
};

#define PROTOCOL(name) extern const struct protocol protocol_##name;
#include "load/protocols.def"
#undef PROTOCOL

/* The protocol that an address names, and *address moved behind its name. */
const struct protocol *protocol_find(const char **address);

/* Can it do this mix? */
bool protocol_has(const struct protocol *protocol, const char *mix);

#endif
