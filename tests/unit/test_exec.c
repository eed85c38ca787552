// SPDX-License-Identifier: MIT
// The handler exec with real programs: good ones, and every way in which a program can be a
// nuisance.

#include "base/clock.h"
#include "exec_fixture.h"
#include "spawned.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- what a program gets and gives ----

START_TEST(body_in_output_out)
{
    check_done(run_shell("cat; echo problem >&2", "hello\n"), "hello\n", "problem\n");
    ck_assert_int_gt(records.record[0]->duration_ns, 0);
    ck_assert_int_ne(records.record[0]->started_wall_ns, 0);
}
END_TEST

// Processor time and memory of the program and of those that it waited for.
START_TEST(what_it_used_is_told)
{
    const struct job_record *record =
        run_shell("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done", "");
    check_done(record, "", "");
    ck_assert_int_gt(record->usage.user_ns + record->usage.system_ns, 0);
    ck_assert_int_lt(record->usage.user_ns, 60 * HL_SECOND);
    ck_assert_uint_gt(record->usage.max_rss, 100 * 1024);
    ck_assert_uint_lt(record->usage.max_rss, (uint64_t)1 << 30);
}
END_TEST

START_TEST(what_never_ran_used_nothing)
{
    static const char *const argv[] = {"/nowhere/program", NULL};
    const struct job_record *record = run(argv, "");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(record->usage.user_ns, -1);
}
END_TEST

START_TEST(empty_body_is_the_end_of_input)
{
    check_done(run_shell("cat; echo end", ""), "end\n", "");
}
END_TEST

START_TEST(program_is_found_in_path)
{
    const char *argv[] = {"printf", "%s|%s", "a b", "", NULL};
    check_done(run(argv, "x"), "a b|", "");
}
END_TEST

START_TEST(environment_names_the_job)
{
    setenv("HILERA_TUBE", "from outside", 1);
    setenv("HILERA_TEST_OTHER", "kept", 1);
    const char *script = "echo $HILERA_JOB_ID $HILERA_TUBE $HILERA_ATTEMPT $HILERA_TEST_OTHER; "
                         "env | grep -c ^HILERA_TUBE=";
    check_done(run_shell(script, ""), "1 t 1 kept\n1\n", "");
    unsetenv("HILERA_TUBE");
    unsetenv("HILERA_TEST_OTHER");
}
END_TEST

START_TEST(child_has_three_descriptors)
{
    const char *argv[] = {"ls", "/proc/self/fd", NULL};
    check_done(run(argv, ""), "0\n1\n2\n3\n", ""); // 3 is the folder that ls reads
}
END_TEST

// Signals 32 and 33 are the C library's own: no program can have a handler for them.
#define LIBRARY_SIGNALS UINT64_C(0x180000000)

START_TEST(child_has_no_blocked_or_ignored_signals)
{
    signal(SIGPIPE, SIG_IGN);
    const char *argv[] = {"grep", "-hE", "Sig(Blk|Ign)", "/proc/self/status", NULL};
    unsigned long long blocked = 1, ignored = 1;
    const struct job_record *record = run(argv, "");
    ck_assert_int_eq(sscanf(record->out, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    ck_assert_uint_eq(blocked, 0);
    ck_assert_uint_eq(ignored & ~LIBRARY_SIGNALS, 0);
}
END_TEST

START_TEST(child_leads_its_group)
{
    check_done(run_shell("read -r pid name state parent group rest </proc/$$/stat; "
                         "[ $group = $$ ] && echo leader",
                         ""),
               "leader\n", "");
}
END_TEST

// That of whoever forked the spawner: the daemon raises its own later.
START_TEST(child_has_the_limit_of_the_spawner)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    char expected[32];
    snprintf(expected, sizeof(expected), "%llu\n", (unsigned long long)limit.rlim_cur);
    check_done(run_shell("ulimit -Sn", ""), expected, "");
}
END_TEST

START_TEST(large_body_arrives)
{
    char *body = malloc(1 << 20);
    ck_assert_ptr_nonnull(body);
    memset(body, 'x', (1 << 20) - 1);
    body[(1 << 20) - 1] = '\0';
    check_done(run_shell("wc -c", body), "1048575\n", "");
    free(body);
}
END_TEST

START_TEST(body_and_output_at_once)
{
    handler_settings.output_max = 1 << 20;
    char *body = malloc(1 << 20);
    ck_assert_ptr_nonnull(body);
    memset(body, 'x', (1 << 20) - 1);
    body[(1 << 20) - 1] = '\0';
    const char *argv[] = {"cat", NULL};
    check_done(run(argv, body), body, "");
    free(body);
}
END_TEST

// ---- how it fails ----

START_TEST(program_does_not_exist)
{
    const char *argv[] = {"no-such-program-at-all", NULL};
    const struct job_record *record = run(argv, "x");
    check_failed(record, -1, 0, "program not found: no-such-program-at-all");
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, 1, &view, NULL), 0);
    ck_assert_int_eq(view.state, JOB_BURIED);
    ck_assert_str_eq(view.reason, record->reason);
}
END_TEST

START_TEST(program_may_not_be_run)
{
    const char *argv[] = {"/etc/passwd", NULL};
    check_failed(run(argv, "x"), -1, 0, "can't start /etc/passwd (Permission denied)");
}
END_TEST

START_TEST(exit_status_is_named)
{
    check_failed(run_shell("echo seen; exit 3", ""), 3, 0, "exit status 3 of /bin/sh");
    ck_assert_str_eq(records.record[0]->out, "seen\n");
}
END_TEST

START_TEST(exit_126_and_127_are_named)
{
    const char *argv[] = {"/bin/sh", "-c", "read n; exit $n", NULL};
    start_pool(argv, 1);
    engine_put(broker, "t", 0, 0, "126\n");
    engine_put(broker, "t", 0, 0, "127\n");
    engine_records_await(&records, 2);
    worker_pool_stop(pool, HL_FOREVER);
    check_failed(records.record[0], 126, 0, "(cannot be run)");
    check_failed(records.record[1], 127, 0, "(not found)");
}
END_TEST

START_TEST(crash_is_named)
{
    check_failed(run_shell("ulimit -c 0; kill -SEGV $$", ""), -1, SIGSEGV,
                 "/bin/sh was killed by signal 11 (SIGSEGV)");
}
END_TEST

// ---- nuisances ----

START_TEST(program_ignores_its_input)
{
    char *body = malloc(1 << 20);
    ck_assert_ptr_nonnull(body);
    memset(body, 'x', (1 << 20) - 1);
    body[(1 << 20) - 1] = '\0';
    const char *argv[] = {"true", NULL};
    check_done(run(argv, body), "", "");
    free(body);
}
END_TEST

START_TEST(program_closes_its_pipes_early)
{
    check_failed(run_shell("exec <&- >&- 2>&-; sleep 0.05; exit 5", "body"), 5, 0, "exit status 5");
}
END_TEST

START_TEST(program_writes_without_measure)
{
    uint64_t bytes = engine_env("HILERA_OUTPUT", UINT64_C(1) << 30);
    char script[128];
    snprintf(script, sizeof(script), "head -c %llu /dev/zero; printf %%70000s x >&2",
             (unsigned long long)bytes);
    const struct job_record *record = run_shell(script, "");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(record->out_len, HANDLER_OUTPUT_MAX);
    ck_assert_uint_eq(record->err_len, HANDLER_OUTPUT_MAX);
    ck_assert(record->out_truncated && record->err_truncated);
    ck_assert_uint_lt(record->memory, 3 * HANDLER_OUTPUT_MAX);
}
END_TEST

START_TEST(output_as_long_as_the_limit_is_whole)
{
    handler_settings.output_max = 5;
    const struct job_record *record = run_shell("printf 12345; printf 123456 >&2", "");
    ck_assert_str_eq(record->out, "12345");
    ck_assert(!record->out_truncated);
    ck_assert_str_eq(record->err, "12345");
    ck_assert(record->err_truncated);
}
END_TEST

// Nobody of that group lives any more when the job has ended.
static void check_gone(pid_t group)
{
    ck_assert_int_eq(kill(-group, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
}

START_TEST(grandchild_holds_the_pipe)
{
    const struct job_record *record = run_shell("sleep 1000 & echo $$", "");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    check_gone((pid_t)atoi(record->out));
}
END_TEST

// It left the group. Where programs are whoever started the daemon nobody kills it, and nobody
// waits for it; its end comes with that of the fifo.
static pid_t start_in_another_session(void)
{
    char fifo[128], script[512];
    for (int i = 0; i < 2; i++) {
        snprintf(fifo, sizeof(fifo), "%s/fifo%d", folder, i);
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    }
    snprintf(script, sizeof(script),
             "cd %s; setsid sh -c 'echo >fifo1; exec cat fifo0' & read x <fifo1; echo $!", folder);
    const struct job_record *record = run_shell(script, "");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    return (pid_t)atoi(record->out);
}

START_TEST(grandchild_in_another_session_is_let_go)
{
    char fifo[128];
    pid_t pid = start_in_another_session();
    snprintf(fifo, sizeof(fifo), "%s/fifo0", folder);
    ck_assert_int_eq(kill(pid, 0), 0);
    int fd = open(fifo, O_WRONLY); // waits until cat has opened it
    ck_assert_int_ge(fd, 0);
    close(fd);
    while (kill(pid, 0) == 0)
        sched_yield();
}
END_TEST

START_TEST(grandchild_in_another_session_is_killed_if_asked)
{
    handler_settings.leftovers = HANDLER_LEFTOVERS_KILL;
    check_gone(start_in_another_session());
}
END_TEST

// Thirty of them, in sessions of their own, some orphans, some that make more.
START_TEST(swarm_is_killed)
{
    handler_settings.leftovers = HANDLER_LEFTOVERS_KILL;
    const struct job_record *record =
        run_shell("for i in 1 2 3 4 5 6 7 8 9 10; do"
                  "  setsid sleep 1000 & (setsid sleep 1000 &);"
                  "  setsid sh -c '(setsid sleep 1000 &) & wait; sleep 1000' & "
                  "done; echo $$",
                  "");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    check_gone((pid_t)atoi(record->out));
    spawned_check_alone();
}
END_TEST

START_TEST(grandchild_writes_without_end)
{
    const struct job_record *record = run_shell("echo $$; yes & exit 0", "");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    check_gone((pid_t)atoi(record->out));
}
END_TEST

// Its parent isn't the daemon; it goes, and the program with it, and the daemon hears of that.
START_TEST(program_kills_its_parent)
{
    pool_rules = (struct job_rules){.set = JOB_RULE_CRASHES, .crashes = 1};
    const struct job_record *record =
        run_shell("setsid sleep 1000 & echo $$; kill -KILL $PPID; sleep 1000", "");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_CRASHED);
    ck_assert_ptr_nonnull(strstr(record->reason, "the parent of /bin/sh was killed"));
    check_gone((pid_t)atoi(record->out));
    spawned_check_alone();
}
END_TEST

START_TEST(program_has_no_terminal)
{
    check_done(run_shell("(: </dev/tty) 2>/dev/null || echo none; "
                         "read -r pid name state parent group session tty rest </proc/$$/stat; "
                         "[ $session = $$ ] && echo $tty",
                         ""),
               "none\n0\n", "");
}
END_TEST

// ---- stopping ----

// Starts a pool on a script that writes its group to the fifo when it is up.
static pid_t start_script(const char *format)
{
    char fifo[128], script[512], number[32] = "";
    snprintf(fifo, sizeof(fifo), "%s/fifo0", folder);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    snprintf(script, sizeof(script), "fifo=%s; other=%s/fifo1; %s", fifo, folder, format);
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    start_pool(argv, 1);
    engine_put(broker, "t", 0, 0, "body");
    int fd = open(fifo, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(read(fd, number, sizeof(number) - 1), 0);
    close(fd);
    return (pid_t)atoi(number);
}

static void check_returned(void)
{
    struct worker_pool_stats stats;
    worker_pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.returned, 1);
    ck_assert_uint_eq(stats.busy, 0);
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, 1, &view, NULL), 0);
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_uint_eq(records.count, 0);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 1);
}

START_TEST(stop_terminates)
{
    handler_settings.kill_after_ns = 1000 * HL_SECOND; // TERM must be enough
    (void)start_script("echo $$ >$fifo; exec sleep 1000");
    worker_pool_stop(pool, 0);
    check_returned();
}
END_TEST

// What left the group, too, although it would be left alone at another end.
START_TEST(stop_kills_what_left_the_group)
{
    (void)start_script("setsid sleep 1000 & (setsid setsid sleep 1000 &); echo $$ >$fifo; wait");
    worker_pool_stop(pool, 0);
    check_returned();
    spawned_check_alone();
}
END_TEST

START_TEST(stopped_program_hears_the_term)
{
    handler_settings.kill_after_ns = 1000 * HL_SECOND;
    pid_t pid = start_script("echo $$ >$fifo; kill -STOP $$; sleep 1000");
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    while (strstr(text, ") T ") == NULL) {
        FILE *file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
        fclose(file);
    }
    worker_pool_stop(pool, 0);
    check_returned();
}
END_TEST

START_TEST(stop_kills_what_ignores_the_term)
{
    handler_settings.kill_after_ns = 50 * HL_MILLISECOND;
    pid_t group = start_script("trap '' TERM; sleep 1000 & echo $$ >$fifo; wait; sleep 1000");
    worker_pool_stop(pool, 0);
    check_returned();
    check_gone(group); // the sleep, too
}
END_TEST

static void hurry_soon(void *arg)
{
    (void)arg;
    worker_pool_hurry(pool);
}

START_TEST(hurry_ends_the_waiting)
{
    handler_settings.kill_after_ns = 1000 * HL_SECOND;
    (void)start_script("echo $$ >$fifo; exec sleep 1000");
    ck_assert_int_eq(worker_pool_await(pool, 0), ETIMEDOUT);
    hl_thread *thread = engine_thread(hurry_soon, NULL);
    ck_assert_int_eq(worker_pool_await(pool, HL_FOREVER), 0);
    engine_thread_join(&thread);
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_int_eq(worker_pool_await(pool, 0), 0);
    check_returned();
}
END_TEST

// What a program makes of TERM isn't its outcome: it was stopped, so the job runs again.
START_TEST(stopped_job_returns_whatever_its_status)
{
    handler_settings.kill_after_ns = 1000 * HL_SECOND;
    (void)start_script("trap 'exit 0' TERM; echo $$ >$fifo; while :; do sleep 0.01; done");
    worker_pool_stop(pool, 0);
    check_returned();
}
END_TEST

// A stop that comes while only the output is still waited for: the job is done, not returned.
START_TEST(stop_after_the_end_changes_nothing)
{
    pid_t group = start_script("sleep 1000 & echo $$ >$fifo; echo ok");
    while (kill(group, 0) == 0)
        sched_yield();
    worker_pool_stop(pool, 0);
    ck_assert_uint_eq(records.count, 1);
    check_done(records.record[0], "ok\n", "");
    check_gone(group);
}
END_TEST

START_TEST(grace_lets_it_finish)
{
    char other[128];
    snprintf(other, sizeof(other), "%s/fifo1", folder);
    ck_assert_int_eq(mkfifo(other, 0600), 0);
    (void)start_script("echo $$ >$fifo; read x <$other; echo $x");
    worker_pool_quiesce(pool);
    engine_put(broker, "t", 0, 0, "not taken any more");
    FILE *file = fopen(other, "we");
    ck_assert_ptr_nonnull(file);
    fputs("finished\n", file);
    fclose(file);
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_uint_eq(records.count, 1);
    check_done(records.record[0], "finished\n", "");
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
}
END_TEST

START_TEST(many_at_once)
{
    enum { JOBS = 60 };
    const char *argv[] = {"cat", NULL};
    start_pool(argv, 8);
    for (int i = 0; i < JOBS; i++) {
        char text[32];
        snprintf(text, sizeof(text), "body %d", i + 1);
        engine_put(broker, "t", 0, 0, text);
    }
    ck_assert_int_eq(broker_join(broker, "t", HL_FOREVER, NULL), 0);
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_uint_eq(records.count, JOBS);
    for (int i = 0; i < JOBS; i++) {
        char text[32];
        snprintf(text, sizeof(text), "body %llu", (unsigned long long)records.record[i]->id);
        check_done(records.record[i], text, "");
    }
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("exec");
    TCase *good = tcase_create("good");
    tcase_add_checked_fixture(good, exec_setup, exec_teardown);
    tcase_add_test(good, body_in_output_out);
    tcase_add_test(good, what_it_used_is_told);
    tcase_add_test(good, what_never_ran_used_nothing);
    tcase_add_test(good, empty_body_is_the_end_of_input);
    tcase_add_test(good, program_is_found_in_path);
    tcase_add_test(good, environment_names_the_job);
    tcase_add_test(good, child_has_three_descriptors);
    tcase_add_test(good, child_has_no_blocked_or_ignored_signals);
    tcase_add_test(good, child_leads_its_group);
    tcase_add_test(good, child_has_the_limit_of_the_spawner);
    tcase_add_test(good, large_body_arrives);
    tcase_add_test(good, body_and_output_at_once);
    tcase_add_test(good, many_at_once);
    suite_add_tcase(suite, good);

    TCase *fails = tcase_create("fails");
    tcase_add_checked_fixture(fails, exec_setup, exec_teardown);
    tcase_add_test(fails, program_does_not_exist);
    tcase_add_test(fails, program_may_not_be_run);
    tcase_add_test(fails, exit_status_is_named);
    tcase_add_test(fails, exit_126_and_127_are_named);
    tcase_add_test(fails, crash_is_named);
    suite_add_tcase(suite, fails);

    TCase *nuisance = tcase_create("nuisance");
    tcase_add_checked_fixture(nuisance, exec_setup, exec_teardown);
    tcase_add_test(nuisance, program_ignores_its_input);
    tcase_add_test(nuisance, program_closes_its_pipes_early);
    tcase_add_test(nuisance, program_writes_without_measure);
    tcase_add_test(nuisance, output_as_long_as_the_limit_is_whole);
    tcase_add_test(nuisance, grandchild_holds_the_pipe);
    tcase_add_test(nuisance, grandchild_in_another_session_is_let_go);
    tcase_add_test(nuisance, grandchild_in_another_session_is_killed_if_asked);
    tcase_add_test(nuisance, swarm_is_killed);
    tcase_add_test(nuisance, grandchild_writes_without_end);
    tcase_add_test(nuisance, program_kills_its_parent);
    tcase_add_test(nuisance, program_has_no_terminal);
    suite_add_tcase(suite, nuisance);

    TCase *stop = tcase_create("stop");
    tcase_add_checked_fixture(stop, exec_setup, exec_teardown);
    tcase_add_test(stop, stop_terminates);
    tcase_add_test(stop, stop_kills_what_left_the_group);
    tcase_add_test(stop, stopped_program_hears_the_term);
    tcase_add_test(stop, stop_kills_what_ignores_the_term);
    tcase_add_test(stop, hurry_ends_the_waiting);
    tcase_add_test(stop, stopped_job_returns_whatever_its_status);
    tcase_add_test(stop, stop_after_the_end_changes_nothing);
    tcase_add_test(stop, grace_lets_it_finish);
    suite_add_tcase(suite, stop);
    return unit_main(suite);
}
