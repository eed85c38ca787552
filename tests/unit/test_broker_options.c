// SPDX-License-Identifier: MIT
// Jobs with options in the broker: they are seen in views and records, and outlive a kill, a
// compaction, and every change of the job.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct durable durable;
static struct engine_records records;

static void setup(void)
{
    durable_begin(&durable, &records);
}

static void teardown(void)
{
    durable_end(&durable, &records);
}

static const struct job_options asked = {.set = JOB_OPTION_RETENTION | JOB_OPTION_AUTHORISED,
                                         .authorised = 1,
                                         .rules = {.set = JOB_RULE_ATTEMPTS | JOB_RULE_TIMEOUT,
                                                   .attempts = 4,
                                                   .timeout_ns = 30 * HL_SECOND},
                                         .retention_ns = 3600 * HL_SECOND,
                                         .name = "nightly",
                                         .group = "batch",
                                         .tags = "red\0blue",
                                         .tags_size = 9};

static uint64_t put(const char *name, const struct job_options *options, int64_t delay_ns)
{
    struct tube *tube;
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, name, strlen(name), &tube), 0);
    struct job_body *body = engine_body("body");
    const struct broker_put_spec spec = {.submitter = JOB_NOBODY,
                                         .tube = tube,
                                         .delay_ns = delay_ns,
                                         .ttr_ns = 60 * HL_SECOND,
                                         .options = options};
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    broker_unuse(durable.broker, &tube);
    return id;
}

static void check_asked(uint64_t id)
{
    struct job_view view = engine_view(durable.broker, id);
    ck_assert_uint_eq(view.set, asked.set);
    ck_assert_uint_eq(view.rules.set, asked.rules.set);
    ck_assert_uint_eq(view.rules.attempts, 4);
    ck_assert_int_eq(view.rules.timeout_ns, 30 * HL_SECOND);
    ck_assert_int_eq(view.retention_ns, 3600 * HL_SECOND);
    ck_assert_str_eq(view.name, "nightly");
    ck_assert_str_eq(view.group, "batch");
    ck_assert_str_eq(view.key, "");
    ck_assert_uint_eq(view.tags_size, asked.tags_size);
    ck_assert(job_tags_have(view.tags, view.tags_size, "blue"));
}

static void kill_and_start(void)
{
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
}

START_TEST(they_outlive_a_kill)
{
    uint64_t ready = put("t", &asked, 0), delayed = put("t", &asked, 100 * HL_SECOND);
    uint64_t plain = put("t", NULL, 0);
    check_asked(ready);
    kill_and_start();
    check_asked(ready);
    check_asked(delayed);
    ck_assert_int_eq(engine_view(durable.broker, delayed).state, JOB_DELAYED);
    ck_assert_str_eq(engine_view(durable.broker, plain).name, "");
    ck_assert_uint_eq(engine_view(durable.broker, plain).rules.set, 0);
}
END_TEST

START_TEST(they_outlive_changes_and_compaction)
{
    uint64_t id = put("t", &asked, 0);
    struct engine_conn conn;
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, id, 0, 3, 0), 0);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_int_eq(broker_bury(&conn.client, &trust_all, id, 0, 3), 0);
    engine_conn_fini(&conn);
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, id, "u", 1), 0);
    check_asked(id);
    // Its put is in the oldest segment; so much comes and goes that this one retires.
    struct store_stats stats;
    static char text[2001];
    memset(text, 'x', sizeof(text) - 1);
    do {
        uint64_t other = engine_put(durable.broker, "other", 1, 0, text);
        durable_commit(&durable);
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, other), 0);
        durable_commit(&durable);
        (void)durable_compact(&durable);
        broker_store_stats(durable.broker, &stats);
        ck_assert_uint_lt(other, 100000);
    } while (stats.compact.trims == 0 || stats.copied == 0);
    check_asked(id);
    kill_and_start();
    check_asked(id);
    ck_assert_int_eq(engine_view(durable.broker, id).state, JOB_BURIED);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, id), 0);
    kill_and_start();
    check_asked(id);
}
END_TEST

START_TEST(keys_are_known_after_a_start)
{
    const struct job_options known = {.key = "k"};
    uint64_t id = put("t", &known, 0), other = put("t", NULL, 0);
    struct tube *tube;
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
        struct job_body *body = engine_body("again");
        const struct broker_put_spec spec = {
            .submitter = JOB_NOBODY, .tube = tube, .options = &known};
        uint64_t first = 0;
        ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &first), EEXIST);
        ck_assert_uint_eq(first, id);
        job_body_unref(&body);
        broker_unuse(durable.broker, &tube);
        kill_and_start();
    }
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    kill_and_start();
    ck_assert_uint_gt(put("t", &known, 0), other);
}
END_TEST

// Who keeps records, as far as keys go.
static struct {
    unsigned asked;
    uint64_t id; // what is answered
    void (*meanwhile)(void);
} keeper;

static int key_kept(struct broker_key_question *question, void *arg)
{
    ck_assert_uint_eq(question->submitter, JOB_NOBODY); // as specs here have it
    ck_assert_ptr_eq(arg, &records);
    ck_assert_str_eq(question->tube, "t");
    ck_assert_str_eq(question->key, "k");
    question->id = keeper.id;
    void (*meanwhile)(void) = keeper.meanwhile;
    keeper.asked++;
    keeper.meanwhile = NULL;
    if (meanwhile != NULL)
        meanwhile();
    return 0;
}

static const struct job_options keyed = {.key = "k"};

// What a put says, and whose id it tells.
static int put_rc(const struct job_options *options, uint64_t *id)
{
    struct tube *tube;
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    struct job_body *body = engine_body("again");
    const struct broker_put_spec spec = {.submitter = JOB_NOBODY, .tube = tube, .options = options};
    int rc = broker_put(durable.broker, &spec, &body, id);
    job_body_unref(&body);
    broker_unuse(durable.broker, &tube);
    return rc;
}

static uint64_t put_and_run(const struct job_options *options)
{
    uint64_t id = put("t", options, 0);
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&consumer);
    return id;
}

static void keep_keys(void)
{
    memset(&keeper, 0, sizeof(keeper));
    ck_assert_int_eq(durable_close(&durable), 0);
    durable.options.key_kept = key_kept;
    durable_again(&durable);
}

START_TEST(a_key_is_asked_of_who_keeps_records)
{
    uint64_t told = 0;
    keep_keys();
    (void)put("t", NULL, 0);
    ck_assert_uint_eq(keeper.asked, 0);
    uint64_t id = put("t", &keyed, 0);
    ck_assert_uint_eq(keeper.asked, 1);
    ck_assert_int_eq(put_rc(&keyed, &told), EEXIST); // it is here, so nobody is asked
    ck_assert_uint_eq(told, id);
    ck_assert_uint_eq(keeper.asked, 1);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    keeper.id = 1; // of a record
    ck_assert_int_eq(put_rc(&keyed, &told), EEXIST);
    ck_assert_uint_eq(told, 1);
    ck_assert_uint_eq(keeper.asked, 2);
    keeper.id = 0; // which has gone
    ck_assert_int_eq(put_rc(&keyed, &told), 0);
    ck_assert_uint_gt(told, id);
}
END_TEST

static uint64_t ran;

static void one_runs(void)
{
    ran = put_and_run(&keyed);
}

static void one_runs_without_record(void)
{
    const struct job_options bare = {.set = JOB_OPTION_RETENTION, .key = "k"};
    ran = put_and_run(&bare);
}

// Between the question and the put a job of the same key comes and goes.
START_TEST(a_key_is_watched_while_it_is_asked_for)
{
    uint64_t told = 0;
    keep_keys();
    keeper.meanwhile = one_runs;
    ck_assert_int_eq(put_rc(&keyed, &told), EEXIST);
    ck_assert_uint_eq(told, ran);
    ck_assert_uint_eq(keeper.asked, 2);
    ck_assert_uint_eq(records.count, 1);
    keeper.meanwhile = one_runs_without_record;
    ck_assert_int_eq(put_rc(&keyed, &told), 0);
    ck_assert_uint_gt(told, ran);
    ck_assert_uint_eq(records.count, 1);
}
END_TEST

// The key of a job that leaves no record is free at once.
START_TEST(a_key_without_record_is_free)
{
    const struct job_options bare = {.set = JOB_OPTION_RETENTION, .key = "k"};
    uint64_t told = 0;
    keep_keys();
    uint64_t id = put_and_run(&bare);
    ck_assert_int_eq(put_rc(&bare, &told), 0);
    ck_assert_uint_gt(told, id);
}
END_TEST

static void do_nothing(struct later *later)
{
    (void)later;
}

// Of two puts of one key that wait for room the second one is the first, also if that has run
// before there is room for the second.
START_TEST(a_key_is_watched_while_its_put_waits)
{
    struct tube *tube;
    struct broker_op putters[2] = {{.later.fire = do_nothing}, {.later.fire = do_nothing}};
    ck_assert_int_eq(durable_close(&durable), 0);
    durable.options.key_kept = key_kept;
    durable.options.put_waits = true;
    durable.options.tube_bytes_max = 4;
    memset(&keeper, 0, sizeof(keeper));
    durable_again(&durable);
    uint64_t first = put("t", NULL, 0);
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    const struct broker_put_spec spec = {.submitter = JOB_NOBODY, .tube = tube, .options = &keyed};
    for (size_t i = 0; i < 2; i++) {
        struct job_body *body = engine_body("four");
        ck_assert_int_eq(broker_put_wait(durable.broker, &spec, &body, &putters[i]), EINPROGRESS);
    }
    ck_assert_uint_eq(keeper.asked, 2);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, first), 0);
    ck_assert_int_eq(putters[0].later.result, 0);
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), putters[0].id);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_DONE), 0);
    ck_assert_int_eq(putters[1].later.result, EEXIST);
    broker_op_fini(&putters[1]);
    ck_assert_uint_eq(putters[1].id, putters[0].id);
    struct job_body *body = engine_body("four");
    struct broker_op third = {.later.fire = do_nothing};
    ck_assert_int_eq(broker_put_wait(durable.broker, &spec, &body, &third), 0); // none is kept
    broker_consumer_free(&consumer);
    broker_unuse(durable.broker, &tube);
}
END_TEST

START_TEST(at_is_kept_as_a_moment)
{
    const struct job_options timed = {.set = JOB_OPTION_AT,
                                      .at_wall_ns = clock_wall_ns() + 100 * HL_SECOND};
    uint64_t id = put("t", &timed, 0), again = put("t", &timed, 0);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, again), 0);
    struct engine_conn conn;
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
    ck_assert_uint_eq(engine_reserve(&conn), again);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, again, 0, 1, 100 * HL_SECOND), 0);
    engine_conn_fini(&conn);
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    clock_virtual_step(30 * HL_SECOND); // while it was down
    durable_again(&durable);
    ck_assert_int_eq(engine_view(durable.broker, id).time_left_ns, 70 * HL_SECOND);
    clock_virtual_step(20 * HL_SECOND);
    broker_clock_look(durable.broker);
    ck_assert_int_eq(engine_view(durable.broker, id).time_left_ns, 50 * HL_SECOND);
    ck_assert_int_eq(engine_view(durable.broker, again).time_left_ns, 70 * HL_SECOND);
    clock_virtual_advance(50 * HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_int_eq(engine_view(durable.broker, id).state, JOB_READY);
    ck_assert_int_eq(engine_view(durable.broker, again).state, JOB_DELAYED);
}
END_TEST

START_TEST(the_record_has_them)
{
    uint64_t id = put("t", &asked, 0);
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&consumer);
    engine_records_await(&records, 1);
    const struct job_record *record = records.record[0];
    ck_assert_str_eq(record->name, "nightly");
    ck_assert_str_eq(record->group, "batch");
    ck_assert_str_eq(record->key, "");
    ck_assert(job_tags_have(record->tags, record->tags_size, "red"));
    ck_assert_int_eq(record->retention_ns, 3600 * HL_SECOND);
    // The next job gets the side record that this one left, and none of its options.
    id = put("t", NULL, 5 * HL_SECOND);
    ck_assert_str_eq(engine_view(durable.broker, id).name, "");
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_options");
    TCase *all = tcase_create("broker_options");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, they_outlive_a_kill);
    tcase_add_test(all, they_outlive_changes_and_compaction);
    tcase_add_test(all, keys_are_known_after_a_start);
    tcase_add_test(all, a_key_is_asked_of_who_keeps_records);
    tcase_add_test(all, a_key_is_watched_while_it_is_asked_for);
    tcase_add_test(all, a_key_without_record_is_free);
    tcase_add_test(all, a_key_is_watched_while_its_put_waits);
    tcase_add_test(all, at_is_kept_as_a_moment);
    tcase_add_test(all, the_record_has_them);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
