// SPDX-License-Identifier: MIT
/*
 * The handler that waits as many seconds as the job's body says ("0.25"), or until it is told to
 * stop. For tests of what takes time: stopping, grace periods, busy workers. A compiled-in plug-in
 * that shows how cancel reaches a run that is blocked.
 *
 * Each run waits for an event of its own, which cancel finds by the run. `cancelled` is true before
 * cancel is called, so a run that isn't in the list yet finds out by asking.
 */
#include "worker/plugin_priv.h"
#include "worker/worker_priv.h"

#include "base/list.h"
#include "base/magic.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_MAX 86400

#define SLEEPERS_MAGIC 0x3e3e51eeu

struct sleepers {
    unsigned magic;
    hl_lock *lock;    /* covers the list */
    struct list runs; /* of struct sleeper */
};

/* One run, on its thread's stack. */
struct sleeper {
    const struct hl_plugin_run *run;
    hl_event *cancelled;
    struct list_node node;
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
    MAGIC_INIT(sleepers, SLEEPERS_MAGIC);
    list_init(&sleepers->runs);
    int rc = hl_lock_new(&sleepers->lock, "sleep", lock_class(LOCK_CLASS_sleepers));
    if (rc != 0) {
        MAGIC_WIPE(sleepers);
        free(sleepers);
        return rc;
    }
    *state = sleepers;
    return 0;
}

static void sleep_fini(void *state)
{
    struct sleepers *sleepers = state;
    MAGIC_CHECK(sleepers, SLEEPERS_MAGIC);
    ASSERT(list_empty(&sleepers->runs));
    hl_lock_free(&sleepers->lock);
    MAGIC_WIPE(sleepers);
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
    MAGIC_CHECK(sleepers, SLEEPERS_MAGIC);
    struct sleeper sleeper = {.run = run};
    if (hl_event_new(&sleeper.cancelled, "cancelled") != 0)
        return false;
    list_node_init(&sleeper.node);
    {
        HL_LOCK_SCOPE(sleepers->lock);
        list_append(&sleepers->runs, &sleeper.node);
    }
    /* One that was cancelled before it stood in the list is asked for here. */
    bool whole = !host->cancelled(run) && hl_event_wait(sleeper.cancelled, time_ns) == ETIMEDOUT;
    {
        HL_LOCK_SCOPE(sleepers->lock);
        list_remove(&sleeper.node);
    }
    hl_event_free(&sleeper.cancelled);
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
    struct sleepers *sleepers = state;
    HL_LOCK_SCOPE(sleepers->lock);
    for (struct list_node *node = list_first(&sleepers->runs); node != NULL;
         node = list_next(&sleepers->runs, node)) {
        struct sleeper *sleeper = CONTAINER_OF(node, struct sleeper, node);
        if (sleeper->run == run)
            hl_event_set(sleeper->cancelled);
    }
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
    .harmless = true,
    .check = builtin_check,
    .open = builtin_open,
    .close = plugin_close,
    .run = plugin_run,
    .stop = plugin_stop,
};
