// SPDX-License-Identifier: MIT
/*
 * The handler that does nothing: every job is done at once. For tests and benchmarks of everything
 * around the handler. A compiled-in plug-in, the smallest there can be.
 */
#include "worker/plugin_priv.h"
#include "worker/worker_priv.h"

static enum hl_plugin_verdict null_run(void *state, const struct hl_plugin_host *host,
                                       struct hl_plugin_run *run, const struct hl_plugin_job *job)
{
    (void)state;
    (void)host;
    (void)run;
    (void)job;
    return HL_PLUGIN_DONE;
}

static const struct hl_plugin null_table = {.abi = HL_PLUGIN_ABI,
                                            .size = sizeof(struct hl_plugin),
                                            .name = "null",
                                            .run = null_run,
                                            .traits = HL_PLUGIN_BRIEF};

PLUGIN_BUILTIN(null_table)

const struct handler handler_null = {
    .name = "null",
    .summary = "does nothing with the job; it is done at once",
    .harmless = true,
    .check = builtin_check,
    .open = builtin_open,
    .close = plugin_close,
    .run = plugin_run,
    .stop = plugin_stop,
    .is_brief = plugin_is_brief,
};
