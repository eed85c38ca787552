// SPDX-License-Identifier: MIT
/*
 * How many workers a pool has, changed while it runs.
 *
 * More are made and started at once. Fewer: those without a job end first, the rest end when the
 * job they have is settled; so none is lost, and none is stopped for that. A worker that ends
 * keeps its place until the next resize collects it, since its thread is still about; how many jobs
 * it ended stays in the pool's count.
 */
#include "worker/pool_priv.h"

#include <errno.h>

void pool_dismiss(struct worker *worker)
{
    MAGIC_CHECK(worker, WORKER_MAGIC);
    worker->leaving = true;
    if (worker->consumer != NULL)
        broker_consumer_stop(worker->consumer);
    hl_event_set(worker->go);
}

/* Whose thread has ended. */
static void pool_collect(struct worker_pool *pool)
{
    for (unsigned i = 0; i < WORKER_POOL_MAX; i++) {
        struct worker *worker = pool->workers[i];
        if (worker == NULL || !worker->leaving || hl_thread_join(worker->thread, 0) == ETIMEDOUT)
            continue;
        for (size_t kind = 0; kind < JOB_OUTCOME_COUNT; kind++)
            pool->past[kind] += counter_get(&worker->ended[kind]);
        worker_free(&pool->workers[i]);
    }
}

static int place_fill(struct worker_pool *pool, unsigned place)
{
    struct worker *worker;
    int rc = worker_new(&worker, pool, place + 1);
    if (rc != 0)
        return rc;
    if (pool->paused)
        broker_consumer_pause(worker->consumer, true);
    if (pool->started)
        rc = hl_thread_start(worker->thread);
    if (rc != 0)
        worker_free(&worker);
    else
        pool->workers[place] = worker;
    return rc;
}

int pool_grow(struct worker_pool *pool, unsigned wanted)
{
    for (unsigned place = 0; pool->wanted < wanted; place++) {
        if (place == WORKER_POOL_MAX)
            return EBUSY;
        if (pool->workers[place] != NULL)
            continue;
        int rc = place_fill(pool, place);
        if (rc != 0)
            return rc;
        pool->wanted++;
    }
    return 0;
}

/* Sends off the last ones, at first only those that have nothing to do; until so many are left. */
static void pool_shrink(struct worker_pool *pool, unsigned wanted, bool busy_ones)
{
    for (unsigned i = WORKER_POOL_MAX; i > 0 && pool->wanted > wanted; i--) {
        struct worker *worker = pool->workers[i - 1];
        if (worker == NULL || worker->leaving)
            continue;
        if (!busy_ones && atomic_load_explicit(&worker->busy, memory_order_relaxed))
            continue;
        pool_dismiss(worker);
        pool->wanted--;
    }
}

int worker_pool_resize(struct worker_pool *pool, unsigned workers)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    if (workers > WORKER_POOL_MAX)
        return EINVAL;
    HL_LOCK_SCOPE(pool->lock);
    if (pool->closing)
        return ESHUTDOWN;
    pool_collect(pool);
    pool_shrink(pool, workers, false);
    pool_shrink(pool, workers, true);
    return pool_grow(pool, workers);
}
