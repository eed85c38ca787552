// SPDX-License-Identifier: MIT
/*
 * Assertions: what holds costs nothing, what doesn't ends the process with a message that names
 * what, where and which thread. The dying is done in a child whose stderr is read.
 */
#include "base/assert.h"
#include "base/magic.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define THING_MAGIC 0x7417b00cu

struct thing {
    unsigned magic;
};

static void read_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
}

/* Runs `die` in a child and returns what it said; it must end by abort(). */
static void attempt_end(void (*die)(void), char *text, size_t size)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        pthread_setname_np(pthread_self(), "doomed");
        die();
        _exit(0);
    }
    close(ends[1]);
    read_all(ends[0], text, size);
    close(ends[0]);
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x", status);
}

static void break_rule(void)
{
    ASSERT(1 + 1 == 3);
}

static void fail_call(void)
{
    MUST(EBUSY);
}

static void reach_the_unreachable(void)
{
    CANT_HAPPEN("the moon fell");
}

static void break_costly_rule(void)
{
    setenv("HILERA_EXPENSIVE", "1", 1);
    ASSERT_EXPENSIVE(2 > 3);
}

static void use_dead_thing(void)
{
    struct thing thing;
    MAGIC_INIT(&thing, THING_MAGIC);
    MAGIC_CHECK(&thing, THING_MAGIC);
    MAGIC_WIPE(&thing);
    MAGIC_CHECK(&thing, THING_MAGIC);
}

static const struct {
    void (*die)(void);
    const char *says;
} deaths[] = {
    {break_rule, "break_rule: assertion: 1 + 1 == 3 [thread doomed]\n"},
    {fail_call,
     "fail_call: call failed: EBUSY gave 16 (Device or resource busy) [thread doomed]\n"},
    {reach_the_unreachable, "reach_the_unreachable: can't happen: the moon fell [thread doomed]\n"},
    {break_costly_rule, "break_costly_rule: expensive assertion: 2 > 3 [thread doomed]\n"},
    {use_dead_thing, "[thread doomed]\n"},
};
static const int death_count = sizeof(deaths) / sizeof(deaths[0]);

START_TEST(a_broken_rule_ends_the_process)
{
    char text[2048];
    attempt_end(deaths[_i].die, text, sizeof(text));
    ck_assert_msg(strstr(text, deaths[_i].says) != NULL, "it said: %s", text);
    ck_assert_msg(strstr(text, "test_assert.c:") != NULL, "no place: %s", text);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

/* A full pipe that nobody reads. */
START_TEST(a_message_that_nobody_reads_is_not_waited_for)
{
    int ends[2];
    char filling[4096] = "";
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], filling, sizeof(filling)) > 0) {
    }
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        break_rule();
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x", status);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(what_holds_is_silent_and_evaluated_once)
{
    int calls = 0;
    ASSERT(++calls == 1);
    MUST((++calls, 0));
    ck_assert_int_eq(calls, 2);
}
END_TEST

START_TEST(costly_checks_are_off_unless_asked_for)
{
    unsetenv("HILERA_EXPENSIVE");
    int calls = 0;
    ASSERT_EXPENSIVE(++calls > 100);
    ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(handing_over_empties_the_pointer)
{
    struct thing thing;
    MAGIC_INIT(&thing, THING_MAGIC);
    struct thing *mine = &thing, *yours;
    MAGIC_TAKE(yours, &mine, THING_MAGIC);
    ck_assert_ptr_eq(yours, &thing);
    ck_assert_ptr_null(mine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("assert");
    TCase *tcase = tcase_create("assert");
    tcase_add_test(tcase, what_holds_is_silent_and_evaluated_once);
    tcase_add_test(tcase, handing_over_empties_the_pointer);
    /* The answer is asked for once a process: before any child here, and only where tests don't
     * share one. */
    if (unit_forks()) {
        tcase_add_test(tcase, costly_checks_are_off_unless_asked_for);
        tcase_add_loop_test(tcase, a_broken_rule_ends_the_process, 0, death_count);
        tcase_add_test(tcase, a_message_that_nobody_reads_is_not_waited_for);
    }
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
