// SPDX-License-Identifier: MIT
/*
 * Move: a job changes its tube and nothing else. An unfinished one carries its count along: the new
 * tube opens a task before the old one closes its own, so who joins both never sees a moment in
 * which neither has it.
 */
#include "base/clock.h"
#include "broker/change_priv.h"

#include <errno.h>

HELD static int move_to(struct job *job, struct broker_tube *to)
{
    if (job->tube == to)
        return 0;
    if (tube_is_full(to, job->body.len))
        return ENOBUFS;
    struct change change = {
        .type = JOB_ENTRY_MOVE, .from = job->state, .to = job->state, .job = job, .tube = to};
    int rc = change_admit(&change);
    if (rc == 0 && (change.flags & CHANGE_LOGGED) == 0)
        rc = log_admit_put(to, job);
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
    struct broker_tube *to;
    int rc = tube_need(job->tube->broker, name, len, &to);
    if (rc == 0) {
        rc = move_to(job, to);
        tube_unref(to);
    }
    return rc;
}

HELD static int move(struct broker *broker, const struct trust_view *asker, uint64_t id,
                     const char *name, size_t len)
{
    struct job *job = idtable_get(&broker->jobs, id);
    int rc = job != NULL ? job_ask_move(asker, job, name, len) : ENOENT;
    if (rc != 0)
        return rc;
    return job->state == JOB_RESERVED ? ENOENT : move_job(job, name, len);
}

int broker_move(struct broker *broker, const struct trust_view *asker, uint64_t id,
                const char *name, size_t len)
{
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    int64_t busy_until_ns = 0;
    do {
        broker_lock(broker);
        rc = move(broker, asker, id, name, len);
        broker_unlock(broker);
    } while (rc == EAGAIN && (rc = log_busy(broker, &busy_until_ns)) == 0);
    return rc;
}
