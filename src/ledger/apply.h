// SPDX-License-Identifier: MIT
/*
 * Changes of one job carried out, live and in replay alike; the rest is in apply.c. Inline, for
 * each job goes through some of them several times.
 *
 * Each takes the job out of its container, changes it, and leaves it in its new state and in no
 * container: entering one is the caller's (tube_job_contain), since whoever waits there may be
 * given the job at once, and that is the next change. A ready job that stays ready and keeps its
 * priority stays in its place. Nothing here fails, allocates, reads a clock or knows of a journal.
 */
#ifndef LEDGER_APPLY_H
#define LEDGER_APPLY_H

#include "ledger/change.h"

HELD static inline void apply_tell(const struct change *change)
{
    if (change->count != JOB_COUNT_NONE)
        group_tell(change->job, (enum job_fate_count)change->count,
                   (change->flags & CHANGE_LOGGED) != 0);
}

/* Unfinished from now on. */
HELD static inline void apply_open_task(struct job *job)
{
    queue_core_open_task(&job->tube->ready);
    queue_core_open_task(&job->tube->ledger->all);
    group_open_task(job);
}

HELD static inline void apply_leave(const struct change *change)
{
    struct job *job = change->job;
    if (job->state == JOB_RESERVED) {
        if (job->extra->token != 0)
            job->tube->ledger->hooks->lease_end(job);
        return;
    }
    if (change->from == JOB_READY && change->to == JOB_READY && change->type != JOB_ENTRY_RELEASE)
        return;
    if (job->pos != JOB_NOWHERE) /* else it was taken out */
        tube_job_leave(job);
    if (change->from == JOB_BURIED)
        apply_open_task(job);
    /* The journal doesn't say which connection had it: then it comes from where only reserved ones
     * do. */
    bool direct =
        change->to == JOB_RESERVED || (change->to == JOB_READY && job->state != JOB_READY);
    if (!direct)
        tube_job_move(job, JOB_RESERVED);
}

/* RESERVED; whose it is, and its container, are the caller's. */
static inline void apply_out(const struct change *change)
{
    struct job_extra *extra = change->job->extra;
    if ((change->flags & CHANGE_LEFT_OUT) == 0)
        extra->out = change->out;
    if ((change->flags & CHANGE_KEYED) != 0)
        extra->token_is_key = true;
    extra->token = change->token;
    extra->key_ns = change->key_ns;
}

HELD static inline void apply_arrive(const struct change *change)
{
    struct job *job = change->job;
    if (change->to == JOB_RESERVED)
        apply_out(change);
    else {
        job->extra->out = JOB_OUT_NOT;
        if (change->to == JOB_DELAYED)
            job->extra->key_ns = change->key_ns;
    }
    if (job->state != change->to)
        tube_job_move(job, (enum job_state)change->to);
}

HELD static inline void apply_lease(struct change *change)
{
    apply_tell(change);
    apply_leave(change);
    if ((change->flags & CHANGE_LEFT_OUT) == 0)
        job_count(&change->job->extra->reserves);
    apply_arrive(change);
}

/* RELEASE, RETRY, TIMEOUT */
HELD static inline void apply_back(struct change *change)
{
    struct job *job = change->job;
    struct job_extra *extra = job->extra;
    apply_leave(change);
    if (change->type == JOB_ENTRY_RELEASE) {
        job->pri = change->pri;
        job_count(&extra->releases);
    } else
        extra->tries = *change->tries;
    if (change->type != JOB_ENTRY_TIMEOUT)
        extra->delay_ns = change->delay_ns;
    if (change->past != NULL)
        job_attempts_append(&extra->past, change->past);
    apply_arrive(change);
}

HELD static inline void apply_kick(struct change *change)
{
    struct job_extra *extra = change->job->extra;
    apply_tell(change);
    apply_leave(change);
    job_count(&extra->kicks);
    if ((change->flags & CHANGE_RESET) != 0)
        extra->tries = (struct job_tries){0};
    apply_arrive(change);
}

/* apply.c */
/* The same for a new job of state NEW, for one that is buried, and one that leaves: it is out of
 * everything then, and the caller's, but for its reference on the tube. */
void apply_put(struct change *change) HELD;
void apply_bury(struct change *change) HELD;
void apply_delete(struct change *change) HELD;
void apply_move(struct change *change) HELD;
void apply_pause(struct change *change) HELD;
/* By type, for replay. */
void change_apply(struct change *change) HELD;

#endif
