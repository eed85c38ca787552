// SPDX-License-Identifier: MIT
/*
 * The mix put: jobs are put and stay. Measured are the puts; then the counters must agree, and all
 * jobs are taken out again, which checks each of them.
 */
#include "load/stage.h"
#include "load/work.h"

void mix_put(struct run *run)
{
    const struct options *o = &run->options;
    struct crew *crew = run_crew(run, o->connections, 1);
    stage_open(run, "put", o->jobs, false);
    work_fill(run, crew, o->jobs, o->depth, 0);
    stage_close(run, crew);
    run_compare(run, 1);
    work_drain(run, crew, o->depth);
    run_compare(run, 1);
    crew_free(&crew);
}
