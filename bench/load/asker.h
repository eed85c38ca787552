// SPDX-License-Identifier: MIT
/*
 * Connections beside the load that ask something small from time to time, each at its own moment:
 * who looks at a server while others keep it busy. What the mixes bystander and pollers have in
 * common. What they ask (--ask):
 *
 *   list-tube-used   what a connection knows of itself
 *   reserve          reserve-with-timeout 0 on a tube without jobs
 *   stats-job        about a job that lies in a tube of its own
 */
#ifndef LOAD_ASKER_H
#define LOAD_ASKER_H

#include "load/run.h"

struct askers_load {
    uint64_t count;   /* connections */
    int64_t every_ns; /* each of them asks once */
    const char *ask;  /* what, without --ask */
    /* Names of the report's values: how many answers, and how long they took. */
    const char *asked, *p50_us, *p99_us, *max_us;
};

/* A run of such a mix: puts as in the mix put, and the askers beside them. */
void askers_run(struct run *run, const struct askers_load *load);

#endif
