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
 * The end is admitted by the journal in the first step, where it can still be refused. If no record
 * is made, or history keeps it in memory, it is added to the journal there, too. If history has a
 * file, which lags, the end is added in the third step, with the record just before it (result.c):
 * so a crash never finds a job that is gone and has no record. Compaction leaves a job alone that
 * is in between.
 *
 * A delete is the same: the deleter reserves the job, whatever container it was in, and finishes
 * it. It leaves no record, unless somebody waits for that job: who deletes it knows how it ended,
 * and a queue that is served by remote workers sees nothing else, so records of it would fill
 * history with nothing and cost as much as all the rest.
 *
 * A cancel finishes the job at once, too, wherever it is, but for one that a local worker runs: of
 * that the journal says that it is finished, so no restart brings it back, and the worker is told
 * to stop it. The job stays reserved until it has, so join and wait return when nothing runs any
 * more.
 */
#include "base/clock.h"
#include "broker/change_priv.h"

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

/* [held] The change that ends a job for good, recorded: its group counts it from then on. */
static void record(struct change *change)
{
    struct job *job = change->job;
    bool logged = job_is_logged(job);
    change->flags = logged ? CHANGE_LOGGED : 0;
    if (job->rare != NULL && job->rare->cancelled) /* it was told of then */
        change->count = JOB_COUNT_NONE;
    change_record(change);
    group_tell(job, (enum job_fate_count)change->count, logged);
    change->count = JOB_COUNT_NONE;
}

/* [held] A job that leaves: gone from every structure, to be freed without the lock. */
static void leave(struct broker *broker, struct change *change, bool recorded)
{
    struct job *job = change->job;
    struct broker_tube *tube = job->tube;
    if (recorded)
        key_leave_word(job, tube);
    if (job->evicted) {
        broker->log->evicted_jobs--;
        broker->log->evicted_bytes -= job->body.len;
    }
    apply_delete(change);
    spare_keep(broker, job);
    putters_serve(tube);
    tube_unref(tube);
}

/* [held] Takes reason and past over. The slot was promised. */
static void bury(struct change *change)
{
    struct job *job = change->job;
    struct broker_log *log = job_is_logged(job) ? job->tube->broker->log : NULL;
    uint64_t cost = log != NULL ? log_cost(job) : 0;
    job->settling = false;
    heap_unpromise(&job->tube->buried);
    apply_bury(change);
    if (log != NULL)
        log->live_bytes += log_cost(job) - cost;
    tube_job_contain(job);
}

/* [held] Who waits for the job gets ready. */
static void count_finished(struct broker *broker, struct job *job, enum job_outcome_kind kind)
{
    struct broker_totals *of_tube = &job->tube->stats.totals, *of_all = &broker->stats.totals;
    if (kind == JOB_OUTCOME_DONE) {
        of_tube->done++;
        of_all->done++;
    } else if (kind == JOB_OUTCOME_DELETED) {
        of_tube->deleted++;
        of_all->deleted++;
    } else if (kind == JOB_OUTCOME_CANCELLED) {
        of_tube->cancelled++;
        of_all->cancelled++;
    } else {
        of_tube->failed++;
        of_all->failed++;
    }
    wait_finish(job);
}

static void count_delete(struct broker_tube *tube)
{
    tube->stats.deletes++;
    tube->broker->stats.deletes++;
}

/* Unless it asked for none. */
static bool wants_record(const struct job *job)
{
    const struct job_options *own = job->rare != NULL ? job->rare->options : NULL;
    return own == NULL || (own->set & JOB_OPTION_RETENTION) == 0 || own->retention_ns > 0;
}

/* [held] Whether history hears of it. */
static bool leaves_record(const struct broker *broker, const struct job *job,
                          enum job_outcome_kind kind)
{
    bool awaited = job->rare != NULL && !list_empty(&job->rare->waiters);
    return broker->options.finished != NULL && (kind != JOB_OUTCOME_DELETED || awaited) &&
           wants_record(job);
}

/* Without the lock; the job is claimed, so it stays. result NULL: the journal doesn't keep it. */
static void record_finished(struct broker *broker, const struct job_view *view,
                            const struct job_outcome *outcome, struct result *result)
{
    struct job_record *record;
    if (job_record_new(&record, view, outcome) == 0) {
        if (result != NULL)
            result_make(broker, &record, result);
        else
            broker->options.finished(&record, broker->options.finished_arg);
        return;
    }
    broker_lock(broker);
    broker->stats.unrecorded++;
    broker_unlock(broker);
}

/* ---- what it leaves behind ---- */

int last_words_make(struct last_words *words, const struct job_outcome *outcome)
{
    enum job_fate fate = job_outcome_fate(outcome->kind);
    *words = (struct last_words){NULL};
    if (fate != JOB_FATE_RULED && fate != JOB_FATE_BURIED)
        return 0;
    int rc = job_past_new(&words->past, outcome);
    if (rc != 0 || outcome->reason[0] == '\0')
        return rc;
    words->reason = strdup(outcome->reason);
    if (words->reason != NULL)
        return 0;
    last_words_free(words);
    return ENOMEM;
}

void last_words_free(struct last_words *words)
{
    free(words->reason);
    words->reason = NULL;
    job_past_free(&words->past);
}

/* ---- finishing ---- */

/* How a job ends, between the steps. */
struct ending {
    struct broker *broker;
    const struct job_outcome *outcome;
    struct change change; /* BURY or DELETE */
};

/* [held before and after, not in between] The record goes to history. */
static void end_record(const struct ending *ending)
{
    struct broker *broker = ending->broker;
    struct job_view view;
    view_copy(ending->change.job, &view);
    broker_unlock(broker);
    record_finished(broker, &view, ending->outcome, NULL);
    broker_lock(broker);
}

/* The same, and the end is added to the journal, behind the record. */
static void end_record_tied(struct ending *ending)
{
    struct broker *broker = ending->broker;
    struct job *job = ending->change.job;
    struct result result = {.number = 0};
    struct job_view view;
    view_copy(job, &view);
    log_promise(job);
    broker_unlock(broker);
    record_finished(broker, &view, ending->outcome, &result);
    result_lock(broker, &result);
    result_log(job, &result);
    log_redeem(job);
    record(&ending->change);
    result_fini(&result);
}

/* [held] What becomes of the job, but whether it is in the journal. words: kept until it is done. */
static void ending_make(struct ending *ending, struct job *job, struct last_words *words)
{
    enum job_outcome_kind kind = ending->outcome->kind;
    struct change *change = &ending->change;
    *change = (struct change){.type = JOB_ENTRY_DELETE,
                              .from = JOB_RESERVED,
                              .to = JOB_FINISHED,
                              .count = (char)group_count_of(kind),
                              .pri = job->pri,
                              .job = job};
    if (job_outcome_fate(kind) == JOB_FATE_LEAVES)
        return;
    struct broker *broker = ending->broker;
    heap_promise(&job->tube->buried);
    broker->last_burial = (int64_t)job_serial_add((uint64_t)broker->last_burial, 1);
    change->type = JOB_ENTRY_BURY;
    change->to = JOB_BURIED;
    change->key_ns = broker->last_burial;
    change->tries = &job->rare->tries;
    change->past = &words->past;
    change->reason = &words->reason;
}

/*
 * Takes the words over if the job is buried (what doesn't leave is); for that there must be room
 * among the buried ones.
 */
void settle_finish(struct broker *broker, struct job *job, const struct job_outcome *outcome,
                   struct last_words *words)
{
    struct ending ending = {.broker = broker, .outcome = outcome};
    claim(job);
    ending_make(&ending, job, words);
    if (outcome->kind == JOB_OUTCOME_DELETED)
        count_delete(job->tube);
    bool recorded = leaves_record(broker, job, outcome->kind);
    if (recorded && result_is_tied(job))
        end_record_tied(&ending);
    else {
        record(&ending.change);
        if (recorded)
            end_record(&ending);
    }
    count_finished(broker, job, outcome->kind);
    if (ending.change.to == JOB_BURIED) {
        bury(&ending.change);
        broker_unlock(broker);
        return;
    }
    leave(broker, &ending.change, recorded);
    broker_unlock(broker);
    job_free(&job);
}

void settle_again(struct job *job, const struct job_outcome *outcome, int64_t pause_ns,
                  struct last_words *words)
{
    struct job_tries tries = job->rare->tries;
    struct change change = {.type = JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = pause_ns > 0 ? JOB_DELAYED : JOB_READY,
                            .flags = job_is_logged(job) ? CHANGE_LOGGED : 0,
                            .job = job,
                            .key_ns = pause_ns > 0 ? clock_deadline(pause_ns) : 0,
                            .delay_ns = pause_ns,
                            .tries = &tries,
                            .past = &words->past};
    job_count(job_tries_of(&tries, outcome->kind));
    job->tube->stats.retries++;
    job->tube->broker->stats.retries++;
    make_back(&change);
}

/* ---- settle ---- */

/* [held] The lease of whoever shows its token: a sink's, or one that was taken with a token. */
static struct job *job_under_token(const struct broker *broker, uint64_t id, uint64_t token)
{
    struct job *job = idtable_get(&broker->jobs, id);
    bool leased = job != NULL && job->state == JOB_RESERVED && !job->settling;
    return leased && token != 0 && job->rare->token == token ? job : NULL;
}

/* [held on entry, not on return] Under its lease, and admitted. ENOMEM, EAGAIN: nothing changed. */
static int carry_out(struct broker *broker, struct job *job, const struct job_outcome *outcome,
                     const struct verdict *verdict, struct last_words *words)
{
    switch (verdict->state) {
    case JOB_BURIED:
        retry_count(job, outcome->kind);
        settle_finish(broker, job, outcome, words);
        return 0;
    case JOB_FINISHED:
        settle_finish(broker, job, outcome, words);
        return 0;
    default:
        break;
    }
    int rc = 0;
    if (verdict->again)
        settle_again(job, outcome, verdict->pause_ns, words);
    else
        rc = lease_return(job, outcome->retry_ns);
    broker_unlock(broker);
    return rc;
}

/* [held] Room, in memory and journal, for what is to come. */
static int admit(const struct job *job, const struct verdict *verdict)
{
    int rc = 0;
    if (verdict->state == JOB_BURIED || verdict->state == JOB_DELAYED)
        rc = tube_room(job->tube, verdict->state);
    if (rc == 0 && verdict->state == JOB_FINISHED)
        rc = log_admit_final(job);
    else if (rc == 0 && (verdict->again || verdict->state == JOB_BURIED))
        rc = log_admit(job);
    return rc;
}

/* Who was cancelled ends so, whatever became of the attempt, unless it was done; who asked for one
 * attempt too many has failed. */
static void rename_outcome(struct job_outcome *outcome, const struct job *job,
                           const struct verdict *verdict)
{
    if (job->rare->cancelled && outcome->kind != JOB_OUTCOME_DONE) {
        outcome->kind = JOB_OUTCOME_CANCELLED;
        job_outcome_reason(outcome, "%s", SETTLE_CANCELLED);
    } else if (verdict->state == JOB_BURIED && outcome->kind == JOB_OUTCOME_RETRY)
        outcome->kind = JOB_OUTCOME_FAILED;
}

static int settle(struct broker *broker, uint64_t id, uint64_t token,
                  const struct job_outcome *given, struct last_words *words)
{
    struct job_outcome outcome = *given; /* the output stays the caller's */
    broker_lock(broker);
    struct job *job = job_under_token(broker, id, token);
    int rc = job == NULL ? ESTALE : 0;
    if (rc == 0) {
        struct verdict verdict = retry_judge(job, &outcome);
        rename_outcome(&outcome, job, &verdict);
        if (job->rare->cancelled)
            verdict = (struct verdict){.state = JOB_FINISHED};
        rc = admit(job, &verdict);
        if (rc == 0)
            return carry_out(broker, job, &outcome, &verdict, words);
    }
    broker_unlock(broker);
    return rc;
}

int broker_settle(struct broker *broker, uint64_t id, uint64_t token,
                  const struct job_outcome *outcome)
{
    struct last_words words;
    int rc = last_words_make(&words, outcome);
    if (rc != 0)
        return rc;
    int64_t busy_until_ns = 0;
    do
        rc = settle(broker, id, token, outcome, &words);
    while (log_again(broker, &rc, &busy_until_ns));
    last_words_free(&words);
    return rc;
}

/* ---- jobs that nobody has ---- */

int settle_delete_idle(struct broker *broker, struct job *job)
{
    int rc = log_admit_final(job);
    if (rc != 0) {
        broker_unlock(broker);
        return rc;
    }
    if (job->state == JOB_BURIED) {
        /* It was finished, recorded and counted when it failed. */
        struct change change = {
            .type = JOB_ENTRY_DELETE, .from = JOB_BURIED, .to = JOB_FINISHED, .job = job};
        record(&change);
        count_delete(job->tube);
        leave(broker, &change, broker->options.finished != NULL && wants_record(job));
        broker_unlock(broker);
        job_free(&job);
        return 0;
    }
    tube_job_leave(job);
    tube_job_move(job, JOB_RESERVED);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_DELETED;
    struct last_words none = {NULL};
    settle_finish(broker, job, &outcome, &none);
    return 0;
}

int settle_bury_idle(struct broker *broker, struct job *job, const char *reason)
{
    struct last_words words = {.reason = strdup(reason)};
    int rc = words.reason == NULL || (job->rare == NULL && (job->rare = spare_take(broker)) == NULL)
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
        settle_finish(broker, job, &outcome, &words);
    } else
        broker_unlock(broker);
    last_words_free(&words);
    return rc;
}

/* [held on entry, not on return] Out of its container, or its lease is about to end: for good. */
static void cancel_now(struct broker *broker, struct job *job, const char *reason)
{
    if (job->state != JOB_RESERVED) {
        tube_job_leave(job);
        tube_job_move(job, JOB_RESERVED);
    }
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_CANCELLED;
    job_outcome_reason(&outcome, "%s", reason);
    struct last_words none = {NULL};
    settle_finish(broker, job, &outcome, &none);
}

int settle_cancel(struct broker *broker, struct job *job, const char *reason)
{
    ASSERT(!job->settling && job->state != JOB_BURIED);
    bool local = job->state == JOB_RESERVED && job->rare->holder == NULL;
    bool twice = local && job->rare->cancelled;
    int rc = twice ? 0 : log_admit_final(job);
    if (rc == 0 && !local) {
        cancel_now(broker, job, reason);
        return 0;
    }
    if (rc == 0 && !twice) {
        struct change change = {.type = JOB_ENTRY_DELETE,
                                .from = JOB_RESERVED,
                                .to = JOB_RESERVED, /* until its worker has stopped */
                                .count = JOB_COUNT_CANCELLED,
                                .job = job};
        record(&change);
        job->rare->cancelled = true;
        struct broker_sink *sink = job->rare->sink;
        if (sink != NULL)
            sink->hooks->cancel(job->id, job->rare->token, sink->hooks_arg);
    }
    log_told_all(broker);
    broker_unlock(broker);
    return rc;
}

bool broker_is_cancelled(struct broker *broker, uint64_t id, uint64_t token)
{
    broker_lock(broker);
    const struct job *job = job_under_token(broker, id, token);
    bool cancelled = job != NULL && job->rare->cancelled;
    broker_unlock(broker);
    return cancelled;
}

static int delete (struct broker *broker, const struct trust_view *asker, uint64_t id)
{
    broker_lock(broker);
    struct job *job = idtable_get(&broker->jobs, id);
    int rc = job == NULL ? ENOENT : job_ask(asker, job, TRUST_edit);
    if (rc == 0 && job->state == JOB_RESERVED)
        rc = ENOENT;
    if (rc == 0)
        return settle_delete_idle(broker, job);
    broker_unlock(broker);
    return rc;
}

int broker_delete(struct broker *broker, const struct trust_view *asker, uint64_t id)
{
    int64_t busy_until_ns = 0;
    int rc;
    do
        rc = delete (broker, asker, id);
    while (log_again(broker, &rc, &busy_until_ns));
    return rc;
}

int settle_done_quietly(struct broker *broker, uint64_t id, uint64_t token, struct job **gone)
{
    struct job *job = job_under_token(broker, id, token);
    if (job == NULL)
        return ESTALE;
    if (leaves_record(broker, job, JOB_OUTCOME_DONE))
        return EINPROGRESS;
    int rc = log_admit_final(job);
    if (rc != 0)
        return EINPROGRESS;
    claim(job);
    struct change change = {.type = JOB_ENTRY_DELETE,
                            .from = JOB_RESERVED,
                            .to = JOB_FINISHED,
                            .count = JOB_COUNT_DONE,
                            .job = job};
    record(&change);
    count_finished(broker, job, JOB_OUTCOME_DONE);
    leave(broker, &change, false);
    *gone = job;
    return 0;
}
