// SPDX-License-Identifier: MIT
/*
 * Figures of the store and of its journal, as values: for who shows them. Part of store.h and of
 * broker.h; it knows nothing of either.
 */
#ifndef STORE_STATS_H
#define STORE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#define STORE_LOG2 24 /* places of a histogram of powers of two */

/* As journal_stat has it. */
struct store_journal_stats {
    uint64_t segments, segments_ready; /* in the line; prepared for it */
    uint64_t segment_size;             /* of new ones */
    uint64_t bytes_total;              /* of all files */
    uint64_t bytes_used;               /* written to in segments of the line */
    uint64_t frames, records, bytes;   /* appended since open, headers included */
    uint64_t syncs, sync_ns, sync_max_ns;
    /* [n]: syncs of less than 2^n microseconds, not of 2^(n-1) */
    uint64_t sync_log2_us[STORE_LOG2];
    uint64_t waits;                      /* appends that waited for a segment to be prepared */
    uint64_t recycled, created, removed; /* segments */
    bool full;                           /* the disk had no space for another segment */
    int broken;                          /* 0, or the error that broke it */
};

/* As commit_stat has it. */
struct store_commit_stats {
    uint64_t commits;                /* frames of the journal that had changes */
    uint64_t changes, cancelled;     /* written; vanished before */
    uint64_t batch_log2[STORE_LOG2]; /* [n]: frames of less than 2^n changes, not of 2^(n-1) */
    uint64_t batch_max;              /* changes of one frame */
    uint64_t pending, pending_bytes; /* not written yet */
    uint64_t last, written, durable; /* tickets */
    uint64_t led_inline;             /* rounds that other threads than "commit" led */
    int failed;                      /* 0, or why */
};

/* As compact_stat has it. */
struct store_compact_stats {
    uint64_t trims;     /* after each of which a segment was free */
    uint64_t looked_at; /* records */
    uint64_t steps;
};

struct store_stats {
    bool on; /* there is a journal; else all is zero */
    struct store_journal_stats journal;
    struct store_commit_stats commit;
    struct store_compact_stats compact;
    uint64_t live_bytes;     /* about what jobs and results take in the journal */
    uint64_t results;        /* records that only the journal has on the disk */
    uint64_t results_untied; /* that it has not, for want of room or memory: a crash costs them */
    uint64_t standing;       /* operations and reserves that wait for room; the broker says it */
    uint64_t impatient; /* that were refused, since the journal was busy for too long; likewise */
    uint64_t copied;    /* records that compaction wrote again */
    uint64_t evicted_jobs, evicted_bytes; /* of bodies that are in the journal only */
    uint64_t cached_bytes;                /* of bodies in memory */
    uint64_t fetches, fetch_failures;
};

#endif
