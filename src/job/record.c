// SPDX-License-Identifier: MIT
/*
 * Records: what is kept of a finished job. Immutable and counted as bodies are, and one piece of
 * memory each, so that history can bound itself by bytes and a reader needs no copy.
 *
 * The broker lives in monotonic time. A record is read by people, so its times are turned into wall
 * clock here, with one reading of both clocks: their differences stay right even if the wall clock
 * was set meanwhile.
 */
#include "base/clock.h"
#include "base/magic.h"
#include "job/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JOB_RECORD_MAGIC 0x6a0b4ec0u

/* Copies `len` bytes and a NUL to *at, moves *at behind them. */
static const char *text_put(char **at, const void *bytes, size_t len)
{
    char *start = *at;
    if (len > 0)
        memcpy(start, bytes, len);
    start[len] = '\0';
    *at = start + len + 1;
    return start;
}

static void times_set(struct job_record *record, const struct job_view *view,
                      const struct job_outcome *outcome)
{
    int64_t now = clock_now_ns();
    int64_t wall = clock_wall_ns();
    bool attempted = outcome->started_ns != 0;
    int64_t ended = outcome->ended_ns != 0 ? outcome->ended_ns : now;

    record->finished_ns = ended;
    record->created_wall_ns = wall - (now - view->created_ns);
    record->started_wall_ns = attempted ? wall - (now - outcome->started_ns) : 0;
    record->ended_wall_ns = wall - (now - ended);
    record->waited_ns = (attempted ? outcome->started_ns : ended) - view->created_ns;
    record->duration_ns = attempted ? ended - outcome->started_ns : 0;
}

int job_record_new(struct job_record **out, const struct job_view *view,
                   const struct job_outcome *outcome)
{
    size_t tube_len = strlen(view->tube);
    size_t reason_len = strlen(outcome->reason);
    size_t text = tube_len + reason_len + outcome->out.len + outcome->err.len + 4;
    struct job_record *record = malloc(sizeof(*record) + text);
    if (record == NULL)
        return ENOMEM;
    memset(record, 0, sizeof(*record));
    MAGIC_INIT(record, JOB_RECORD_MAGIC);
    atomic_init(&record->refs, 1);
    record->id = view->id;
    record->kind = outcome->kind;
    record->exit_status = outcome->exit_status;
    record->signal = outcome->signal;
    record->pri = view->pri;
    record->reserves = view->reserves;
    record->timeouts = view->timeouts;
    record->releases = view->releases;
    record->buries = view->buries;
    record->kicks = view->kicks;
    record->delay_ns = view->delay_ns;
    record->ttr_ns = view->ttr_ns;
    record->size = view->size;
    times_set(record, view, outcome);
    char *at = record->text;
    record->tube = text_put(&at, view->tube, tube_len);
    record->reason = text_put(&at, outcome->reason, reason_len);
    record->out = text_put(&at, outcome->out.data, outcome->out.len);
    record->err = text_put(&at, outcome->err.data, outcome->err.len);
    ASSERT(at == record->text + text);
    record->out_len = outcome->out.len;
    record->err_len = outcome->err.len;
    record->out_truncated = outcome->out_truncated;
    record->err_truncated = outcome->err_truncated;
    record->memory = sizeof(*record) + text;
    *out = record;
    return 0;
}

struct job_record *job_record_ref(struct job_record *record)
{
    MAGIC_CHECK(record, JOB_RECORD_MAGIC);
    uint32_t before = atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return record;
}

void job_record_unref(struct job_record **record)
{
    if (*record == NULL)
        return;
    struct job_record *mine;
    MAGIC_TAKE(mine, record, JOB_RECORD_MAGIC);
    uint32_t before = atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    MAGIC_WIPE(mine);
    free(mine);
}
