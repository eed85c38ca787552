// SPDX-License-Identifier: MIT
/*
 * Answers that are made a part at a time, so that none takes longer than others may be kept
 * waiting. This file has what their kinds share; each kind is a file:
 *
 *   rows_tubes.c   the tubes of `stats`: made as the answer is read
 *   rows_jobs.c    a page of a list: made as a whole, since its size isn't known before
 */
#include "api/api_priv.h"
#include "api/rows_priv.h"

#include <errno.h>

#define ROWS_MAGIC 0xa7100f03u

void rows_init(struct api_rows *rows, const struct rows_kind *kind)
{
    MAGIC_INIT(rows, ROWS_MAGIC);
    rows->kind = kind;
}

void rows_end(struct api_call *call)
{
    if (call->rows == NULL)
        return;
    struct api_rows *rows;
    MAGIC_TAKE(rows, &call->rows, ROWS_MAGIC);
    MAGIC_WIPE(rows);
    rows->kind->release(rows);
}

int api_answer_size(struct api_call *call, size_t *size)
{
    MAGIC_CHECK(call, API_CALL_MAGIC);
    struct api_rows *rows = call->rows;
    *size = call->answer.len;
    if (rows == NULL)
        return 0;
    MAGIC_CHECK(rows, ROWS_MAGIC);
    int rc = rows->kind->size(call, rows, size);
    if (!rows->kind->whole || rc == EINPROGRESS)
        return rc;
    rows_end(call);
    if (rc == 0)
        *size = call->answer.len;
    return rc;
}

int rows_start(struct api_call *call)
{
    size_t size;
    if (call->rows == NULL || !call->rows->kind->whole)
        return 0;
    int rc = api_answer_size(call, &size);
    return rc == EINPROGRESS ? 0 : rc;
}

int api_answer_next(struct api_call *call, struct buf *part)
{
    MAGIC_CHECK(call, API_CALL_MAGIC);
    struct api_rows *rows = call->rows;
    MAGIC_CHECK(rows, ROWS_MAGIC);
    return rows->kind->next(call, rows, part);
}
