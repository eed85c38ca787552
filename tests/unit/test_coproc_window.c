// SPDX-License-Identifier: MIT
// Helpers with several jobs in flight: in what order they answer, how they die, what they give
// back, and how one of several is stopped.

#include "worker/coproc_priv.h"

#include "engine.h"
#include "spawned.h"

#include "base/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct broker *broker;
static struct worker_pool *pool;
static struct engine_records records;
static char mark[64]; // a file that the first helper makes; the second finds it

static void setup(void)
{
    engine_records_init(&records);
    struct broker_options options = {.ended = engine_records_add, .records_arg = &records};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    snprintf(mark, sizeof(mark), "/tmp/hilera-window-XXXXXX");
    int fd = mkstemp(mark);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(unlink(mark), 0);
}

static void teardown(void)
{
    worker_pool_free(&pool);
    spawned_end();
    broker_free(&broker);
    engine_records_fini(&records);
    (void)unlink(mark);
}

// A helper in shell: `on_job` runs for each job ($id, $body; $0 is the mark), `on_order` for "back"
// and "stop" ($word, $id).
static void start(unsigned workers, unsigned window, const char *on_job, const char *on_order,
                  const struct job_rules *rules)
{
    static const char *const tubes[] = {"t"};
    char script[2048], problem[512] = "";
    snprintf(script, sizeof(script),
             "ok() { printf 'result %%s 0\\n\\n' $1; }\n"
             "echo ready 1 %u\n"
             "while read -r word id len rest; do\n"
             "    if [ $word = job ]; then read -r body; %s\n"
             "    else %s\n"
             "    fi\n"
             "done\n",
             window, on_job, on_order);
    const char *const argv[] = {"sh", "-c", script, mark, NULL};
    struct worker_pool_settings settings = {
        .name = "p",
        .tubes = tubes,
        .tube_count = 1,
        .workers = workers,
        .handler = "coproc",
        .handler_settings = {.argv = argv, .kill_after_ns = HL_SECOND},
        .rules = *rules};
    spawned_begin(&settings);
    ck_assert_msg(worker_pool_new(&pool, &settings, broker, problem, sizeof(problem)) == 0, "%s",
                  problem);
    ck_assert_int_eq(worker_pool_start(pool), 0);
}

static const struct job_rules no_rules;
static const struct job_rules one_crash = {.set = JOB_RULE_CRASHES, .crashes = 1};

static uint64_t put(const char *body)
{
    return engine_put(broker, "t", 0, 0, body);
}

static void cancel(uint64_t id)
{
    const struct broker_change change = {.action = BROKER_DO_CANCEL, .reason = "by a test"};
    enum job_state state = JOB_NEW;
    ck_assert_int_eq(broker_apply_job(broker, &trust_all, id, &change, &state, NULL), 0);
}

// Until so many are with helpers.
static void reserved_await(uint64_t count)
{
    while (engine_stats(broker).count[JOB_RESERVED] != count)
        sched_yield();
}

// The record of that job, which must have come.
static const struct job_record *record_of(uint64_t id)
{
    for (size_t i = 0; i < records.count; i++)
        if (records.record[i]->id == id)
            return records.record[i];
    ck_abort_msg("job %llu has no record", (unsigned long long)id);
    return NULL;
}

static struct worker_pool_stats stop(void)
{
    struct worker_pool_stats stats;
    worker_pool_stop(pool, HL_FOREVER);
    worker_pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.busy, 0);
    return stats;
}

// ---- well done ----

// The helper answers when it has four, the last one first; and the fifth job makes it one less.
START_TEST(answers_come_in_any_order)
{
    for (int i = 0; i < 8; i++)
        put("x");
    start(1, 4,
          "all=\"$id $all\"; n=$((n + 1)); [ $n -lt 4 ] || { for i in $all; do ok $i; done; "
          "n=0 all=; }",
          ":", &no_rules);
    engine_records_await(&records, 8);
    struct worker_pool_stats stats = stop();
    ck_assert_uint_eq(stats.done, 8);
    for (size_t i = 1; i < 4; i++)
        ck_assert_uint_lt(records.record[i]->id, records.record[i - 1]->id);
}
END_TEST

START_TEST(a_window_may_be_larger_than_all)
{
    start(2, 1000000, "ok $id", ":", &no_rules);
    for (int i = 0; i < 50; i++)
        put("x");
    engine_records_await(&records, 50);
    ck_assert_uint_eq(stop().done, 50);
}
END_TEST

// The first is answered when the second has come: it stands in line while it works.
START_TEST(who_works_takes_more)
{
    put("x");
    start(1, 2, "[ -z \"$first\" ] && first=$id || { ok $id; ok $first; first=; }", ":", &no_rules);
    reserved_await(1);
    put("x");
    engine_records_await(&records, 2);
    ck_assert_uint_eq(stop().done, 2);
}
END_TEST

START_TEST(a_paused_pool_takes_no_more)
{
    put("x");
    start(1, 2, "[ -z \"$first\" ] && first=$id || { ok $id; ok $first; first=; }", ":", &no_rules);
    reserved_await(1);
    worker_pool_pause(pool, true);
    put("x");
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
    worker_pool_pause(pool, false);
    engine_records_await(&records, 2); // without anything else that wakes the worker
    ck_assert_uint_eq(stop().done, 2);
}
END_TEST

// ---- helpers that fail ----

// What had begun has crashed, and so has the oldest; the one in between goes back.
START_TEST(who_dies_has_begun_some)
{
    uint64_t first = put("x"), second = put("x"), third = put("x");
    start(1, 3,
          "n=$((n + 1)); if [ -e $0 ]; then ok $id; elif [ $n = 3 ]; then : >$0; echo begin $id; "
          "kill -KILL $$; fi",
          ":", &one_crash);
    engine_records_await(&records, 3);
    struct worker_pool_stats stats = stop();
    ck_assert_int_eq(record_of(first)->kind, JOB_OUTCOME_CRASHED);
    ck_assert_int_eq(record_of(third)->kind, JOB_OUTCOME_CRASHED);
    ck_assert_int_eq(record_of(second)->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(stats.crashed, 2);
    ck_assert_uint_eq(stats.returned, 1);
    ck_assert_str_eq(record_of(first)->reason,
                     "the helper sh failed: it was killed by signal 9 (SIGKILL)");
}
END_TEST

START_TEST(who_answers_twice_is_ended)
{
    uint64_t first = put("x"), second = put("x");
    start(1, 2,
          "n=$((n + 1)); if [ -e $0 ]; then ok $id; elif [ $n = 1 ]; then one=$id; else : >$0; "
          "ok $one; ok $one; read -r never; fi",
          ":", &one_crash);
    engine_records_await(&records, 2);
    struct worker_pool_stats stats = stop();
    ck_assert_int_eq(record_of(first)->kind, JOB_OUTCOME_DONE);
    ck_assert_int_eq(record_of(second)->kind, JOB_OUTCOME_CRASHED);
    ck_assert_str_eq(record_of(second)->reason,
                     "the helper sh failed: it said \"result\" for job 1, which it has answered "
                     "already");
    ck_assert_uint_eq(stats.crashed, 1);
}
END_TEST

START_TEST(who_answers_for_others_is_ended)
{
    uint64_t first = put("x"), second = put("x");
    start(1, 2,
          "n=$((n + 1)); if [ -e $0 ]; then ok $id; elif [ $n = 2 ]; then : >$0; ok 99; read -r "
          "never; fi",
          ":", &one_crash);
    engine_records_await(&records, 2);
    (void)stop();
    ck_assert_str_eq(record_of(first)->reason,
                     "the helper sh failed: it said \"result\" for job 99, which it doesn't have");
    ck_assert_int_eq(record_of(second)->kind, JOB_OUTCOME_DONE);
}
END_TEST

START_TEST(nothing_comes_back_unasked)
{
    uint64_t first = put("x");
    start(1, 2, "echo back $id", ":", &one_crash);
    engine_records_await(&records, 1);
    (void)stop();
    ck_assert_str_eq(record_of(first)->reason,
                     "the helper sh failed: it said \"back\" for job 1, for which nobody asked it");
}
END_TEST

// ---- jobs that go back, or are stopped ----

#define SLOW "[ $body = slow ] && slow=$id || { [ -n \"$slow\" ] && held=\"$held $id\" || ok $id; }"
#define GIVES "[ $id = \"$slow\" ] && slow=; echo back $id"

// One worker has a slow job and five behind it, until there is another one.
static uint64_t slow_and_five(const char *on_order, const struct job_rules *rules)
{
    uint64_t slow = put("slow");
    for (int i = 0; i < 5; i++)
        put("x");
    start(1, 8, SLOW, on_order, rules);
    reserved_await(6);
    return slow;
}

START_TEST(who_is_free_gets_what_waits)
{
    uint64_t slow = slow_and_five(GIVES, &no_rules);
    ck_assert_int_eq(worker_pool_resize(pool, 2), 0);
    engine_records_await(&records, 5);
    reserved_await(1);
    cancel(slow);
    engine_records_await(&records, 6);
    ck_assert_int_eq(record_of(slow)->kind, JOB_OUTCOME_CANCELLED);
    put("x"); // its helper is as good as before
    engine_records_await(&records, 7);
    struct worker_pool_stats stats = stop();
    ck_assert_uint_ge(stats.returned, 5);
    ck_assert_uint_eq(stats.crashed, 0);
    ck_assert_uint_eq(stats.done, 6);
}
END_TEST

// A connection that reserves counts as much as a worker.
START_TEST(who_reserves_gets_what_waits)
{
    slow_and_five(GIVES, &no_rules);
    struct engine_conn conn;
    uint64_t id;
    engine_conn_init(&conn, broker);
    engine_watch_only(&conn, "t");
    ck_assert_int_eq(engine_reserve_rc(&conn, HL_FOREVER, &id), EINPROGRESS);
    while (atomic_load(&conn.fired) == 0)
        sched_yield();
    ck_assert_int_eq(engine_finish(&conn, &id), 0);
    ck_assert_uint_gt(id, 1);
    (void)engine_conn_fini(&conn);
    worker_pool_stop(pool, 0);
}
END_TEST

START_TEST(a_limit_stops_one_of_several)
{
    static const struct job_rules rules = {.set = JOB_RULE_TIMEOUT | JOB_RULE_TIMEOUTS,
                                           .timeout_ns = 20 * HL_MILLISECOND,
                                           .timeouts = 1};
    uint64_t slow = put("slow"), other = put("x");
    start(1, 4, "[ $body = slow ] || other=$id",
          "[ $word = back ] || { ok $other; echo back $id; }", &rules);
    engine_records_await(&records, 2);
    struct worker_pool_stats stats = stop();
    ck_assert_int_eq(record_of(slow)->kind, JOB_OUTCOME_TIMEOUT);
    ck_assert_int_eq(record_of(other)->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(stats.timeouts, 1);
    ck_assert_uint_eq(stats.returned, 0);
}
END_TEST

// It is told to stop the job, and doesn't: it is ended, and costs the other job nothing.
START_TEST(who_does_not_stop_is_ended)
{
    uint64_t slow = put("slow"), other = put("x");
    start(1, 4, "[ $body = slow ] && slow=1; [ -n \"$slow\" ] || ok $id", ":", &no_rules);
    reserved_await(2);
    cancel(slow);
    engine_records_await(&records, 2);
    struct worker_pool_stats stats = stop();
    ck_assert_int_eq(record_of(slow)->kind, JOB_OUTCOME_CANCELLED);
    ck_assert_int_eq(record_of(other)->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(stats.returned, 1);
    ck_assert_uint_eq(stats.crashed, 0);
}
END_TEST

START_TEST(all_go_back_at_the_end)
{
    slow_and_five(":", &no_rules);
    worker_pool_stop(pool, 0);
    struct worker_pool_stats stats;
    worker_pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.returned, 6);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 6);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("coproc_window");
    TCase *good = tcase_create("good");
    tcase_add_checked_fixture(good, setup, teardown);
    tcase_add_test(good, answers_come_in_any_order);
    tcase_add_test(good, a_window_may_be_larger_than_all);
    tcase_add_test(good, who_works_takes_more);
    tcase_add_test(good, a_paused_pool_takes_no_more);
    suite_add_tcase(suite, good);

    TCase *bad = tcase_create("bad");
    tcase_add_checked_fixture(bad, setup, teardown);
    tcase_add_test(bad, who_dies_has_begun_some);
    tcase_add_test(bad, who_answers_twice_is_ended);
    tcase_add_test(bad, who_answers_for_others_is_ended);
    tcase_add_test(bad, nothing_comes_back_unasked);
    suite_add_tcase(suite, bad);

    TCase *back = tcase_create("back");
    tcase_add_checked_fixture(back, setup, teardown);
    tcase_add_test(back, who_is_free_gets_what_waits);
    tcase_add_test(back, who_reserves_gets_what_waits);
    tcase_add_test(back, a_limit_stops_one_of_several);
    tcase_add_test(back, who_does_not_stop_is_ended);
    tcase_add_test(back, all_go_back_at_the_end);
    suite_add_tcase(suite, back);
    return unit_main(suite);
}
