// SPDX-License-Identifier: MIT
/*
 * The mix canary: one connection puts, reserves and deletes, one command after the other, while
 * a crowd of others makes life hard (crowd.h). Its times are what the mix is about: p99 and the
 * longest. The crowd has a thread of its own, so that its work is not counted as the server's.
 */
#include "load/crowd.h"
#include "load/stage.h"
#include "load/work.h"

void mix_canary(struct run *run)
{
    const struct options *o = &run->options;
    int64_t before = process_resident(&run->server);
    struct crew *crew = run_crew(run, 1, 1);
    struct crowd *crowd = crowd_start(run);
    stage_open(run, "canary", 0, false);
    run->to_put = UINT64_MAX;
    work_cycle(run, crew, 1);
    stage_close(run, crew);
    run_value(run, "crowd_connections", (double)o->connections);
    run_value(run, "crowd_acts", (double)crowd_stop(&crowd));
    run_value(run, "grown_bytes", (double)(run->resident - before));
    run_compare(run, 1);
    crew_free(&crew);
}
