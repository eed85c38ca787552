// SPDX-License-Identifier: MIT
/*
 * The mix cycle: every connection puts a job, reserves one and deletes it, over and over; with a
 * depth of D it does so D times at once. The job reserved may be another connection's. No reserve
 * ever waits for long: each has a put that was answered before it.
 */
#include "load/stage.h"
#include "load/work.h"

void mix_cycle(struct run *run)
{
    const struct options *o = &run->options;
    struct crew *crew = run_crew(run, o->connections, o->tubes);
    stage_open(run, "cycle", 3 * o->jobs, false);
    run->to_put = o->jobs > 0 ? o->jobs : UINT64_MAX;
    work_cycle(run, crew, o->depth);
    stage_close(run, crew);
    run_compare(run, o->tubes);
    crew_free(&crew);
}
