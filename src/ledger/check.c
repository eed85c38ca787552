// SPDX-License-Identifier: MIT
/*
 * The expensive assertion of the ledger: whether all that is kept twice agrees.
 *
 * Every job is where its state says and knows its place there; counts of states, bytes and
 * unfinished jobs are what a count of the jobs gives, by tube and in all; every heap is a heap.
 */
#include "ledger/tube.h"

/* Above this many jobs the walk is left out: after each operation, it would make tests quadratic.
 */
#define CHECK_JOBS_MAX 512

bool ledger_is_large(const struct ledger *ledger)
{
    return ledger->jobs.len > CHECK_JOBS_MAX;
}

HELD static bool job_valid(const struct ledger *ledger, const struct job *job)
{
    const struct tube *tube = job->tube;
    const struct job_extra *extra = job->extra;
    if (tube->ledger != ledger || idtable_get(&ledger->jobs, job->id) != job)
        return false;
    if (extra != NULL && extra->token_is_key && extra->out != JOB_OUT_TOKEN)
        return false;
    if (extra != NULL && extra->out == JOB_OUT_LOCAL && job->state != JOB_READY &&
        job->state != JOB_RESERVED)
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
    case JOB_IN_LEASES: /* the overlay's */
        return true;
    case JOB_IN_NONE:
        break;
    }
    return heap != NULL && heap_at(heap, job->pos) == job;
}

static bool counts_equal(const struct job_counts *kept, const struct job_counts *counted)
{
    for (enum job_state state = JOB_READY; state < JOB_FINISHED; state++)
        if (kept->count[state] != counted->count[state])
            return false;
    return kept->urgent == counted->urgent && kept->bytes == counted->bytes;
}

static void count_job(struct job_counts *stats, const struct job *job)
{
    stats->count[job->state]++;
    stats->urgent += job->state == JOB_READY && job->pri < 1024;
    stats->bytes += job->body.len;
}

static uint64_t unfinished_of(const struct job_counts *counted)
{
    return counted->count[JOB_READY] + counted->count[JOB_RESERVED] + counted->count[JOB_DELAYED];
}

/* tube NULL: of all. */
static struct job_counts count_jobs(const struct ledger *ledger, const struct tube *tube)
{
    struct job_counts counted = {0};
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&ledger->jobs, &cursor)) != NULL)
        if (tube == NULL || job->tube == tube)
            count_job(&counted, job);
    return counted;
}

HELD static bool tube_valid(const struct ledger *ledger, const struct tube *tube)
{
    struct job_counts counted = count_jobs(ledger, tube);
    uint64_t unfinished = unfinished_of(&counted);
    return counts_equal(&tube->counts, &counted) && tube->ready.unfinished == unfinished &&
           tube->ready.heap.promised == counted.count[JOB_RESERVED] + counted.count[JOB_DELAYED] &&
           tube->ready.heap.len == counted.count[JOB_READY] &&
           tube->delayed.len == counted.count[JOB_DELAYED] &&
           tube->buried.len == counted.count[JOB_BURIED] &&
           tube->refs >= unfinished + counted.count[JOB_BURIED] && heap_valid(&tube->ready.heap) &&
           heap_valid(&tube->delayed) && heap_valid(&tube->buried);
}

static bool timed_valid(const struct ledger *ledger)
{
    uint64_t timed = 0;
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&ledger->jobs, &cursor)) != NULL)
        timed += job->extra != NULL && job->extra->by_wall;
    return timed == ledger->timed;
}

bool ledger_valid(const struct ledger *ledger)
{
    struct job_counts counted = count_jobs(ledger, NULL);
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&ledger->jobs, &cursor)) != NULL)
        if (!job_valid(ledger, job))
            return false;
    const struct list_node *node = list_first(&ledger->tube_list);
    for (; node != NULL; node = list_next(&ledger->tube_list, node)) {
        const struct tube *tube = CONTAINER_OF((struct list_node *)(void *)node, struct tube, node);
        if (!tube_valid(ledger, tube))
            return false;
    }
    return counts_equal(&ledger->counts, &counted) &&
           ledger->all.unfinished == unfinished_of(&counted) && timed_valid(ledger);
}
