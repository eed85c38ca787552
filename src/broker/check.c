// SPDX-License-Identifier: MIT
/*
 * The expensive assertion of the broker: whether all that is kept twice agrees. Run, when expensive
 * assertions are on, each time the lock is let go of.
 *
 * Every job is where its state says and knows its place there; counts of states, bytes and
 * unfinished jobs are what a count of the jobs gives, by tube and in all; every heap is a heap.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

/* Above this many jobs the walk is left out: after each operation, it would make tests quadratic.
 */
#define CHECK_JOBS_MAX 512

HELD static bool job_valid(const struct broker *broker, const struct job *job)
{
    const struct broker_tube *tube = job->tube;
    if (tube->broker != broker || idtable_get(&broker->jobs, job->id) != job)
        return false;
    bool leased = job->rare != NULL && job->rare->token != 0;
    if (leased != (job->state == JOB_RESERVED))
        return false;
    /* Only what a local worker runs is cancelled and still here; such a job isn't kept. */
    if (job->rare != NULL && job->rare->cancelled &&
        (job->state != JOB_RESERVED || job->rare->holder != NULL || job_is_logged(job)))
        return false;
    /* A lease under a token is there as long as it is said to be; one of a worker may be over where
     * that couldn't be recorded. */
    const struct job_rare *rare = job->rare;
    if (rare != NULL && rare->out == JOB_OUT_TOKEN && (!leased || rare->holder != &broker->tokens))
        return false;
    if (rare != NULL && rare->token_is_key && rare->out != JOB_OUT_TOKEN)
        return false;
    if (rare != NULL && rare->out == JOB_OUT_LOCAL && job->state != JOB_READY &&
        job->state != JOB_RESERVED)
        return false;
    if (job->rare != NULL && job->rare->sink != NULL &&
        (!leased || job->rare->holder != NULL || job->rare->sink->leases == 0))
        return false;
    const struct heap *heap = NULL;
    switch (job_container((enum job_state)job->state)) {
    case JOB_IN_READY:
        heap = &tube->ready.heap;
        break;
    case JOB_IN_DELAYED:
        heap = &tube->delayed;
        break;
    case JOB_IN_BURIED:
        heap = &tube->buried;
        break;
    case JOB_IN_LEASES:
        if (leased && job->rare->holder != NULL)
            heap = &job->rare->holder->rare->leases;
        break;
    case JOB_IN_NONE:
        break;
    }
    if (heap == NULL) /* a local sink's, or about to end */
        return job->state == JOB_RESERVED && job->pos == JOB_NOWHERE;
    return heap_at(heap, job->pos) == job;
}

static bool counts_equal(const struct broker_stats *kept, const struct broker_stats *counted)
{
    for (enum job_state state = JOB_READY; state < JOB_FINISHED; state++)
        if (kept->count[state] != counted->count[state])
            return false;
    return kept->urgent == counted->urgent && kept->bytes == counted->bytes;
}

static void count_job(struct broker_stats *stats, const struct job *job)
{
    stats->count[job->state]++;
    stats->urgent += job->state == JOB_READY && job->pri < 1024;
    stats->bytes += job->body.len;
}

static uint64_t unfinished_of(const struct broker_stats *counted)
{
    return counted->count[JOB_READY] + counted->count[JOB_RESERVED] + counted->count[JOB_DELAYED];
}

/* tube NULL: of all. */
static struct broker_stats count_jobs(const struct broker *broker, const struct broker_tube *tube)
{
    struct broker_stats counted = {0};
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&broker->jobs, &cursor)) != NULL)
        if (tube == NULL || job->tube == tube)
            count_job(&counted, job);
    return counted;
}

static bool tube_alarm_valid(const struct broker_tube *tube)
{
    const struct job *soonest = heap_first(&tube->delayed);
    int64_t at_ns = tube->pause_end_ns;
    if (soonest != NULL && soonest->rare->key_ns < at_ns)
        at_ns = soonest->rare->key_ns;
    return tube->alarm.at_ns == at_ns &&
           (tube->alarm.pos == HEAP_NOWHERE) == (at_ns == CLOCK_NEVER);
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

/* A lease that time can end is in the heap of a holder whose alarm is in the heap of alarms. */
static bool lease_valid(const struct job *job)
{
    if (job->state != JOB_RESERVED || job->rare->holder == NULL)
        return true;
    const struct broker_holder *holder = job->rare->holder;
    return job->rare->key_ns == CLOCK_NEVER || holder->rare->alarm.pos != HEAP_NOWHERE;
}

static bool tube_valid(const struct broker *broker, const struct broker_tube *tube)
{
    struct broker_stats counted = count_jobs(broker, tube);
    uint64_t unfinished = unfinished_of(&counted);
    const struct broker_totals *totals = &tube->stats.totals;
    return counts_equal(&tube->stats, &counted) && tube->ready.unfinished == unfinished &&
           totals->put + totals->kicked + totals->moved_in ==
               unfinished + totals->done + totals->failed + totals->deleted + totals->cancelled +
                   totals->moved_out &&
           tube->ready.heap.promised == counted.count[JOB_RESERVED] + counted.count[JOB_DELAYED] &&
           tube->ready.heap.len == counted.count[JOB_READY] &&
           tube->delayed.len == counted.count[JOB_DELAYED] &&
           tube->buried.len == counted.count[JOB_BURIED] &&
           tube->refs >=
               unfinished + counted.count[JOB_BURIED] + tube->stats.using + tube->stats.watching &&
           tube_alarm_valid(tube) && heap_valid(&tube->ready.heap) && heap_valid(&tube->delayed) &&
           heap_valid(&tube->buried);
}

/* What is counted of the journal is what the jobs say; nothing is evicted that isn't placed. */
HELD static bool log_valid(const struct broker *broker)
{
    const struct broker_log *log = broker->log;
    uint64_t live_bytes = 0, evicted_jobs = 0, evicted_bytes = 0;
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&broker->jobs, &cursor)) != NULL) {
        live_bytes += job_is_logged(job) ? log_cost(job) : 0;
        evicted_jobs += job->evicted;
        evicted_bytes += job->evicted ? job->body.len : 0;
        uint64_t where = where_get(job);
        bool readable = where != 0 && where < JOB_WHERE_KEPT;
        bool cancelled = job->rare != NULL && job->rare->cancelled;
        if (job->evicted && !readable && !cancelled)
            return false;
    }
    if (log == NULL)
        return evicted_jobs == 0;
    return log->live_bytes == live_bytes + log->results.bytes &&
           log->evicted_jobs == evicted_jobs && log->evicted_bytes == evicted_bytes;
}

static bool timed_valid(const struct broker *broker)
{
    uint64_t timed = 0;
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&broker->jobs, &cursor)) != NULL)
        timed += job->rare != NULL && job->rare->by_wall;
    return timed == broker->timed;
}

bool broker_valid(const struct broker *broker)
{
    if (broker->jobs.len > CHECK_JOBS_MAX)
        return true;
    struct broker_stats counted = count_jobs(broker, NULL);
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&broker->jobs, &cursor)) != NULL)
        if (!job_valid(broker, job) || !lease_valid(job))
            return false;
    const struct list_node *node = list_first(&broker->tube_list);
    for (; node != NULL; node = list_next(&broker->tube_list, node)) {
        const struct broker_tube *tube =
            CONTAINER_OF((struct list_node *)(void *)node, struct broker_tube, node);
        if (!tube_valid(broker, tube))
            return false;
    }
    return counts_equal(&broker->stats, &counted) &&
           broker->all.unfinished == unfinished_of(&counted) && alarms_valid(broker) &&
           log_valid(broker) && timed_valid(broker);
}
