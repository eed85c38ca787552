// SPDX-License-Identifier: MIT
/*
 * Changes made: recorded, then carried out, in one hold of the lock; then what isn't true of the
 * jobs but of the day: counts since the start, who waits for room. Nobody else calls apply_X but
 * replay.
 */
#include "broker/make_priv.h"
#include "broker/put_priv.h"
#include "broker/spare_priv.h"
#include "broker/watch_priv.h"

/* A buried job is unfinished again. */
static void count_reopened(struct change *change)
{
    struct job *job = change->job;
    if (change->from != JOB_BURIED)
        return;
    broker_tube(job->tube)->stats.totals.kicked++;
    broker_of(job->tube)->stats.totals.kicked++;
    change->count = JOB_COUNT_REOPENED;
}

void make_put(struct change *change)
{
    struct job *job = change->job;
    struct tube *tube = job->tube;
    struct broker *broker = broker_of(tube);
    broker_tube(tube)->stats.totals.put++;
    broker->stats.totals.put++;
    store_put(job, (enum job_state)change->to, change->key_ns,
              (change->flags & CHANGE_BY_WALL) != 0);
    apply_put(change);
    if (broker_memory(broker) > broker->memory_peak)
        broker->memory_peak = broker_memory(broker);
    change_observe(broker, change);
    tube_job_contain(job); /* whoever waits has it */
}

void make_lease(struct change *change)
{
    count_reopened(change);
    change_record(change);
    apply_lease(change);
    change_observe(broker_of(change->job->tube), change);
}

void make_back(struct change *change)
{
    struct job *job = change->job;
    bool grows = change->past != NULL && (change->flags & CHANGE_LOGGED) != 0;
    uint64_t cost = grows ? store_cost(job) : 0;
    change_record(change);
    apply_back(change);
    if (grows)
        store_cost_changed(job, cost);
    change_observe(broker_of(job->tube), change);
    tube_job_contain(job);
}

void make_kick(struct change *change)
{
    count_reopened(change);
    change_record(change);
    apply_kick(change);
    change_observe(broker_of(change->job->tube), change);
    tube_job_contain(change->job);
}

void make_bury(struct change *change)
{
    struct job *job = change->job;
    bool logged = (change->flags & CHANGE_LOGGED) != 0;
    uint64_t cost = logged ? store_cost(job) : 0;
    change_record(change);
    apply_bury(change);
    if (logged)
        store_cost_changed(job, cost);
    change_observe(broker_of(job->tube), change);
    tube_job_contain(job);
}

void make_delete(struct change *change)
{
    struct job *job = change->job;
    struct tube *tube = job->tube;
    struct broker *broker = broker_of(tube);
    change_record(change);
    if (job->evicted)
        store_evicted_left(job);
    apply_delete(change);
    change_observe(broker, change);
    spare_keep(broker, job);
    waiting_puts_serve(tube);
    tube_unref(tube);
}

void make_cancel(struct change *change)
{
    change_record(change);
    apply_tell(change);
    change->job->extra->cancelled = true;
    change_observe(broker_of(change->job->tube), change);
}

void make_move(struct change *change)
{
    struct job *job = change->job;
    struct tube *from = job->tube, *to = change->tube;
    bool logged = (change->flags & CHANGE_LOGGED) != 0;
    uint64_t cost = logged ? store_cost(job) : 0;
    change_record(change);
    apply_move(change);
    if (logged)
        store_cost_changed(job, cost);
    else
        store_put(job, (enum job_state)job->state, job->extra != NULL ? job->extra->key_ns : 0,
                  job->extra != NULL && job->extra->by_wall);
    if (job->state != JOB_BURIED) {
        broker_tube(to)->stats.totals.moved_in++;
        broker_tube(from)->stats.totals.moved_out++;
    }
    change_observe(broker_of(to), change);
    tube_job_contain(job);
    waiting_puts_serve(from);
    tube_unref(from);
}

void make_pause(struct change *change)
{
    struct tube *tube = change->tube;
    broker_tube(tube)->stats.pauses++;
    broker_of(tube)->stats.pauses++;
    tube_ref(tube); /* the pause that ends may be all that keeps it */
    change_record(change);
    change_observe(broker_of(tube), change); /* before: a pause that ends gives jobs away */
    apply_pause(change);
    tube_unref(tube);
}
