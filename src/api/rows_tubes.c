// SPDX-License-Identifier: MIT
/*
 * The tubes of `stats` where there are many: made as the answer is read, a part at a time, so that
 * no answer has them all in memory, and none takes longer than others may be kept waiting.
 *
 * What stands before an answer is its size, so the tubes are gone through twice: first for the
 * names alone, then for what is told of each. Counters change in between, and tubes go. So the size
 * has room for each number at its longest, and what isn't used of it is spaces behind the last
 * tube, where JSON allows them. A tube that is gone by then is left out, as one that the caller may
 * not see any more is.
 *
 * The answer as the method wrote it has the empty array `"tubes":[]`. A quote within a string is
 * written with a backslash, so the first place with these bytes is that array or one before it.
 */
#include "api/api_priv.h"
#include "api/result_priv.h"
#include "api/rows_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_NAMES 64
#define ROWS_PART 8

/* A row without its name: what is fixed, 17 numbers of up to 20 bytes, a comma. */
#define ROW_MAX ((size_t)560)
#define SPACES_MAX ((size_t)4096)

static const char array_begins[] = "\"tubes\":[";

enum rows_state { ROWS_COUNT, ROWS_HEAD, ROWS_TUBES, ROWS_SPACES, ROWS_TAIL, ROWS_END };

struct rows_tubes {
    struct api_rows rows;
    enum rows_state state;
    struct broker_names names;
    size_t at;   /* in the answer: where the tubes go */
    size_t room; /* bytes of tubes and spaces; from ROWS_HEAD on: that are left */
    bool any;    /* one was written */
};

typedef char row_name[JOB_TUBE_NAME_MAX + 1];

static struct rows_tubes *tubes_of(struct api_rows *rows)
{
    return CONTAINER_OF(rows, struct rows_tubes, rows);
}

/* 0: these were the last. */
static int rows_count(struct api_call *call, struct rows_tubes *rows)
{
    row_name names[ROWS_NAMES];
    size_t count;
    int rc = broker_names_next(&rows->names, names, ROWS_NAMES, &count);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (api_may_in(call, names[i], TRUST_see))
            rows->room += strlen(names[i]) + ROW_MAX;
    return rc == 0 && count > 0 ? EINPROGRESS : rc;
}

static int tubes_size(struct api_call *call, struct api_rows *rows, size_t *size)
{
    struct rows_tubes *tubes = tubes_of(rows);
    ASSERT(tubes->state == ROWS_COUNT);
    int rc = rows_count(call, tubes);
    if (rc != 0)
        return rc;
    const char *array = strstr(call->answer.data, array_begins);
    ASSERT(array != NULL);
    tubes->at = (size_t)(array - call->answer.data) + sizeof(array_begins) - 1;
    broker_names_rewind(&tubes->names);
    tubes->state = ROWS_HEAD;
    *size += tubes->room;
    return 0;
}

/* ---- the tubes ---- */

static int row_text(const char *name, const struct broker_stats *stats, char **text)
{
    int rc = 0;
    struct out row = {.object = cJSON_CreateObject(), .rc = &rc};
    if (row.object == NULL)
        return ENOMEM;
    out_tube(row, name, stats);
    *text = rc == 0 ? cJSON_PrintUnformatted(row.object) : NULL;
    cJSON_Delete(row.object);
    return *text != NULL ? 0 : ENOMEM;
}

static int row_add(struct api_call *call, struct rows_tubes *rows, const char *name,
                   struct buf *part)
{
    struct broker_stats stats;
    char *text;
    size_t name_len = strlen(name);
    if (!api_may_in(call, name, TRUST_see) ||
        broker_tube_stats(call->api->links.broker, name, name_len, &stats) != 0)
        return 0;
    int rc = row_text(name, &stats, &text);
    if (rc != 0)
        return rc;
    size_t size = strlen(text) + (rows->any ? 1 : 0);
    ASSERT(size <= name_len + ROW_MAX);
    if (size <= rows->room) { /* or it couldn't be seen when they were counted */
        rc = rows->any ? buf_append_char(part, ',') : 0;
        if (rc == 0)
            rc = buf_append_str(part, text);
        rows->room -= size;
        rows->any = true;
    }
    free(text);
    return rc;
}

static int rows_part(struct api_call *call, struct rows_tubes *rows, struct buf *part)
{
    row_name names[ROWS_PART];
    size_t count;
    int rc = broker_names_next(&rows->names, names, ROWS_PART, &count);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = row_add(call, rows, names[i], part);
    if (rc == 0 && count == 0)
        rows->state = ROWS_SPACES;
    return rc;
}

static int rows_spaces(struct rows_tubes *rows, struct buf *part)
{
    size_t len = rows->room < SPACES_MAX ? rows->room : SPACES_MAX;
    int rc = buf_reserve(part, len);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = buf_append_char(part, ' ');
    rows->room -= len;
    if (rows->room == 0)
        rows->state = ROWS_TAIL;
    return rc;
}

static int rows_next(struct api_call *call, struct rows_tubes *rows, struct buf *part)
{
    const struct buf *answer = &call->answer;
    switch (rows->state) {
    case ROWS_HEAD:
        rows->state = ROWS_TUBES;
        return buf_append(part, answer->data, rows->at);
    case ROWS_TUBES:
        return rows_part(call, rows, part);
    case ROWS_SPACES:
        return rows_spaces(rows, part);
    case ROWS_TAIL:
        rows->state = ROWS_END;
        return buf_append(part, answer->data + rows->at, answer->len - rows->at);
    case ROWS_COUNT:
    case ROWS_END:
        break;
    }
    return EINVAL;
}

static int tubes_next(struct api_call *call, struct api_rows *rows, struct buf *part)
{
    struct rows_tubes *tubes = tubes_of(rows);
    int rc = rows_next(call, tubes, part);
    return rc == 0 && tubes->state != ROWS_END ? EINPROGRESS : rc;
}

static void tubes_release(struct api_rows *rows)
{
    struct rows_tubes *tubes = tubes_of(rows);
    broker_names_end(&tubes->names);
    free(tubes);
}

static const struct rows_kind tubes_kind = {
    .size = tubes_size, .next = tubes_next, .release = tubes_release};

int rows_tubes_begin(struct api_call *call)
{
    /* no magic: its first member has one */
    struct rows_tubes *tubes = calloc(1, sizeof(*tubes));
    if (tubes == NULL)
        return ENOMEM;
    rows_init(&tubes->rows, &tubes_kind);
    broker_names_begin(&tubes->names, call->api->links.broker);
    call->rows = &tubes->rows;
    return 0;
}
