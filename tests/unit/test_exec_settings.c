// SPDX-License-Identifier: MIT
// What a pool sets for its programs: directory, environment, limits, user.

#include "exec_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- what the pool sets ----

static void set_limit(enum handler_limit which, uint64_t most)
{
    handler_settings.limit[which].set = true;
    handler_settings.limit[which].most = most;
}

START_TEST(program_begins_in_its_directory)
{
    handler_settings.directory = folder;
    char expected[80];
    snprintf(expected, sizeof(expected), "%s\n", folder);
    check_done(run_shell("pwd -P", ""), expected, "");
}
END_TEST

START_TEST(missing_directory_is_named)
{
    handler_settings.directory = "/no/such/directory";
    check_failed(run_shell("true", ""), -1, 0,
                 "can't start /bin/sh: can't enter /no/such/directory (No such file or directory)");
}
END_TEST

START_TEST(environment_is_what_is_listed)
{
    static const char *const list[] = {"PATH", "HILERA_TEST_A*", "HILERA_TEST_SET=now", NULL};
    setenv("HILERA_TEST_ABC", "1", 1);
    setenv("HILERA_TEST_B", "2", 1);
    setenv("HILERA_TEST_SET", "before", 1);
    handler_settings.environment = list;
    check_done(run_shell("env | grep ^HILERA | grep -v SUBMITTED | sort", ""),
               "HILERA_ATTEMPT=1\nHILERA_JOB_ID=1\nHILERA_PRIORITY=0\nHILERA_TEST_ABC=1\n"
               "HILERA_TEST_SET=now\nHILERA_TUBE=t\n",
               "");
    unsetenv("HILERA_TEST_ABC");
    unsetenv("HILERA_TEST_B");
    unsetenv("HILERA_TEST_SET");
}
END_TEST

START_TEST(a_program_knows_when_its_job_was_put)
{
    const struct job_record *record = run_shell("echo $HILERA_SUBMITTED", "");
    char *end;
    double told = strtod(record->out, &end), put = (double)record->created_wall_ns / HL_SECOND;
    ck_assert_str_eq(end, "\n");
    ck_assert_uint_eq(strcspn(record->out, ".") + 8, record->out_len);
    ck_assert(told > put - 0.1 && told < put + 0.1); // each has read both clocks
}
END_TEST

START_TEST(bad_settings_are_refused)
{
    static const char *const own[] = {"HILERA_TUBE=x", NULL}, *const none[] = {"=x", NULL};
    static const char *const argv[] = {"true", NULL};
    const struct handler *handler = handler_find("exec");
    struct handler_settings bad = {.argv = argv, .environment = own};
    char why[256];
    ck_assert_int_eq(handler->check(&bad, why, sizeof(why)), EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "is set for each job"));
    bad.environment = none;
    ck_assert_int_eq(handler->check(&bad, why, sizeof(why)), EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "names no variable"));
    bad = (struct handler_settings){.argv = argv, .directory = "here"};
    ck_assert_int_eq(handler->check(&bad, why, sizeof(why)), EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "absolute path"));
    bad = (struct handler_settings){.argv = argv, .run_as = "no-such-user-here"};
    ck_assert_int_eq(handler->check(&bad, why, sizeof(why)), EINVAL);
    ck_assert_ptr_nonnull(strstr(why, geteuid() == 0 ? "there is no such user" : "only root"));
}
END_TEST

START_TEST(umask_and_limits_are_there_from_the_start)
{
    set_limit(HANDLER_LIMIT_nofile, 77);
    handler_settings.limit[HANDLER_LIMIT_core].set = true;
    handler_settings.limit[HANDLER_LIMIT_cpu].set = true;
    handler_settings.limit[HANDLER_LIMIT_cpu].most = 33;
    handler_settings.umask_set = true;
    handler_settings.umask = 0137;
    check_done(run_shell("umask; ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -t", ""),
               "0137\n77\n77\n0\n33\n", "");
}
END_TEST

START_TEST(no_new_privs_is_set)
{
    handler_settings.no_new_privs = HANDLER_YES;
    check_done(run_shell("grep NoNewPrivs /proc/self/status; ls /proc/self/fd", "x"),
               "NoNewPrivs:\t1\n0\n1\n2\n3\n", "");
}
END_TEST

START_TEST(user_is_changed_for_good)
{
    UNIT_NEEDS_ROOT("a change of the user");
    handler_settings.run_as = "nobody:nogroup";
    handler_settings.apart = true;
    check_done(run_shell("id -un; id -gn; id -Gn; grep -c '^CapEff:.0*$' /proc/self/status", ""),
               "nobody\nnogroup\nnogroup\n1\n", "");
}
END_TEST

// Those that aren't whoever started the daemon have nothing of it.
START_TEST(programs_that_stand_apart_have_an_environment_of_their_own)
{
    static const char *const list[] = {"HILERA_TEST_A", "HOME=/elsewhere", NULL};
    UNIT_NEEDS_ROOT("an environment that stands apart");
    setenv("HILERA_TEST_A", "1", 1);
    setenv("HILERA_TEST_B", "2", 1);
    setenv("LD_PRELOAD_NOT", "x", 1);
    setenv("LANG", "C", 1);
    unsetenv("TZ");
    handler_settings.run_as = "nobody";
    handler_settings.apart = true;
    handler_settings.environment = list;
    handler_settings.socket = "/run/x.sock";
    check_done(
        run_shell("pwd; env | grep -Ev '^(HILERA_(JOB|TUBE|ATT|PRI|SUB)|PWD=|_=|SHLVL=|OLDPWD=)'"
                  " | sort; grep NoNewPrivs /proc/self/status",
                  ""),
        "/\nHILERA_SOCKET=/run/x.sock\nHILERA_TEST_A=1\nHOME=/elsewhere\nLANG=C\n"
        "LOGNAME=nobody\nPATH=/usr/local/bin:/usr/bin:/bin\nSHELL=/usr/sbin/nologin\n"
        "USER=nobody\nNoNewPrivs:\t1\n",
        "");
    unsetenv("HILERA_TEST_A");
    unsetenv("HILERA_TEST_B");
    unsetenv("LD_PRELOAD_NOT");
}
END_TEST

// Directories are entered and programs looked up as the user: nothing below what is root's alone.
START_TEST(nothing_is_looked_up_as_root)
{
    char path[128], expected[192];
    UNIT_NEEDS_ROOT("a program below a folder of root's");
    snprintf(path, sizeof(path), "%s/inside", folder); // the folder's mode is 0700
    ck_assert_int_eq(mkdir(path, 0755), 0);
    handler_settings.run_as = "nobody";
    handler_settings.apart = true;
    handler_settings.directory = path;
    snprintf(expected, sizeof(expected), "can't enter %s (Permission denied)", path);
    check_failed(run_shell("true", ""), -1, 0, expected);
    rmdir(path);
}
END_TEST

START_TEST(limited_program_that_is_missing_is_told)
{
    static const char *const argv[] = {"no-such-program-at-all", NULL};
    set_limit(HANDLER_LIMIT_core, 0);
    check_failed(run(argv, "x"), -1, 0, "program not found: no-such-program-at-all");
}
END_TEST

START_TEST(limited_program_that_may_not_be_run_is_told)
{
    static const char *const argv[] = {"/etc/passwd", NULL};
    set_limit(HANDLER_LIMIT_core, 0);
    check_failed(run(argv, "x"), -1, 0, "can't start /etc/passwd (Permission denied)");
}
END_TEST

// The kernel has a ceiling for descriptors that root can't pass either.
START_TEST(setting_that_the_system_refuses_is_named)
{
    set_limit(HANDLER_LIMIT_nofile, UINT64_C(1) << 40);
    check_failed(run_shell("true", ""), -1, 0,
                 "can't start /bin/sh: can't set nofile (Operation not permitted)");
}
END_TEST

// ---- pipes that are made ahead ----

static size_t count_pipes(void)
{
    char path[64], target[16];
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, target, sizeof(target));
        count += len > 5 && memcmp(target, "pipe:", 5) == 0;
    }
    return count;
}

static void limit_descriptors(rlim_t most)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

// One more job of the pool to its end.
static void run_next(const char *body)
{
    size_t count = records.count;
    engine_put(broker, "t", 0, 0, body);
    engine_records_await(&records, count + 1);
    check_done(records.record[count], body, "");
}

// A worker makes the next pipes while its program runs: they are there at the end of its job. They
// go where descriptors become few.
START_TEST(pipes_of_the_next_are_made_where_there_is_room)
{
    const char *argv[] = {"cat", NULL};
    limit_descriptors(256);
    for (int i = 0; i < 10; i++)
        ck_assert_int_ge(dup(0), 0); // so that the numbers are no small ones
    start_pool(argv, 1);
    size_t before = count_pipes();
    for (int i = 0; i < 3; i++) {
        run_next("roomy");
        ck_assert_uint_eq(count_pipes(), before + 6);
    }
    int lowest = dup(0);
    ck_assert_int_ge(lowest, 12);
    close(lowest);
    limit_descriptors((rlim_t)lowest + 8);
    for (int i = 0; i < 3; i++) {
        run_next("tight");
        ck_assert_uint_eq(count_pipes(), before);
    }
    worker_pool_stop(pool, HL_FOREVER);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("exec_settings");
    TCase *set = tcase_create("set");
    tcase_add_checked_fixture(set, exec_setup, exec_teardown);
    tcase_add_test(set, program_begins_in_its_directory);
    tcase_add_test(set, missing_directory_is_named);
    tcase_add_test(set, environment_is_what_is_listed);
    tcase_add_test(set, a_program_knows_when_its_job_was_put);
    tcase_add_test(set, bad_settings_are_refused);
    tcase_add_test(set, umask_and_limits_are_there_from_the_start);
    tcase_add_test(set, no_new_privs_is_set);
    tcase_add_test(set, user_is_changed_for_good);
    tcase_add_test(set, programs_that_stand_apart_have_an_environment_of_their_own);
    tcase_add_test(set, nothing_is_looked_up_as_root);
    tcase_add_test(set, limited_program_that_is_missing_is_told);
    tcase_add_test(set, limited_program_that_may_not_be_run_is_told);
    tcase_add_test(set, setting_that_the_system_refuses_is_named);
    tcase_add_test(set, pipes_of_the_next_are_made_where_there_is_room);
    suite_add_tcase(suite, set);

    return unit_main(suite);
}
