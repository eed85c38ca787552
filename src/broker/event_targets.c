// SPDX-License-Identifier: MIT
/*
 * What is listened to, and telling those who wait there.
 *
 * What is listened to is a target: all, a tube by its name, a group, or a job. A tube that has one
 * knows it; groups and jobs are looked up, as long as any of them is listened to. So a change finds
 * its targets, and where there are none it is no event.
 */
#include "broker/events_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void key_add_bytes(struct target_key *key, const void *bytes, size_t len)
{
    ASSERT(len <= KEY_MAX - key->len);
    memcpy(key->bytes + key->len, bytes, len);
    key->len += len;
}

struct target_key target_key_of(char kind, const void *bytes, size_t len)
{
    struct target_key key = {.len = 1, .bytes = {kind}};
    key_add_bytes(&key, bytes, len);
    return key;
}

struct target_key target_key_of_group(uint32_t submitter, const char *name)
{
    struct target_key key = target_key_of(KEY_GROUP, &submitter, sizeof(submitter));
    key_add_bytes(&key, name, strlen(name));
    return key;
}

struct events_target *target_find(const struct broker_events *events, const struct target_key *key)
{
    return strmap_get(&events->targets, key->bytes, key->len);
}

/* Its tube, if that is there, knows it (or not any more). */
HELD static void tube_tell(struct broker *broker, const struct events_target *target,
                           struct events_target *known)
{
    if (target->name == NULL)
        return;
    struct tube *tube = tube_find(&broker->ledger, target->name->text, target->name->len);
    if (tube != NULL)
        broker_tube(tube)->listened = known;
}

void target_drop(struct broker_events *events, struct events_target *target)
{
    ASSERT(target->listeners == 0 && list_empty(&target->waiting));
    list_remove(&target->idle);
    (void)strmap_remove(&events->targets, target->key, target->key_len);
    tube_tell(events->broker, target, NULL);
    if (target->name != NULL)
        target->name->pins--;
    events->groups -= target->key[0] == KEY_GROUP;
    events->jobs -= target->key[0] == KEY_JOB;
    if (events->targets.len == 0)
        change_unwatch(events->broker, &events->watch);
    MAGIC_WIPE(target);
    free(target);
}

/* The kind's own part of a new one. ENOMEM. */
HELD static int target_fill(struct broker_events *events, struct events_target *target,
                            const struct job *job)
{
    struct broker *broker = events->broker;
    const char *text = target->key + 1;
    size_t len = target->key_len - 1;
    if (target->key[0] == KEY_GROUP)
        target->number = ++events->last_group != 0 ? events->last_group : ++events->last_group;
    if (target->key[0] == KEY_TUBE)
        return event_name_need(&events->names, text, len,
                               trust_tube_class(broker->options.trust, text, len), &target->name);
    if (job != NULL) {
        target->id = job->id;
        target->submitter = submitter_of(job);
        target->trust_class = job->tube->trust_class;
    }
    return 0;
}

/* ENOMEM; EDQUOT. job: of a job's. */
int target_make(struct broker_events *events, const struct target_key *key, const struct job *job,
                struct events_target **out)
{
    struct list_node *oldest = list_first(&events->idle);
    if (events->targets.len >= BROKER_LISTENED_MAX && oldest == NULL)
        return EDQUOT;
    struct events_target *target = calloc(1, sizeof(*target) + key->len + 1);
    if (target == NULL)
        return ENOMEM;
    memcpy(target->key, key->bytes, key->len);
    target->key_len = key->len;
    list_init(&target->waiting);
    list_node_init(&target->idle);
    int rc = target_fill(events, target, job);
    if (rc == 0)
        rc = strmap_put(&events->targets, target->key, target->key_len, target);
    if (rc != 0) {
        free(target);
        return rc;
    }
    MAGIC_INIT(target, TARGET_MAGIC);
    struct event mark = {.type = EVENT_MARK}; /* what came before isn't known */
    event_ring_put(&events->ring, &mark);
    target->since = mark.number + 1;
    if (target->name != NULL)
        target->name->pins++;
    tube_tell(events->broker, target, target);
    events->groups += key->bytes[0] == KEY_GROUP;
    events->jobs += key->bytes[0] == KEY_JOB;
    if (events->targets.len == 1)
        change_watch(events->broker, &events->watch);
    else if (events->targets.len > BROKER_LISTENED_MAX)
        target_drop(events, CONTAINER_OF(oldest, struct events_target, idle));
    *out = target;
    return 0;
}

void listen_tube_made(struct tube *tube)
{
    const struct target_key key = target_key_of(KEY_TUBE, tube->name, tube->name_len);
    broker_tube(tube)->listened = target_find(broker_of(tube)->events, &key);
}

void listen_tube_gone(struct tube *tube)
{
    if (broker_tube(tube)->event_name != NULL)
        broker_tube(tube)->event_name->tube = NULL;
}

/* ---- what a change is of ---- */

static void found_add(struct events_found *found, struct events_target *target)
{
    if (target != NULL)
        found->target[found->count++] = target;
}

HELD static void find_group(struct broker_events *events, const struct job *job,
                            struct events_found *found)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    if (options == NULL || options->group[0] == '\0')
        return;
    const struct target_key key = target_key_of_group(submitter_of(job), options->group);
    struct events_target *target = target_find(events, &key);
    found_add(found, target);
    found->group = target != NULL ? target->number : 0;
}

void listen_find(struct broker_events *events, const struct change *change,
                 struct events_found *found)
{
    const struct job *job = change->job;
    const struct target_key all = {.len = 1, .bytes = {KEY_ALL}};
    found->count = 0;
    found->group = 0;
    found_add(found, target_find(events, &all));
    if (change->tube != NULL)
        found_add(found, broker_tube(change->tube)->listened);
    if (job == NULL)
        return;
    if (broker_tube(job->tube)->listened != NULL)
        found_add(found, broker_tube(job->tube)->listened);
    if (events->groups > 0)
        find_group(events, job, found);
    if (events->jobs > 0) {
        const struct target_key key = target_key_of(KEY_JOB, &job->id, sizeof(uint64_t));
        found_add(found, target_find(events, &key));
    }
}

/* ---- those who wait ---- */

static struct broker_listener *listener_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct broker_listener, later.node);
}

bool event_is_reached(struct broker *broker, const struct ticket *ticket)
{
    return broker_ticket_state(broker, ticket) != EINPROGRESS;
}

/* It isn't written yet: stands for its ticket. */
void listener_stand_for(struct broker_events *events, struct broker_listener *listener,
                        const struct ticket *ticket)
{
    list_remove(&listener->later.node);
    listener->ticket = *ticket;
    list_append(&events->pending, &listener->later.node);
    ticket_add(&events->wanted, ticket);
}

/* Whether anybody waits for its ticket. */
HELD static bool tell_line(struct broker_events *events, struct events_target *target,
                           const struct event *event)
{
    bool stands = false;
    const struct ticket ticket = event_ticket(event);
    bool reached = event_is_reached(events->broker, &ticket);
    struct list_node *node = list_first(&target->waiting);
    while (node != NULL) {
        struct broker_listener *listener = listener_of(node);
        node = list_next(&target->waiting, node);
        if (!event_is_seen(events, &listener->asker, event))
            continue;
        listener->at = event->number;
        if (reached)
            queue_domain_ready(events->broker->ledger.domain, &listener->later, 0);
        else {
            listener_stand_for(events, listener, &ticket);
            stands = true;
        }
    }
    return stands;
}

bool listen_tell(struct broker_events *events, const struct events_found *found,
                 const struct event *event)
{
    bool stands = false;
    for (size_t i = 0; i < found->count; i++) {
        struct events_target *target = found->target[i];
        atomic_store_explicit(&target->last, event->number, memory_order_release);
        stands |= tell_line(events, target, event);
    }
    return stands;
}

void listen_lost(struct broker_events *events, const struct events_found *found)
{
    uint64_t number = event_ring_last(&events->ring) + 1;
    for (size_t i = 0; i < found->count; i++) {
        struct events_target *target = found->target[i];
        struct list_node *node = list_first(&target->waiting);
        atomic_store_explicit(&target->last, number, memory_order_release);
        for (; node != NULL; node = list_next(&target->waiting, node))
            listener_of(node)->gap = true;
    }
    event_ring_skip(&events->ring);
}

void listen_published(struct broker_events *events)
{
    struct list_node *node = list_first(&events->pending);
    while (node != NULL) {
        struct broker_listener *listener = listener_of(node);
        node = list_next(&events->pending, node);
        if (event_is_reached(events->broker, &listener->ticket))
            queue_domain_ready(events->broker->ledger.domain, &listener->later, 0);
    }
}
