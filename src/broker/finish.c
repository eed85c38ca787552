// SPDX-License-Identifier: MIT
/*
 * Finishing: how a job ends for good, whatever verb ends it. It is buried, or it leaves.
 *
 * All of it is one hold of the lock. First what can fail: room in memory and in the journal. Then
 * the end is filled in (job/end.h), numbered, and, where the journal keeps results, added to it
 * just before the change of the job; the change is recorded and carried out; who waits for the job
 * gets a reference on the end. The end goes to whoever keeps records when the lock is let go of
 * (broker_unlock), and before anybody is told: so there is no moment at which a job is neither here
 * nor in history, nobody hears of an end that history doesn't know, numbers of records rise in the
 * order of ends, and a crash never finds a job that is gone and has no record. Nor does it find one
 * that is there and has a record of an end that was lost: an end carries the ticket of its change,
 * and history keeps the record out of its file until the journal has reached that.
 *
 * An end is a pointer. What costs, copying and encoding what the job wrote, is done later without
 * the lock.
 *
 * A delete leaves no record, nor does it if who holds the job deletes it, unless somebody waits for
 * that job: who deletes it knows how it ended, and a queue that is served by remote workers sees
 * nothing else, so records of it would fill history with nothing and cost as much as all the rest.
 * Who waits for a job that leaves no record learns from the end how it ended.
 */
#include "broker/finish_priv.h"
#include "broker/make_priv.h"
#include "broker/put_priv.h"
#include "broker/settle_priv.h"
#include "broker/spare_priv.h"
#include "broker/view_priv.h"

#include <errno.h>

/* ---- memory for ends ---- */

void broker_lock_to_finish(struct broker *broker, size_t count)
{
    struct list fresh;
    struct list_node *node;
    list_init(&fresh);
    if (broker->options.ended != NULL) {
        size_t have = atomic_load_explicit(&broker->spare_ends_count, memory_order_relaxed);
        struct job_end *end;
        for (; have < count && job_end_new(&end) == 0; have++)
            list_append(&fresh, &end->node);
    }
    broker_lock(broker);
    while ((node = list_pop(&fresh)) != NULL) {
        list_append(&broker->spare_ends, node);
        atomic_fetch_add_explicit(&broker->spare_ends_count, 1, memory_order_relaxed);
    }
}

/* NULL: out of memory. */
HELD static struct job_end *end_take(struct broker *broker)
{
    struct job_end *end = NULL;
    struct list_node *node = list_pop(&broker->spare_ends);
    if (node == NULL)
        return job_end_new(&end) == 0 ? end : NULL;
    atomic_fetch_sub_explicit(&broker->spare_ends_count, 1, memory_order_relaxed);
    return CONTAINER_OF(node, struct job_end, node);
}

void ends_free(struct broker *broker)
{
    struct list_node *node;
    while ((node = list_pop(&broker->spare_ends)) != NULL) {
        struct job_end *end = CONTAINER_OF(node, struct job_end, node);
        job_end_unref(&end);
    }
}

/* ---- who hears of it ---- */

/* Unless it asked for none. */
HELD static bool wants_record(const struct broker *broker, const struct job *job)
{
    const struct job_options *own = job->extra != NULL ? job->extra->options : NULL;
    return broker->options.ended != NULL &&
           (own == NULL || (own->set & JOB_OPTION_RETENTION) == 0 || own->retention_ns > 0);
}

static bool is_awaited(const struct job *job)
{
    return job->extra != NULL && (job->extra->awaited || !list_empty(&job->extra->waiters));
}

static bool is_delete(const struct finish *finish)
{
    return finish->deletes || finish->outcome->kind == JOB_OUTCOME_DELETED;
}

/* An end on its way. */
struct ending {
    const struct finish *finish;
    struct job_end *end;        /* NULL: nobody will hear of it */
    bool recorded;              /* history gets it */
    size_t tied;                /* so many bytes at most: the journal has it, too; 0: it hasn't */
    bool lingers;               /* history doesn't, but it is kept for a while, for who will ask */
    struct job_tries tries;     /* as they are afterwards; where there is an end, or a burial */
    enum durability durability; /* of its tube; where there is a journal, as the next */
    uint64_t before;            /* the last ticket before it */
};

HELD static void tries_count(struct ending *ending)
{
    const struct finish *finish = ending->finish;
    const struct job_extra *extra = finish->job->extra;
    ending->tries = extra != NULL ? extra->tries : (struct job_tries){0};
    if (finish->counts)
        job_count(job_tries_of(&ending->tries, finish->outcome->kind));
}

/* Somebody will hear of it, if there is memory. All is counted as it is afterwards. */
HELD static void end_fill(struct ending *ending, bool buried)
{
    const struct job *job = ending->finish->job;
    ending->end = end_take(broker_of(job->tube));
    if (ending->end == NULL)
        return;
    view_copy(job, &ending->end->view);
    ending->end->view.tries = ending->tries;
    if (buried)
        job_count(&ending->end->view.buries);
    job_end_fill(ending->end, ending->finish->outcome);
}

/* It doesn't happen. */
static void end_empty(struct ending *ending)
{
    if (ending->end == NULL)
        return;
    ending->finish->outcome->out = ending->end->outcome.out;
    ending->finish->outcome->err = ending->end->outcome.err;
    buf_init(&ending->end->outcome.out);
    buf_init(&ending->end->outcome.err);
    job_end_unref(&ending->end);
}

/* The record is numbered, and in the journal where that keeps it. */
HELD static void end_record(struct ending *ending, struct broker *broker)
{
    if (ending->end == NULL) {
        broker->stats.unrecorded++;
        return;
    }
    broker->ledger.last_result = job_serial_add(broker->ledger.last_result, 1);
    ending->end->number = broker->ledger.last_result;
    if (ending->tied > 0)
        result_log(ending->finish->job, ending->end, ending->tied);
}

/* Before anything is recorded. One that was cancelled while it ran has left the journal then. */
HELD static void ticket_begin(struct ending *ending, const struct broker *broker)
{
    const struct job *job = ending->finish->job;
    bool left = job->extra != NULL && job->extra->cancelled;
    ending->durability = job->tube->durability;
    ending->before = left ? 0 : store_last(broker->ledger.store);
}

/* All that was recorded since, if anything was. Where nobody waits for it, it is written at least.
 */
HELD static void ticket_end(const struct ending *ending, const struct broker *broker)
{
    uint64_t last = store_last(broker->ledger.store);
    if (last == ending->before)
        return;
    if (ending->durability == DURABILITY_COMMIT)
        ending->end->ticket.durable = last;
    else
        ending->end->ticket.written = last;
}

/* The change is made: history gets the end when the lock is let go of. */
HELD static void end_offer(struct ending *ending, struct broker *broker)
{
    if (ending->recorded) {
        if (broker->ledger.store != NULL)
            ticket_end(ending, broker);
        list_append(&broker->ends, &ending->end->node);
        broker->unlock_tells |= UNLOCK_ENDED;
    } else if (ending->lingers)
        linger_begin(broker, &ending->end);
    else
        job_end_unref(&ending->end); /* those who wait have references */
}

HELD static void count_finished(struct broker *broker, const struct job *job,
                                enum job_outcome_kind kind)
{
    struct broker_totals *of_tube = &broker_tube(job->tube)->stats.totals,
                         *of_all = &broker->stats.totals;
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
}

static void count_delete(struct tube *tube)
{
    broker_tube(tube)->stats.deletes++;
    broker_of(tube)->stats.deletes++;
}

/* ---- finishing ---- */

/* What a buried job needs. ENOMEM. */
HELD static int burial_room(struct broker *broker, struct job *job)
{
    if (job->extra == NULL && (job->extra = spare_take(broker)) == NULL)
        return ENOMEM;
    return tube_room(job->tube, JOB_BURIED);
}

/* Room in the journal. */
HELD static int admit(struct ending *ending, bool buried)
{
    struct job *job = ending->finish->job;
    int rc = buried ? store_admit(job) : store_admit_final(job);
    if (rc == 0 && ending->recorded && ending->end != NULL && result_is_tied(job))
        rc = result_admit(job->tube->ledger->store, ending->end, &ending->tied);
    return rc;
}

HELD static void bury(const struct ending *ending)
{
    const struct finish *finish = ending->finish;
    struct job *job = finish->job;
    struct broker *broker = broker_of(job->tube);
    struct change change = {.type = JOB_ENTRY_BURY,
                            .from = job->state,
                            .to = JOB_BURIED,
                            .flags = job_is_logged(job) ? CHANGE_LOGGED : 0,
                            .count = JOB_COUNT_FAILED,
                            .kind = (uint8_t)finish->outcome->kind,
                            .pri = job->pri,
                            .job = job,
                            .tries = &ending->tries};
    broker->ledger.last_burial = (int64_t)job_serial_add((uint64_t)broker->ledger.last_burial, 1);
    change.key_ns = broker->ledger.last_burial;
    if (finish->last != NULL) {
        change.past = &finish->last->past;
        change.reason = &finish->last->reason;
    }
    make_bury(&change);
}

/* What its group counts it as: not what was counted when it was buried, or cancelled. */
static enum job_fate_count count_of(const struct job *job, enum job_outcome_kind kind)
{
    bool told = job->state == JOB_BURIED || (job->extra != NULL && job->extra->cancelled);
    return told ? JOB_COUNT_NONE : group_count_of(kind);
}

HELD static struct job *leave(struct job *job, enum job_outcome_kind kind, bool recorded)
{
    struct change change = {.type = JOB_ENTRY_DELETE,
                            .from = job->state,
                            .to = JOB_FINISHED,
                            .flags = job_is_logged(job) ? CHANGE_LOGGED : 0,
                            .count = (char)count_of(job, kind),
                            .kind = (uint8_t)kind,
                            .job = job};
    if (recorded)
        key_leave_word(job, job->tube);
    make_delete(&change);
    return job;
}

int finish_job(struct broker *broker, const struct finish *finish, struct job **gone)
{
    struct job *job = finish->job;
    enum job_outcome_kind kind = finish->outcome->kind;
    bool buried = job_outcome_fate(kind) != JOB_FATE_LEAVES, awaited = is_awaited(job);
    bool recorded = wants_record(broker, job) && (awaited || !is_delete(finish));
    struct ending ending = {.finish = finish,
                            .recorded = recorded,
                            .lingers = awaited && !recorded && job->extra->awaited};
    ASSERT(job->state != JOB_BURIED);
    *gone = NULL;
    int rc = buried ? burial_room(broker, job) : 0;
    if (rc != 0)
        return rc;
    if (buried || recorded || awaited)
        tries_count(&ending);
    if (recorded || awaited)
        end_fill(&ending, buried);
    rc = admit(&ending, buried);
    if (rc != 0) {
        end_empty(&ending);
        return rc;
    }
    if (is_delete(finish))
        count_delete(job->tube);
    if (recorded && broker->ledger.store != NULL)
        ticket_begin(&ending, broker);
    if (recorded)
        end_record(&ending, broker);
    count_finished(broker, job, kind);
    if (awaited)
        wait_finish(job, ending.end);
    if (buried)
        bury(&ending);
    else
        *gone = leave(job, kind, recorded);
    if (ending.end != NULL)
        end_offer(&ending, broker);
    return 0;
}

int finish_buried(struct broker *broker, struct job *job, struct job **gone)
{
    int rc = store_admit_final(job);
    *gone = NULL;
    if (rc != 0)
        return rc;
    count_delete(job->tube);
    *gone = leave(job, JOB_OUTCOME_DELETED, wants_record(broker, job));
    return 0;
}
