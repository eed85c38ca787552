// SPDX-License-Identifier: MIT
/*
 * Tokens of leases: see oracle.h. All are kept, since none may come twice (they are random, and
 * long enough for that), and since those whose lease is over must be refused, in each life to come.
 *
 * Jobs with a TTR of a second are asked for nothing: their leases end when they like.
 */
#include "oracle.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdlib.h>

#define TOKEN_BITS 53
#define TTR_SHORT 1

void oracle_ticket(struct oracle *oracle, uint64_t id, uint64_t token, bool known)
{
    if (token == 0)
        fail("job %" PRIu64 " was reserved with the token 0, which is none", id);
    if (token >= UINT64_C(1) << TOKEN_BITS)
        fail("job %" PRIu64 " was reserved with the token %" PRIu64 ", which is too long", id,
             token);
    oracle->tickets = oracle_grown(oracle->tickets, &oracle->ticket_cap, oracle->ticket_count + 1,
                                   sizeof(*oracle->tickets));
    oracle->tickets[oracle->ticket_count++] =
        (struct ticket){.id = id, .token = token, .known = known};
}

static int ticket_compare(const void *left, const void *right)
{
    const struct ticket *a = left, *b = right;
    return a->token < b->token ? -1 : a->token > b->token;
}

void tickets_check(struct oracle *oracle)
{
    struct ticket *all = oracle->tickets;
    if (oracle->ticket_count > 0)
        qsort(all, oracle->ticket_count, sizeof(*all), ticket_compare);
    for (size_t i = 1; i < oracle->ticket_count; i++)
        if (all[i].token == all[i - 1].token)
            fail("token %" PRIu64 " was given out twice: for job %" PRIu64 " and for job %" PRIu64,
                 all[i].token, all[i - 1].id, all[i].id);
    oracle->tickets_old = oracle->ticket_count;
}

/* ---- what is in force ---- */

void lease_told(const struct oracle *oracle, struct job *job, uint64_t token)
{
    int64_t now_ns = clock_now_ns(), window_ns = 0;
    for (unsigned i = 0; i < job->fate_count; i++) {
        int64_t one_ns =
            job->fates[i].kind != FATE_GONE ? tube_window_ns(oracle, job->fates[i].tube) : 0;
        window_ns = one_ns > window_ns ? one_ns : window_ns;
    }
    /* It was taken before it was told of: half of its time is there for that. */
    job->lease = (struct lease){
        .token = token,
        .told_ns = now_ns,
        .sure = job->ttr > TTR_SHORT && job->claims == 0,
        .until_ns = now_ns + (int64_t)job->ttr * HL_SECOND / 2,
        .expires_ns = window_ns > 0 ? window_end_ns(window_ns, now_ns, INT64_MAX) : 0};
}

void lease_broken(const struct job *job, const char *how)
{
    int64_t now_ns = clock_now_ns();
    if (job->lease.sure && job->claims == 0 && now_ns < job->lease.until_ns)
        fail("job %" PRIu64 " %s while the lease with token %" PRIu64 " was in force, told %" PRId64
             " ms ago, %s",
             job->id, how, job->lease.token, (now_ns - job->lease.told_ns) / 1000000,
             job->lease.went_on ? "of an earlier life" : "in this life");
}

void lease_crashed(const struct oracle *oracle, struct job *job, int64_t lost_ns)
{
    struct lease *lease = &job->lease;
    if (oracle->forgets || job->claims > 0 || !job->recorded ||
        (lease->expires_ns != 0 && window_holds(lease->expires_ns, lost_ns)))
        lease->sure = false;
}

bool ticket_must_be_good(const struct oracle *oracle, const struct ticket *ticket)
{
    const struct job *job = oracle_job(oracle, ticket->id);
    return job != NULL && job->lease.token == ticket->token && job->lease.sure &&
           clock_now_ns() < job->lease.until_ns;
}

bool ticket_must_be_stale(const struct oracle *oracle, const struct ticket *ticket)
{
    const struct job *job = oracle_job(oracle, ticket->id);
    if (job == NULL || oracle->forgets)
        return false;
    if (job_is(job, FATE_GONE))
        return true;
    /* What ended the lease may be lost with the power: then it is in force again. */
    if (job->fate_count > 1)
        return false;
    bool other = job->lease.token != ticket->token || job->lease.over;
    return other && ticket->known && !job->undone && job->ttr > TTR_SHORT;
}

void ticket_is_good(struct oracle *oracle, const struct ticket *ticket)
{
    struct job *job = oracle_job(oracle, ticket->id);
    oracle->good = oracle_grown(oracle->good, &oracle->good_cap, oracle->good_count + 1,
                                sizeof(*oracle->good));
    oracle->good[oracle->good_count++] = *ticket;
    oracle->went_on++;
    if (job == NULL)
        return;
    lease_told(oracle, job, ticket->token);
    job->lease.went_on = true;
    job->leased = true;
}

bool job_may_be_leased(const struct oracle *oracle, uint64_t id)
{
    bool may = oracle->forgets || oracle->strays_token > 0;
    for (size_t i = 0; i < oracle->good_count && !may; i++)
        may = oracle->good[i].id == id;
    return may;
}
