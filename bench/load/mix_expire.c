// SPDX-License-Identifier: MIT
/*
 * The mix expire: half of --jobs jobs are reserved by --connections clients that then say nothing,
 * and half are put with a delay. How late each comes back: the time from the end of its lease or
 * delay to its RESERVED at a consumer that waits. None may come early, none twice.
 *
 * What did not come five seconds after the last was due is counted as never; it is fetched by
 * closing the clients' connections, so that it is known whether it was only forgotten or lost.
 */
#include "base/clock.h"
#include "load/fault.h"
#include "load/histogram.h"
#include "load/work.h"

#include <inttypes.h>
#include <stdio.h>

#define TTR_S 3
#define DELAY_MIN_S 1
#define DELAYS 3 /* of 1, 2 and 3 seconds */
#define WAIT_NS (5 * INT64_C(1000000000))
#define LATE_NS (50 * INT64_C(1000000))
#define CONSUMERS 64
/* So few at once, so that what is known of a lease's beginning is exact: it is between the sending
 * of its command and the answer. */
#define WINDOW 8
#define SECOND_NS INT64_C(1000000000)

enum { KIND_LEASE, KIND_DELAY, KINDS };

static struct {
    struct histogram late[KINDS];
    uint64_t leases; /* serial numbers below this are leases */
    int64_t last_due_ns;
} expiry;

static void due_enter(struct entry *entry, int64_t due_ns)
{
    entry->due_ns = due_ns;
    if (due_ns > expiry.last_due_ns)
        expiry.last_due_ns = due_ns;
}

/* The next lease, at the client whose turn it is. */
static void hold_next(struct run *run, struct crew *clients)
{
    uint64_t serial = ledger_counts(run->ledger)->put;
    if (serial < expiry.leases)
        work_put(run, clients->links[serial % clients->count], 0, 0, TTR_S);
}

static void delay_next(struct run *run, struct crew *crew)
{
    uint64_t serial = ledger_counts(run->ledger)->put;
    if (serial == run->options.jobs)
        return;
    uint32_t delay_s = DELAY_MIN_S + (uint32_t)run_random(run, DELAYS);
    work_put(run, crew->links[serial % crew->count], 0, delay_s, RUN_TTR_S);
    struct entry *entry = ledger_entry(run->ledger, serial);
    due_enter(entry, entry->due_ns);
}

static void hold_answer(struct crew *crew, struct link *link, const struct sent *sent,
                        const struct reply *reply)
{
    struct run *run = crew->context;
    if (sent->ask == ASK_PUT) {
        work_inserted(run, sent, reply);
        link_reserve(link);
        return;
    }
    if (reply->word == WORD_DEADLINE_SOON)
        failed("the server is too slow to lease %" PRIu64 " jobs before the first lease ends: take "
               "fewer --jobs",
               expiry.leases);
    uint64_t serial = work_reserved(run, link, reply);
    /* Nobody will say when it is free again, and it can't be before this. */
    ledger_released(run->ledger, serial);
    due_enter(ledger_entry(run->ledger, serial), sent->at_ns + TTR_S * SECOND_NS);
    hold_next(run, crew);
}

static void delay_answer(struct crew *crew, struct link *link, const struct sent *sent,
                         const struct reply *reply)
{
    (void)link;
    work_inserted(crew->context, sent, reply);
    delay_next(crew->context, crew);
}

static void consume_answer(struct crew *crew, struct link *link, const struct sent *sent,
                           const struct reply *reply)
{
    struct run *run = crew->context;
    if (sent->ask == ASK_DELETE) {
        work_deleted(run, sent);
        crew->stop = ledger_left(run->ledger) == 0;
        return;
    }
    if (reply->word == WORD_DEADLINE_SOON) {
        link_reserve(link);
        return;
    }
    uint64_t serial = work_reserved(run, link, reply);
    if (crew->until_ns != CLOCK_NEVER)
        histogram_add(&expiry.late[serial < expiry.leases ? KIND_LEASE : KIND_DELAY],
                      reply->now_ns - ledger_entry(run->ledger, serial)->due_ns);
    link_delete(link, reply->number, serial);
    link_reserve(link);
}

static void hold_and_delay(struct run *run, struct crew *clients, struct crew *others)
{
    clients->now_ns = clock_now_ns();
    for (int i = 0; i < WINDOW; i++)
        hold_next(run, clients);
    crew_run(clients, hold_answer);
    others->now_ns = clock_now_ns();
    for (int i = 0; i < WINDOW; i++)
        delay_next(run, others);
    crew_run(others, delay_answer);
}

static void kind_report(struct run *run, int kind, const char *const names[5], uint64_t count)
{
    const struct histogram *late = &expiry.late[kind];
    run_value(run, names[0], (double)histogram_at(late, 0.5) / 1000);
    run_value(run, names[1], (double)histogram_at(late, 0.99) / 1000);
    run_value(run, names[2], (double)late->max_ns / 1000);
    run_value(run, names[3], (double)histogram_above(late, LATE_NS));
    run_value(run, names[4], (double)(count - late->count));
}

void mix_expire(struct run *run)
{
    static const char *const lease_names[] = {"lease_late_p50_us", "lease_late_p99_us",
                                              "lease_late_max_us", "leases_late_50ms",
                                              "leases_never"};
    static const char *const delay_names[] = {"delay_late_p50_us", "delay_late_p99_us",
                                              "delay_late_max_us", "delays_late_50ms",
                                              "delays_never"};
    const struct options *o = &run->options;
    struct crew *consumers = run_crew(run, CONSUMERS, 1);
    struct crew *clients = run_crew(run, o->connections, 1);
    expiry.leases = o->jobs / 2;
    hold_and_delay(run, clients, consumers);
    /* One reserve each: a delete behind a second one would have to wait for that. */
    for (int i = 0; i < CONSUMERS; i++)
        link_reserve(consumers->links[i]);
    consumers->until_ns = expiry.last_due_ns + WAIT_NS;
    crew_run(consumers, consume_answer);
    kind_report(run, KIND_LEASE, lease_names, expiry.leases);
    kind_report(run, KIND_DELAY, delay_names, o->jobs - expiry.leases);
    run->resident = process_resident(&run->server);
    crew_free(&clients);
    consumers->until_ns = CLOCK_NEVER;
    if (ledger_left(run->ledger) > 0)
        crew_run(consumers, consume_answer);
    run_compare(run, 1);
    crew_free(&consumers);
}
