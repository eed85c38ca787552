// SPDX-License-Identifier: MIT
/*
 * The mix drain: jobs that lie there are reserved and deleted. Putting them is not measured.
 */
#include "load/stage.h"
#include "load/work.h"

void mix_drain(struct run *run)
{
    const struct options *o = &run->options;
    struct crew *crew = run_crew(run, o->connections, 1);
    work_fill(run, crew, o->jobs, o->depth, 0);
    run_compare(run, 1);
    stage_open(run, "drain", 2 * o->jobs, false);
    work_drain(run, crew, o->depth);
    stage_close(run, crew);
    run_compare(run, 1);
    crew_free(&crew);
}
