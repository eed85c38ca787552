// SPDX-License-Identifier: MIT
/*
 * What the daemon was told and what it acknowledged, kept outside of it.
 *
 * For each job the oracle knows the fates that it may have after a crash. While all is answered
 * there is one. What was sent and not answered when the daemon died may have happened or not, so it
 * adds fates; the judge (judge.h) finds one of them, and it is the only one again.
 *
 * That works because at most one connection at a time has unanswered commands about a job or about
 * the pause of a tube (its claim), and a connection's commands are carried out in order.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unit_random.h>

/* Tubes: some that every connection uses, two that are paused for long, and one for each connection
 * alone, where it kicks many at once. */
#define TUBES_SHARED 4
#define TUBES_PAUSED 2
#define ACTORS 6
#define TUBES (TUBES_SHARED + TUBES_PAUSED + ACTORS)
#define TUBE_PAUSED TUBES_SHARED
#define TUBE_OWN (TUBES_SHARED + TUBES_PAUSED)
#define NOBODY (-1)

#define FATES_MAX 64

enum fate_kind {
    FATE_GONE = 0, /* never put, or deleted */
    FATE_READY,    /* or reserved: then it is ready after a crash */
    FATE_DELAYED,
    FATE_BURIED
};

struct fate {
    enum fate_kind kind;
    uint32_t pri;
    int64_t due_from_ns, due_to_ns; /* DELAYED: when it gets ready, wall clock */
};

/* A fate that was known to be over at that moment (monotonic clock). */
struct past {
    struct fate fate;
    int64_t over_ns;
};

struct job {
    uint64_t id; /* 0: not told */
    uint64_t serial;
    uint32_t size, ttr;
    int tube;
    struct fate fates[FATES_MAX];
    unsigned fate_count;
    bool stone;      /* is left alone, to keep its tube */
    int claim;       /* NOBODY, or the connection with unanswered commands about it */
    unsigned claims; /* how many those are */
    uint64_t burial; /* order of those that are buried in a connection's own tube */
    uint32_t releases[2], buries[2]; /* least, most */
    struct past *past;
    size_t past_count, past_cap;
};

/* When a pause ends; 0: there is none. */
struct pause {
    int64_t until_from_ns, until_to_ns; /* wall clock */
    int64_t over_ns;                    /* as in struct past; INT64_MAX: not over */
};

struct tube {
    char name[24];
    struct pause *pauses;
    size_t pause_count, pause_cap;
    int claim;
};

struct oracle {
    struct unit_random random;
    struct job **jobs; /* all that were ever put, by serial */
    size_t job_count, job_cap;
    struct job **by_id; /* by id, NULL where nobody was told of one */
    size_t id_cap;
    uint64_t life_first, life_last; /* the ids told since the last start; 0: none */
    uint64_t last_burial;
    struct tube tubes[TUBES];
    /* Answers of so long before a power loss may be taken back by it: the level `interval`. */
    int64_t window_ns;
};

void oracle_init(struct oracle *oracle, uint64_t seed);
void oracle_fini(struct oracle *oracle);

uint64_t oracle_below(struct oracle *oracle, uint64_t limit);
static inline bool oracle_one_in(struct oracle *oracle, uint64_t count)
{
    return oracle_below(oracle, count) == 0;
}

/* The bytes of a body, from its serial number. */
void body_make(struct buf *out, uint64_t serial, uint32_t size);
bool body_is(const char *bytes, size_t len, uint64_t serial, uint32_t size);

/* A job that isn't sent yet; the oracle's. */
struct job *oracle_job_new(struct oracle *oracle, int tube, uint32_t size, uint32_t ttr);
/* NULL: nobody was told of it. */
struct job *oracle_job(const struct oracle *oracle, uint64_t id);
/* Somebody was told of that id. Fails if another job has it. */
void oracle_told(struct oracle *oracle, struct job *job, uint64_t id);

/* Whether it is sure that the job has this fate, or that it may have. */
bool job_is(const struct job *job, enum fate_kind kind);
bool job_may_be(const struct job *job, enum fate_kind kind);
/* From now on the job has this fate and no other. */
void job_becomes(struct oracle *oracle, struct job *job, const struct fate *fate);
/* It may have this one, too. */
void job_may_become(struct job *job, const struct fate *fate);
void job_claim(struct job *job, int actor);
void job_unclaim(struct job *job);

void tube_paused(struct oracle *oracle, int tube, int64_t from_ns, int64_t to_ns, bool sure);

/*
 * The power went at that moment: of what was answered within the window before, all may be undone.
 * Pasts are forgotten; call it for a crash of any kind, with lost_ns 0 if the power stayed.
 */
void oracle_crashed(struct oracle *oracle, int64_t lost_ns);

/* Ends the program, with the round's seed and directory. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
