// SPDX-License-Identifier: MIT
/*
 * Changes carried out: those of a tube, and all by type; apply.h has the others and the rules
 * of all.
 */
#include "ledger/apply.h"

#include <stdlib.h>

/* Finished from now on; joiners get ready. */
HELD static void close_task(struct job *job)
{
    MUST(queue_core_close_task(&job->tube->ready));
    MUST(queue_core_close_task(&job->tube->ledger->all));
    group_close_task(job);
}

void apply_put(struct change *change)
{
    struct job *job = change->job;
    struct tube *tube = job->tube;
    tube_ref(tube);
    tube->counts.bytes += job->body.len;
    tube->ledger->counts.bytes += job->body.len;
    apply_open_task(job);
    group_enter(job);
    if ((change->flags & CHANGE_BY_WALL) != 0)
        at_begin(job);
    if (change->to == JOB_RESERVED)
        apply_out(change);
    else if (change->to != JOB_READY)
        job->extra->key_ns = change->key_ns;
    tube_job_move(job, (enum job_state)change->to);
    if (change->to == JOB_BURIED)
        close_task(job);
}

void apply_bury(struct change *change)
{
    struct job *job = change->job;
    struct job_extra *extra = job->extra;
    apply_tell(change);
    apply_leave(change);
    job->pri = change->pri;
    extra->tries = *change->tries;
    job_count(&extra->buries);
    free(extra->reason);
    extra->reason = NULL;
    if (change->reason != NULL) {
        extra->reason = *change->reason;
        *change->reason = NULL;
    }
    if (change->past != NULL)
        job_attempts_append(&extra->past, change->past);
    extra->key_ns = change->key_ns;
    apply_arrive(change);
    close_task(job);
}

void apply_delete(struct change *change)
{
    struct job *job = change->job;
    struct tube *tube = job->tube;
    apply_tell(change);
    if (job->state == JOB_RESERVED && job->extra != NULL && job->extra->token != 0)
        job->tube->ledger->hooks->lease_end(job);
    if (job->pos != JOB_NOWHERE)
        tube_job_leave(job);
    if (job->state != JOB_BURIED) {
        if (job->state != JOB_RESERVED)
            tube_job_move(job, JOB_RESERVED);
        close_task(job);
    }
    key_remove(job, tube);
    group_leave(job);
    tube_job_move(job, JOB_FINISHED);
    job_table_remove(tube->ledger, job);
    tube->counts.bytes -= job->body.len;
    tube->ledger->counts.bytes -= job->body.len;
}

void apply_move(struct change *change)
{
    struct job *job = change->job;
    struct tube *from = job->tube, *to = change->tube;
    if (job->state == JOB_RESERVED) { /* only in a journal that misses something */
        job->tube->ledger->hooks->lease_end(job);
        job->extra->out = JOB_OUT_NOT;
        tube_job_move(job, JOB_READY);
    } else
        tube_job_leave(job);
    key_remove(job, from);
    tube_job_transfer(job, to);
    if (job->state != JOB_BURIED) {
        queue_core_open_task(&to->ready); /* before: who joins both never sees it in neither */
        MUST(queue_core_close_task(&from->ready));
    }
    change->tube = from;
}

void apply_pause(struct change *change)
{
    if (change->to == JOB_DELAYED)
        tube_pause(change->tube, change->delay_ns, change->key_ns,
                   (change->flags & CHANGE_LOGGED) != 0);
    else
        tube_resume(change->tube);
}

void change_apply(struct change *change)
{
    switch (change->type) {
    case JOB_ENTRY_LEASE:
        apply_lease(change);
        break;
    case JOB_ENTRY_RELEASE:
    case JOB_ENTRY_RETRY:
    case JOB_ENTRY_TIMEOUT:
        apply_back(change);
        break;
    case JOB_ENTRY_KICK:
        apply_kick(change);
        break;
    case JOB_ENTRY_MOVE:
        apply_move(change);
        break;
    case JOB_ENTRY_BURY:
        apply_bury(change);
        break;
    case JOB_ENTRY_DELETE:
        apply_delete(change);
        break;
    default:
        ASSERT(change->type == JOB_ENTRY_PAUSE);
        apply_pause(change);
        break;
    }
}
