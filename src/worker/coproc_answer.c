// SPDX-License-Identifier: MIT
/*
 * What a helper says of its jobs, and what becomes of them by it.
 *
 * Nothing that it writes is trusted. A line that is wrong ends the helper, with a sentence about
 * it; its jobs are then no worse off than if it had crashed. Once an answer is complete it stands,
 * whatever the helper does afterwards.
 */
#include "base/clock.h"
#include "base/log.h"
#include "worker/coproc_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One that the helper may know of: some of it was written. NULL: none. */
static struct coproc_job *job_find(struct coproc_flight *flight, uint64_t id)
{
    for (struct list_node *node = list_first(&flight->jobs); node != NULL;
         node = list_next(&flight->jobs, node)) {
        struct coproc_job *job = flight_job_of(node);
        if (job->from >= flight->written)
            return NULL;
        if (job->job.lease.id == id)
            return job;
    }
    return NULL;
}

static void job_began(struct coproc_job *job)
{
    if (job->begun)
        return;
    job->begun = true;
    job->job.outcome.started_ns = clock_now_ns();
    if (job->job.timeout_ns > 0 && job->job.stopped == STOP_NONE)
        job->due_ns = clock_deadline(job->job.timeout_ns);
}

/* The helper has nothing of it any more. */
static void job_over(struct coproc_flight *flight, struct coproc_job *job)
{
    struct coproc_helper *helper = flight->helper;
    bool whole = job->to <= flight->written;
    helper->last_id = job->job.lease.id;
    helper->answered_ns = clock_now_ns();
    flight_end(flight, job);
    if (!whole)
        (void)flight_wrong(flight, "it answered before it had read the whole job");
}

/* An answer. Of a job that was stopped, only a result counts. */
static void answer(struct coproc_flight *flight, struct coproc_job *job, enum job_outcome_kind kind,
                   const char *reason)
{
    struct job_outcome *outcome = &job->job.outcome;
    outcome->kind = kind;
    if (kind != JOB_OUTCOME_DONE && job->job.stopped != STOP_NONE)
        outcome->kind = JOB_OUTCOME_RETURNED;
    else if (kind != JOB_OUTCOME_DONE && *reason != '\0')
        job_outcome_reason(outcome, JOB_REASON_SAID "%s", reason);
    else if (kind != JOB_OUTCOME_DONE)
        job_outcome_reason(outcome, "the helper says so");
    if (!job->begun)
        outcome->started_ns = flight->told_ns;
    flight->answers++;
    if (flight->allowed < flight->helper->window)
        flight->allowed++;
    job_over(flight, job);
}

static int come_back(struct coproc_flight *flight, struct coproc_job *job)
{
    if (!job->asked && job->job.stopped == STOP_NONE)
        return flight_wrong(flight,
                            "it said \"back\" for job %" PRIu64 ", for which nobody asked it",
                            job->job.lease.id);
    job->job.outcome.kind = JOB_OUTCOME_RETURNED;
    job_over(flight, job);
    return 0;
}

/* What it says of the job stands with the job's stderr. */
static void keep_line(struct coproc_job *job, const char *text, size_t max)
{
    struct job_outcome *outcome = &job->job.outcome;
    struct live *live = &job->job.live;
    if (live_keep(live, &outcome->err, max, &outcome->err_truncated, text, strlen(text)) == 0)
        (void)live_keep(live, &outcome->err, max, &outcome->err_truncated, "\n", 1);
}

static int on_job_message(struct coproc_flight *flight, const struct coproc_message *message,
                          size_t *body_len)
{
    struct coproc_job *job = job_find(flight, message->id);
    if (job == NULL)
        return flight_wrong(
            flight, "it said \"%s\" for job %" PRIu64 ", which %s", message->word, message->id,
            message->id == flight->helper->last_id ? "it has answered already" : "it doesn't have");
    switch (message->verb) {
    case COPROC_RESULT:
        flight->bodied = job;
        *body_len = (size_t)message->number;
        break;
    case COPROC_RETRY:
        job->job.outcome.retry_ns = (int64_t)message->number * HL_SECOND;
        answer(flight, job, JOB_OUTCOME_RETRY, message->text);
        break;
    case COPROC_FAIL:
        answer(flight, job, JOB_OUTCOME_FAILED, message->text);
        break;
    case COPROC_BACK:
        return come_back(flight, job);
    case COPROC_PROGRESS:
        job_began(job);
        live_progress(&job->job.live, &job->job.outcome, (int)message->number, message->text);
        break;
    case COPROC_LOG:
        job_began(job);
        keep_line(job, message->text, flight->terms->output_max);
        break;
    case COPROC_READY: /* refused by coproc_message_read */
    case COPROC_BEGIN:
        job_began(job);
    }
    return 0;
}

static int hear_line(void *arg, char *text, size_t *body_len)
{
    struct coproc_flight *flight = arg;
    struct coproc_helper *helper = flight->helper;
    struct coproc_message message;
    char why[sizeof(flight->why)];
    if (coproc_message_read(&message, text, helper->window > 0, why, sizeof(why)) != 0)
        return flight_wrong(flight, "%s", why);
    if (message.verb == COPROC_READY) {
        helper->window = message.number < SHIFT_MAX ? (size_t)message.number : SHIFT_MAX;
        flight->allowed = helper->window;
        flight->due_ns = CLOCK_NEVER;
        return 0;
    }
    if (message.verb == COPROC_LOG && message.id == 0) {
        log_info("helper %s: %s", flight->terms->program, message.text);
        return 0;
    }
    return on_job_message(flight, &message, body_len);
}

static void hear_body(void *arg, const char *bytes, size_t len)
{
    struct coproc_flight *flight = arg;
    struct shift_job *job = &flight->bodied->job;
    (void)live_keep(&job->live, &job->outcome.out, flight->terms->output_max,
                    &job->outcome.out_truncated, bytes, len);
}

static void hear_body_end(void *arg)
{
    struct coproc_flight *flight = arg;
    answer(flight, flight->bodied, JOB_OUTCOME_DONE, "");
}

const struct coproc_ear flight_ear = {
    .line = hear_line, .body = hear_body, .body_end = hear_body_end};
