// SPDX-License-Identifier: MIT
/*
 * Walks: kick and clear, which go through as many jobs as a tube has.
 *
 * A walk is done in slices of BROKER_SLICE_MAX jobs. Between two of them nobody holds anything but
 * a reference on the tube: the caller may serve others, come back later, or give up, and then what
 * was done is done. What it goes through is fixed when it begins: how many at most, and of which
 * state. So what comes into the tube meanwhile can't keep it going for ever, and a kick that began
 * with buried jobs doesn't go on with delayed ones. Which jobs those are is seen at each step, for
 * others may take them away between slices.
 *
 * To add one: a function that does one job, and a broker_..._begin that names it.
 */
#include "broker/bulk_priv.h"

#include <errno.h>

void walk_begin(struct broker_bulk *walk, struct tube *tube, walk_step *step, uint64_t count)
{
    tube_ref(tube);
    *walk = (struct broker_bulk){.tube = tube, .step = step, .left = count};
}

/* A slice. Those that left are freed without the lock. */
static int walk_some(struct broker_bulk *walk)
{
    struct job *gone[BROKER_SLICE_MAX];
    struct broker *broker = broker_of(walk->tube);
    size_t steps = 0;
    int rc = 0;
    broker_lock(broker);
    broker_tell(broker, &walk->ticket);
    while (steps < BROKER_SLICE_MAX && walk->left > 0 && rc == 0) {
        gone[steps] = NULL;
        rc = walk->step(walk, &gone[steps++]);
        walk->done += rc == 0;
        walk->left -= rc == 0;
    }
    broker_unlock(broker);
    for (size_t i = 0; i < steps; i++)
        // cppcheck-suppress uninitvar ; each step has set its own
        if (gone[i] != NULL)
            job_free(&gone[i]);
    return rc;
}

int broker_bulk_on(struct broker_bulk *walk)
{
    MAGIC_CHECK(walk->tube, TUBE_MAGIC);
    int rc = walk_some(walk);
    if (rc == ENOENT) /* others were faster */
        return 0;
    return rc == 0 && walk->left > 0 ? EINPROGRESS : rc;
}

void broker_bulk_end(struct broker_bulk *walk)
{
    MAGIC_CHECK(walk->tube, TUBE_MAGIC);
    struct broker *broker = broker_of(walk->tube);
    broker_lock(broker);
    tube_unref(walk->tube);
    walk->tube = NULL;
    broker_unlock(broker);
}
