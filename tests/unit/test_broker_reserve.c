// SPDX-License-Identifier: MIT
// How connections get jobs: watch lists, reserve at once and by waiting, deadline soon, by id, in
// batches, with limits. The clock is virtual; time is the test's to move.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct broker *broker;
static struct engine_conn a, b;

static void setup(void)
{
    clock_virtual_start(HL_SECOND);
    ck_assert_int_eq(broker_new(&broker, NULL), 0);
    engine_conn_init(&a, broker);
    engine_conn_init(&b, broker);
}

static void teardown(void)
{
    (void)engine_conn_fini(&a);
    (void)engine_conn_fini(&b);
    broker_free(&broker);
    clock_virtual_stop();
}

static uint64_t put(const char *tube, uint32_t pri)
{
    return engine_put(broker, tube, pri, 0, "body");
}

static void pass(int64_t by_ns)
{
    clock_virtual_advance(by_ns);
    (void)broker_due(broker);
}

static size_t watch(struct engine_conn *conn, const char *tube)
{
    size_t count;
    ck_assert_int_eq(broker_watch(&conn->client, tube, strlen(tube), &count), 0);
    return count;
}

static int ignore(struct engine_conn *conn, const char *tube, size_t *count)
{
    return broker_ignore(&conn->client, tube, strlen(tube), count);
}

static const char *watched(size_t index)
{
    return broker_watch_name(&a.client, index);
}

// ---- watching ----

START_TEST(the_watch_list_keeps_its_order)
{
    size_t count;
    ck_assert_uint_eq(broker_watch_count(&a.client), 1);
    ck_assert_str_eq(watched(0), "default");
    ck_assert_uint_eq(watch(&a, "x"), 2);
    ck_assert_uint_eq(watch(&a, "y"), 3);
    ck_assert_uint_eq(watch(&a, "x"), 3); // again: nothing changes
    ck_assert_int_eq(ignore(&a, "nobody-knows-it", &count), 0);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(ignore(&a, "default", &count), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(watched(0), "y"); // the last one moved into the hole
    ck_assert_str_eq(watched(1), "x");
    ck_assert_int_eq(ignore(&a, "y", &count), 0);
    ck_assert_int_eq(ignore(&a, "x", &count), EBUSY);
    ck_assert_str_eq(watched(0), "x");
    ck_assert_int_eq(broker_watch(&a.client, "-bad", 4, &count), EINVAL);
}
END_TEST

START_TEST(a_watched_tube_exists_and_vanishes)
{
    size_t count;
    struct broker_stats stats;
    watch(&a, "x");
    ck_assert_uint_eq(engine_tube_stats(broker, "x").watching, 1);
    ck_assert_int_eq(ignore(&a, "x", &count), 0);
    ck_assert_int_eq(broker_tube_stats(broker, "x", 1, &stats), ENOENT);
}
END_TEST

START_TEST(many_watched_tubes)
{
    char name[16];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        ck_assert_uint_eq(watch(&a, name), (size_t)i + 2);
    }
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    uint64_t got, id = put("t299", 0);
    ck_assert_uint_eq(a.fired, 1);
    ck_assert_int_eq(engine_finish(&a, &got), 0);
    ck_assert_uint_eq(got, id);
}
END_TEST

// ---- at once ----

START_TEST(the_best_job_of_all_watched_tubes)
{
    watch(&a, "x");
    put("not-watched", 0);
    uint64_t late = put("default", 5), early = put("x", 5), urgent = put("x", 1);
    ck_assert_uint_eq(engine_reserve(&a), urgent);
    ck_assert_uint_eq(engine_reserve(&a), late); // the same priority: by id, whatever the tube
    ck_assert_uint_eq(engine_reserve(&a), early);
    ck_assert_uint_eq(engine_reserve(&a), 0);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_RESERVED], 3);
    ck_assert_uint_eq(engine_view(broker, urgent).reserves, 1);
}
END_TEST

START_TEST(a_lease_has_all_of_the_job)
{
    uint64_t id = put("default", 7);
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve(&a.client, &a.reserver, 0, 0, &lease), 0);
    ck_assert_uint_eq(lease.id, id);
    ck_assert_uint_eq(lease.pri, 7);
    ck_assert_uint_eq(lease.attempt, 1);
    ck_assert_int_eq(lease.ttr_ns, 60 * HL_SECOND);
    ck_assert_mem_eq(lease.body->bytes, "body", 4);
    broker_lease_fini(&lease);
    ck_assert_int_eq(engine_view(broker, id).time_left_ns, 60 * HL_SECOND);
}
END_TEST

START_TEST(by_id_from_anywhere)
{
    uint64_t ready = put("x", 1);
    uint64_t delayed = engine_put(broker, "y", 1, HL_SECOND, "later");
    struct broker_lease lease;
    ck_assert_int_eq(broker_pause(broker, &trust_all, "x", 1, HL_SECOND), 0);
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, ready, 0, &lease), 0);
    broker_lease_fini(&lease);
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, delayed, 0, &lease), 0);
    broker_lease_fini(&lease);
    ck_assert_int_eq(broker_reserve_job(&b.client, &trust_all, ready, 0, &lease), ENOENT);
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, ready, 0, &lease),
                     ENOENT); // not even itself
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, 999, 0, &lease), ENOENT);
    // Buried: it was finished, and now it is not.
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, ready, 0, 1), 0);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 1);
    ck_assert_int_eq(broker_reserve_job(&b.client, &trust_all, ready, 0, &lease), 0);
    broker_lease_fini(&lease);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 2);
    pass(60 * HL_SECOND); // it comes back ready, neither buried nor delayed
    ck_assert_int_eq(engine_view(broker, ready).state, JOB_READY);
    ck_assert_int_eq(engine_view(broker, delayed).state, JOB_READY);
}
END_TEST

START_TEST(a_batch_never_waits)
{
    struct broker_lease leases[5];
    size_t count = 99;
    ck_assert_int_eq(broker_reserve_batch(&a.client, 5, 0, leases, &count), ETIMEDOUT);
    ck_assert_uint_eq(count, 0);
    uint64_t second = put("default", 2), first = put("default", 1), third = put("default", 3);
    ck_assert_int_eq(broker_reserve_batch(&a.client, 2, 0, leases, &count), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(leases[0].id, first);
    ck_assert_uint_eq(leases[1].id, second);
    ck_assert_int_eq(broker_reserve_batch(&a.client, 3, 0, leases + 2, &count), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(leases[2].id, third);
    for (int i = 0; i < 3; i++)
        broker_lease_fini(&leases[i]);
}
END_TEST

// ---- waiting ----

START_TEST(who_waits_is_given_the_next_job)
{
    uint64_t id, got;
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    ck_assert(broker_is_reserving(&a.client));
    ck_assert_uint_eq(engine_stats(broker).waiting, 1);
    ck_assert_uint_eq(engine_tube_stats(broker, "default").waiting, 1);
    id = put("default", 0);
    ck_assert_uint_eq(a.fired, 1);
    ck_assert_uint_eq(engine_stats(broker).waiting, 0);
    ck_assert_int_eq(engine_view(broker, id).state, JOB_RESERVED); // from this moment
    ck_assert_uint_eq(engine_reserve(&b), 0);
    ck_assert_int_eq(engine_finish(&a, &got), 0);
    ck_assert_uint_eq(got, id);
    ck_assert(!broker_is_reserving(&a.client));
}
END_TEST

static void take_one(void *arg)
{
    uint64_t *id = arg;
    struct broker_consumer *consumer = engine_consumer(broker, "default");
    struct broker_lease lease;
    ck_assert_int_eq(broker_take(consumer, &lease, HL_FOREVER), 0);
    *id = lease.id;
    ck_assert_int_eq(engine_settle(broker, &lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&consumer);
}

START_TEST(workers_and_connections_stand_in_one_line)
{
    uint64_t by_a, by_worker = 0, by_b;
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    hl_thread *worker = engine_thread(take_one, &by_worker);
    engine_await_waiting(broker, 2);
    ck_assert_int_eq(engine_reserve_rc(&b, HL_FOREVER, NULL), EINPROGRESS);
    uint64_t first = put("default", 9), second = put("default", 9), third = put("default", 0);
    engine_thread_join(&worker);
    ck_assert_int_eq(engine_finish(&a, &by_a), 0);
    ck_assert_int_eq(engine_finish(&b, &by_b), 0);
    ck_assert_uint_eq(by_a, first);
    ck_assert_uint_eq(by_worker, second);
    ck_assert_uint_eq(by_b, third);
}
END_TEST

START_TEST(a_wait_has_an_end)
{
    uint64_t id;
    ck_assert_int_eq(engine_reserve_rc(&a, 10 * HL_SECOND, NULL), EINPROGRESS);
    pass(10 * HL_SECOND - 1);
    ck_assert_uint_eq(a.fired, 0);
    pass(1);
    ck_assert_uint_eq(a.fired, 1);
    ck_assert_int_eq(engine_finish(&a, &id), ETIMEDOUT);
    ck_assert_uint_eq(engine_stats(broker).waiting, 0);
    ck_assert_uint_ne(put("default", 0), 0);
    ck_assert_uint_eq(a.fired, 1);
}
END_TEST

START_TEST(a_cancelled_wait_gets_nothing)
{
    ck_assert(!later_cancel(&a.reserver.wait.later)); // it didn't wait
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    ck_assert(later_cancel(&a.reserver.wait.later));
    uint64_t id = put("default", 0);
    ck_assert_uint_eq(a.fired, 0);
    ck_assert_uint_eq(engine_reserve(&b), id);
}
END_TEST

START_TEST(a_cancel_that_comes_too_late)
{
    uint64_t got;
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    uint64_t id = put("default", 0);
    ck_assert(!later_cancel(&a.reserver.wait.later));
    ck_assert_int_eq(engine_finish(&a, &got), 0);
    ck_assert_uint_eq(got, id);
}
END_TEST

START_TEST(a_connection_lost_while_it_waits)
{
    struct engine_conn lost;
    engine_conn_init(&lost, broker);
    ck_assert_int_eq(engine_reserve_rc(&lost, HL_FOREVER, NULL), EINPROGRESS);
    ck_assert(engine_conn_fini(&lost));
    ck_assert_uint_eq(engine_stats(broker).waiting, 0);
    uint64_t id = put("default", 0);
    ck_assert_uint_eq(engine_reserve(&a), id);
}
END_TEST

// _i: with a token or without; nobody knows the token yet.
START_TEST(a_connection_lost_after_the_match)
{
    struct engine_conn lost;
    struct broker_lease lease;
    engine_conn_init(&lost, broker);
    ck_assert_int_eq(broker_reserve(&lost.client, &lost.reserver, HL_FOREVER,
                                    _i ? BROKER_WITH_TOKEN : 0, &lease),
                     EINPROGRESS);
    uint64_t id = put("default", 0);
    ck_assert_uint_eq(lost.fired, 1);
    ck_assert(!engine_conn_fini(&lost)); // fire has run
    ck_assert_int_eq(engine_view(broker, id).state, JOB_READY);
    ck_assert_uint_eq(engine_reserve(&a), id);
}
END_TEST

START_TEST(a_match_that_is_lost_waits_again)
{
    uint64_t got;
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    uint64_t id = put("default", 0);
    pass(60 * HL_SECOND); // its lease ends before the connection's thread comes
    ck_assert_uint_eq(engine_reserve(&b), id);
    ck_assert_int_eq(engine_finish(&a, &got), EINPROGRESS);
    uint64_t next = put("default", 0);
    ck_assert_uint_eq(a.fired, 2);
    ck_assert_int_eq(engine_finish(&a, &got), 0);
    ck_assert_uint_eq(got, next);
}
END_TEST

// ---- deadline soon ----

START_TEST(deadline_soon_at_once)
{
    uint64_t held = put("default", 0);
    ck_assert_uint_eq(engine_reserve(&a), held);
    pass(59 * HL_SECOND - 1);
    ck_assert_int_eq(engine_reserve_rc(&a, 0, NULL), ETIMEDOUT);
    pass(1);
    ck_assert_int_eq(engine_reserve_rc(&a, 0, NULL), ETIME);
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), ETIME);
    ck_assert_int_eq(engine_reserve_rc(&b, 0, NULL), ETIMEDOUT); // it is a's lease
    uint64_t ready = put("default", 0);
    ck_assert_uint_eq(engine_reserve(&a), ready); // rather a job than the warning
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, held, 0), 0);
    ck_assert_int_eq(engine_reserve_rc(&a, 0, NULL), ETIMEDOUT);
}
END_TEST

START_TEST(deadline_soon_ends_a_wait)
{
    uint64_t id, held = put("default", 0);
    ck_assert_uint_eq(engine_reserve(&a), held);
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    pass(59 * HL_SECOND - 1);
    ck_assert_uint_eq(a.fired, 0);
    pass(1);
    ck_assert_uint_eq(a.fired, 1);
    ck_assert_int_eq(engine_finish(&a, &id), ETIME);
    ck_assert_int_eq(engine_view(broker, held).state, JOB_RESERVED);
    pass(HL_SECOND);
    ck_assert_int_eq(engine_view(broker, held).state, JOB_READY);
}
END_TEST

START_TEST(a_token_is_nobodys_deadline)
{
    uint64_t token;
    put("default", 0);
    engine_reserve_token(&a, &token);
    pass(60 * HL_SECOND - 1);
    ck_assert_int_eq(engine_reserve_rc(&a, 0, NULL), ETIMEDOUT);
}
END_TEST

// ---- counts and limits ----

START_TEST(producers_and_workers_are_counted_once)
{
    broker_client_produces(&a.client);
    broker_client_produces(&a.client);
    ck_assert_uint_eq(engine_reserve(&b), 0);
    ck_assert_uint_eq(engine_reserve(&b), 0);
    struct broker_stats stats = engine_stats(broker);
    ck_assert_uint_eq(stats.producers, 1);
    ck_assert_uint_eq(stats.workers, 1);
    ck_assert_uint_eq(stats.watching, 2);
    (void)engine_conn_fini(&a);
    engine_conn_init(&a, broker);
    ck_assert_uint_eq(engine_stats(broker).producers, 0);
    // A job that can't be had makes nobody a worker; one that can does.
    struct broker_lease lease;
    uint64_t id = engine_put(broker, "default", 0, 0, "x");
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, id + 1, 0, &lease), ENOENT);
    ck_assert_uint_eq(engine_stats(broker).workers, 1);
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, id, 0, &lease), 0);
    ck_assert_uint_eq(engine_stats(broker).workers, 2);
    broker_lease_fini(&lease);
}
END_TEST

START_TEST(a_client_may_be_limited)
{
    struct broker *small;
    struct engine_conn conn;
    struct broker_lease lease;
    ck_assert_int_eq(broker_new(&small, &(struct broker_options){.held_max = 2}), 0);
    engine_conn_init(&conn, small);
    for (int i = 0; i < 3; i++)
        engine_put(small, "default", 0, 0, "x");
    ck_assert_uint_eq(engine_reserve(&conn), 1);
    ck_assert_uint_eq(engine_reserve(&conn), 2);
    ck_assert_int_eq(engine_reserve_rc(&conn, 0, NULL), EDQUOT);
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, 3, 0, &lease), EDQUOT);
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, 1, 0), 0);
    ck_assert_uint_eq(engine_reserve(&conn), 3);
    (void)engine_conn_fini(&conn);
    broker_free(&small);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_reserve");
    TCase *tcase = tcase_create("reserve");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_watch_list_keeps_its_order);
    tcase_add_test(tcase, a_watched_tube_exists_and_vanishes);
    tcase_add_test(tcase, many_watched_tubes);
    tcase_add_test(tcase, the_best_job_of_all_watched_tubes);
    tcase_add_test(tcase, a_lease_has_all_of_the_job);
    tcase_add_test(tcase, by_id_from_anywhere);
    tcase_add_test(tcase, a_batch_never_waits);
    tcase_add_test(tcase, who_waits_is_given_the_next_job);
    tcase_add_test(tcase, workers_and_connections_stand_in_one_line);
    tcase_add_test(tcase, a_wait_has_an_end);
    tcase_add_test(tcase, a_cancelled_wait_gets_nothing);
    tcase_add_test(tcase, a_cancel_that_comes_too_late);
    tcase_add_test(tcase, a_connection_lost_while_it_waits);
    tcase_add_loop_test(tcase, a_connection_lost_after_the_match, 0, 2);
    tcase_add_test(tcase, a_match_that_is_lost_waits_again);
    tcase_add_test(tcase, deadline_soon_at_once);
    tcase_add_test(tcase, deadline_soon_ends_a_wait);
    tcase_add_test(tcase, a_token_is_nobodys_deadline);
    tcase_add_test(tcase, producers_and_workers_are_counted_once);
    tcase_add_test(tcase, a_client_may_be_limited);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
