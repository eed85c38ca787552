// SPDX-License-Identifier: MIT
/*
 * Move: a job changes its tube and nothing else. An unfinished one carries its count along: the new
 * tube opens a task before the old one closes its own, so who joins both never sees a moment in
 * which neither has it.
 */
#include "base/clock.h"
#include "broker/bulk_priv.h"
#include "broker/limits_priv.h"
#include "broker/make_priv.h"
#include "broker/owner_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>

HELD static int move_to(struct job *job, struct tube *to)
{
    if (job->tube == to)
        return 0;
    if (tube_is_full(to, job->body.len))
        return ENOBUFS;
    struct change change = {
        .type = JOB_ENTRY_MOVE, .from = job->state, .to = job->state, .job = job, .tube = to};
    int rc = change_admit(&change);
    if (rc == 0 && (change.flags & CHANGE_LOGGED) == 0)
        rc = store_admit_put(to, job);
    if (rc == 0)
        rc = change_room(&change);
    if (rc != 0)
        return rc;
    tube_ref(to); /* the job's */
    make_move(&change);
    return 0;
}

int move_job(struct job *job, const char *name, size_t len)
{
    struct tube *to;
    int rc = tube_need(job->tube->ledger, name, len, &to);
    if (rc == 0) {
        rc = move_to(job, to);
        tube_unref(to);
    }
    return rc;
}

int decide_move(struct broker *broker, struct broker_op *op)
{
    int rc = job_tube_name_check(op->tube.name, op->tube.len);
    if (rc != 0)
        return rc;
    struct job *job = idtable_get(&broker->ledger.jobs, op->id);
    rc = job != NULL ? job_ask_move(op->asker, job, op->tube.name, op->tube.len) : ENOENT;
    if (rc != 0)
        return rc;
    return job->state == JOB_RESERVED ? ENOENT : move_job(job, op->tube.name, op->tube.len);
}
