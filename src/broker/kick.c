// SPDX-License-Identifier: MIT
/*
 * Kick: buried jobs, or delayed ones, become ready before their time. A buried job was finished; a
 * kick makes it unfinished again, so a join that begins now waits for it.
 */
#include "broker/broker_priv.h"

#include <errno.h>

int kick_job(struct job *job)
{
    bool buried = job->state == JOB_BURIED;
    int rc = buried ? tube_room(job->tube, JOB_READY) : 0;
    if (rc == 0)
        rc = log_admit(job);
    if (rc != 0)
        return rc;
    tube_job_leave(job);
    job_count(&job->rare->kicks);
    log_kick(job);
    if (buried)
        tube_job_reopen(job);
    tube_job_enter(job, JOB_READY, 0);
    return 0;
}

int broker_kick(struct broker *broker, struct broker_tube *tube, uint64_t count, uint64_t *kicked)
{
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    uint64_t done = 0;
    int rc = 0;
    broker_lock(broker);
    struct heap *heap = tube->buried.len > 0 ? &tube->buried : &tube->delayed;
    while (done < count && heap->len > 0 && rc == 0) {
        rc = kick_job(heap_first(heap));
        if (rc == 0 && ++done % BROKER_WALK_MAX == 0) {
            broker_unlock(broker);
            broker_lock(broker);
        }
    }
    broker_unlock(broker);
    *kicked = done;
    return rc;
}

int broker_kick_job(struct broker *broker, uint64_t id)
{
    broker_lock(broker);
    struct job *job = idtable_get(&broker->jobs, id);
    bool can = job != NULL && (job->state == JOB_BURIED || job->state == JOB_DELAYED);
    int rc = can ? kick_job(job) : ENOENT;
    broker_unlock(broker);
    return rc;
}
