// SPDX-License-Identifier: MIT
/*
 * Why and how a run is stopped before its end; one for each worker. The essay is in stop.c.
 */
#ifndef WORKER_STOP_PRIV_H
#define WORKER_STOP_PRIV_H

#include "base/heap.h"
#include "worker/worker.h"

#include <stdatomic.h>

#define STOP_MAGIC 0x3e3e5709u

enum stop_reason { STOP_NONE, STOP_SHUTDOWN, STOP_TIMEOUT, STOP_CANCEL };

struct stop {
    unsigned magic;
    int fd; /* readable while the present run must stop; -1: none */
    const struct handler *handler;
    void *state;             /* the handler's */
    _Atomic bool many;       /* there are several runs: a cancel of any is worth a look */
    bool limited;            /* the present run has a time limit; its thread's */
    _Atomic int reason;      /* enum stop_reason, of the present run */
    _Atomic bool final;      /* no run may go on any more */
    _Atomic uint64_t token;  /* of the present run; 0: none */
    _Atomic uint32_t missed; /* cancels of a job that perhaps hasn't begun */
    /* Covered by the lock of all stops. */
    int64_t due_ns;     /* when the thread looks at it; its place is in the heap */
    uint64_t due_token; /* of the run that it is about */
    size_t pos;
};

/* Room for all that follows; the thread "limits" runs from the first one to the last. ENOMEM,
 * EMFILE, EAGAIN. */
int stop_init(struct stop *stop, const struct handler *handler, void *state);
/* It has no run; stop_init failed, or it is all zero: nothing happens. */
void stop_fini(struct stop *stop);

/* Before a run; timeout_ns 0: no limit. true: the job may have been cancelled before this, which
 * the broker knows. */
bool stop_begin(struct stop *stop, uint64_t token, int64_t timeout_ns);
/* After it: the first reason for which it had to stop. */
enum stop_reason stop_end(struct stop *stop);

/* The same around several runs at once (shift.c), without limits. Until the end the descriptor is
 * readable whenever there is something to hear; stop_hear makes it silent. */
void stop_begin_many(struct stop *stop);
void stop_end_many(struct stop *stop);
/* *cancelled: a job of this worker was, since the last time; the broker knows which. true: all runs
 * must stop. */
bool stop_hear(struct stop *stop, bool *cancelled);
/* Makes the descriptor readable. Any thread. */
void stop_ring(struct stop *stop);

/* The run of that lease must stop, now or when it begins. With the broker's lock. */
void stop_cancel(struct stop *stop, uint64_t token);
/* The present run must stop, and those to come. Any thread. */
void stop_for_good(struct stop *stop);

#endif
