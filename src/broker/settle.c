// SPDX-License-Identifier: MIT
/*
 * Settle and delete: how a job ends, or goes back.
 *
 * Finishing has three steps. First, under the lock, the job is claimed: it stays visible as
 * reserved, but its token is spent and nobody else can touch it. Then, without the lock, its record
 * is made and handed to the `finished` hook. Last, under the lock again, it leaves (or is buried),
 * its task is closed, and those who wait get ready. So there is no moment at which a job is neither
 * here nor in history, and nobody is told of an end that history doesn't know. Without a hook the
 * three steps are one hold of the lock.
 *
 * A delete is the same: the deleter reserves the job, whatever container it was in, and finishes
 * it.
 */
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* [held] The job belongs to this call until it is finished. */
static void claim(struct job *job)
{
    ASSERT(job->state == JOB_RESERVED && !job->settling);
    job->settling = true;
}

/* [held] A job that leaves: gone from every structure, to be freed without the lock. */
static void leave(struct broker *broker, struct job *job)
{
    struct broker_tube *tube = job->tube;
    tube_job_move(job, JOB_FINISHED);
    const struct job *removed = idmap_remove(&broker->jobs, job->id);
    ASSERT(removed == job);
    tube->stats.bytes -= job->body->len;
    broker->stats.bytes -= job->body->len;
}

/* [held] What a burial needs. ENOMEM. */
static int bury_room(struct job *job)
{
    return job_rare_need(job) == NULL ? ENOMEM : heap_reserve(&job->tube->buried, 1);
}

/* [held] Takes *reason over. ENOMEM: nothing changed. */
static int bury(struct broker *broker, struct job *job, char **reason)
{
    /* There was room when the job was claimed; others may have used it since. */
    int rc = bury_room(job);
    if (rc != 0)
        return rc;
    struct broker_tube *tube = job->tube;
    struct job_rare *rare = job->rare;
    rare->buries++;
    free(rare->reason);
    rare->reason = *reason;
    *reason = NULL;
    tube_job_move(job, JOB_BURIED);
    job->settling = false;
    job->token = 0;
    job->key_ns = ++broker->last_burial;
    MUST(heap_insert(&tube->buried, job));
    return 0;
}

/* [held] The task is closed, waiters and joiners get ready. */
static void count_finished(struct broker *broker, struct job *job, enum job_outcome_kind kind)
{
    struct broker_totals *of_tube = &job->tube->stats.totals, *of_all = &broker->stats.totals;
    if (kind == JOB_OUTCOME_DONE) {
        of_tube->done++;
        of_all->done++;
    } else if (kind == JOB_OUTCOME_FAILED) {
        of_tube->failed++;
        of_all->failed++;
    } else {
        of_tube->deleted++;
        of_all->deleted++;
    }
    wait_finish(job);
    MUST(queue_core_close_task(&job->tube->ready));
    MUST(queue_core_close_task(&broker->all));
}

/* Without the lock; the job is claimed, so it stays. */
static void record_finished(struct broker *broker, const struct job_view *view,
                            const struct job_outcome *outcome)
{
    struct job_record *record;
    if (job_record_new(&record, view, outcome) == 0) {
        broker->options.finished(&record, broker->options.finished_arg);
        return;
    }
    broker_lock(broker);
    broker->stats.unrecorded++;
    broker_unlock(broker);
}

/* [held on entry, not on return] Finishes a claimed job. */
static int finish(struct broker *broker, struct job *job, const struct job_outcome *outcome,
                  char **reason)
{
    if (broker->options.finished != NULL) {
        struct job_view view;
        view_copy(job, &view);
        broker_unlock(broker);
        record_finished(broker, &view, outcome);
        broker_lock(broker);
    }
    if (outcome->kind == JOB_OUTCOME_FAILED) {
        int rc = bury(broker, job, reason);
        if (rc == 0)
            count_finished(broker, job, outcome->kind);
        else
            job->settling = false;
        broker_unlock(broker);
        return rc;
    }
    count_finished(broker, job, outcome->kind);
    leave(broker, job);
    tube_unref(job->tube);
    broker_unlock(broker);
    job_free(&job);
    return 0;
}

/* [held] */
static int give_back(struct job *job)
{
    int rc = queue_core_reserve(&job->tube->ready, 1);
    if (rc != 0)
        return rc;
    job->token = 0;
    job_offer(job);
    return 0;
}

int broker_settle(struct broker *broker, uint64_t id, uint64_t token,
                  const struct job_outcome *outcome)
{
    char *reason = NULL;
    if (outcome->kind == JOB_OUTCOME_FAILED && outcome->reason[0] != '\0') {
        reason = strdup(outcome->reason);
        if (reason == NULL)
            return ENOMEM;
    }
    broker_lock(broker);
    struct job *job = idmap_get(&broker->jobs, id);
    int rc;
    if (job == NULL || job->state != JOB_RESERVED || job->settling || job->token != token) {
        rc = ESTALE;
        broker_unlock(broker);
    } else if (!job_outcome_finishes(outcome->kind)) {
        rc = give_back(job);
        broker_unlock(broker);
    } else {
        rc = outcome->kind == JOB_OUTCOME_FAILED ? bury_room(job) : 0;
        if (rc == 0) {
            claim(job);
            rc = finish(broker, job, outcome, &reason);
        } else
            broker_unlock(broker);
    }
    free(reason);
    return rc;
}

int broker_delete(struct broker *broker, uint64_t id)
{
    broker_lock(broker);
    struct job *job = idmap_get(&broker->jobs, id);
    if (job == NULL || job->state == JOB_RESERVED) {
        broker_unlock(broker);
        return ENOENT;
    }
    tube_job_leave(job);
    if (job->state == JOB_BURIED) {
        /* It was finished, recorded and counted when it failed. */
        leave(broker, job);
        tube_unref(job->tube);
        broker_unlock(broker);
        job_free(&job);
        return 0;
    }
    tube_job_move(job, JOB_RESERVED);
    claim(job);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_DELETED;
    char *no_reason = NULL;
    return finish(broker, job, &outcome, &no_reason);
}
