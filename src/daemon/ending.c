// SPDX-License-Identifier: MIT
/*
 * An exit() that nobody here called: a library that gives up (libevent, the C library's plug-ins
 * for names, SQLite's friends), or a handler that was loaded and takes the daemon for its own.
 *
 * Whoever calls it expects the process to end, and the threads of the daemon don't know of that:
 * the library of threads would wait for them at exit, for ever. So it is told in a line, and the
 * process ends at once with status 1, as by kill -9: what was acknowledged is in the journal, and
 * the supervisor starts the daemon anew.
 */
#include "daemon/process_priv.h"

#include "base/log.h"
#include "thr/thr.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* How long the line may take to leave. */
#define LAST_NS HL_SECOND

static _Atomic bool watched;

static void exit_met(void)
{
    char name[HL_THREAD_NAME_MAX];
    if (!atomic_load(&watched))
        return;
    log_error("something called exit() on the thread \"%s\": a library or a plug-in gave up; this "
              "daemon ends at once, after a restart everything is there again that is durable",
              hl_thread_get_name(hl_thread_current(), name, sizeof(name)));
    log_flush(LAST_NS);
    _exit(EXIT_FAILURE);
}

int ending_watch(void)
{
    if (atexit(exit_met) != 0)
        return ENOMEM;
    atomic_store(&watched, true);
    return 0;
}

void ending_expected(void)
{
    atomic_store(&watched, false);
}
