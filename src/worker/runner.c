// SPDX-License-Identifier: MIT
/*
 * A worker: a thread that takes a job, runs it, settles it, counts it, and again.
 *
 * A worker has a consumer of its own, so that waiting workers stand in the broker's line one by
 * one, with everybody else. Its counters have one writer; whoever looks adds them up. While its
 * consumer is paused it rests; it ends when its consumer is stopped and the job it has is settled.
 *
 * Where the handler says that it is brief, a worker takes what is ready up to a bound, and settles
 * it together: the lock, and waking up, are shared by many jobs. Others take one at a time, so that
 * no job ever waits behind a slow one while somebody is free.
 *
 * It blocks all signals: those of the process are the main thread's, and a SIGPIPE of a child that
 * doesn't read is answered by the error of the write.
 */
#include "base/clock.h"
#include "base/log.h"
#include "worker/live_priv.h"
#include "worker/pool_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A settle that found no memory is tried again so often, so much later each time: a minute. */
#define SETTLE_TRIES 600
#define SETTLE_PAUSE_NS (HL_SECOND / 10)

/* Jobs that a brief handler has at once: enough to share a hold of the lock, and done in
 * microseconds. */
#define RUN_BATCH BROKER_SETTLE_MAX

/* ---- what its thread does ---- */

/* All but those that a thread's own fault raises; and SIGCHLD, which nobody handles: where the
 * thread that started a process doesn't block it the kernel drops it, else it wakes another thread
 * to drop it, at the end of each process. */
static void block_signals(void)
{
    static const int passed[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
                                 SIGTRAP, SIGSYS, SIGABRT, SIGCHLD};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        sigdelset(&set, passed[i]);
    MUST(pthread_sigmask(SIG_BLOCK, &set, NULL));
}

static void settle(struct worker *worker, uint64_t id, uint64_t token, struct job_outcome *outcome)
{
    struct worker_pool *pool = worker->pool;
    int rc = ENOMEM;
    for (int i = 0; rc == ENOMEM && i < SETTLE_TRIES; i++) {
        if (i > 0 && hl_event_wait(pool->stopping, SETTLE_PAUSE_NS) == 0)
            break;
        rc = broker_settle(pool->broker, id, token, outcome);
    }
    if (rc == 0)
        counter_add(&worker->ended[outcome->kind], 1);
    else
        log_error("pool %s: job %" PRIu64 " ended (%s) but can't be settled: %s", pool->name, id,
                  job_outcome_word(outcome->kind), strerrordesc_np(rc));
}

void worker_settle_many(struct worker *worker, struct broker_settlement *list, size_t count)
{
    broker_settle_many(worker->pool->broker, list, count);
    for (size_t i = 0; i < count; i++) {
        if (list[i].rc == 0)
            counter_add(&worker->ended[list[i].outcome->kind], 1);
        else /* as one by one: tried again, or said */
            settle(worker, list[i].id, list[i].token, list[i].outcome);
    }
}

/* What the log says of an attempt that wasn't done. */
static const char *const troubles[JOB_OUTCOME_COUNT] = {
    [JOB_OUTCOME_FAILED] = "failed",   [JOB_OUTCOME_RETRY] = "runs again",
    [JOB_OUTCOME_BURIED] = "failed",   [JOB_OUTCOME_TIMEOUT] = "was stopped",
    [JOB_OUTCOME_CRASHED] = "crashed", [JOB_OUTCOME_RETURNED] = "runs again"};

static void log_outcome(const struct worker *worker, const struct broker_lease *lease,
                        const struct job_outcome *outcome)
{
    static struct log_limit limits[JOB_OUTCOME_COUNT];
    const char *trouble = troubles[outcome->kind];
    if (trouble != NULL && outcome->reason[0] != '\0')
        log_limited(&limits[outcome->kind], LOG_LEVEL_NOTICE,
                    "pool %s: job %" PRIu64 " of tube %s %s: %s", worker->pool->name, lease->id,
                    lease->tube, trouble, job_reason_text(outcome->reason));
}

/* What it was stopped for; the end of what the program wrote about it stays behind that. */
static void reason_before(struct job_outcome *outcome, const char *why)
{
    char said[JOB_REASON_MAX];
    memcpy(said, outcome->reason, sizeof(said));
    said[sizeof(said) - 1] = '\0';
    job_outcome_reason(outcome, "%s%s%s", why, said[0] != '\0' ? JOB_REASON_SAID : "",
                       job_reason_text(said));
}

/* A handler that was stopped says RETURNED; here it becomes what it was stopped for. One that was
 * cancelled is that whatever its handler made of it, as for the broker, unless it is done. */
static void outcome_of_stop(struct job_outcome *outcome, enum stop_reason reason,
                            int64_t timeout_ns)
{
    char why[64];
    if (reason == STOP_CANCEL && outcome->kind != JOB_OUTCOME_DONE) {
        outcome->kind = JOB_OUTCOME_CANCELLED;
        job_outcome_reason(outcome, "stopped by a cancel");
    } else if (reason == STOP_TIMEOUT && outcome->kind == JOB_OUTCOME_RETURNED) {
        outcome->kind = JOB_OUTCOME_TIMEOUT;
        snprintf(why, sizeof(why), "stopped at its time limit of %.3f s",
                 (double)timeout_ns / (double)HL_SECOND);
        reason_before(outcome, why);
    } else if (reason == STOP_SHUTDOWN && outcome->kind == JOB_OUTCOME_RETURNED)
        outcome->reason[0] = '\0'; /* that is no trouble */
}

void worker_judge(const struct worker *worker, const struct broker_lease *lease,
                  struct job_outcome *outcome, enum stop_reason reason, int64_t timeout_ns)
{
    outcome_of_stop(outcome, reason, timeout_ns);
    outcome->ended_ns = clock_now_ns();
    log_outcome(worker, lease, outcome);
}

int64_t worker_timeout(const struct worker *worker, const struct broker_lease *lease)
{
    const struct worker_pool *pool = worker->pool;
    if (lease->timeout_ns >= 0)
        return lease->timeout_ns;
    return (pool->rules.set & JOB_RULE_TIMEOUT) != 0 ? pool->rules.timeout_ns : 0;
}

/* No job can be started now, or one could again. */
static void note_rest(struct worker_pool *pool, const struct handler_call *call)
{
    if (call->rest[0] != '\0')
        pool_rest_begin(pool, call->rest);
    else if (atomic_load_explicit(&pool->rest_until_ns, memory_order_relaxed) != 0 &&
             call->outcome->kind != JOB_OUTCOME_RETURNED)
        pool_rest_end(pool);
}

/* Runs a job, and tells what became of it. *cancels: somebody may have cancelled a job of this
 * worker that had not begun; from then on the broker is asked. */
static void attempt(struct worker *worker, const struct broker_lease *lease, bool *cancels,
                    struct job_outcome *outcome)
{
    struct worker_pool *pool = worker->pool;
    outcome->rules = &pool->rules;
    int64_t timeout_ns = worker_timeout(worker, lease);
    struct live live;
    live_begin(&live, pool->broker, lease, outcome);
    struct handler_call call = {.lease = lease,
                                .stop_fd = worker->stop.fd,
                                .live = &live,
                                .leaving = &worker->stop.final,
                                .outcome = outcome};
    *cancels |= stop_begin(&worker->stop, lease->token, timeout_ns);
    if (*cancels && broker_is_cancelled(pool->broker, lease->id, lease->token)) {
        outcome->kind = JOB_OUTCOME_CANCELLED;
        outcome->started_ns = 0;
    } else {
        pool->handler->run(pool->state, &call);
        note_rest(pool, &call);
    }
    live_end(&live);
    worker_judge(worker, lease, outcome, stop_end(&worker->stop), timeout_ns);
}

static void run(struct worker *worker, const struct broker_lease *lease)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.started_ns = clock_now_ns();
    bool cancels = false;
    atomic_store_explicit(&worker->busy, true, memory_order_relaxed);
    attempt(worker, lease, &cancels, &outcome);
    settle(worker, lease->id, lease->token, &outcome);
    atomic_store_explicit(&worker->busy, false, memory_order_relaxed);
    job_outcome_fini(&outcome);
}

/* Several jobs of a brief handler: taken, run one after the other, settled together. */
struct batch {
    size_t count;
    struct broker_lease lease[RUN_BATCH];
    struct job_outcome outcome[RUN_BATCH];
    struct broker_settlement settlement[RUN_BATCH];
};

static void batch_settle(struct worker *worker, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        batch->settlement[i] = (struct broker_settlement){.id = batch->lease[i].id,
                                                          .token = batch->lease[i].token,
                                                          .outcome = &batch->outcome[i]};
    worker_settle_many(worker, batch->settlement, batch->count);
}

static void batch_run(struct worker *worker, struct batch *batch)
{
    int64_t now_ns = clock_now_ns();
    bool cancels = false;
    atomic_store_explicit(&worker->busy, true, memory_order_relaxed);
    for (size_t i = 0; i < batch->count; i++) {
        struct job_outcome *outcome = &batch->outcome[i];
        job_outcome_init(outcome);
        outcome->started_ns = now_ns;
        attempt(worker, &batch->lease[i], &cancels, outcome);
        now_ns = outcome->ended_ns;
    }
    batch_settle(worker, batch);
    atomic_store_explicit(&worker->busy, false, memory_order_relaxed);
    for (size_t i = 0; i < batch->count; i++) {
        job_outcome_fini(&batch->outcome[i]);
        broker_lease_fini(&batch->lease[i]);
    }
}

/* ---- the loop ---- */

/* Takes one job, or a batch, and runs it. EAGAIN: the consumer is paused. ESHUTDOWN. */
static int work(struct worker *worker, struct batch *batch)
{
    if (batch != NULL) {
        int rc =
            broker_take_many(worker->consumer, batch->lease, RUN_BATCH, &batch->count, HL_FOREVER);
        if (rc == 0)
            batch_run(worker, batch);
        return rc;
    }
    worker_rest_out(worker);
    struct broker_lease lease;
    int rc = broker_take(worker->consumer, &lease, HL_FOREVER);
    if (rc != 0)
        return rc;
    if (worker->pool->handler->serve != NULL)
        shift_run(worker, &lease);
    else {
        run(worker, &lease);
        broker_lease_fini(&lease);
    }
    return 0;
}

static void worker_main(void *arg)
{
    struct worker *worker = arg;
    MAGIC_CHECK(worker, WORKER_MAGIC);
    const struct handler *handler = worker->pool->handler;
    bool brief = handler->is_brief != NULL && handler->is_brief(worker->pool->state);
    /* no magic: never leaves this thread. Without memory: one by one */
    struct batch *batch = brief ? malloc(sizeof(*batch)) : NULL;
    block_signals();
    int rc;
    while ((rc = work(worker, batch)) != ESHUTDOWN) {
        ASSERT(rc == 0 || rc == EAGAIN);
        if (rc == EAGAIN)
            worker_rest(worker);
    }
    free(batch);
    worker_leave(worker);
}

/* ---- new, free ---- */

static void job_cancelled(uint64_t id, uint64_t token, void *arg)
{
    struct worker *worker = arg;
    (void)id;
    stop_cancel(&worker->stop, token);
}

static const struct broker_consumer_hooks hooks = {.cancel = job_cancelled};
static const struct broker_consumer_hooks hooks_of_shifts = {.cancel = job_cancelled,
                                                             .ring = shift_ring};

int worker_new(struct worker **out, struct worker_pool *pool, unsigned number)
{
    char name[WORKER_POOL_NAME_MAX + 16];
    snprintf(name, sizeof(name), "%s-%u", pool->name, number);
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return ENOMEM;
    MAGIC_INIT(worker, WORKER_MAGIC);
    worker->pool = pool;
    int rc = broker_consumer_new(&worker->consumer, pool->broker, name,
                                 (const char *const *)pool->tubes, pool->tube_count);
    if (rc == 0 && pool->shares != NULL)
        broker_consumer_share(worker->consumer, pool->shares);
    if (rc == 0)
        rc = stop_init(&worker->stop, pool->handler, pool->state);
    if (rc == 0)
        broker_consumer_set_hooks(worker->consumer,
                                  pool->handler->serve != NULL ? &hooks_of_shifts : &hooks, worker);
    if (rc == 0 && pool->handler->harmless)
        broker_consumer_harmless(worker->consumer);
    if (rc == 0)
        rc = hl_event_new(&worker->go, name);
    if (rc == 0)
        rc = hl_thread_new(&worker->thread, &(struct hl_thread_options){.target = worker_main,
                                                                        .arg = worker,
                                                                        .name = name,
                                                                        .daemon = HL_DAEMON_NO});
    if (rc != 0)
        worker_free(&worker);
    else
        *out = worker;
    return rc;
}

void worker_free(struct worker **worker)
{
    if (*worker == NULL)
        return;
    struct worker *mine;
    MAGIC_TAKE(mine, worker, WORKER_MAGIC);
    hl_thread_free(&mine->thread);
    hl_event_free(&mine->go);
    broker_consumer_free(&mine->consumer);
    stop_fini(&mine->stop);
    MAGIC_WIPE(mine);
    free(mine);
}
