// SPDX-License-Identifier: MIT
/*
 * What time does to a connection, and what its end does: leases run out, or are lost.
 */
#include "broker/client_priv.h"
#include "broker/finish_priv.h"
#include "broker/lease_priv.h"
#include "broker/line_priv.h"
#include "broker/settle_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/*
 * The job that a remote worker has is in trouble: by the rules it is buried, if there is
 * memory and room for that, or it goes back.
 */
HELD static void lease_fails(struct broker *broker, struct job *job, struct job_outcome *outcome)
{
    struct attempt_end last;
    if (retry_judge(job, outcome).state == JOB_BURIED && attempt_end_make(&last, outcome) == 0) {
        const struct finish finish = {
            .job = job, .outcome = outcome, .last = &last, .counts = true};
        struct job *gone; /* none: it is buried */
        int rc = finish_job(broker, &finish, &gone);
        attempt_end_free(&last);
        if (rc == 0)
            return;
    }
    lease_trouble(job, outcome->kind);
}

HELD static void lease_expire(struct broker *broker, struct job *job)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_TIMEOUT;
    outcome.started_ns = job->extra->key_ns - job_ttr_ns(job);
    job_outcome_reason(&outcome, "its worker was not done with it within its TTR of %" PRIu32 " s",
                       job->ttr_s);
    broker_tube(job->tube)->stats.timeouts++;
    broker->stats.timeouts++;
    lease_fails(broker, job, &outcome);
}

/* What its worker said of it stands in line: that may still be made good. */
HELD static void lease_put_off(struct broker_client *client, struct job *job, int64_t now_ns)
{
    job->extra->key_ns = now_ns + BROKER_MARGIN_NS;
    heap_update(&client->extra->leases, job->pos);
    client_timer_update(client);
}

void client_due(struct broker_client *client, int64_t now_ns)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    struct job *soonest = heap_first(&client->extra->leases);
    if (reserver_lined(client)) {
        bool soon = soonest != NULL && soonest->extra->key_ns - BROKER_MARGIN_NS <= now_ns;
        queue_wait_make_ready(client->broker->ledger.domain, &client->extra->reserver->wait,
                              soon ? ETIME : ETIMEDOUT);
        reserver_unlined(client);
        return;
    }
    ASSERT(soonest != NULL && soonest->extra->key_ns <= now_ns);
    if (soonest->extra->pins > 0)
        lease_put_off(client, soonest, now_ns);
    else
        lease_expire(client->broker, soonest);
}

/* ---- the end ---- */

/* A lease with a token that was matched and never handed out: nobody knows the token. */
HELD static void undelivered_return(struct broker_client *client)
{
    const struct client_extra *extra = client->extra;
    struct job *job;
    if (extra->matched_token == 0 || !extra->with_token ||
        lease_find(client, extra->matched_id, extra->matched_token, &job) != 0)
        return;
    (void)lease_return(job, 0); /* else when its TTR is over */
}

/* true: the reserver is its owner's again. */
HELD static bool reserve_abandon(struct broker_client *client)
{
    if (!broker_is_reserving(client))
        return true;
    struct broker_reserver *reserver = client->extra->reserver;
    struct later *later = &reserver->wait.later;
    bool lined = later->cancel == client->broker->calls->reserve_cancel;
    bool cancelled = lined ? queue_wait_cancel(&reserver->wait) : later->state == LATER_WAITS;
    if (cancelled && lined)
        reserver_unlined(client);
    else if (cancelled)
        line_leave_reserver(client->broker, later);
    else
        undelivered_return(client);
    client->extra->reserver = NULL;
    return cancelled;
}

static int by_rank(const void *a, const void *b)
{
    const struct job *one = *(struct job *const *)a, *two = *(struct job *const *)b;
    return job_ready_less(one, two, NULL) ? -1 : 1;
}

HELD static void lease_lose(struct broker *broker, struct job *job)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_LOST;
    job_outcome_reason(&outcome, "the connection of its worker was lost");
    lease_fails(broker, job, &outcome);
}

/* Gives a part of the leases back, the best job first, for the first in line takes it. */
HELD static void return_some(struct broker_client *client)
{
    struct job *jobs[BROKER_SLICE_MAX];
    size_t count = 0;
    while (count < BROKER_SLICE_MAX && client->extra->leases.len > 0) {
        struct job *job = heap_any(&client->extra->leases);
        if (retry_minds_loss(job)) {
            if (count == 0)
                lease_lose(client->broker, job);
            break;
        }
        lease_end(job); /* not before the others: who gets one may be this one's next in line */
        jobs[count++] = job;
    }
    // cppcheck-suppress uninitvar ; as many as are counted have been set
    qsort(jobs, count, sizeof(jobs[0]), by_rank);
    for (size_t i = 0; i < count; i++)
        lease_trouble(jobs[i], JOB_OUTCOME_LOST);
}

/* Returns or unwatches a part of it; whether that was all. */
HELD static bool leave_some(struct broker_client *client)
{
    if (client_holds(client)) {
        return_some(client);
        return false;
    }
    for (int i = 0; i < BROKER_SLICE_MAX; i++) {
        if (client->watch_count == 0)
            return true;
        client_unwatch(client, client->watch_count - 1);
    }
    return false;
}

bool broker_client_fini(struct broker_client *client)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    struct broker *broker = client->broker;
    broker_lock(broker);
    bool mine = reserve_abandon(client);
    while (!leave_some(client)) {
        broker_unlock(broker);
        broker_lock(broker);
    }
    broker->stats.producers -= client->producer;
    broker->stats.workers -= client->worker;
    client_stop(client);
    broker_unlock(broker);
    return mine;
}
