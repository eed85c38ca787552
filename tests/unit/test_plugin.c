// SPDX-License-Identifier: MIT
// Plug-ins through pools: the compiled-in ones, and a real shared object that does what its jobs
// say (tests/programs/plugin_test.c). Files that are no plug-ins are plugin.test's.

#include "worker/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "blocking.h"
#include "engine.h"

#include <hilera/event.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct broker *broker;
static struct worker_pool *pool;
static struct engine_records records;
static struct handler_settings handler_settings;
static char file[4096];

// What was logged, and an event for the line that says that a run is blocked.
static char logged[4096];
static hl_event *blocked;

static void listen_in(enum log_level level, const char *line, void *arg)
{
    (void)arg;
    size_t used = strlen(logged);
    snprintf(logged + used, sizeof(logged) - used, "%s: %s\n", log_level_name(level), line);
    if (strstr(line, "blocked") != NULL)
        hl_event_set(blocked);
}

static void setup(void)
{
    const char *top = getenv("top_builddir"), *where = getenv("TMPDIR");
    char command[sizeof(file) * 3];
    // A copy, for the tree may belong to somebody whose plug-ins this user would not load.
    snprintf(file, sizeof(file), "%s/hilera-plugin-XXXXXX", where != NULL ? where : "/tmp");
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    close(fd);
    snprintf(command, sizeof(command), "cp '%s/tests/programs/plugin_test.so' '%s'",
             top != NULL ? top : ".", file);
    ck_assert_int_eq(system(command), 0); // NOLINT(concurrency-mt-unsafe): one thread
    engine_records_init(&records);
    struct broker_options options = {.ended = engine_records_add, .records_arg = &records};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    handler_settings = (struct handler_settings){.plugin = file};
    ck_assert_int_eq(hl_event_new(&blocked, "blocked"), 0);
    logged[0] = '\0';
    log_set_sink(listen_in, NULL);
}

static void teardown(void)
{
    worker_pool_free(&pool);
    broker_free(&broker);
    (void)unlink(file);
    engine_records_fini(&records);
    log_set_sink(NULL, NULL);
    hl_event_free(&blocked);
}

static int make(const char *handler, unsigned workers, char *why, size_t why_size)
{
    static const char *const tubes[] = {"t"};
    struct worker_pool_settings settings = {.name = "plug",
                                            .tubes = tubes,
                                            .tube_count = 1,
                                            .workers = workers,
                                            .handler = handler,
                                            .handler_settings = handler_settings};
    return worker_pool_new(&pool, &settings, broker, why, why_size);
}

static void start(const char *handler, unsigned workers)
{
    char why[512] = "";
    ck_assert_msg(make(handler, workers, why, sizeof(why)) == 0, "%s", why);
    ck_assert_int_eq(worker_pool_start(pool), 0);
}

// Runs one job to its end.
static const struct job_record *run(const char *handler, const char *body)
{
    start(handler, 1);
    engine_put(broker, "t", 7, 0, body);
    engine_records_await(&records, 1);
    worker_pool_stop(pool, HL_FOREVER);
    return records.record[0];
}

static void check_failed(const struct job_record *record, const char *reason)
{
    ck_assert_int_eq(record->kind, JOB_OUTCOME_FAILED);
    ck_assert_str_eq(job_reason_text(record->reason), reason);
}

static void check_ready(uint64_t returned)
{
    struct worker_pool_stats stats;
    worker_pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.returned, returned);
    ck_assert_int_eq(engine_view(broker, 1).state, JOB_READY);
    ck_assert_uint_eq(records.count, 0);
}

// ---- compiled in ----

START_TEST(echo_gives_the_body)
{
    const struct job_record *record = run("echo", "hello\n");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_str_eq(record->out, "hello\n");
    ck_assert_str_eq(record->err, "");
    ck_assert_int_eq(record->progress, -1);
}
END_TEST

START_TEST(echo_keeps_to_the_limit)
{
    handler_settings.output_max = 3;
    const struct job_record *record = run("echo", "hello");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_str_eq(record->out, "hel");
    ck_assert(record->out_truncated);
}
END_TEST

START_TEST(sleep_takes_its_time)
{
    const struct job_record *record = run("sleep", "0.02\n");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_int_ge(record->duration_ns, 20 * HL_MILLISECOND);
}
END_TEST

START_TEST(sleep_wants_a_number)
{
    static const char *const bad[] = {
        "", ".", "1s", "-1", "1.2.3", "86401", "99999999999999999999"};
    enum { COUNT = sizeof(bad) / sizeof(bad[0]) };
    start("sleep", 1);
    for (size_t i = 0; i < COUNT; i++)
        engine_put(broker, "t", 0, 0, bad[i]);
    engine_records_await(&records, COUNT);
    worker_pool_stop(pool, HL_FOREVER);
    for (size_t i = 0; i < COUNT; i++)
        check_failed(records.record[i],
                     "the body must be a number of seconds up to 86400, like 0.25");
}
END_TEST

START_TEST(sleep_ends_when_stopped)
{
    start("sleep", 2);
    engine_put(broker, "t", 0, 0, "80000");
    engine_put(broker, "t", 0, 0, "80000");
    while (engine_stats(broker).count[JOB_RESERVED] < 2)
        sched_yield();
    worker_pool_stop(pool, 0);
    check_ready(2);
}
END_TEST

START_TEST(sleep_takes_no_arguments)
{
    static const char *const arguments[] = {"5", NULL};
    handler_settings.arguments = arguments;
    char why[512] = "";
    ck_assert_int_eq(make("sleep", 1, why, sizeof(why)), EINVAL);
    ck_assert_str_eq(why, "the plug-in sleep does not start: it takes no arguments; the body of a "
                          "job is the time");
}
END_TEST

// ---- a file ----

START_TEST(verdicts)
{
    static const char *const words[] = {"done",       "fail it is so", "fail",
                                        "verdict 77", "verdict -1",    "retry"};
    start("plugin", 1);
    for (size_t i = 0; i < 6; i++)
        engine_put(broker, "t", 0, 0, words[i]);
    engine_records_await(&records, 6);
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_DONE);
    ck_assert_str_eq(records.record[0]->reason, "");
    check_failed(records.record[1], "it is so");
    check_failed(records.record[2], "the plug-in test gives no reason");
    check_failed(
        records.record[3],
        "the plug-in test answered 77, which is none of DONE (0), FAILED (1) and RETRY (2)");
    check_failed(
        records.record[4],
        "the plug-in test answered -1, which is none of DONE (0), FAILED (1) and RETRY (2)");
    ck_assert_int_eq(records.record[5]->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(records.record[5]->reserves, 2);
    ck_assert_str_eq(records.record[5]->reason, "");
    ck_assert_ptr_nonnull(strstr(logged, "job 6 of tube t runs again: not yet"));
}
END_TEST

// A retry that doesn't say when waits as the rules say, and is counted as a failure.
START_TEST(retry_is_delayed)
{
    start("plugin", 1);
    engine_put(broker, "t", 7, 0, "later");
    while (engine_stats(broker).count[JOB_DELAYED] == 0)
        sched_yield();
    worker_pool_stop(pool, HL_FOREVER);
    struct job_view view = engine_view(broker, 1);
    ck_assert_int_eq(view.state, JOB_DELAYED);
    ck_assert_int_le(view.delay_ns, HL_SECOND);
    ck_assert_int_ge(view.delay_ns, HL_SECOND * 8 / 10);
    ck_assert_uint_eq(view.pri, 7);
    ck_assert_uint_eq(view.tries.failures, 1);
    ck_assert_uint_eq(view.releases, 0);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 1);
}
END_TEST

START_TEST(it_sees_the_job)
{
    ck_assert_str_eq(run("plugin", "job")->out, "1 t 1 7 3");
}
END_TEST

START_TEST(it_sees_its_arguments)
{
    static const char *const arguments[] = {"first", "second", NULL};
    handler_settings.arguments = arguments;
    ck_assert_str_eq(run("plugin", "arguments")->out, "first");
}
END_TEST

START_TEST(what_it_says_is_kept)
{
    const struct job_record *record = run("plugin", "speak");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(record->out_len, 7);
    ck_assert_mem_eq(record->out, "one\0two", 7);
    ck_assert_str_eq(record->err, "a note\nanother\n");
    ck_assert_int_eq(record->progress, 100);
    ck_assert_str_eq(record->progress_text, "nearly there");
    ck_assert_ptr_nonnull(strstr(logged, "notice: "));
    ck_assert_ptr_nonnull(strstr(logged, "plug-in test: test starts"));
    ck_assert_ptr_nonnull(strstr(logged, "plug-in test: an error\\nof two lines"));
    ck_assert_ptr_null(strstr(logged, "a debug message"));
}
END_TEST

START_TEST(its_output_has_a_limit)
{
    handler_settings.output_max = 25;
    const struct job_record *record = run("plugin", "flood");
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_str_eq(record->out, "0123456789012345678901234");
    ck_assert_uint_eq(record->err_len, 25);
    ck_assert(record->out_truncated && record->err_truncated);
}
END_TEST

static void refused(const char *const *arguments, int rc, const char *words)
{
    handler_settings.arguments = arguments;
    char why[512] = "";
    ck_assert_int_eq(make("plugin", 1, why, sizeof(why)), rc);
    ck_assert_str_eq(why, words);
}

START_TEST(init_may_refuse)
{
    static const char *const with[] = {"refuse", "the moon is full", NULL};
    static const char *const without[] = {"refuse", NULL};
    static const char *const odd[] = {"refuse oddly", NULL};
    refused(with, EBUSY, "the plug-in test does not start: the moon is full");
    refused(without, EBUSY, "the plug-in test does not start: Device or resource busy");
    refused(odd, EINVAL, "the plug-in test does not start: it gives no reason");
}
END_TEST

// ---- cancel ----

static void start_blocked(const char *body)
{
    start("plugin", 1);
    engine_put(broker, "t", 0, 0, body);
    ck_assert_int_eq(hl_event_wait(blocked, HL_FOREVER), 0);
    worker_pool_stop(pool, 0);
}

START_TEST(cancel_returns_the_job)
{
    start_blocked("block");
    check_ready(1);
}
END_TEST

START_TEST(cancelled_and_done_is_done)
{
    start_blocked("block done");
    ck_assert_uint_eq(records.count, 1);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_DONE);
}
END_TEST

START_TEST(a_run_can_look_for_itself)
{
    start_blocked("look");
    check_ready(1);
}
END_TEST

// Runs that begin and end while the pool is told to stop, again and again.
START_TEST(stop_among_runs)
{
    for (int round = 0; round < 50; round++) {
        start("plugin", 4);
        for (int i = 0; i < 40; i++)
            engine_put(broker, "t", 0, 0, i == 39 ? "block done" : "look");
        ck_assert_int_eq(hl_event_wait(blocked, HL_FOREVER), 0);
        hl_event_clear(blocked);
        worker_pool_stop(pool, 0);
        worker_pool_free(&pool);
        struct broker_stats now = engine_stats(broker);
        ck_assert_uint_eq(now.count[JOB_RESERVED], 0);
        ck_assert_uint_eq(now.count[JOB_READY] + now.totals.done + now.totals.deleted,
                          now.totals.put);
        uint64_t cleared;
        ck_assert_int_eq(broker_clear(broker, "t", 1, &cleared), 0);
        logged[0] = '\0';
    }
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("plugin");
    TCase *built_in = tcase_create("built in");
    tcase_add_checked_fixture(built_in, setup, teardown);
    tcase_add_test(built_in, echo_gives_the_body);
    tcase_add_test(built_in, echo_keeps_to_the_limit);
    tcase_add_test(built_in, sleep_takes_its_time);
    tcase_add_test(built_in, sleep_wants_a_number);
    tcase_add_test(built_in, sleep_ends_when_stopped);
    tcase_add_test(built_in, sleep_takes_no_arguments);
    suite_add_tcase(suite, built_in);

    TCase *of_file = tcase_create("file");
    tcase_add_checked_fixture(of_file, setup, teardown);
    tcase_add_test(of_file, verdicts);
    tcase_add_test(of_file, retry_is_delayed);
    tcase_add_test(of_file, it_sees_the_job);
    tcase_add_test(of_file, it_sees_its_arguments);
    tcase_add_test(of_file, what_it_says_is_kept);
    tcase_add_test(of_file, its_output_has_a_limit);
    tcase_add_test(of_file, init_may_refuse);
    suite_add_tcase(suite, of_file);

    TCase *cancel = tcase_create("cancel");
    tcase_add_checked_fixture(cancel, setup, teardown);
    tcase_add_test(cancel, cancel_returns_the_job);
    tcase_add_test(cancel, cancelled_and_done_is_done);
    tcase_add_test(cancel, a_run_can_look_for_itself);
    tcase_add_test(cancel, stop_among_runs);
    suite_add_tcase(suite, cancel);
    return unit_main(suite);
}
