// SPDX-License-Identifier: MIT
/*
 * What time does to a connection, and what its end does: leases run out, or are lost.
 */
#include "broker/finish_priv.h"
#include "broker/holder_priv.h"
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
    struct last_words words;
    if (retry_judge(job, outcome).state == JOB_BURIED && last_words_make(&words, outcome) == 0) {
        const struct finish finish = {
            .job = job, .outcome = outcome, .words = &words, .counts = true};
        struct job *gone; /* none: it is buried */
        int rc = finish_job(broker, &finish, &gone);
        last_words_free(&words);
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
    outcome.started_ns = job->rare->key_ns - job_ttr_ns(job);
    job_outcome_reason(&outcome, "its worker was not done with it within its TTR of %" PRIu32 " s",
                       job->ttr_s);
    broker_tube(job->tube)->stats.timeouts++;
    broker->stats.timeouts++;
    lease_fails(broker, job, &outcome);
}

/* What its worker said of it stands in line: that may still be made good. */
HELD static void lease_put_off(struct broker_holder *holder, struct job *job, int64_t now_ns)
{
    job->rare->key_ns = now_ns + BROKER_MARGIN_NS;
    heap_update(&holder->rare->leases, job->pos);
    holder_alarm_update(holder);
}

void holder_due(struct broker_holder *holder, int64_t now_ns)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    struct job *soonest = heap_first(&holder->rare->leases);
    if (reserver_lined(holder)) {
        bool soon = soonest != NULL && soonest->rare->key_ns - BROKER_MARGIN_NS <= now_ns;
        queue_wait_make_ready(holder->broker->ledger.domain, &holder->rare->reserver->wait,
                              soon ? ETIME : ETIMEDOUT);
        reserver_unlined(holder);
        return;
    }
    ASSERT(soonest != NULL && soonest->rare->key_ns <= now_ns);
    if (soonest->rare->pins > 0)
        lease_put_off(holder, soonest, now_ns);
    else
        lease_expire(holder->broker, soonest);
}

/* ---- the end ---- */

/* A lease with a token that was matched and never handed out: nobody knows the token. */
HELD static void undelivered_return(struct broker_holder *holder)
{
    const struct holder_rare *rare = holder->rare;
    struct job *job;
    if (rare->matched_token == 0 || !rare->with_token ||
        lease_find(holder, rare->matched_id, rare->matched_token, &job) != 0)
        return;
    (void)lease_return(job, 0); /* else when its TTR is over */
}

/* true: the reserver is its owner's again. */
HELD static bool reserve_abandon(struct broker_holder *holder)
{
    if (!broker_is_reserving(holder))
        return true;
    struct broker_reserver *reserver = holder->rare->reserver;
    struct later *later = &reserver->wait.later;
    bool lined = later->cancel == holder->broker->calls->reserve_cancel;
    bool cancelled = lined ? queue_wait_cancel(&reserver->wait) : later->state == LATER_WAITS;
    if (cancelled && lined)
        reserver_unlined(holder);
    else if (cancelled)
        line_leave_reserver(holder->broker, later);
    else
        undelivered_return(holder);
    holder->rare->reserver = NULL;
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
HELD static void return_some(struct broker_holder *holder)
{
    struct job *jobs[BROKER_WALK_MAX];
    size_t count = 0;
    while (count < BROKER_WALK_MAX && holder->rare->leases.len > 0) {
        struct job *job = heap_any(&holder->rare->leases);
        if (retry_minds_loss(job)) {
            if (count == 0)
                lease_lose(holder->broker, job);
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
HELD static bool leave_some(struct broker_holder *holder)
{
    if (holder_holds(holder)) {
        return_some(holder);
        return false;
    }
    for (int i = 0; i < BROKER_WALK_MAX; i++) {
        if (holder->watch_count == 0)
            return true;
        holder_unwatch(holder, holder->watch_count - 1);
    }
    return false;
}

bool broker_holder_fini(struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    struct broker *broker = holder->broker;
    broker_lock(broker);
    bool mine = reserve_abandon(holder);
    while (!leave_some(holder)) {
        broker_unlock(broker);
        broker_lock(broker);
    }
    broker->stats.producers -= holder->producer;
    broker->stats.workers -= holder->worker;
    holder_stop(holder);
    broker_unlock(broker);
    return mine;
}
