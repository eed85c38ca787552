// SPDX-License-Identifier: MIT
// Getting from any of several queues of one domain: which one answers, who is served, when it is
// over, and what is refused.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_queue.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>

enum { FEW = 3, MANY = 40 };

static hl_queue_domain *domain;
static hl_queue *queue[MANY];

static void setup(void)
{
    MUST(hl_queue_domain_new(&domain, "several"));
    for (int i = 0; i < MANY; i++)
        MUST(hl_queue_new(&queue[i],
                          &(struct hl_queue_options){.domain = domain, .maxsize = i == 0 ? 1 : 0}));
}

static void teardown(void)
{
    for (int i = 0; i < MANY; i++)
        hl_queue_free(&queue[i]);
    hl_queue_domain_free(&domain);
    ck_assert_ptr_null(domain);
    hl_queue_domain_free(&domain);
}

static void expect_any(hl_queue *const *queues, size_t count, size_t which, intptr_t number)
{
    void *item = item_of(-7);
    size_t got = 999;
    ck_assert_int_eq(hl_queue_get_any(queues, count, &item, &got, 0), 0);
    ck_assert_uint_eq(got, which);
    ck_assert_int_eq((intptr_t)item, number);
}

START_TEST(the_first_in_the_array_that_has_one_answers)
{
    MUST(hl_queue_put_nowait(queue[2], item_of(20)));
    MUST(hl_queue_put_nowait(queue[1], item_of(10)));
    MUST(hl_queue_put_nowait(queue[1], item_of(11)));
    expect_any(queue, FEW, 1, 10);
    hl_queue *turned[] = {queue[2], queue[1], queue[0]};
    expect_any(turned, FEW, 0, 20);
    expect_any(turned, FEW, 1, 11);
    void *item = item_of(9);
    size_t which = 99;
    ck_assert_int_eq(hl_queue_get_any(queue, FEW, &item, &which, 0), ETIMEDOUT);
    ck_assert_int_eq((intptr_t)item, 9);
    ck_assert_uint_eq(which, 99);
}
END_TEST

static int compare(const void *a, const void *b)
{
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

START_TEST(queues_of_different_orders_can_be_mixed)
{
    hl_queue *least;
    struct hl_queue_options options = {
        .domain = domain, .order = HL_QUEUE_PRIORITY, .compare = compare};
    MUST(hl_queue_new(&least, &options));
    MUST(hl_queue_put_nowait(least, item_of(7)));
    MUST(hl_queue_put_nowait(least, item_of(5)));
    MUST(hl_queue_put_nowait(queue[1], item_of(1)));
    hl_queue *both[] = {least, queue[1]};
    expect_any(both, 2, 0, 5);
    expect_any(both, 2, 0, 7);
    expect_any(both, 2, 1, 1);
    hl_queue_free(&least);
}
END_TEST

START_TEST(mistakes_are_refused)
{
    static hl_queue *too_many[HL_QUEUE_ANY_MAX + 1];
    void *item;
    size_t which;
    ck_assert_int_eq(hl_queue_get_any(queue, 0, &item, &which, 0), EINVAL);
    for (size_t i = 0; i <= HL_QUEUE_ANY_MAX; i++)
        too_many[i] = queue[0];
    ck_assert_int_eq(hl_queue_get_any(too_many, HL_QUEUE_ANY_MAX + 1, &item, &which, 0), EINVAL);
    hl_queue *twice[] = {queue[0], queue[1], queue[0]};
    ck_assert_int_eq(hl_queue_get_any(twice, 3, &item, &which, 0), EINVAL);
    ck_assert_int_eq(hl_queue_get_any(queue, 2, &item, &which, -1), EINVAL);
    hl_queue *own = queue_made(0);
    hl_queue *apart[] = {queue[0], own};
    ck_assert_int_eq(hl_queue_get_any(apart, 2, &item, &which, 0), EINVAL);
    hl_queue *other = queue_made(0);
    hl_queue *owns[] = {own, other};
    ck_assert_int_eq(hl_queue_get_any(owns, 2, &item, &which, 0), EINVAL);
    // One queue alone needs no shared domain.
    ck_assert_int_eq(hl_queue_get_any(&own, 1, &item, &which, 0), ETIMEDOUT);
    MUST(hl_queue_put_nowait(own, item_of(3)));
    expect_any(&own, 1, 0, 3);
    hl_queue_free(&own);
    hl_queue_free(&other);
}
END_TEST

struct choosing {
    size_t count;
    int64_t timeout_ns;
    int rc;
    intptr_t number;
    size_t which;
};

static void choose(void *arg)
{
    struct choosing *choosing = arg;
    void *item = item_of(-1);
    choosing->which = 999;
    choosing->rc =
        hl_queue_get_any(queue, choosing->count, &item, &choosing->which, choosing->timeout_ns);
    choosing->number = (intptr_t)item;
}

START_TEST(a_waiter_gets_the_first_item_that_comes_and_only_that)
{
    static const size_t counts[] = {1, FEW, 16, 17, MANY};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        struct choosing choosing = {.count = counts[c], .timeout_ns = HL_FOREVER};
        size_t last = counts[c] - 1;
        hl_thread *thread = thread_launch(NULL, choose, &choosing);
        await_blocked(thread, "queue get");
        MUST(hl_queue_put_nowait(queue[last], item_of(1)));
        MUST(hl_queue_put_nowait(queue[0], item_of(2)));
        thread_finish(&thread);
        ck_assert_int_eq(choosing.rc, 0);
        ck_assert_uint_eq(choosing.which, last);
        ck_assert_int_eq(choosing.number, 1);
        expect_any(queue, MANY, 0, 2);
    }
}
END_TEST

START_TEST(it_stands_in_one_fair_line_with_those_who_wait_for_one)
{
    struct choosing choosing[2];
    hl_thread *chooser[2];
    struct taking taking = {.queue = queue[1], .timeout_ns = HL_FOREVER};
    choosing[0] = (struct choosing){.count = FEW, .timeout_ns = HL_FOREVER};
    chooser[0] = thread_launch(NULL, choose, &choosing[0]);
    await_blocked(chooser[0], "queue get");
    hl_thread *taker = thread_launch(NULL, take_one, &taking);
    await_blocked(taker, "queue get");
    choosing[1] = (struct choosing){.count = FEW, .timeout_ns = HL_FOREVER};
    chooser[1] = thread_launch(NULL, choose, &choosing[1]);
    await_blocked(chooser[1], "queue get");
    for (intptr_t i = 1; i <= 3; i++)
        MUST(hl_queue_put_nowait(queue[1], item_of(i)));
    thread_finish(&chooser[0]);
    thread_finish(&taker);
    thread_finish(&chooser[1]);
    ck_assert_int_eq(choosing[0].number, 1);
    ck_assert_int_eq(taking.number, 2);
    ck_assert_int_eq(choosing[1].number, 3);
}
END_TEST

START_TEST(it_times_out_and_leaves_every_line)
{
    struct choosing choosing = {.count = MANY, .timeout_ns = 2 * HL_SECOND};
    clock_virtual_start(0);
    hl_thread *thread = thread_launch(NULL, choose, &choosing);
    park_await_sleepers(1);
    clock_virtual_advance(2 * HL_SECOND);
    thread_finish(&thread);
    clock_virtual_stop();
    ck_assert_int_eq(choosing.rc, ETIMEDOUT);
    ck_assert_uint_eq(choosing.which, 999);
    for (int i = 0; i < MANY; i++) {
        MUST(hl_queue_put_nowait(queue[i], item_of(i)));
        ck_assert_uint_eq(hl_queue_qsize(queue[i]), 1);
    }
    for (int i = 0; i < MANY; i++)
        expect_any(queue, MANY, (size_t)i, i);
}
END_TEST

START_TEST(it_ends_when_all_are_shut_down_and_empty)
{
    struct choosing choosing = {.count = FEW, .timeout_ns = HL_FOREVER};
    hl_thread *thread = thread_launch(NULL, choose, &choosing);
    await_blocked(thread, "queue get");
    hl_queue_shutdown(queue[0], false);
    hl_queue_shutdown(queue[2], true);
    ck_assert(thread_waits_for(thread, "queue get"));
    MUST(hl_queue_put_nowait(queue[1], item_of(4))); // the last one still serves
    thread_finish(&thread);
    ck_assert_int_eq(choosing.rc, 0);
    ck_assert_uint_eq(choosing.which, 1);

    // A new waiter stands in the one line that is left.
    thread = thread_launch(NULL, choose, &choosing);
    await_blocked(thread, "queue get");
    hl_queue_shutdown(queue[1], false);
    thread_finish(&thread);
    ck_assert_int_eq(choosing.rc, ESHUTDOWN);
    void *item;
    size_t which;
    ck_assert_int_eq(hl_queue_get_any(queue, FEW, &item, &which, HL_FOREVER), ESHUTDOWN);
    ck_assert_int_eq(hl_queue_get_any(queue, FEW, &item, &which, 0), ESHUTDOWN);
    ck_assert_int_eq(hl_queue_get_any(queue, FEW + 1, &item, &which, 0), ETIMEDOUT);
}
END_TEST

START_TEST(items_of_a_queue_that_is_shut_down_can_still_be_got)
{
    for (int i = 0; i < FEW; i++)
        MUST(hl_queue_put_nowait(queue[i], item_of(i)));
    for (int i = 0; i < FEW; i++)
        hl_queue_shutdown(queue[i], i == 1);
    expect_any(queue, FEW, 0, 0);
    expect_any(queue, FEW, 2, 2);
    void *item;
    size_t which;
    ck_assert_int_eq(hl_queue_get_any(queue, FEW, &item, &which, HL_FOREVER), ESHUTDOWN);
}
END_TEST

START_TEST(it_lets_a_waiting_putter_in)
{
    MUST(hl_queue_put_nowait(queue[0], item_of(1))); // its bound is 1
    struct giving giving = {.queue = queue[0], .timeout_ns = HL_FOREVER, .number = 2};
    hl_thread *thread = thread_launch(NULL, give_one, &giving);
    await_blocked(thread, "queue put");
    expect_any(queue, FEW, 0, 1);
    thread_finish(&thread);
    ck_assert_int_eq(giving.rc, 0);
    expect_any(queue, FEW, 0, 2);
}
END_TEST

// ---- a crowd ----

enum { GIVERS = 3, CHOOSERS = 3, EACH = 3000 };

struct crowd {
    atomic_int next;
    atomic_llong got[FEW];
    atomic_int count;
};

static void give_around(void *arg)
{
    struct crowd *crowd = arg;
    unsigned seed = (unsigned)atomic_fetch_add(&crowd->next, 1) + 1;
    for (intptr_t i = 1; i <= EACH; i++)
        MUST(hl_queue_put(queue[rand_r(&seed) % FEW], item_of(i), HL_FOREVER));
}

static void choose_until_shutdown(void *arg)
{
    struct crowd *crowd = arg;
    void *item;
    size_t which;
    int rc;
    while ((rc = hl_queue_get_any(queue, FEW, &item, &which, HL_FOREVER)) == 0) {
        atomic_fetch_add(&crowd->got[which], (intptr_t)item);
        atomic_fetch_add(&crowd->count, 1);
    }
    ASSERT(rc == ESHUTDOWN);
}

START_TEST(a_crowd_gets_everything_once)
{
    struct crowd crowd = {0};
    hl_thread *giver[GIVERS];
    hl_thread *chooser[CHOOSERS];
    for (int i = 0; i < CHOOSERS; i++)
        chooser[i] = thread_launch(NULL, choose_until_shutdown, &crowd);
    for (int i = 0; i < GIVERS; i++)
        giver[i] = thread_launch(NULL, give_around, &crowd);
    for (int i = 0; i < GIVERS; i++)
        thread_finish(&giver[i]);
    for (int i = 0; i < FEW; i++)
        hl_queue_shutdown(queue[i], false);
    for (int i = 0; i < CHOOSERS; i++)
        thread_finish(&chooser[i]);
    long long sum = 0;
    for (int i = 0; i < FEW; i++)
        sum += atomic_load(&crowd.got[i]);
    ck_assert_int_eq(sum, (long long)GIVERS * EACH * (EACH + 1) / 2);
    ck_assert_int_eq(atomic_load(&crowd.count), GIVERS * EACH);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue any");
    TCase *tcase = tcase_create("any");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_first_in_the_array_that_has_one_answers);
    tcase_add_test(tcase, queues_of_different_orders_can_be_mixed);
    tcase_add_test(tcase, mistakes_are_refused);
    tcase_add_test(tcase, a_waiter_gets_the_first_item_that_comes_and_only_that);
    tcase_add_test(tcase, it_stands_in_one_fair_line_with_those_who_wait_for_one);
    tcase_add_test(tcase, it_times_out_and_leaves_every_line);
    tcase_add_test(tcase, it_ends_when_all_are_shut_down_and_empty);
    tcase_add_test(tcase, items_of_a_queue_that_is_shut_down_can_still_be_got);
    tcase_add_test(tcase, it_lets_a_waiting_putter_in);
    tcase_add_test(tcase, a_crowd_gets_everything_once);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
