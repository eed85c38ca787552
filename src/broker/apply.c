// SPDX-License-Identifier: MIT
/*
 * Changes carried out, live and in replay alike.
 *
 * Each function takes the job out of its container, changes it, and leaves it in its new state and
 * in no container: entering one is the caller's, since whoever waits there may be given the job at
 * once, and that is the next change. A ready job that stays ready and keeps its priority stays in
 * its place. Nothing here fails, allocates, reads a clock or knows of a journal.
 */
#include "broker/change_priv.h"

/* A buried job was finished. */
static void open_task(struct job *job)
{
    queue_core_open_task(&job->tube->ready);
    queue_core_open_task(&job->tube->broker->all);
    group_open_task(job);
}

static void leave(const struct change *change)
{
    struct job *job = change->job;
    if (change->from == JOB_READY && change->to == JOB_READY && change->type != JOB_ENTRY_RELEASE)
        return;
    if (job->pos != JOB_NOWHERE || job->state == JOB_RESERVED) /* else it was taken out */
        tube_job_leave(job);
    if (change->from == JOB_BURIED)
        open_task(job);
    if (job->state != JOB_RESERVED) /* the journal doesn't say who had it */
        tube_job_move(job, JOB_RESERVED);
}

static void arrive(const struct change *change)
{
    struct job *job = change->job;
    if (change->to == JOB_DELAYED)
        job->rare->key_ns = change->key_ns;
    if (job->state != change->to)
        tube_job_move(job, (enum job_state)change->to);
}

void apply_lease(struct change *change)
{
    leave(change);
    job_count(&change->job->rare->reserves);
    arrive(change);
}

void apply_back(struct change *change)
{
    struct job *job = change->job;
    struct job_rare *rare = job->rare;
    leave(change);
    if (change->type == JOB_ENTRY_RELEASE) {
        job->pri = change->pri;
        job_count(&rare->releases);
    } else
        rare->tries = *change->tries;
    if (change->type != JOB_ENTRY_TIMEOUT)
        rare->delay_ns = change->delay_ns;
    if (change->past != NULL)
        job_past_append(&rare->past, change->past);
    arrive(change);
}

void apply_kick(struct change *change)
{
    struct job_rare *rare = change->job->rare;
    leave(change);
    job_count(&rare->kicks);
    if ((change->flags & CHANGE_RESET) != 0)
        rare->tries = (struct job_tries){0};
    arrive(change);
}

void apply_move(struct change *change)
{
    struct job *job = change->job;
    struct broker_tube *from = job->tube, *to = change->tube;
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
    default:
        ASSERT(change->type == JOB_ENTRY_PAUSE);
        apply_pause(change);
        break;
    }
}
