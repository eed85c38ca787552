// SPDX-License-Identifier: MIT
/*
 * A pool's pause: its workers take nothing, what runs goes on, and others take as before.
 *
 * A worker whose consumer is paused comes here to rest, and a pool is quiet when all its workers
 * rest or have ended: then no job is in anybody's hands. Who wants to know waits with a struct
 * worker_quiet, asynchronously, as everywhere where an io thread may ask.
 *
 * A worker looks at the pause under the pool's lock before it rests, and whoever ends the pause
 * rings all of them under the same lock; so none sleeps through it.
 */
#include "worker/pool_priv.h"

#include <errno.h>

static bool is_quiet(const struct worker_pool *pool)
{
    for (unsigned i = 0; i < WORKER_POOL_MAX; i++) {
        const struct worker *worker = pool->workers[i];
        if (worker != NULL && worker->consumer != NULL && !worker->resting)
            return false;
    }
    return true;
}

/* With the lock: all who wait, to be told without it. */
static void waiters_take(struct worker_pool *pool, struct list *told, int result)
{
    struct list_node *node;
    while ((node = list_first(&pool->quiet)) != NULL)
        later_ready(CONTAINER_OF(node, struct later, node), result, told);
}

static bool worker_lies_down(struct worker *worker, struct list *told)
{
    struct worker_pool *pool = worker->pool;
    HL_LOCK_SCOPE(pool->lock);
    if (!pool->paused || worker->leaving)
        return false;
    hl_event_clear(worker->go);
    worker->resting = true;
    if (is_quiet(pool))
        waiters_take(pool, told, 0);
    return true;
}

void worker_rest(struct worker *worker)
{
    struct list told;
    list_init(&told);
    if (!worker_lies_down(worker, &told))
        return;
    later_fire(&told);
    (void)hl_event_wait(worker->go, HL_FOREVER);
    HL_LOCK_SCOPE(worker->pool->lock);
    worker->resting = false;
}

void worker_leave(struct worker *worker)
{
    struct worker_pool *pool = worker->pool;
    struct list told;
    list_init(&told);
    {
        HL_LOCK_SCOPE(pool->lock);
        broker_consumer_free(&worker->consumer);
        if (pool->paused && is_quiet(pool))
            waiters_take(pool, &told, 0);
    }
    later_fire(&told);
}

static void pause_set(struct worker_pool *pool, bool paused, struct list *told)
{
    HL_LOCK_SCOPE(pool->lock);
    pool->paused = paused;
    for (unsigned i = 0; i < WORKER_POOL_MAX; i++) {
        struct worker *worker = pool->workers[i];
        if (worker == NULL || worker->consumer == NULL)
            continue;
        broker_consumer_pause(worker->consumer, paused);
        if (!paused)
            hl_event_set(worker->go);
    }
    if (!paused)
        waiters_take(pool, told, ECANCELED);
}

void worker_pool_pause(struct worker_pool *pool, bool paused)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    struct list told;
    list_init(&told);
    pause_set(pool, paused, &told);
    later_fire(&told);
}

static bool quiet_cancel(struct later *later)
{
    struct worker_pool *pool = CONTAINER_OF(later, struct worker_quiet, later)->pool;
    MAGIC_CHECK(pool, POOL_MAGIC);
    HL_LOCK_SCOPE(pool->lock);
    return later_leave(later);
}

int worker_pool_quiet_async(struct worker_pool *pool, struct worker_quiet *quiet)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    HL_LOCK_SCOPE(pool->lock);
    if (!pool->paused)
        return ECANCELED;
    if (is_quiet(pool))
        return 0;
    quiet->pool = pool;
    later_wait(&quiet->later, quiet_cancel);
    list_append(&pool->quiet, &quiet->later.node);
    return EINPROGRESS;
}
