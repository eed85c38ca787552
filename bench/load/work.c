// SPDX-License-Identifier: MIT
/*
 * The steps, and the phases that mixes are made of: fill, drain and cycle.
 *
 * A drain sends no reserve that could wait: as many as there are jobs, shared by the links as they
 * become free. A slot of a link is a reserve, then its delete, then the next reserve, so `depth`
 * commands are in flight on each link up to the end. As nothing is put during a drain, each
 * link must see its jobs in the queue's order: by priority, then by id.
 */
#include "load/work.h"

#include "base/clock.h"
#include "load/fault.h"
#include "load/pattern.h"

#include <inttypes.h>

void work_put(struct run *run, struct link *link, uint32_t pri, uint32_t delay_s, uint32_t ttr_s)
{
    struct entry *entry;
    uint64_t serial = ledger_put(run->ledger, &entry);
    entry->at_ns = link->crew->now_ns;
    entry->due_ns = delay_s > 0 ? entry->at_ns + delay_s * INT64_C(1000000000) : 0;
    entry->pri = pri;
    entry->owner = link->index;
    link_put(link, serial, pri, delay_s, ttr_s, run->options.size);
}

void work_inserted(struct run *run, const struct sent *sent, const struct reply *reply)
{
    ledger_inserted(run->ledger, sent->key, reply->number);
    if (reply->place != 0)
        ledger_entry(run->ledger, sent->key)->pri = reply->place;
}

static void order_check(struct link *link, const struct entry *entry)
{
    if (link->last_id != 0 && (entry->pri < link->last_pri ||
                               (entry->pri == link->last_pri && entry->id < link->last_id)))
        wrong("job %" PRIu64 " (priority %" PRIu32 ") was reserved after job %" PRIu64
              " (priority %" PRIu32 "), which comes behind it",
              entry->id, entry->pri, link->last_id, link->last_pri);
    link->last_id = entry->id;
    link->last_pri = entry->pri;
}

uint64_t work_reserved(struct run *run, struct link *link, const struct reply *reply)
{
    size_t size = run->options.size;
    if (reply->word != WORD_GOOD)
        wrong("a reserve was answered %s",
              reply->word == WORD_TIMED_OUT ? "TIMED_OUT" : "DEADLINE_SOON");
    if (reply->size != size)
        wrong("job %" PRIu64 " has %zu bytes, it was put with %zu", reply->number, reply->size,
              size);
    uint64_t serial = pattern_serial(reply->body);
    if (serial >= ledger_counts(run->ledger)->put || !pattern_is(reply->body, size, serial))
        wrong("job %" PRIu64 " has a body that was not put", reply->number);
    struct entry *entry = ledger_reserved(run->ledger, serial, reply->number, reply->now_ns);
    if (run->ordered)
        order_check(link, entry);
    return serial;
}

void work_finish(struct run *run, struct link *link, const struct reply *reply)
{
    uint64_t serial = work_reserved(run, link, reply);
    link_delete(link, reply->number, serial);
}

void work_deleted(struct run *run, const struct sent *sent)
{
    ledger_deleted(run->ledger, sent->key);
}

/* ---- fill ---- */

static bool may_put(struct run *run, const struct crew *crew)
{
    if (run->to_put == 0 || run_is_over(run, crew->now_ns))
        return false;
    run->to_put--;
    return true;
}

static void fill_answer(struct crew *crew, struct link *link, const struct sent *sent,
                        const struct reply *reply)
{
    struct run *run = crew->context;
    work_inserted(run, sent, reply);
    if (may_put(run, crew))
        work_put(run, link, 0, 0, RUN_TTR_S);
}

static void fill_answer_mixed(struct crew *crew, struct link *link, const struct sent *sent,
                              const struct reply *reply)
{
    struct run *run = crew->context;
    work_inserted(run, sent, reply);
    if (may_put(run, crew))
        work_put(run, link, (uint32_t)run_random(run, link->role), 0, RUN_TTR_S);
}

void work_fill(struct run *run, struct crew *crew, uint64_t count, uint64_t depth,
               uint32_t pri_bound)
{
    run->to_put = count > 0 ? count : UINT64_MAX;
    crew->now_ns = clock_now_ns();
    for (uint64_t slot = 0; slot < depth; slot++)
        for (size_t i = 0; i < crew->count && may_put(run, crew); i++) {
            uint32_t pri = pri_bound > 0 ? (uint32_t)run_random(run, pri_bound) : 0;
            crew->links[i]->role = pri_bound;
            work_put(run, crew->links[i], pri, 0, RUN_TTR_S);
        }
    crew_run(crew, pri_bound > 0 ? fill_answer_mixed : fill_answer);
}

/* ---- drain ---- */

static bool may_reserve(struct run *run)
{
    if (run->to_reserve == 0)
        return false;
    run->to_reserve--;
    return true;
}

static void drain_answer(struct crew *crew, struct link *link, const struct sent *sent,
                         const struct reply *reply)
{
    struct run *run = crew->context;
    if (sent->ask == ASK_RESERVE) {
        work_finish(run, link, reply);
    } else {
        work_deleted(run, sent);
        if (may_reserve(run))
            link_reserve(link);
    }
}

void work_drain(struct run *run, struct crew *crew, uint64_t depth)
{
    run->to_reserve = ledger_left(run->ledger);
    run->ordered = true;
    crew->now_ns = clock_now_ns();
    for (size_t i = 0; i < crew->count; i++)
        crew->links[i]->last_id = 0;
    for (uint64_t slot = 0; slot < depth; slot++)
        for (size_t i = 0; i < crew->count && may_reserve(run); i++)
            link_reserve(crew->links[i]);
    crew_run(crew, drain_answer);
    run->ordered = false;
}

/* ---- cycle ---- */

static void cycle_next(struct run *run, struct link *link)
{
    if (run->to_put == 0 || run_is_over(run, link->crew->now_ns))
        return;
    run->to_put--;
    work_put(run, link, 0, 0, RUN_TTR_S);
}

static void cycle_answer(struct crew *crew, struct link *link, const struct sent *sent,
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
        cycle_next(run, link);
    }
}

void work_cycle(struct run *run, struct crew *crew, uint64_t depth)
{
    crew->now_ns = clock_now_ns();
    for (uint64_t slot = 0; slot < depth; slot++)
        for (size_t i = 0; i < crew->count; i++)
            cycle_next(run, crew->links[i]);
    crew_run(crew, cycle_answer);
}
