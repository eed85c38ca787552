// SPDX-License-Identifier: MIT
/*
 * Rounds on a disk that refuses: the n-th call to it fails, for every n of a short session. And the
 * same for memory (the kind `alloc`): the n-th allocation, and perhaps those behind it.
 *
 * The daemon may refuse to start, refuse commands, or stop; it must not crash, hang or lie: after a
 * restart on a sound disk everything that it acknowledged must be there. How the session ends
 * changes with n: SIGKILL, an orderly stop, or a power loss, which also takes what a failed sync
 * was to have made sure. So do the error and whether the refusal stays. Even seeds begin with a
 * directory that has jobs in it.
 */
#include "crash.h"

#include "actors.h"
#include "judge.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SESSION_ANSWERS 250
#define SESSION_NS (HL_SECOND / 2) /* a daemon that refuses all gives few answers that count */
#define SOUND_NS (20 * HL_SECOND)  /* one that refuses nothing gives all of them, slowly perhaps */

enum ending { ENDING_KILL, ENDING_STOP, ENDING_POWER, ENDINGS };

/* Whether the daemon's last words are that memory was refused: a stop, and it says why. */
static bool gave_up(const struct victim *victim)
{
    char path[512], line[512] = "", last[512] = "";
    snprintf(path, sizeof(path), "%s/log", victim->settings->directory);
    FILE *log = fopen(path, "re");
    while (log != NULL && fgets(line, sizeof(line), log) != NULL)
        memcpy(last, line, sizeof(last));
    if (log != NULL)
        (void)fclose(log);
    return strstr(last, "no memory") != NULL;
}

/* The daemon's end, by itself or by us: anything but a signal that we didn't send. Where there is
 * no memory for what can't be refused it may abort, too. */
static void session_end(struct victim *victim, struct actors *actors, enum ending ending,
                        bool there)
{
    int status = 0;
    if (there && ending == ENDING_POWER)
        victim_lose(victim);
    else if (there && ending == ENDING_KILL)
        victim_kill(victim);
    else
        status = victim_stop(victim, there);
    actors_stop(actors);
    bool allowed = victim_lost(victim) || (victim->control->alloc_at > 0 &&
                                           WTERMSIG(status) == SIGABRT && gave_up(victim));
    if (WIFSIGNALED(status) && !allowed)
        fail("the daemon was ended by signal %d: see the log", WTERMSIG(status));
}

static void session(struct victim *victim, struct oracle *oracle, enum ending ending,
                    struct crash_tally *tally)
{
    struct actors actors = {.oracle = oracle};
    bool there = false;
    for (int i = 0; i < ACTORS; i++)
        actors.actor[i].wire.fd = -1;
    bool sound = victim->control->fault_at == 0 && victim->control->alloc_at == 0;
    victim_start(victim);
    if (victim_ready(victim, -1)) {
        there =
            judge_begin(oracle, victim->socket) && actors_start(&actors, oracle, victim->socket) &&
            actors_run(&actors, clock_now_ns() + (sound ? SOUND_NS : SESSION_NS), SESSION_ANSWERS);
    }
    /* Refused, but there, without a word that it is ready perhaps? It ends by itself only if all
     * its connections have ended. */
    int probe = there ? -1 : line_open(victim->socket);
    there = there || probe >= 0;
    if (probe >= 0)
        (void)close(probe);
    session_end(victim, &actors, ending, there);
    oracle_crashed(oracle, victim_lost(victim) ? clock_now_ns() : 0);
    tally->lives++;
    tally->answers += actors.answers;
    tally->refused += actors.refused;
    tally->doubtful += actors.doubtful;
}

/* One session with that fault; 0: without. The calls, or allocations, that it made. */
static uint64_t fault_try(const struct crash_options *options, uint64_t seed, uint64_t fault_at,
                          struct crash_tally *tally)
{
    char part[32];
    struct oracle oracle;
    struct victim victim;
    snprintf(part, sizeof(part), "-at-%" PRIu64, fault_at);
    round_directory(options, seed, part);
    round_oracle(options, seed, &oracle);
    oracle.refuses = true;
    oracle.starves = strcmp(options->kind, "alloc") == 0;
    const struct victim_settings settings = round_settings(options, &oracle);
    victim_init(&victim, &settings);
    uint64_t variant = seed + fault_at;
    bool alloc = oracle.starves;
    if (seed % 2 == 0) { /* a directory that has jobs in it, left by a crash */
        victim_disk(&victim, 0, 0, 0, 0, false);
        session(&victim, &oracle, ENDING_KILL, tally);
        victim_disk(&victim, 0, 0, 0, 0, false);
        round_start(&victim);
        judge(&oracle, victim.socket);
        victim_kill(&victim);
    }
    victim_disk(&victim, variant, 0, alloc ? 0 : fault_at, variant % 2 == 0 ? EIO : ENOSPC,
                variant / 2 % 2 == 0);
    victim.control->alloc_at = alloc ? fault_at : 0;
    if (options->thread != NULL)
        snprintf(victim.control->alloc_thread, sizeof(victim.control->alloc_thread), "%s",
                 options->thread);
    victim.control->alloc_count = variant % 2 == 0 ? 1 : 1 + oracle_below(&oracle, 64);
    session(&victim, &oracle, fault_at == 0 ? ENDING_STOP : (enum ending)(variant / 4 % ENDINGS),
            tally);
    uint64_t calls = atomic_load(alloc ? &victim.control->allocs : &victim.control->calls);
    tally->faults += victim_failed(&victim);
    tally->lost += victim_lost(&victim);
    round_end(&victim, &oracle);
    tally->puts += oracle.job_count;
    tally->compared += oracle.compared;
    tally->went_on += oracle.went_on;
    victim_fini(&victim);
    oracle_fini(&oracle);
    round_directory_drop();
    return calls;
}

void round_fault(const struct crash_options *options, uint64_t seed, struct crash_tally *tally)
{
    if (options->at > 0) {
        (void)fault_try(options, seed, options->at, tally);
        return;
    }
    uint64_t calls = fault_try(options, seed, 0, tally);
    for (uint64_t at = 1 + seed % options->every; at <= calls; at += options->every)
        (void)fault_try(options, seed, at, tally);
}
