// SPDX-License-Identifier: MIT
/*
 * The handler that waits as many seconds as the job's body says ("0.25"), or until it is told to
 * stop. For tests of what takes time: stopping, grace periods, busy workers. A compiled-in plug-in
 * that shows how cancel reaches a run that is blocked.
 *
 * All runs wait for one condition; cancel wakes them all, and each looks whether it was meant.
 * `cancelled` is true before cancel is called, so none is missed.
 */
#include "worker/plugin_priv.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECONDS_MAX 86400

struct sleepers {
    pthread_mutex_t mutex;
    pthread_cond_t cancelled;
};

static int sleep_init(const struct hl_plugin_host *host, int count, const char *const *argument,
                      void **state, char *why, size_t why_size)
{
    (void)host;
    (void)argument;
    if (count > 0) {
        snprintf(why, why_size, "it takes no arguments; the body of a job is the time");
        return EINVAL;
    }
    struct sleepers *sleepers = calloc(1, sizeof(*sleepers));
    if (sleepers == NULL)
        return ENOMEM;
    MUST(pthread_mutex_init(&sleepers->mutex, NULL));
    MUST(pthread_cond_init(&sleepers->cancelled, NULL));
    *state = sleepers;
    return 0;
}

static void sleep_fini(void *state)
{
    struct sleepers *sleepers = state;
    MUST(pthread_cond_destroy(&sleepers->cancelled));
    MUST(pthread_mutex_destroy(&sleepers->mutex));
    free(sleepers);
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

/* Whether it was the whole time. */
static bool sleep_through(struct sleepers *sleepers, const struct hl_plugin_host *host,
                          const struct hl_plugin_run *run, int64_t time_ns)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nsec = until.tv_nsec + time_ns % HL_SECOND;
    until.tv_sec += time_ns / HL_SECOND + nsec / HL_SECOND;
    until.tv_nsec = nsec % HL_SECOND;
    bool whole = false;
    MUST(pthread_mutex_lock(&sleepers->mutex));
    while (!whole && !host->cancelled(run))
        whole = pthread_cond_clockwait(&sleepers->cancelled, &sleepers->mutex, CLOCK_MONOTONIC,
                                       &until) == ETIMEDOUT;
    MUST(pthread_mutex_unlock(&sleepers->mutex));
    return whole;
}

static enum hl_plugin_verdict sleep_run(void *state, const struct hl_plugin_host *host,
                                        struct hl_plugin_run *run, const struct hl_plugin_job *job)
{
    int64_t time_ns;
    if (!seconds_read(job->body, job->body_len, &time_ns)) {
        host->reason(run, "the body must be a number of seconds up to 86400, like 0.25");
        return HL_PLUGIN_FAILED;
    }
    hl_thread_wait_begin("sleep", "the job's time");
    bool whole = sleep_through(state, host, run, time_ns);
    hl_thread_wait_end();
    if (whole)
        return HL_PLUGIN_DONE;
    host->reason(run, "told to stop");
    return HL_PLUGIN_RETRY;
}

static void sleep_cancel(void *state, struct hl_plugin_run *run)
{
    (void)run;
    struct sleepers *sleepers = state;
    MUST(pthread_mutex_lock(&sleepers->mutex));
    MUST(pthread_cond_broadcast(&sleepers->cancelled));
    MUST(pthread_mutex_unlock(&sleepers->mutex));
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
