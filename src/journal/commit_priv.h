// SPDX-License-Identifier: MIT
/*
 * The inside of commit: the pending batch, under the owner's lock, and the flights that carry what
 * was pending into the journal.
 *
 * Arrows: the files of commit, and compact.c, include this; it includes commit.h, and nothing of a
 * backend.
 */
#ifndef JOURNAL_COMMIT_PRIV_H
#define JOURNAL_COMMIT_PRIV_H

#include "base/clock.h"
#include "base/counter.h"
#include "base/magic.h"
#include "journal/batch_priv.h"
#include "journal/commit.h"
#include "thr/thr.h"

#include <stdatomic.h>

#define COMMIT_MAGIC 0xc0447000u

#define COMMIT_PENDING_DEFAULT ((size_t)8 * 1024 * 1024)
#define COMMIT_FRAME_DEFAULT ((size_t)1024 * 1024)

enum flight_state { FLIGHT_FREE = 0, FLIGHT_TAKEN, FLIGHT_OUT, FLIGHT_DONE };

/* A batch on its way into the journal, and the append that is under way for it. */
struct flight {
    struct commit *commit;
    struct batch batch;
    size_t next, after;             /* the frame under way: slots from `next` to before `after` */
    struct journal_record *records; /* of that frame */
    struct slot **slots;
    size_t count, records_cap;
    struct commit_placed *placed; /* of the frames that count */
    size_t placed_count, placed_cap;
    struct journal_append append;
    bool sync;           /* the batch is to be durable */
    bool durable;        /* it is, and all before it */
    int result;          /* once it is done: as of an append */
    int64_t begun_ns;    /* 0: nothing to measure */
    _Atomic bool framed; /* the frame is done, and there are more */
    _Atomic uint32_t state;
};

struct commit {
    unsigned magic;
    struct commit_options options;
    struct journal_facts facts; /* of its journal */

    /* Covered by the owner's lock. */
    struct batch pending;
    uint64_t last; /* ticket */

    /* Owned by the role. */
    uint64_t sequence;   /* of the last frame that was begun */
    bool unsynced_frame; /* a frame was begun without sync since the last one with */

    /* flight.c. The ring: flights `oldest` to before `begun`, each at the place of its number. */
    struct flight *flights;
    unsigned flights_mask;    /* places, a power of two, less one */
    _Atomic uint64_t begun;   /* by the role */
    _Atomic uint64_t oldest;  /* by who lands */
    _Atomic bool landing;     /* somebody lands flights */
    _Atomic uint32_t landers; /* see there */
    _Atomic uint64_t counts;  /* the last frame that counts */

    _Atomic bool led; /* somebody has the role */
    _Atomic bool wanted[2];
    _Atomic uint64_t trim_wanted; /* the place; 0: nobody waits for it */
    _Atomic uint64_t reached[2];
    _Atomic int64_t pending_due_ns; /* of what is pending; CLOCK_NEVER */
    _Atomic int64_t taken_due_ns;   /* of what was taken, and no sync was begun for */
    _Atomic size_t pending_bytes;   /* of the pending batch */
    _Atomic size_t taken_bytes;     /* taken and not written */
    _Atomic int failed;
    _Atomic bool stuck; /* no room at the last try */

    /* commit_pace.c */
    _Atomic int64_t small_ns; /* what a small commit takes; owned by who lands, read by anybody */
    /* Until then the disk counts as slow, and for how long it did so the last time; 0: never. */
    _Atomic int64_t slow_until_ns, slow_span_ns;

    /* The thread. */
    hl_thread *thread; /* NULL: none, or stopped */
    _Atomic bool left; /* work, to it */
    _Atomic uint32_t bell;
    _Atomic bool asleep;
    _Atomic int64_t sleep_until_ns;
    _Atomic bool stop;
    bool stopped;

    struct counter commits, changes, cancelled, batch_max, led_inline;
    struct counter batch_log2[JOURNAL_LOG2];
};

static inline struct flight *flight_at(const struct commit *commit, uint64_t number)
{
    return &commit->flights[number & commit->flights_mask];
}

static inline struct flight *flight_oldest(const struct commit *commit)
{
    return flight_at(commit, atomic_load(&commit->oldest));
}

/* Any thread. */
static inline bool flights_have_free(const struct commit *commit)
{
    return atomic_load(&commit->begun) - atomic_load(&commit->oldest) < commit->facts.window;
}

/* Any thread. */
static inline bool flights_out(const struct commit *commit)
{
    uint64_t begun = atomic_load(&commit->begun);
    for (uint64_t n = atomic_load(&commit->oldest); n < begun; n++)
        if (atomic_load(&flight_at(commit, n)->state) == FLIGHT_OUT)
            return true;
    return false;
}

/* By the role: the oldest found no room, and is to be begun again, with all that are behind it. */
static inline bool flights_held(const struct commit *commit)
{
    return atomic_load(&flight_oldest(commit)->state) == FLIGHT_TAKEN;
}

/* Any thread. */
static inline bool commit_wanted(const struct commit *commit)
{
    return atomic_load(&commit->trim_wanted) != 0 || atomic_load(&commit->wanted[COMMIT_WRITTEN]) ||
           atomic_load(&commit->wanted[COMMIT_DURABLE]);
}

/* commit_due_ns. Any thread. */
static inline int64_t commit_due(const struct commit *commit)
{
    int64_t pending = atomic_load(&commit->pending_due_ns);
    int64_t taken = atomic_load(&commit->taken_due_ns);
    return pending < taken ? pending : taken;
}

/* Any thread. */
static inline bool commit_is_due(const struct commit *commit)
{
    int64_t due = commit_due(commit);
    return due != CLOCK_NEVER && due <= clock_now_ns();
}

/* flight.c, by the role but for what says otherwise */
/* ENOMEM. */
int flights_init(struct commit *commit);
void flights_fini(struct commit *commit); /* nothing is out */
/* What is pending is in a flight then, which is to be begun at once. One is free. */
struct flight *flight_load(struct commit *commit);
/* Appends it. It is the journal's, or has landed, when this returns. */
void flight_begin(struct commit *commit, struct flight *flight, bool sync);
/* The same for all that are held, in their order; they may be held again afterwards. */
void flights_again(struct commit *commit, bool sync);
/* Nothing is out: all are dropped, and nothing will be durable any more. Returns EIO. */
int flights_fail(struct commit *commit, int result);
/* Until nothing is out, and nobody lands. Any thread. */
void flights_await(struct commit *commit);
/* The same, and the sequence is that of the last frame that counts. */
void flights_quiet(struct commit *commit);
/* Until one is free, or they are held. */
void flights_await_free(struct commit *commit);
/* What is durable rises to that ticket. Any thread. */
void commit_durable(struct commit *commit, uint64_t ticket);
/* Tells the owner that numbers have risen. Any thread. */
void commit_published(const struct commit *commit);

/* commit_round.c */
/* By the thread "commit", which must be the only one: writes what is pending and syncs it without
 * the role, so that who wants a write meanwhile gets it. Serves others between. As commit_lead. */
int commit_flush(struct commit *commit);
/* Takes the role for one round of what is wanted; `due`: and of what is due. ENODATA: nothing is.
 * EBUSY, and what commit_lead says. */
int commit_round(struct commit *commit, bool due);
/* Until nothing is wanted or due; it may be on its way yet. What commit_lead says. */
int commit_rounds(struct commit *commit);

/* commit_pace.c */
#define PACE_BYTES ((size_t)256 * 1024) /* of a commit that is small */
#define PACE_QUICK_NS INT64_C(1000000)  /* what such a one takes on a quick disk, at most */
/* Appends of so many bytes, which began no segment, took so long, with a sync or without. By who
 * lands. */
void pace_measure(struct commit *commit, size_t bytes, bool sync, int64_t took_ns);

/* The disk was slow a moment ago. Any thread. */
static inline bool pace_is_slow(const struct commit *commit)
{
    int64_t until_ns = atomic_load_explicit(&commit->slow_until_ns, memory_order_relaxed);
    return until_ns != 0 && clock_now_ns() < until_ns;
}

/* Small commits are. Any thread. */
static inline bool pace_is_quick(const struct commit *commit)
{
    return atomic_load_explicit(&commit->small_ns, memory_order_relaxed) <= PACE_QUICK_NS;
}

/* commit_thread.c */
int commit_thread_start(struct commit *commit);
void commit_thread_stop(struct commit *commit);

/* commit_bell.c, by any thread */
/* What is wanted is the thread's to lead. */
void commit_leave(struct commit *commit);
/* Wakes it if it sleeps. Without the thread: nothing happens. */
void commit_thread_wake(struct commit *commit);
/* Wakes it if it would sleep longer than that. Without the thread: nothing happens. */
void commit_thread_arm(struct commit *commit, int64_t due_ns);

#endif
