// SPDX-License-Identifier: MIT
// What becomes of leases: release, bury, touch, delete, tokens, lost connections, and the end of
// the TTR. The clock is virtual; the house is the test, which calls broker_due.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
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

static uint64_t put(uint32_t pri)
{
    return engine_put(broker, "default", pri, 0, "body");
}

static uint64_t put_and_reserve(struct engine_conn *conn)
{
    uint64_t id = put(0);
    ck_assert_uint_eq(engine_reserve(conn), id);
    return id;
}

static void pass(int64_t by_ns)
{
    clock_virtual_advance(by_ns);
    (void)broker_due(broker);
}

static enum job_state state(uint64_t id)
{
    return engine_view(broker, id).state;
}

// ---- release, bury, touch, delete ----

START_TEST(released_to_its_old_place)
{
    uint64_t first = put(5), second = put(5);
    ck_assert_uint_eq(engine_reserve(&a), first);
    ck_assert_int_eq(broker_release(&a.client, &trust_all, first, 0, 5, 0), 0);
    ck_assert_uint_eq(engine_reserve(&a), first); // not behind the second
    ck_assert_int_eq(broker_release(&a.client, &trust_all, first, 0, 6, 0), 0);
    ck_assert_uint_eq(engine_reserve(&a), second); // unless its priority changed
    struct job_view view = engine_view(broker, first);
    ck_assert_uint_eq(view.pri, 6);
    ck_assert_uint_eq(view.releases, 2);
    ck_assert_uint_eq(view.reserves, 2);
    ck_assert_int_eq(view.ttr_ns, 60 * HL_SECOND);
}
END_TEST

START_TEST(released_with_a_delay)
{
    uint64_t id = put_and_reserve(&a);
    ck_assert_int_eq(broker_release(&a.client, &trust_all, id, 0, 1, 3 * HL_SECOND), 0);
    struct job_view view = engine_view(broker, id);
    ck_assert_int_eq(view.state, JOB_DELAYED);
    ck_assert_int_eq(view.delay_ns, 3 * HL_SECOND);
    ck_assert_int_eq(view.time_left_ns, 3 * HL_SECOND);
    pass(3 * HL_SECOND);
    ck_assert_uint_eq(engine_reserve(&b), id);
}
END_TEST

START_TEST(a_released_job_goes_to_who_waits)
{
    uint64_t got, id = put_and_reserve(&a);
    ck_assert_int_eq(engine_reserve_rc(&b, HL_FOREVER, NULL), EINPROGRESS);
    ck_assert_int_eq(broker_release(&a.client, &trust_all, id, 0, 0, 0), 0);
    ck_assert_int_eq(engine_finish(&b, &got), 0);
    ck_assert_uint_eq(got, id);
}
END_TEST

START_TEST(buried_is_finished)
{
    uint64_t id = put_and_reserve(&a);
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, id, 0, 9), 0);
    struct job_view view = engine_view(broker, id);
    ck_assert_int_eq(view.state, JOB_BURIED);
    ck_assert_uint_eq(view.pri, 9);
    ck_assert_uint_eq(view.buries, 1);
    ck_assert_int_eq(broker_join(broker, NULL, 0, NULL), 0);
    ck_assert_uint_eq(engine_stats(broker).totals.failed, 1);
}
END_TEST

START_TEST(touched_leases_last_longer)
{
    uint64_t id = put_and_reserve(&a);
    pass(50 * HL_SECOND);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, 0), 0);
    ck_assert_int_eq(engine_view(broker, id).time_left_ns, 60 * HL_SECOND);
    pass(60 * HL_SECOND - 1);
    ck_assert_int_eq(state(id), JOB_RESERVED);
    pass(1);
    ck_assert_int_eq(state(id), JOB_READY);
}
END_TEST

START_TEST(only_the_client_has_a_say)
{
    uint64_t id = put_and_reserve(&a);
    ck_assert_int_eq(broker_release(&b.client, &trust_all, id, 0, 0, 0), ENOENT);
    ck_assert_int_eq(broker_bury(&b.client, &trust_all, id, 0, 0), ENOENT);
    ck_assert_int_eq(broker_touch(&b.client, &trust_all, id, 0), ENOENT);
    ck_assert_int_eq(broker_client_delete(&b.client, &trust_all, id, 0), ENOENT);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), ENOENT);
    // Nor the client itself when it has no lease.
    ck_assert_int_eq(broker_release(&a.client, &trust_all, id, 0, 0, 0), 0);
    ck_assert_int_eq(broker_release(&a.client, &trust_all, id, 0, 0, 0), ENOENT);
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, id, 0, 0), ENOENT);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, 0), ENOENT);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, 999, 0), ENOENT);
}
END_TEST

START_TEST(deleted_by_its_client_or_when_nobody_has_it)
{
    uint64_t held = put_and_reserve(&a);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, held, 0), 0);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, held, 0), ENOENT);
    uint64_t delayed = engine_put(broker, "x", 0, HL_SECOND, "later");
    ck_assert_int_eq(broker_client_delete(&b.client, &trust_all, delayed, 0), 0);
    uint64_t buried = put_and_reserve(&a);
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, buried, 0, 0), 0);
    ck_assert_int_eq(broker_client_delete(&b.client, &trust_all, buried, 0), 0);
    struct broker_stats stats = engine_stats(broker);
    ck_assert_uint_eq(stats.deletes, 3);
    ck_assert_uint_eq(stats.totals.done, 1);    // whose client said so
    ck_assert_uint_eq(stats.totals.deleted, 1); // the buried one was finished before
    ck_assert_uint_eq(stats.unfinished, 0);
    ck_assert_uint_eq(engine_tube_stats(broker, "default").deletes, 2);
}
END_TEST

// ---- a connection goes ----

START_TEST(a_lost_connection_gives_its_jobs_back)
{
    struct engine_conn lost;
    engine_conn_init(&lost, broker);
    for (int i = 0; i < 1000; i++)
        put_and_reserve(&lost);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_RESERVED], 1000);
    (void)engine_conn_fini(&lost);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1000);
    for (uint64_t id = 1; id <= 1000; id++) {
        ck_assert_uint_eq(engine_reserve(&a), id); // in their old order
        struct job_view view = engine_view(broker, id);
        ck_assert_uint_eq(view.releases, 0);
        ck_assert_uint_eq(view.tries.timeouts, 0);
        ck_assert_uint_eq(view.reserves, 2);
    }
}
END_TEST

// ---- tokens ----

START_TEST(a_token_survives_its_connection)
{
    struct engine_conn lost;
    uint64_t token, id = put(0);
    engine_conn_init(&lost, broker);
    ck_assert_uint_eq(engine_reserve_token(&lost, &token), id);
    (void)engine_conn_fini(&lost);
    ck_assert_int_eq(state(id), JOB_RESERVED);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, token), 0);
    ck_assert_int_eq(broker_client_delete(&b.client, &trust_all, id, token), 0);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 0);
}
END_TEST

START_TEST(a_stale_token_is_refused)
{
    uint64_t old, new, id = put(0);
    ck_assert_uint_eq(engine_reserve_token(&a, &old), id);
    pass(60 * HL_SECOND);
    ck_assert_uint_eq(engine_reserve_token(&b, &new), id);
    ck_assert_uint_ne(old, new);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, old), ESTALE);
    ck_assert_int_eq(broker_release(&a.client, &trust_all, id, old, 0, 0), ESTALE);
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, id, old, 0), ESTALE);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, old), ESTALE);
    ck_assert_int_eq(state(id), JOB_RESERVED);
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, id, new, 3),
                     0); // whoever shows the right one
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, new), ESTALE);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, new), ESTALE);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, 0), 0);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, new), ESTALE); // gone altogether
}
END_TEST

START_TEST(a_token_is_not_the_clients_plain_lease)
{
    uint64_t token, id = put(0);
    ck_assert_uint_eq(engine_reserve_token(&a, &token), id);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, 0), ENOENT);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, 0), ENOENT);
    struct broker_lease lease;
    uint64_t plain = put(0);
    ck_assert_int_eq(broker_reserve(&a.client, &a.reserver, 0, 0, &lease), 0);
    ck_assert_int_eq(broker_touch(&b.client, &trust_all, plain, lease.token), ESTALE);
    broker_lease_fini(&lease);
}
END_TEST

START_TEST(tokens_do_not_repeat_over_a_restart)
{
    uint64_t before, after;
    put(0);
    engine_reserve_token(&a, &before);
    teardown();
    clock_virtual_start(HL_SECOND + 10); // a little later
    ck_assert_int_eq(broker_new(&broker, NULL), 0);
    engine_conn_init(&a, broker);
    engine_conn_init(&b, broker);
    put(0);
    engine_reserve_token(&a, &after);
    ck_assert_uint_ne(after, before);
}
END_TEST

static int by_value(const void *left, const void *right)
{
    const uint64_t *one = left, *other = right;
    return *one < *other ? -1 : *one > *other;
}

// 53 bits that nobody can tell from those before: each bit is set in about half of them, none comes
// twice, and neighbours are no more alike than any two.
START_TEST(tokens_are_random)
{
    enum { TOKENS = 2000 };
    static uint64_t token[TOKENS], near;
    unsigned set[64] = {0};
    uint64_t id = put(0);
    for (int i = 0; i < TOKENS; i++) {
        ck_assert_uint_eq(engine_reserve_token(&a, &token[i]), id);
        ck_assert_int_eq(broker_release(&b.client, &trust_all, id, token[i], 0, 0), 0);
        ck_assert_uint_ne(token[i], 0);
        ck_assert_uint_lt(token[i], UINT64_C(1) << 53);
        for (int bit = 0; bit < 64; bit++)
            set[bit] += token[i] >> bit & 1;
        if (i > 0)
            near += (unsigned)__builtin_popcountll(token[i] ^ token[i - 1]);
    }
    // Ten standard deviations to either side.
    for (int bit = 0; bit < 53; bit++)
        ck_assert_msg(set[bit] > 776 && set[bit] < 1224, "bit %d: %u", bit, set[bit]);
    ck_assert_uint_gt(near, (TOKENS - 1) * 53 / 2 - 1700);
    ck_assert_uint_lt(near, (TOKENS - 1) * 53 / 2 + 1700);
    qsort(token, TOKENS, sizeof(token[0]), by_value);
    for (int i = 1; i < TOKENS; i++)
        ck_assert_uint_ne(token[i], token[i - 1]);
}
END_TEST

// Whoever holds a lease knows one token, and no other.
START_TEST(a_token_beside_is_refused)
{
    struct broker_lease mine, theirs;
    uint64_t id[2] = {put(0), put(0)};
    ck_assert_int_eq(broker_reserve(&a.client, &a.reserver, 0, BROKER_WITH_TOKEN, &mine), 0);
    ck_assert_int_eq(broker_reserve(&b.client, &b.reserver, 0, BROKER_WITH_TOKEN, &theirs), 0);
    for (int by = -3; by <= 3; by++) {
        uint64_t token = mine.token + (uint64_t)by;
        ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id[1], token), ESTALE);
        ck_assert_int_eq(broker_bury(&a.client, &trust_all, id[1], token, 0), ESTALE);
        if (by != 0 && token != 0)
            ck_assert_int_eq(broker_touch(&a.client, &trust_all, id[0], token), ESTALE);
    }
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id[0], mine.token), 0);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id[1], theirs.token), 0);
    broker_lease_fini(&mine);
    broker_lease_fini(&theirs);
}
END_TEST

// ---- the TTR is over ----

START_TEST(an_expired_lease)
{
    uint64_t id = put_and_reserve(&a);
    ck_assert_int_eq(broker_due(broker), clock_now_ns() + 60 * HL_SECOND);
    pass(60 * HL_SECOND);
    struct job_view view = engine_view(broker, id);
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_uint_eq(view.tries.timeouts, 1);
    ck_assert_uint_eq(view.releases, 0);
    ck_assert_uint_eq(engine_stats(broker).timeouts, 1);
    ck_assert_int_eq(broker_touch(&a.client, &trust_all, id, 0), ENOENT);
    ck_assert_int_eq(broker_release(&a.client, &trust_all, id, 0, 0, 0), ENOENT);
    ck_assert_uint_eq(engine_reserve(&b), id);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, 0), ENOENT);
    ck_assert_int_eq(broker_release(&b.client, &trust_all, id, 0, 0, 0), 0);
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, 0),
                     0); // late, but nobody has it
}
END_TEST

START_TEST(an_expired_lease_goes_to_who_waits)
{
    uint64_t got, id = put_and_reserve(&a);
    ck_assert_int_eq(engine_reserve_rc(&b, HL_FOREVER, NULL), EINPROGRESS);
    pass(60 * HL_SECOND);
    ck_assert_int_eq(engine_finish(&b, &got), 0);
    ck_assert_uint_eq(got, id);
}
END_TEST

// The house is told only of what comes before the moment at which it will look anyway.
static void sooner(void *arg)
{
    ++*(unsigned *)arg;
}

START_TEST(the_due_thread_is_woken_once_a_ttr)
{
    unsigned calls = 0;
    static const struct broker_hooks hooks = {.sooner = sooner};
    broker_set_hooks(broker, &hooks, &calls);
    for (int i = 0; i < 100; i++) {
        uint64_t id = put_and_reserve(&a);
        ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, 0), 0);
        clock_virtual_advance(1000);
    }
    ck_assert_uint_eq(calls, 1);
    engine_put(broker, "default", 0, HL_SECOND, "soon");
    ck_assert_uint_eq(calls, 2);
    broker_set_hooks(broker, NULL, NULL);
}
END_TEST

// 300 silent connections of one tube, each with one lease.
START_TEST(three_hundred_silent_clients)
{
    enum { COUNT = 300 };
    static struct engine_conn conns[COUNT];
    uint64_t got;
    for (int i = 0; i < COUNT; i++) {
        engine_conn_init(&conns[i], broker);
        put_and_reserve(&conns[i]);
        clock_virtual_advance(1);
    }
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    clock_virtual_advance(60 * HL_SECOND - COUNT - 1);
    // One a nanosecond, in the order in which they were reserved.
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(engine_stats(broker).timeouts, i);
        pass(1);
        ck_assert_int_eq(engine_finish(&a, &got), 0);
        ck_assert_uint_eq(got, i + 1);
        ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, got, 0), 0);
        ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    }
    ck_assert_uint_eq(engine_stats(broker).timeouts, COUNT);
    for (int i = 0; i < COUNT; i++)
        (void)engine_conn_fini(&conns[i]);
}
END_TEST

// 10,000 leases and 10,000 delays of all lengths, on 50 connections; time goes on in steps, and at
// each step exactly those have ended that should: by count, and at the end by every job's own
// counters.
struct expiry {
    uint64_t id;
    int at; // the second in which it is due
};

enum { EXPIRIES = 10000, EXPIRY_CONNS = 50, EXPIRY_STEPS = 40 };

static struct expiry leased[EXPIRIES], delayed[EXPIRIES];

static void expiry_make(struct engine_conn *conn, struct expiry *lease, struct expiry *delay)
{
    lease->at = 1 + rand() % EXPIRY_STEPS;
    delay->at = 1 + rand() % EXPIRY_STEPS;
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .ttr_ns = lease->at * HL_SECOND};
    struct job_body *body = engine_body("x");
    ck_assert_int_eq(broker_use(broker, "default", 7, &spec.tube), 0);
    ck_assert_int_eq(broker_put(broker, &spec, &body, &lease->id), 0);
    broker_unuse(broker, &spec.tube);
    ck_assert_uint_eq(engine_reserve(conn), lease->id);
    delay->id = engine_put(broker, "delays", 0, delay->at * HL_SECOND, "y");
}

static uint64_t expiries_by(const struct expiry *all, int second)
{
    uint64_t count = 0;
    for (int i = 0; i < EXPIRIES; i++)
        count += all[i].at <= second;
    return count;
}

// Each is as it should be in that second.
static void expiries_check(int second)
{
    for (int i = 0; i < EXPIRIES; i++) {
        struct job_view lease = engine_view(broker, leased[i].id);
        ck_assert_int_eq(lease.state, leased[i].at <= second ? JOB_READY : JOB_RESERVED);
        ck_assert_uint_eq(lease.tries.timeouts, leased[i].at <= second);
        struct job_view delay = engine_view(broker, delayed[i].id);
        ck_assert_int_eq(delay.state, delayed[i].at <= second ? JOB_READY : JOB_DELAYED);
        ck_assert_uint_eq(delay.tries.timeouts, 0);
    }
}

START_TEST(ten_thousand_leases_and_delays)
{
    static struct engine_conn conns[EXPIRY_CONNS];
    srand(7);
    for (int i = 0; i < EXPIRY_CONNS; i++)
        engine_conn_init(&conns[i], broker);
    for (int i = 0; i < EXPIRIES; i++)
        expiry_make(&conns[i % EXPIRY_CONNS], &leased[i], &delayed[i]);
    for (int second = 1; second <= EXPIRY_STEPS; second++) {
        uint64_t before = expiries_by(leased, second - 1), after = expiries_by(leased, second);
        clock_virtual_advance(HL_SECOND - 1);
        ck_assert_int_eq(broker_due(broker), clock_now_ns() + 1);
        ck_assert_uint_eq(engine_stats(broker).timeouts, before);
        pass(1);
        ck_assert_uint_eq(engine_stats(broker).timeouts, after);
        ck_assert_uint_eq(engine_stats(broker).count[JOB_READY],
                          after + expiries_by(delayed, second));
        if (second % 10 == 5)
            expiries_check(second);
    }
    ck_assert_int_eq(broker_due(broker), CLOCK_NEVER);
    pass(1000 * HL_SECOND); // and none a second time
    expiries_check(EXPIRY_STEPS);
    ck_assert_uint_eq(engine_stats(broker).timeouts, EXPIRIES);
    for (int i = 0; i < EXPIRY_CONNS; i++)
        (void)engine_conn_fini(&conns[i]);
}
END_TEST

// The same with connections that wait for what ends: each gets one job, each job comes once.
START_TEST(what_ends_goes_to_those_who_wait)
{
    enum { COUNT = 2000 };
    static struct engine_conn waiting[COUNT];
    static bool seen[2 * COUNT + 1];
    uint64_t got;
    for (uint64_t i = 0; i < COUNT / 2; i++) {
        put_and_reserve(&a);
        engine_put(broker, "default", 0, 60 * HL_SECOND, "y");
    }
    for (int i = 0; i < COUNT; i++) {
        engine_conn_init(&waiting[i], broker);
        ck_assert_int_eq(engine_reserve_rc(&waiting[i], HL_FOREVER, NULL), EINPROGRESS);
    }
    pass(60 * HL_SECOND);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(engine_finish(&waiting[i], &got), 0);
        ck_assert_uint_le(got, 2 * COUNT);
        ck_assert(!seen[got]);
        seen[got] = true;
    }
    ck_assert_uint_eq(engine_stats(broker).timeouts, COUNT / 2);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_RESERVED], COUNT);
    for (int i = 0; i < COUNT; i++)
        (void)engine_conn_fini(&waiting[i]);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_lease");
    TCase *tcase = tcase_create("lease");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, released_to_its_old_place);
    tcase_add_test(tcase, released_with_a_delay);
    tcase_add_test(tcase, a_released_job_goes_to_who_waits);
    tcase_add_test(tcase, buried_is_finished);
    tcase_add_test(tcase, touched_leases_last_longer);
    tcase_add_test(tcase, only_the_client_has_a_say);
    tcase_add_test(tcase, deleted_by_its_client_or_when_nobody_has_it);
    tcase_add_test(tcase, a_lost_connection_gives_its_jobs_back);
    tcase_add_test(tcase, a_token_survives_its_connection);
    tcase_add_test(tcase, a_stale_token_is_refused);
    tcase_add_test(tcase, a_token_is_not_the_clients_plain_lease);
    tcase_add_test(tcase, tokens_do_not_repeat_over_a_restart);
    tcase_add_test(tcase, tokens_are_random);
    tcase_add_test(tcase, a_token_beside_is_refused);
    tcase_add_test(tcase, an_expired_lease);
    tcase_add_test(tcase, an_expired_lease_goes_to_who_waits);
    tcase_add_test(tcase, the_due_thread_is_woken_once_a_ttr);
    tcase_add_test(tcase, three_hundred_silent_clients);
    tcase_add_test(tcase, ten_thousand_leases_and_delays);
    tcase_add_test(tcase, what_ends_goes_to_those_who_wait);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
