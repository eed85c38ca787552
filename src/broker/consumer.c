// SPDX-License-Identifier: MIT
/*
 * Consumers: who takes jobs inside of the daemon. How they come and go, are paused and stopped, and
 * the weights of their tubes; taking itself is in take.c.
 *
 * Weights are shared by the consumers of a pool: each choice counts for all of them, so that many
 * workers with long jobs keep to the weights as one worker with short ones does. They are covered
 * by the broker's lock.
 */
#include "broker/consumer_priv.h"
#include "broker/lease_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void consumer_memory_free(struct broker_consumer *consumer)
{
    job_extra_free(&consumer->spare);
    free(consumer->tubes);
    free(consumer->cores);
    free(consumer->links);
    MAGIC_WIPE(consumer);
    free(consumer);
}

HELD static void consumer_leave_tubes(struct broker_consumer *consumer)
{
    for (size_t i = 0; i < consumer->tube_count; i++) {
        broker_tube(consumer->tubes[i])->stats.watching--;
        consumer->broker->stats.watching--;
        tube_unref(consumer->tubes[i]);
    }
    consumer->tube_count = 0;
}

HELD static int consumer_enter_tube(struct broker_consumer *consumer, const char *name)
{
    struct tube *tube;
    int rc = tube_need(&consumer->broker->ledger, name, strlen(name), &tube);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < consumer->tube_count; i++)
        if (consumer->tubes[i] == tube) {
            tube_unref(tube);
            return EINVAL;
        }
    broker_tube(tube)->stats.watching++;
    consumer->broker->stats.watching++;
    consumer->tubes[consumer->tube_count] = tube;
    consumer->cores[consumer->tube_count] = &tube->ready;
    consumer->tube_count++;
    return 0;
}

static const struct broker_consumer_hooks no_hooks = {.cancel = NULL};

int broker_consumer_new(struct broker_consumer **out, struct broker *broker, const char *name,
                        const char *const *tubes, size_t tube_count)
{
    int rc = tube_count == 0 ? EINVAL : 0;
    for (size_t i = 0; rc == 0 && i < tube_count; i++)
        rc = job_tube_name_check(tubes[i], strlen(tubes[i]));
    if (rc != 0)
        return rc;
    struct broker_consumer *consumer = calloc(1, sizeof(*consumer));
    if (consumer == NULL)
        return ENOMEM;
    MAGIC_INIT(consumer, BROKER_CONSUMER_MAGIC);
    consumer->broker = broker;
    consumer->hooks = &no_hooks;
    list_node_init(&consumer->prefetcher);
    list_node_init(&consumer->node);
    snprintf(consumer->name, sizeof(consumer->name), "%s", name);
    consumer->tubes = calloc(tube_count, sizeof(struct tube *));
    consumer->cores = calloc(tube_count + 1, sizeof(struct queue_core *));
    consumer->links = calloc(tube_count + 1, sizeof(*consumer->links));
    if (consumer->tubes == NULL || consumer->cores == NULL || consumer->links == NULL) {
        consumer_memory_free(consumer);
        return ENOMEM;
    }
    broker_lock(broker);
    queue_core_init(&consumer->control, broker->ledger.domain,
                    &(struct queue_core_options){.name = consumer->name});
    for (size_t i = 0; rc == 0 && i < tube_count; i++)
        rc = consumer_enter_tube(consumer, tubes[i]);
    if (rc != 0) {
        consumer_leave_tubes(consumer);
        queue_core_fini(&consumer->control);
    } else
        consumer->cores[consumer->tube_count] = &consumer->control;
    if (rc == 0)
        list_append(&broker->consumers, &consumer->node);
    broker_unlock(broker);
    if (rc != 0)
        consumer_memory_free(consumer);
    else
        *out = consumer;
    return rc;
}

/* Leases stay good; nobody is told of a cancel any more. There are some only where settling
 * failed. */
HELD static void leases_orphan(struct broker_consumer *consumer)
{
    struct idtable_cursor cursor = {0};
    struct job *job;
    while (consumer->leases > 0 &&
           (job = idtable_next(&consumer->broker->ledger.jobs, &cursor)) != NULL)
        if (job->extra != NULL && job->extra->consumer == consumer) {
            job->extra->consumer = NULL;
            consumer_count_lease(consumer, false);
        }
}

void broker_consumer_free(struct broker_consumer **consumer)
{
    if (*consumer == NULL)
        return;
    struct broker_consumer *mine;
    MAGIC_TAKE(mine, consumer, BROKER_CONSUMER_MAGIC);
    struct broker *broker = mine->broker;
    broker_lock(broker);
    ASSERT(!mine->waiting && !mine->standing);
    leases_orphan(mine);
    list_remove(&mine->node);
    consumer_leave_tubes(mine);
    queue_core_fini(&mine->control);
    broker_unlock(broker);
    consumer_memory_free(mine);
}

/* A blocked broker_take looks again. With a getter in line an insert needs no memory. */
HELD static void consumer_wake(struct broker_consumer *consumer)
{
    if (!list_empty(&consumer->control.getters))
        MUST(queue_core_insert(&consumer->control, consumer));
}

void broker_consumer_stop(struct broker_consumer *consumer)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    broker_lock(consumer->broker);
    if (!consumer->stopped)
        consumer_wake(consumer);
    consumer->stopped = true;
    broker_unlock(consumer->broker);
}

/* It may take again. */
HELD static void consumer_resume(struct broker_consumer *consumer)
{
    consumer_wake(consumer);
    if (consumer->hooks->ring != NULL)
        consumer->hooks->ring(false, consumer->hooks_arg); /* it may stand again */
}

void broker_rest(struct broker *broker, bool resting)
{
    broker_lock(broker);
    bool ends = broker->resting && !resting;
    broker->resting = resting;
    struct list_node *node = ends ? list_first(&broker->consumers) : NULL;
    for (; node != NULL; node = list_next(&broker->consumers, node))
        consumer_resume(CONTAINER_OF(node, struct broker_consumer, node));
    broker_unlock(broker);
}

bool broker_is_resting(struct broker *broker)
{
    broker_lock(broker);
    bool resting = broker->resting;
    broker_unlock(broker);
    return resting;
}

void broker_consumer_pause(struct broker_consumer *consumer, bool paused)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    broker_lock(consumer->broker);
    if (paused && !consumer->paused)
        consumer_wake(consumer);
    else if (!paused && consumer->paused && consumer->hooks->ring != NULL)
        consumer->hooks->ring(false, consumer->hooks_arg); /* it may stand again */
    consumer->paused = paused;
    broker_unlock(consumer->broker);
}

void broker_consumer_harmless(struct broker_consumer *consumer)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    broker_lock(consumer->broker);
    consumer->harmless = true;
    broker_unlock(consumer->broker);
}

void broker_consumer_set_hooks(struct broker_consumer *consumer,
                               const struct broker_consumer_hooks *hooks, void *arg)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    broker_lock(consumer->broker);
    consumer->hooks = hooks;
    consumer->hooks_arg = arg;
    broker_unlock(consumer->broker);
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

void broker_consumer_share(struct broker_consumer *consumer, struct broker_shares *shares)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    MAGIC_CHECK(shares, BROKER_SHARES_MAGIC);
    broker_lock(consumer->broker);
    ASSERT(shares->count == consumer->tube_count);
    consumer->shares = shares;
    broker_unlock(consumer->broker);
}

/* ---- leases ---- */

void consumer_begin(struct broker_consumer *consumer, struct job *job)
{
    if (job->extra == NULL) {
        job->extra = consumer->spare;
        consumer->spare = NULL;
    }
    lease_begin(job, NULL, consumer->harmless ? JOB_OUT_NOT : JOB_OUT_LOCAL);
    if (consumer->hooks->cancel == NULL)
        return;
    job->extra->consumer = consumer;
    consumer_count_lease(consumer, true);
}
