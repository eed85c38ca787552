// SPDX-License-Identifier: MIT
// The rules of retries in the broker: counted by kind, with their pauses, of local and remote
// workers; and what of it is still there after a kill.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct durable durable;
static struct broker_consumer *consumer;
static struct engine_records records;
static struct job_options options;

static void consumer_open(void)
{
    consumer = engine_consumer(durable.broker, "t");
    broker_chance(durable.broker, 1);
}

static void setup(void)
{
    durable_begin(&durable, &records);
    consumer_open();
    memset(&options, 0, sizeof(options));
    options.name = options.group = options.key = "";
}

static void teardown(void)
{
    broker_consumer_free(&consumer);
    durable_end(&durable, &records);
}

static void kill_and_start(void)
{
    durable_commit(&durable);
    broker_consumer_free(&consumer);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    consumer_open();
}

// With `options`.
static uint64_t put(void)
{
    struct tube *tube;
    struct job_body *body = engine_body("x");
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .pri = 5, .ttr_ns = HL_SECOND, .options = &options};
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    broker_unuse(durable.broker, &tube);
    return id;
}

static void rule(uint32_t bit)
{
    options.rules.set |= bit;
}

static struct job_rules pool_rules;

// Takes the only ready job and ends the attempt so.
static void attempt(enum job_outcome_kind kind, const char *reason)
{
    struct broker_lease lease;
    struct job_outcome outcome;
    ck_assert_uint_ne(engine_take(consumer, &lease), 0);
    job_outcome_init(&outcome);
    outcome.kind = kind;
    outcome.exit_status = kind == JOB_OUTCOME_FAILED ? 3 : -1;
    outcome.started_ns = clock_now_ns();
    outcome.rules = &pool_rules;
    job_outcome_reason(&outcome, "%s", reason);
    clock_virtual_advance(HL_SECOND);
    outcome.ended_ns = clock_now_ns();
    ck_assert_int_eq(broker_settle(durable.broker, lease.id, lease.token, &outcome), 0);
    broker_lease_fini(&lease);
    job_outcome_fini(&outcome);
}

static struct job_view view(uint64_t id)
{
    return engine_view(durable.broker, id);
}

// Until its pause is over.
static void ripen(uint64_t id)
{
    clock_virtual_advance(view(id).time_left_ns);
    (void)broker_due(durable.broker);
    ck_assert_int_eq(view(id).state, JOB_READY);
}

START_TEST(a_failed_job_is_buried_at_once_without_rules)
{
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "no");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_str_eq(view(id).reason, "no");
    ck_assert_uint_eq(view(id).tries.failures, 1);
    ck_assert_uint_eq(records.count, 1);
    ck_assert_uint_eq(records.record[0]->earlier_count, 0);
}
END_TEST

START_TEST(a_failed_job_is_tried_again_and_buried_in_the_end)
{
    rule(JOB_RULE_ATTEMPTS);
    options.rules.attempts = 3;
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "first");
    ck_assert_int_eq(view(id).state, JOB_DELAYED);
    ck_assert_int_ge(view(id).delay_ns, HL_SECOND * 8 / 10);
    ck_assert_int_le(view(id).delay_ns, HL_SECOND);
    ck_assert_uint_eq(engine_stats(durable.broker).unfinished, 1);
    ck_assert_uint_eq(engine_stats(durable.broker).retries, 1);
    ripen(id);
    attempt(JOB_OUTCOME_FAILED, "second");
    ck_assert_int_ge(view(id).delay_ns, 2 * HL_SECOND * 8 / 10);
    ck_assert_uint_eq(records.count, 0);
    ripen(id);
    attempt(JOB_OUTCOME_FAILED, "third");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_str_eq(view(id).reason, "third");
    ck_assert_uint_eq(engine_stats(durable.broker).unfinished, 0);
    ck_assert_uint_eq(engine_stats(durable.broker).totals.failed, 1);
    const struct job_record *record = records.record[0];
    ck_assert_uint_eq(records.count, 1);
    ck_assert_uint_eq(record->earlier_count, 2);
    ck_assert_str_eq(record->earlier[0].reason, "first");
    ck_assert_int_eq(record->earlier[0].kind, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(record->earlier[0].exit_status, 3);
    ck_assert_int_eq(record->earlier[0].ended_wall_ns - record->earlier[0].started_wall_ns,
                     HL_SECOND);
    ck_assert_str_eq(record->earlier[1].reason, "second");
    ck_assert_str_eq(record->reason, "third");
}
END_TEST

START_TEST(a_retry_then_success)
{
    uint64_t id = put();
    attempt(JOB_OUTCOME_RETRY, "busy"); // without rules it is given what it asks for
    ripen(id);
    attempt(JOB_OUTCOME_DONE, "");
    ck_assert_uint_eq(records.count, 1);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(records.record[0]->earlier_count, 1);
    ck_assert_uint_eq(engine_stats(durable.broker).totals.done, 1);
}
END_TEST

START_TEST(who_asks_too_often_has_failed)
{
    uint64_t id = put();
    for (int i = 1; i < JOB_RETRIES_DEFAULT; i++) {
        attempt(JOB_OUTCOME_RETRY, "busy");
        ripen(id);
    }
    attempt(JOB_OUTCOME_RETRY, "still busy");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_FAILED);
    ck_assert_uint_eq(records.record[0]->earlier_count, JOB_PAST_MAX);
}
END_TEST

START_TEST(kinds_are_counted_apart)
{
    rule(JOB_RULE_ATTEMPTS | JOB_RULE_TIMEOUTS | JOB_RULE_CRASHES);
    options.rules.attempts = options.rules.timeouts = options.rules.crashes = 2;
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "f");
    ripen(id);
    attempt(JOB_OUTCOME_TIMEOUT, "t");
    ripen(id);
    attempt(JOB_OUTCOME_CRASHED, "c");
    ck_assert_int_eq(view(id).state, JOB_DELAYED);
    ck_assert_uint_eq(view(id).tries.failures, 1);
    ck_assert_uint_eq(view(id).tries.timeouts, 1);
    ck_assert_uint_eq(view(id).tries.crashes, 1);
    ripen(id);
    attempt(JOB_OUTCOME_CRASHED, "c again");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_CRASHED);
}
END_TEST

START_TEST(a_crash_is_forgiven_and_buried_ends_at_once)
{
    uint64_t id = put();
    for (int i = 1; i < JOB_CRASHES_DEFAULT; i++) {
        attempt(JOB_OUTCOME_CRASHED, "gone");
        ripen(id);
    }
    attempt(JOB_OUTCOME_CRASHED, "gone");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    rule(JOB_RULE_ATTEMPTS);
    options.rules.attempts = 100;
    id = put();
    attempt(JOB_OUTCOME_BURIED, "never");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_int_eq(records.record[1]->kind, JOB_OUTCOME_BURIED);
}
END_TEST

START_TEST(the_job_goes_before_the_tube_before_the_pool)
{
    struct job_rules tube = {.set = JOB_RULE_ATTEMPTS | JOB_RULE_BACKOFF | JOB_RULE_JITTER,
                             .attempts = 2,
                             .backoff_ns = 7 * HL_SECOND};
    pool_rules = (struct job_rules){
        .set = JOB_RULE_ATTEMPTS | JOB_RULE_BACKOFF, .attempts = 9, .backoff_ns = 11 * HL_SECOND};
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "by the pool");
    ck_assert_int_gt(view(id).delay_ns, 8 * HL_SECOND);
    ripen(id);
    ck_assert_int_eq(broker_tube_rules(durable.broker, "t", 1, &tube), 0);
    attempt(JOB_OUTCOME_FAILED, "by the tube");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    rule(JOB_RULE_ATTEMPTS);
    options.rules.attempts = 3;
    id = put();
    attempt(JOB_OUTCOME_FAILED, "by itself");
    ck_assert_int_eq(view(id).delay_ns, 7 * HL_SECOND);
    pool_rules = (struct job_rules){.set = 0};
    ck_assert_int_eq(broker_tube_rules(durable.broker, "", 0, &tube), EINVAL);
}
END_TEST

// ---- age ----

static void kick(uint64_t id, bool reset)
{
    const struct broker_change change = {.action = BROKER_DO_KICK, .reset = reset};
    enum job_state state;
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &change, &state, NULL), 0);
}

// Attempts without end, as far as their number counts.
static void endless(int64_t max_age_ns)
{
    rule(JOB_RULE_ATTEMPTS | JOB_RULE_CRASHES | JOB_RULE_TIMEOUTS | JOB_RULE_BACKOFF |
         JOB_RULE_MAX_AGE);
    options.rules.attempts = options.rules.crashes = options.rules.timeouts = 1000;
    options.rules.max_age_ns = max_age_ns;
}

START_TEST(a_job_that_fails_is_buried_when_it_is_old)
{
    endless(3 * HL_SECOND);
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "1"); // each takes a second
    attempt(JOB_OUTCOME_FAILED, "2");
    attempt(JOB_OUTCOME_FAILED, "3"); // just so old
    ck_assert_int_eq(view(id).state, JOB_READY);
    ck_assert_uint_eq(records.count, 0);
    attempt(JOB_OUTCOME_FAILED, "4");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_str_eq(view(id).reason, "4");
    ck_assert_uint_eq(view(id).tries.failures, 4);
    ck_assert_uint_eq(engine_stats(durable.broker).totals.failed, 1);
    ck_assert_uint_eq(records.count, 1);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_FAILED);
    ck_assert_uint_eq(records.record[0]->earlier_count, 3);
}
END_TEST

// What ends so, and as what it is buried.
static const enum job_outcome_kind troubles[][2] = {{JOB_OUTCOME_FAILED, JOB_OUTCOME_FAILED},
                                                    {JOB_OUTCOME_RETRY, JOB_OUTCOME_FAILED},
                                                    {JOB_OUTCOME_TIMEOUT, JOB_OUTCOME_TIMEOUT},
                                                    {JOB_OUTCOME_CRASHED, JOB_OUTCOME_CRASHED},
                                                    {JOB_OUTCOME_LOST, JOB_OUTCOME_LOST}};
#define TROUBLES (int)(sizeof(troubles) / sizeof(troubles[0]))

START_TEST(any_trouble_is_the_last_of_an_old_job)
{
    endless(HL_SECOND);
    uint64_t id = put();
    attempt(troubles[_i][0], "young");
    ck_assert_int_eq(view(id).state, JOB_READY);
    clock_virtual_advance(100 * HL_SECOND); // it waits as long as it likes
    (void)broker_due(durable.broker);
    ck_assert_int_eq(view(id).state, JOB_READY);
    attempt(troubles[_i][0], "old");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_str_eq(view(id).reason, "old");
    ck_assert_int_eq(records.record[0]->kind, troubles[_i][1]);
    kick(id, true); // that makes it no younger
    ck_assert_int_eq(view(id).state, JOB_READY);
    attempt(troubles[_i][0], "older");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
}
END_TEST

START_TEST(no_trouble_is_none_of_an_old_job)
{
    endless(HL_SECOND);
    uint64_t id = put();
    clock_virtual_advance(100 * HL_SECOND);
    attempt(JOB_OUTCOME_RETURNED, "");
    ck_assert_int_eq(view(id).state, JOB_READY);
    attempt(JOB_OUTCOME_DONE, "");
    ck_assert_uint_eq(records.count, 1);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_DONE);
    options.rules.max_age_ns = 0; // no limit
    id = put();
    clock_virtual_advance(100 * HL_SECOND);
    attempt(JOB_OUTCOME_FAILED, "no");
    ck_assert_int_eq(view(id).state, JOB_READY);
}
END_TEST

START_TEST(an_age_is_the_jobs_the_tubes_or_the_pools)
{
    struct job_rules tube = {.set = JOB_RULE_MAX_AGE, .max_age_ns = 0};
    pool_rules = (struct job_rules){.set = JOB_RULE_MAX_AGE, .max_age_ns = HL_SECOND / 2};
    endless(0);
    options.rules.set &= ~(uint32_t)JOB_RULE_MAX_AGE;
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "by the pool");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_int_eq(broker_tube_rules(durable.broker, "t", 1, &tube), 0);
    id = put();
    attempt(JOB_OUTCOME_FAILED, "by the tube at no age");
    ck_assert_int_eq(view(id).state, JOB_READY);
    tube.max_age_ns = HL_SECOND + HL_SECOND / 2;
    ck_assert_int_eq(broker_tube_rules(durable.broker, "t", 1, &tube), 0);
    attempt(JOB_OUTCOME_FAILED, "by the tube");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    endless(3 * HL_SECOND);
    id = put();
    for (int i = 0; i < 3; i++) {
        attempt(JOB_OUTCOME_FAILED, "by itself");
        ck_assert_int_eq(view(id).state, JOB_READY);
    }
    attempt(JOB_OUTCOME_FAILED, "by itself");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    pool_rules = (struct job_rules){.set = 0};
}
END_TEST

START_TEST(a_kill_keeps_the_age)
{
    endless(5 * HL_SECOND);
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "1");
    for (int second = 2; second <= 5; second++) {
        kill_and_start();
        ck_assert_int_eq(view(id).rules.max_age_ns, 5 * HL_SECOND);
        ck_assert_int_eq(view(id).state, JOB_READY);
        attempt(JOB_OUTCOME_FAILED, "more");
    }
    ck_assert_int_eq(view(id).state, JOB_READY);
    kill_and_start();
    attempt(JOB_OUTCOME_FAILED, "6");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    kill_and_start();
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_str_eq(view(id).reason, "6");
}
END_TEST

START_TEST(a_kill_keeps_pause_counters_and_attempts)
{
    rule(JOB_RULE_ATTEMPTS | JOB_RULE_BACKOFF);
    options.rules.attempts = 12;
    options.rules.backoff_ns = 100 * HL_SECOND;
    uint64_t id = put();
    for (int i = 0; i < 9; i++) {
        char reason[16];
        snprintf(reason, sizeof(reason), "no %d", i);
        attempt(JOB_OUTCOME_FAILED, reason);
        if (i < 8)
            ripen(id);
    }
    struct job_view before = view(id);
    for (int round = 0; round < 2; round++) { // from its changes, then from a copy
        kill_and_start();
        struct job_view after = view(id);
        ck_assert_int_eq(after.state, JOB_DELAYED);
        ck_assert_int_eq(after.time_left_ns, before.time_left_ns);
        ck_assert_uint_eq(after.tries.failures, 9);
        ck_assert_uint_eq(after.reserves, 9);
        ck_assert_uint_eq(after.past_count, JOB_PAST_MAX);
        ck_assert_str_eq(after.past[0].reason, "no 1");
        ck_assert_str_eq(after.past[7].reason, "no 8");
        ck_assert_int_eq(after.past[7].exit_status, 3);
        ck_assert_int_eq(after.past[7].started_wall_ns, before.past[7].started_wall_ns);
        for (int i = 0; i < 4000; i++) { // until the segment of the job was compacted
            uint64_t filler = engine_put(durable.broker, "other", 5, 0, "so many bytes of a body");
            durable_commit(&durable);
            ck_assert_int_eq(broker_delete(durable.broker, &trust_all, filler), 0);
            if (i % 16 == 0)
                (void)durable_compact(&durable);
        }
    }
}
END_TEST

START_TEST(a_buried_job_keeps_its_last_attempt)
{
    rule(JOB_RULE_ATTEMPTS);
    options.rules.attempts = 1;
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "why");
    kill_and_start();
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_uint_eq(view(id).tries.failures, 1);
    ck_assert_uint_eq(view(id).past_count, 1);
    ck_assert_str_eq(view(id).past[0].reason, "why");
    ck_assert_str_eq(view(id).reason, "why");
}
END_TEST

START_TEST(a_kick_gives_one_more_attempt_or_all)
{
    rule(JOB_RULE_ATTEMPTS);
    options.rules.attempts = 2;
    uint64_t id = put();
    attempt(JOB_OUTCOME_FAILED, "1");
    ripen(id);
    attempt(JOB_OUTCOME_FAILED, "2");
    kick(id, false);
    kill_and_start();
    ck_assert_uint_eq(view(id).tries.failures, 2);
    attempt(JOB_OUTCOME_FAILED, "3");
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    kick(id, true);
    kill_and_start();
    ck_assert_uint_eq(view(id).tries.failures, 0);
    ck_assert_uint_eq(view(id).kicks, 2);
    attempt(JOB_OUTCOME_FAILED, "4");
    ck_assert_int_eq(view(id).state, JOB_DELAYED);
}
END_TEST

// ---- remote workers ----

static struct engine_conn conn;

static void conn_open(void)
{
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
}

static void expire(void)
{
    clock_virtual_advance(HL_SECOND);
    (void)broker_due(durable.broker);
}

START_TEST(a_ttr_is_forgiven_without_rules)
{
    conn_open();
    uint64_t id = put();
    for (int i = 0; i < 50; i++) {
        ck_assert_uint_eq(engine_reserve(&conn), id);
        expire();
    }
    ck_assert_int_eq(view(id).state, JOB_READY);
    ck_assert_uint_eq(view(id).tries.timeouts, 50);
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(engine_reserve(&conn), id);
        (void)engine_conn_fini(&conn);
        conn_open();
    }
    ck_assert_int_eq(view(id).state, JOB_READY);
    ck_assert_uint_eq(view(id).tries.losses, 5);
    (void)engine_conn_fini(&conn);
}
END_TEST

START_TEST(a_ttr_counts_against_the_limit)
{
    conn_open();
    rule(JOB_RULE_ATTEMPTS);
    options.rules.attempts = 2;
    uint64_t id = put();
    ck_assert_uint_eq(engine_reserve(&conn), id);
    expire();
    ck_assert_int_eq(view(id).state, JOB_READY);
    uint64_t token;
    ck_assert_uint_eq(engine_reserve_token(&conn, &token), id);
    expire();
    ck_assert_int_eq(view(id).state, JOB_BURIED);
    ck_assert_ptr_nonnull(strstr(view(id).reason, "TTR of 1 s"));
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_TIMEOUT);
    ck_assert_int_eq(broker_touch(&conn.client, &trust_all, id, token), ESTALE);
    (void)engine_conn_fini(&conn);
}
END_TEST

START_TEST(losses_count_against_their_limit)
{
    const struct job_rules tube = {.set = JOB_RULE_LOSSES, .losses = 2};
    ck_assert_int_eq(broker_tube_rules(durable.broker, "t", 1, &tube), 0);
    uint64_t ids[3];
    conn_open();
    for (int i = 0; i < 3; i++)
        ids[i] = put();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            ck_assert_uint_ne(engine_reserve(&conn), 0);
        (void)engine_conn_fini(&conn);
        if (round == 0) {
            kill_and_start();
            ck_assert_int_eq(broker_tube_rules(durable.broker, "t", 1, &tube), 0);
            ck_assert_uint_eq(view(ids[1]).tries.losses, 1);
        }
        conn_open();
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(view(ids[i]).state, JOB_BURIED);
        ck_assert_int_eq(records.record[i]->kind, JOB_OUTCOME_LOST);
    }
    (void)engine_conn_fini(&conn);
}
END_TEST

START_TEST(an_old_job_of_a_remote_worker_is_buried)
{
    const struct job_rules tube = {.set = JOB_RULE_MAX_AGE, .max_age_ns = 3 * HL_SECOND};
    ck_assert_int_eq(broker_tube_rules(durable.broker, "t", 1, &tube), 0);
    conn_open();
    uint64_t late = put();
    for (int i = 0; i < 3; i++) { // each a second
        ck_assert_uint_eq(engine_reserve(&conn), late);
        expire();
        ck_assert_int_eq(view(late).state, JOB_READY);
    }
    clock_virtual_advance(HL_SECOND); // who gives an old one back has no trouble with it
    ck_assert_uint_eq(engine_reserve(&conn), late);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, late, 0, 5, 0), 0);
    ck_assert_int_eq(view(late).state, JOB_READY);
    uint64_t token;
    ck_assert_uint_eq(engine_reserve_token(&conn, &token), late);
    expire();
    ck_assert_int_eq(view(late).state, JOB_BURIED);
    ck_assert_ptr_nonnull(strstr(view(late).reason, "TTR of 1 s"));
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_TIMEOUT);
    // Of three leases that are lost two are old.
    uint64_t ids[3];
    ids[0] = put();
    ids[1] = put();
    clock_virtual_advance(4 * HL_SECOND);
    ids[2] = put();
    for (int i = 0; i < 3; i++)
        ck_assert_uint_ne(engine_reserve(&conn), 0);
    (void)engine_conn_fini(&conn);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(view(ids[i]).state, JOB_BURIED);
        ck_assert_uint_eq(view(ids[i]).tries.losses, 1);
        ck_assert_int_eq(records.record[1 + i]->kind, JOB_OUTCOME_LOST);
    }
    ck_assert_int_eq(view(ids[2]).state, JOB_READY);
    ck_assert_uint_eq(view(ids[2]).tries.losses, 1);
    ck_assert_uint_eq(records.count, 3);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("retry");
    TCase *local = tcase_create("local");
    tcase_add_checked_fixture(local, setup, teardown);
    tcase_add_test(local, a_failed_job_is_buried_at_once_without_rules);
    tcase_add_test(local, a_failed_job_is_tried_again_and_buried_in_the_end);
    tcase_add_test(local, a_retry_then_success);
    tcase_add_test(local, who_asks_too_often_has_failed);
    tcase_add_test(local, kinds_are_counted_apart);
    tcase_add_test(local, a_crash_is_forgiven_and_buried_ends_at_once);
    tcase_add_test(local, the_job_goes_before_the_tube_before_the_pool);
    tcase_add_test(local, a_job_that_fails_is_buried_when_it_is_old);
    tcase_add_loop_test(local, any_trouble_is_the_last_of_an_old_job, 0, TROUBLES);
    tcase_add_test(local, no_trouble_is_none_of_an_old_job);
    tcase_add_test(local, an_age_is_the_jobs_the_tubes_or_the_pools);
    tcase_add_test(local, a_kill_keeps_the_age);
    tcase_add_test(local, a_kill_keeps_pause_counters_and_attempts);
    tcase_add_test(local, a_buried_job_keeps_its_last_attempt);
    tcase_add_test(local, a_kick_gives_one_more_attempt_or_all);
    suite_add_tcase(suite, local);
    TCase *remote = tcase_create("remote");
    tcase_add_checked_fixture(remote, setup, teardown);
    tcase_add_test(remote, a_ttr_is_forgiven_without_rules);
    tcase_add_test(remote, a_ttr_counts_against_the_limit);
    tcase_add_test(remote, losses_count_against_their_limit);
    tcase_add_test(remote, an_old_job_of_a_remote_worker_is_buried);
    suite_add_tcase(suite, remote);
    return unit_main(suite);
}
