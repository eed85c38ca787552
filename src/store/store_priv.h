// SPDX-License-Identifier: MIT
/*
 * The inside of the store, for its own files.
 *
 * Covered by the ledger's lock, but what is atomic or set once.
 */
#ifndef STORE_PRIV_H
#define STORE_PRIV_H

#include "base/assert.h"
#include "base/magic.h"
#include "journal/journal.h"
#include "store/store.h"

#define STORE_MAGIC 0xb40ce106u

/* The records of finished jobs that only the journal has on the disk, see results.c. */
struct store_results {
    uint64_t durable; /* up to this number they are not needed */
    struct result_note {
        uint64_t number, bytes;
    } * notes;                /* a ring of those that are, as they were added */
    size_t first, count, cap; /* cap: a power of two, or 0 */
    uint64_t bytes;           /* of all in it; part of live_bytes */
    uint64_t untied;
};

struct store {
    unsigned magic;
    struct ledger *ledger;
    struct store_options options;
    void (*look)(struct ledger *ledger);
    struct journal *journal;
    struct commit *commit;
    struct compact *compact;
    uint64_t id_limit; /* ids below it may be issued once the record that says so is durable */
    uint64_t id_safe;
    uint64_t limits_ticket; /* of that record; 0: it is durable */
    struct ticket wanted;   /* the last that anybody has to wait for */
    uint64_t live_bytes;
    uint64_t died_bytes; /* of records, about, since the beginning */
    uint64_t copied;     /* records that compaction added again */
    uint64_t evicted_jobs, evicted_bytes;
    struct store_results results;
    enum store_turn turn; /* of what is being decided now */
    size_t standing[STORE_LINE_COUNT];
    bool stopped;

    /* pressure.c: */
    bool compacted;         /* by somebody, when it is due */
    bool compact_stuck;     /* it gained nothing when it was tried last */
    uint64_t ceiling;       /* bytes of the journal beyond which puts wait; 0: not known yet */
    _Atomic bool puts_wait; /* written under the lock */
    uint64_t pass_left, pass_died; /* trims of the pass that are left; died_bytes at its begin */
    /* of the thread that compacts: */
    _Atomic bool compacting;
    uint64_t retired; /* trims that gave something back */

    _Atomic uint32_t published; /* counts; threads park on it */
    _Atomic uint32_t parked;    /* how many */
    _Atomic uint64_t fetches, fetch_failures;
};

static inline struct store *store_of(const struct job *job)
{
    return job->tube->ledger->store;
}

/* ---- store.c ---- */

/* The commits begin, behind the frame of that number. What commit_new says. */
int store_begin(struct store *store, uint64_t last_sequence);

/* ---- ticket.c ---- */

/* Without the lock. Sleeps until something was published after `seen`, for a short time. */
void store_park(struct store *store, uint32_t seen);

/* ---- id_limit.c ---- */

/* Whether that id may be told to anybody, and sees to it that others follow. EAGAIN: not
 * now, a commit brings it. ENOSPC, ENOMEM: no commit does. EIO. ENOTRECOVERABLE: there are no ids
 * left. */
int id_admit(struct store *store, uint64_t id) HELD;
/* Without the lock. The first limit is durable before anybody needs it, unless the disk is full:
 * then puts are refused until it isn't. EIO. */
int id_limit_begin(struct store *store);
/* The last one, exact. */
void id_limit_end(struct store *store) HELD;

/* ---- pressure.c ---- */

/* Whether a put has to wait for compaction; by the last commit. */
HELD static inline bool pressure_puts_wait(const struct store *store)
{
    return atomic_load(&store->puts_wait);
}
/* The same for one of many that come in at once: what isn't written yet counts, too. */
bool pressure_line_waits(const struct store *store) HELD;
/* There is no space for a change; whether compaction is making some, or is about to. */
bool pressure_may_fall(struct store *store) HELD;
bool pressure_is_full(const struct store *store) HELD;

/* ---- record.c ---- */

/* What an entry takes at most beside tube, reason and body; see job/codec.h. */
#define ENTRY_BYTES 96
/* Bytes of a job's options in the journal; likewise of its past attempts, about. */
size_t options_size(const struct job *job);
size_t past_size(const struct job *job);

/* ---- evict.c ---- */

/* The hook of commit_options. */
void store_placed(void *arg, const struct commit_placed *placed, size_t count);

/* ---- copy.c: the hook of compact_options ---- */

int store_living(void *arg, uint64_t locator, const void *bytes, size_t len);

/* ---- results.c ---- */

/* The hooks of commit_options: an end as the bytes of its record. */
int result_bytes_make(void *end, struct job_body **body);
void result_bytes_drop(void *end);
/* It is in the journal, and alive. */
void result_note(struct store *store, uint64_t number, size_t body_len) HELD;
/* As store_living. */
int result_living(struct store *store, const struct job_entry *entry) HELD;
void results_free(struct store *store);

#endif
