// SPDX-License-Identifier: MIT
/*
 * The mix waiters: many consumers wait for one tube, while few producers put. What it costs to have
 * a long line of waiters, and whether the line is served in turn.
 */
#include "load/fault.h"
#include "load/relay.h"

#include <inttypes.h>

void mix_waiters(struct run *run)
{
    const struct options *o = &run->options;
    if (o->waiters < o->connections)
        unusable("%" PRIu64 " waiters are too few for %" PRIu64
                 " connections that put: a job would have to wait",
                 o->waiters, o->connections);
    relay_run(run, "waiters", o->connections, o->waiters, 1);
}
