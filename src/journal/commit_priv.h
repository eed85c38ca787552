// SPDX-License-Identifier: MIT
/*
 * The inside of commit: two batches, the pending one under the owner's lock, the taken one with the
 * role.
 */
#ifndef JOURNAL_COMMIT_PRIV_H
#define JOURNAL_COMMIT_PRIV_H

#include "base/counter.h"
#include "base/magic.h"
#include "journal/commit.h"
#include "thr/thr.h"

#include <stdatomic.h>

#define COMMIT_MAGIC 0xc0447000u

#define COMMIT_PENDING_DEFAULT ((size_t)8 * 1024 * 1024)
#define COMMIT_FRAME_DEFAULT ((size_t)1024 * 1024)
/* What a record takes beside its own bytes, frame included. */
#define COMMIT_RECORD_OVERHEAD ((size_t)40)

/* One change. Its head (all but the body) is in the batch's heads. */
struct slot {
    uint64_t id;
    uint64_t older; /* ticket of the same job's change before; 0: none */
    union {
        struct job_body *body; /* a reference; NULL: no body */
        void *late;            /* if is_late: its body is still to be made */
    };
    uint32_t head_at;
    uint16_t head_len;
    uint8_t type;     /* enum job_entry_type */
    bool is_late : 1; /* never of a change that may be cancelled */
    bool gone : 1;    /* cancelled */
    bool first : 1;   /* the job's first PUT is in this batch, at this change or before */
    bool copies : 1;  /* of class COMPACT */
    bool stays : 1;   /* says something of more than its job, so it doesn't vanish with that */
};

struct batch {
    uint64_t base; /* ticket of slot[0] */
    struct slot *slot;
    size_t count, cap;
    size_t gone; /* cancelled ones */
    struct buf heads;
    size_t bytes;      /* of records that are not cancelled, with overhead */
    int64_t within_ns; /* the least of all; INT64_MAX: none */
    bool copies;       /* any of class COMPACT */
    void (*drop)(void *late);
};

struct commit {
    unsigned magic;
    struct commit_options options;
    struct journal_facts facts; /* of its journal */

    /* Covered by the owner's lock. */
    struct batch pending;
    uint64_t last; /* ticket */

    /* Owned by the role. */
    struct batch taken;
    size_t taken_next;   /* the slot that is appended next; taken.count: nothing is left */
    uint64_t sequence;   /* of the journal's last frame */
    uint64_t unsynced;   /* the last ticket that is written and perhaps not durable */
    bool unsynced_frame; /* a frame was appended without sync since the last one */
    struct journal_record *records;
    struct slot **record_slots;
    size_t records_cap;
    struct commit_placed *placed;
    size_t placed_count, placed_cap;

    _Atomic bool led; /* somebody has the role */
    _Atomic bool wanted[2];
    _Atomic uint64_t trim_wanted; /* the place; 0: nobody waits for it */
    _Atomic uint64_t reached[2];
    _Atomic int64_t pending_due_ns; /* of what is pending; CLOCK_NEVER */
    _Atomic int64_t taken_due_ns;   /* of what is written and not synced */
    _Atomic size_t pending_bytes;   /* of the pending batch */
    _Atomic size_t taken_bytes;     /* taken and not written */
    _Atomic int failed;
    _Atomic bool stuck; /* no space at the last try */

    /* brief.c */
    _Atomic int64_t brief_ns; /* what a small commit takes; owned by the role, read by anybody */
    _Atomic bool left;        /* to the thread, by commit_lead_briefly */

    /* The thread. */
    hl_thread *thread; /* NULL: none, or stopped */
    _Atomic uint32_t bell;
    _Atomic bool asleep;
    _Atomic int64_t sleep_until_ns;
    _Atomic bool stop;
    bool stopped;

    struct counter commits, changes, cancelled, batch_max, led_inline;
    struct counter batch_log2[JOURNAL_LOG2];
};

/* batch.c */
/* drop: of commit_options. */
void batch_init(struct batch *batch, void (*drop)(void *late));
void batch_fini(struct batch *batch);
/* Drops the references on bodies and forgets all; keeps the memory unless it is much. */
void batch_clear(struct batch *batch);
/* Room for so many more. ENOMEM. */
int batch_reserve(struct batch *batch, size_t changes);
/* There is room. */
struct slot *batch_add(struct batch *batch, const struct job_entry *entry);
/* The slot of that ticket; NULL: it isn't in this batch. */
struct slot *batch_find(const struct batch *batch, uint64_t ticket);
void batch_cancel(struct batch *batch, struct slot *slot);
/* Its body isn't needed here any more, made or not. */
void batch_release(const struct batch *batch, struct slot *slot);

/* commit_role.c */
bool commit_wanted(const struct commit *commit);
bool commit_is_due(const struct commit *commit);
/* By the thread "commit", which must be the only one: writes what is pending and syncs it without
 * the role, so that who wants a write meanwhile gets it. Serves others between. As commit_lead. */
int commit_flush(struct commit *commit);

/* Takes the role for one round of what is wanted; `due`: and of what is due. ENODATA: nothing is.
 * EBUSY, and what commit_lead says. */
int commit_round(struct commit *commit, bool due);

/* brief.c */
/* A round with a sync took so long for so many bytes. Who has the role. */
void brief_measure(struct commit *commit, size_t bytes, int64_t took_ns);

/* commit_thread.c */
int commit_thread_start(struct commit *commit);
void commit_thread_stop(struct commit *commit);
/* Wakes it if it sleeps. Without the thread: nothing happens. */
void commit_thread_wake(struct commit *commit);
/* Wakes it if it would sleep longer than that. Without the thread: nothing happens. */
void commit_thread_arm(struct commit *commit, int64_t due_ns);

#endif
