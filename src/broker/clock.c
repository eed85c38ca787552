// SPDX-License-Identifier: MIT
/*
 * The wall clock was set, or runs a little faster or slower: jobs that wait for a time of it get
 * their places anew.
 *
 * Once a second somebody looks (broker_clock_look) how far both clocks are apart. If that has
 * changed it is a walk over all jobs that lets go of the lock every few hundred, and it happens
 * only when there are such jobs. The rest is in wallclock.c.
 */
#include "broker/state_priv.h"

/* Clocks that are so much further apart were set, or have drifted so far. */
#define AT_STEP_NS (100 * (HL_SECOND / 1000))

/* From that id on, which is moved; 0: that was the end. */
HELD static void place_some(struct broker *broker, uint64_t *id)
{
    for (int i = 0; i < BROKER_SLICE_MAX; i++, (*id)++) {
        struct job *job = idtable_from(&broker->ledger.jobs, id);
        if (job == NULL) {
            *id = 0;
            return;
        }
        if (job->extra != NULL && job->extra->by_wall)
            at_place(job);
    }
}

void broker_clock_look(struct broker *broker)
{
    int64_t apart = clocks_apart();
    broker_lock(broker);
    int64_t step = apart - broker->ledger.clocks_apart;
    bool stepped = step > AT_STEP_NS || step < -AT_STEP_NS;
    if (stepped)
        broker->ledger.clocks_apart = apart;
    uint64_t id = stepped && broker->ledger.timed > 0 ? 1 : 0;
    while (id != 0) {
        place_some(broker, &id);
        broker_unlock(broker);
        broker_lock(broker);
    }
    broker_unlock(broker);
}
