// SPDX-License-Identifier: MIT
/*
 * Figures of the store and of its journal, as values: for who shows them. Part of store.h and of
 * broker.h; it brings neither along.
 */
#ifndef STORE_STATS_H
#define STORE_STATS_H

#include "journal/stats.h"

struct store_stats {
    bool on; /* there is a journal; else all is zero */
    struct journal_stat journal;
    struct commit_stat commit;
    struct compact_stat compact;
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
