// SPDX-License-Identifier: MIT
/*
 * The expensive assertion of the broker: whether all that is kept twice agrees. Run, when expensive
 * assertions are on, each time the lock is let go of; the ledger has its own part (ledger_valid),
 * and so has the store.
 *
 * Every leased job is in the heap of who has it; every deadline is in the only heap of those.
 */
#include "base/clock.h"
#include "broker/client_priv.h"
#include "broker/consumer_priv.h"

/* A lease that time can end is in the heap of a client whose timer is in the heap of timers. */
HELD static bool lease_valid(const struct broker *broker, const struct job *job)
{
    const struct job_extra *extra = job->extra;
    const struct broker_client *client = extra->client;
    if (client == NULL) /* a local consumer's, or about to end */
        return job->pos == JOB_NOWHERE && extra->out != JOB_OUT_TOKEN &&
               (extra->consumer == NULL || extra->consumer->leases > 0);
    return extra->consumer == NULL && heap_at(&client->extra->leases, job->pos) == job &&
           (extra->out == JOB_OUT_TOKEN) <= (client == &broker->tokens) &&
           (extra->key_ns == CLOCK_NEVER || client->extra->timer.pos != HEAP_NOWHERE);
}

HELD static bool job_valid(const struct broker *broker, const struct job *job)
{
    const struct job_extra *extra = job->extra;
    bool leased = extra != NULL && extra->token != 0;
    if (leased != (job->state == JOB_RESERVED))
        return false;
    /* Only what a local worker runs is cancelled and still here; such a job isn't kept. */
    if (extra != NULL && extra->cancelled &&
        (job->state != JOB_RESERVED || extra->client != NULL || job_is_logged(job)))
        return false;
    /* A lease under a token is there as long as it is said to be; one of a worker may be over where
     * that couldn't be recorded. */
    if (extra != NULL && extra->out == JOB_OUT_TOKEN && !leased)
        return false;
    if (!leased)
        return extra == NULL || extra->consumer == NULL;
    return lease_valid(broker, job);
}

HELD static bool tube_timer_valid(const struct tube *tube)
{
    const struct job *soonest = heap_first(&tube->delayed);
    int64_t at_ns = tube->pause_end_ns;
    if (soonest != NULL && soonest->extra->key_ns < at_ns)
        at_ns = soonest->extra->key_ns;
    return broker_tube(tube)->timer.at_ns == at_ns &&
           (broker_tube(tube)->timer.pos == HEAP_NOWHERE) == (at_ns == CLOCK_NEVER);
}

/* Every entry of the only heap of deadlines: no client forgets a lease. */
static bool timers_valid(const struct broker *broker)
{
    size_t cursor = 0;
    struct broker_timer *timer;
    while ((timer = heap_next(&broker->due, &cursor)) != NULL) {
        if (heap_at(&broker->due, timer->pos) != timer)
            return false;
        if (timer->kind != TIMER_CLIENT)
            continue;
        const struct broker_client *client =
            CONTAINER_OF(timer, struct client_extra, timer)->client;
        const struct job *soonest = heap_first(&client->extra->leases);
        if (!heap_valid(&client->extra->leases) ||
            (soonest != NULL && timer->at_ns > soonest->extra->key_ns))
            return false;
    }
    return heap_valid(&broker->due);
}

HELD static bool tube_valid(struct tube *tube)
{
    const struct broker_stats *stats = &broker_tube(tube)->stats;
    const struct broker_totals *totals = &stats->totals;
    uint64_t unfinished = tube->ready.unfinished;
    return totals->put + totals->kicked + totals->moved_in ==
               unfinished + totals->done + totals->failed + totals->deleted + totals->cancelled +
                   totals->moved_out &&
           tube->refs >=
               unfinished + tube->counts.count[JOB_BURIED] + stats->using + stats->watching &&
           tube_timer_valid(tube);
}

bool broker_valid(const struct broker *broker)
{
    const struct ledger *ledger = &broker->ledger;
    if (ledger_is_large(ledger))
        return true;
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&ledger->jobs, &cursor)) != NULL)
        if (!job_valid(broker, job))
            return false;
    struct list_node *node = list_first(&ledger->tube_list);
    for (; node != NULL; node = list_next(&ledger->tube_list, node))
        if (!tube_valid(CONTAINER_OF(node, struct tube, node)))
            return false;
    return ledger_valid(ledger) && timers_valid(broker) && store_valid(ledger);
}
