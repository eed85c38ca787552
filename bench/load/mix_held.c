// SPDX-License-Identifier: MIT
/*
 * The mix held: one connection holds --jobs jobs at once, touches them in random order for
 * --seconds and then deletes them, in random order and for as long. What is left when the time is
 * over goes back as its connection closes, and is drained by another.
 */
#include "base/clock.h"
#include "load/fault.h"
#include "load/stage.h"
#include "load/work.h"

#include <stdlib.h>

static struct {
    uint64_t *serials; /* in the order of touching and deleting */
    uint64_t count, at;
    bool over;
} held;

static void reserve_answer(struct crew *crew, struct link *link, const struct sent *sent,
                           const struct reply *reply)
{
    struct run *run = crew->context;
    (void)sent;
    held.serials[held.count++] = work_reserved(run, link, reply);
    if (run->to_reserve > 0) {
        run->to_reserve--;
        link_reserve(link);
    }
}

static void hold_all(struct run *run, struct crew *crew, uint64_t depth)
{
    held.serials = need(calloc(run->options.jobs, sizeof(*held.serials)));
    run->to_reserve = run->options.jobs;
    for (uint64_t slot = 0; slot < depth && run->to_reserve > 0; slot++, run->to_reserve--)
        link_reserve(crew->links[0]);
    crew_run(crew, reserve_answer);
    for (uint64_t i = held.count - 1; i > 0; i--) {
        uint64_t j = run_random(run, i + 1), serial = held.serials[i];
        held.serials[i] = held.serials[j];
        held.serials[j] = serial;
    }
}

static void touch_next(struct run *run, struct link *link)
{
    if (run_is_over(run, link->crew->now_ns))
        return;
    uint64_t serial = held.serials[held.at++ % held.count];
    link_touch(link, ledger_entry(run->ledger, serial)->id, serial);
}

static void touch_answer(struct crew *crew, struct link *link, const struct sent *sent,
                         const struct reply *reply)
{
    (void)sent, (void)reply;
    touch_next(crew->context, link);
}

static void delete_next(struct run *run, struct link *link)
{
    if (held.at == held.count || run_is_over(run, link->crew->now_ns))
        return;
    uint64_t serial = held.serials[held.at++];
    link_delete(link, ledger_entry(run->ledger, serial)->id, serial);
}

static void delete_answer(struct crew *crew, struct link *link, const struct sent *sent,
                          const struct reply *reply)
{
    (void)reply;
    work_deleted(crew->context, sent);
    delete_next(crew->context, link);
}

static void stage(struct run *run, struct crew *crew, const char *name, uint64_t ops,
                  void (*next)(struct run *run, struct link *link), crew_answer *answer)
{
    int64_t length_ns = (int64_t)(run->options.seconds * 1e9);
    stage_open(run, name, ops, false);
    crew->now_ns = clock_now_ns();
    run->until_ns = crew->now_ns + length_ns;
    held.at = 0;
    for (uint64_t slot = 0; slot < run->options.depth; slot++)
        next(run, crew->links[0]);
    crew_run(crew, answer);
    stage_close(run, crew);
}

void mix_held(struct run *run)
{
    const struct options *o = &run->options;
    struct crew *others = run_crew(run, o->connections, 1), *client = run_crew(run, 1, 1);
    /* A few commands warm up: at a server to which each is a walk, a tenth would take minutes. */
    const uint64_t ops = 200;
    held.count = 0;
    work_fill(run, others, o->jobs, 64, 0);
    hold_all(run, client, 64);
    stage(run, client, "touch", ops, touch_next, touch_answer);
    stage(run, client, "delete", ops, delete_next, delete_answer);
    for (; held.at < held.count; held.at++)
        ledger_released(run->ledger, held.serials[held.at]);
    crew_free(&client);
    work_drain(run, others, 16);
    run_compare(run, 1);
    crew_free(&others);
    free(held.serials);
}
