// SPDX-License-Identifier: MIT
/*
 * Pools: N threads that take, run and settle.
 *
 * A worker has a sink of its own, so that waiting workers stand in the broker's line one by one,
 * with everybody else. Its counters have one writer; whoever looks adds them up.
 *
 * Stopping has two levels. A stopped sink takes nothing more, but what runs goes on; that is
 * quiescing. When the grace period is over the pool's stop descriptor becomes readable, which every
 * handler that blocks watches, and never becomes unreadable again. A worker blocks all signals:
 * those of the process are the main thread's, and a SIGPIPE of a child that doesn't read is
 * answered by the error of the write.
 *
 * Making, starting, stopping and freeing a pool is one thread's business at a time; quiesce, hurry
 * and stats may come from any.
 */
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/magic.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POOL_MAGIC 0x3e3e9001u

/* A settle that found no memory is tried again so often, so much later each time: a minute. */
#define SETTLE_TRIES 600
#define SETTLE_PAUSE_NS (HL_SECOND / 10)

struct worker {
    struct worker_pool *pool;
    struct broker_sink *sink;
    hl_thread *thread;
    _Atomic bool busy;
    struct counter ended[JOB_OUTCOME_COUNT];
};

struct worker_pool {
    unsigned magic;
    char name[WORKER_POOL_NAME_MAX + 1];
    char **tubes;
    size_t tube_count;
    struct broker *broker;
    const struct handler *handler;
    void *state; /* the handler's */
    int stop_fd;
    hl_event *stopping; /* set when stop_fd is readable */
    bool started, stopped;
    unsigned worker_count;
    struct worker *workers;
};

/* ---- a worker ---- */

/* All but those that a thread's own fault raises. */
static void worker_block_signals(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&set, faults[i]);
    MUST(pthread_sigmask(SIG_BLOCK, &set, NULL));
}

static void worker_settle(struct worker *worker, const struct broker_lease *lease,
                          const struct job_outcome *outcome)
{
    struct worker_pool *pool = worker->pool;
    int rc = ENOMEM;
    for (int i = 0; rc == ENOMEM && i < SETTLE_TRIES; i++) {
        if (i > 0 && hl_event_wait(pool->stopping, SETTLE_PAUSE_NS) == 0)
            break;
        rc = broker_settle(pool->broker, lease->id, lease->token, outcome);
    }
    if (rc == 0)
        counter_add(&worker->ended[outcome->kind], 1);
    else
        log_error("pool %s: job %" PRIu64 " ended (%s) but can't be settled: %s", pool->name,
                  lease->id, job_outcome_word(outcome->kind), strerrordesc_np(rc));
}

static void worker_log(const struct worker *worker, const struct broker_lease *lease,
                       const struct job_outcome *outcome)
{
    static struct log_limit limit;
    if (outcome->kind == JOB_OUTCOME_FAILED)
        log_limited(&limit, LOG_LEVEL_NOTICE, "pool %s: job %" PRIu64 " of tube %s failed: %s",
                    worker->pool->name, lease->id, lease->tube, outcome->reason);
}

static void worker_do(struct worker *worker, const struct broker_lease *lease)
{
    struct worker_pool *pool = worker->pool;
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.started_ns = clock_now_ns();
    struct handler_call call = {.lease = lease, .stop_fd = pool->stop_fd, .outcome = &outcome};
    atomic_store_explicit(&worker->busy, true, memory_order_relaxed);
    pool->handler->run(pool->state, &call);
    outcome.ended_ns = clock_now_ns();
    worker_log(worker, lease, &outcome);
    worker_settle(worker, lease, &outcome);
    atomic_store_explicit(&worker->busy, false, memory_order_relaxed);
    job_outcome_fini(&outcome);
}

static void worker_main(void *arg)
{
    struct worker *worker = arg;
    MAGIC_CHECK(worker->pool, POOL_MAGIC);
    worker_block_signals();
    struct broker_lease lease;
    while (broker_take(worker->sink, &lease, HL_FOREVER) == 0) {
        worker_do(worker, &lease);
        broker_lease_fini(&lease);
    }
}

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
    for (unsigned i = 0; pool->workers != NULL && i < pool->worker_count; i++) {
        hl_thread_free(&pool->workers[i].thread);
        broker_sink_free(&pool->workers[i].sink);
    }
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

static int worker_init(struct worker *worker, struct worker_pool *pool, unsigned number)
{
    char name[WORKER_POOL_NAME_MAX + 16];
    snprintf(name, sizeof(name), "%s-%u", pool->name, number);
    worker->pool = pool;
    int rc = broker_sink_new(&worker->sink, pool->broker, name, (const char *const *)pool->tubes,
                             pool->tube_count);
    if (rc != 0)
        return rc;
    return hl_thread_new(&worker->thread, &(struct hl_thread_options){.target = worker_main,
                                                                      .arg = worker,
                                                                      .name = name,
                                                                      .daemon = HL_DAEMON_NO});
}

static int pool_fill(struct worker_pool *pool, const struct worker_pool_settings *settings)
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
        rc = handler->open(&settings->handler_settings, &pool->state);
    if (rc != 0)
        return rc;
    pool->handler = handler;
    for (unsigned i = 0; rc == 0 && i < pool->worker_count; i++)
        rc = worker_init(&pool->workers[i], pool, i + 1);
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
        rc = pool_fill(pool, settings);
    } else
        rc = ENOMEM;
    if (rc != 0) {
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
        int rc = hl_thread_start(pool->workers[i].thread);
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
        broker_sink_stop(pool->workers[i].sink);
}

/* Whether all threads have ended by then. Those that never started (EINVAL) have. */
static bool pool_join(struct worker_pool *pool, int64_t deadline_ns)
{
    for (unsigned i = 0; i < pool->worker_count; i++) {
        int64_t left = deadline_ns == CLOCK_NEVER ? HL_FOREVER : deadline_ns - clock_now_ns();
        if (hl_thread_join(pool->workers[i].thread, left) == ETIMEDOUT)
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
        struct worker *worker = &pool->workers[i];
        stats->busy += atomic_load_explicit(&worker->busy, memory_order_relaxed) ? 1 : 0;
        stats->done += counter_get(&worker->ended[JOB_OUTCOME_DONE]);
        stats->failed += counter_get(&worker->ended[JOB_OUTCOME_FAILED]);
        stats->returned += counter_get(&worker->ended[JOB_OUTCOME_RETURNED]);
    }
}
