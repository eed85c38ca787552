// SPDX-License-Identifier: MIT
/*
 * Shares: choosing among several cores by weight.
 *
 * Each core has a pass, the virtual time at which its next choice is due. A choice takes the core
 * with the least pass among those whose first item has the best rank, moves the virtual time there,
 * and puts the core's next one 1/weight later. A core that had nothing for a while doesn't save up:
 * its pass is never behind the virtual time. So over any stretch in which cores always have items
 * of the same rank, each gets its share of the choices to within one; and a core that comes back is
 * served at once, but never for longer than its share.
 *
 * Virtual time may wrap, after some weeks of a million choices a second: passes are compared by
 * their distance, and each choice moves all of them up to its time, so that none stays far behind.
 */
#include "thr/thr.h"

#include "base/magic.h"

#include <errno.h>

/* One choice at weight 1. What division by the greatest weight cuts off is less than a 16000th. */
#define SHARE_UNIT (UINT64_C(1) << 24)

/* When the core is due, not before now. */
static uint64_t due(const struct queue_share *share, uint64_t now)
{
    return (int64_t)(share->pass - now) > 0 ? share->pass : now;
}

static bool sooner(const struct queue_share *a, const struct queue_share *b)
{
    return (int64_t)(a->pass - b->pass) < 0;
}

int queue_core_take_shared(struct queue_core *const *cores, struct queue_share *shares,
                           size_t count, uint64_t *now, void **item, size_t *which)
{
    size_t best = count;
    uint64_t best_rank = 0;
    for (size_t i = 0; i < count; i++) {
        const struct queue_core *core = cores[i];
        ASSERT(core->compares && core->options.rank != NULL);
        shares[i].pass = due(&shares[i], *now);
        if (core->held || core->heap.len == 0)
            continue;
        uint64_t rank = core->options.rank(heap_first(&core->heap));
        if (best < count &&
            (rank > best_rank || (rank == best_rank && !sooner(&shares[i], &shares[best]))))
            continue;
        best = i;
        best_rank = rank;
    }
    if (best == count)
        return EAGAIN;
    *now = shares[best].pass;
    shares[best].pass += SHARE_UNIT / shares[best].weight;
    *which = best;
    return queue_core_take(cores[best], item);
}
