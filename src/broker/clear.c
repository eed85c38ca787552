// SPDX-License-Identifier: MIT
/*
 * Clear: the jobs of a tube that nobody has reserved are deleted, one delete after another.
 */
#include "broker/bulk_priv.h"
#include "broker/settle_priv.h"

#include <errno.h>

/* Any job of the tube that nobody has, from the cheapest end of its container; or NULL. */
HELD static struct job *any_idle(const struct tube *tube)
{
    const struct heap *const heaps[] = {&tube->ready.heap, &tube->delayed, &tube->buried};
    for (size_t i = 0; i < sizeof(heaps) / sizeof(heaps[0]); i++)
        if (heaps[i]->len > 0)
            return heap_any(heaps[i]);
    return NULL;
}

HELD static int clear_one(struct broker_bulk *walk, struct job **gone)
{
    struct job *job = any_idle(walk->tube);
    return job != NULL ? settle_delete_idle(broker_of(walk->tube), job, gone) : ENOENT;
}

int broker_clear_begin(struct broker *broker, const char *name, size_t len,
                       struct broker_bulk *walk)
{
    broker_lock(broker);
    struct tube *tube = tube_find(&broker->ledger, name, len);
    if (tube != NULL)
        walk_begin(walk, tube, clear_one, tube_jobs(tube) - tube->counts.count[JOB_RESERVED]);
    broker_unlock(broker);
    return tube != NULL ? 0 : ENOENT;
}
