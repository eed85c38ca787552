// SPDX-License-Identifier: MIT
/*
 * Listeners: who is told of events, and of what.
 *
 * What is listened to is a target (event_targets.c). A target stays for a while after its last
 * listener has gone, and its events go on being kept: who asks again and again misses nothing in
 * between. The first target brings the watch, the last one takes it away.
 *
 * A listener that waits stands in its target's line. The first event of that which it may see takes
 * it out: it is told when the lock is let go of, once, however many events follow before it reads;
 * or, if the event isn't written yet, it stands among those that wait for a ticket, and is told
 * when that was published. As long as it stands everything is looked at on its behalf, so its place
 * is behind all of that; a ring that turns meanwhile doesn't leave a gap.
 */
#include "base/clock.h"
#include "broker/ask_priv.h"
#include "broker/events_priv.h"
#include "broker/groups_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool listener_cancel(struct later *later)
{
    struct broker_listener *listener = CONTAINER_OF(later, struct broker_listener, later);
    struct broker *broker = listener->broker;
    broker_lock(broker);
    bool left = later_leave(later);
    if (left && ticket_is_none(&listener->ticket))
        listener->at =
            event_ring_last(&broker->events->ring) + 1; /* nothing came that it may see */
    broker_unlock(broker);
    return left;
}

/* EINPROGRESS, or 0: there is more. */
HELD static int stand(struct broker_events *events, struct broker_listener *listener)
{
    bool none = ticket_is_none(&listener->ticket);
    if (none ? listener->at <= event_ring_last(&events->ring)
             : event_is_reached(events->broker, &listener->ticket))
        return 0;
    later_wait(&listener->later, listener_cancel);
    if (none)
        list_append(&listener->target->waiting, &listener->later.node);
    else
        listener_stand_for(events, listener, &listener->ticket);
    return EINPROGRESS;
}

int broker_events_wait(struct broker_listener *listener)
{
    struct broker *broker = listener->broker;
    struct ticket ticket = listener->ticket; /* the listener may be gone afterwards */
    broker_lock(broker);
    int rc = stand(broker->events, listener);
    broker_unlock(broker);
    if (rc == EINPROGRESS && !ticket_is_none(&ticket))
        broker_lead_elsewhere(broker, &ticket);
    return rc;
}

/* ---- listening ---- */

/* ENOMEM, EAGAIN. */
HELD static int events_need(struct broker *broker)
{
    if (broker->events != NULL)
        return 0;
    struct broker_events *events = calloc(1, sizeof(*events));
    if (events == NULL)
        return ENOMEM;
    MAGIC_INIT(events, EVENTS_MAGIC);
    events->broker = broker;
    events->watch = (struct change_watch){.types = WATCH_ALL, .change = events_change};
    list_node_init(&events->watch.node);
    strmap_init(&events->targets);
    list_init(&events->idle);
    list_init(&events->pending);
    int rc = event_names_init(&events->names);
    if (rc == 0)
        rc = event_ring_init(&events->ring);
    broker->events = events;
    if (rc != 0)
        events_free(broker);
    return rc;
}

void events_free(struct broker *broker)
{
    struct broker_events *events = broker->events;
    size_t cursor = 0;
    struct events_target *target;
    if (events == NULL)
        return;
    ASSERT(list_empty(&events->pending));
    while ((target = strmap_next(&events->targets, &cursor)) != NULL) {
        ASSERT(target->listeners == 0);
        free(target);
    }
    strmap_fini(&events->targets);
    event_ring_fini(&events->ring);
    event_names_fini(&events->names);
    broker->events = NULL;
    broker->observed = 0;
    MAGIC_WIPE(events);
    free(events);
}

/* Of a job that is there, or was there a moment ago and is listened to. ENOENT. */
HELD static int find_job(struct broker *broker, const struct broker_listen *what, struct job **job)
{
    const struct target_key key = target_key_of(KEY_JOB, &what->id, sizeof(what->id));
    *job = idtable_get(&broker->ledger.jobs, what->id);
    if (*job != NULL)
        return job_ask(what->asker, *job, TRUST_see) == 0 ? 0 : ENOENT;
    const struct events_target *target = target_find(broker->events, &key);
    bool seen = target != NULL && trust_ask(what->asker, target->trust_class, TRUST_see,
                                            target->submitter) == TRUST_MAY;
    return seen ? 0 : ENOENT;
}

HELD static int find_key(struct broker *broker, const struct broker_listen *what,
                         struct target_key *key, struct job **job)
{
    *job = NULL;
    *key = (struct target_key){.len = 1, .bytes = {KEY_ALL}};
    if (what->tube != NULL)
        *key = target_key_of(KEY_TUBE, what->tube, strlen(what->tube));
    else if (what->group != NULL) {
        uint32_t submitter;
        const char *name = group_said_key(broker, what->asker, what->group, &submitter);
        if (strlen(name) > JOB_TEXT_MAX)
            return ENAMETOOLONG;
        *key = target_key_of_group(submitter, name);
    } else if (what->id != 0) {
        *key = target_key_of(KEY_JOB, &what->id, sizeof(what->id));
        return find_job(broker, what, job);
    }
    return 0;
}

/* Behind `after`, and whether something of the target is lost between. */
HELD static void place_listener(const struct broker_events *events,
                                struct broker_listener *listener, uint64_t after)
{
    const struct events_target *target = listener->target;
    uint64_t last = event_ring_last(&events->ring);
    uint64_t oldest = last >= BROKER_EVENTS_KEPT ? last + 1 - BROKER_EVENTS_KEPT : 1;
    uint64_t of_it = atomic_load_explicit(&target->last, memory_order_relaxed);
    listener->at = last + 1;
    if (after == 0)
        return;
    if (after > last || after + 1 < target->since) {
        listener->gap = true;
        if (target->since <= last && after <= last)
            listener->at = target->since > oldest ? target->since : oldest;
    } else if (of_it > after) {
        listener->gap = after + 1 < oldest;
        listener->at = listener->gap ? oldest : after + 1;
    }
}

HELD static int listen(struct broker *broker, const struct broker_listen *what,
                       struct broker_listener *listener)
{
    struct target_key key;
    struct job *job;
    int rc = events_need(broker);
    if (rc == 0)
        rc = find_key(broker, what, &key, &job);
    if (rc != 0)
        return rc;
    struct broker_events *events = broker->events;
    struct events_target *target = target_find(events, &key);
    if (target == NULL)
        rc = target_make(events, &key, job, &target);
    if (rc != 0)
        return rc;
    list_remove(&target->idle);
    target->listeners++;
    listener->target = target;
    listener->broker = broker;
    place_listener(events, listener, what->after);
    return 0;
}

int broker_listen(struct broker *broker, const struct broker_listen *what,
                  struct broker_listener *listener)
{
    int rc = what->tube != NULL ? job_tube_name_check(what->tube, strlen(what->tube)) : 0;
    if (rc != 0)
        return rc;
    void (*fire)(struct later * later) = listener->later.fire;
    *listener = (struct broker_listener){.later.fire = fire, .asker = *what->asker};
    broker_lock(broker);
    rc = listen(broker, what, listener);
    broker_unlock(broker);
    return rc;
}

void broker_unlisten(struct broker_listener *listener)
{
    struct broker *broker = listener->broker;
    if (broker == NULL)
        return;
    broker_lock(broker);
    struct events_target *target = listener->target;
    MAGIC_CHECK(target, TARGET_MAGIC);
    ASSERT(listener->later.state != LATER_WAITS);
    if (--target->listeners == 0) {
        target->idle_ns = clock_now_ns();
        list_append(&broker->events->idle, &target->idle);
    }
    listener->broker = NULL;
    broker_unlock(broker);
}

void broker_forget_events(struct broker *broker)
{
    int64_t before_ns = clock_now_ns() - BROKER_LISTEN_KEPT_NS;
    broker_lock(broker);
    struct list_node *node;
    while (broker->events != NULL && (node = list_first(&broker->events->idle)) != NULL) {
        struct events_target *target = CONTAINER_OF(node, struct events_target, idle);
        if (target->idle_ns > before_ns)
            break;
        target_drop(broker->events, target);
    }
    broker_unlock(broker);
}
