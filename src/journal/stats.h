// SPDX-License-Identifier: MIT
/*
 * Figures of the journal, as values: for who shows them, and knows nothing else of it. Part of
 * journal.h.
 */
#ifndef JOURNAL_STATS_H
#define JOURNAL_STATS_H

#include <stdbool.h>
#include <stdint.h>

/* Places of a histogram of powers of two. */
#define JOURNAL_LOG2 24

struct journal_stat {
    uint64_t segments, segments_ready; /* in the line; prepared for it */
    uint64_t segment_size;             /* of new ones */
    uint64_t bytes_total;              /* of all files */
    uint64_t bytes_used;               /* written to in segments of the line */
    uint64_t frames, records, bytes;   /* appended since open, headers included */
    uint64_t syncs, sync_ns, sync_max_ns;
    uint64_t
        sync_log2_us[JOURNAL_LOG2]; /* [n]: syncs of less than 2^n microseconds, not of 2^(n-1) */
    uint64_t waits;                 /* appends that waited for a segment to be prepared */
    uint64_t recycled, created, removed; /* segments */
    bool full;                           /* the disk had no space for another segment */
    int broken;                          /* 0, or the error that broke it */
};

struct journal_replayed {
    uint64_t segments, frames, records, bytes; /* that are good */
    uint64_t damages;    /* how often `damaged` was or would have been called */
    uint64_t torn_bytes; /* behind the last frame: a commit that nobody was told of */
    uint64_t last_sequence;
    bool clean; /* the journal was closed, and nothing has been torn */
};

struct commit_stat {
    uint64_t commits;                  /* frames of the journal that had changes */
    uint64_t changes, cancelled;       /* written; vanished before */
    uint64_t batch_log2[JOURNAL_LOG2]; /* [n]: frames of less than 2^n changes, not of 2^(n-1) */
    uint64_t batch_max;                /* changes of one frame */
    uint64_t pending, pending_bytes;   /* not written yet */
    uint64_t last, written, durable;   /* tickets */
    uint64_t led_inline;               /* rounds that other threads than "commit" led */
    int failed;                        /* 0, or why */
};

struct compact_stat {
    uint64_t trims;     /* after each of which a segment was free */
    uint64_t looked_at; /* records */
    uint64_t steps;
};

#endif
