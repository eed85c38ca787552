// SPDX-License-Identifier: MIT
/*
 * Move: a job changes its tube and nothing else. An unfinished one carries its count along: the new
 * tube opens a task before the old one closes its own, so who joins both never sees a moment in
 * which neither has it.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>

/* [held] There is room in the new tube. */
static void move_into(struct job *job, struct broker_tube *to)
{
    struct broker_tube *from = job->tube;
    enum job_state state = (enum job_state)job->state;
    bool unfinished = state != JOB_BURIED;
    uint64_t cost = job_is_logged(job) ? log_cost(job) : 0;
    tube_job_leave(job);
    tube_job_transfer(job, to);
    log_move(job, cost);
    if (unfinished) {
        to->stats.totals.moved_in++;
        from->stats.totals.moved_out++;
        queue_core_open_task(&to->ready);
        MUST(queue_core_close_task(&from->ready));
    }
    tube_job_enter(job, state, state == JOB_READY ? 0 : job->rare->key_ns);
    putters_serve(from);
    tube_unref(from);
}

/* [held] */
static int move_to(struct job *job, struct broker_tube *to)
{
    if (job->tube == to)
        return 0;
    if (tube_is_full(to, job->body.len))
        return ENOBUFS;
    int rc = tube_room(to, (enum job_state)job->state);
    if (rc == 0)
        rc = job_is_logged(job) ? log_admit(job) : log_admit_put(to, job);
    if (rc == 0)
        rc = key_add(job, to);
    if (rc != 0)
        return rc;
    key_remove(job, job->tube);
    tube_ref(to); /* the job's */
    move_into(job, to);
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

/* [held] */
static int move(struct broker *broker, const struct trust_view *asker, uint64_t id,
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
