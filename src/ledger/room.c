// SPDX-License-Identifier: MIT
/*
 * Room for a change, made before anything changes: a place in the container of the new state, in
 * the index of keys of another tube. What a delayed or reserved job needs for its way back it has
 * promised itself (base/heap.h).
 */
#include "ledger/change.h"

#include <errno.h>

int out_room(const struct change *change)
{
    bool needs = change->to == JOB_RESERVED && change->out == JOB_OUT_TOKEN;
    return needs ? change->job->tube->ledger->hooks->lease_room(change->job->tube->ledger) : 0;
}

int put_room(const struct change *change)
{
    struct job *job = change->job;
    int rc = tube_room(job->tube, (enum job_state)change->to);
    if (rc == 0)
        rc = key_add(job, job->tube);
    if (rc == 0 && (rc = job_table_add(job->tube->ledger, job)) != 0)
        key_remove(job, job->tube);
    return rc;
}

int change_room(const struct change *change)
{
    struct job *job = change->job;
    enum job_state to = (enum job_state)change->to;
    if (change->type == JOB_ENTRY_PAUSE || change->type == JOB_ENTRY_DELETE)
        return 0;
    if (change->type == JOB_ENTRY_MOVE) {
        int rc = tube_room(change->tube, to);
        return rc == 0 ? key_add(job, change->tube) : rc;
    }
    if (job_extra_need(job) == NULL)
        return ENOMEM;
    int rc = to == JOB_DELAYED || to == JOB_BURIED ? tube_room(job->tube, to) : 0;
    if (rc == 0 && change->from == JOB_BURIED) /* on its way it counts among those that come back */
        rc = tube_room(job->tube, JOB_READY);
    return rc;
}
