// SPDX-License-Identifier: MIT
/*
 * Pools: N workers with one handler, and their life together. What a worker does is in runner.c.
 *
 * Stopping has two levels. A stopped sink takes nothing more, but what runs goes on; that is
 * quiescing. When the grace period is over the pool's stop descriptor becomes readable, which every
 * handler that blocks watches, and never becomes unreadable again.
 *
 * Making, starting, stopping and freeing a pool is one thread's business at a time; quiesce, hurry
 * and stats may come from any.
 */
#include "base/clock.h"
#include "worker/pool_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- new, free ---- */

static int handler_unknown(const char *name, char *why, size_t why_size)
{
    int len = snprintf(why, why_size, "there is no handler \"%s\"; there are:", name);
    const struct handler *handler;
    for (size_t i = 0; len >= 0 && (size_t)len < why_size && (handler = handler_at(i)) != NULL; i++)
        len += snprintf(why + len, why_size - (size_t)len, " %s", handler->name);
    return EINVAL;
}

static int tubes_check(const struct worker_pool_settings *settings, char *why, size_t why_size)
{
    if (settings->tube_count == 0) {
        snprintf(why, why_size, "a pool needs at least one tube, like tubes = {\"default\"}");
        return EINVAL;
    }
    for (size_t i = 0; i < settings->tube_count; i++) {
        const char *tube = settings->tubes[i];
        if (job_tube_name_check(tube, strlen(tube)) != 0) {
            snprintf(why, why_size, "\"%s\" can't be a tube: %s", tube, job_tube_name_rule());
            return EINVAL;
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(settings->tubes[j], tube) == 0) {
                snprintf(why, why_size, "the tube \"%s\" is named twice", tube);
                return EINVAL;
            }
    }
    return 0;
}

int worker_pool_check(const struct worker_pool_settings *settings, char *why, size_t why_size)
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
    int rc = tubes_check(settings, why, why_size);
    if (rc != 0)
        return rc;
    const struct handler *handler = handler_find(settings->handler);
    if (handler == NULL)
        return handler_unknown(settings->handler, why, why_size);
    return handler->check(&settings->handler_settings, why, why_size);
}

static void pool_fini(struct worker_pool *pool)
{
    for (unsigned i = 0; pool->workers != NULL && i < pool->worker_count; i++)
        worker_free(&pool->workers[i]);
    free(pool->workers);
    free(pool->tubes);
    if (pool->handler != NULL)
        pool->handler->close(&pool->state);
    hl_event_free(&pool->stopping);
    if (pool->stop_fd >= 0)
        close(pool->stop_fd);
    MAGIC_WIPE(pool);
    free(pool);
}

static int pool_fill(struct worker_pool *pool, const struct worker_pool_settings *settings,
                     char *why, size_t why_size)
{
    pool->tubes = strings_copy(settings->tubes, settings->tube_count);
    pool->workers = calloc(settings->workers, sizeof(*pool->workers));
    if (pool->tubes == NULL || pool->workers == NULL)
        return ENOMEM;
    pool->tube_count = settings->tube_count;
    pool->worker_count = settings->workers;
    pool->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->stop_fd < 0)
        return errno;
    int rc = hl_event_new(&pool->stopping, pool->name);
    const struct handler *handler = handler_find(settings->handler);
    if (rc == 0)
        rc = handler->open(&settings->handler_settings, &pool->state, why, why_size);
    if (rc != 0)
        return rc;
    pool->handler = handler;
    for (unsigned i = 0; rc == 0 && i < pool->worker_count; i++)
        rc = worker_new(&pool->workers[i], pool, i + 1);
    return rc;
}

int worker_pool_new(struct worker_pool **out, const struct worker_pool_settings *settings,
                    struct broker *broker, char *why, size_t why_size)
{
    int rc = worker_pool_check(settings, why, why_size);
    if (rc != 0)
        return rc;
    struct worker_pool *pool = calloc(1, sizeof(*pool));
    if (pool != NULL) {
        MAGIC_INIT(pool, POOL_MAGIC);
        snprintf(pool->name, sizeof(pool->name), "%s", settings->name);
        pool->stop_fd = -1;
        pool->broker = broker;
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
    pool_fini(mine);
}

/* ---- start, stop ---- */

int worker_pool_start(struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    if (pool->started)
        return EALREADY;
    pool->started = true;
    for (unsigned i = 0; i < pool->worker_count; i++) {
        int rc = hl_thread_start(pool->workers[i]->thread);
        if (rc != 0) {
            worker_pool_stop(pool, 0);
            return rc;
        }
    }
    return 0;
}

void worker_pool_quiesce(struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    for (unsigned i = 0; i < pool->worker_count; i++)
        broker_sink_stop(pool->workers[i]->sink);
}

/* Whether all threads have ended by then. Those that never started (EINVAL) have. */
static bool pool_join(struct worker_pool *pool, int64_t deadline_ns)
{
    for (unsigned i = 0; i < pool->worker_count; i++) {
        int64_t left = deadline_ns == CLOCK_NEVER ? HL_FOREVER : deadline_ns - clock_now_ns();
        if (hl_thread_join(pool->workers[i]->thread, left) == ETIMEDOUT)
            return false;
    }
    return true;
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
    int rc = eventfd_write(pool->stop_fd, 1);
    ASSERT(rc == 0);
    hl_event_set(pool->stopping);
    if (pool->handler->stop != NULL)
        pool->handler->stop(pool->state);
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

/* ---- looking ---- */

const char *worker_pool_name(const struct worker_pool *pool)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    return pool->name;
}

void worker_pool_stats(const struct worker_pool *pool, struct worker_pool_stats *stats)
{
    MAGIC_CHECK(pool, POOL_MAGIC);
    *stats = (struct worker_pool_stats){.name = pool->name,
                                        .handler = pool->handler->name,
                                        .tubes = (const char *const *)pool->tubes,
                                        .tube_count = pool->tube_count,
                                        .workers = pool->worker_count};
    for (unsigned i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = pool->workers[i];
        stats->busy += atomic_load_explicit(&worker->busy, memory_order_relaxed) ? 1 : 0;
        stats->done += counter_get(&worker->ended[JOB_OUTCOME_DONE]);
        stats->failed += counter_get(&worker->ended[JOB_OUTCOME_FAILED]);
        stats->returned += counter_get(&worker->ended[JOB_OUTCOME_RETURNED]);
    }
}
