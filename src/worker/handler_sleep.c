// SPDX-License-Identifier: MIT
/*
 * The handler that waits as many seconds as the job's body says ("0.25"), or until it is told to
 * stop. For tests of what takes time: stopping, grace periods, busy workers. A compiled-in plug-in
 * that shows how cancel reaches a run that is blocked.
 *
 * All runs wait for one event, which cancel sets: the pool stops as a whole, and no run of it
 * begins after that.
 */
#include "worker/plugin_priv.h"

#include <hilera/event.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define SECONDS_MAX 86400

static int sleep_init(const struct hl_plugin_host *host, int count, const char *const *argument,
                      void **state, char *why, size_t why_size)
{
    (void)host;
    (void)argument;
    if (count > 0) {
        snprintf(why, why_size, "it takes no arguments; the body of a job is the time");
        return EINVAL;
    }
    hl_event *stop = NULL;
    int rc = hl_event_new(&stop, "sleep");
    *state = stop;
    return rc;
}

static void sleep_fini(void *state)
{
    hl_event *stop = state;
    hl_event_free(&stop);
}

/* "1", "0.25", with a line feed or without; at most nine digits behind the dot count. */
static bool seconds_read(const char *at, size_t len, int64_t *time_ns)
{
    if (len > 0 && at[len - 1] == '\n')
        len--;
    int64_t whole = 0, part = 0, unit = HL_SECOND;
    size_t digits = 0, i = 0;
    for (; i < len && isdigit((unsigned char)at[i]); i++, digits++) {
        whole = whole * 10 + (at[i] - '0');
        if (whole > SECONDS_MAX)
            return false;
    }
    if (i < len && at[i] == '.')
        for (i++; i < len && isdigit((unsigned char)at[i]); i++, digits++) {
            unit /= 10;
            part += (at[i] - '0') * unit;
        }
    *time_ns = whole * HL_SECOND + part;
    return digits > 0 && i == len;
}

static enum hl_plugin_verdict sleep_run(void *state, const struct hl_plugin_host *host,
                                        struct hl_plugin_run *run, const struct hl_plugin_job *job)
{
    int64_t time_ns;
    if (!seconds_read(job->body, job->body_len, &time_ns)) {
        host->reason(run, "the body must be a number of seconds up to 86400, like 0.25");
        return HL_PLUGIN_FAILED;
    }
    if (hl_event_wait(state, time_ns) == ETIMEDOUT)
        return HL_PLUGIN_DONE;
    host->reason(run, "told to stop");
    return HL_PLUGIN_RETRY;
}

static void sleep_cancel(void *state, struct hl_plugin_run *run)
{
    (void)run;
    hl_event_set(state);
}

static const struct hl_plugin sleep_table = {.abi = HL_PLUGIN_ABI,
                                             .size = sizeof(struct hl_plugin),
                                             .name = "sleep",
                                             .init = sleep_init,
                                             .run = sleep_run,
                                             .cancel = sleep_cancel,
                                             .fini = sleep_fini};

PLUGIN_BUILTIN(sleep_table)

const struct handler handler_sleep = {
    .name = "sleep",
    .summary = "waits as many seconds as the job's body says",
    .check = builtin_check,
    .open = builtin_open,
    .close = plugin_close,
    .run = plugin_run,
    .stop = plugin_stop,
};
