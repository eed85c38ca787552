// SPDX-License-Identifier: MIT
/*
 * The thread that writes the log, so that no other one ever waits for whoever reads it: a full
 * pipe, a terminal under Ctrl-S, a slow disk. It is a daemon thread: where nobody reads, the end of
 * the program isn't put off for longer than LAST_NS.
 */
#include "daemon/process_priv.h"

#include "base/assert.h"
#include "base/log.h"
#include "thr/thr.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* How long the last lines may take to leave. */
#define LAST_NS (2 * HL_SECOND)

static hl_thread *thread; /* NULL: none; the main thread's */

static void waits(const char *object)
{
    hl_thread_wait_begin("log", object);
}

static void run(void *arg)
{
    (void)arg;
    sigset_t all;
    sigfillset(&all); /* SIGTTOU among them: a terminal takes what a background process writes */
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL));
    log_queue_serve(waits);
}

/* An assertion writes its message by itself: what was said before comes first. */
static void flush_before_end(void)
{
    log_flush(HL_SECOND);
}

int log_thread_start(void)
{
    const struct hl_thread_options options = {
        .target = run, .name = "log", .daemon = HL_DAEMON_YES};
    int rc = hl_thread_new(&thread, &options);
    if (rc == 0)
        rc = hl_thread_start(thread);
    if (rc != 0) {
        hl_thread_free(&thread);
        return rc;
    }
    log_queue_open();
    assert_before_end(flush_before_end);
    return 0;
}

void log_thread_stop(void)
{
    if (thread == NULL || !log_queue_close(LAST_NS))
        return; /* it waits on, and ends with the process */
    MUST(hl_thread_join(thread, HL_FOREVER));
    hl_thread_free(&thread);
}
