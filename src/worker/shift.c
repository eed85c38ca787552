// SPDX-License-Identifier: MIT
/*
 * A shift: a worker whose handler has several jobs at once.
 *
 * It begins with a job that the worker took as every worker does, and ends when the handler has
 * none. In between the handler polls one descriptor beside its own: the one that tells of a stop
 * also tells of jobs to take, of a cancel, and that somebody else waits for a job which has not
 * begun here. So the thread sleeps in one place, and nothing is looked at in vain.
 *
 * A worker that has a job stands in line behind those who have none (broker/prefetch.c); when it is
 * paused or stopped it is given no more, and the shift ends with the last job it has.
 */
#include "worker/shift_priv.h"

#include "base/clock.h"
#include "worker/pool_priv.h"

#include <errno.h>

struct shift { /* no magic: on the stack of shift_run */
    struct worker *worker;
    struct broker_lease *first;
};

void shift_ring(bool wanted, void *arg)
{
    struct worker *worker = arg;
    MAGIC_CHECK(worker, WORKER_MAGIC);
    if (!wanted || !atomic_exchange(&worker->wanted, true))
        stop_ring(&worker->stop);
}

int shift_fd(const struct shift *shift)
{
    return shift->worker->stop.fd;
}

unsigned shift_hear(struct shift *shift)
{
    bool cancelled;
    unsigned heard = stop_hear(&shift->worker->stop, &cancelled) ? SHIFT_STOP : 0;
    if (cancelled)
        heard |= SHIFT_CANCELS;
    if (atomic_exchange(&shift->worker->wanted, false))
        heard |= SHIFT_WANTED;
    return heard;
}

bool shift_is_cancelled(const struct shift *shift, const struct shift_job *job)
{
    return broker_is_cancelled(shift->worker->pool->broker, job->lease.id, job->lease.token);
}

/* ---- jobs come ---- */

void shift_begin(struct shift *shift, struct shift_job *job, struct broker_lease *lease)
{
    job->lease = *lease;
    job_outcome_init(&job->outcome);
    job->outcome.rules = &shift->worker->pool->rules;
    live_begin(&job->live, shift->worker->pool->broker, &job->lease, &job->outcome);
    job->timeout_ns = worker_timeout(shift->worker, lease);
    job->stopped = STOP_NONE;
}

void shift_first(struct shift *shift, struct shift_job *job)
{
    ASSERT(shift->first != NULL);
    shift_begin(shift, job, shift->first);
    shift->first = NULL;
}

size_t shift_take(struct shift *shift, struct broker_lease *leases, size_t max)
{
    size_t count;
    return broker_take_many(shift->worker->consumer, leases, max, &count, 0) == 0 ? count : 0;
}

bool shift_stand(struct shift *shift)
{
    return broker_consumer_stand(shift->worker->consumer) != EALREADY;
}

bool shift_leave(struct shift *shift)
{
    return broker_consumer_leave(shift->worker->consumer);
}

/* ---- jobs go ---- */

void shift_settle(struct shift *shift, struct shift_job *const *jobs, size_t count)
{
    struct broker_settlement list[SHIFT_MAX];
    ASSERT(count <= SHIFT_MAX);
    for (size_t i = 0; i < count; i++) {
        struct shift_job *job = jobs[i];
        live_end(&job->live);
        worker_judge(shift->worker, &job->lease, &job->outcome, job->stopped, job->timeout_ns);
        list[i] = (struct broker_settlement){
            .id = job->lease.id, .token = job->lease.token, .outcome = &job->outcome};
    }
    worker_settle_many(shift->worker, list, count);
    for (size_t i = 0; i < count; i++) {
        job_outcome_fini(&jobs[i]->outcome);
        broker_lease_fini(&jobs[i]->lease);
    }
}

void shift_return(struct shift *shift, struct broker_lease *lease)
{
    struct shift_job job;
    struct shift_job *list[] = {&job};
    shift_begin(shift, &job, lease);
    job.outcome.kind = JOB_OUTCOME_RETURNED;
    shift_settle(shift, list, 1);
}

/* ---- the shift ---- */

void shift_run(struct worker *worker, struct broker_lease *lease)
{
    struct shift shift = {.worker = worker, .first = lease};
    atomic_store_explicit(&worker->busy, true, memory_order_relaxed);
    stop_begin_many(&worker->stop);
    worker->pool->handler->serve(worker->pool->state, &shift);
    ASSERT(shift.first == NULL);
    stop_end_many(&worker->stop);
    atomic_store_explicit(&worker->busy, false, memory_order_relaxed);
}
