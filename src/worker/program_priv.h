// SPDX-License-Identifier: MIT
/*
 * One program for one job, from its start to the outcome (program.c), and what its end means
 * (verdict.c).
 */
#ifndef WORKER_PROGRAM_PRIV_H
#define WORKER_PROGRAM_PRIV_H

#include "spawn/spawn.h"
#include "worker/worker.h"

struct keepers;

/* ---- program.c ---- */

/* How long output of a process that ended may still come from others that hold its pipes. */
#define HANDLER_DRAIN_NS (HL_SECOND / 4)

struct program {
    const char *name; /* for messages */
    struct keepers *keepers;
    struct spawn_job job;
    const struct job_body *input;
    size_t output_max;
    int64_t kill_after_ns;
};

/* What of it the settings say, defaults filled in; the rest is empty. */
struct program program_of(const struct handler_settings *settings, struct keepers *keepers);
/* What a run says of its job. */
struct spawn_job program_job(const struct broker_lease *lease);
/* From its start to call->outcome. */
void program_run(const struct program *program, struct handler_call *call);

/* ---- verdict.c ---- */

/* `status` is wait's. */
void verdict_end(struct job_outcome *outcome, int status, const char *program);
/* It couldn't be started. Where that isn't the job's trouble, call->rest says so. */
void verdict_no_start(struct handler_call *call, const struct spawn_news *failed,
                      const char *program);

#endif
