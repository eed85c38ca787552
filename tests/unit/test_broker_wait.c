// SPDX-License-Identifier: MIT
// Waiting in the broker: consumers that block, joins and waits, blocking and by callback, and their
// ends.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

static struct broker *broker;
static struct engine_records records;

static void setup(void)
{
    engine_records_init(&records);
    struct broker_options options = {.ended = engine_records_add, .records_arg = &records};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
}

static void teardown(void)
{
    broker_free(&broker);
    engine_records_fini(&records);
}

static void clock_setup(void)
{
    clock_virtual_start(1000 * HL_SECOND);
    setup();
}

static void clock_teardown(void)
{
    teardown();
    clock_virtual_stop();
}

// ---- consumers that block ----

struct taker {
    struct broker_consumer *consumer;
    int64_t timeout_ns;
    int rc;
    struct broker_lease lease;
};

static void take(void *arg)
{
    struct taker *taker = arg;
    taker->rc = broker_take(taker->consumer, &taker->lease, taker->timeout_ns);
}

// The put itself makes the lease: it is there when put returns, whenever the consumer's thread
// wakes.
START_TEST(put_hands_to_a_waiting_consumer)
{
    struct taker taker = {.consumer = engine_consumer(broker, "t"), .timeout_ns = HL_FOREVER};
    hl_thread *thread = engine_thread(take, &taker);
    engine_await_waiting(broker, 1);
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
    ck_assert_int_eq(view.state, JOB_RESERVED);
    ck_assert_uint_eq(view.reserves, 1);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), ENOENT);
    engine_thread_join(&thread);
    ck_assert_int_eq(taker.rc, 0);
    ck_assert_uint_eq(taker.lease.id, id);
    ck_assert_int_eq(engine_settle(broker, &taker.lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&taker.consumer);
}
END_TEST

START_TEST(consumers_are_served_in_their_order)
{
    enum { SINKS = 5 };
    struct taker taker[SINKS];
    hl_thread *thread[SINKS];
    for (int i = 0; i < SINKS; i++) {
        taker[i] =
            (struct taker){.consumer = engine_consumer(broker, "t"), .timeout_ns = HL_FOREVER};
        thread[i] = engine_thread(take, &taker[i]);
        engine_await_waiting(broker, (uint64_t)i + 1);
    }
    for (int i = 0; i < SINKS; i++)
        engine_put(broker, "t", (uint32_t)(SINKS - i), 0, "x");
    for (int i = 0; i < SINKS; i++) {
        engine_thread_join(&thread[i]);
        ck_assert_uint_eq(taker[i].lease.id, (uint64_t)i + 1);
        ck_assert_int_eq(engine_settle(broker, &taker[i].lease, JOB_OUTCOME_DONE), 0);
        broker_consumer_free(&taker[i].consumer);
    }
    ck_assert_uint_eq(engine_stats(broker).waiting, 0);
}
END_TEST

START_TEST(stopped_consumer_wakes_and_stays_stopped)
{
    struct taker taker = {.consumer = engine_consumer(broker, "t"), .timeout_ns = HL_FOREVER};
    hl_thread *thread = engine_thread(take, &taker);
    engine_await_waiting(broker, 1);
    broker_consumer_stop(taker.consumer);
    engine_thread_join(&thread);
    ck_assert_int_eq(taker.rc, ESHUTDOWN);
    broker_consumer_stop(taker.consumer);
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    ck_assert_int_eq(broker_take(taker.consumer, &taker.lease, HL_FOREVER), ESHUTDOWN);
    struct broker_consumer *other = engine_consumer(broker, "t");
    ck_assert_uint_eq(engine_take(other, NULL), id); // the job is not lost
    broker_consumer_free(&other);
    broker_consumer_free(&taker.consumer);
}
END_TEST

// Job and stop at the same moment: the consumer that got the job has it, and only then hears of the
// stop.
START_TEST(job_before_the_stop_is_kept)
{
    struct taker taker = {.consumer = engine_consumer(broker, "t"), .timeout_ns = HL_FOREVER};
    hl_thread *thread = engine_thread(take, &taker);
    engine_await_waiting(broker, 1);
    engine_put(broker, "t", 0, 0, "x");
    broker_consumer_stop(taker.consumer);
    engine_thread_join(&thread);
    ck_assert_int_eq(taker.rc, 0);
    ck_assert_int_eq(engine_settle(broker, &taker.lease, JOB_OUTCOME_RETURNED), 0);
    ck_assert_int_eq(broker_take(taker.consumer, &taker.lease, HL_FOREVER), ESHUTDOWN);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
    broker_consumer_free(&taker.consumer);
}
END_TEST

START_TEST(take_times_out)
{
    struct taker taker = {.consumer = engine_consumer(broker, "t"), .timeout_ns = 5 * HL_SECOND};
    hl_thread *thread = engine_thread(take, &taker);
    park_await_sleepers(1);
    clock_virtual_advance(5 * HL_SECOND - 1);
    ck_assert_uint_eq(engine_stats(broker).waiting, 1);
    clock_virtual_advance(1);
    engine_thread_join(&thread);
    ck_assert_int_eq(taker.rc, ETIMEDOUT);
    ck_assert_uint_eq(engine_stats(broker).waiting, 0);
    engine_put(broker, "t", 0, 0, "x"); // nobody is in line any more
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
    broker_consumer_free(&taker.consumer);
}
END_TEST

START_TEST(end_of_a_delay_hands_to_a_waiting_consumer)
{
    struct taker taker = {.consumer = engine_consumer(broker, "t"), .timeout_ns = HL_FOREVER};
    hl_thread *thread = engine_thread(take, &taker);
    engine_await_waiting(broker, 1);
    uint64_t id = engine_put(broker, "t", 0, HL_SECOND, "x");
    clock_virtual_advance(HL_SECOND);
    ck_assert_int_eq(broker_due(broker), CLOCK_NEVER);
    engine_thread_join(&thread);
    ck_assert_uint_eq(taker.lease.id, id);
    ck_assert_int_eq(engine_settle(broker, &taker.lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&taker.consumer);
}
END_TEST

// ---- waits and joins by callback ----

struct flag {
    struct broker_waiter waiter;
    int fired;
    size_t records_then;
};

static void flag_fire(struct later *later)
{
    struct flag *flag = CONTAINER_OF(later, struct flag, waiter.later);
    flag->fired++;
    flag->records_then = records.count;
}

static void flag_init(struct flag *flag)
{
    memset(flag, 0, sizeof(*flag));
    flag->waiter.later.fire = flag_fire;
}

static void run_one(const char *tube, enum job_outcome_kind kind)
{
    struct broker_consumer *consumer = engine_consumer(broker, tube);
    struct broker_lease lease;
    ck_assert_uint_ne(engine_take(consumer, &lease), 0);
    ck_assert_int_eq(engine_settle(broker, &lease, kind), 0);
    broker_consumer_free(&consumer);
}

START_TEST(wait_fires_at_the_end)
{
    static const enum job_outcome_kind kinds[] = {JOB_OUTCOME_DONE, JOB_OUTCOME_FAILED,
                                                  JOB_OUTCOME_DELETED};
    struct flag flag, second;
    for (size_t i = 0; i < 3; i++) {
        uint64_t id = engine_put(broker, "t", 0, 0, "x");
        flag_init(&flag);
        flag_init(&second);
        ck_assert_int_eq(broker_wait_async(broker, &trust_all, id, &flag.waiter), 0);
        ck_assert_int_eq(broker_wait_async(broker, &trust_all, id, &second.waiter), 0);
        run_one("t", JOB_OUTCOME_RETURNED);
        ck_assert_int_eq(flag.fired, 0); // an attempt's end isn't the job's
        run_one("t", kinds[i]);
        ck_assert_int_eq(flag.fired, 1);
        ck_assert_int_eq(second.fired, 1);
        ck_assert_uint_eq(flag.records_then, i + 1); // history knew it before
        ck_assert_int_eq(records.record[i]->kind, kinds[i]);
        ck_assert_uint_eq(records.record[i]->id, id);
    }
}
END_TEST

START_TEST(wait_for_what_is_over)
{
    struct flag flag;
    flag_init(&flag);
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, 77, &flag.waiter), ENOENT);
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    run_one("t", JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, id, &flag.waiter), 0); // buried: at once
    ck_assert_int_eq(flag.fired, 1);
    ck_assert_int_eq(broker_wait(broker, &trust_all, id, HL_FOREVER), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, id, &flag.waiter), ENOENT);
    ck_assert_int_eq(broker_wait(broker, &trust_all, id, HL_FOREVER), ENOENT);
    ck_assert_int_eq(flag.fired, 1);
}
END_TEST

START_TEST(wait_ends_with_a_delete)
{
    uint64_t ready = engine_put(broker, "t", 0, 0, "x");
    uint64_t delayed = engine_put(broker, "t", 0, HL_SECOND, "x");
    struct flag flag[2];
    flag_init(&flag[0]);
    flag_init(&flag[1]);
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, ready, &flag[0].waiter), 0);
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, delayed, &flag[1].waiter), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, ready), 0);
    ck_assert_int_eq(flag[0].fired, 1);
    ck_assert_int_eq(broker_delete(broker, &trust_all, delayed), 0);
    ck_assert_int_eq(flag[1].fired, 1);
    ck_assert_uint_eq(records.count, 2);
    ck_assert_int_eq(records.record[1]->kind, JOB_OUTCOME_DELETED);
    ck_assert_uint_eq(records.record[1]->reserves, 0);
}
END_TEST

START_TEST(cancelled_wait_does_not_fire)
{
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    struct flag flag, join;
    flag_init(&flag);
    flag_init(&join);
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, id, &flag.waiter), 0);
    ck_assert_int_eq(broker_join_async(broker, "t", &join.waiter), 0);
    ck_assert(later_cancel(&flag.waiter.later));
    ck_assert(later_cancel(&join.waiter.later));
    ck_assert(!later_cancel(&flag.waiter.later));
    run_one("t", JOB_OUTCOME_DONE);
    ck_assert_int_eq(flag.fired + join.fired, 0);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1); // the joiner's hold is gone, too
    id = engine_put(broker, "t", 0, 0, "x");          // the memory can be used again
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, id, &flag.waiter), 0);
    run_one("t", JOB_OUTCOME_DONE);
    ck_assert_int_eq(flag.fired, 1);
    ck_assert(!later_cancel(&flag.waiter.later)); // too late
}
END_TEST

START_TEST(join_waits_for_the_last)
{
    struct flag tube, all;
    flag_init(&tube);
    flag_init(&all);
    engine_put(broker, "t", 0, 0, "1");
    engine_put(broker, "t", 0, 0, "2");
    uint64_t later = engine_put(broker, "t", 0, HL_SECOND, "3");
    engine_put(broker, "u", 0, 0, "4");
    ck_assert_int_eq(broker_join_async(broker, "t", &tube.waiter), 0);
    ck_assert_int_eq(broker_join_async(broker, NULL, &all.waiter), 0);
    run_one("t", JOB_OUTCOME_DONE);
    run_one("t", JOB_OUTCOME_FAILED);
    ck_assert_int_eq(tube.fired, 0); // a delayed job is unfinished
    ck_assert_int_eq(broker_delete(broker, &trust_all, later), 0);
    ck_assert_int_eq(tube.fired, 1);
    ck_assert_uint_eq(tube.records_then, 2); // of the deleted one nobody asked for
    ck_assert_uint_eq(tube.waiter.totals.put, 3);
    ck_assert_uint_eq(tube.waiter.totals.done, 1);
    ck_assert_uint_eq(tube.waiter.totals.failed, 1);
    ck_assert_uint_eq(tube.waiter.totals.deleted, 1);
    ck_assert_int_eq(all.fired, 0);
    run_one("u", JOB_OUTCOME_DONE);
    ck_assert_int_eq(all.fired, 1);
    ck_assert_uint_eq(all.waiter.totals.put, 4);
    ck_assert_uint_eq(all.waiter.totals.done, 2);
}
END_TEST

START_TEST(join_with_nothing_to_wait_for)
{
    struct flag flag;
    flag_init(&flag);
    ck_assert_int_eq(broker_join_async(broker, NULL, &flag.waiter), 0);
    ck_assert_int_eq(broker_join_async(broker, "nobody", &flag.waiter), 0);
    ck_assert_int_eq(flag.fired, 2);
    ck_assert_uint_eq(flag.waiter.totals.put, 0);
    ck_assert_int_eq(broker_join_async(broker, "-bad", &flag.waiter), EINVAL);
    ck_assert_int_eq(broker_join(broker, "-bad", 0, NULL), EINVAL);
    ck_assert_int_eq(broker_join(broker, "nobody", HL_FOREVER, NULL), 0);
    ck_assert_int_eq(broker_join(broker, NULL, HL_FOREVER, NULL), 0);
    ck_assert_int_eq(flag.fired, 2);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1); // asking makes no tube
}
END_TEST

// A tube whose only job ends would vanish with its counts; the joiner keeps it until it knows them.
START_TEST(joined_tube_lives_until_the_counts_are_told)
{
    struct flag flag;
    flag_init(&flag);
    engine_put(broker, "t", 0, 0, "1");
    ck_assert_int_eq(broker_join_async(broker, "t", &flag.waiter), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 1), 0);
    ck_assert_uint_eq(flag.waiter.totals.deleted, 1);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1);
}
END_TEST

// The hook runs before anybody hears of the end: nowhere between broker and history is it in
// neither.
static struct {
    uint64_t id, number;
    bool told; // somebody who waited
} ended_last;

static void hook_that_looks(struct list *ends, void *arg)
{
    struct job_end *end;
    (void)arg;
    while ((end = engine_end_pop(ends)) != NULL) {
        ck_assert_uint_gt(end->number, ended_last.number);
        ck_assert(!ended_last.told);
        ended_last.id = end->view.id;
        ended_last.number = end->number;
        job_end_unref(&end);
    }
}

struct hearer {
    struct broker_waiter waiter;
    uint64_t id;
};

static void hear_after_hook(struct later *later)
{
    ck_assert_uint_eq(ended_last.id, CONTAINER_OF(later, struct hearer, waiter.later)->id);
    ended_last.told = true;
}

START_TEST(job_is_never_in_neither_place)
{
    broker_free(&broker);
    struct broker_options options = {.ended = hook_that_looks, .last_result = 41};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    run_one("t", JOB_OUTCOME_DONE);
    ck_assert_uint_eq(ended_last.id, id);
    ck_assert_uint_eq(ended_last.number, 42);
    uint64_t unwatched = engine_put(broker, "t", 0, HL_SECOND, "x");
    ck_assert_int_eq(broker_delete(broker, &trust_all, unwatched), 0);
    ck_assert_uint_eq(ended_last.id, id);
    id = engine_put(broker, "t", 0, HL_SECOND, "x");
    struct hearer hearer = {.waiter.later.fire = hear_after_hook, .id = id};
    ck_assert_int_eq(broker_wait_async(broker, &trust_all, id, &hearer.waiter), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert(ended_last.told);
    ck_assert_uint_eq(ended_last.number, 43);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_RESERVED], 0);
}
END_TEST

// ---- blocking waits and joins ----

struct joiner {
    uint64_t id; // 0: join the tube
    const char *tube;
    int64_t timeout_ns;
    int rc;
    struct broker_totals totals;
};

static void join(void *arg)
{
    struct joiner *joiner = arg;
    if (joiner->id != 0)
        joiner->rc = broker_wait(broker, &trust_all, joiner->id, joiner->timeout_ns);
    else
        joiner->rc = broker_join(broker, joiner->tube, joiner->timeout_ns, &joiner->totals);
}

START_TEST(blocked_joiners_wake)
{
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    struct joiner joiner[3] = {{.id = id}, {.tube = "t"}, {.tube = NULL}};
    hl_thread *thread[3];
    for (int i = 0; i < 3; i++) {
        joiner[i].timeout_ns = HL_SECOND;
        thread[i] = engine_thread(join, &joiner[i]);
    }
    park_await_sleepers(3);
    run_one("t", JOB_OUTCOME_DONE);
    for (int i = 0; i < 3; i++) {
        engine_thread_join(&thread[i]);
        ck_assert_int_eq(joiner[i].rc, 0);
    }
    ck_assert_uint_eq(joiner[1].totals.done, 1);
    ck_assert_uint_eq(joiner[2].totals.done, 1);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1);
}
END_TEST

START_TEST(blocked_joiners_time_out)
{
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    struct joiner joiner[2] = {{.id = id}, {.tube = "t"}};
    hl_thread *thread[2];
    for (int i = 0; i < 2; i++) {
        joiner[i].timeout_ns = HL_SECOND;
        thread[i] = engine_thread(join, &joiner[i]);
    }
    park_await_sleepers(2);
    clock_virtual_advance(HL_SECOND);
    for (int i = 0; i < 2; i++) {
        engine_thread_join(&thread[i]);
        ck_assert_int_eq(joiner[i].rc, ETIMEDOUT);
    }
    ck_assert_int_eq(broker_wait(broker, &trust_all, id, 0), ETIMEDOUT);
    ck_assert_int_eq(broker_join(broker, "t", 0, NULL), ETIMEDOUT);
    run_one("t", JOB_OUTCOME_DONE); // nobody stands in any line
}
END_TEST

// Timeouts that fall together with the end of the job: either answer is right, nothing else
// happens.
static void churn(void *arg)
{
    struct tube *tube;
    (void)arg;
    ck_assert_int_eq(broker_use(broker, "t", 1, &tube), 0);
    for (int i = 0; i < 2000; i++) {
        uint64_t id = engine_put(broker, "t", 0, 0, "x");
        struct joiner joiner = {.id = id, .timeout_ns = i % 40 * HL_MICROSECOND};
        hl_thread *thread = i % 8 == 0 ? engine_thread(join, &joiner) : NULL;
        if (thread == NULL)
            joiner.rc = broker_wait(broker, &trust_all, id, joiner.timeout_ns);
        struct broker_consumer *consumer = engine_consumer(broker, "t");
        struct broker_lease lease;
        if (engine_take(consumer, &lease) != 0)
            ck_assert_int_eq(engine_settle(broker, &lease, JOB_OUTCOME_DONE), 0);
        broker_consumer_free(&consumer);
        if (thread != NULL)
            engine_thread_join(&thread);
        ck_assert(joiner.rc == 0 || joiner.rc == ETIMEDOUT || joiner.rc == ENOENT);
    }
    broker_unuse(broker, &tube);
}

START_TEST(timeouts_at_the_moment_of_the_end)
{
    broker_free(&broker);
    ck_assert_int_eq(broker_new(&broker, NULL), 0);
    hl_thread *thread[2];
    for (int i = 0; i < 2; i++)
        thread[i] = engine_thread(churn, NULL);
    for (int i = 0; i < 2; i++)
        engine_thread_join(&thread[i]);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 0);
    ck_assert_uint_eq(engine_stats(broker).totals.done, 4000);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_wait");
    TCase *consumers = tcase_create("consumers");
    tcase_add_checked_fixture(consumers, clock_setup, clock_teardown);
    tcase_add_test(consumers, put_hands_to_a_waiting_consumer);
    tcase_add_test(consumers, consumers_are_served_in_their_order);
    tcase_add_test(consumers, stopped_consumer_wakes_and_stays_stopped);
    tcase_add_test(consumers, job_before_the_stop_is_kept);
    tcase_add_test(consumers, take_times_out);
    tcase_add_test(consumers, end_of_a_delay_hands_to_a_waiting_consumer);
    suite_add_tcase(suite, consumers);

    TCase *async = tcase_create("async");
    tcase_add_checked_fixture(async, setup, teardown);
    tcase_add_test(async, wait_fires_at_the_end);
    tcase_add_test(async, wait_for_what_is_over);
    tcase_add_test(async, wait_ends_with_a_delete);
    tcase_add_test(async, cancelled_wait_does_not_fire);
    tcase_add_test(async, join_waits_for_the_last);
    tcase_add_test(async, join_with_nothing_to_wait_for);
    tcase_add_test(async, joined_tube_lives_until_the_counts_are_told);
    tcase_add_test(async, job_is_never_in_neither_place);
    suite_add_tcase(suite, async);

    TCase *blocking = tcase_create("blocking");
    tcase_add_checked_fixture(blocking, clock_setup, clock_teardown);
    tcase_add_test(blocking, blocked_joiners_wake);
    tcase_add_test(blocking, blocked_joiners_time_out);
    suite_add_tcase(suite, blocking);

    TCase *races = tcase_create("races");
    tcase_add_checked_fixture(races, setup, teardown);
    tcase_add_test(races, timeouts_at_the_moment_of_the_end);
    suite_add_tcase(suite, races);
    return unit_main(suite);
}
