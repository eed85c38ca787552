// SPDX-License-Identifier: MIT
/*
 * Where jobs are in the journal, and which bodies leave memory for it.
 *
 * The commit tells the place of each put that it has written. With more than cache_size bytes of
 * bodies in memory, the job that was just placed loses its body: the newest, because a queue hands
 * out the oldest first, and what is read back soonest should be here. Its header moves into memory
 * of its own, so the table and the heap that the job is in learn of a new pointer; a job that
 * anybody holds a reference on, or that is reserved or being settled, stays as it is.
 *
 * A body that was evicted doesn't come back to the job: it is read for the one who asked (fetch.c)
 * and is his.
 */
#include "broker/broker_priv.h"

bool cache_is_over(const struct broker *broker, size_t more)
{
    const struct broker_log *log = broker->log;
    return log->options.cache_size != 0 &&
           broker->stats.bytes - log->evicted_bytes + more > log->options.cache_size;
}

/* The heap that a job is in which nobody has; NULL: another state. */
static struct heap *idle_heap(const struct job *job)
{
    switch (job_container((enum job_state)job->state)) {
    case JOB_IN_READY:
        return &job->tube->ready.heap;
    case JOB_IN_DELAYED:
        return &job->tube->delayed;
    case JOB_IN_BURIED:
        return &job->tube->buried;
    default:
        return NULL;
    }
}

HELD static void evict(struct broker *broker, struct job *job)
{
    struct heap *heap = idle_heap(job);
    if (heap == NULL || job->evicted || job->body.len == 0 || where_get(job) == JOB_WHERE_KEPT ||
        atomic_load_explicit(&job->body.refs, memory_order_relaxed) != 1)
        return;
    uint64_t id = job->id;
    struct job *less = job_evict(&job);
    if (less == NULL)
        return; /* then it stays */
    heap_replace(heap, less->pos, less);
    idtable_replace(&broker->jobs, id, less);
    broker->log->evicted_jobs++;
    broker->log->evicted_bytes += less->body.len;
}

HELD static void place(struct broker *broker, const struct commit_placed *placed)
{
    struct job *job = idtable_get(&broker->jobs, placed->id);
    if (job == NULL || !job_is_logged(job))
        return; /* it was finished meanwhile */
    /* A pending put is placed by its own ticket, a placed one by a copy. */
    uint64_t where = where_get(job);
    if ((where & JOB_WHERE_PENDING) != 0 && where != (JOB_WHERE_PENDING | placed->ticket))
        return;
    where_set(job, placed->locator != 0 ? placed->locator : JOB_WHERE_KEPT);
    if (cache_is_over(broker, 0))
        evict(broker, job);
}

void log_placed(void *arg, const struct commit_placed *placed, size_t count)
{
    const struct broker_log *log = arg;
    struct broker *broker = log->broker;
    broker_lock(broker);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && i % BROKER_WALK_MAX == 0) {
            broker_unlock(broker);
            broker_lock(broker);
        }
        place(broker, &placed[i]);
    }
    broker_unlock(broker);
}
