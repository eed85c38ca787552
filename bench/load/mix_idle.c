// SPDX-License-Identifier: MIT
/*
 * The mix idle: connections that have been answered once and then say nothing. What each of them
 * takes of the server's memory. (The kernel's share, its socket buffers, is not in that.)
 */
#include "load/fault.h"
#include "load/run.h"

void mix_idle(struct run *run)
{
    const struct options *o = &run->options;
    if (run->server.pid == 0)
        failed("the server's process can't be looked at, and its memory is all that this measures");
    int64_t before = process_resident(&run->server);
    struct crew *crew = run_crew(run, o->connections, 1);
    run->resident = process_resident(&run->server);
    run_value(run, "connection_bytes", (double)(run->resident - before) / (double)o->connections);
    crew_free(&crew);
}
