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
 * A body that was evicted doesn't come back to the job: it is read for the one who asked (body.c)
 * and is his.
 */
#include "store/store_priv.h"

#define PLACED_MAX 256 /* in one hold of the lock */

HELD static bool cache_is_over(const struct ledger *ledger)
{
    const struct store *store = ledger->store;
    return store->options.cache_size != 0 &&
           ledger->counts.bytes - store->evicted_bytes > store->options.cache_size;
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

HELD static void evict(struct ledger *ledger, struct job *job)
{
    struct heap *heap = idle_heap(job);
    if (heap == NULL || job->evicted || job->body.len == 0 ||
        locator_get(job) == JOB_LOCATOR_KEPT ||
        atomic_load_explicit(&job->body.refs, memory_order_relaxed) != 1)
        return;
    uint64_t id = job->id;
    struct job *less = job_evict(&job);
    if (less == NULL)
        return; /* then it stays */
    heap_replace(heap, less->pos, less);
    idtable_replace(&ledger->jobs, id, less);
    ledger->store->evicted_jobs++;
    ledger->store->evicted_bytes += less->body.len;
}

HELD static void place(struct ledger *ledger, const struct commit_placed *placed)
{
    struct job *job = idtable_get(&ledger->jobs, placed->id);
    if (job == NULL || !job_is_logged(job))
        return; /* it was finished meanwhile */
    /* A pending put is placed by its own ticket, a placed one by a copy. */
    uint64_t where = locator_get(job);
    if ((where & JOB_LOCATOR_PENDING) != 0 && where != (JOB_LOCATOR_PENDING | placed->ticket))
        return;
    locator_set(job, placed->locator != 0 ? placed->locator : JOB_LOCATOR_KEPT);
    if (cache_is_over(ledger))
        evict(ledger, job);
}

void store_placed(void *arg, const struct commit_placed *placed, size_t count)
{
    const struct store *store = arg;
    struct ledger *ledger = store->ledger;
    ledger_lock(ledger);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && i % PLACED_MAX == 0) {
            ledger_unlock(ledger);
            ledger_lock(ledger);
        }
        place(ledger, &placed[i]);
    }
    ledger_unlock(ledger);
}

uint64_t store_evicted_bytes(const struct store *store)
{
    return store->evicted_bytes;
}

void store_evicted_left(const struct job *job)
{
    struct store *store = store_of(job);
    store->evicted_jobs--;
    store->evicted_bytes -= job->body.len;
}
