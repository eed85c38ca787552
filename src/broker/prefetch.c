// SPDX-License-Identifier: MIT
/*
 * Standing in line with jobs in hand: how a thread that runs several jobs at once gets more of
 * them, and gives some back, without waiting for either.
 *
 * A consumer that stands is in the lines of its tubes, but behind everybody who has no job: so one
 * who is free always goes first. What it is given is reserved for it at that moment, as for any
 * consumer; its thread is rung, and collects it with its next take.
 *
 * Who holds two jobs or more is in a list of prefetchers. When somebody without a job gets into
 * line for one of their tubes, they are rung as well: a job that none has begun should not lie
 * behind another one. What can be returned is theirs to know.
 *
 * Rings happen under the broker's lock, also the one for what was given: the thread collects under
 * the same lock, so a consumer is never rung after it was freed.
 */
#include "broker/consumer_priv.h"
#include "broker/spare_priv.h"

#include <errno.h>
#include <string.h>

/* ---- standing ---- */

/* Without the lock. */
static void stand_fired(struct later *later)
{
    struct broker_consumer *consumer =
        CONTAINER_OF(later, struct consumer_wait, wait.later)->consumer;
    struct broker *broker = consumer->broker;
    broker_lock(broker);
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    ASSERT(consumer->standing);
    consumer->fired = true;
    consumer->hooks->ring(false, consumer->hooks_arg);
    broker_unlock(broker);
}

/* Whether any of its tubes has a job that may be taken. */
HELD static bool something_is_ready(const struct broker_consumer *consumer)
{
    for (size_t i = 0; i < consumer->tube_count; i++)
        if (!consumer->cores[i]->held && queue_core_len(consumer->cores[i]) > 0)
            return true;
    return false;
}

HELD static int stand(struct broker_consumer *consumer)
{
    if (consumer->standing)
        return 0;
    if (consumer->stopped)
        return ESHUTDOWN;
    if (consumer->paused || consumer->broker->resting)
        return EAGAIN;
    if (consumer->spare == NULL && (consumer->spare = spare_take(consumer->broker)) == NULL)
        return ENOMEM;
    if (something_is_ready(consumer))
        return EALREADY;
    memset(consumer->links, 0, (consumer->tube_count + 1) * sizeof(*consumer->links));
    consumer->stand = (struct consumer_wait){.wait = {.later.fire = stand_fired, .last = true},
                                             .consumer = consumer};
    consumer->standing = true;
    consumer->fired = false;
    queue_wait_get(&consumer->stand.wait, consumer->cores, consumer->links,
                   consumer->tube_count + 1);
    return 0;
}

int broker_consumer_stand(struct broker_consumer *consumer)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    broker_lock(consumer->broker);
    int rc = stand(consumer);
    broker_unlock(consumer->broker);
    return rc;
}

bool broker_consumer_leave(struct broker_consumer *consumer)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    broker_lock(consumer->broker);
    /* Woken by a stop or a pause: there is nothing to collect. */
    if (consumer->standing &&
        (queue_wait_cancel(&consumer->stand.wait) ||
         (consumer->fired && consumer->stand.wait.from == &consumer->control)))
        consumer->standing = false;
    bool left = !consumer->standing;
    broker_unlock(consumer->broker);
    return left;
}

bool consumer_is_about_to_be_rung(const struct broker_consumer *consumer)
{
    return consumer->standing && !consumer->fired &&
           consumer->stand.wait.later.state == LATER_READY;
}

struct job *consumer_stand_collect(struct broker_consumer *consumer)
{
    if (!consumer->standing || !consumer->fired)
        return NULL;
    consumer->standing = false;
    return consumer->stand.wait.from == &consumer->control ? NULL : consumer->stand.wait.item;
}

/* ---- prefetchers ---- */

void consumer_count_lease(struct broker_consumer *consumer, bool more)
{
    consumer->leases += more ? 1 : SIZE_MAX;
    if (consumer->hooks->ring == NULL)
        return;
    if (consumer->leases < 2)
        list_remove(&consumer->prefetcher);
    else if (!list_node_linked(&consumer->prefetcher))
        list_append(&consumer->broker->prefetchers, &consumer->prefetcher);
}

/* Whether somebody who has no job waits in one of its tubes. */
HELD static bool is_wanted(const struct broker_consumer *consumer)
{
    for (size_t i = 0; i < consumer->tube_count; i++) {
        const struct list_node *first = list_first(&consumer->cores[i]->getters);
        if (consumer->cores[i]->held)
            continue; /* what is returned would stay there */
        if (first != NULL && !CONTAINER_OF(first, struct queue_link, node)->wait->last)
            return true;
    }
    return false;
}

void prefetchers_ring(struct broker *broker)
{
    for (struct list_node *node = list_first(&broker->prefetchers); node != NULL;
         node = list_next(&broker->prefetchers, node)) {
        struct broker_consumer *consumer = CONTAINER_OF(node, struct broker_consumer, prefetcher);
        if (is_wanted(consumer))
            consumer->hooks->ring(true, consumer->hooks_arg);
    }
}
