// SPDX-License-Identifier: MIT
/*
 * A pool that rests: the system has no process, descriptor or memory for a program just now. That
 * is no job's fault, so the job is returned without an attempt, and no other one is begun for a
 * moment, which doubles as long as nothing gets better. Who asks why a job waits is told.
 *
 * A worker that stands in the broker's line already may be given a job in that time; it tries it,
 * returns it, and rests, too.
 */
#include "base/clock.h"
#include "base/log.h"
#include "worker/pool_priv.h"

#include <stdio.h>

#define REST_NS (100 * HL_MILLISECOND)
#define REST_MAX_NS (5 * HL_SECOND)

static bool rest_set(struct worker_pool *pool, const char *why)
{
    HL_LOCK_SCOPE(pool->lock);
    int64_t now_ns = clock_now_ns();
    bool first = pool->rest_ns == 0;
    if (now_ns < atomic_load(&pool->rest_until_ns))
        return false; /* another worker has met the same */
    pool->rest_ns = first ? REST_NS : pool->rest_ns * 2;
    if (pool->rest_ns > REST_MAX_NS)
        pool->rest_ns = REST_MAX_NS;
    atomic_store(&pool->rest_until_ns, now_ns + pool->rest_ns);
    snprintf(pool->trouble, sizeof(pool->trouble), "%s", why);
    return first;
}

void pool_rest_begin(struct worker_pool *pool, const char *why)
{
    if (rest_set(pool, why))
        log_warning("pool %s: %s; its jobs wait, and are tried again", pool->name, why);
}

static bool rest_clear(struct worker_pool *pool)
{
    HL_LOCK_SCOPE(pool->lock);
    bool was = pool->rest_ns != 0;
    pool->rest_ns = 0;
    atomic_store(&pool->rest_until_ns, 0);
    pool->trouble[0] = '\0';
    return was;
}

void pool_rest_end(struct worker_pool *pool)
{
    if (rest_clear(pool))
        log_notice("pool %s: its programs can be started again", pool->name);
}

/* How long to sleep; 0: not at all. */
static int64_t rest_left(struct worker *worker)
{
    int64_t left_ns = atomic_load(&worker->pool->rest_until_ns) - clock_now_ns();
    if (left_ns <= 0)
        return 0;
    HL_LOCK_SCOPE(worker->pool->lock);
    if (worker->leaving || worker->pool->paused)
        return 0;
    hl_event_clear(worker->go);
    return left_ns;
}

void worker_rest_out(struct worker *worker)
{
    if (atomic_load_explicit(&worker->pool->rest_until_ns, memory_order_relaxed) == 0)
        return;
    int64_t left_ns;
    while ((left_ns = rest_left(worker)) > 0)
        (void)hl_event_wait(worker->go, left_ns);
}
