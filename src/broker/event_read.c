// SPDX-License-Identifier: MIT
/*
 * Events read: without the broker's lock, from slots of the ring and copies of names.
 */
#include "broker/events_priv.h"

#include <errno.h>
#include <string.h>

static bool has_outcome(enum broker_event_type type)
{
    return type == BROKER_EVENT_RETRY || type == BROKER_EVENT_RETURN || type == BROKER_EVENT_BURY ||
           type == BROKER_EVENT_CANCEL || type == BROKER_EVENT_FINISH;
}

struct ticket event_ticket(const struct event *event)
{
    return (struct ticket){
        .written = event->level == DURABILITY_INTERVAL ? event->ticket : 0,
        .durable = event->level == DURABILITY_COMMIT ? event->ticket : 0,
    };
}

static bool may_see(const struct trust_view *asker, uint16_t tube_class, uint32_t submitter)
{
    return trust_ask(asker, tube_class, TRUST_see, submitter) == TRUST_MAY;
}

/* With the names that the asker may know; false: none. */
static bool copy_names(struct broker_events *events, const struct trust_view *asker,
                       const struct event *event, char *tube, char *from_tube)
{
    uint16_t tube_class;
    tube[0] = from_tube[0] = '\0';
    if (event_name_get(&events->names, event->tube, tube, &tube_class) == 0 &&
        !may_see(asker, tube_class, event->submitter))
        tube[0] = '\0';
    if (event->from_tube != 0 &&
        event_name_get(&events->names, event->from_tube, from_tube, &tube_class) == 0 &&
        !may_see(asker, tube_class, event->submitter))
        from_tube[0] = '\0';
    return tube[0] != '\0' || from_tube[0] != '\0';
}

bool event_is_seen(struct broker_events *events, const struct trust_view *asker,
                   const struct event *event)
{
    char tube[JOB_TUBE_NAME_MAX + 1], from_tube[JOB_TUBE_NAME_MAX + 1];
    return copy_names(events, asker, event, tube, from_tube);
}

static int64_t span_ns(uint64_t us)
{
    return (int64_t)us * 1000;
}

static bool copy_out(const struct broker_listener *listener, const struct event *event,
                     struct broker_event *to)
{
    enum broker_event_type type = (enum broker_event_type)event->type;
    to->number = event->number;
    to->wall_ns = event->wall_ns;
    to->type = type;
    to->id = event->id;
    to->from = (enum job_state)event->from;
    to->to = (enum job_state)event->to;
    to->has_outcome = has_outcome(type);
    to->outcome = (enum job_outcome_kind)event->outcome;
    to->submitter = event->submitter;
    to->waited_ns = span_ns(event->waited_us);
    to->ran_ns = event->ran_us != EVENT_NO_SPAN ? span_ns(event->ran_us) : -1;
    return copy_names(listener->broker->events, &listener->asker, event, to->tube, to->from_tube);
}

static bool is_of(const struct events_target *target, const struct event *event)
{
    if (event->type == EVENT_MARK)
        return false;
    if (target->id != 0)
        return event->id == target->id;
    if (target->name != NULL)
        return event->tube == target->name->number || event->from_tube == target->name->number;
    return target->number == 0 || event->group == target->number;
}

/* Its place is overwritten, or is that of an event for which there was no memory: it goes on with
 * what is kept, a little behind the oldest. What wasn't of its target isn't missed. */
static void fall_behind(struct broker_listener *listener, uint64_t last)
{
    uint64_t oldest = last + 1 - BROKER_EVENTS_KEPT;
    uint64_t of_it = atomic_load_explicit(&listener->target->last, memory_order_acquire);
    listener->gap = listener->gap || of_it >= listener->at;
    if (of_it < listener->at)
        listener->at = last + 1;
    else if (listener->at < oldest)
        listener->at = oldest + BROKER_EVENTS_KEPT / 16;
    else
        listener->at++;
}

int broker_events_read(struct broker_listener *listener, struct broker_event *to, size_t max,
                       size_t *count, bool *gap)
{
    const struct event_ring *ring = &listener->broker->events->ring;
    struct ticket reached;
    struct event event;
    int failed = broker_ticket_reached(listener->broker, &reached);
    uint64_t last = event_ring_last(ring);
    listener->ticket = (struct ticket){0};
    *count = 0;
    *gap = listener->gap;
    while (*count < max && listener->at <= last) {
        if (event_ring_get(ring, listener->at, &event) != 0) {
            fall_behind(listener, last = event_ring_last(ring));
            if (listener->gap && *count > 0)
                return 0; /* the gap is before the next one */
            *gap = listener->gap;
            continue;
        }
        const struct ticket ticket = event_ticket(&event);
        bool of_it = is_of(listener->target, &event);
        if (of_it && !ticket_is_reached(&ticket, &reached)) {
            listener->ticket = ticket;
            break;
        }
        if (of_it && copy_out(listener, &event, &to[*count]))
            (*count)++;
        listener->at++;
    }
    listener->gap = false;
    return *count == 0 && failed != 0 && !ticket_is_none(&listener->ticket) ? EIO : 0;
}

uint64_t broker_events_seen(const struct broker_listener *listener)
{
    return listener->at - 1;
}
