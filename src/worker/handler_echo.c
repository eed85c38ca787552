// SPDX-License-Identifier: MIT
/*
 * The handler whose output is the job's body. For tests and benchmarks of what becomes of output;
 * a compiled-in plug-in.
 */
#include "worker/plugin_priv.h"
#include "worker/worker_priv.h"

#include <errno.h>

static enum hl_plugin_verdict echo_run(void *state, const struct hl_plugin_host *host,
                                       struct hl_plugin_run *run, const struct hl_plugin_job *job)
{
    (void)state;
    /* What doesn't fit is cut, and said so, as with every output. */
    if (host->output(run, job->body, job->body_len) != ENOMEM)
        return HL_PLUGIN_DONE;
    host->reason(run, "no memory for the output");
    return HL_PLUGIN_RETRY;
}

static const struct hl_plugin echo_table = {
    .abi = HL_PLUGIN_ABI, .size = sizeof(struct hl_plugin), .name = "echo", .run = echo_run};

PLUGIN_BUILTIN(echo_table)

const struct handler handler_echo = {
    .name = "echo",
    .summary = "the job's output is its body",
    .harmless = true,
    .check = builtin_check,
    .open = builtin_open,
    .close = plugin_close,
    .run = plugin_run,
    .stop = plugin_stop,
    .is_brief = plugin_is_brief,
};
