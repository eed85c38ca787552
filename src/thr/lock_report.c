// SPDX-License-Identifier: MIT
/*
 * How a danger or a deadlock is told: as one text to the function that the program set, or to
 * stderr. With HILERA_LOCK_ORDER=abort in the environment (the tests have it) the program stops
 * after the text, so that no finding can be overlooked.
 */
#include "thr/lock_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_MAX 4096 /* bytes; a ring of many threads is cut */

static struct {
    pthread_mutex_t mutex;
    hl_lock_report report;
    void *arg;
} sink = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool abort_after_report;

void lock_report_init(void)
{
    const char *policy =
        getenv("HILERA_LOCK_ORDER"); // NOLINT(concurrency-mt-unsafe): before any thread
    abort_after_report = policy != NULL && strcmp(policy, "abort") == 0;
}

void hl_lock_set_report(hl_lock_report report, void *arg)
{
    MUST(pthread_mutex_lock(&sink.mutex));
    sink.report = report;
    sink.arg = arg;
    MUST(pthread_mutex_unlock(&sink.mutex));
}

void lock_report_fork_prepare(void)
{
    MUST(pthread_mutex_lock(&sink.mutex));
}

void lock_report_fork_done(void)
{
    MUST(pthread_mutex_unlock(&sink.mutex));
}

const char *lock_describe(const hl_lock *lock, char *buffer, size_t size)
{
    if (lock->lock_class == NULL)
        (void)snprintf(buffer, size, "lock \"%s\"", lock->name);
    else
        (void)snprintf(buffer, size, "lock \"%s\" (class %s, rank %d)", lock->name,
                       lock->lock_class->name, lock->lock_class->rank);
    return buffer;
}

static void report_to_stderr(char *text, size_t len)
{
    text[len] = '\n'; /* in place of the terminating NUL */
    ssize_t rc = write(STDERR_FILENO, text, len + 1);
    (void)rc; /* nobody is left to be told */
}

void lock_report(const char *format, ...)
{
    int saved_errno = errno;
    char text[REPORT_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ASSERT(len >= 0);
    size_t text_len = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;

    MUST(pthread_mutex_lock(&sink.mutex));
    hl_lock_report report = sink.report;
    void *arg = sink.arg;
    MUST(pthread_mutex_unlock(&sink.mutex));
    if (report != NULL)
        report(text, arg);
    else
        report_to_stderr(text, text_len);
    if (abort_after_report)
        abort();
    errno = saved_errno;
}
