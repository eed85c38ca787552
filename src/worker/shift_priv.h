// SPDX-License-Identifier: MIT
/*
 * A shift: what a handler that has several jobs at once (handler.serve) needs of its worker. All
 * calls are made by the worker's thread, none of them waits.
 */
#ifndef WORKER_SHIFT_PRIV_H
#define WORKER_SHIFT_PRIV_H

#include "worker/live_priv.h"
#include "worker/stop_priv.h"

#define SHIFT_MAX BROKER_SETTLE_MAX /* jobs at once */

struct shift;

/* One attempt, the handler's memory. */
struct shift_job {
    struct broker_lease lease;
    struct job_outcome outcome; /* as of handler_call, but that started_ns is the handler's */
    struct live live;           /* of it; ends when it is settled */
    int64_t timeout_ns;         /* from its start on, for the handler to keep; 0: no limit */
    enum stop_reason stopped;   /* set by the handler: it is RETURNED because of this */
};

/* Readable when there is something to hear; only shift_hear reads it. */
int shift_fd(const struct shift *shift);
enum {
    SHIFT_STOP = 1,    /* all jobs must end now, in whatever way is quick */
    SHIFT_CANCELS = 2, /* one of the jobs may have been cancelled: shift_is_cancelled */
    SHIFT_WANTED = 4   /* a worker waits for a job: those that haven't begun should be RETURNED */
};
unsigned shift_hear(struct shift *shift);
bool shift_is_cancelled(const struct shift *shift, const struct shift_job *job);

/* The job it begins with; once. */
void shift_first(struct shift *shift, struct shift_job *job);
/* Up to `max` more leases, for shift_begin or shift_return; returns how many. */
size_t shift_take(struct shift *shift, struct broker_lease *leases, size_t max);
/* Whether there is nothing to take at the moment; the descriptor will tell when there may be. */
bool shift_stand(struct shift *shift);
/* Before serve returns, and it may only if this is true. false: take again, or wait a moment. */
bool shift_leave(struct shift *shift);

/* Fills the job from the lease, which is taken over. */
void shift_begin(struct shift *shift, struct shift_job *job, struct broker_lease *lease);
/* Gives back what could not begin. */
void shift_return(struct shift *shift, struct broker_lease *lease);
/* Settles jobs by their outcomes, up to SHIFT_MAX, and frees what is in them. */
void shift_settle(struct shift *shift, struct shift_job *const *jobs, size_t count);

#endif
