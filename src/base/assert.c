// SPDX-License-Identifier: MIT
/*
 * The end of the program when one of our own rules is broken.
 *
 * The message is put together in a local buffer and leaves in one write(2): no allocation, no lock
 * and no log layer in between, since any of them may be what is broken. It names what failed,
 * where, and on which thread; abort() then leaves a core and lets the supervisor start us again
 * from what is on the disk.
 *
 * Nobody may read the message, and a program that hangs in the middle of a broken rule is worse
 * than one that ends without a word. So a timer sends this thread the signal of abort() if it takes
 * too long over what comes before.
 *
 * To add a kind of assertion: a macro in assert.h that passes its own `kind`.
 */
#include "base/assert.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* As long as a thread's name can be for the kernel, with its NUL (pthread_getname_np(3)). */
#define THREAD_NAME_BYTES 16
/* Room for one long condition; a longer one is cut. */
#define MESSAGE_BYTES 1024

/* For the message, and what the program has to say before. */
#define PATIENCE_S 2

static void (*_Atomic before_end)(void);

void assert_before_end(void (*what)(void))
{
    atomic_store(&before_end, what);
}

static void patience_begin(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGABRT};
    const struct itimerspec end = {.it_value = {.tv_sec = PATIENCE_S}};
    timer_t timer;
    sigset_t signals;
    event._sigev_un._tid = gettid();
    sigemptyset(&signals);
    sigaddset(&signals, SIGABRT);
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        (void)timer_settime(timer, 0, &end, NULL);
}

static _Noreturn void stop_with(const char *message, int length)
{
    size_t bytes = length < 0 ? 0 : (size_t)length;
    if (bytes >= MESSAGE_BYTES)
        bytes = MESSAGE_BYTES - 1;
    patience_begin();
    void (*what)(void) = atomic_exchange(&before_end, NULL);
    if (what != NULL)
        what();
    /* Whether it arrives or not: nothing else is left to do than what follows. */
    ssize_t written = write(STDERR_FILENO, message, bytes);
    (void)written;
    abort();
}

static void thread_name(char name[THREAD_NAME_BYTES])
{
    if (pthread_getname_np(pthread_self(), name, THREAD_NAME_BYTES) != 0)
        name[0] = '\0';
}

_Noreturn void assert_failed(const char *kind, const char *what, const char *file, int line,
                             const char *function)
{
    char name[THREAD_NAME_BYTES];
    char message[MESSAGE_BYTES];
    thread_name(name);
    int length = snprintf(message, sizeof(message), "%s: %s:%d: %s: %s: %s [thread %s]\n",
                          program_invocation_short_name, file, line, function, kind, what, name);
    stop_with(message, length);
}

_Noreturn void assert_call_failed(const char *call, int rc, const char *file, int line,
                                  const char *function)
{
    const char *reason = strerrordesc_np(rc);
    char name[THREAD_NAME_BYTES];
    char message[MESSAGE_BYTES];
    thread_name(name);
    int length = snprintf(message, sizeof(message),
                          "%s: %s:%d: %s: call failed: %s gave %d (%s) [thread %s]\n",
                          program_invocation_short_name, file, line, function, call, rc,
                          reason != NULL ? reason : "unknown error", name);
    stop_with(message, length);
}

bool assert_expensive(void)
{
    enum { UNKNOWN, OFF, ON };
    static _Atomic int answer = UNKNOWN;
    int known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (known == UNKNOWN) {
        const char *wanted = secure_getenv("HILERA_EXPENSIVE");
        known = wanted != NULL && strcmp(wanted, "1") == 0 ? ON : OFF;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known == ON;
}
