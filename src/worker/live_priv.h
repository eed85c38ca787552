// SPDX-License-Identifier: MIT
/*
 * What a running attempt has written so far, for those who follow it; the essay is in live.c.
 *
 * One object for each running attempt, in the memory of who runs it:
 *
 *     live_begin     before the handler runs
 *       live_keep, live_progress     by its thread, as output and progress come
 *     live_end       when nothing more comes, before the outcome is settled
 *
 * All of it on one thread. A live of NULL is right everywhere, and means that nobody can follow.
 */
#ifndef WORKER_LIVE_PRIV_H
#define WORKER_LIVE_PRIV_H

#include "base/list.h"
#include "worker/worker.h"

#define LIVE_MAGIC 0x3e3e117eu

struct live {
    unsigned magic;
    const struct broker *broker;
    uint64_t id;
    uint32_t attempt;
    struct job_outcome *outcome; /* its out, err and progress change only by the functions below */
    bool known;                  /* its thread's: it is in the list */
    bool followed;               /* the lock of all: somebody has read of it */
    pid_t stuck;                 /* likewise: its program, which can't be killed; 0 */
    struct list_node node;       /* likewise */
};

/* Costs nothing before there is something to tell. */
void live_begin(struct live *live, const struct broker *broker, const struct broker_lease *lease,
                struct job_outcome *outcome);
/*
 * Appends to `into`, which is outcome->out or outcome->err, as much as fits below max; sets
 * *truncated unless that was all. ENOSPC: it wasn't. ENOMEM.
 */
int live_keep(struct live *live, struct buf *into, size_t max, bool *truncated, const void *bytes,
              size_t len);
/* Percent: 0 to 100; text may be longer than is kept. */
void live_progress(struct live *live, struct job_outcome *outcome, int percent, const char *text);
/* Its program is to be stopped and can't be. */
void live_stuck(struct live *live, pid_t pid);
void live_end(struct live *live);

/* The broker's pools are gone: what its jobs wrote can't be asked for any more. */
void live_forget(const struct broker *broker);

#endif
