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
        return now_ns - (job->extra->key_ns - job_ttr_ns(job));
    const struct job_attempts *past = change->past != NULL ? job->extra->past : NULL;
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
        event->ticket = job->extra->ticket;
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
