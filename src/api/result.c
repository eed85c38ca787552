// SPDX-License-Identifier: MIT
/*
 * Jobs as JSON: from the broker's view of one that is there, and from the record of one that isn't
 * any more. Both give the same members as far as they apply, so a client needs one reader for both;
 * a record adds "result". Times of day are seconds since 1970, the others durations.
 */
#include "api/api_priv.h"
#include "api/result_priv.h"

#include <string.h>

/* Why a job ended so, or what it says of its progress: the words of its program are for those alone
 * who may read what it wrote. */
static void out_words(struct out row, const char *reason, bool read)
{
    const char *text = read ? job_reason_text(reason) : reason;
    size_t len = read ? strlen(text) : job_reason_ours(reason);
    if (len > 0)
        out_bytes(row, "reason", text, len);
}

static bool may_read(const struct api_call *call, const struct job_view *view)
{
    return api_may_on(call, view->tube, view->submitter, TRUST_read);
}

static void out_attempt(struct out attempts, const struct job_attempt *attempt, bool read)
{
    struct out row = out_array_object(attempts);
    out_str(row, "outcome", job_outcome_word(attempt->kind));
    if (attempt->exit_status >= 0)
        out_i64(row, "exit_status", attempt->exit_status);
    if (attempt->signal != 0)
        out_i64(row, "signal", attempt->signal);
    out_words(row, attempt->reason, read);
    out_seconds(row, "started", attempt->started_wall_ns);
    out_seconds(row, "ended", attempt->ended_wall_ns);
}

/* How often what happened to the job; the same members for one that is there and one that isn't. */
#define OUT_COUNTS(job, from)                                                                      \
    do {                                                                                           \
        out_u64(job, "reserves", (from)->reserves);                                                \
        out_u64(job, "releases", (from)->releases);                                                \
        out_u64(job, "buries", (from)->buries);                                                    \
        out_u64(job, "kicks", (from)->kicks);                                                      \
        out_tries(job, &(from)->tries);                                                            \
    } while (0)

static void out_tries(struct out job, const struct job_tries *tries)
{
    size_t cursor = 0;
    uint32_t count;
    const char *word;
    while ((word = job_tries_next(tries, &cursor, &count)) != NULL)
        out_u64(job, word, count);
}

void out_view(const struct api_call *call, struct out job, const struct job_view *view)
{
    out_u64(job, "id", view->id);
    out_str(job, "tube", view->tube);
    out_str(job, "state", job_state_word(view->state));
    out_u64(job, "priority", view->pri);
    out_seconds(job, "delay", view->delay_ns);
    out_seconds(job, "ttr", view->ttr_ns);
    out_seconds(job, "age", view->age_ns);
    out_seconds(job, "time_left", view->local ? 0 : view->time_left_ns);
    out_u64(job, "size", view->size);
    OUT_COUNTS(job, view);
    if (view->reason[0] != '\0')
        out_words(job, view->reason, may_read(call, view));
    out_labels(job, view->name, view->group, view->key, view->tags, view->tags_size);
    out_options(job, view);
}

void out_past(const struct api_call *call, struct out job, const struct job_view *view)
{
    if (view->past_count == 0)
        return;
    bool read = may_read(call, view);
    struct out earlier = out_array(job, "earlier");
    for (size_t i = 0; i < view->past_count; i++) {
        const struct job_attempts_copy *past = &view->past[i];
        const struct job_attempt attempt = {.kind = past->kind,
                                            .exit_status = past->exit_status,
                                            .signal = past->signal,
                                            .started_wall_ns = past->started_wall_ns,
                                            .ended_wall_ns = past->ended_wall_ns,
                                            .reason = past->reason};
        out_attempt(earlier, &attempt, read);
    }
}

void out_record(struct out job, const struct job_record *record, bool read)
{
    out_u64(job, "id", record->id);
    out_str(job, "tube", record->tube);
    out_str(job, "state", job_outcome_word(record->kind));
    out_u64(job, "priority", record->pri);
    out_seconds(job, "delay", record->delay_ns);
    out_seconds(job, "ttr", record->ttr_ns);
    out_seconds(job, "age", clock_wall_ns() - record->created_wall_ns);
    out_seconds(job, "time_left", 0);
    out_u64(job, "size", record->size);
    OUT_COUNTS(job, record);
    out_words(job, record->reason, read);
    out_labels(job, record->name, record->group, record->key, record->tags, record->tags_size);
}

void out_row(struct out job, const struct job_record *record, bool read)
{
    out_record(job, record, read);
    if (record->exit_status >= 0)
        out_i64(job, "exit_status", record->exit_status);
    if (record->signal != 0)
        out_i64(job, "signal", record->signal);
    out_seconds(job, "ended", record->ended_wall_ns);
    out_seconds(job, "duration", record->duration_ns);
}

static void out_usage(struct out result, const struct job_usage *usage)
{
    if (usage->user_ns < 0)
        return;
    out_seconds(result, "cpu_user", usage->user_ns);
    out_seconds(result, "cpu_system", usage->system_ns);
    out_u64(result, "max_rss", usage->max_rss);
}

void out_progress(struct out job, int percent, const char *text)
{
    if (percent >= 0)
        out_i64(job, "progress", percent);
    if (text[0] != '\0')
        out_bytes(job, "progress_text", text, strlen(text));
}

void out_running(const struct api_call *call, struct out job, const struct job_view *view)
{
    int percent;
    char text[JOB_PROGRESS_MAX];
    if (view->state == JOB_RESERVED &&
        worker_output_progress(call->api->links.broker, view->id, &percent, text))
        out_progress(job, percent, text[0] == '\0' || may_read(call, view) ? text : "");
}

static void out_earlier(struct out result, const struct job_record *record, bool read)
{
    if (record->earlier_count == 0)
        return;
    struct out attempts = out_array(result, "earlier");
    for (size_t i = 0; i < record->earlier_count; i++)
        out_attempt(attempts, &record->earlier[i], read);
}

static void out_written(struct out result, const struct job_record *record)
{
    out_bytes(result, "stdout", record->out, record->out_len);
    out_bool(result, "stdout_truncated", record->out_truncated);
    out_bytes(result, "stderr", record->err, record->err_len);
    out_bool(result, "stderr_truncated", record->err_truncated);
}

void out_result(struct out job, const struct job_record *record, bool read)
{
    struct out result = out_object(job, "result");
    out_str(result, "outcome", job_outcome_word(record->kind));
    if (record->exit_status >= 0)
        out_i64(result, "exit_status", record->exit_status);
    if (record->signal != 0)
        out_i64(result, "signal", record->signal);
    out_words(result, record->reason, read);
    if (record->started_wall_ns != 0) {
        if (read)
            out_written(result, record);
        out_seconds(result, "started", record->started_wall_ns);
        out_seconds(result, "duration", record->duration_ns);
        out_usage(result, &record->usage);
        out_progress(result, record->progress, read ? record->progress_text : "");
    }
    out_seconds(result, "ended", record->ended_wall_ns);
    out_seconds(result, "waited", record->waited_ns);
    out_earlier(result, record, read);
}
