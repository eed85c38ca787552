// SPDX-License-Identifier: MIT
/*
 * The relay. A producer puts one job and puts the next when that one was deleted, by whichever
 * consumer got it. A consumer that got one deletes it and waits again, in the same write: so
 * whenever a job is put, a consumer waits for it, and what is measured is the way through the
 * server, not a queue. Both ends are in this process, so one clock serves.
 */
#include "load/relay.h"

#include "base/clock.h"
#include "load/fault.h"
#include "load/stage.h"
#include "load/work.h"

#include <inttypes.h>

enum { ROLE_PRODUCER, ROLE_CONSUMER };

static void produce(struct run *run, struct link *link)
{
    char tube[RUN_TUBE_MAX];
    if (run->to_put == 0 || run_is_over(run, link->crew->now_ns))
        return;
    run->to_put--;
    if (run->options.tubes > 1)
        link_use(link, run_tube(run, run_random(run, run->options.tubes), tube));
    work_put(run, link, 0, 0, RUN_TTR_S);
}

static void answer(struct crew *crew, struct link *link, const struct sent *sent,
                   const struct reply *reply)
{
    struct run *run = crew->context;
    const struct ledger_counts *counts = ledger_counts(run->ledger);
    switch (sent->ask) {
    case ASK_PUT:
        work_inserted(run, sent, reply);
        break;
    case ASK_RESERVE: {
        uint64_t serial = work_reserved(run, link, reply);
        meter_time(&run->meter, reply->now_ns - ledger_entry(run->ledger, serial)->at_ns);
        link->served++;
        link_delete(link, reply->number, serial);
        link_reserve(link);
        break;
    }
    case ASK_DELETE:
        work_deleted(run, sent);
        produce(run, crew->links[ledger_entry(run->ledger, sent->key)->owner]);
        break;
    default: /* USING */
        break;
    }
    if (counts->deleted == counts->put && counts->inserted == counts->put)
        crew->stop = true;
}

static void ready(struct crew *crew, struct link *link, const struct sent *sent,
                  const struct reply *reply)
{
    (void)crew, (void)link, (void)sent, (void)reply;
}

/* Sends the consumers' reserves, and waits until the server counts them as waiting. */
static void consumers_wait(struct run *run, struct crew *crew, uint64_t consumers)
{
    int64_t limit_ns = clock_now_ns() + crew->patience_ns;
    uint64_t waiting;
    crew_run(crew, ready);
    for (size_t i = 0; i < crew->count; i++)
        if (crew->links[i]->role == ROLE_CONSUMER)
            link_reserve(crew->links[i]);
    crew_flush(crew);
    do {
        const char *stats = "";
        (void)control_ask(run->control, &stats, "stats");
        waiting = stats_number(stats, "current-waiting");
        if (waiting < consumers && clock_now_ns() > limit_ns)
            wrong("%" PRIu64 " connections wait, the server counts %" PRIu64, consumers, waiting);
    } while (waiting < consumers);
}

static struct crew *relay_crew(struct run *run, uint64_t producers, uint64_t consumers,
                               uint64_t tubes)
{
    char tube[RUN_TUBE_MAX];
    struct crew *crew = crew_new(&run->address, run->protocol, run->options.size,
                                 (int64_t)(run->options.patience * 1e9), &run->meter);
    crew->context = run;
    for (uint64_t i = 0; i < producers; i++)
        link_use(crew_add(crew), run_tube(run, 0, tube));
    for (uint64_t i = 0; i < consumers; i++) {
        struct link *link = crew_add(crew);
        link->role = ROLE_CONSUMER;
        link_watch(link, run_tube(run, i % tubes, tube));
        for (uint64_t other = i + consumers; other < tubes; other += consumers)
            link_watch(link, run_tube(run, other, tube));
        link_ignore(link, "default");
    }
    consumers_wait(run, crew, consumers);
    return crew;
}

/* Who waits longest is served first: with one tube no consumer gets much more than another. */
static void report_served(struct run *run, const struct crew *crew)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < crew->count; i++) {
        const struct link *link = crew->links[i];
        if (link->role != ROLE_CONSUMER)
            continue;
        least = link->served < least ? link->served : least;
        most = link->served > most ? link->served : most;
    }
    run_value(run, "served_least_jobs", (double)least);
    run_value(run, "served_most_jobs", (double)most);
}

void relay_run(struct run *run, const char *name, uint64_t producers, uint64_t consumers,
               uint64_t tubes)
{
    const struct options *o = &run->options;
    struct crew *crew = relay_crew(run, producers, consumers, tubes);
    stage_open(run, name, (tubes > 1 ? 4 : 3) * o->jobs, true);
    run->to_put = o->jobs > 0 ? o->jobs : UINT64_MAX;
    crew->now_ns = clock_now_ns();
    for (uint64_t i = 0; i < producers; i++)
        produce(run, crew->links[i]);
    crew_run(crew, answer);
    stage_close(run, crew);
    report_served(run, crew);
    run_compare(run, tubes);
    crew_free(&crew);
}
