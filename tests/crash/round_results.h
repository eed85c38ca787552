// SPDX-License-Identifier: MIT
/* Lives of the kind `results`, for its round and for its proof. */
#ifndef ROUND_RESULTS_H
#define ROUND_RESULTS_H

#include "crash.h"
#include "results.h"

#include <stdbool.h>
#include <stdint.h>

struct results_round {
    const struct crash_options *options;
    struct crash_tally *tally;
    struct oracle oracle;
    struct results results;
    struct victim_settings settings;
    struct victim victim;
    bool power;
    bool trouble; /* history's files are slow or refused, at times */
    bool stop;    /* this life ends in order */
    char pools[1024];
};

/* The directory too; results_round_fini drops it, and adds to the tally. */
void results_round_init(struct results_round *round, const struct crash_options *options,
                        uint64_t seed, struct crash_tally *tally, const char *part);
void results_round_fini(struct results_round *round);
/* A start with pools, work, and a crash. */
void results_life(struct results_round *round, int64_t length_ns);
/* A start without pools: its end is the caller's. */
void results_start_judged(struct results_round *round);

#endif
