// SPDX-License-Identifier: MIT
/*
 * The patterns of all rules as one automaton.
 *
 * A place is a byte of one of the patterns, or its end: "so far it fits up to here". A state is a
 * set of places. The first state has the beginnings of all patterns; each byte leads from a state
 * to the set of places that its places lead to. All sets that can be reached are made here, once
 * (the subset construction). That gives two things: a name is looked up in as many steps as it has
 * bytes, and every set of rules that any name can fit is known at the start, so that what would be
 * too many is found then and not by a client.
 *
 * Bytes that no pattern names are one symbol: they all lead the same way.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "trust/trust_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* All patterns together, with their ends. */
#define PLACES_MAX 65536
/* Places of all states together; what needs more is refused as too many states is. */
#define ARENA_MAX ((size_t)8 << 20)
#define LOOKUP_SIZE 32768 /* a power of two, twice the states */
_Static_assert(LOOKUP_SIZE >= 2 * PATTERN_STATES_MAX, "the look-up stays half empty");

/* Fixed: who writes the configuration gains nothing by collisions. */
static const struct hash_key places_key;

struct place {
    const char *at; /* the byte of the pattern; its NUL: the end */
    size_t index;   /* of the rule */
};

/* A state, while they are made: a range of the arena. */
struct span {
    size_t from, count;
};

struct build {
    struct place *place;
    size_t place_count;
    uint32_t *arena; /* places of all states, each state's sorted */
    size_t arena_len, arena_cap;
    struct span *span; /* by state */
    size_t span_count, span_cap;
    uint16_t *lookup; /* by hash of the places: a state and 1; 0: free */
    uint64_t *marked; /* places of the state that is being made, a bit each */
    size_t mark_words;
};

/* ---- symbols ---- */

static void symbols_make(struct automaton *automaton, const struct pattern *patterns, size_t count)
{
    unsigned used = 1;
    for (size_t i = 0; i < count; i++)
        for (const char *at = patterns[i].text; *at != '\0'; at++) {
            unsigned char byte = (unsigned char)*at;
            if (byte != '*' && byte != '?' && automaton->symbol[byte] == 0)
                automaton->symbol[byte] = (uint8_t)used++;
        }
    automaton->symbol_count = used;
}

/* ---- sets of places ---- */

/* Marks a place, and what is reached from it without a byte: behind a star. */
static void place_mark(struct build *build, size_t place)
{
    for (;;) {
        build->marked[place / 64] |= UINT64_C(1) << place % 64;
        if (*build->place[place].at != '*')
            return;
        place++;
    }
}

/* Where one place leads with a byte of that symbol. */
static void place_step(struct build *build, const struct automaton *automaton, size_t place,
                       unsigned symbol)
{
    unsigned char byte = (unsigned char)*build->place[place].at;
    if (byte == '*')
        place_mark(build, place);
    else if (byte == '?' || (byte != '\0' && automaton->symbol[byte] == symbol))
        place_mark(build, place + 1);
}

/* Moves the marked places behind the arena's end; *count of them. */
static int marked_take(struct build *build, size_t *count)
{
    size_t len = build->arena_len;
    for (size_t w = 0; w < build->mark_words; w++) {
        for (uint64_t word = build->marked[w]; word != 0; word &= word - 1) {
            if (len == build->arena_cap) {
                size_t cap = build->arena_cap > 0 ? 2 * build->arena_cap : 1024;
                uint32_t *grown =
                    cap <= ARENA_MAX ? reallocarray(build->arena, cap, sizeof(*grown)) : NULL;
                if (grown == NULL)
                    return cap <= ARENA_MAX ? ENOMEM : E2BIG;
                build->arena = grown;
                build->arena_cap = cap;
            }
            build->arena[len++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(word));
        }
        build->marked[w] = 0;
    }
    *count = len - build->arena_len;
    return 0;
}

/* The state of the marked places, a new one if there was none. */
static int state_of_marked(struct build *build, uint16_t *state)
{
    size_t count;
    int rc = marked_take(build, &count);
    if (rc != 0)
        return rc;
    const uint32_t *places = build->arena + build->arena_len;
    size_t bytes = count * sizeof(*places);
    size_t slot = hash_bytes(&places_key, places, bytes) & (LOOKUP_SIZE - 1);
    for (; build->lookup[slot] != 0; slot = (slot + 1) & (LOOKUP_SIZE - 1)) {
        const struct span *span = &build->span[build->lookup[slot] - 1];
        if (span->count == count &&
            (count == 0 || memcmp(build->arena + span->from, places, bytes) == 0)) {
            *state = (uint16_t)(build->lookup[slot] - 1);
            return 0;
        }
    }
    if (build->span_count == PATTERN_STATES_MAX)
        return E2BIG;
    if (build->span_count == build->span_cap) {
        size_t cap = build->span_cap > 0 ? 2 * build->span_cap : 64;
        struct span *grown = reallocarray(build->span, cap, sizeof(*grown));
        if (grown == NULL)
            return ENOMEM;
        build->span = grown;
        build->span_cap = cap;
    }
    *state = (uint16_t)build->span_count;
    build->span[build->span_count++] = (struct span){build->arena_len, count};
    build->lookup[slot] = (uint16_t)build->span_count;
    build->arena_len += count;
    return 0;
}

/* ---- the construction ---- */

/* Room for the next states, by doubling. */
static int states_grow(struct automaton *automaton, size_t *cap)
{
    size_t more = *cap > 0 ? 2 * *cap : 64;
    uint16_t *next =
        reallocarray(automaton->next, more * automaton->symbol_count, sizeof(*automaton->next));
    if (next != NULL)
        automaton->next = next;
    struct rule_set *accept = reallocarray(automaton->accept, more, sizeof(*automaton->accept));
    if (accept != NULL)
        automaton->accept = accept;
    if (next == NULL || accept == NULL)
        return ENOMEM;
    *cap = more;
    return 0;
}

/* One state: which rules it accepts, and where each symbol leads. */
static int state_complete(struct build *build, struct automaton *automaton, size_t state)
{
    struct span span = build->span[state];
    struct rule_set *accept = &automaton->accept[state];
    *accept = (struct rule_set){{0}};
    for (size_t i = 0; i < span.count; i++) {
        const struct place *place = &build->place[build->arena[span.from + i]];
        if (*place->at == '\0')
            rule_set_add(accept, place->index);
    }
    int rc = 0;
    for (unsigned symbol = 0; rc == 0 && symbol < automaton->symbol_count; symbol++) {
        for (size_t i = 0; i < span.count; i++)
            place_step(build, automaton, build->arena[span.from + i], symbol);
        rc = state_of_marked(build, &automaton->next[state * automaton->symbol_count + symbol]);
    }
    return rc;
}

static int states_make(struct build *build, struct automaton *automaton)
{
    size_t cap = 0;
    uint16_t first;
    int rc = state_of_marked(build, &first);
    for (size_t state = 0; rc == 0 && state < build->span_count; state++) {
        if (state == cap)
            rc = states_grow(automaton, &cap);
        if (rc == 0)
            rc = state_complete(build, automaton, state);
    }
    automaton->state_count = build->span_count;
    return rc;
}

static int build_init(struct build *build, const struct pattern *patterns, size_t count)
{
    size_t places = 0;
    for (size_t i = 0; i < count; i++)
        places += strlen(patterns[i].text) + 1;
    if (places > PLACES_MAX)
        return E2BIG;
    build->mark_words = places / 64 + 1;
    build->place = calloc(places + 1, sizeof(*build->place));
    build->lookup = calloc(LOOKUP_SIZE, sizeof(*build->lookup));
    build->marked = calloc(build->mark_words, sizeof(*build->marked));
    if (build->place == NULL || build->lookup == NULL || build->marked == NULL)
        return ENOMEM;
    for (size_t i = 0; i < count; i++)
        for (const char *at = patterns[i].text;; at++) {
            build->place[build->place_count++] = (struct place){at, patterns[i].index};
            if (*at == '\0')
                break;
        }
    for (size_t i = 0; i < build->place_count; i++)
        if (i == 0 || *build->place[i - 1].at == '\0')
            place_mark(build, i);
    return 0;
}

int automaton_build(struct automaton *automaton, const struct pattern *patterns, size_t count)
{
    struct build build = {.place = NULL};
    *automaton = (struct automaton){.symbol_count = 1};
    symbols_make(automaton, patterns, count);
    int rc = build_init(&build, patterns, count);
    if (rc == 0)
        rc = states_make(&build, automaton);
    free(build.place);
    free(build.arena);
    free(build.span);
    free(build.lookup);
    free(build.marked);
    if (rc != 0)
        automaton_fini(automaton);
    return rc;
}

void automaton_fini(struct automaton *automaton)
{
    free(automaton->next);
    free(automaton->accept);
    *automaton = (struct automaton){.symbol_count = 1};
}

size_t automaton_run(const struct automaton *automaton, const char *bytes, size_t len)
{
    size_t state = 0;
    for (size_t i = 0; i < len; i++)
        state = automaton->next[state * automaton->symbol_count +
                                automaton->symbol[(unsigned char)bytes[i]]];
    ASSERT(state < automaton->state_count);
    return state;
}
