// SPDX-License-Identifier: MIT
/*
 * Sinks: who takes jobs inside of the daemon. How they come and go, are paused and stopped, and the
 * weights of their tubes; taking itself is in take.c.
 *
 * Weights are shared by the sinks of a pool: each choice counts for all of them, so that many
 * workers with long jobs keep to the weights as one worker with short ones does. They are covered
 * by the broker's lock.
 */
#include "broker/lease_priv.h"
#include "broker/sink_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void sink_memory_free(struct broker_sink *sink)
{
    job_rare_free(&sink->spare);
    free(sink->tubes);
    free(sink->cores);
    free(sink->links);
    MAGIC_WIPE(sink);
    free(sink);
}

HELD static void sink_leave_tubes(struct broker_sink *sink)
{
    for (size_t i = 0; i < sink->tube_count; i++) {
        broker_tube(sink->tubes[i])->stats.watching--;
        sink->broker->stats.watching--;
        tube_unref(sink->tubes[i]);
    }
    sink->tube_count = 0;
}

HELD static int sink_enter_tube(struct broker_sink *sink, const char *name)
{
    struct tube *tube;
    int rc = tube_need(&sink->broker->ledger, name, strlen(name), &tube);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sink->tube_count; i++)
        if (sink->tubes[i] == tube) {
            tube_unref(tube);
            return EINVAL;
        }
    broker_tube(tube)->stats.watching++;
    sink->broker->stats.watching++;
    sink->tubes[sink->tube_count] = tube;
    sink->cores[sink->tube_count] = &tube->ready;
    sink->tube_count++;
    return 0;
}

static const struct broker_sink_hooks no_hooks = {.cancel = NULL};

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
    sink->hooks = &no_hooks;
    list_node_init(&sink->hoard);
    list_node_init(&sink->node);
    snprintf(sink->name, sizeof(sink->name), "%s", name);
    sink->tubes = calloc(tube_count, sizeof(struct tube *));
    sink->cores = calloc(tube_count + 1, sizeof(struct queue_core *));
    sink->links = calloc(tube_count + 1, sizeof(*sink->links));
    if (sink->tubes == NULL || sink->cores == NULL || sink->links == NULL) {
        sink_memory_free(sink);
        return ENOMEM;
    }
    broker_lock(broker);
    queue_core_init(&sink->control, broker->ledger.domain,
                    &(struct queue_core_options){.name = sink->name});
    for (size_t i = 0; rc == 0 && i < tube_count; i++)
        rc = sink_enter_tube(sink, tubes[i]);
    if (rc != 0) {
        sink_leave_tubes(sink);
        queue_core_fini(&sink->control);
    } else
        sink->cores[sink->tube_count] = &sink->control;
    if (rc == 0)
        list_append(&broker->sinks, &sink->node);
    broker_unlock(broker);
    if (rc != 0)
        sink_memory_free(sink);
    else
        *out = sink;
    return rc;
}

/* Leases stay good; nobody is told of a cancel any more. There are some only where settling
 * failed. */
HELD static void leases_orphan(struct broker_sink *sink)
{
    struct idtable_cursor cursor = {0};
    struct job *job;
    while (sink->leases > 0 && (job = idtable_next(&sink->broker->ledger.jobs, &cursor)) != NULL)
        if (job->rare != NULL && job->rare->sink == sink) {
            job->rare->sink = NULL;
            sink_count_lease(sink, false);
        }
}

void broker_sink_free(struct broker_sink **sink)
{
    if (*sink == NULL)
        return;
    struct broker_sink *mine;
    MAGIC_TAKE(mine, sink, BROKER_SINK_MAGIC);
    struct broker *broker = mine->broker;
    broker_lock(broker);
    ASSERT(!mine->waiting && !mine->standing);
    leases_orphan(mine);
    list_remove(&mine->node);
    sink_leave_tubes(mine);
    queue_core_fini(&mine->control);
    broker_unlock(broker);
    sink_memory_free(mine);
}

/* A blocked broker_take looks again. With a getter in line an insert needs no memory. */
HELD static void sink_wake(struct broker_sink *sink)
{
    if (!list_empty(&sink->control.getters))
        MUST(queue_core_insert(&sink->control, sink));
}

void broker_sink_stop(struct broker_sink *sink)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    broker_lock(sink->broker);
    if (!sink->stopped)
        sink_wake(sink);
    sink->stopped = true;
    broker_unlock(sink->broker);
}

/* It may take again. */
HELD static void sink_resume(struct broker_sink *sink)
{
    sink_wake(sink);
    if (sink->hooks->ring != NULL)
        sink->hooks->ring(false, sink->hooks_arg); /* it may stand again */
}

void broker_rest(struct broker *broker, bool resting)
{
    broker_lock(broker);
    bool ends = broker->resting && !resting;
    broker->resting = resting;
    struct list_node *node = ends ? list_first(&broker->sinks) : NULL;
    for (; node != NULL; node = list_next(&broker->sinks, node))
        sink_resume(CONTAINER_OF(node, struct broker_sink, node));
    broker_unlock(broker);
}

bool broker_is_resting(struct broker *broker)
{
    broker_lock(broker);
    bool resting = broker->resting;
    broker_unlock(broker);
    return resting;
}

void broker_sink_pause(struct broker_sink *sink, bool paused)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    broker_lock(sink->broker);
    if (paused && !sink->paused)
        sink_wake(sink);
    else if (!paused && sink->paused && sink->hooks->ring != NULL)
        sink->hooks->ring(false, sink->hooks_arg); /* it may stand again */
    sink->paused = paused;
    broker_unlock(sink->broker);
}

void broker_sink_harmless(struct broker_sink *sink)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    broker_lock(sink->broker);
    sink->harmless = true;
    broker_unlock(sink->broker);
}

void broker_sink_set_hooks(struct broker_sink *sink, const struct broker_sink_hooks *hooks,
                           void *arg)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    broker_lock(sink->broker);
    sink->hooks = hooks;
    sink->hooks_arg = arg;
    broker_unlock(sink->broker);
}

/* ---- weights ---- */

int broker_shares_new(struct broker_shares **out, const uint32_t *weights, size_t count)
{
    struct broker_shares *shares = calloc(1, sizeof(*shares) + count * sizeof(shares->share[0]));
    if (shares == NULL)
        return ENOMEM;
    MAGIC_INIT(shares, BROKER_SHARES_MAGIC);
    shares->count = count;
    for (size_t i = 0; i < count; i++) {
        ASSERT(weights[i] > 0 && weights[i] <= QUEUE_SHARE_WEIGHT_MAX);
        shares->share[i].weight = weights[i];
    }
    *out = shares;
    return 0;
}

void broker_shares_free(struct broker_shares **shares)
{
    if (*shares == NULL)
        return;
    struct broker_shares *mine;
    MAGIC_TAKE(mine, shares, BROKER_SHARES_MAGIC);
    MAGIC_WIPE(mine);
    free(mine);
}

void broker_sink_share(struct broker_sink *sink, struct broker_shares *shares)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    MAGIC_CHECK(shares, BROKER_SHARES_MAGIC);
    broker_lock(sink->broker);
    ASSERT(shares->count == sink->tube_count);
    sink->shares = shares;
    broker_unlock(sink->broker);
}

/* ---- leases ---- */

void sink_begin(struct broker_sink *sink, struct job *job)
{
    if (job->rare == NULL) {
        job->rare = sink->spare;
        sink->spare = NULL;
    }
    lease_begin(job, NULL, sink->harmless ? JOB_OUT_NOT : JOB_OUT_LOCAL);
    if (sink->hooks->cancel == NULL)
        return;
    job->rare->sink = sink;
    sink_count_lease(sink, true);
}
