// SPDX-License-Identifier: MIT
/*
 * The frame of a run: server, tubes, random numbers, and the last comparison.
 *
 * The tubes of a run are its own, named after the process and a random number, and empty again at
 * its end. Their counters belong to this run alone, so they can be compared to the last one.
 */
#include "load/run.h"

#include "base/clock.h"
#include "load/fault.h"
#include "load/pattern.h"
#include "load/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

const struct mix mixes[] = {
#define MIX(name, options, connections, depth, size, jobs, tubes, waiters, seconds, summary)       \
    {#name, mix_##name, options, connections, depth, size, jobs, tubes, waiters, seconds, summary},
#include "load/mixes.def"
#undef MIX
};
const size_t mix_count = sizeof(mixes) / sizeof(mixes[0]);

/* The server's statistics name its version and, on this machine, its process. */
static void server_identify(struct run *run)
{
    const struct protocol *protocol = run->protocol;
    const char *stats = NULL;
    char version[40];
    const char *head = control_ask(run->control, &stats, "%s", protocol->stats);
    if (stats == NULL)
        failed("%s does not speak %s's protocol: %s was answered \"%s\"", run->address.text,
               protocol->server, protocol->stats, head);
    stats_word(stats, protocol->version_key, version, sizeof(version));
    (void)snprintf(run->server_name, sizeof(run->server_name), "version %s", version);
    int64_t pid = run->options.pid;
    if (pid < 0)
        pid = run->address.local ? (int64_t)stats_number(stats, protocol->pid_key) : 0;
    process_find(&run->server, (pid_t)pid);
    if (run->options.pid > 0 && run->server.pid == 0)
        failed("there is no process %" PRId64, run->options.pid);
}

void run_connect(struct run *run)
{
    run->control = control_new(&run->address, run->protocol->text_mark,
                               (int64_t)(run->options.patience * 1e9));
    server_identify(run);
}

void run_init(struct run *run, const struct options *options)
{
    const char *why;
    memset(run, 0, sizeof(*run));
    run->options = *options;
    const char *where = options->server;
    run->protocol = protocol_find(&where);
    if (!protocol_has(run->protocol, options->mix->name))
        unusable("the mix %s does not run with %s; these do: %s", options->mix->name,
                 run->protocol->server, run->protocol->mixes);
    if (address_parse(where, &run->address, &why) != 0)
        failed("%s: %s", options->server, why);
    if (getrandom(&run->nonce, sizeof(run->nonce), 0) != sizeof(run->nonce))
        run->nonce = (uint64_t)clock_now_ns();
    run->random = options->seed;
    run->until_ns = CLOCK_NEVER;
    pattern_init(options->seed ^ run->nonce);
    run_connect(run);
    run->meter.server = &run->server;
    run->ledger = ledger_new();
}

void run_fini(struct run *run)
{
    control_free(&run->control);
    ledger_free(&run->ledger);
}

const char *run_tube(const struct run *run, uint64_t n, char *name)
{
    (void)snprintf(name, RUN_TUBE_MAX, "hilera-bench-%d-%08" PRIx32 "-%" PRIu64, (int)getpid(),
                   (uint32_t)run->nonce, n);
    return name;
}

uint64_t run_random(struct run *run, uint64_t bound)
{
    /* splitmix64 */
    uint64_t x = run->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return bound > 0 ? x % bound : x;
}

bool run_is_over(const struct run *run, int64_t now_ns)
{
    return now_ns >= run->until_ns && meter_has_some(&run->meter);
}

void run_value(struct run *run, const char *name, double number)
{
    if (run->value_count == RUN_VALUES_MAX)
        failed("more values than a report has room for");
    run->values[run->value_count++] = (struct value){name, number};
}

static void greeted(struct crew *crew, struct link *link, const struct sent *sent,
                    const struct reply *reply)
{
    (void)crew, (void)link, (void)sent, (void)reply;
}

struct crew *run_crew(struct run *run, uint64_t count, uint64_t tubes)
{
    char name[RUN_TUBE_MAX];
    struct crew *crew = crew_new(&run->address, run->protocol, run->options.size,
                                 (int64_t)(run->options.patience * 1e9), &run->meter);
    crew->context = run;
    for (uint64_t i = 0; i < count; i++) {
        struct link *link = crew_add(crew);
        run_tube(run, i % tubes, name);
        run->protocol->join(link, name);
    }
    crew_run(crew, greeted);
    return crew;
}

static void agree(const char *what, uint64_t server, uint64_t books)
{
    if (server != books)
        wrong("the server's statistics count %" PRIu64 " %s, the run made %" PRIu64, server, what,
              books);
}

void run_compare_left(struct run *run, uint64_t tubes)
{
    struct tube_counts counts = {0};
    for (uint64_t i = 0; i < tubes; i++)
        run->protocol->count(run, i, &counts);
    agree("jobs left", counts.left, ledger_left(run->ledger));
}

void run_compare(struct run *run, uint64_t tubes)
{
    const struct ledger_counts *books = ledger_counts(run->ledger);
    struct tube_counts counts = {0};
    for (uint64_t i = 0; i < tubes; i++)
        run->protocol->count(run, i, &counts);
    if (run->protocol->keeps_totals) {
        agree("jobs in all", counts.total, books->put);
        agree("deletes", counts.deleted, books->deleted);
    }
    agree("jobs left", counts.left, ledger_left(run->ledger));
    agree("answers to puts", books->inserted, books->put);
}
