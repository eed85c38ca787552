// SPDX-License-Identifier: MIT
/*
 * The expensive assertion of the broker: whether all that is kept twice agrees. Run, when expensive
 * assertions are on, each time the lock is let go of; the ledger has its own part (ledger_valid),
 * and so has the store.
 *
 * Every leased job is in the heap of who has it; every deadline is in the only heap of those.
 */
#include "base/clock.h"
#include "broker/holder_priv.h"
#include "broker/sink_priv.h"

/* A lease that time can end is in the heap of a holder whose alarm is in the heap of alarms. */
HELD static bool lease_valid(const struct broker *broker, const struct job *job)
{
    const struct job_rare *rare = job->rare;
    const struct broker_holder *holder = rare->holder;
    if (holder == NULL) /* a local sink's, or about to end */
        return job->pos == JOB_NOWHERE && rare->out != JOB_OUT_TOKEN &&
               (rare->sink == NULL || rare->sink->leases > 0);
    return rare->sink == NULL && heap_at(&holder->rare->leases, job->pos) == job &&
           (rare->out == JOB_OUT_TOKEN) <= (holder == &broker->tokens) &&
           (rare->key_ns == CLOCK_NEVER || holder->rare->alarm.pos != HEAP_NOWHERE);
}

HELD static bool job_valid(const struct broker *broker, const struct job *job)
{
    const struct job_rare *rare = job->rare;
    bool leased = rare != NULL && rare->token != 0;
    if (leased != (job->state == JOB_RESERVED))
        return false;
    /* Only what a local worker runs is cancelled and still here; such a job isn't kept. */
    if (rare != NULL && rare->cancelled &&
        (job->state != JOB_RESERVED || rare->holder != NULL || job_is_logged(job)))
        return false;
    /* A lease under a token is there as long as it is said to be; one of a worker may be over where
     * that couldn't be recorded. */
    if (rare != NULL && rare->out == JOB_OUT_TOKEN && !leased)
        return false;
    if (!leased)
        return rare == NULL || rare->sink == NULL;
    return lease_valid(broker, job);
}

HELD static bool tube_alarm_valid(const struct tube *tube)
{
    const struct job *soonest = heap_first(&tube->delayed);
    int64_t at_ns = tube->pause_end_ns;
    if (soonest != NULL && soonest->rare->key_ns < at_ns)
        at_ns = soonest->rare->key_ns;
    return broker_tube(tube)->alarm.at_ns == at_ns &&
           (broker_tube(tube)->alarm.pos == HEAP_NOWHERE) == (at_ns == CLOCK_NEVER);
}

/* Every entry of the only heap of deadlines: no holder forgets a lease. */
static bool alarms_valid(const struct broker *broker)
{
    size_t cursor = 0;
    struct broker_alarm *alarm;
    while ((alarm = heap_next(&broker->due, &cursor)) != NULL) {
        if (heap_at(&broker->due, alarm->pos) != alarm)
            return false;
        if (alarm->kind != ALARM_HOLDER)
            continue;
        const struct broker_holder *holder = CONTAINER_OF(alarm, struct holder_rare, alarm)->holder;
        const struct job *soonest = heap_first(&holder->rare->leases);
        if (!heap_valid(&holder->rare->leases) ||
            (soonest != NULL && alarm->at_ns > soonest->rare->key_ns))
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
           tube_alarm_valid(tube);
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
    return ledger_valid(ledger) && alarms_valid(broker) && store_valid(ledger);
}
