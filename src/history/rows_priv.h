// SPDX-License-Identifier: MIT
/*
 * Rows of the file: writing is for the thread "history"; rows.c has the essay.
 */
#ifndef HISTORY_ROWS_PRIV_H
#define HISTORY_ROWS_PRIV_H

#include "history/database_priv.h"

/* `count` of them in one transaction, synced. *refused gets how many SQLite would never take (too
 * large a text). Any errno: none was written. */
struct numbered {
    uint64_t number;
    struct job_record *record;
};
int rows_write(struct database *database, const struct numbered *rows, size_t count,
               size_t *refused);

struct retention {
    int64_t now_wall_ns;    /* what asked for a time of its own goes when that is over */
    int64_t oldest_wall_ns; /* others go that ended before; INT64_MIN: nothing by age */
    uint64_t count, bytes;
};
#define ROWS_SLICE 1024
/* Removes some that are past a bound: numbers[] (of ROWS_SLICE) gets which, *forgotten how many;
 * 0: none is. *keyed: how many of them had a key. */
int rows_forget(struct database *database, const struct retention *retention, uint64_t *numbers,
                size_t *forgotten, size_t *keyed);

/* Under the lock of the reader, which they take. ENOENT. */
int rows_get(struct database *database, uint64_t id, struct job_record **record);
/* The latest of that tube, submitter and key. ENOENT. */
int rows_by_key(struct database *database, const char *tube, uint32_t submitter, const char *key,
                uint64_t *id);
/* Of rows below `before`. *examined goes up by those looked at, to HISTORY_EXAMINED_MAX at most;
 * *next as history_list. */
int rows_list(struct database *database, const struct history_query *query, uint64_t before,
              size_t max, struct job_record **records, size_t *count, size_t *examined,
              uint64_t *next);
/* Where a walk through all keys is: behind the row of that key and number; zeroed: at the begin. */
struct rows_cursor {
    char tube[JOB_TUBE_NAME_MAX + 1], key[JOB_TEXT_MAX + 1];
    int64_t submitter, number;
};
/* Calls `visit` for the keys of the next rows, `max` at most. *count: how many; fewer than max:
 * those were the last. On an error the cursor is where it was. */
int rows_keys(struct database *database, struct rows_cursor *cursor, size_t max,
              void (*visit)(const char *tube, uint32_t submitter, const char *key, void *arg),
              void *arg, size_t *count);
bool query_matches(const struct history_query *query, const struct job_record *record);

#endif
