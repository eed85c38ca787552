// SPDX-License-Identifier: MIT
/*
 * Rounds in which jobs end while the daemon is killed, or loses its power: see results.h.
 *
 * Each life is started twice. First without pools, so that nothing ends while the judge looks; that
 * start is killed or stopped in order. Then with pools, and now and then it is killed before it is
 * ready; jobs that are there run at once. Lives are short and long beside the 200 ms for which
 * history may collect records before it writes them.
 */
#include "round_results.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define MILLISECOND (HL_SECOND / 1000)
#define LIFE_MAX_MS 600
#define START_MAX_MS 40
#define STARTS_CUT_MAX 3
#define SLOW_MAX_MS 300     /* a sync of history's file */
#define LOSS_CALLS_MAX 4000 /* to the disk, while clients work */

static void pools_write(struct results_round *round)
{
    size_t len = 0;
    for (int pool = 0; pool < SERVED_HELD; pool++) {
        const char *name = pool == SERVED_NULL ? "null" : "echo";
        len += (size_t)snprintf(round->pools + len, sizeof(round->pools) - len,
                                "pool \"%s\" {\n    workers = 2\n    handler = \"%s\"\n"
                                "    tubes = {",
                                name, name);
        for (int i = 0; i < TUBES_SERVED; i++)
            len += (size_t)snprintf(round->pools + len, sizeof(round->pools) - len, "%s\"%s\"",
                                    i > 0 ? ", " : "",
                                    round->oracle.tubes[pool * TUBES_SERVED + i].name);
        len += (size_t)snprintf(round->pools + len, sizeof(round->pools) - len, "}\n}\n");
    }
    if (len >= sizeof(round->pools))
        fail("too many tubes: a fault of the harness");
}

void results_round_init(struct results_round *round, const struct crash_options *options,
                        uint64_t seed, struct crash_tally *tally, const char *part)
{
    *round = (struct results_round){.options = options,
                                    .tally = tally,
                                    .trouble = strcmp(options->kind, "results-history") == 0};
    round->power = round->trouble || strcmp(options->kind, "results-power") == 0;
    round_directory(options, seed, part);
    round_oracle(options, seed, &round->oracle);
    results_init(&round->results, &round->oracle, round->power);
    round->settings = round_settings(options, &round->oracle);
    victim_init(&round->victim, &round->settings);
    if (round->power) {
        round->victim.control->history = true;
        round->results.losing = &round->victim.control->losing;
    }
    pools_write(round);
}

void results_round_fini(struct results_round *round)
{
    struct crash_tally *tally = round->tally;
    tally->puts += round->results.job_count;
    tally->answers += round->results.answers;
    tally->refused += round->results.refused;
    tally->doubtful += round->results.doubtful;
    tally->compared += round->results.compared;
    tally->again += round->results.again;
    tally->told += round->results.told;
    victim_fini(&round->victim);
    results_fini(&round->results);
    oracle_fini(&round->oracle);
    round_directory_drop();
}

static void start_prepare(struct results_round *round, const char *more)
{
    victim_configure(&round->victim, more);
    if (round->power)
        victim_disk(&round->victim, oracle_below(&round->oracle, UINT64_MAX), 0, 0, 0, false);
}

void results_start_judged(struct results_round *round)
{
    start_prepare(round, NULL);
    round_start(&round->victim);
    results_judge(&round->results, round->victim.socket);
}

/* With pools. */
static void start(struct results_round *round)
{
    struct oracle *oracle = &round->oracle;
    start_prepare(round, round->pools);
    for (int cut = 0; cut < STARTS_CUT_MAX && oracle_one_in(oracle, 4); cut++) {
        victim_start(&round->victim);
        (void)victim_ready(&round->victim,
                           (int64_t)oracle_below(oracle, START_MAX_MS) * MILLISECOND);
        victim_kill(&round->victim);
        round->tally->killed++;
    }
    round_start(&round->victim);
}

/* From now on; it ends with the life. */
static void trouble_begin(struct results_round *round)
{
    static const int errors[] = {ENOSPC, EIO, 0, 0};
    struct oracle *oracle = &round->oracle;
    struct shim_control *control = round->victim.control;
    uint64_t which = oracle_below(oracle, 4);
    atomic_store(&control->history_slow_ms, (unsigned)oracle_below(oracle, SLOW_MAX_MS));
    atomic_store(&control->history_error, errors[which]);
    round->tally->faults += errors[which] != 0;
}

/* The clients have sent what they had. */
static void life_end(void *arg)
{
    struct results_round *round = arg;
    bool lost = victim_lost(&round->victim);
    if (round->stop && !lost)
        round_stop(&round->victim);
    else if (round->power)
        victim_lose(&round->victim);
    else
        victim_kill(&round->victim);
    lost = victim_lost(&round->victim);
    round->tally->lost += lost;
    round->tally->stopped += round->stop && !lost;
    round->tally->killed += !round->stop && !lost;
}

void results_life(struct results_round *round, int64_t length_ns)
{
    struct oracle *oracle = &round->oracle;
    start(round);
    round->stop = !round->power && oracle_one_in(oracle, 6);
    if (round->power && oracle_one_in(oracle, 2))
        atomic_store(&round->victim.control->loss_at, atomic_load(&round->victim.control->calls) +
                                                          1 + oracle_below(oracle, LOSS_CALLS_MAX));
    if (round->trouble)
        trouble_begin(round);
    results_work(&round->results, round->victim.socket, clock_now_ns() + length_ns, life_end,
                 round);
    round->tally->lives++;
}

void round_results(const struct crash_options *options, uint64_t seed, struct crash_tally *tally)
{
    struct results_round round;
    results_round_init(&round, options, seed, tally, "");
    struct oracle *oracle = &round.oracle;
    for (int i = 0; i < options->lives; i++) {
        results_life(&round, (int64_t)(1 + oracle_below(oracle, LIFE_MAX_MS)) * MILLISECOND);
        results_start_judged(&round);
        if (i + 1 == options->lives || oracle_one_in(oracle, 3))
            round_stop(&round.victim);
        else
            victim_kill(&round.victim);
    }
    results_start_judged(&round);
    round_stop(&round.victim);
    round_check(&round.victim, round.victim.program);
    results_round_fini(&round);
}
