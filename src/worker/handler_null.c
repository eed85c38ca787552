// SPDX-License-Identifier: MIT
/*
 * The handler that does nothing: every job is done at once. For tests and benchmarks of everything
 * around the handler.
 */
#include "worker/worker_priv.h"

static int null_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    (void)settings;
    (void)why;
    (void)why_size;
    return 0;
}

static int null_open(const struct handler_settings *settings, void **state)
{
    (void)settings;
    *state = NULL;
    return 0;
}

static void null_close(void **state)
{
    *state = NULL;
}

static void null_run(void *state, struct handler_call *call)
{
    (void)state;
    call->outcome->kind = JOB_OUTCOME_DONE;
}

const struct handler handler_null = {
    .name = "null",
    .summary = "does nothing with the job; it is done at once",
    .check = null_check,
    .open = null_open,
    .close = null_close,
    .run = null_run,
};
