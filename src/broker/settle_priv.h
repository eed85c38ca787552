// SPDX-License-Identifier: MIT
/*
 * How attempts and jobs end, for the broker's own files: what the rules say, and the verbs.
 */
#ifndef BROKER_SETTLE_PRIV_H
#define BROKER_SETTLE_PRIV_H

#include "broker/state_priv.h"

/* settle.c */
/* The lease of whoever shows its token: a consumer's, or one that was taken with a token. NULL. */
struct job *job_under_token(const struct broker *broker, uint64_t id, uint64_t token) HELD;
#define SETTLE_CANCELLED "cancelled by request"
/* What an end takes with it, made without the lock: the reason of a burial, and the attempt that
 * ended. Both may be NULL. What isn't used is its maker's. */
struct attempt_end {
    char *reason;
    struct job_attempts *past;
};
/* For an outcome that may bury, or be tried again. ENOMEM: nothing is in it. */
int attempt_end_make(struct attempt_end *last, const struct job_outcome *outcome);
void attempt_end_free(struct attempt_end *last);
/* ENOSPC, EIO, ENOMEM, EAGAIN (not now, see line.c): nothing changed. *gone: the job, if it left,
 * to be freed without the lock; else NULL. */
/* Cancels a job that isn't buried. */
int settle_cancel(struct broker *broker, struct job *job, const char *reason,
                  struct job **gone) HELD;
/* Deletes a job that is reserved by nobody. */
int settle_delete_idle(struct broker *broker, struct job *job, struct job **gone) HELD;
/* Buries a ready or delayed one. */
int settle_bury_idle(struct broker *broker, struct job *job, const char *reason) HELD;

/* retry.c */
struct verdict {
    enum job_state state; /* FINISHED, BURIED, or READY or DELAYED for another attempt */
    bool again;           /* it counts, and is in the journal; else READY: it goes back */
    int64_t pause_ns;
};
/* A RESERVED job under a lease. */
struct verdict retry_judge(struct job *job, const struct job_outcome *outcome) HELD;
/* Whether by the rules of job and tube it may be buried when its connection is lost now. */
bool retry_minds_loss(const struct job *job) HELD;
/* The time limit of job and tube; 0: none; -1: they say nothing. */
int64_t retry_timeout(const struct job *job) HELD;

#endif
