// SPDX-License-Identifier: MIT
/*
 * Memory: about how much the jobs take, and whether that fell so far that it is worth giving the
 * allocator's free pages back to the system.
 */
#include "broker/state_priv.h"

uint64_t broker_memory(const struct broker *broker)
{
    const struct store *store = broker->ledger.store;
    uint64_t evicted = store != NULL ? store_evicted_bytes(store) : 0;
    return broker->ledger.counts.bytes - evicted +
           broker->ledger.jobs.len * (sizeof(struct job) + 3 * sizeof(void *));
}

bool broker_memory_fell(struct broker *broker)
{
    broker_lock(broker);
    uint64_t now = broker_memory(broker);
    bool fell = now <= broker->memory_peak / 2 && broker->memory_peak - now >= BROKER_FELL_MIN;
    if (fell)
        broker->memory_peak = now;
    broker_unlock(broker);
    return fell;
}
