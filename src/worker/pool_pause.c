// SPDX-License-Identifier: MIT
/*
 * A pool's pause: its workers take nothing, what runs goes on, and others take as before.
 *
 * A worker whose sink is paused comes here to rest, and a pool is quiet when all its workers rest
 * or have ended: then no job is in anybody's hands. Who wants to know waits with a struct
 * worker_pool_waiter, asynchronously, as everywhere where an io thread may ask.
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
        if (worker != NULL && worker->sink != NULL && !worker->resting)
            return false;
    }
    return true;
}

/* With the lock: takes all who wait, to be told without it. */
static void waiters_take(struct worker_pool *pool, struct list *told, int result)
{
    struct list_node *node;
    while ((node = list_pop(&pool->quiet)) != NULL) {
        struct worker_pool_waiter *waiter = CONTAINER_OF(node, struct worker_pool_waiter, node);
        waiter->lined = false;
        waiter->result = result;
        list_node_init(&waiter->node);
        list_append(told, &waiter->node);
    }
}

static void waiters_tell(struct list *told)
{
    struct list_node *node;
    while ((node = list_pop(told)) != NULL) {
        struct worker_pool_waiter *waiter = CONTAINER_OF(node, struct worker_pool_waiter, node);
        waiter->fire(waiter);
    }
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
    waiters_tell(&told);
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
        broker_sink_free(&worker->sink);
        if (pool->paused && is_quiet(pool))
            waiters_take(pool, &told, 0);
    }
    waiters_tell(&told);
}

static void pause_set(struct worker_pool *pool, bool paused, struct list *told)
{
    HL_LOCK_SCOPE(pool->lock);
    pool->paused = paused;
    for (unsigned i = 0; i < WORKER_POOL_MAX; i++) {
        struct worker *worker = pool->workers[i];
        if (worker == NULL || worker->sink == NULL)
            continue;
        broker_sink_pause(worker->sink, paused);
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
    waiters_tell(&told);
}

int worker_pool_quiet_async(struct worker_pool *pool, struct worker_pool_waiter *waiter)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    HL_LOCK_SCOPE(pool->lock);
    if (!pool->paused)
        return ECANCELED;
    if (is_quiet(pool))
        return 0;
    waiter->pool = pool;
    waiter->lined = true;
    list_node_init(&waiter->node);
    list_append(&pool->quiet, &waiter->node);
    return EINPROGRESS;
}

bool worker_pool_quiet_cancel(struct worker_pool_waiter *waiter)
{
    struct worker_pool *pool = waiter->pool;
    MAGIC_CHECK(pool, POOL_MAGIC);
    HL_LOCK_SCOPE(pool->lock);
    if (!waiter->lined)
        return false;
    waiter->lined = false;
    list_remove(&waiter->node);
    return true;
}
