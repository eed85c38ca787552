// SPDX-License-Identifier: MIT
/*
 * Settle and delete: how a job ends, or goes back.
 *
 * Finishing has three steps. First, under the lock, the job is claimed: it stays visible as
 * reserved, but its token is spent and nobody else can touch it. Then, without the lock, its record
 * is made and handed to the `finished` hook. Last, under the lock again, it leaves (or is buried),
 * its task is closed, and those who wait get ready. So there is no moment at which a job is neither
 * here nor in history, and nobody is told of an end that history doesn't know. Without a hook the
 * three steps are one hold of the lock. The journal has the end from the first step on, where it
 * can still be refused; compaction leaves a job alone that is in between.
 *
 * A delete is the same: the deleter reserves the job, whatever container it was in, and finishes
 * it. It leaves no record, unless somebody waits for that job: who deletes it knows how it ended,
 * and a queue that is served by remote workers sees nothing else, so records of it would fill
 * history with nothing and cost as much as all the rest.
 */
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* [held] The job belongs to this call until it is finished; its lease, if it had one, is over. */
static void claim(struct job *job)
{
    ASSERT(job->state == JOB_RESERVED && !job->settling);
    if (job->rare != NULL && job->rare->token != 0)
        lease_end(job);
    job->settling = true;
}

/* [held] A job that leaves: gone from every structure, to be freed without the lock. */
static void leave(struct broker *broker, struct job *job, bool recorded)
{
    struct broker_tube *tube = job->tube;
    if (!recorded || !broker->options.keys_outlive)
        key_remove(job, tube);
    tube_job_move(job, JOB_FINISHED);
    job_table_remove(broker, job);
    tube->stats.bytes -= job->body.len;
    broker->stats.bytes -= job->body.len;
    if (job->evicted) {
        broker->log->evicted_jobs--;
        broker->log->evicted_bytes -= job->body.len;
    }
    spare_keep(broker, job);
    putters_serve(tube);
    tube_unref(tube);
}

/* [held] Takes *reason over. The slot was promised. */
static void bury(struct job *job, char **reason, int64_t burial)
{
    struct job_rare *rare = job->rare;
    struct broker_log *log = job_is_logged(job) ? job->tube->broker->log : NULL;
    if (log != NULL)
        log->live_bytes -= log_cost(job);
    job_count(&rare->buries);
    free(rare->reason);
    rare->reason = *reason;
    *reason = NULL;
    if (log != NULL)
        log->live_bytes += log_cost(job);
    job->settling = false;
    heap_unpromise(&job->tube->buried);
    tube_job_enter(job, JOB_BURIED, burial);
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

static void count_delete(struct broker_tube *tube)
{
    tube->stats.deletes++;
    tube->broker->stats.deletes++;
}

/* Unless it asked for none. */
static bool wants_record(const struct job *job)
{
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    return options == NULL || (options->set & JOB_OPTION_RETENTION) == 0 ||
           options->retention_ns > 0;
}

/* [held] Whether history hears of it. */
static bool leaves_record(const struct broker *broker, const struct job *job,
                          enum job_outcome_kind kind)
{
    if (!wants_record(job))
        return false;
    bool awaited = job->rare != NULL && !list_empty(&job->rare->waiters);
    return broker->options.finished != NULL && (kind != JOB_OUTCOME_DELETED || awaited);
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

/*
 * Takes *reason over if the job is buried; for that (FAILED) there must be room among the buried
 * ones.
 */
void settle_finish(struct broker *broker, struct job *job, const struct job_outcome *outcome,
                   char **reason)
{
    bool buries = outcome->kind == JOB_OUTCOME_FAILED;
    int64_t burial = 0;
    claim(job);
    if (buries) {
        heap_promise(&job->tube->buried);
        burial = ++broker->last_burial;
        log_bury(job, *reason, burial);
    } else
        log_finish(job);
    if (outcome->kind == JOB_OUTCOME_DELETED)
        count_delete(job->tube);
    bool recorded = leaves_record(broker, job, outcome->kind);
    if (recorded) {
        struct job_view view;
        view_copy(job, &view);
        broker_unlock(broker);
        record_finished(broker, &view, outcome);
        broker_lock(broker);
    }
    if (buries) {
        bury(job, reason, burial);
        count_finished(broker, job, outcome->kind);
        broker_unlock(broker);
        return;
    }
    count_finished(broker, job, outcome->kind);
    leave(broker, job, recorded);
    broker_unlock(broker);
    job_free(&job);
}

/* [held] The lease of whoever shows its token: a sink's, or one that was taken with a token. */
static struct job *job_under_token(const struct broker *broker, uint64_t id, uint64_t token)
{
    struct job *job = idtable_get(&broker->jobs, id);
    bool leased = job != NULL && job->state == JOB_RESERVED && !job->settling;
    return leased && token != 0 && job->rare->token == token ? job : NULL;
}

/* *reason: as for settle_finish, which takes it. */
static int settle(struct broker *broker, uint64_t id, uint64_t token,
                  const struct job_outcome *outcome, char **reason)
{
    broker_lock(broker);
    struct job *job = job_under_token(broker, id, token);
    int rc = job == NULL ? ESTALE : 0;
    if (rc == 0 && outcome->kind == JOB_OUTCOME_FAILED)
        rc = tube_room(job->tube, JOB_BURIED);
    if (rc == 0 && job_outcome_finishes(outcome->kind))
        rc = outcome->kind == JOB_OUTCOME_FAILED ? log_admit(job) : log_admit_final(job);
    if (rc == 0 && job_outcome_finishes(outcome->kind))
        settle_finish(broker, job, outcome, reason);
    else {
        if (rc == 0)
            rc = lease_return(job, outcome->retry_ns);
        broker_unlock(broker);
    }
    return rc;
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
    int64_t busy_until_ns = 0;
    int rc;
    do
        rc = settle(broker, id, token, outcome, &reason);
    while (log_again(broker, &rc, &busy_until_ns));
    free(reason);
    return rc;
}

int settle_delete_idle(struct broker *broker, struct job *job)
{
    int rc = log_admit_final(job);
    if (rc != 0) {
        broker_unlock(broker);
        return rc;
    }
    tube_job_leave(job);
    if (job->state == JOB_BURIED) {
        /* It was finished, recorded and counted when it failed. */
        log_finish(job);
        count_delete(job->tube);
        leave(broker, job, broker->options.finished != NULL && wants_record(job));
        broker_unlock(broker);
        job_free(&job);
        return 0;
    }
    tube_job_move(job, JOB_RESERVED);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_DELETED;
    char *no_reason = NULL;
    settle_finish(broker, job, &outcome, &no_reason);
    return 0;
}

int settle_bury_idle(struct broker *broker, struct job *job, const char *reason)
{
    char *copy = strdup(reason);
    int rc = copy == NULL || (job->rare == NULL && (job->rare = spare_take(broker)) == NULL)
                 ? ENOMEM
                 : tube_room(job->tube, JOB_BURIED);
    if (rc == 0)
        rc = log_admit(job);
    if (rc == 0) {
        struct job_outcome outcome;
        tube_job_leave(job);
        tube_job_move(job, JOB_RESERVED);
        job_outcome_init(&outcome);
        outcome.kind = JOB_OUTCOME_FAILED;
        job_outcome_reason(&outcome, "%s", reason);
        settle_finish(broker, job, &outcome, &copy);
    } else
        broker_unlock(broker);
    free(copy);
    return rc;
}

static int delete (struct broker *broker, uint64_t id)
{
    broker_lock(broker);
    struct job *job = idtable_get(&broker->jobs, id);
    if (job == NULL || job->state == JOB_RESERVED) {
        broker_unlock(broker);
        return ENOENT;
    }
    return settle_delete_idle(broker, job);
}

int broker_delete(struct broker *broker, uint64_t id)
{
    int64_t busy_until_ns = 0;
    int rc;
    do
        rc = delete (broker, id);
    while (log_again(broker, &rc, &busy_until_ns));
    return rc;
}
