// SPDX-License-Identifier: MIT
/*
 * Events made of changes, and read.
 *
 * A change that nobody listens to is passed over before anything is written. Of the others the
 * event is filled in under the lock, from the change and from the job as it is afterwards: what
 * kind it is, how long the job waited and ran, and the ticket of its entry, by the level of its
 * tube. Reading is without the broker's lock: slots of the ring, and copies of names.
 */
#include "base/clock.h"
#include "broker/events_priv.h"

#include <errno.h>
#include <string.h>

static const char *const words[BROKER_EVENT_COUNT] = {
#define BROKER_EVENT(name, word, what) word,
#include "broker/events.def"
#undef BROKER_EVENT
};

const char *broker_event_word(enum broker_event_type type)
{
    ASSERT(type < BROKER_EVENT_COUNT);
    return words[type];
}

/* ---- what it tells ---- */

/* false: it is none; the lease of a token begins anew. */
static bool type_of(const struct change *change, enum broker_event_type *type)
{
    switch (change->type) {
    case JOB_ENTRY_PUT:
        *type = BROKER_EVENT_PUT;
        return true;
    case JOB_ENTRY_LEASE:
        *type = BROKER_EVENT_RESERVE;
        return true;
    case JOB_ENTRY_RELEASE:
        *type = BROKER_EVENT_RELEASE;
        return true;
    case JOB_ENTRY_RETRY:
    case JOB_ENTRY_TIMEOUT:
        *type = change->kind == JOB_OUTCOME_RETURNED ? BROKER_EVENT_RETURN : BROKER_EVENT_RETRY;
        return change->to != JOB_RESERVED;
    case JOB_ENTRY_KICK:
        *type = BROKER_EVENT_KICK;
        return true;
    case JOB_ENTRY_BURY:
        *type = BROKER_EVENT_BURY;
        return true;
    case JOB_ENTRY_DELETE:
        *type = change->to == JOB_RESERVED ? BROKER_EVENT_CANCEL : BROKER_EVENT_FINISH;
        return true;
    case JOB_ENTRY_MOVE:
        *type = BROKER_EVENT_MOVE;
        return true;
    case JOB_ENTRY_PAUSE:
        *type = change->to == JOB_DELAYED ? BROKER_EVENT_PAUSE : BROKER_EVENT_RESUME;
        return true;
    default:
        ASSERT(change->type == CHANGE_TYPE_DUE);
        *type = BROKER_EVENT_DUE;
        return true;
    }
}

static bool has_outcome(enum broker_event_type type)
{
    return type == BROKER_EVENT_RETRY || type == BROKER_EVENT_RETURN || type == BROKER_EVENT_BURY ||
           type == BROKER_EVENT_CANCEL || type == BROKER_EVENT_FINISH;
}

static uint64_t span_us(int64_t ns)
{
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    return us < EVENT_SPAN_MAX ? us : EVENT_SPAN_MAX - 1;
}

/* Of the attempt that the change ends; -1: it ends none, or it isn't known. The end of the lease is
 * still there unless another time took its place; then the attempt may be among the past ones. */
static int64_t ran_ns(const struct change *change, int64_t now_ns)
{
    const struct job *job = change->job;
    if (change->from != JOB_RESERVED || change->to == JOB_RESERVED)
        return -1;
    if (change->to == JOB_READY || change->to == JOB_FINISHED)
        return now_ns - (job->rare->key_ns - job_ttr_ns(job));
    const struct job_past *past = change->past != NULL ? job->rare->past : NULL;
    while (past != NULL && past->next != NULL)
        past = past->next;
    bool known = past != NULL && past->started_wall_ns != 0;
    return known ? past->ended_wall_ns - past->started_wall_ns : -1;
}

static void fill_job(struct event *event, const struct change *change)
{
    const struct job *job = change->job;
    int64_t now_ns = clock_now_ns(), ran = ran_ns(change, now_ns);
    int64_t begun_ns = ran >= 0 ? now_ns - ran : now_ns;
    event->id = job->id;
    event->submitter = submitter_of(job);
    event->ran_us = ran >= 0 ? span_us(ran) : EVENT_NO_SPAN;
    event->waited_us = span_us(begun_ns - job_created_ns(job));
}

/* The ticket of its entry, as far as the level of the tube waits for one. */
HELD static void fill_ticket(struct event *event, const struct change *change,
                             const struct tube *tube)
{
    const struct store *store = tube->ledger->store;
    const struct job *job = change->job;
    bool put = change->type == JOB_ENTRY_PUT || change->type == JOB_ENTRY_MOVE;
    event->level = tube->durability;
    if (store == NULL || tube->durability == DURABILITY_MEMORY)
        return;
    if ((change->flags & CHANGE_LOGGED) == 0 && !(put && job_is_logged(job)))
        return;
    if ((change->flags & CHANGE_SOFT) != 0)
        event->ticket = job->rare->ticket;
    else { /* store_told had it */
        struct ticket wanted = store_wanted(store);
        event->ticket = tube->durability == DURABILITY_INTERVAL ? wanted.written : wanted.durable;
    }
}

/* ENOMEM. */
HELD static int fill(struct broker_events *events, const struct change *change, struct event *event,
                     struct event_name *names[2])
{
    struct tube *tube = change->job != NULL ? change->job->tube : change->tube;
    int rc = event_name_of(&events->names, tube, &names[0]);
    if (rc == 0 && change->type == JOB_ENTRY_MOVE)
        rc = event_name_of(&events->names, change->tube, &names[1]);
    if (rc != 0)
        return rc;
    event->tube = names[0]->number;
    event->from_tube = names[1] != NULL ? names[1]->number : 0;
    event->wall_ns = clock_wall_ns();
    event->from = change->from;
    event->to = change->to;
    event->outcome = change->kind;
    if (change->job != NULL)
        fill_job(event, change);
    fill_ticket(event, change, tube);
    return 0;
}

void events_change(struct change_watch *watch, const struct change *change)
{
    struct broker_events *events = CONTAINER_OF(watch, struct broker_events, watch);
    MAGIC_CHECK(events, EVENTS_MAGIC);
    enum broker_event_type type;
    struct events_found found;
    struct event_name *names[2] = {NULL, NULL};
    if (!type_of(change, &type))
        return;
    listen_find(events, change, &found);
    if (found.count == 0)
        return;
    struct event event = {
        .type = type, .submitter = JOB_NOBODY, .group = found.group, .ran_us = EVENT_NO_SPAN};
    if (fill(events, change, &event, names) != 0) {
        listen_lost(events, &found);
        return;
    }
    event_ring_put(&events->ring, &event);
    for (size_t i = 0; i < 2 && names[i] != NULL; i++)
        event_name_use(&events->names, names[i], event.number);
    event_names_trim(&events->names, event.number - BROKER_EVENTS_KEPT + 1);
    if (listen_tell(events, &found, &event) && (change->flags & CHANGE_SOFT) != 0)
        events->broker->unlock_tells |= UNLOCK_TOLD; /* else it is wanted by who made it */
}

/* ---- reading ---- */

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

static bool is_reached(const struct ticket *ticket, const struct ticket *reached)
{
    return reached->written >= ticket->written && reached->durable >= ticket->durable;
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
        if (of_it && !is_reached(&ticket, &reached)) {
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
