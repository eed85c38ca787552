// SPDX-License-Identifier: MIT
/*
 * The mix cycle: every connection puts a job, reserves one and deletes it, over and over; with a
 * depth of D it does so D times at once. The job reserved may be another connection's. No reserve
 * ever waits for long: each has a put that was answered before it.
 */
#include "base/clock.h"
#include "load/stage.h"
#include "load/work.h"

static void next(struct run *run, struct link *link)
{
    if (run->to_put == 0 || link->crew->now_ns >= run->until_ns)
        return;
    run->to_put--;
    work_put(run, link, 0, 0, RUN_TTR_S);
}

static void answer(struct crew *crew, struct link *link, const struct sent *sent,
                   const struct reply *reply)
{
    struct run *run = crew->context;
    switch (sent->ask) {
    case ASK_PUT:
        work_inserted(run, sent, reply);
        link_reserve(link);
        break;
    case ASK_RESERVE:
        work_finish(run, link, reply);
        break;
    default:
        work_deleted(run, sent);
        next(run, link);
    }
}

void mix_cycle(struct run *run)
{
    const struct options *o = &run->options;
    struct crew *crew = run_crew(run, o->connections, o->tubes);
    stage_open(run, "cycle", 3 * o->jobs, false);
    run->to_put = o->jobs > 0 ? o->jobs : UINT64_MAX;
    crew->now_ns = clock_now_ns();
    for (uint64_t slot = 0; slot < o->depth; slot++)
        for (size_t i = 0; i < crew->count; i++)
            next(run, crew->links[i]);
    crew_run(crew, answer);
    stage_close(run, crew);
    run_compare(run, o->tubes);
    crew_free(&crew);
}
