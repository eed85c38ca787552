// SPDX-License-Identifier: MIT
/*
 * The mix mixed: as cycle, over a backlog of --jobs jobs, with priorities at random, one job of 32
 * put with a delay of a second, and one reserve of 16 given back with another priority.
 *
 * No job may come before its delay is over. At the end, when no delay is left, the backlog is
 * drained and must come in order of priority and id, over every connection.
 */
#include "base/clock.h"
#include "load/fault.h"
#include "load/stage.h"
#include "load/work.h"

#include <time.h>

#define PRIORITIES 1000
#define DELAY_ONE_OF 32
#define RELEASE_ONE_OF 16

static void next(struct run *run, struct link *link)
{
    if (run_is_over(run, link->crew->now_ns))
        return;
    uint32_t delay_s = run_random(run, DELAY_ONE_OF) == 0;
    work_put(run, link, (uint32_t)run_random(run, PRIORITIES), delay_s, RUN_TTR_S);
}

static void give_back(struct run *run, struct link *link, uint64_t serial)
{
    struct entry *entry = ledger_entry(run->ledger, serial);
    entry->pri = (uint32_t)run_random(run, PRIORITIES);
    /* Another may have it before RELEASED is read: from here on it may be reserved again. */
    ledger_released(run->ledger, serial);
    link_release(link, entry->id, entry->pri, 0, serial);
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
    case ASK_RELEASE:
        link_reserve(link);
        break;
    case ASK_RESERVE: {
        uint64_t serial = work_reserved(run, link, reply);
        if (run_random(run, RELEASE_ONE_OF) == 0)
            give_back(run, link, serial);
        else
            link_delete(link, reply->number, serial);
        break;
    }
    default:
        work_deleted(run, sent);
        next(run, link);
    }
}

/* Until no job is delayed any more: a second, and what the server is late. */
static void delays_await(struct run *run)
{
    const struct timespec pause = {0, 10000000};
    int64_t limit_ns = clock_now_ns() + (int64_t)(run->options.patience * 1e9);
    char tube[RUN_TUBE_MAX];
    for (;;) {
        const char *stats = "";
        (void)control_ask(run->control, &stats, "stats-tube %s", run_tube(run, 0, tube));
        if (stats_number(stats, "current-jobs-delayed") == 0)
            return;
        if (clock_now_ns() > limit_ns)
            wrong("delays of a second do not end");
        (void)nanosleep(&pause, NULL);
    }
}

void mix_mixed(struct run *run)
{
    const struct options *o = &run->options;
    struct crew *crew = run_crew(run, o->connections, 1);
    work_fill(run, crew, o->jobs, o->depth, PRIORITIES);
    stage_open(run, "mixed", 0, false);
    crew->now_ns = clock_now_ns();
    for (uint64_t slot = 0; slot < o->depth; slot++)
        for (size_t i = 0; i < crew->count; i++)
            next(run, crew->links[i]);
    crew_run(crew, answer);
    stage_close(run, crew);
    delays_await(run);
    run_compare(run, 1);
    work_drain(run, crew, o->depth);
    run_compare(run, 1);
    crew_free(&crew);
}
