// SPDX-License-Identifier: MIT
/*
 * The method `output`: what a job has written beyond what is known already, while it runs and
 * afterwards, a bounded piece at a time.
 *
 * A client asks again and again with the numbers of the answer before: which attempt, and up to
 * which byte of each stream. With `wait` a call is answered when there is something new: output or
 * progress of the job, the end of an attempt, the end of the job. Then it goes on
 *
 *     more                       at once, with the same attempt
 *     attempt_ended, not more    with the next attempt, from 0
 *     finished, not more         not at all
 *
 * A call that waits stands in two lines, the broker's for the end of the job and the workers' for
 * output; it has two tokens, one for each. Who fires takes the call out of the other line and then
 * gives its tokens back; the last one given back wakes the call, or is given back by who cancels
 * it. A token is given back last of all, since the call may be gone right after it.
 */
#include "api/api_priv.h"
#include "api/result_priv.h"
#include "api/sight_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

const struct api_param params_output[] = {
    {.name = "id", .type = API_ID, .required = true, .what = "the id of the job, as put told it"},
    {.name = "attempt",
     .type = API_OFFSET,
     .what = "the attempt that the offsets are of, as the answer before told it; 0 or without it, "
             "the present one"},
    {.name = "stdout", .type = API_OFFSET, .what = "bytes of stdout that are known already"},
    {.name = "stderr", .type = API_OFFSET, .what = "bytes of stderr that are known already"},
    {.name = "wait",
     .type = API_SECONDS,
     .what = "how long to wait for something new at most, in seconds; without it, not at all"},
    {.name = NULL},
};

/* ---- where the output is ---- */

static bool is_finished(const struct api_sight *sight)
{
    return !sight->here || sight->view.state == JOB_BURIED;
}

/* ENOENT: there never was such a job, or it may not be seen; EACCES: nor its output be read. */
static int sight_check(struct api_call *call, const struct api_sight *sight)
{
    const struct job_record *record = sight->record;
    if (!sight->here && record == NULL)
        return api_had(call, call->id)
                   ? 0
                   : api_fail(call, ENOENT, "there is no job %" PRIu64 ", and there never was",
                              call->id);
    const char *tube = sight->here ? sight->view.tube : record->tube;
    uint32_t submitter = sight->here ? sight->view.submitter : record->submitter;
    return api_may_on(call, tube, submitter, TRUST_read) ? 0 : api_refuse(call, TRUST_read, tube);
}

static int piece(struct buf *to, const char *from, size_t len, size_t *at, bool *more)
{
    if (*at > len)
        *at = len;
    size_t left = len - *at;
    size_t fits = left < WORKER_OUTPUT_MAX ? left : WORKER_OUTPUT_MAX;
    int rc = fits == 0 ? 0 : buf_append(to, from + *at, fits);
    if (rc == 0)
        *at += fits;
    *more |= fits < left;
    return rc;
}

/* The last attempt's, out of its record. */
static int read_record(const struct job_record *record, struct worker_output *output)
{
    if (output->attempt > record->reserves) /* one that never came: all is known */
        output->out_at = output->err_at = SIZE_MAX;
    else if (output->attempt != 0 && output->attempt < record->reserves)
        output->out_at = output->err_at = 0;
    output->attempt = record->reserves;
    output->ended = true;
    output->out_truncated = record->out_truncated;
    output->err_truncated = record->err_truncated;
    output->progress = record->progress;
    snprintf(output->progress_text, sizeof(output->progress_text), "%s", record->progress_text);
    int rc = piece(&output->out, record->out, record->out_len, &output->out_at, &output->more);
    if (rc == 0)
        rc = piece(&output->err, record->err, record->err_len, &output->err_at, &output->more);
    return rc;
}

/* Fills `output`; *kept: it is known what the attempt wrote. ENOMEM. */
static int sight_read(const struct api_call *call, struct worker_output *output, bool *kept)
{
    int rc = worker_output_read(call->api->links.broker, output);
    *kept = rc == 0;
    if (rc == ENOENT && call->sight->record != NULL) {
        *kept = true;
        return read_record(call->sight->record, output);
    }
    return rc == ENOENT ? 0 : rc;
}

/* ---- the answer ---- */

static void out_stream(struct out result, const char *name, const struct buf *bytes, size_t next,
                       bool truncated)
{
    char key[32];
    out_bytes(result, name, bytes->len > 0 ? bytes->data : "", bytes->len);
    snprintf(key, sizeof(key), "%s_next", name);
    out_u64(result, key, next);
    snprintf(key, sizeof(key), "%s_truncated", name);
    out_bool(result, key, truncated);
}

static const char *state_word(const struct api_sight *sight)
{
    if (sight->here)
        return job_state_word(sight->view.state);
    return sight->record != NULL ? job_outcome_word(sight->record->kind)
                                 : job_state_word(JOB_FINISHED);
}

/* The last attempt there will be (before a kick). */
static bool is_last(const struct api_sight *sight, uint32_t attempt)
{
    uint32_t last = sight->here ? sight->view.reserves
                                : (sight->record != NULL ? sight->record->reserves : attempt);
    return attempt == 0 || attempt >= last;
}

/* What is new in it is what is waited for next. */
static void known_set(struct api_call *call, const struct worker_output *output)
{
    call->attempt = output->attempt;
    call->out_at = output->out_at;
    call->err_at = output->err_at;
}

/* *news: there is something that the caller didn't know. EINPROGRESS: its record is asked for. */
static int answer(struct api_call *call, struct out result, bool *news)
{
    struct worker_output output = {
        .id = call->id, .attempt = call->attempt, .out_at = call->out_at, .err_at = call->err_at};
    bool kept;
    int rc = sight_take(call, call->id);
    if (rc == 0)
        rc = sight_check(call, call->sight);
    if (rc == 0)
        rc = sight_read(call, &output, &kept);
    if (rc != 0)
        return rc;
    bool finished = is_finished(call->sight) && is_last(call->sight, output.attempt);
    *news = finished || output.ended || output.attempt != call->attempt || output.out.len > 0 ||
            output.err.len > 0;
    out_u64(result, "id", call->id);
    out_str(result, "state", state_word(call->sight));
    out_bool(result, "finished", finished);
    out_u64(result, "attempt", output.attempt);
    out_bool(result, "attempt_ended", output.ended);
    out_bool(result, "kept", kept || !finished);
    out_stream(result, "stdout", &output.out, output.out_at, output.out_truncated);
    out_stream(result, "stderr", &output.err, output.err_at, output.err_truncated);
    out_bool(result, "more", output.more);
    if (output.progress >= 0)
        out_progress(result, output.progress, output.progress_text);
    worker_output_fini(&output);
    known_set(call, &output);
    return 0;
}

/* ---- waiting ---- */

/* true: that was the last; the caller goes on with the call, nobody else knows it any more. */
static bool tokens_give(struct api_call *call, unsigned count)
{
    return count > 0 && atomic_fetch_sub(&call->tokens, count) == count;
}

static void fire_end(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, waiter.later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    if (tokens_give(call, worker_output_cancel(&call->output) ? 2 : 1))
        later_tell(&call->later, 0);
}

static void fire_output(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, output.later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    if (tokens_give(call, later_cancel(&call->waiter.later) ? 2 : 1))
        later_tell(&call->later, 0);
}

static bool output_cancel(struct later *later)
{
    struct api_call *call = api_call_of(later);
    unsigned count = later_cancel(&call->waiter.later) ? 1 : 0;
    count += worker_output_cancel(&call->output) ? 1 : 0;
    return tokens_give(call, count) && later_leave(later);
}

/* 0: there is something to tell by now. EINPROGRESS. ENOMEM. */
static int line_up(struct api_call *call)
{
    struct broker *broker = call->api->links.broker;
    const struct worker_output known = {
        .id = call->id, .attempt = call->attempt, .out_at = call->out_at, .err_at = call->err_at};
    call->later.cancel = output_cancel;
    call->waiter.later.fire = fire_end;
    call->waiter.wants_end = true;
    call->output = (struct worker_output_wait){.later.fire = fire_output};
    atomic_store(&call->tokens, 2);
    int rc = broker_wait_async(broker, call->asker, call->id, &call->waiter);
    if (rc != 0)
        return rc == ENOENT ? 0 : rc;
    rc = worker_output_async(broker, &known, &call->output);
    if (rc == EINPROGRESS || rc == ECANCELED)
        return EINPROGRESS;
    /* Nobody will fire for output. If the end does at this moment, it wakes, or has left it to us.
     */
    return tokens_give(call, later_cancel(&call->waiter.later) ? 2 : 1) ? rc : EINPROGRESS;
}

/* Answers, or waits once for something new. */
static int output_try(struct api_call *call, struct out result)
{
    bool news = false;
    int rc = answer(call, result, &news);
    if (rc != 0 || news || !call->waits)
        return rc;
    call->waits = false;
    call->deadline_ns = clock_deadline(call->timeout_ns);
    rc = line_up(call);
    if (rc != 0)
        return rc;
    cJSON_Delete(result.object->child);
    result.object->child = NULL;
    return answer(call, result, &news);
}

int run_output(struct api_call *call, const cJSON *params, struct out result)
{
    call->attempt = (uint32_t)params_u64(params, "attempt", 0);
    call->out_at = (size_t)params_u64(params, "stdout", 0);
    call->err_at = (size_t)params_u64(params, "stderr", 0);
    call->waits = params_given(params, "wait");
    call->timeout_ns = params_seconds(params, "wait");
    return output_try(call, result);
}

int finish_output(struct api_call *call, struct out result)
{
    return output_try(call, result);
}

void late_output(const struct api_call *call, char *text, size_t size)
{
    snprintf(text, size, "job %" PRIu64 " has written nothing new within %.3f s", call->id,
             (double)call->timeout_ns / (double)HL_SECOND);
}
