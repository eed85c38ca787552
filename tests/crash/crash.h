// SPDX-License-Identifier: MIT
/* What the parts of the crash harness share: options, figures, and the kinds of rounds. */
#ifndef CRASH_H
#define CRASH_H

#include "oracle.h"
#include "victim.h"

#include <stdint.h>

#define CRASH_INTERVAL_MS 20

struct crash_options {
    const char *hilerad, *shim, *directory, *kind, *durability;
    const char *older; /* kill, power: another hilerad, which has every other life; NULL: none */
    uint64_t rounds, seed;
    int lives;
    uint64_t every;     /* fault, alloc: each so manieth call */
    uint64_t at;        /* or only that one; 0: all */
    const char *thread; /* alloc: only allocations of the thread of that name count; NULL: all */
    /* To see that it is found: each so manieth sync is only said to be done; 0: none. And what the
     * oracle takes the daemon's durability for; NULL: what it is. */
    uint64_t lies;
    const char *believe;
};

struct crash_tally {
    uint64_t lives, killed, stopped, lost, faults;
    uint64_t older; /* lives of the older hilerad, among `lives` */
    uint64_t puts, answers, refused, doubtful, compared, went_on;
    uint64_t told;  /* ends */
    uint64_t again; /* jobs that end again, with a record of an end that was lost */
};

/* Of what program the daemon is that is looked at, for what a failure says. */
void round_program(const char *program);

/* Makes an empty directory for what comes; `part` is the end of its name. */
void round_directory(const struct crash_options *options, uint64_t seed, const char *part);
void round_directory_drop(void);
/* A directory with all that is in it; it may be missing. */
void round_remove(const char *path);
/* In that directory. */
struct victim_settings round_settings(const struct crash_options *options, struct oracle *oracle);

/*
 * What was acknowledged, of which nothing is yet. At the level `interval` more may be lost than the
 * interval says, for a machine that has other things to do than to sync.
 */
void round_oracle(const struct crash_options *options, uint64_t seed, struct oracle *oracle);

void round_crash(const struct crash_options *options, uint64_t seed, struct crash_tally *tally);
void round_proof(const struct crash_options *options, uint64_t seed, struct crash_tally *tally);
void round_damage(const struct crash_options *options, uint64_t seed, struct crash_tally *tally);
void round_fault(const struct crash_options *options, uint64_t seed, struct crash_tally *tally);
void round_results(const struct crash_options *options, uint64_t seed, struct crash_tally *tally);

/* Starts it, undisturbed; it must get ready. */
void round_start(struct victim *victim);
/* SIGTERM, and the end that it must have then. */
void round_stop(struct victim *victim);
/* `hilerad --check`: what crashes leave is no damage. */
void round_check(const struct victim *victim, const char *program);
/* The last start, undisturbed: judges, stops it in order, and has `hilerad --check` look. */
void round_end(struct victim *victim, struct oracle *oracle);

/* In a child process, which has to fail with those words. */
void proof_try(const char *name, const char *words, void (*run)(void *arg), void *arg);
/* The part of the proof about results (results_proof.c), in a round of its own. */
void results_prove(const struct crash_options *options, uint64_t seed, struct crash_tally *tally);

#endif
