// SPDX-License-Identifier: MIT
/*
 * Settle, delete and cancel: the verbs that end a job, or an attempt.
 *
 * What becomes of an attempt is a matter of rules (retry.c). A job that ends for good does so in
 * one way (finish.c); one that is tried again goes back.
 *
 * A cancel finishes the job at once, wherever it is, but for one that a local worker runs: of that
 * the journal says that it is finished, so no restart brings it back, and the worker is told to
 * stop it. The job stays reserved until it has, so join and wait return when nothing runs any more.
 */
#include "base/clock.h"
#include "broker/consumer_priv.h"
#include "broker/finish_priv.h"
#include "broker/lease_priv.h"
#include "broker/make_priv.h"
#include "broker/settle_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what it leaves behind ---- */

int attempt_end_make(struct attempt_end *last, const struct job_outcome *outcome)
{
    enum job_fate fate = job_outcome_fate(outcome->kind);
    *last = (struct attempt_end){NULL};
    if (fate != JOB_FATE_RULED && fate != JOB_FATE_BURIED)
        return 0;
    int rc = job_attempts_new(&last->past, outcome);
    if (rc != 0 || outcome->reason[0] == '\0')
        return rc;
    last->reason = strdup(outcome->reason);
    if (last->reason != NULL)
        return 0;
    attempt_end_free(last);
    return ENOMEM;
}

void attempt_end_free(struct attempt_end *last)
{
    free(last->reason);
    last->reason = NULL;
    job_attempts_free(&last->past);
}

/* ---- settle ---- */

/* Another attempt, after a pause or at once. */
HELD static void try_again(struct job *job, const struct job_outcome *outcome, int64_t pause_ns,
                           struct attempt_end *last)
{
    struct job_tries tries = job->extra->tries;
    struct change change = {.type = JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = pause_ns > 0 ? JOB_DELAYED : JOB_READY,
                            .flags = job_is_logged(job) ? CHANGE_LOGGED : 0,
                            .kind = (uint8_t)outcome->kind,
                            .job = job,
                            .key_ns = pause_ns > 0 ? clock_deadline(pause_ns) : 0,
                            .delay_ns = pause_ns,
                            .tries = &tries,
                            .past = &last->past};
    job_count(job_tries_of(&tries, outcome->kind));
    broker_tube(job->tube)->stats.retries++;
    broker_of(job->tube)->stats.retries++;
    make_back(&change);
}

struct job *job_under_token(const struct broker *broker, uint64_t id, uint64_t token)
{
    struct job *job = idtable_get(&broker->ledger.jobs, id);
    bool leased = job != NULL && job->state == JOB_RESERVED;
    return leased && lease_has_token(job, token) ? job : NULL;
}

/* ENOMEM, ENOSPC, EIO, EAGAIN: nothing changed. */
HELD static int go_back(struct job *job, const struct job_outcome *outcome,
                        const struct verdict *verdict, struct attempt_end *last)
{
    if (!verdict->again)
        return lease_return(job, outcome->retry_ns);
    int rc = verdict->state == JOB_DELAYED ? tube_room(job->tube, JOB_DELAYED) : 0;
    if (rc == 0)
        rc = store_admit(job);
    if (rc == 0)
        try_again(job, outcome, verdict->pause_ns, last);
    return rc;
}

/* Who was cancelled ends so, whatever became of the attempt, unless it was done; who asked for one
 * attempt too many has failed. */
static void rename_outcome(struct job_outcome *outcome, const struct job *job,
                           const struct verdict *verdict)
{
    if (job->extra->cancelled && outcome->kind != JOB_OUTCOME_DONE) {
        outcome->kind = JOB_OUTCOME_CANCELLED;
        job_outcome_reason(outcome, "%s", SETTLE_CANCELLED);
    } else if (verdict->state == JOB_BURIED && outcome->kind == JOB_OUTCOME_RETRY)
        outcome->kind = JOB_OUTCOME_FAILED;
}

/* `given` is the caller's, but its output, if that is taken over. */
HELD static int settle(struct broker *broker, struct job *job, struct job_outcome *given,
                       struct attempt_end *last, struct job **gone)
{
    struct job_outcome outcome = *given;
    struct verdict verdict = retry_judge(job, &outcome);
    rename_outcome(&outcome, job, &verdict);
    if (job->extra->cancelled)
        verdict = (struct verdict){.state = JOB_FINISHED};
    if (verdict.state != JOB_BURIED && verdict.state != JOB_FINISHED)
        return go_back(job, &outcome, &verdict, last);
    const struct finish finish = {.job = job,
                                  .outcome = &outcome,
                                  .last = last,
                                  .counts = verdict.state == JOB_BURIED &&
                                            job_outcome_fate(outcome.kind) == JOB_FATE_RULED};
    int rc = finish_job(broker, &finish, gone);
    given->out = outcome.out;
    given->err = outcome.err;
    return rc;
}

int decide_settle(struct broker *broker, struct broker_op *op)
{
    struct job *job = job_under_token(broker, op->id, op->token);
    return job != NULL ? settle(broker, job, op->settle.outcome, op->settle.last, &op->gone)
                       : ESTALE;
}

/* ---- jobs that nobody has ---- */

int settle_delete_idle(struct broker *broker, struct job *job, struct job **gone)
{
    if (job->state == JOB_BURIED)
        return finish_buried(broker, job, gone);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_DELETED;
    const struct finish finish = {.job = job, .outcome = &outcome};
    return finish_job(broker, &finish, gone);
}

int settle_bury_idle(struct broker *broker, struct job *job, const char *reason)
{
    struct attempt_end last = {.reason = strdup(reason)};
    struct job_outcome outcome;
    struct job *gone;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_FAILED;
    job_outcome_reason(&outcome, "%s", reason);
    const struct finish finish = {.job = job, .outcome = &outcome, .last = &last};
    int rc = last.reason != NULL ? finish_job(broker, &finish, &gone) : ENOMEM;
    attempt_end_free(&last);
    return rc;
}

/* One that a local worker runs. */
HELD static int cancel_running(struct job *job)
{
    if (job->extra->cancelled)
        return 0;
    int rc = store_admit_final(job);
    if (rc != 0)
        return rc;
    struct change change = {.type = JOB_ENTRY_DELETE,
                            .from = JOB_RESERVED,
                            .to = JOB_RESERVED, /* until its worker has stopped */
                            .flags = job_is_logged(job) ? CHANGE_LOGGED : 0,
                            .count = JOB_COUNT_CANCELLED,
                            .kind = JOB_OUTCOME_CANCELLED,
                            .job = job};
    make_cancel(&change);
    struct broker_consumer *consumer = job->extra->consumer;
    if (consumer != NULL)
        consumer->hooks->cancel(job->id, job->extra->token, consumer->hooks_arg);
    return 0;
}

int settle_cancel(struct broker *broker, struct job *job, const char *reason, struct job **gone)
{
    ASSERT(job->state != JOB_BURIED);
    *gone = NULL;
    int rc;
    if (job->state == JOB_RESERVED && job->extra->client == NULL)
        rc = cancel_running(job);
    else {
        struct job_outcome outcome;
        job_outcome_init(&outcome);
        outcome.kind = JOB_OUTCOME_CANCELLED;
        job_outcome_reason(&outcome, "%s", reason);
        const struct finish finish = {.job = job, .outcome = &outcome};
        rc = finish_job(broker, &finish, gone);
    }
    store_told_all(&broker->ledger);
    return rc;
}
