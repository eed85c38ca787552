// SPDX-License-Identifier: MIT
/*
 * Standing in line with jobs in hand: how a thread that runs several jobs at once gets more of
 * them, and gives some back, without waiting for either.
 *
 * A sink that stands is in the lines of its tubes, but behind everybody who has no job: so one who
 * is free always goes first. What it is given is reserved for it at that moment, as for any sink;
 * its thread is rung, and collects it with its next take.
 *
 * Who holds two jobs or more is in a list of hoards. When somebody without a job gets into line for
 * one of their tubes, they are rung as well: a job that none has begun should not lie behind
 * another one. What can be returned is theirs to know.
 *
 * Rings happen under the broker's lock, also the one for what was given: the thread collects under
 * the same lock, so a sink is never rung after it was freed.
 */
#include "broker/sink_priv.h"
#include "broker/spare_priv.h"

#include <errno.h>
#include <string.h>

/* ---- standing ---- */

/* Without the lock. */
static void stand_fired(struct later *later)
{
    struct broker_sink *sink = CONTAINER_OF(later, struct sink_wait, wait.later)->sink;
    struct broker *broker = sink->broker;
    broker_lock(broker);
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    ASSERT(sink->standing);
    sink->fired = true;
    sink->hooks->ring(false, sink->hooks_arg);
    broker_unlock(broker);
}

/* Whether any of its tubes has a job that may be taken. */
HELD static bool something_is_ready(const struct broker_sink *sink)
{
    for (size_t i = 0; i < sink->tube_count; i++)
        if (!sink->cores[i]->held && queue_core_len(sink->cores[i]) > 0)
            return true;
    return false;
}

HELD static int stand(struct broker_sink *sink)
{
    if (sink->standing)
        return 0;
    if (sink->stopped)
        return ESHUTDOWN;
    if (sink->paused || sink->broker->resting)
        return EAGAIN;
    if (sink->spare == NULL && (sink->spare = spare_take(sink->broker)) == NULL)
        return ENOMEM;
    if (something_is_ready(sink))
        return EALREADY;
    memset(sink->links, 0, (sink->tube_count + 1) * sizeof(*sink->links));
    sink->stand =
        (struct sink_wait){.wait = {.later.fire = stand_fired, .last = true}, .sink = sink};
    sink->standing = true;
    sink->fired = false;
    queue_wait_get(&sink->stand.wait, sink->cores, sink->links, sink->tube_count + 1);
    return 0;
}

int broker_sink_stand(struct broker_sink *sink)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    broker_lock(sink->broker);
    int rc = stand(sink);
    broker_unlock(sink->broker);
    return rc;
}

bool broker_sink_leave(struct broker_sink *sink)
{
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    broker_lock(sink->broker);
    /* Woken by a stop or a pause: there is nothing to collect. */
    if (sink->standing && (queue_wait_cancel(&sink->stand.wait) ||
                           (sink->fired && sink->stand.wait.from == &sink->control)))
        sink->standing = false;
    bool left = !sink->standing;
    broker_unlock(sink->broker);
    return left;
}

bool sink_is_about_to_be_rung(const struct broker_sink *sink)
{
    return sink->standing && !sink->fired && sink->stand.wait.later.state == LATER_READY;
}

struct job *sink_stand_collect(struct broker_sink *sink)
{
    if (!sink->standing || !sink->fired)
        return NULL;
    sink->standing = false;
    return sink->stand.wait.from == &sink->control ? NULL : sink->stand.wait.item;
}

/* ---- hoards ---- */

void sink_count_lease(struct broker_sink *sink, bool more)
{
    sink->leases += more ? 1 : SIZE_MAX;
    if (sink->hooks->ring == NULL)
        return;
    if (sink->leases < 2)
        list_remove(&sink->hoard);
    else if (!list_node_linked(&sink->hoard))
        list_append(&sink->broker->hoards, &sink->hoard);
}

/* Whether somebody who has no job waits in one of its tubes. */
HELD static bool is_wanted(const struct broker_sink *sink)
{
    for (size_t i = 0; i < sink->tube_count; i++) {
        const struct list_node *first = list_first(&sink->cores[i]->getters);
        if (sink->cores[i]->held)
            continue; /* what is returned would stay there */
        if (first != NULL && !CONTAINER_OF(first, struct queue_link, node)->wait->last)
            return true;
    }
    return false;
}

void hoards_ring(struct broker *broker)
{
    for (struct list_node *node = list_first(&broker->hoards); node != NULL;
         node = list_next(&broker->hoards, node)) {
        struct broker_sink *sink = CONTAINER_OF(node, struct broker_sink, hoard);
        if (is_wanted(sink))
            sink->hooks->ring(true, sink->hooks_arg);
    }
}
