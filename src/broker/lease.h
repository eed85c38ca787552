// SPDX-License-Identifier: MIT
/*
 * Leases: what who has a job was told of it, and how an attempt ends. Part of broker.h.
 */
#ifndef BROKER_LEASE_H
#define BROKER_LEASE_H

#include "broker/durable.h"
#include "job/job.h"

struct broker;

struct broker_lease {
    uint64_t id;
    uint64_t token;
    struct job_body *body; /* a reference of the lease's own; NULL: it is at `place` */
    struct job_place place;
    size_t size;      /* bytes of the body */
    const char *tube; /* of a consumer: valid until the job is settled; of a client: NULL */
    uint32_t pri;
    uint32_t attempt; /* 1 for the first */
    int64_t ttr_ns;
    int64_t timeout_ns;  /* of this attempt, as job or tube say; 0: none; -1: they say nothing */
    int64_t reserved_ns; /* clock_now_ns time */
    int64_t created_ns;  /* likewise; when it was put */
    bool authorised;     /* as of job_options */
    uint32_t submitter;  /* who put it; JOB_NOBODY */
};
void broker_lease_fini(struct broker_lease *lease);

/*
 * Ends the attempt under that token. What follows is a matter of the outcome's kind:
 *   DONE, DELETED, CANCELLED   the job is finished and leaves
 *   BURIED                     buried with the outcome's reason; counts as finished
 *   FAILED, RETRY, TIMEOUT,    counted; the rules of the job, its tube and outcome->rules decide:
 *   CRASHED, LOST              another attempt after a pause, or buried (see retry.c)
 *   RETURNED                   ready again in its old place; not counted, not finished
 * A job that was cancelled meanwhile ends as CANCELLED, unless it is DONE. The outcome stays the
 * caller's, but its output is taken over where somebody wants to have it. ESTALE: the token isn't
 * the one of a present lease; nothing changed. ENOMEM, ENOSPC, EIO: nothing
 * changed, the lease is still good; try again. May block: BROKER_SETTLE of op.h is for who may not.
 */
int broker_settle(struct broker *broker, uint64_t id, uint64_t token, struct job_outcome *outcome);

/* Ends a lease that nobody was told of: the job is ready again in its old place. Never blocks;
 * where the journal can't record that now, the job comes back when its TTR is over. */
void broker_return(struct broker *broker, uint64_t id, uint64_t token);

/* The same for several at once, each by its own token: `rc` says for each what broker_settle would.
 * Those that are done go under one hold of the lock; a stale token holds up no other. */
#define BROKER_SETTLE_MAX 64
struct broker_settlement {
    uint64_t id, token;
    struct job_outcome *outcome;
    int rc;
};
void broker_settle_many(struct broker *broker, struct broker_settlement *list, size_t count);

#endif
