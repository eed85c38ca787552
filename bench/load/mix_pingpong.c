// SPDX-License-Identifier: MIT
/*
 * The mix pingpong: pairs of a producer and a consumer. The consumers wait in one line of one tube,
 * and the times are from the put to RESERVED.
 */
#include "load/fault.h"
#include "load/relay.h"

#include <inttypes.h>

void mix_pingpong(struct run *run)
{
    uint64_t connections = run->options.connections;
    if (connections % 2 != 0)
        unusable("pingpong takes an even number of connections, since they are pairs; not %" PRIu64,
                 connections);
    relay_run(run, "pingpong", connections / 2, connections / 2, 1);
}
