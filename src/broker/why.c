// SPDX-License-Identifier: MIT
/*
 * Why a job isn't running: the facts, copied together in one hold of the lock, and how many jobs of
 * its tube go before it.
 *
 * These are counted in the tube's heap, from its first on, and no jobs but these are looked at; the
 * count ends after BROKER_WHY_EXAMINED_MAX, and is a lower bound then. Where jobs of a tube have
 * come in the order in which they go, as those of one priority do, it costs next to nothing.
 */
#include "broker/ask_priv.h"
#include "broker/view_priv.h"

#include <errno.h>

HELD static void count_ahead(const struct job *job, struct broker_why *why)
{
    struct heap_rank rank = heap_rank(&job->tube->ready.heap, job, BROKER_WHY_EXAMINED_MAX);
    why->ahead = rank.before;
    why->ahead_is_exact = rank.exact;
    why->examined = rank.looked;
}

int broker_why(struct broker *broker, const struct trust_view *asker, uint64_t id,
               struct broker_why *why)
{
    *why = (struct broker_why){.ahead_is_exact = true};
    broker_lock(broker);
    const struct job *job = idtable_get(&broker->ledger.jobs, id);
    if (job != NULL && job_ask(asker, job, TRUST_see) != 0)
        job = NULL;
    if (job != NULL) {
        view_copy(job, &why->job);
        tube_stats_copy(job->tube, &why->tube);
    }
    if (job != NULL && job->state == JOB_READY)
        count_ahead(job, why);
    broker_unlock(broker);
    return job != NULL ? 0 : ENOENT;
}
