// SPDX-License-Identifier: MIT
/*
 * Rounds that end lives by SIGKILL or by a power loss: see crash.c.
 *
 * Where the power goes is a number of calls to the disk, small ones as likely as large ones, so
 * that starts, first frames and turns of segments are all met. If the work has not come so far when
 * the life is over, it goes at one of the next calls, or just then.
 */
#include "crash.h"

#include "actors.h"
#include "judge.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTS_CUT_MAX 3
#define MILLISECOND (HL_SECOND / 1000)
struct round {
    const struct crash_options *options;
    struct crash_tally *tally;
    struct oracle oracle;
    struct victim victim;
    bool power;
    bool turn;        /* this life is for the older hilerad */
    bool older;       /* and this start is of it */
    uint64_t loss_at; /* of this start */
};

/* 1 to about `most`, each order of magnitude as likely as the others. */
static uint64_t some_calls(struct oracle *oracle, uint64_t most)
{
    uint64_t limit = 4;
    while (limit < most && !oracle_one_in(oracle, 5))
        limit *= 2;
    return 1 + oracle_below(oracle, limit);
}

static void program_choose(struct round *round, bool older)
{
    if (round->options->older == NULL)
        return;
    round->older = older;
    round->victim.program = older ? round->options->older : round->options->hilerad;
    round_program(round->victim.program);
}

static void collect_lost(struct round *round)
{
    int status = victim_stop(&round->victim, false);
    if (!victim_lost(&round->victim))
        fail("the daemon ended by itself: %s %d", WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    round->tally->lost++;
    oracle_crashed(&round->oracle, clock_now_ns());
}

/* Starts it; now and then it dies first. */
static void life_start(struct round *round)
{
    struct oracle *oracle = &round->oracle;
    for (int cut = 0;; cut++) {
        bool again = cut < STARTS_CUT_MAX && oracle_one_in(oracle, 3);
        round->loss_at = again                  ? some_calls(oracle, 64)
                         : cut < STARTS_CUT_MAX ? some_calls(oracle, 8192)
                                                : 0;
        if (round->power)
            victim_disk(&round->victim, oracle_below(oracle, UINT64_MAX), round->loss_at, 0, 0,
                        false);
        program_choose(round, again && round->options->older != NULL ? oracle_one_in(oracle, 2)
                                                                     : round->turn);
        victim_start(&round->victim);
        if (!round->power && again) {
            int64_t limit_ns = (int64_t)oracle_below(oracle, 40) * MILLISECOND;
            (void)victim_ready(&round->victim, limit_ns);
            victim_kill(&round->victim);
            round->tally->killed++;
            continue;
        }
        if (victim_ready(&round->victim, -1))
            return;
        collect_lost(round);
    }
}

/* After the work: how the life ends. */
static void life_end(struct round *round, struct actors *actors)
{
    struct oracle *oracle = &round->oracle;
    bool there = !victim_lost(&round->victim);
    if (there && round->power && oracle_one_in(oracle, 2)) {
        struct shim_control *control = round->victim.control;
        atomic_store(&control->loss_at, atomic_load(&control->calls) + 1 + oracle_below(oracle, 4));
        (void)actors_run(actors, clock_now_ns() + 300 * MILLISECOND, UINT64_MAX);
        there = !victim_lost(&round->victim);
    }
    bool stop = there && oracle_one_in(oracle, 6);
    int status = 0;
    if (stop)
        status = victim_stop(&round->victim, true);
    else if (there && round->power && !oracle_one_in(oracle, 8))
        victim_lose(&round->victim);
    else
        victim_kill(&round->victim);
    actors_stop(actors);
    bool lost = victim_lost(&round->victim);
    if (stop && !lost && (WIFSIGNALED(status) || WEXITSTATUS(status) != 0))
        fail("an orderly stop: %s %d", WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    oracle_crashed(oracle, lost ? clock_now_ns() : 0);
    round->tally->lost += lost;
    round->tally->stopped += stop && !lost;
    round->tally->killed += !stop && !lost;
}

static void life(struct round *round)
{
    struct oracle *oracle = &round->oracle;
    struct actors actors;
    life_start(round);
    /* The judge wants a daemon that stays, so the power is there until it is done. */
    if (round->power && atomic_exchange(&round->victim.control->loss_at, 0) != round->loss_at) {
        collect_lost(round);
        return;
    }
    judge(oracle, round->victim.socket);
    if (!judge_begin(oracle, round->victim.socket))
        fail("the first put of a life was refused");
    if (round->power && round->loss_at > 0)
        atomic_store(&round->victim.control->loss_at,
                     atomic_load(&round->victim.control->calls) + round->loss_at);
    int64_t length_ns = (int64_t)(1 + oracle_below(oracle, 250)) * MILLISECOND;
    if (oracle->window_ns > 0) /* long enough that not all of it may be lost */
        length_ns += oracle->window_ns;
    bool all = actors_start(&actors, oracle, round->victim.socket);
    if (all)
        all = actors_run(&actors, clock_now_ns() + length_ns, UINT64_MAX);
    if (!all && !victim_lost(&round->victim)) {
        actors_stop(&actors);
        collect_lost(round);
    } else {
        life_end(round, &actors);
    }
    round->tally->lives++;
    round->tally->older += round->older;
    round->tally->answers += actors.answers;
    round->tally->refused += actors.refused;
    round->tally->doubtful += actors.doubtful;
}

void round_start(struct victim *victim)
{
    victim_start(victim);
    if (!victim_ready(victim, -1))
        fail("the daemon does not start: see the log in its directory");
}

void round_stop(struct victim *victim)
{
    int status = victim_stop(victim, true);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
        fail("an orderly stop: %s %d", WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

void round_check(const struct victim *victim, const char *program)
{
    char command[1024];
    snprintf(command, sizeof(command), "'%s' --check '%s/data' >>'%s/log' 2>&1", program,
             victim->settings->directory, victim->settings->directory);
    int status = system(command);
    if (status != 0)
        fail("%s --check answers %d: see the log", program, WEXITSTATUS(status));
}

void round_end(struct victim *victim, struct oracle *oracle)
{
    if (victim->control != NULL)
        victim_disk(victim, 0, 0, 0, 0, false);
    round_start(victim);
    judge(oracle, victim->socket);
    round_stop(victim);
    round_check(victim, victim->program);
    if (victim->program != victim->settings->hilerad)
        round_check(victim, victim->settings->hilerad);
}

void round_crash(const struct crash_options *options, uint64_t seed, struct crash_tally *tally)
{
    struct round round = {
        .options = options, .tally = tally, .power = strcmp(options->kind, "power") == 0};
    round_directory(options, seed, "");
    round_oracle(options, seed, &round.oracle);
    const struct victim_settings settings = round_settings(options, &round.oracle);
    victim_init(&round.victim, &settings);
    round.oracle.forgets = options->older != NULL;
    round.turn = seed % 2 != 0;
    for (int i = 0; i < options->lives; i++, round.turn = !round.turn)
        life(&round);
    program_choose(&round, round.turn);
    round_end(&round.victim, &round.oracle);
    tally->puts += round.oracle.job_count;
    tally->compared += round.oracle.compared;
    tally->went_on += round.oracle.went_on;
    victim_fini(&round.victim);
    oracle_fini(&round.oracle);
    round_directory_drop();
}
