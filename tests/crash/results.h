// SPDX-License-Identifier: MIT
/*
 * How jobs ended, as somebody was told, kept outside of the daemon: the oracle of the kind
 * `results` (round_results.c).
 *
 * It knows less of a job than the oracle of the other kinds (oracle.h), and more of its end. An end
 * that a wait was answered with, or that a cancel or a bury has acknowledged, has exactly one
 * record from then on, in each life that follows: the same number, outcome, counts and result.
 * Where nobody was told, a job that was put is there, or has a record. It is never both: history
 * keeps no record of an end that the journal doesn't have. Only where the power goes, and the level
 * promises nothing then, the journal may lose an end that history has kept. Then the job ends
 * again, and the record of that replaces the other one; such jobs are counted.
 *
 * Records have numbers. A job that was put after another one's end was told has the higher one.
 */
#ifndef RESULTS_H
#define RESULTS_H

#include "oracle.h"

/* Of the tubes of `struct oracle`, so many each: by whom they are served. */
#define TUBES_SERVED (TUBES / 3)
enum served { SERVED_NULL = 0, SERVED_ECHO, SERVED_HELD /* by hand */ };

/* What is said of an end. */
struct account {
    char outcome[16];
    char counts[200]; /* the size and the counters, as in the answer; "": unknown */
    char *result;     /* likewise, with output and times; NULL: unknown */
};

enum presence { PRESENT_NOT = 0, PRESENT, PRESENT_BURIED };

struct result_job {
    uint64_t id; /* 0: not told */
    uint64_t serial;
    int tube;
    uint32_t size;
    bool named;    /* after its serial number, by which it is recognized */
    bool kept;     /* it leaves a record, unless it is deleted */
    bool nowhere;  /* it was refused, or not there after a crash: it must not come later */
    bool claimed;  /* somebody ends it by hand, or it is buried */
    bool deleting; /* that may leave no record, and wasn't answered */
    bool gone;     /* for good; that was acknowledged */
    bool buried;   /* as that was acknowledged, or told: it must be there */
    bool ended;    /* `account` is of its end */
    bool again;    /* it was there, and had a record: what is told then may leave that out */
    unsigned waits;
    struct account account;
    uint64_t put_at, told_at; /* moments: see struct results; told_at 0: nobody was */
    uint64_t number;          /* of its record; 0: the judge hasn't seen it */

    /* What the judge finds. */
    enum presence presence;
    uint64_t found;      /* the number of its record; 0: none */
    struct account row;  /* without result */
    bool doubled;        /* it has another one */
    uint64_t found_also; /* which */
};

struct results {
    struct oracle *oracle; /* its random numbers and tubes; its jobs aren't used */
    bool power;            /* `interval` promises nothing */
    /* Not 0: the power goes, and the daemon, which is there for a moment still, reads what is on
     * the disk after that. NULL: never. */
    const _Atomic int *losing;
    struct result_job **jobs;
    size_t job_count, job_cap;
    struct result_job **by_id;
    size_t id_cap;
    uint64_t moment; /* counts what is sent and heard */
    uint64_t told, answers, refused, doubtful, compared;
    uint64_t again; /* jobs that were there and had a record of an end that nobody was told of */
};

/* The oracle outlives it, and has its tubes renamed. */
void results_init(struct results *results, struct oracle *oracle, bool power);
void results_fini(struct results *results);

struct result_job *results_job_new(struct results *results, int tube, uint32_t size);
/* NULL: nobody was told of it. */
struct result_job *results_job(const struct results *results, uint64_t id);
/* Somebody was told of that id. Fails if another job has it. */
void results_id(struct results *results, struct result_job *job, uint64_t id);
void results_body(struct buf *out, const struct result_job *job);

static inline enum served tube_served(int tube)
{
    return (enum served)(tube / TUBES_SERVED);
}
/* Whether what is acknowledged there outlives the daemon. */
bool results_promised(const struct results *results, const struct result_job *job);

/* Of an answer of wait or show, or of a row of a list; false: it tells no end. The result is the
 * account's, freed by account_fini. */
bool account_read(struct account *account, const char *json);
void account_fini(struct account *account);
/* But for earlier attempts, where a record of one was found. */
bool result_is_same(const struct result_job *job, const char *told, const char *other);
/* Somebody was told of its end. Fails if somebody was told of another one. */
void results_told(struct results *results, struct result_job *job, const char *json);

/* ---- clients (results_work.c) ---- */

/*
 * Lets clients put, wait and delete until the moment (monotonic), or the end of a connection. end()
 * is called then, which ends the daemon; what it still said is heard.
 */
void results_work(struct results *results, const char *socket, int64_t until_ns,
                  void (*end)(void *arg), void *arg);

/* ---- the judge (results_judge.c) ---- */

/*
 * Compares what a daemon without pools has after a restart, while nobody else is connected. Faults
 * are printed; they end the program when all have been found. What was in doubt is settled then.
 */
void results_judge(struct results *results, const char *socket);

#endif
