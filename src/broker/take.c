// SPDX-License-Identifier: MIT
/*
 * Take: sinks, and how a ready job becomes a lease.
 *
 * A sink stands in the lines of all its tubes at once. A job that is put while it waits goes to it
 * directly and is reserved at that moment, by the putting thread (lease_given); the sink's thread
 * then only writes down its lease. Stopping a sink uses the same door: each has a control core of
 * its own, last in the array, and one item put there wakes it.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a waiting sink without memory for a lease looks for some. */
#define MEMORY_RETRY_NS HL_SECOND

static void sink_memory_free(struct broker_sink *sink)
{
    job_rare_free(&sink->spare);
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
    sink->broker->stats.waiting_sinks += more;
    for (size_t i = 0; i < sink->tube_count; i++)
        sink->tubes[i]->stats.waiting_sinks += more;
}

/* [held] Waits in the lines of the cores from that one on. */
static int lines_wait(struct broker_sink *sink, struct sink_wait *wait, size_t from,
                      int64_t deadline_ns)
{
    size_t count = sink->tube_count + 1 - from;
    memset(sink->links, 0, count * sizeof(*sink->links));
    queue_wait_get(&wait->wait, sink->cores + from, sink->links, count);
    return queue_wait_block(&wait->wait, sink->broker->domain, deadline_ns, "queue get",
                            sink->name);
}

/* [held] Waits in all lines; *job is then reserved already. */
static int sink_wait(struct broker_sink *sink, int64_t deadline_ns, struct job **job)
{
    struct sink_wait wait = {.sink = sink};
    waiting_add(sink, 1);
    int rc = lines_wait(sink, &wait, 0, deadline_ns);
    waiting_add(sink, -1);
    if (rc != 0)
        return rc;
    ASSERT(wait.wait.result == 0); /* tubes are never shut down */
    if (wait.wait.from == &sink->control)
        return ESHUTDOWN;
    *job = wait.wait.item;
    return 0;
}

/* [held] The memory of the next lease. Without any, who has time looks again once a second. */
static int spare_need(struct broker_sink *sink, int64_t deadline_ns)
{
    while (sink->spare == NULL && (sink->spare = spare_take(sink->broker)) == NULL) {
        int64_t now = clock_now_ns();
        if (deadline_ns <= now)
            return ENOMEM;
        struct sink_wait wait = {.sink = sink};
        int64_t left_ns = deadline_ns - now;
        (void)lines_wait(sink, &wait, sink->tube_count,
                         clock_deadline(left_ns < MEMORY_RETRY_NS ? left_ns : MEMORY_RETRY_NS));
        if (sink->stopped)
            return ESHUTDOWN;
    }
    return 0;
}

/* [held] */
static int sink_get(struct broker_sink *sink, int64_t deadline_ns, bool may_wait, struct job **job)
{
    if (sink->stopped)
        return ESHUTDOWN;
    int rc = spare_need(sink, deadline_ns);
    if (rc != 0)
        return rc;
    void *item;
    size_t which;
    rc = queue_core_take_any(sink->cores, sink->tube_count, &item, &which);
    if (rc == EAGAIN)
        return may_wait ? sink_wait(sink, deadline_ns, job) : ETIMEDOUT;
    ASSERT(rc == 0);
    *job = item;
    if ((*job)->rare == NULL) {
        (*job)->rare = sink->spare;
        sink->spare = NULL;
    }
    lease_begin(*job, NULL);
    return 0;
}

/* Without the lock. ENODATA: the job is buried, or free again, for its body can't be read. */
static int body_need(struct broker *broker, struct broker_lease *lease)
{
    if (lease->body != NULL)
        return 0;
    int rc = broker_fetch(&lease->place, &lease->body);
    if (rc == 0)
        return 0;
    if (rc != ENOMEM) {
        (void)broker_bury_damaged(broker, lease->id, lease->token);
        return ENODATA;
    }
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_RETURNED;
    (void)broker_settle(broker, lease->id, lease->token, &outcome);
    return ENOMEM;
}

/* A while, for memory; cut short by a stop. ENOMEM: there is no time for that. */
static int memory_wait(struct broker_sink *sink, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_now_ns();
    if (left_ns <= 0)
        return ENOMEM;
    struct sink_wait wait = {.sink = sink};
    broker_lock(sink->broker);
    if (!sink->stopped)
        (void)lines_wait(sink, &wait, sink->tube_count,
                         clock_deadline(left_ns < MEMORY_RETRY_NS ? left_ns : MEMORY_RETRY_NS));
    broker_unlock(sink->broker);
    return 0;
}

int broker_take(struct broker_sink *sink, struct broker_lease *lease, int64_t timeout_ns)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    int64_t deadline_ns = clock_deadline(timeout_ns);
    int rc;
    do {
        struct job *job;
        broker_lock(sink->broker);
        rc = sink_get(sink, deadline_ns, timeout_ns > 0, &job);
        if (rc == 0)
            lease_fill(job, lease);
        broker_unlock(sink->broker);
        if (rc == 0)
            rc = body_need(sink->broker, lease);
        if (rc == ENOMEM && sink->broker->log != NULL && memory_wait(sink, deadline_ns) == 0)
            rc = ENODATA;
    } while (rc == ENODATA);
    return rc;
}
