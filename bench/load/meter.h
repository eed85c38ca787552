// SPDX-License-Identifier: MIT
/*
 * What is measured in one section of a run (say, the drain after an unmeasured fill): answered
 * commands, their times, and the processor time of the server and of the tool in the meantime.
 *
 * A section is opened, warms up for a number of commands or a time, runs, and is closed. Only what
 * is answered while it runs counts.
 */
#ifndef LOAD_METER_H
#define LOAD_METER_H

#include "load/histogram.h"
#include "load/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_SECTIONS_MAX 4

struct section {
    const char *name;
    uint64_t ops;
    int64_t start_ns, end_ns;
    struct process_times server; /* what it used from start to end */
    int64_t self_cpu_ns;
    bool own_times; /* `times` are what the mix says they are, not commands and their answers */
    struct histogram times;
};

struct meter {
    const struct process *server;
    bool warming, running;
    uint64_t warm_ops; /* still to come */
    int64_t warm_until_ns;
    struct section sections[METER_SECTIONS_MAX];
    size_t count;
};

/* A new section. It starts when so many commands were answered and that moment has come.
 * own_times: the mix records times itself, with meter_time. */
void meter_open(struct meter *meter, const char *name, uint64_t warm_ops, int64_t warm_until_ns,
                bool own_times);

/* `count` commands were answered. */
void meter_answered(struct meter *meter, uint64_t count, int64_t now_ns);

/* One time, if the section runs. */
void meter_time(struct meter *meter, int64_t ns);

/* Whether the section runs and has something to report. */
bool meter_has_some(const struct meter *meter);

/* Ends the section; one that never came out of its warm-up ends the run: it says nothing. */
void meter_close(struct meter *meter, int64_t now_ns);

#endif
