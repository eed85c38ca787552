// SPDX-License-Identifier: MIT
/*
 * Pools: workers with one handler, and their life together. What a worker does is in runner.c; how
 * many there are, in pool_size.c; a pause, in pool_pause.c.
 *
 * Stopping has two levels. A stopped consumer takes nothing more, but what runs goes on; that is
 * quiescing. When the grace period is over every worker is told to stop what it runs (stop.c), for
 * good.
 *
 * Making, starting, stopping and freeing a pool is one thread's business at a time; the rest may
 * come from any.
 */
#include "base/clock.h"
#include "worker/live_priv.h"
#include "worker/pool_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- new, free ---- */

static int handler_unknown(const char *name, char *why, size_t why_size)
{
    int len = snprintf(why, why_size, "there is no handler \"%s\"; there are:", name);
    const struct handler *handler;
    for (size_t i = 0; len >= 0 && (size_t)len < why_size && (handler = handler_at(i)) != NULL; i++)
        len += snprintf(why + len, why_size - (size_t)len, " %s", handler->name);
    return EINVAL;
}

static int settings_check(const struct worker_pool_settings *settings, char *why, size_t why_size)
{
    size_t name_len = strlen(settings->name);
    if (name_len == 0 || name_len > WORKER_POOL_NAME_MAX) {
        snprintf(why, why_size, "a pool's name is 1 to %d bytes", WORKER_POOL_NAME_MAX);
        return EINVAL;
    }
    if (settings->workers == 0 || settings->workers > WORKER_POOL_MAX) {
        snprintf(why, why_size, "a pool has 1 to %d workers, not %u", WORKER_POOL_MAX,
                 settings->workers);
        return EINVAL;
    }
    int rc = worker_tubes_check(settings->tubes, settings->tube_count, why, why_size);
    if (rc != 0)
        return rc;
    const struct handler *handler = handler_find(settings->handler);
    if (handler == NULL)
        return handler_unknown(settings->handler, why, why_size);
    return handler->check(&settings->handler_settings, why, why_size);
}

static void pool_fini(struct worker_pool *pool)
{
    for (unsigned i = 0; pool->workers != NULL && i < WORKER_POOL_MAX; i++)
        worker_free(&pool->workers[i]);
    free(pool->workers);
    broker_shares_free(&pool->shares);
    free(pool->weights);
    free(pool->tubes);
    if (pool->handler != NULL)
        pool->handler->close(&pool->state);
    hl_event_free(&pool->stopping);
    hl_lock_free(&pool->lock);
    MAGIC_WIPE(pool);
    free(pool);
}

static int pool_fill(struct worker_pool *pool, const struct worker_pool_settings *settings,
                     char *why, size_t why_size)
{
    int rc = pool_tubes_fill(pool, settings->tubes, settings->tube_count);
    if (rc != 0)
        return rc;
    pool->workers = calloc(WORKER_POOL_MAX, sizeof(*pool->workers));
    if (pool->workers == NULL)
        return ENOMEM;
    pool->rules = settings->rules;
    rc = hl_lock_new(&pool->lock, pool->name, lock_class(LOCK_CLASS_pool));
    if (rc == 0)
        rc = hl_event_new(&pool->stopping, pool->name);
    const struct handler *handler = handler_find(settings->handler);
    if (rc == 0)
        rc = handler->open(&settings->handler_settings, &pool->state, why, why_size);
    if (rc != 0)
        return rc;
    pool->handler = handler;
    HL_LOCK_SCOPE(pool->lock);
    return pool_grow(pool, settings->workers);
}

int worker_pool_new(struct worker_pool **out, const struct worker_pool_settings *settings,
                    struct broker *broker, char *why, size_t why_size)
{
    int rc = settings_check(settings, why, why_size);
    if (rc != 0)
        return rc;
    struct worker_pool *pool = calloc(1, sizeof(*pool));
    if (pool != NULL) {
        MAGIC_INIT(pool, POOL_MAGIC);
        snprintf(pool->name, sizeof(pool->name), "%s", settings->name);
        pool->broker = broker;
        list_init(&pool->quiet);
        why[0] = '\0';
        rc = pool_fill(pool, settings, why, why_size);
    } else
        rc = ENOMEM;
    if (rc != 0) {
        if (pool == NULL || why[0] == '\0')
            snprintf(why, why_size, "the pool can't be made: %s", strerrordesc_np(rc));
        if (pool != NULL)
            pool_fini(pool);
        return rc;
    }
    *out = pool;
    return 0;
}

void worker_pool_free(struct worker_pool **pool)
{
    if (*pool == NULL)
        return;
    struct worker_pool *mine;
    MAGIC_TAKE(mine, pool, POOL_MAGIC);
    ASSERT(!mine->started || mine->stopped);
    live_forget(mine->broker);
    pool_fini(mine);
}

/* ---- start, stop ---- */

static int pool_start(struct worker_pool *pool)
{
    HL_LOCK_SCOPE(pool->lock);
    pool->started = true;
    for (unsigned i = 0; i < WORKER_POOL_MAX; i++) {
        int rc = pool->workers[i] != NULL ? hl_thread_start(pool->workers[i]->thread) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

int worker_pool_start(struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    if (pool->started)
        return EALREADY;
    int rc = pool_start(pool);
    if (rc != 0)
        worker_pool_stop(pool, 0);
    return rc;
}

void worker_pool_quiesce(struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    HL_LOCK_SCOPE(pool->lock);
    pool->closing = true;
    for (unsigned i = 0; i < WORKER_POOL_MAX; i++)
        if (pool->workers[i] != NULL)
            pool_dismiss(pool->workers[i]);
}

/* The thread at that place, for the caller to free. NULL: none. */
static hl_thread *thread_at(const struct worker_pool *pool, unsigned place)
{
    HL_LOCK_SCOPE(pool->lock);
    return pool->workers[place] != NULL ? hl_thread_ref(pool->workers[place]->thread) : NULL;
}

/* Whether all threads have ended by then. Those that never started (EINVAL) have. The pool is
 * closing, so that no worker comes. */
static bool pool_join(struct worker_pool *pool, int64_t deadline_ns)
{
    int rc = 0;
    for (unsigned i = 0; rc != ETIMEDOUT && i < WORKER_POOL_MAX; i++) {
        hl_thread *thread = thread_at(pool, i);
        if (thread == NULL)
            continue;
        int64_t left = deadline_ns == CLOCK_NEVER ? HL_FOREVER : deadline_ns - clock_now_ns();
        rc = hl_thread_join(thread, left);
        hl_thread_free(&thread);
    }
    return rc != ETIMEDOUT;
}

int worker_pool_await(struct worker_pool *pool, int64_t timeout_ns)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    if (!pool->started || pool->stopped)
        return 0;
    worker_pool_quiesce(pool);
    return pool_join(pool, clock_deadline(timeout_ns)) ? 0 : ETIMEDOUT;
}

void worker_pool_hurry(struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    hl_event_set(pool->stopping);
    {
        HL_LOCK_SCOPE(pool->lock);
        for (unsigned i = 0; i < WORKER_POOL_MAX; i++)
            if (pool->workers[i] != NULL)
                stop_for_good(&pool->workers[i]->stop);
    }
    if (pool->handler->stop != NULL)
        pool->handler->stop(pool->state, 0);
}

void worker_pool_stop(struct worker_pool *pool, int64_t grace_ns)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    if (!pool->started || pool->stopped)
        return;
    worker_pool_quiesce(pool);
    if (!pool_join(pool, clock_deadline(grace_ns))) {
        worker_pool_hurry(pool);
        bool ended = pool_join(pool, CLOCK_NEVER);
        ASSERT(ended);
    }
    pool->stopped = true;
}

void worker_pool_hold(struct worker_pool *pool, const char *why)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    HL_LOCK_SCOPE(pool->lock);
    snprintf(pool->trouble, sizeof(pool->trouble), "%s", why != NULL ? why : "");
}

/* ---- looking ---- */

bool worker_pool_has_programs(const struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    return pool->handler->programs;
}

int worker_pool_admit(const struct worker_pool *pool, const char *tube, const char *bytes,
                      size_t len, char *why, size_t why_size)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    if (pool->handler->admit == NULL)
        return 0;
    for (size_t i = 0; i < pool->tube_count; i++)
        if (strcmp(pool->tubes[i], tube) == 0)
            return pool->handler->admit(bytes, len, why, why_size);
    return 0;
}

const char *worker_pool_name(const struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    return pool->name;
}

static void worker_count(const struct worker *worker, struct worker_pool_stats *stats,
                         uint64_t ended[JOB_OUTCOME_COUNT])
{
    stats->busy += atomic_load_explicit(&worker->busy, memory_order_relaxed) ? 1 : 0;
    stats->leaving += worker->leaving && worker->consumer != NULL ? 1 : 0;
    for (int kind = 0; kind < JOB_OUTCOME_COUNT; kind++)
        ended[kind] += counter_get(&worker->ended[kind]);
}

void worker_pool_stats(const struct worker_pool *pool, struct worker_pool_stats *stats)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    HL_LOCK_SCOPE(pool->lock);
    *stats = (struct worker_pool_stats){.name = pool->name,
                                        .handler = pool->handler->name,
                                        .tubes = (const char *const *)pool->tubes,
                                        .weights = pool->weights,
                                        .tube_count = pool->tube_count,
                                        .workers = pool->wanted,
                                        .paused = pool->paused};
    const struct handler *handler = pool->handler;
    memcpy(stats->trouble, pool->trouble, sizeof(stats->trouble));
    if (pool->trouble[0] == '\0' && handler->trouble != NULL &&
        !handler->trouble(pool->state, stats->trouble, sizeof(stats->trouble)))
        stats->trouble[0] = '\0';
    uint64_t ended[JOB_OUTCOME_COUNT];
    memcpy(ended, pool->past, sizeof(ended));
    for (unsigned i = 0; i < WORKER_POOL_MAX; i++)
        if (pool->workers[i] != NULL)
            worker_count(pool->workers[i], stats, ended);
    stats->done = ended[JOB_OUTCOME_DONE];
    stats->failed = ended[JOB_OUTCOME_FAILED] + ended[JOB_OUTCOME_BURIED];
    stats->retried = ended[JOB_OUTCOME_RETRY];
    stats->timeouts = ended[JOB_OUTCOME_TIMEOUT];
    stats->crashed = ended[JOB_OUTCOME_CRASHED];
    stats->cancelled = ended[JOB_OUTCOME_CANCELLED];
    stats->returned = ended[JOB_OUTCOME_RETURNED];
}
