// SPDX-License-Identifier: MIT
/*
 * Why a job isn't running: the facts, copied together in one hold of the lock, and then how many
 * jobs go before it.
 *
 * A heap can't tell a job's rank, so those before it are counted by a walk over all jobs
 * (select.c's order), which lets go of the lock like every walk and ends after
 * BROKER_WHY_EXAMINED_MAX: then the count is a lower bound. The first of its tube is told at once.
 */
#include "broker/broker_priv.h"

#include <errno.h>

/* [held] In the order in which a reserve takes them. */
static bool goes_before(const struct job *other, const struct broker_tube *tube, uint32_t pri,
                        uint64_t id)
{
    return other->tube == tube && other->state == JOB_READY &&
           (other->pri < pri || (other->pri == pri && other->id < id));
}

/* [held] One piece of the walk from *at on. false: that was the end, or the job isn't ready any
 * more. */
static bool count_some(struct broker *broker, const struct broker_why *why, uint64_t *at,
                       uint64_t *ahead, uint64_t *examined)
{
    const struct job *job = idtable_get(&broker->jobs, why->job.id), *other;
    if (job == NULL || job->state != JOB_READY)
        return false;
    for (size_t i = 0; i < BROKER_WALK_MAX; i++, ++*at) {
        other = idtable_from(&broker->jobs, at);
        if (other == NULL || *at == UINT64_MAX)
            return false;
        *ahead += goes_before(other, job->tube, job->pri, job->id);
        ++*examined;
    }
    return true;
}

static void count_ahead(struct broker *broker, struct broker_why *why)
{
    uint64_t at = 1, examined = 0;
    bool more = true;
    why->ahead_is_exact = true;
    while (more) {
        if (examined >= BROKER_WHY_EXAMINED_MAX) {
            why->ahead_is_exact = false;
            return;
        }
        broker_lock(broker);
        more = count_some(broker, why, &at, &why->ahead, &examined);
        broker_unlock(broker);
    }
}

int broker_why(struct broker *broker, const struct trust_view *asker, uint64_t id,
               struct broker_why *why)
{
    *why = (struct broker_why){.ahead_is_exact = true};
    broker_lock(broker);
    const struct job *job = idtable_get(&broker->jobs, id);
    if (job != NULL && job_ask(asker, job, TRUST_see) != 0)
        job = NULL;
    bool counts =
        job != NULL && job->state == JOB_READY && heap_first(&job->tube->ready.heap) != job;
    if (job != NULL) {
        view_copy(job, &why->job);
        tube_stats_copy(job->tube, &why->tube);
    }
    broker_unlock(broker);
    if (counts)
        count_ahead(broker, why);
    return job != NULL ? 0 : ENOENT;
}
