// SPDX-License-Identifier: MIT
// The end of a program: it waits for threads that are not daemons and for no others. And what a
// report of wrong lock order does to it. Runs tests/programs/exit_modes, since a program can end
// only once.

#include "base/assert.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct outcome {
    char out[4096]; // standard output and error, as they came
    int status;
};

static void read_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) != 0) {
        ck_assert(got > 0 || errno == EINTR);
        len += got > 0 ? (size_t)got : 0;
    }
    text[len] = '\0';
}

static void run_mode(const char *mode, struct outcome *outcome)
{
    const char *build = getenv("top_builddir");
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/tests/programs/exit_modes", build != NULL ? build : ".");
    char mode_copy[32];
    (void)snprintf(mode_copy, sizeof(mode_copy), "%s", mode);
    char *args[] = {path, mode_copy, NULL};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    MUST(posix_spawn_file_actions_init(&actions));
    MUST(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO));
    MUST(posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO));
    MUST(posix_spawn_file_actions_addclose(&actions, ends[0]));
    MUST(posix_spawn_file_actions_addclose(&actions, ends[1]));
    pid_t child;
    ck_assert_msg(posix_spawn(&child, path, &actions, NULL, args, environ) == 0, "no %s", path);
    MUST(posix_spawn_file_actions_destroy(&actions));
    (void)close(ends[1]);
    read_all(ends[0], outcome->out, sizeof(outcome->out));
    (void)close(ends[0]);
    ck_assert_int_eq(waitpid(child, &outcome->status, 0), child);
}

static void expect_mode(const char *mode, int status, const char *out)
{
    struct outcome outcome;
    run_mode(mode, &outcome);
    ck_assert_str_eq(outcome.out, out);
    ck_assert_msg(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == status,
                  "%s ended with status %#x", mode, (unsigned)outcome.status);
}

START_TEST(return_from_main_waits_for_threads)
{
    expect_mode("return", 3, "worked\n");
}
END_TEST

START_TEST(exit_waits_for_threads_that_nobody_holds)
{
    expect_mode("exit", 4, "worked\n");
}
END_TEST

START_TEST(no_daemon_is_waited_for)
{
    expect_mode("daemon", 0, "worked\n");
}
END_TEST

START_TEST(a_thread_that_exits_does_not_wait_for_itself)
{
    expect_mode("thread-exit", 7, "worked\n");
}
END_TEST

START_TEST(threads_that_are_started_meanwhile_are_waited_for)
{
    // The one that starts and the one that is started may speak in either order; the last one is
    // waited for like the first.
    struct outcome outcome;
    run_mode("nested", &outcome);
    ck_assert_int_eq(outcome.status, 0);
    int lines = 0;
    for (const char *at = outcome.out; *at != '\0'; at++)
        lines += *at == '\n';
    ck_assert_int_eq(lines, 4);
    ck_assert_ptr_nonnull(strstr(outcome.out, "last\n"));
}
END_TEST

START_TEST(an_unstarted_thread_is_not_waited_for)
{
    expect_mode("unstarted", 0, "");
}
END_TEST

START_TEST(a_timer_is_waited_for_like_any_thread)
{
    expect_mode("timer", 0, "worked\n");
}
END_TEST

START_TEST(a_report_goes_to_standard_error)
{
    struct outcome outcome;
    (void)unsetenv("HILERA_LOCK_ORDER");
    run_mode("lock-order", &outcome);
    ck_assert_int_eq(outcome.status, 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "lock order: "));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"apple\""));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"pear\""));
    ck_assert_ptr_nonnull(strstr(outcome.out, "exit_modes.c:"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\nwent on\n"));
}
END_TEST

START_TEST(a_report_stops_the_program_if_asked_to)
{
    struct outcome outcome;
    (void)setenv("HILERA_LOCK_ORDER", "abort", 1);
    run_mode("lock-order", &outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, "lock order: "));
    ck_assert_ptr_null(strstr(outcome.out, "went on"));
    // A sanitizer may turn the signal into an exit status of its own.
    ck_assert_int_ne(outcome.status, 0);
    ck_assert(!WIFSIGNALED(outcome.status) || WTERMSIG(outcome.status) == SIGABRT);
}
END_TEST

// ThreadSanitizer would let each of the programs wait a second at its end for late races.
static void spare_the_wait(void)
{
    const char *options = getenv("TSAN_OPTIONS");
    char text[1024];
    (void)snprintf(text, sizeof(text), "%s:atexit_sleep_ms=0", options != NULL ? options : "");
    (void)setenv("TSAN_OPTIONS", text, 1);
}

int main(void)
{
    spare_the_wait();
    Suite *suite = suite_create("exit");
    TCase *tcase = tcase_create("exit");
    tcase_add_test(tcase, return_from_main_waits_for_threads);
    tcase_add_test(tcase, exit_waits_for_threads_that_nobody_holds);
    tcase_add_test(tcase, no_daemon_is_waited_for);
    tcase_add_test(tcase, a_thread_that_exits_does_not_wait_for_itself);
    tcase_add_test(tcase, threads_that_are_started_meanwhile_are_waited_for);
    tcase_add_test(tcase, an_unstarted_thread_is_not_waited_for);
    tcase_add_test(tcase, a_timer_is_waited_for_like_any_thread);
    tcase_add_test(tcase, a_report_goes_to_standard_error);
    tcase_add_test(tcase, a_report_stops_the_program_if_asked_to);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
