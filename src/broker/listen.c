// SPDX-License-Identifier: MIT
/*
 * Listeners: who is told of events, and of what.
 *
 * What is listened to is a target: all, a tube by its name, a group, or a job. A tube that has one
 * knows it; groups and jobs are looked up, as long as any of them is listened to. So a change finds
 * its targets, and where there are none it is no event. A target stays for a while after its last
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

#define TARGET_MAGIC 0xb40ce4e2u

/* ---- targets ---- */

enum { KEY_ALL = 'a', KEY_TUBE = 't', KEY_GROUP = 'g', KEY_JOB = 'j' };
#define KEY_MAX (1 + sizeof(uint32_t) + JOB_TUBE_NAME_MAX + JOB_TEXT_MAX)

struct target_key {
    size_t len;
    char bytes[KEY_MAX];
};

static void key_add_bytes(struct target_key *key, const void *bytes, size_t len)
{
    ASSERT(len <= KEY_MAX - key->len);
    memcpy(key->bytes + key->len, bytes, len);
    key->len += len;
}

static struct target_key key_of(char kind, const void *bytes, size_t len)
{
    struct target_key key = {.len = 1, .bytes = {kind}};
    key_add_bytes(&key, bytes, len);
    return key;
}

static struct target_key key_of_group(uint32_t submitter, const char *name)
{
    struct target_key key = key_of(KEY_GROUP, &submitter, sizeof(submitter));
    key_add_bytes(&key, name, strlen(name));
    return key;
}

HELD static struct events_target *target_find(const struct broker_events *events,
                                              const struct target_key *key)
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

HELD static void target_drop(struct broker_events *events, struct events_target *target)
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
HELD static int target_make(struct broker_events *events, const struct target_key *key,
                            const struct job *job, struct events_target **out)
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
    const struct target_key key = key_of(KEY_TUBE, tube->name, tube->name_len);
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
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    if (options == NULL || options->group[0] == '\0')
        return;
    const struct target_key key = key_of_group(submitter_of(job), options->group);
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
        const struct target_key key = key_of(KEY_JOB, &job->id, sizeof(uint64_t));
        found_add(found, target_find(events, &key));
    }
}

/* ---- those who wait ---- */

static struct broker_listener *listener_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct broker_listener, later.node);
}

HELD static bool is_reached(struct broker *broker, const struct ticket *ticket)
{
    struct ticket reached;
    int failed = broker_ticket_reached(broker, &reached);
    return failed != 0 ||
           (reached.written >= ticket->written && reached.durable >= ticket->durable);
}

/* It isn't written yet: stands for its ticket. */
HELD static void stand_for(struct broker_events *events, struct broker_listener *listener,
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
    bool reached = is_reached(events->broker, &ticket);
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
            stand_for(events, listener, &ticket);
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
        if (is_reached(events->broker, &listener->ticket))
            queue_domain_ready(events->broker->ledger.domain, &listener->later, 0);
    }
}

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
             : is_reached(events->broker, &listener->ticket))
        return 0;
    later_wait(&listener->later, listener_cancel);
    if (none)
        list_append(&listener->target->waiting, &listener->later.node);
    else
        stand_for(events, listener, &listener->ticket);
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
    const struct target_key key = key_of(KEY_JOB, &what->id, sizeof(what->id));
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
        *key = key_of(KEY_TUBE, what->tube, strlen(what->tube));
    else if (what->group != NULL) {
        uint32_t submitter;
        const char *name = group_said_key(broker, what->asker, what->group, &submitter);
        if (strlen(name) > JOB_TEXT_MAX)
            return ENAMETOOLONG;
        *key = key_of_group(submitter, name);
    } else if (what->id != 0) {
        *key = key_of(KEY_JOB, &what->id, sizeof(what->id));
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
