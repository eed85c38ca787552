// SPDX-License-Identifier: MIT
/*
 * A run: what was asked for, the server, the books, and what was found. And the table of mixes: a
 * mix is one file mix_NAME.c with one function, and one row of mixes.def.
 */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "load/address.h"
#include "load/control.h"
#include "load/crew.h"
#include "load/ledger.h"
#include "load/meter.h"
#include "load/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_TUBE_MAX 64
#define RUN_VALUES_MAX 16
#define RUN_TTR_S 3600 /* of jobs whose lease must not run out */

struct run;
struct protocol;

struct mix {
    const char *name;
    void (*run)(struct run *run);
    const char *options; /* which of the options below it takes, the letters of mixes.def */
    uint64_t connections, depth, size, jobs, tubes, waiters; /* what it takes by default */
    double seconds;
    const char *summary;
};

struct options {
    const struct mix *mix;
    const char *server;
    const char *crowd;   /* of the mix canary */
    const char *ask;     /* of the mixes bystander and pollers; NULL: the mix's own */
    const char *restart; /* of the mix restart: the command, */
    const char *data;    /* and the directory, or NULL */
    uint64_t connections, depth, size, jobs, tubes, waiters, seed;
    double seconds;
    double patience;
    int64_t pid; /* -1: ask the server */
    bool json;
};

/* A number that only some mixes have; the unit is part of its name. */
struct value {
    const char *name;
    double number;
};

struct run {
    struct options options;
    struct address address;
    const struct protocol *protocol;
    struct control *control;
    struct process server;
    char server_name[64];
    struct ledger *ledger;
    struct meter meter;
    struct value values[RUN_VALUES_MAX];
    size_t value_count;
    int64_t resident; /* bytes of the server, at the end of what was measured */
    uint64_t nonce;   /* part of the tubes' names */
    uint64_t random;  /* state; see run_random */
    /* What the steps of work.h go by. */
    uint64_t to_put, to_reserve; /* commands that may still be issued */
    bool ordered;                /* nothing is put meanwhile: each link must see jobs in order */
    int64_t until_ns;            /* see run_is_over; CLOCK_NEVER: jobs decide */
};

/* Connects for questions, finds the process. */
void run_init(struct run *run, const struct options *options);
void run_fini(struct run *run);

/* The connection for questions, and the process that answers it; for run_init, and for after the
 * server was started again. */
void run_connect(struct run *run);

/* The name of the run's tube number n, in a buffer of RUN_TUBE_MAX bytes. Nobody else uses it: a
 * run can be made on a server that is at work. */
const char *run_tube(const struct run *run, uint64_t n, char *name);

/* A crew of `count` links, all of which use and watch tube n modulo `tubes`, and only that. */
struct crew *run_crew(struct run *run, uint64_t count, uint64_t tubes);

/* The next of the run's random numbers, below `bound`. The same seed gives the same numbers. */
uint64_t run_random(struct run *run, uint64_t bound);

/* Whether no new work is begun: until_ns has come, and something was measured. A machine that has
 * other things to do may let all the time go by before the first answer. */
bool run_is_over(const struct run *run, int64_t now_ns);

/* A number of the report. */
void run_value(struct run *run, const char *name, double number);

/* The end of every mix, with its links still connected (a tube that nobody uses loses its
 * counters): the server's counters of all the run's tubes must agree with the books. */
void run_compare(struct run *run, uint64_t tubes);

/* The part of it that holds after a restart, too: how many jobs there are. */
void run_compare_left(struct run *run, uint64_t tubes);

extern const struct mix mixes[];
extern const size_t mix_count;

#define MIX(name, options, connections, depth, size, jobs, tubes, waiters, seconds, summary)       \
    void mix_##name(struct run *run);
#include "load/mixes.def"
#undef MIX

#endif
