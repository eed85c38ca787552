// SPDX-License-Identifier: MIT
/*
 * Changes carried out: those of a tube, and all by type; apply_priv.h has the others and the rules
 * of all.
 */
#include "broker/apply_priv.h"

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
