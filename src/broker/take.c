// SPDX-License-Identifier: MIT
/*
 * Take: sinks, and how a ready job becomes a lease.
 *
 * A sink stands in the lines of all its tubes at once. A job that is put while it waits goes to it
 * directly and is reserved at that moment, by the putting thread (job_offer); the sink's thread
 * then only writes down its lease. Stopping a sink uses the same door: each has a control core of
 * its own, last in the array, and one item put there wakes it.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void job_reserve(struct job *job)
{
    tube_job_move(job, JOB_RESERVED);
    if (job->reserves < JOB_RESERVES_MAX)
        job->reserves++;
    job->token = ++job->tube->broker->last_token;
    job->key_ns = clock_deadline(job->ttr_ns);
}

static void sink_memory_free(struct broker_sink *sink)
{
    free(sink->tubes);
    free(sink->cores);
    free(sink->links);
    MAGIC_WIPE(sink);
    free(sink);
}

/* [held] */
static void sink_leave_tubes(struct broker_sink *sink)
{
    for (size_t i = 0; i < sink->tube_count; i++) {
        sink->tubes[i]->stats.watching--;
        sink->broker->stats.watching--;
        tube_unref(sink->tubes[i]);
    }
    sink->tube_count = 0;
}

/* [held] */
static int sink_enter_tube(struct broker_sink *sink, const char *name)
{
    struct broker_tube *tube;
    int rc = tube_need(sink->broker, name, strlen(name), &tube);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sink->tube_count; i++)
        if (sink->tubes[i] == tube) {
            tube_unref(tube);
            return EINVAL;
        }
    tube->stats.watching++;
    sink->broker->stats.watching++;
    sink->tubes[sink->tube_count] = tube;
    sink->cores[sink->tube_count] = &tube->ready;
    sink->tube_count++;
    return 0;
}

int broker_sink_new(struct broker_sink **out, struct broker *broker, const char *name,
                    const char *const *tubes, size_t tube_count)
{
    int rc = tube_count == 0 ? EINVAL : 0;
    for (size_t i = 0; rc == 0 && i < tube_count; i++)
        rc = job_tube_name_check(tubes[i], strlen(tubes[i]));
    if (rc != 0)
        return rc;
    struct broker_sink *sink = calloc(1, sizeof(*sink));
    if (sink == NULL)
        return ENOMEM;
    MAGIC_INIT(sink, BROKER_SINK_MAGIC);
    sink->broker = broker;
    snprintf(sink->name, sizeof(sink->name), "%s", name);
    sink->tubes = calloc(tube_count, sizeof(struct broker_tube *));
    sink->cores = calloc(tube_count + 1, sizeof(struct queue_core *));
    sink->links = calloc(tube_count + 1, sizeof(*sink->links));
    if (sink->tubes == NULL || sink->cores == NULL || sink->links == NULL) {
        sink_memory_free(sink);
        return ENOMEM;
    }
    broker_lock(broker);
    queue_core_init(&sink->control, broker->domain,
                    &(struct queue_core_options){.name = sink->name});
    for (size_t i = 0; rc == 0 && i < tube_count; i++)
        rc = sink_enter_tube(sink, tubes[i]);
    if (rc != 0) {
        sink_leave_tubes(sink);
        queue_core_fini(&sink->control);
    } else
        sink->cores[sink->tube_count] = &sink->control;
    broker_unlock(broker);
    if (rc != 0)
        sink_memory_free(sink);
    else
        *out = sink;
    return rc;
}

void broker_sink_free(struct broker_sink **sink)
{
    if (*sink == NULL)
        return;
    struct broker_sink *mine;
    MAGIC_TAKE(mine, sink, BROKER_SINK_MAGIC);
    struct broker *broker = mine->broker;
    broker_lock(broker);
    ASSERT(!mine->waiting);
    sink_leave_tubes(mine);
    queue_core_fini(&mine->control);
    broker_unlock(broker);
    sink_memory_free(mine);
}

void broker_sink_stop(struct broker_sink *sink)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    broker_lock(sink->broker);
    /* With a getter in line an insert needs no memory. */
    if (!sink->stopped && !list_empty(&sink->control.getters))
        MUST(queue_core_insert(&sink->control, sink));
    sink->stopped = true;
    broker_unlock(sink->broker);
}

/* [held] by: 1 or -1 */
static void waiting_add(struct broker_sink *sink, int by)
{
    const uint64_t more = by > 0 ? 1 : UINT64_MAX; /* unsigned arithmetic wraps by definition */
    sink->waiting = by > 0;
    sink->broker->stats.waiting += more;
    for (size_t i = 0; i < sink->tube_count; i++)
        sink->tubes[i]->stats.waiting += more;
}

/* [held] Waits in all lines; *job is then reserved already. */
static int sink_wait(struct broker_sink *sink, int64_t deadline_ns, struct job **job)
{
    struct queue_wait wait = {0};
    memset(sink->links, 0, (sink->tube_count + 1) * sizeof(*sink->links));
    waiting_add(sink, 1);
    queue_wait_get(&wait, sink->cores, sink->links, sink->tube_count + 1);
    int rc = queue_wait_block(&wait, sink->broker->domain, deadline_ns, "queue get", sink->name);
    waiting_add(sink, -1);
    if (rc != 0)
        return rc;
    ASSERT(wait.result == 0); /* tubes are never shut down */
    if (wait.from == &sink->control)
        return ESHUTDOWN;
    *job = wait.item;
    return 0;
}

/* [held] */
static int sink_get(struct broker_sink *sink, int64_t timeout_ns, struct job **job)
{
    if (sink->stopped)
        return ESHUTDOWN;
    void *item;
    size_t which;
    int rc = queue_core_take_any(sink->cores, sink->tube_count, &item, &which);
    if (rc == EAGAIN)
        return timeout_ns > 0 ? sink_wait(sink, clock_deadline(timeout_ns), job) : ETIMEDOUT;
    ASSERT(rc == 0);
    *job = item;
    job_reserve(*job);
    return 0;
}

int broker_take(struct broker_sink *sink, struct broker_lease *lease, int64_t timeout_ns)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    struct job *job;
    broker_lock(sink->broker);
    int rc = sink_get(sink, timeout_ns, &job);
    if (rc == 0)
        *lease = (struct broker_lease){
            .id = job->id,
            .token = job->token,
            .body = job_body_ref(job->body),
            .tube = job->tube->name,
            .pri = job->pri,
            .attempt = job->reserves,
            .ttr_ns = job->ttr_ns,
            .reserved_ns = clock_now_ns(),
        };
    broker_unlock(sink->broker);
    return rc;
}

void broker_lease_fini(struct broker_lease *lease)
{
    job_body_unref(&lease->body);
}
