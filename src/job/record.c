// SPDX-License-Identifier: MIT
/*
 * Records: what is kept of a finished job. Immutable and counted as bodies are, and one piece of
 * memory each, so that history can bound itself by bytes and a reader needs no copy.
 *
 * The broker lives in monotonic time. A record is read by people, so its times are turned into wall
 * clock here, with one reading of both clocks: their differences stay right even if the wall clock
 * was set meanwhile.
 */
#include "base/json.h"
#include "base/magic.h"
#include "base/refs.h"
#include "job/record_priv.h"

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

static size_t earlier_text(const struct job_attempt *earlier, size_t count)
{
    size_t text = 0;
    for (size_t i = 0; earlier != NULL && i < count; i++)
        text += strlen(earlier[i].reason) + 1;
    return text;
}

/* What a text of options takes, which may be NULL, with its NUL. */
static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 1;
}

static const char *text_copy(char **at, const char *text)
{
    return text_put(at, text, text_size(text) - 1);
}

static size_t options_text(const struct job_record *like)
{
    return text_size(like->name) + text_size(like->group) + text_size(like->key) + like->tags_size +
           1;
}

int job_record_copy(struct job_record **out, const struct job_record *like)
{
    size_t count = like->earlier_count < JOB_EARLIER_MAX ? like->earlier_count : JOB_EARLIER_MAX;
    const struct job_attempt *earlier =
        count > 0 ? &like->earlier[like->earlier_count - count] : NULL;
    size_t tube_len = strlen(like->tube), reason_len = strlen(like->reason);
    size_t progress_len = strlen(like->progress_text);
    size_t size = sizeof(*like) + count * sizeof(*earlier) + earlier_text(earlier, count) +
                  tube_len + reason_len + progress_len + like->out_len + like->err_len + 5 +
                  options_text(like);
    struct job_record *record = malloc(size);
    if (record == NULL)
        return ENOMEM;
    *record = *like;
    MAGIC_INIT(record, JOB_RECORD_MAGIC);
    atomic_init(&record->refs, 1);
    record->memory = size;
    struct job_attempt *attempts = (struct job_attempt *)(void *)(record + 1);
    char *at = (char *)(attempts + count);
    for (size_t i = 0; earlier != NULL && i < count; i++) {
        attempts[i] = earlier[i];
        attempts[i].reason = text_put(&at, earlier[i].reason, strlen(earlier[i].reason));
    }
    record->earlier = attempts;
    record->earlier_count = count;
    record->tube = text_put(&at, like->tube, tube_len);
    record->reason = text_put(&at, like->reason, reason_len);
    record->progress_text = text_put(&at, like->progress_text, progress_len);
    record->name = text_copy(&at, like->name);
    record->group = text_copy(&at, like->group);
    record->key = text_copy(&at, like->key);
    record->tags = text_put(&at, like->tags, like->tags_size);
    record->out = text_put(&at, like->out, like->out_len);
    record->err = text_put(&at, like->err, like->err_len);
    ASSERT(at == (char *)record + size);
    *out = record;
    return 0;
}

/* By the clocks as they were at the moment of the end. */
static void times_set(struct job_record *record, const struct job_view *view,
                      const struct job_outcome *outcome, int64_t now_ns, int64_t wall_ns)
{
    bool attempted = outcome->started_ns != 0;
    int64_t ended = outcome->ended_ns != 0 ? outcome->ended_ns : now_ns;

    record->finished_ns = ended;
    record->created_wall_ns = wall_ns - (now_ns - view->created_ns);
    record->started_wall_ns = attempted ? wall_ns - (now_ns - outcome->started_ns) : 0;
    record->ended_wall_ns = wall_ns - (now_ns - ended);
    record->waited_ns = (attempted ? outcome->started_ns : ended) - view->created_ns;
    record->duration_ns = attempted ? ended - outcome->started_ns : 0;
}

void record_draft_make(struct record_draft *draft, const struct job_view *view,
                       const struct job_outcome *outcome, int64_t now_ns, int64_t wall_ns)
{
    for (size_t i = 0; i < view->past_count; i++)
        draft->earlier[i] = (struct job_attempt){.kind = view->past[i].kind,
                                                 .exit_status = view->past[i].exit_status,
                                                 .signal = view->past[i].signal,
                                                 .started_wall_ns = view->past[i].started_wall_ns,
                                                 .ended_wall_ns = view->past[i].ended_wall_ns,
                                                 .reason = view->past[i].reason};
    draft->record = (struct job_record){
        .id = view->id,
        .kind = outcome->kind,
        .exit_status = outcome->exit_status,
        .signal = outcome->signal,
        .pri = view->pri,
        .submitter = view->submitter,
        .reserves = view->reserves,
        .releases = view->releases,
        .buries = view->buries,
        .kicks = view->kicks,
        .tries = view->tries,
        .delay_ns = view->delay_ns,
        .ttr_ns = view->ttr_ns,
        .size = view->size,
        .tube = view->tube,
        .reason = outcome->reason,
        .name = view->name,
        .group = view->group,
        .key = view->key,
        .tags = view->tags,
        .tags_size = view->tags_size,
        .retention_ns = (view->set & JOB_OPTION_RETENTION) != 0 ? view->retention_ns : -1,
        .out = outcome->out.data,
        .err = outcome->err.data,
        .out_len = outcome->out.len,
        .err_len = outcome->err.len,
        .out_truncated = outcome->out_truncated,
        .err_truncated = outcome->err_truncated,
        .usage = outcome->usage,
        .progress = outcome->progress,
        .progress_text = outcome->progress_text,
        .earlier = draft->earlier,
        .earlier_count = view->past_count};
    times_set(&draft->record, view, outcome, now_ns, wall_ns);
}

static bool wall_is_right(int64_t at_ns)
{
    return at_ns >= -JOB_SPAN_MAX_NS && at_ns <= JOB_WALL_MAX_NS;
}

static bool span_is_right(int64_t span_ns)
{
    return span_ns >= -JOB_SPAN_MAX_NS && span_ns <= JOB_SPAN_MAX_NS;
}

static bool label_is_right(const char *text)
{
    size_t len = strlen(text);
    return len <= JOB_TEXT_MAX && json_is_utf8(text, len);
}

bool job_attempt_is_right(const struct job_attempt *attempt)
{
    return wall_is_right(attempt->started_wall_ns) && wall_is_right(attempt->ended_wall_ns) &&
           strlen(attempt->reason) < JOB_REASON_MAX;
}

bool job_record_is_right(const struct job_record *record)
{
    bool right = record->id > 0 && record->id <= JOB_ID_MAX && record->size <= JOB_COUNT_MAX &&
                 wall_is_right(record->created_wall_ns) && wall_is_right(record->started_wall_ns) &&
                 wall_is_right(record->ended_wall_ns) && span_is_right(record->waited_ns) &&
                 span_is_right(record->duration_ns) && span_is_right(record->delay_ns) &&
                 span_is_right(record->ttr_ns) && span_is_right(record->retention_ns) &&
                 span_is_right(record->usage.user_ns) && span_is_right(record->usage.system_ns) &&
                 job_tube_name_check(record->tube, strlen(record->tube)) == 0 &&
                 strlen(record->reason) < JOB_REASON_MAX && label_is_right(record->name) &&
                 label_is_right(record->group) && label_is_right(record->key) &&
                 strlen(record->progress_text) < JOB_PROGRESS_MAX;
    for (size_t i = 0; right && i < record->earlier_count; i++)
        right = job_attempt_is_right(&record->earlier[i]);
    return right;
}

struct job_record *job_record_ref(struct job_record *record)
{
    MAGIC_CHECK(record, JOB_RECORD_MAGIC);
    refs_add(&record->refs);
    return record;
}

void job_record_unref(struct job_record **record)
{
    if (*record == NULL)
        return;
    struct job_record *mine;
    MAGIC_TAKE(mine, record, JOB_RECORD_MAGIC);
    if (!refs_drop(&mine->refs))
        return;
    MAGIC_WIPE(mine);
    free(mine);
}
