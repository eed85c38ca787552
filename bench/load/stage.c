// SPDX-License-Identifier: MIT
/*
 * Stages. A tenth for the warm-up is enough for the first pages, connections and branches, and the
 * same rule for all servers that are compared.
 */
#include "load/stage.h"

#include "base/clock.h"

#define WARM_PART 10

void stage_open(struct run *run, const char *name, uint64_t ops, bool own_times)
{
    int64_t now_ns = clock_now_ns(), length_ns = (int64_t)(run->options.seconds * 1e9);
    int64_t warm_ns = ops > 0 ? 0 : length_ns / WARM_PART;
    if (ops == 0)
        run->until_ns = now_ns + warm_ns + length_ns;
    meter_open(&run->meter, name, ops / WARM_PART, now_ns + warm_ns, own_times);
}

void stage_close(struct run *run, const struct crew *crew)
{
    run->until_ns = CLOCK_NEVER;
    meter_close(&run->meter, crew->now_ns);
    run->resident = process_resident(&run->server);
}
