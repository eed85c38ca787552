// SPDX-License-Identifier: MIT
/*
 * Events, for the broker's own files. event_ring.c keeps them, event_names.c has the names of their
 * tubes, events.c makes them of changes, and listen.c has who listens.
 */
#ifndef BROKER_EVENTS_PRIV_H
#define BROKER_EVENTS_PRIV_H

#include "broker/watch_priv.h"

/* ---- event_ring.c ---- */

#define EVENT_SPAN_MAX ((UINT64_C(1) << 48) - 1)
#define EVENT_NO_SPAN EVENT_SPAN_MAX
#define EVENT_MARK BROKER_EVENT_COUNT /* a type: no event, but a number that is used up */

/* As it is kept. */
struct event {
    uint64_t number;
    int64_t wall_ns;
    uint64_t id;
    uint64_t ticket;          /* of `level`; 0: none */
    uint32_t tube, from_tube; /* numbers of names; 0: none */
    uint32_t group;           /* number of a target; 0: nobody listens to it, or none */
    uint32_t submitter;
    uint64_t waited_us : 48, type : 8, outcome : 8;
    uint64_t ran_us : 48, from : 4, to : 4, level : 8; /* EVENT_NO_SPAN: none */
};
#define EVENT_WORDS 8
_Static_assert(sizeof(struct event) == EVENT_WORDS * sizeof(uint64_t), "it is copied by words");

struct event_slot {
    _Atomic uint64_t word[EVENT_WORDS]; /* the first is the number; 0: it is being written */
};

struct event_ring {
    struct event_slot *slots; /* BROKER_EVENTS_KEPT */
    _Atomic uint64_t last;    /* number of the last event; written under the broker's lock */
};

/* ENOMEM. */
int event_ring_init(struct event_ring *ring);
void event_ring_fini(struct event_ring *ring);
static inline uint64_t event_ring_last(const struct event_ring *ring)
{
    return atomic_load_explicit(&ring->last, memory_order_acquire);
}
/* Numbers it. */
void event_ring_put(struct event_ring *ring, struct event *event) HELD;
/* One that can't be kept: a number that will never be found. */
void event_ring_skip(struct event_ring *ring) HELD;
/* Any thread, no lock. ESTALE: it is overwritten, or was never kept. */
int event_ring_get(const struct event_ring *ring, uint64_t number, struct event *event);

/* ---- event_names.c ---- */

struct event_name {
    unsigned magic;
    uint32_t number; /* not 0 */
    uint16_t trust_class;
    struct tube *tube;     /* NULL: it is gone */
    uint64_t last;         /* the last event that has it */
    size_t pins;           /* targets */
    struct list_node node; /* event_names.used */
    size_t len;
    char text[];
};

struct event_names {
    struct strmap by_text;
    struct idmap by_number; /* changed under both locks, so read under either */
    struct list used;       /* the longest unused first */
    uint32_t last;
    hl_lock *lock;
};

/* ENOMEM, EAGAIN. */
int event_names_init(struct event_names *names);
void event_names_fini(struct event_names *names);
/* Makes it if there is none; of a tube that isn't there. ENOMEM. */
int event_name_need(struct event_names *names, const char *text, size_t len, uint16_t trust_class,
                    struct event_name **out) HELD;
/* The same for a tube, which knows it from then on. */
int event_name_of(struct event_names *names, struct tube *tube, struct event_name **out) HELD;
/* It is in the event of that number. */
void event_name_use(struct event_names *names, struct event_name *name, uint64_t number) HELD;
/* Lets go of a few that no event has any more that is kept. */
void event_names_trim(struct event_names *names, uint64_t oldest) HELD;
/* Not held; a copy, and its class. ENOENT. */
int event_name_get(struct event_names *names, uint32_t number, char *text, uint16_t *trust_class);

/* ---- event_targets.c ---- */

#define EVENTS_MAGIC 0xb40ce4e0u
#define TARGET_MAGIC 0xb40ce4e2u

/* What is listened to. */
struct events_target {
    unsigned magic;
    uint64_t id;             /* a job's; with submitter and class as they were */
    uint32_t submitter;      /* a job's */
    uint16_t trust_class;    /* a job's tube's */
    uint32_t number;         /* a group's: in the events of it */
    struct event_name *name; /* a tube's, pinned */
    uint64_t since;          /* all events from this number on were kept */
    _Atomic uint64_t last;   /* the last one of it; written under the lock */
    size_t listeners;
    int64_t idle_ns;       /* since when there are none */
    struct list waiting;   /* of broker_listener.later.node */
    struct list_node idle; /* broker_events.idle */
    size_t key_len;
    char key[];
};

struct broker_events {
    unsigned magic;
    struct broker *broker;
    struct change_watch watch; /* in use as long as there are targets */
    struct event_ring ring;
    struct event_names names;
    struct strmap targets;
    size_t groups, jobs; /* of these */
    uint32_t last_group;
    struct list idle;     /* of struct events_target without listeners, the oldest first */
    struct list pending;  /* of broker_listener.later.node: wait for a ticket */
    struct ticket wanted; /* of the last one that came into it */
};

#define EVENTS_TARGETS_MAX 5
struct events_found {
    size_t count;
    struct events_target *target[EVENTS_TARGETS_MAX];
    uint32_t group; /* the number of a group among them */
};

/* By what a target is found. */
enum { KEY_ALL = 'a', KEY_TUBE = 't', KEY_GROUP = 'g', KEY_JOB = 'j' };
#define KEY_MAX (1 + sizeof(uint32_t) + JOB_TUBE_NAME_MAX + JOB_TEXT_MAX)

struct target_key {
    size_t len;
    char bytes[KEY_MAX];
};

struct target_key target_key_of(char kind, const void *bytes, size_t len);
struct target_key target_key_of_group(uint32_t submitter, const char *name);
/* NULL: none. */
struct events_target *target_find(const struct broker_events *events,
                                  const struct target_key *key) HELD;
/* ENOMEM. */
int target_make(struct broker_events *events, const struct target_key *key, const struct job *job,
                struct events_target **out) HELD;
void target_drop(struct broker_events *events, struct events_target *target) HELD;
bool event_is_reached(struct broker *broker, const struct ticket *ticket) HELD;
/* It isn't written yet: the listener stands for its ticket. */
void listener_stand_for(struct broker_events *events, struct broker_listener *listener,
                        const struct ticket *ticket) HELD;
/* Who is listened to that the change is of. */
void listen_find(struct broker_events *events, const struct change *change,
                 struct events_found *found) HELD;
/* The event is in the ring: those who wait for it are told; or (true) wait for its ticket. */
bool listen_tell(struct broker_events *events, const struct events_found *found,
                 const struct event *event) HELD;
/* It isn't, for want of memory. */
void listen_lost(struct broker_events *events, const struct events_found *found) HELD;
/* A tube was made, of a name that may be listened to; a tube goes. */
void listen_tube_made(struct tube *tube) HELD;
void listen_tube_gone(struct tube *tube) HELD;
/* Something was published, or never will be. */
void listen_published(struct broker_events *events) HELD;
/* ---- listen.c ---- */

/* NULL: nothing happens. */
void events_free(struct broker *broker);

/* ---- event_read.c ---- */

/* Whether that asker may know of it. */
bool event_is_seen(struct broker_events *events, const struct trust_view *asker,
                   const struct event *event);
struct ticket event_ticket(const struct event *event);

/* ---- events.c ---- */

void events_change(struct change_watch *watch, const struct change *change) HELD;

#endif
