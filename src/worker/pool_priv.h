// SPDX-License-Identifier: MIT
/*
 * A pool and its workers, for the files that make them: pool.c (their life together) and runner.c
 * (what one worker does).
 */
#ifndef WORKER_POOL_PRIV_H
#define WORKER_POOL_PRIV_H

#include "base/counter.h"
#include "base/magic.h"
#include "worker/stop_priv.h"

#define POOL_MAGIC 0x3e3e9001u
#define WORKER_MAGIC 0x3e3e0a0eu

/* Its thread writes what is atomic or a counter; what is covered by pool->lock says so; the rest is
 * set once, by worker_new. */
struct worker {
    unsigned magic;
    struct worker_pool *pool;
    struct broker_consumer *consumer; /* pool->lock; NULL: its thread has ended, or is about to */
    hl_thread *thread;
    hl_event *go;        /* set: a resting worker looks what to do */
    bool leaving;        /* pool->lock: it ends when it has no job; not one of pool->wanted */
    bool resting;        /* pool->lock: the pool is paused, and it has no job */
    _Atomic bool busy;   /* in the handler, or settling */
    _Atomic bool wanted; /* serving: somebody waits for a job that this one could return */
    struct stop stop;
    struct counter ended[JOB_OUTCOME_COUNT];
};

struct worker_pool {
    unsigned magic;
    char name[WORKER_POOL_NAME_MAX + 1];
    char **tubes;
    uint32_t *weights; /* NULL: its tubes have none */
    size_t tube_count;
    struct broker *broker;
    struct broker_shares *shares; /* of the weights */
    struct job_rules rules;
    const struct handler *handler;
    void *state;        /* the handler's */
    hl_event *stopping; /* set when running jobs must stop */
    bool started, stopped;
    _Atomic int64_t rest_until_ns; /* no job is begun before; 0: it doesn't rest */

    hl_lock *lock; /* covers all below; taken before the broker's */
    bool closing;  /* for good: no worker takes any more */
    bool paused;
    int64_t rest_ns;                  /* how long it rested the last time; 0: it is well */
    char trouble[WORKER_TROUBLE_MAX]; /* why it rests, or isn't started; "": nothing */
    unsigned wanted;                  /* workers that aren't leaving */
    struct worker **workers;          /* WORKER_POOL_MAX places; those without a worker are NULL */
    struct list quiet;                /* of struct worker_quiet */
    uint64_t past[JOB_OUTCOME_COUNT]; /* of workers that are gone */
};

/* ---- tubes.c ---- */

/* Takes names and weights apart; they were checked. ENOMEM. */
int pool_tubes_fill(struct worker_pool *pool, const char *const *tubes, size_t count);

/* ---- runner.c ---- */

/* With its consumer and its thread, which is not started; called "<pool>-<number>". ENOMEM, ... */
int worker_new(struct worker **out, struct worker_pool *pool, unsigned number);
/* Its thread has ended, or never started. NULL: nothing to do. */
void worker_free(struct worker **worker);

/* How long that attempt may take; 0: no limit. */
int64_t worker_timeout(const struct worker *worker, const struct broker_lease *lease);
/* The end of an attempt that the handler calls RETURNED becomes what it was stopped for; now is its
 * time, and the log may hear of it. */
void worker_judge(const struct worker *worker, const struct broker_lease *lease,
                  struct job_outcome *outcome, enum stop_reason reason, int64_t timeout_ns);
/* Up to BROKER_SETTLE_MAX; counted. */
void worker_settle_many(struct worker *worker, struct broker_settlement *list, size_t count);

/* ---- shift.c ---- */

/* Runs the job, and more, by the handler's serve. The lease is taken over. */
void shift_run(struct worker *worker, struct broker_lease *lease);
/* A hook of its consumer. */
void shift_ring(bool wanted, void *worker);

/* ---- pool_size.c, all with pool->lock ---- */

/* More workers, started if the pool is, until there are so many. What there is stays. EBUSY: all
 * places are taken by workers that still end. ENOMEM, EAGAIN. */
int pool_grow(struct worker_pool *pool, unsigned wanted);
/* The worker takes no more and ends. */
void pool_dismiss(struct worker *worker);

/* ---- pool_rest.c ---- */

/* No program can be started at the moment: the pool rests, each time twice as long. */
void pool_rest_begin(struct worker_pool *pool, const char *why);
/* One could. */
void pool_rest_end(struct worker_pool *pool);
/* By a worker without a job: returns when the rest is over, or the worker is to leave. */
void worker_rest_out(struct worker *worker);

/* ---- pool_pause.c ---- */

/* By a worker whose consumer is paused, without a job: returns when there is something to do again,
 * or the pool isn't paused after all. */
void worker_rest(struct worker *worker);
/* By a worker that ends: the last thing it does with its pool. */
void worker_leave(struct worker *worker);

#endif
