// SPDX-License-Identifier: MIT
/*
 * Kick: buried jobs, or delayed ones, become ready before their time. A buried job was finished; a
 * kick makes it unfinished again, so a join that begins now waits for it. What rules limit
 * (failures, timeouts ...) is kept, so a job that had used up its attempts gets one more; or begins
 * anew.
 */
#include "broker/ask_priv.h"
#include "broker/bulk_priv.h"
#include "broker/make_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>

int kick_job(struct job *job, bool reset)
{
    struct change change = {.type = JOB_ENTRY_KICK,
                            .from = job->state,
                            .to = JOB_READY,
                            .job = job,
                            .flags = reset ? CHANGE_RESET : 0};
    int rc = change_room(&change);
    if (rc == 0)
        rc = change_admit(&change);
    if (rc != 0)
        return rc;
    make_kick(&change);
    return 0;
}

HELD static int kick_first(const struct heap *heap)
{
    return heap->len > 0 ? kick_job(heap_first(heap), false) : ENOENT;
}

HELD static int kick_buried(struct broker_bulk *walk, struct job **gone)
{
    (void)gone; /* it stays */
    return kick_first(&walk->tube->buried);
}

HELD static int kick_delayed(struct broker_bulk *walk, struct job **gone)
{
    (void)gone;
    return kick_first(&walk->tube->delayed);
}

void broker_kick_begin(struct broker *broker, struct tube *tube, uint64_t count,
                       struct broker_bulk *walk)
{
    MAGIC_CHECK(tube, TUBE_MAGIC);
    broker_lock(broker);
    bool buried = tube->buried.len > 0;
    uint64_t there = buried ? tube->buried.len : tube->delayed.len;
    walk_begin(walk, tube, buried ? kick_buried : kick_delayed, count < there ? count : there);
    broker_unlock(broker);
}

int decide_kick(struct broker *broker, struct broker_op *op)
{
    struct job *job = idtable_get(&broker->ledger.jobs, op->id);
    int rc = job != NULL ? job_ask(op->asker, job, TRUST_edit) : ENOENT;
    if (rc != 0)
        return rc;
    bool can = job->state == JOB_BURIED || job->state == JOB_DELAYED;
    return can ? kick_job(job, false) : ENOENT;
}
