// SPDX-License-Identifier: MIT
/*
 * Events: who listens is told what happens to jobs and tubes, one after the other.
 *
 * Whoever listens does so to all, to a tube, to a group or to one job. Each change of that is an
 * event with a number. The latest BROKER_EVENTS_KEPT are kept, and each listener has a place among
 * them, so it costs nobody anything if one is slow: who was overtaken is told of a gap. Nobody else
 * pays for who listens: what nobody listens to isn't kept, and without a listener a change costs
 * one test of a word. Part of broker/broker.h.
 *
 *     broker_listen(broker, &what, &listener);
 *     do {
 *         broker_events_read(&listener, events, ...);      as long as it gives any
 *     } while (broker_events_wait(&listener) == 0);
 *     EINPROGRESS: listener.later fires when there is more; then read again
 *     broker_unlisten(&listener);
 *
 * An event is given out when what it tells is true as the level of the tube means it (durable.h):
 * so none tells what a crash takes back, and after the journal failed no more come. They are given
 * out in order, so one that isn't written yet holds up those behind it. Who waits for one has it
 * committed, also where nobody else would wait, as for a lease.
 *
 * Numbers rise, over restarts too, and leave some out. So a listener may go, come back with the
 * number it has seen last, and miss nothing, if it comes back within BROKER_LISTEN_KEPT_NS.
 *
 * Rights: of a job that the asker may not see, and of a tube, there are no events for it. What it
 * can tell from numbers is how many there were that it may not see, if others listen to them.
 *
 * Any thread; each listener by one thread at a time. The broker's lock is taken by listen, wait,
 * unlisten and a cancel, each for a moment, and not to read.
 */
#ifndef BROKER_EVENTS_H
#define BROKER_EVENTS_H

#include "broker/durable.h"
#include "job/job.h"
#include "thr/thr.h"
#include "trust/trust.h"

struct broker;

#define BROKER_EVENTS_KEPT 16384
#define BROKER_LISTEN_KEPT_NS (60 * HL_SECOND)
#define BROKER_LISTENED_MAX 4096 /* different tubes, groups and jobs */

enum broker_event_type {
#define BROKER_EVENT(name, word, what) BROKER_EVENT_##name,
#include "broker/events.def"
#undef BROKER_EVENT
    BROKER_EVENT_COUNT
};

/* "put", ...; static. */
const char *broker_event_word(enum broker_event_type type);

struct broker_event {
    uint64_t number;
    int64_t wall_ns; /* since 1970 */
    enum broker_event_type type;
    uint64_t id;                   /* of the job; 0: it is about the tube */
    enum job_state from, to;       /* of the job: before and afterwards */
    bool has_outcome;              /* RETRY, RETURN, BURY, CANCEL, FINISH */
    enum job_outcome_kind outcome; /* how the attempt, or the job, ended */
    uint32_t submitter;            /* JOB_NOBODY */
    /* From the put to the start of the attempt that begins or ends, or until now. */
    int64_t waited_ns;
    /* How long the attempt ran that ends; of a remote worker since it reserved or touched the job.
     * -1: none ends, or it isn't known. */
    int64_t ran_ns;
    /* Where it is now, and where a MOVE took it from; "": none, or the asker may not see that. */
    char tube[JOB_TUBE_NAME_MAX + 1], from_tube[JOB_TUBE_NAME_MAX + 1];
};

/* What to listen to: one of the first three, or (NULL, NULL, 0) everything. */
struct broker_listen {
    const char *tube;  /* needn't be there, and may go and come back */
    const char *group; /* as of broker_join_group_async; needn't be there */
    uint64_t id;
    const struct trust_view *asker; /* copied; its table outlives the listener */
    uint64_t after;                 /* from the event behind this number on; 0: from now on */
};

/* Memory is the caller's, and stays where it is until broker_unlisten. */
struct broker_listener {
    struct later later; /* fire: the caller's, set before broker_events_wait. result: 0 */
    /* the broker's */
    struct broker *broker; /* NULL: it doesn't listen */
    struct events_target *target;
    struct trust_view asker;
    uint64_t at;          /* the number of the event that it looks at next */
    bool gap;             /* something before that was lost */
    struct ticket ticket; /* that wasn't reached when it looked at it; 0: none */
};

/* EINVAL, ENAMETOOLONG: the name of the tube. ENOENT: no such job (any more). EDQUOT: too much is
 * listened to. ENOMEM. The listener is all zero before, or after an unlisten. */
int broker_listen(struct broker *broker, const struct broker_listen *what,
                  struct broker_listener *listener);
/* Not while it waits. A listener that doesn't listen: nothing happens. */
void broker_unlisten(struct broker_listener *listener);

/*
 * Copies those that have come, `max` at most. *gap: some before the first of them may be lost.
 * *count 0: there are no more just now. EIO: nor will there be, the journal has failed.
 */
int broker_events_read(struct broker_listener *listener, struct broker_event *to, size_t max,
                       size_t *count, bool *gap);
/* Of the last event that was read or passed over: `after` of a listener that goes on there. */
uint64_t broker_events_seen(const struct broker_listener *listener);
/* After a read that gave none. EINPROGRESS: it waits, once. 0: read again. */
int broker_events_wait(struct broker_listener *listener);

/* Lets go of what nobody has listened to for so long. To be called every second or so. */
void broker_forget_events(struct broker *broker);

#endif
