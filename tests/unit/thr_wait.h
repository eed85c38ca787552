// SPDX-License-Identifier: MIT
// What the tests of the threading library share: how to know that something has happened, or that a
// thread blocks, without a sleep.
//
// A thread that blocks without a deadline says so in hl_thread_enumerate; await_blocked looks
// there. A thread that blocks with one is counted by park_await_sleepers under the virtual clock.
// Anything else is a condition for WAIT_UNTIL. All of them look for a limited time and then stop
// the program, so that what never comes is a failure and not a hang.
//
// Only the main thread of a test may use ck_assert; the others use ASSERT and MUST of
// base/assert.h.
#ifndef THR_WAIT_H
#define THR_WAIT_H

#include "base/assert.h"

#include <hilera/thread.h>

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Far longer than anything takes on a busy machine, and less than Check's limit for a test.
#define THR_WAIT_SECONDS 200

#define WAIT_UNTIL(condition)                                                                      \
    for (time_t wait_until_end_ = wait_limit(); !(condition);)                                     \
    wait_a_little(wait_until_end_, #condition)

// The real clock: the library's may be virtual.
static inline time_t wait_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static inline time_t wait_limit(void)
{
    return wait_now() + THR_WAIT_SECONDS;
}

static inline void wait_a_little(time_t end, const char *condition)
{
    if (wait_now() >= end)
        CANT_HAPPEN(condition);
    sched_yield();
}

// What enumerate tells of one thread.
struct thread_look {
    uint64_t ident;
    struct hl_thread_info info;
    bool found;
};

static inline void thread_look_visit(const struct hl_thread_info *info, void *arg)
{
    struct thread_look *look = arg;
    if (info->ident != look->ident)
        return;
    look->found = true;
    look->info = *info;
}

// False: it is not among the living.
static inline bool thread_look(const hl_thread *thread, struct hl_thread_info *info)
{
    struct thread_look look = {.ident = hl_thread_get_ident(thread)};
    MUST(hl_thread_enumerate(thread_look_visit, &look));
    if (look.found && info != NULL)
        *info = look.info;
    return look.found;
}

static inline bool thread_waits_for(const hl_thread *thread, const char *what)
{
    struct hl_thread_info info;
    return thread_look(thread, &info) && strcmp(info.waits_for, what) == 0;
}

// Until the thread says that it waits for `what`: "queue get", "lock", ...
static inline void await_blocked(const hl_thread *thread, const char *what)
{
    WAIT_UNTIL(thread_waits_for(thread, what));
}

// A thread that runs already; `name` may be NULL.
static inline hl_thread *thread_launch(const char *name, hl_thread_target target, void *arg)
{
    hl_thread *thread;
    struct hl_thread_options options = {
        .name = name, .target = target, .arg = arg, .daemon = HL_DAEMON_NO};
    MUST(hl_thread_new(&thread, &options));
    MUST(hl_thread_start(thread));
    return thread;
}

static inline void thread_finish(hl_thread **thread)
{
    MUST(hl_thread_join(*thread, HL_FOREVER));
    hl_thread_free(thread);
}

#endif
