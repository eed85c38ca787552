// SPDX-License-Identifier: MIT
// Joins of what was put so far: what they wait for and what not, in whatever order it ends, and a
// cancel at any moment.

#include "blocking.h"
#include "engine.h"
#include "unit.h"

#include <hilera/event.h>
#include <hilera/thread.h>

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

static struct broker *broker;
static struct broker_waiter waiter;
static unsigned fired;

static void count(struct later *it)
{
    (void)it;
    fired++;
}

static void setup(void)
{
    const struct broker_options options = {.ended = NULL};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    waiter = (struct broker_waiter){.later.fire = count, .so_far = true};
    fired = 0;
}

static void teardown(void)
{
    broker_free(&broker);
}

static uint64_t put(const char *tube)
{
    return engine_put(broker, tube, 0, 0, "x");
}

static uint64_t put_in_group(const char *name, const char *group)
{
    const struct job_options options = {.group = group};
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .ttr_ns = HL_SECOND, .options = &options};
    struct job_body *body = engine_body("x");
    uint64_t id;
    ck_assert_int_eq(broker_use(broker, name, strlen(name), &spec.tube), 0);
    ck_assert_int_eq(broker_put(broker, &spec, &body, &id), 0);
    broker_unuse(broker, &spec.tube);
    return id;
}

static void gone(uint64_t id)
{
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
}

START_TEST(what_comes_later_is_not_waited_for)
{
    uint64_t one = put("t"), two = put("t");
    ck_assert_int_eq(broker_join_async(broker, "t", &waiter), 0);
    uint64_t later = put("t");
    gone(one);
    ck_assert_uint_eq(fired, 0);
    gone(two);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(waiter.totals.put, 3);
    ck_assert_uint_eq(waiter.totals.deleted, 2);
    gone(later);
    ck_assert_uint_eq(fired, 1);
}
END_TEST

START_TEST(they_may_end_in_any_order)
{
    uint64_t id[5];
    for (int i = 0; i < 5; i++)
        id[i] = put("t");
    ck_assert_int_eq(broker_join_async(broker, NULL, &waiter), 0);
    for (int i = 4; i > 0; i--)
        gone(id[i]);
    ck_assert_uint_eq(fired, 0);
    gone(id[0]);
    ck_assert_uint_eq(fired, 1);
}
END_TEST

START_TEST(others_are_passed_over)
{
    uint64_t other = 0;
    for (int i = 0; i < 1000; i++) // more than one look under the lock
        other = put("other");
    uint64_t mine = put("t");
    for (int i = 0; i < 1000; i++)
        put("other");
    ck_assert_int_eq(broker_join_async(broker, "t", &waiter), 0);
    gone(other);
    ck_assert_uint_eq(fired, 0);
    gone(mine);
    ck_assert_uint_eq(fired, 1);
}
END_TEST

START_TEST(what_is_buried_is_finished)
{
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease lease;
    put("t");
    put("t");
    engine_take(consumer, &lease);
    ck_assert_int_eq(engine_settle(broker, &lease, JOB_OUTCOME_BURIED), 0);
    ck_assert_int_eq(broker_join_async(broker, "t", &waiter), 0);
    engine_take(consumer, &lease);
    ck_assert_uint_eq(fired, 0);
    ck_assert_int_eq(engine_settle(broker, &lease, JOB_OUTCOME_DONE), 0);
    ck_assert_uint_eq(fired, 1);
    ck_assert_int_eq(broker_join_async(broker, "t", &waiter), 0); // nothing is left
    ck_assert_uint_eq(fired, 2);
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(a_group_is_joined_in_all_tubes)
{
    uint64_t one = put_in_group("t", "g"), stranger = put_in_group("t", "h");
    uint64_t two = put_in_group("u", "g");
    ck_assert_int_eq(broker_join_group_async(broker, &trust_all, "g", &waiter), 0);
    uint64_t later = put_in_group("u", "g");
    gone(two);
    gone(stranger);
    ck_assert_uint_eq(fired, 0);
    gone(one);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(waiter.totals.put, 3);
    gone(later);
}
END_TEST

START_TEST(it_is_cancelled)
{
    uint64_t one = put("t"), two = put("t");
    ck_assert_int_eq(broker_join_async(broker, "t", &waiter), 0);
    gone(one);
    ck_assert(later_cancel(&waiter.later)); // in the list of the second one
    ck_assert(!later_cancel(&waiter.later));
    gone(two);
    ck_assert_uint_eq(fired, 0);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1); // its hold on the tube is gone
}
END_TEST

// ---- beside a thread that ends jobs ----

static _Atomic bool over;
static hl_event *told;

static void tell(struct later *it)
{
    (void)it;
    hl_event_set(told);
}

// Ends whatever there is.
static void ender(void *arg)
{
    struct broker_consumer *consumer = arg;
    struct broker_lease lease;
    while (broker_take(consumer, &lease, HL_FOREVER) == 0) {
        struct job_outcome outcome;
        job_outcome_init(&outcome);
        ck_assert_int_eq(broker_settle(broker, lease.id, lease.token, &outcome), 0);
        broker_lease_fini(&lease);
    }
}

// Puts without end, and never lets them pile up.
static void putter(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        if (engine_stats(broker).unfinished < 100)
            put("t");
        else
            sched_yield();
    }
}

START_TEST(joins_and_cancels_at_any_moment)
{
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    hl_thread *ends = engine_thread(ender, consumer), *puts = engine_thread(putter, NULL);
    unsigned joined = 0;
    ck_assert_int_eq(hl_event_new(&told, "told"), 0);
    waiter.later.fire = tell;
    for (int i = 0; i < unit_rounds(2000); i++) {
        hl_event_clear(told);
        uint64_t last = put("t");
        ck_assert_int_eq(broker_join_async(broker, "t", &waiter), 0);
        if (i % 2 == 1 && later_cancel(&waiter.later))
            continue;
        ck_assert_int_eq(hl_event_wait(told, HL_FOREVER), 0); // though others come all the time
        if (i % 2 == 0) {
            ck_assert_int_eq(broker_peek(broker, &trust_all, last, &(struct job_view){0}, NULL),
                             ENOENT);
            joined++;
        }
    }
    ck_assert_uint_gt(joined, 0);
    atomic_store(&over, true);
    engine_thread_join(&puts);
    broker_consumer_stop(consumer);
    engine_thread_join(&ends);
    broker_consumer_free(&consumer);
    hl_event_free(&told);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("so_far");
    TCase *all = tcase_create("so_far");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, what_comes_later_is_not_waited_for);
    tcase_add_test(all, they_may_end_in_any_order);
    tcase_add_test(all, others_are_passed_over);
    tcase_add_test(all, what_is_buried_is_finished);
    tcase_add_test(all, a_group_is_joined_in_all_tubes);
    tcase_add_test(all, it_is_cancelled);
    tcase_add_test(all, joins_and_cancels_at_any_moment);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
