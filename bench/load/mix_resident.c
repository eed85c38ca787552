// SPDX-License-Identifier: MIT
/*
 * The mix resident: so many jobs lie in the server; what each takes of its memory, how fast they
 * came in and go out, and how much memory stays when all are gone. It is given some seconds to give
 * it back.
 */
#include "base/clock.h"
#include "load/fault.h"
#include "load/stage.h"
#include "load/work.h"

#include <time.h>

#define SETTLE_NS (2 * INT64_C(1000000000))

/* What is resident when it has stopped to shrink. */
static int64_t resident_settled(const struct run *run)
{
    const struct timespec pause = {0, 100000000};
    int64_t until_ns = clock_now_ns() + SETTLE_NS, least = process_resident(&run->server);
    while (clock_now_ns() < until_ns) {
        (void)nanosleep(&pause, NULL);
        int64_t now = process_resident(&run->server);
        least = now < least ? now : least;
    }
    return least;
}

void mix_resident(struct run *run)
{
    const struct options *o = &run->options;
    if (run->server.pid == 0)
        failed("the server's process can't be looked at, and its memory is all that this measures");
    struct crew *crew = run_crew(run, o->connections, 1);
    int64_t before = process_resident(&run->server);
    stage_open(run, "fill", o->jobs, false);
    work_fill(run, crew, o->jobs, o->depth, 0);
    stage_close(run, crew);
    int64_t full = run->resident;
    run_value(run, "job_bytes", (double)(full - before) / (double)o->jobs);
    stage_open(run, "drain", 2 * o->jobs, false);
    work_drain(run, crew, o->depth);
    stage_close(run, crew);
    run_value(run, "drained_bytes", (double)(run->resident - before));
    run_value(run, "settled_bytes", (double)(resident_settled(run) - before));
    run->resident = full;
    run_compare(run, 1);
    crew_free(&crew);
}
