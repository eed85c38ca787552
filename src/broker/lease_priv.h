// SPDX-License-Identifier: MIT
/*
 * Leases, for the broker's own files; lease.c has the essay.
 */
#ifndef BROKER_LEASE_PRIV_H
#define BROKER_LEASE_PRIV_H

#include "broker/state_priv.h"

/* lease.c */
/* The job is in no container and has its side record (and a slot promised in its tube); client
 * NULL: a local consumer's. Needs room in the client's heap. Where it can't be recorded it isn't
 * counted. */
void lease_begin(struct job *job, struct broker_client *client, enum job_out out) HELD;
/* RESERVED, as a change says it: the lease of a token into its container; others are in none. */
void lease_contain(struct job *job) HELD;
/* Whether that is the token of its lease; has_key: of one that the replay told of. */
bool lease_has_key(const struct job *job, uint64_t token) __attribute__((cold)) HELD;
HELD static inline bool lease_has_token(const struct job *job, uint64_t token)
{
    if (token == 0)
        return false;
    return job->extra->token_is_key ? lease_has_key(job, token) : job->extra->token == token;
}
/* Its token is spent; the job stays RESERVED, in no container. */
void lease_end(struct job *job) HELD;
/* Ready again, in its old place, and one more of that trouble, if there is room to record it. */
void lease_trouble(struct job *job, enum job_outcome_kind kind) HELD;
/* RESERVED, not under a lease: ready again, in its old place. */
void lease_give_back(struct job *job) HELD;
/* Released: ready, or delayed. ENOMEM, ENOSPC, EIO, EAGAIN: nothing changed. */
int lease_release(struct job *job, uint32_t pri, int64_t delay_ns) HELD;
/* Ends a lease, which counts as nothing: ready again in its old place, or released with a delay, or
 * without it where that can't be recorded. ENOMEM, or EAGAIN (not now, see line.c): nothing
 * changed; so ENOSPC and EIO for the lease of a token. */
int lease_return(struct job *job, int64_t delay_ns) HELD;
/* The job that client or token have. token 0: ENOENT, else ESTALE. */
int lease_find(const struct broker_client *client, uint64_t id, uint64_t token,
               struct job **job) HELD;
void lease_fill(struct job *job, struct broker_lease *lease) HELD;

#endif
