// SPDX-License-Identifier: MIT
// A program that ends in the way its first argument names; test_exit.c looks at what it prints and
// at its exit status. What threads print proves which of them the exit waited for: they begin only
// when the exit has begun, which an exit handler of the program's own tells them.

#include <hilera/event.h>
#include <hilera/lock.h>
#include <hilera/thread.h>
#include <hilera/timer.h>

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hl_event *exiting;
static char worked[] = "worked";
static char never_said[] = "never said";
static hl_event *never;
static hl_thread *unstarted;

static void must(int rc)
{
    if (rc != 0)
        abort();
}

static void tell_exiting(void)
{
    hl_event_set(exiting);
}

// One write a line, so that nothing waits in a buffer of stdio that the exit would flush.
static void say(const char *what)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "%s\n", what);
    if (write(STDOUT_FILENO, line, (size_t)len) != len)
        abort();
}

// Nobody holds the threads: they are waited for all the same.
static void launch(hl_thread_target target, void *arg, enum hl_thread_daemon daemon)
{
    hl_thread *thread;
    struct hl_thread_options options = {.target = target, .arg = arg, .daemon = daemon};
    must(hl_thread_new(&thread, &options));
    must(hl_thread_start(thread));
    hl_thread_free(&thread);
}

// Begins when the exit has begun, and takes its time.
static void work(void *arg)
{
    must(hl_event_wait(exiting, HL_FOREVER));
    for (int i = 0; i < 2000; i++)
        sched_yield();
    say(arg);
}

static void wait_for_ever(void *arg)
{
    must(hl_event_new(&never, "never"));
    (void)hl_event_wait(never, HL_FOREVER);
    say(arg);
}

static void exit_here(void *arg)
{
    exit((int)(intptr_t)arg);
}

// Each starts the next one when it is about to end.
static void start_next(void *arg)
{
    int left = (int)(intptr_t)arg;
    must(hl_event_wait(exiting, HL_FOREVER));
    if (left > 0)
        launch(start_next, (void *)(intptr_t)(left - 1), HL_DAEMON_NO);
    say(left > 0 ? "next" : "last");
}

static int mode_return(void)
{
    launch(work, worked, HL_DAEMON_NO);
    return 3;
}

static int mode_exit(void)
{
    launch(work, worked, HL_DAEMON_NO);
    exit(4);
}

static int mode_daemon(void)
{
    launch(wait_for_ever, never_said, HL_DAEMON_YES);
    launch(work, worked, HL_DAEMON_NO);
    return 0;
}

static int mode_thread_exit(void)
{
    launch(work, worked, HL_DAEMON_NO);
    launch(exit_here, (void *)(intptr_t)7, HL_DAEMON_NO);
    wait_for_ever(never_said);
    return 1;
}

static int mode_nested(void)
{
    launch(start_next, (void *)(intptr_t)3, HL_DAEMON_NO);
    return 0;
}

static int mode_unstarted(void)
{
    must(hl_thread_new(&unstarted, &(struct hl_thread_options){.target = wait_for_ever}));
    return 0;
}

static int mode_timer(void)
{
    hl_timer *timer;
    must(hl_timer_new(&timer, NULL, HL_MILLISECOND, work, worked));
    must(hl_timer_start(timer));
    hl_timer_free(&timer);
    return 0;
}

// AB-BA on one thread: a report, and with HILERA_LOCK_ORDER=abort the end.
static int mode_lock_order(void)
{
    hl_lock *lock[2];
    for (int i = 0; i < 2; i++)
        must(hl_lock_new(&lock[i], i == 0 ? "apple" : "pear", NULL));
    for (int i = 0; i < 2; i++) {
        must(hl_lock_acquire(lock[i]));
        must(hl_lock_acquire(lock[1 - i]));
        must(hl_lock_release(lock[1 - i]));
        must(hl_lock_release(lock[i]));
    }
    for (int i = 0; i < 2; i++)
        hl_lock_free(&lock[i]);
    say("went on");
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} modes[] = {
    {"return", mode_return}, {"exit", mode_exit},
    {"daemon", mode_daemon}, {"thread-exit", mode_thread_exit},
    {"nested", mode_nested}, {"unstarted", mode_unstarted},
    {"timer", mode_timer},   {"lock-order", mode_lock_order},
};

int main(int argc, char **argv)
{
    must(hl_event_new(&exiting, "exiting"));
    must(atexit(tell_exiting));
    for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            return modes[i].run();
    (void)fprintf(stderr, "usage: exit_modes MODE\n");
    return 99;
}
