// SPDX-License-Identifier: MIT
/*
 * History: the records of finished jobs, by id, for a time.
 *
 * Records are bounded by age, number and bytes; past a bound the oldest go. They live in memory, so
 * they end with the daemon. Thread-safe; one lock of class history, held briefly.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include "job/job.h"

struct history;

struct history_settings {
    int64_t keep_ns;     /* age past which purge drops a record; 0 or less: nothing is kept */
    uint64_t keep_count; /* records; 0: nothing is kept */
    uint64_t keep_bytes; /* memory of all records together; 0: nothing is kept */
};

int history_new(struct history **out, const struct history_settings *settings);
void history_free(struct history **history);

/*
 * Takes the record over, in every case, and nulls *record. A record of the same id is replaced (a
 * job that was kicked finishes again). ENOMEM: it was dropped.
 */
int history_add(struct history *history, struct job_record **record);

/* A reference on the record; drop it with job_record_unref. ENOENT: none, or no longer. */
int history_get(struct history *history, uint64_t id, struct job_record **record);

/* Drops what is older than keep_ns at clock_now_ns; returns how many. */
size_t history_purge(struct history *history);

struct history_stats {
    uint64_t count, bytes; /* now */
    uint64_t added;        /* since the start */
    uint64_t dropped;      /* by age, number, bytes, or for want of memory */
};
void history_stats(struct history *history, struct history_stats *stats);

#endif
