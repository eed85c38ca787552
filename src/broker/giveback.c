// SPDX-License-Identifier: MIT
/*
 * How a lease ends and the job stays: by time, by the end of a connection, by who has it; with its
 * trouble counted, or as if nothing had been.
 */
#include "broker/lease_priv.h"
#include "broker/make_priv.h"
#include "broker/watch_priv.h"

#include "base/clock.h"

#include <errno.h>

void lease_trouble(struct job *job, enum job_outcome_kind kind)
{
    struct job_tries tries = job->extra->tries;
    struct change change = {.type =
                                kind == JOB_OUTCOME_TIMEOUT ? JOB_ENTRY_TIMEOUT : JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = JOB_READY,
                            .flags = CHANGE_SOFT,
                            .kind = (uint8_t)kind,
                            .job = job,
                            .delay_ns = job->extra->delay_ns,
                            .tries = &tries};
    if (change_admit(&change) == 0) {
        job_count(job_tries_of(&tries, kind));
        make_back(&change);
        return;
    }
    if (job->extra->token != 0)
        lease_end(job);
    lease_give_back(job);
}

void lease_give_back(struct job *job)
{
    ASSERT(job->state == JOB_RESERVED && job->extra->token == 0);
    tube_job_move(job, JOB_READY);
    if (broker_of(job->tube)->observed != 0)
        watch_tell_back(job);
    tube_job_contain(job);
}

/* ENOMEM, ENOSPC, EIO, EAGAIN: nothing changed. */
int lease_release(struct job *job, uint32_t pri, int64_t delay_ns)
{
    struct change change = {.type = JOB_ENTRY_RELEASE,
                            .from = JOB_RESERVED,
                            .to = delay_ns > 0 ? JOB_DELAYED : JOB_READY,
                            .job = job,
                            .pri = pri,
                            .key_ns = delay_ns > 0 ? clock_deadline(delay_ns) : 0,
                            .delay_ns = delay_ns > 0 ? delay_ns : 0};
    int rc = change_room(&change);
    if (rc == 0)
        rc = change_admit(&change);
    if (rc == 0)
        make_back(&change);
    return rc;
}

/* Ready again, which is recorded. As lease_return. */
HELD static int give_back_recorded(struct job *job)
{
    bool token = job->extra->out == JOB_OUT_TOKEN;
    struct job_tries tries = job->extra->tries;
    struct change change = {.type = JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = JOB_READY,
                            .flags = token ? 0 : CHANGE_SOFT,
                            .kind = JOB_OUTCOME_RETURNED,
                            .job = job,
                            .delay_ns = job->extra->delay_ns,
                            .tries = &tries};
    int rc = change_admit(&change);
    if (rc == 0)
        make_back(&change);
    else if (!token) {
        lease_end(job);
        lease_give_back(job);
        rc = 0;
    }
    return rc;
}

int lease_return(struct job *job, int64_t delay_ns)
{
    if (delay_ns > 0) {
        int rc = lease_release(job, job->pri, delay_ns);
        if (rc == 0 || rc == ENOMEM || rc == EAGAIN)
            return rc;
    }
    if (job->extra->out != JOB_OUT_NOT && job_is_logged(job))
        return give_back_recorded(job);
    job->extra->out = JOB_OUT_NOT;
    lease_end(job);
    lease_give_back(job);
    return 0;
}
