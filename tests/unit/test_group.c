// SPDX-License-Identifier: MIT
// Groups: who waits for one and when, what the counts say, and that they are right after a kill, a
// compaction, and jobs that never reached the disk.

#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct durable durable;

static void setup(void)
{
    disk_start();
    clock_virtual_start(1000 * HL_SECOND);
    durable_init(&durable);
    durable_again(&durable);
}

static void teardown(void)
{
    ck_assert_int_eq(durable_close(&durable), 0);
    clock_virtual_stop();
    disk_stop();
}

static uint64_t put(const char *name, const char *group)
{
    struct broker_tube *tube;
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, name, strlen(name), &tube), 0);
    struct job_body *body = engine_body("body");
    const struct job_options options = {.group = group};
    const struct broker_put_spec spec = {
        .tube = tube, .ttr_ns = 60 * HL_SECOND, .options = &options};
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    broker_unuse(durable.broker, &tube);
    return id;
}

static void settle(const char *tube, uint64_t id, enum job_outcome_kind kind)
{
    struct broker_sink *sink = engine_sink(durable.broker, tube);
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(sink, &lease), id);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, kind), 0);
    broker_sink_free(&sink);
}

// With others in one hold of the lock, as workers of a brief handler do.
static void settle_many(const char *tube, size_t count)
{
    struct broker_sink *sink = engine_sink(durable.broker, tube);
    struct broker_lease lease[BROKER_SETTLE_MAX];
    struct job_outcome outcome[BROKER_SETTLE_MAX];
    struct broker_settlement list[BROKER_SETTLE_MAX];
    size_t taken;
    ck_assert_int_eq(broker_take_many(sink, lease, BROKER_SETTLE_MAX, &taken, 0), 0);
    ck_assert_uint_eq(taken, count);
    for (size_t i = 0; i < count; i++) {
        job_outcome_init(&outcome[i]);
        list[i] = (struct broker_settlement){
            .id = lease[i].id, .token = lease[i].token, .outcome = &outcome[i]};
    }
    broker_settle_many(durable.broker, list, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(list[i].rc, 0);
        broker_lease_fini(&lease[i]);
    }
    broker_sink_free(&sink);
}

static void counts_are(const char *group, uint64_t unfinished, uint64_t done, uint64_t failed,
                       uint64_t deleted)
{
    struct broker_totals totals;
    uint64_t left;
    ck_assert_int_eq(broker_group_stats(durable.broker, group, &left, &totals), 0);
    ck_assert_uint_eq(left, unfinished);
    ck_assert_uint_eq(totals.done, done);
    ck_assert_uint_eq(totals.failed, failed);
    ck_assert_uint_eq(totals.deleted, deleted);
    ck_assert_uint_eq(totals.put, unfinished + done + failed + deleted);
}

static void kill_and_start(void)
{
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
}

static unsigned fired;

static void note_fired(struct broker_waiter *waiter)
{
    (void)waiter;
    fired++;
}

static void join_begin(struct broker_waiter *waiter, const char *group)
{
    *waiter = (struct broker_waiter){.fire = note_fired};
    fired = 0;
    ck_assert_int_eq(broker_join_group_async(durable.broker, group, waiter), 0);
}

START_TEST(a_join_waits_for_all_of_them)
{
    struct broker_waiter waiter, second;
    uint64_t one = put("t", "g"), two = put("u", "g"), three = put("u", "g");
    (void)put("t", "other");
    (void)engine_put(durable.broker, "t", 0, 0, "of none");
    join_begin(&waiter, "g");
    settle("u", two, JOB_OUTCOME_DONE);
    ck_assert_int_eq(broker_delete(durable.broker, one), 0);
    ck_assert_uint_eq(fired, 0);
    settle("u", three, JOB_OUTCOME_FAILED);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(waiter.totals.put, 3);
    ck_assert_uint_eq(waiter.totals.done, 1);
    ck_assert_uint_eq(waiter.totals.failed, 1);
    ck_assert_uint_eq(waiter.totals.deleted, 1);
    join_begin(&second, "g"); // at once, with the same counts
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(second.totals.put, 3);
    join_begin(&second, "nobody");
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(second.totals.put, 0);
    // A kick takes the failure back; what the job becomes then counts.
    ck_assert_int_eq(broker_kick_job(durable.broker, three), 0);
    counts_are("g", 1, 1, 0, 1);
    join_begin(&waiter, "g");
    ck_assert(broker_cancel(&waiter));
    ck_assert_uint_eq(fired, 0);
    join_begin(&waiter, "g");
    settle("u", three, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(waiter.totals.done, 2);
    ck_assert_uint_eq(waiter.totals.failed, 0);
    ck_assert_int_eq(broker_join_group_async(durable.broker, "", &waiter), EINVAL);
}
END_TEST

// The first end of a job that the disk never saw, the last of one that it did.
START_TEST(counts_are_kept)
{
    uint64_t one = put("t", "g");
    settle("t", one, JOB_OUTCOME_DONE);
    kill_and_start();
    counts_are("g", 0, 1, 0, 0);
    uint64_t two = put("t", "g"), three = put("t", "g"), four = put("t", "g");
    durable_commit(&durable);
    settle("t", two, JOB_OUTCOME_FAILED);
    settle("t", three, JOB_OUTCOME_DONE);
    kill_and_start();
    counts_are("g", 1, 2, 1, 0);
    ck_assert_int_eq(broker_kick_job(durable.broker, two), 0);
    ck_assert_int_eq(broker_delete(durable.broker, four), 0);
    kill_and_start();
    counts_are("g", 1, 2, 0, 1);
    struct engine_conn conn;
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
    ck_assert_uint_eq(engine_reserve(&conn), two);
    ck_assert_int_eq(broker_bury(&conn.holder, two, 0, 3), 0);
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve_job(&conn.holder, two, 0, &lease), 0); // as a kick does
    broker_lease_fini(&lease);
    engine_conn_fini(&conn);
    counts_are("g", 1, 2, 0, 1);
    kill_and_start();
    counts_are("g", 1, 2, 0, 1);
    ck_assert_int_eq(durable_close(&durable), 0);
    durable_again(&durable);
    counts_are("g", 1, 2, 0, 1);
    ck_assert_int_eq(broker_move(durable.broker, two, "v", 1), 0);
    settle("v", two, JOB_OUTCOME_DONE);
    kill_and_start();
    counts_are("g", 0, 3, 0, 1);
}
END_TEST

START_TEST(jobs_that_are_settled_together_count)
{
    put("t", "g");
    durable_commit(&durable);
    put("t", "g");
    settle_many("t", 2);
    counts_are("g", 0, 2, 0, 0);
    kill_and_start();
    counts_are("g", 0, 2, 0, 0);
}
END_TEST

START_TEST(counts_outlive_segments)
{
    struct broker_log_stats stats;
    static char text[2001];
    uint64_t unfinished[2] = {0, 0}, done = 0, id = 0, segments = 0;
    memset(text, 'x', sizeof(text) - 1);
    uint64_t buried = put("b", "g"), kept = put("k", "g");
    settle("b", buried, JOB_OUTCOME_FAILED);
    for (int turn = 0; turn < 4; turn++) {
        do {
            id = put("t", "g");
            durable_commit(&durable);
            settle("t", id, JOB_OUTCOME_DONE);
            done++;
            uint64_t other = engine_put(durable.broker, "other", 1, 0, text);
            durable_commit(&durable);
            ck_assert_int_eq(broker_delete(durable.broker, other), 0);
            durable_commit(&durable);
            (void)durable_compact(&durable);
            broker_log_stats(durable.broker, &stats);
            ck_assert_uint_lt(other, 100000000);
        } while (stats.compact.segments == segments);
        segments = turn % 2 == 0 ? 0 : stats.compact.segments; // a start begins to count anew
        if (turn % 2 == 0)
            kill_and_start();
        counts_are("g", 1, done, 1, 0);
        unfinished[turn % 2] = id;
    }
    ck_assert_uint_ne(unfinished[0], unfinished[1]);
    settle("k", kept, JOB_OUTCOME_DONE);
    ck_assert_int_eq(broker_kick_job(durable.broker, buried), 0);
    kill_and_start();
    counts_are("g", 1, done + 1, 0, 0);
}
END_TEST

START_TEST(a_group_is_forgotten_after_a_day)
{
    uint64_t left;
    struct broker_totals totals;
    struct broker_waiter waiter;
    settle("t", put("t", "g"), JOB_OUTCOME_DONE);
    uint64_t kept = put("t", "kept");
    clock_virtual_advance(24 * 3600 * HL_SECOND - 1);
    broker_forget_groups(durable.broker);
    counts_are("g", 0, 1, 0, 0);
    clock_virtual_advance(1);
    broker_forget_groups(durable.broker);
    ck_assert_int_eq(broker_group_stats(durable.broker, "g", &left, &totals), ENOENT);
    ck_assert_uint_eq(broker_groups(durable.broker), 1);
    join_begin(&waiter, "kept");
    ck_assert_int_eq(broker_delete(durable.broker, kept), 0);
    ck_assert_uint_eq(fired, 1);
    // The name begins anew, in the journal, too.
    (void)put("t", "g");
    counts_are("g", 1, 0, 0, 0);
    kill_and_start();
    counts_are("g", 1, 0, 0, 0);
    counts_are("kept", 0, 0, 0, 1);
}
END_TEST

START_TEST(in_memory_a_group_ends_with_the_daemon)
{
    ck_assert_int_eq(durable_close(&durable), 0);
    durable.options.level = BROKER_MEMORY;
    durable_again(&durable);
    settle("t", put("t", "g"), JOB_OUTCOME_DONE);
    counts_are("g", 0, 1, 0, 0);
    kill_and_start();
    ck_assert_uint_eq(broker_groups(durable.broker), 0);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("group");
    TCase *all = tcase_create("group");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, a_join_waits_for_all_of_them);
    tcase_add_test(all, counts_are_kept);
    tcase_add_test(all, jobs_that_are_settled_together_count);
    tcase_add_test(all, counts_outlive_segments);
    tcase_add_test(all, a_group_is_forgotten_after_a_day);
    tcase_add_test(all, in_memory_a_group_ends_with_the_daemon);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
