// SPDX-License-Identifier: MIT
/*
 * A pool and its workers, for the files that make them: pool.c (their life together) and runner.c
 * (what one worker does).
 */
#ifndef WORKER_POOL_PRIV_H
#define WORKER_POOL_PRIV_H

#include "base/counter.h"
#include "base/magic.h"
#include "worker/worker_priv.h"

#define POOL_MAGIC 0x3e3e9001u
#define WORKER_MAGIC 0x3e3e0a0eu

/* Its thread writes what is atomic or a counter; the rest is set once, by worker_new. */
struct worker {
    unsigned magic;
    struct worker_pool *pool;
    struct broker_sink *sink;
    hl_thread *thread;
    _Atomic bool busy; /* in the handler, or settling */
    struct counter ended[JOB_OUTCOME_COUNT];
};

struct worker_pool {
    unsigned magic;
    char name[WORKER_POOL_NAME_MAX + 1];
    char **tubes;
    size_t tube_count;
    struct broker *broker;
    const struct handler *handler;
    void *state; /* the handler's */
    int stop_fd;
    hl_event *stopping; /* set when stop_fd is readable */
    bool started, stopped;
    unsigned worker_count;
    struct worker **workers;
};

/* ---- runner.c ---- */

/* With its sink and its thread, which is not started; called "<pool>-<number>". ENOMEM, ... */
int worker_new(struct worker **out, struct worker_pool *pool, unsigned number);
/* Its thread has ended, or never started. NULL: nothing to do. */
void worker_free(struct worker **worker);

#endif
