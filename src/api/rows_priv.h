// SPDX-License-Identifier: MIT
/*
 * Answers that are made a part at a time, as they are read: how any is made (rows.c), and the kinds
 * (rows_tubes.c, rows_jobs.c).
 */
#ifndef API_ROWS_PRIV_H
#define API_ROWS_PRIV_H

#include "api/api_priv.h"

struct rows_kind {
    bool whole; /* made as a whole before the first byte is read; it has no `next` */
    /* As api_answer_size and api_answer_next. 0 of the first one, if whole: call->answer has all.
     */
    int (*size)(struct api_call *call, struct api_rows *rows, size_t *size);
    int (*next)(struct api_call *call, struct api_rows *rows, struct buf *part);
    void (*release)(struct api_rows *rows);
};

/* The first member of each kind's own. */
struct api_rows {
    unsigned magic;
    const struct rows_kind *kind;
};

void rows_init(struct api_rows *rows, const struct rows_kind *kind);
/* If there are any. */
void rows_end(struct api_call *call);
/* The result was written, and what is small of the rest can be made at once. ENOMEM. */
int rows_start(struct api_call *call);

/* rows_tubes.c: the answer's array "tubes", which is empty, is to be made as it is read. ENOMEM. */
int rows_tubes_begin(struct api_call *call);
/* rows_jobs.c: the answer is a page of jobs, or of finished ones, as the parameters say; `limit` is
 * that of them. ENOMEM. EIO: it has failed. */
#define API_LIST_LIMIT_MAX 500 /* about 200 KiB of JSON */
int rows_jobs_begin(struct api_call *call, const cJSON *params, size_t limit);
int rows_past_begin(struct api_call *call, const cJSON *params, size_t limit);
/* The answer of history to that has come: 0, or an error. */
int rows_past_asked(struct api_call *call, int rc);

#endif
