// SPDX-License-Identifier: MIT
/*
 * What time does to a tube: the first of its delayed jobs is due, or its pause is over.
 *
 * Each tube keeps its delayed jobs by deadline, so it can be asked for its own, and has one timer
 * (timer.c) at the earliest of all this.
 */
#include "base/clock.h"
#include "broker/timer_priv.h"
#include "broker/watch_priv.h"

void tube_timer_update(struct tube *tube)
{
    const struct job *soonest = heap_first(&tube->delayed);
    int64_t at_ns = tube->pause_end_ns;
    if (soonest != NULL && soonest->extra->key_ns < at_ns)
        at_ns = soonest->extra->key_ns;
    broker_timer_set(broker_of(tube), &broker_tube(tube)->timer, at_ns);
}

void tube_due(struct tube *tube, int64_t now_ns)
{
    MAGIC_CHECK(tube, TUBE_MAGIC);
    struct job *job = heap_first(&tube->delayed);
    if (tube->pause_end_ns <= now_ns && (job == NULL || tube->pause_end_ns <= job->extra->key_ns)) {
        if (broker_of(tube)->observed != 0)
            watch_tell_resume(tube); /* before: then jobs are given away */
        tube_resume(tube);
        return;
    }
    ASSERT(job != NULL && job->extra->key_ns <= now_ns);
    if (at_put_off(job))
        return;
    tube_job_leave(job);
    tube_job_move(job, JOB_READY);
    if (broker_of(tube)->observed != 0)
        watch_tell_due(job);
    tube_job_contain(job);
}
