// SPDX-License-Identifier: MIT
/*
 * The jobs that one worker has in hand for its helper: how they come, begin, are stopped, go back,
 * and end. Nothing here reads or writes a pipe (coproc_talk.c).
 *
 * Begun is what the helper says has begun, and always the oldest job that it has: a helper that
 * takes one after the other needn't say anything. A time limit counts from there; and when a helper
 * dies, what it had begun has crashed, while the rest goes back as if it had never left.
 *
 * When another worker waits without a job, half of what isn't begun goes to it: what the helper
 * hasn't been told at once, the rest when the helper agrees ("back"). From then on this worker
 * takes one more with each answer only, so that two don't snatch the same jobs from each other: a
 * helper that is stuck with a long job gets none, a quick one is at its window again soon.
 *
 * A job that has to stop is dropped if the helper hasn't been told; else the helper is told to stop
 * it, and gets a TERM if that takes it more than a moment. A helper with a window of one never
 * listens while it works and gets the TERM at once. The other jobs of a helper that is ended for
 * that go back, not counted.
 */
#include "worker/child_priv.h"
#include "worker/coproc_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct coproc_job *flight_job_of(struct list_node *node)
{
    return node != NULL ? CONTAINER_OF(node, struct coproc_job, node) : NULL;
}

static struct coproc_job *first_job(const struct coproc_flight *flight)
{
    return flight_job_of(list_first(&flight->jobs));
}

static struct coproc_job *job_after(const struct coproc_flight *flight,
                                    const struct coproc_job *job)
{
    return flight_job_of(list_next(&flight->jobs, &job->node));
}

int flight_wrong(struct coproc_flight *flight, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!flight->broken) /* what comes first counts */
        vsnprintf(flight->why, sizeof(flight->why), format, args);
    va_end(args);
    flight->broken = true;
    return EPROTO;
}

/* ---- they come ---- */

/* In hand, not told; the rest is filled by the shift. NULL: no memory. */
static struct coproc_job *job_new(void)
{
    struct coproc_job *job = malloc(sizeof(*job)); /* no magic: never leaves this thread */
    if (job == NULL)
        return NULL;
    list_node_init(&job->node);
    job->begun = job->asked = job->ordered = false;
    job->due_ns = CLOCK_NEVER;
    job->copied = 0;
    job->from = job->to = UINT64_MAX;
    return job;
}

static void job_enter(struct coproc_flight *flight, struct coproc_job *job)
{
    const struct broker_lease *lease = &job->job.lease;
    job->head_len = (size_t)snprintf(
        job->head, sizeof(job->head), "job %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %s\n",
        lease->id, lease->body->len, lease->attempt, lease->pri, lease->tube);
    if (flight->count == 0)
        flight->quiet_at = flight->queued;
    list_append(&flight->jobs, &job->node);
    flight->count++;
    if (flight->next == NULL)
        flight->next = job;
}

int flight_init(struct coproc_flight *flight, const struct coproc_terms *terms, struct shift *shift)
{
    struct coproc_job *job = job_new();
    if (job == NULL) {
        struct shift_job none;
        struct shift_job *list[] = {&none};
        shift_first(shift, &none);
        none.outcome.kind = JOB_OUTCOME_RETURNED;
        shift_settle(shift, list, 1);
        return ENOMEM;
    }
    flight->terms = terms;
    flight->shift = shift;
    flight->helper = NULL;
    list_init(&flight->jobs);
    flight->count = flight->ended_count = flight->orders = 0;
    flight->next = flight->bodied = NULL;
    flight->allowed = 1;
    flight->queued = flight->written = flight->quiet_at = 0;
    flight->answers = 0;
    flight->due_ns = CLOCK_NEVER;
    flight->stands = flight->wanted = flight->final = flight->stopped = flight->broken = false;
    flight->ended_itself = false;
    flight->why[0] = '\0';
    shift_first(shift, &job->job);
    job_enter(flight, job);
    return 0;
}

void flight_board(struct coproc_flight *flight, struct coproc_helper *helper)
{
    flight->helper = helper;
    flight->next = first_job(flight);
    for (struct coproc_job *job = flight->next; job != NULL; job = job_after(flight, job)) {
        job->begun = job->asked = job->ordered = false;
        job->due_ns = CLOCK_NEVER;
        job->copied = 0;
        job->from = job->to = UINT64_MAX;
    }
    flight->bodied = NULL;
    flight->orders = 0;
    flight->queued = flight->written = flight->quiet_at = 0;
    flight->answers = 0;
    flight->allowed = helper != NULL && helper->window > 0 ? helper->window : 1;
    flight->stopped = flight->broken = flight->ended_itself = false;
    flight->why[0] = '\0';
    flight->due_ns =
        helper == NULL || helper->window > 0 ? CLOCK_NEVER : clock_deadline(COPROC_READY_NS);
}

/* Without room there is one to be had yet: what it was given before it had left the line. */
static size_t room(struct coproc_flight *flight)
{
    if (flight->count < flight->allowed)
        return flight->allowed - flight->count;
    if (!flight->stands)
        return 0;
    flight->stands = !shift_leave(flight->shift);
    return flight->stands ? 1 : 0;
}

bool flight_stand(struct coproc_flight *flight)
{
    if (flight->count < flight->allowed)
        flight->stands = shift_stand(flight->shift);
    return flight->count >= flight->allowed || flight->stands;
}

void flight_take(struct coproc_flight *flight)
{
    struct broker_lease leases[SHIFT_MAX];
    size_t max = room(flight);
    size_t count = max > 0 ? shift_take(flight->shift, leases, max) : 0;
    for (size_t i = 0; i < count; i++) {
        struct coproc_job *job = job_new();
        if (job == NULL) {
            shift_return(flight->shift, &leases[i]);
            continue;
        }
        shift_begin(flight->shift, &job->job, &leases[i]);
        job_enter(flight, job);
    }
}

/* ---- they end ---- */

void flight_end(struct coproc_flight *flight, struct coproc_job *job)
{
    ASSERT(flight->ended_count < SHIFT_MAX);
    if (flight->next == job)
        flight->next = job_after(flight, job);
    if (flight->bodied == job)
        flight->bodied = NULL;
    flight->orders -= job->ordered ? 1 : 0;
    list_remove(&job->node);
    flight->count--;
    flight->ended[flight->ended_count++] = &job->job;
}

void flight_settle(struct coproc_flight *flight)
{
    if (flight->ended_count == 0)
        return;
    shift_settle(flight->shift, flight->ended, flight->ended_count);
    for (size_t i = 0; i < flight->ended_count; i++)
        free(CONTAINER_OF(flight->ended[i], struct coproc_job, job));
    flight->ended_count = 0;
}

/* Back to where it came from, or what it was stopped for. */
static void job_return(struct coproc_flight *flight, struct coproc_job *job)
{
    job->job.outcome.kind = JOB_OUTCOME_RETURNED;
    flight_end(flight, job);
}

void flight_crash(struct coproc_flight *flight, const char *why)
{
    bool oldest = true;
    struct coproc_job *job;
    while ((job = first_job(flight)) != NULL) {
        if (why == NULL || !(oldest || job->begun))
            job_return(flight, job);
        else {
            job->job.outcome.kind = JOB_OUTCOME_CRASHED;
            job_outcome_reason(&job->job.outcome, "the helper %s failed: %s",
                               flight->terms->program, why);
            flight_end(flight, job);
        }
        oldest = false;
    }
}

/* ---- they are stopped ---- */

static void helper_term(struct coproc_flight *flight)
{
    if (flight->stopped)
        return;
    flight->stopped = true;
    flight->due_ns = clock_deadline(flight->terms->kill_after_ns);
    child_signal(&flight->helper->child, SIGTERM);
}

static void job_order(struct coproc_flight *flight, struct coproc_job *job)
{
    flight->orders += job->ordered ? 0 : 1;
    job->ordered = true;
}

static void job_stop(struct coproc_flight *flight, struct coproc_job *job, enum stop_reason reason)
{
    if (job->job.stopped != STOP_NONE)
        return;
    job->job.stopped = reason;
    job->due_ns = CLOCK_NEVER;
    if (job->copied == 0)
        job_return(flight, job);
    else if (flight->helper->window == 1)
        helper_term(flight);
    else {
        job_order(flight, job);
        job->due_ns = clock_deadline(COPROC_STOP_NS);
    }
}

static void stop_cancelled(struct coproc_flight *flight)
{
    struct coproc_job *job, *next;
    for (job = first_job(flight); job != NULL; job = next) {
        next = job_after(flight, job);
        if (shift_is_cancelled(flight->shift, &job->job))
            job_stop(flight, job, STOP_CANCEL);
    }
}

/* What the helper doesn't know goes back at once, for the rest it gets its TERM. */
static void stop_all(struct coproc_flight *flight)
{
    struct coproc_job *job, *next;
    flight->final = true;
    for (job = first_job(flight); job != NULL; job = next) {
        next = job_after(flight, job);
        if (job->copied == 0)
            job_return(flight, job);
    }
    if (flight->count > 0)
        helper_term(flight);
}

void flight_listen(struct coproc_flight *flight)
{
    unsigned heard = shift_hear(flight->shift);
    if ((heard & SHIFT_WANTED) != 0)
        flight->wanted = true;
    if ((heard & SHIFT_CANCELS) != 0)
        stop_cancelled(flight);
    if ((heard & SHIFT_STOP) != 0)
        stop_all(flight);
}

/* ---- the clock ---- */

int64_t flight_due(const struct coproc_flight *flight)
{
    int64_t due_ns = flight->due_ns;
    if (flight->stopped)
        return due_ns;
    for (struct coproc_job *job = first_job(flight); job != NULL; job = job_after(flight, job))
        if (job->due_ns < due_ns)
            due_ns = job->due_ns;
    return due_ns;
}

/* Ready too late, without output for too long, or still there after the TERM. */
static void helper_is_due(struct coproc_flight *flight)
{
    flight->due_ns = CLOCK_NEVER;
    if (flight->stopped)
        child_signal(&flight->helper->child, SIGKILL);
    else if (flight->helper->child.out < 0)
        (void)flight_wrong(flight, "it closed its standard output without an answer");
    else
        (void)flight_wrong(flight, "it did not say \"ready %d\" within %g s", COPROC_VERSION,
                           (double)COPROC_READY_NS / (double)HL_SECOND);
}

void flight_look_at_clock(struct coproc_flight *flight)
{
    int64_t now_ns = clock_now_ns();
    if (now_ns >= flight->due_ns)
        helper_is_due(flight);
    struct coproc_job *job, *next;
    for (job = first_job(flight); job != NULL && !flight->stopped; job = next) {
        next = job_after(flight, job);
        if (now_ns < job->due_ns)
            continue;
        if (job->job.stopped == STOP_NONE)
            job_stop(flight, job, STOP_TIMEOUT);
        else
            helper_term(flight);
    }
}

/* ---- who has what ---- */

static bool can_go_back(const struct coproc_flight *flight, const struct coproc_job *job)
{
    return job != first_job(flight) && !job->begun && !job->asked && job->job.stopped == STOP_NONE;
}

/* Half of what can, the newest ones. */
static void share(struct coproc_flight *flight)
{
    size_t spare = 0;
    for (struct coproc_job *job = first_job(flight); job != NULL; job = job_after(flight, job))
        spare += can_go_back(flight, job) ? 1 : 0;
    size_t keep = spare / 2, all = flight->count;
    if (spare == 0)
        return;
    struct coproc_job *job, *next;
    for (job = first_job(flight); job != NULL; job = next) {
        next = job_after(flight, job);
        if (!can_go_back(flight, job) || (keep > 0 && keep-- > 0))
            continue;
        if (job->copied == 0)
            job_return(flight, job);
        else {
            job->asked = true;
            job_order(flight, job);
        }
    }
    flight->allowed = all - (spare - spare / 2);
}

void flight_arrange(struct coproc_flight *flight)
{
    struct coproc_job *job = first_job(flight);
    if (job != NULL && !job->begun && job->from < flight->written) {
        job->begun = true;
        job->job.outcome.started_ns = clock_now_ns();
        if (job->job.timeout_ns > 0 && job->job.stopped == STOP_NONE)
            job->due_ns = clock_deadline(job->job.timeout_ns);
    }
    if (flight->wanted && !flight->stopped)
        share(flight);
    flight->wanted = false;
}
