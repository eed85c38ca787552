// SPDX-License-Identifier: MIT
// The queue, measured against Python's queue.Queue, LifoQueue and PriorityQueue: put, get, their
// errors and timeouts, order, fairness, task_done and join. The end of a queue, callbacks and
// several queues at once have their own files.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_queue.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>

static void expect_get(hl_queue *queue, intptr_t number)
{
    void *item = item_of(-77);
    ck_assert_int_eq(hl_queue_get_nowait(queue, &item), 0);
    ck_assert_int_eq((intptr_t)item, number);
}

// ---- one thread ----

START_TEST(items_leave_in_order_of_arrival)
{
    hl_queue *queue = queue_made(0);
    ck_assert(hl_queue_empty(queue));
    ck_assert(!hl_queue_full(queue));
    ck_assert_uint_eq(hl_queue_qsize(queue), 0);
    ck_assert_int_eq(hl_queue_put(queue, item_of(1), HL_FOREVER), 0);
    ck_assert_int_eq(hl_queue_put_nowait(queue, NULL), 0); // an item like any other
    ck_assert_int_eq(hl_queue_put(queue, item_of(3), 0), 0);
    ck_assert_uint_eq(hl_queue_qsize(queue), 3);
    ck_assert(!hl_queue_empty(queue));
    ck_assert(!hl_queue_full(queue));
    expect_get(queue, 1);
    expect_get(queue, 0);
    expect_get(queue, 3);
    ck_assert(hl_queue_empty(queue));
    hl_queue_free(&queue);
    ck_assert_ptr_null(queue);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(a_lifo_gives_the_newest)
{
    hl_queue *queue;
    MUST(hl_queue_new(&queue, &(struct hl_queue_options){.order = HL_QUEUE_LIFO}));
    for (intptr_t i = 1; i <= 3; i++)
        MUST(hl_queue_put_nowait(queue, item_of(i)));
    expect_get(queue, 3);
    MUST(hl_queue_put_nowait(queue, item_of(4)));
    expect_get(queue, 4);
    expect_get(queue, 2);
    expect_get(queue, 1);
    hl_queue_free(&queue);
}
END_TEST

// Compares the hundreds only, so that 101 and 102 are equal.
static int compare_hundreds(const void *a, const void *b)
{
    intptr_t left = (intptr_t)a / 100;
    intptr_t right = (intptr_t)b / 100;
    return (left > right) - (left < right);
}

START_TEST(a_priority_queue_gives_the_least_and_the_oldest_of_equals)
{
    static const intptr_t in[] = {503, 101, 302, 102, 501, 103, 0, 301, 502};
    static const intptr_t out[] = {0, 101, 102, 103, 302, 301, 503, 501, 502};
    hl_queue *queue;
    struct hl_queue_options options = {.order = HL_QUEUE_PRIORITY, .compare = compare_hundreds};
    MUST(hl_queue_new(&queue, &options));
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        MUST(hl_queue_put_nowait(queue, item_of(in[i])));
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        expect_get(queue, out[i]);
    for (intptr_t i = 0; i < 50; i++) // all equal, more than the heap keeps in order by luck
        MUST(hl_queue_put_nowait(queue, item_of(700 + i)));
    for (intptr_t i = 0; i < 50; i++)
        expect_get(queue, 700 + i);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(options_are_checked)
{
    hl_queue *queue = NULL;
    struct hl_queue_options options = {.order = HL_QUEUE_PRIORITY};
    ck_assert_int_eq(hl_queue_new(&queue, &options), EINVAL);
    options = (struct hl_queue_options){.compare = compare_hundreds};
    ck_assert_int_eq(hl_queue_new(&queue, &options), EINVAL);
    options = (struct hl_queue_options){.order = (enum hl_queue_order)3};
    ck_assert_int_eq(hl_queue_new(&queue, &options), EINVAL);
    ck_assert_ptr_null(queue);
}
END_TEST

START_TEST(maxsize_bounds_and_zero_or_less_does_not)
{
    static const int64_t sizes[] = {1, 2, 0, -1, INT64_MIN};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        int64_t maxsize = sizes[s];
        hl_queue *queue = queue_made(maxsize);
        ck_assert(!hl_queue_full(queue));
        for (int64_t i = 1; i <= 100; i++) {
            int rc = hl_queue_put_nowait(queue, item_of(i));
            ck_assert_int_eq(rc, maxsize > 0 && i > maxsize ? EAGAIN : 0);
            ck_assert(hl_queue_full(queue) == (maxsize > 0 && i >= maxsize));
        }
        ck_assert_uint_eq(hl_queue_qsize(queue), maxsize > 0 ? (size_t)maxsize : 100);
        expect_get(queue, 1);
        ck_assert(!hl_queue_full(queue));
        ck_assert_int_eq(hl_queue_put_nowait(queue, item_of(7)), 0);
        hl_queue_free(&queue);
    }
}
END_TEST

START_TEST(full_is_told_in_each_form)
{
    hl_queue *queue = queue_made(1);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    ck_assert_int_eq(hl_queue_put_nowait(queue, item_of(2)), EAGAIN);
    ck_assert_int_eq(hl_queue_put(queue, item_of(2), 0), ETIMEDOUT);
    ck_assert_int_eq(hl_queue_put(queue, item_of(2), 1), ETIMEDOUT); // the real clock
    ck_assert_int_eq(hl_queue_put(queue, item_of(2), -1), EINVAL);
    ck_assert_int_eq(hl_queue_put(queue, item_of(2), INT64_MIN), EINVAL);
    ck_assert_uint_eq(hl_queue_qsize(queue), 1);
    ck_assert_uint_eq(hl_queue_unfinished(queue), 1);
    expect_get(queue, 1);
    // A bounded queue refuses a negative timeout even when it has room; one without bound doesn't
    // look.
    ck_assert_int_eq(hl_queue_put(queue, item_of(2), -1), EINVAL);
    hl_queue_free(&queue);
    queue = queue_made(0);
    ck_assert_int_eq(hl_queue_put(queue, item_of(2), -1), 0);
    ck_assert_int_eq(hl_queue_put(queue, item_of(3), INT64_MIN), 0);
    expect_get(queue, 2);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(empty_is_told_in_each_form)
{
    hl_queue *queue = queue_made(0);
    void *item = item_of(9);
    ck_assert_int_eq(hl_queue_get_nowait(queue, &item), EAGAIN);
    ck_assert_int_eq(hl_queue_get(queue, &item, 0), ETIMEDOUT);
    ck_assert_int_eq(hl_queue_get(queue, &item, 1), ETIMEDOUT);
    ck_assert_int_eq(hl_queue_get(queue, &item, -1), EINVAL);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    ck_assert_int_eq(hl_queue_get(queue, &item, -1), EINVAL); // even when there is one
    ck_assert_int_eq((intptr_t)item, 9);
    ck_assert_int_eq(hl_queue_get(queue, &item, HL_FOREVER), 0);
    ck_assert_int_eq((intptr_t)item, 1);
    hl_queue_free(&queue);
}
END_TEST

// ---- blocking ----

START_TEST(a_getter_waits_for_a_put)
{
    struct taking taking = {.queue = queue_made(0), .timeout_ns = HL_FOREVER};
    hl_thread *thread = thread_launch(NULL, take_one, &taking);
    await_blocked(thread, "queue get");
    MUST(hl_queue_put_nowait(taking.queue, item_of(5)));
    thread_finish(&thread);
    ck_assert_int_eq(taking.rc, 0);
    ck_assert_int_eq(taking.number, 5);
    hl_queue_free(&taking.queue);
}
END_TEST

START_TEST(a_putter_waits_for_a_get)
{
    struct giving giving = {.queue = queue_made(1), .timeout_ns = HL_FOREVER, .number = 2};
    MUST(hl_queue_put_nowait(giving.queue, item_of(1)));
    hl_thread *thread = thread_launch(NULL, give_one, &giving);
    await_blocked(thread, "queue put");
    ck_assert_uint_eq(hl_queue_unfinished(giving.queue), 1);
    expect_get(giving.queue, 1);
    thread_finish(&thread);
    ck_assert_int_eq(giving.rc, 0);
    ck_assert_uint_eq(hl_queue_unfinished(giving.queue), 2);
    expect_get(giving.queue, 2);
    hl_queue_free(&giving.queue);
}
END_TEST

START_TEST(waits_time_out_on_the_nanosecond)
{
    struct taking taking = {.queue = queue_made(1), .timeout_ns = 3 * HL_SECOND};
    struct giving giving = {.queue = taking.queue, .timeout_ns = 3 * HL_SECOND, .number = 2};
    clock_virtual_start(0);
    hl_thread *thread = thread_launch(NULL, take_one, &taking);
    park_await_sleepers(1);
    clock_virtual_advance(3 * HL_SECOND - 1);
    ck_assert_int_eq(hl_thread_join(thread, 0), ETIMEDOUT);
    park_await_sleepers(1);
    clock_virtual_advance(1);
    thread_finish(&thread);
    ck_assert_int_eq(taking.rc, ETIMEDOUT);

    MUST(hl_queue_put_nowait(taking.queue, item_of(1)));
    thread = thread_launch(NULL, give_one, &giving);
    park_await_sleepers(1);
    clock_virtual_advance(3 * HL_SECOND - 1);
    park_await_sleepers(1);
    clock_virtual_advance(1);
    thread_finish(&thread);
    ck_assert_int_eq(giving.rc, ETIMEDOUT);
    // Nobody is left in line: the slot that comes free stays free.
    expect_get(taking.queue, 1);
    ck_assert(hl_queue_empty(taking.queue));
    ck_assert_int_eq(hl_queue_put_nowait(taking.queue, item_of(4)), 0);
    ck_assert_uint_eq(hl_queue_unfinished(taking.queue), 2);
    clock_virtual_stop();
    hl_queue_free(&taking.queue);
}
END_TEST

START_TEST(a_wait_that_is_filled_in_time_succeeds)
{
    struct taking taking = {.queue = queue_made(0), .timeout_ns = 3 * HL_SECOND};
    clock_virtual_start(0);
    hl_thread *thread = thread_launch(NULL, take_one, &taking);
    park_await_sleepers(1);
    clock_virtual_advance(3 * HL_SECOND - 1);
    MUST(hl_queue_put_nowait(taking.queue, item_of(8)));
    // The item is its own already; that the time goes by now changes nothing.
    clock_virtual_advance(HL_SECOND);
    thread_finish(&thread);
    ck_assert_int_eq(taking.rc, 0);
    ck_assert_int_eq(taking.number, 8);
    clock_virtual_stop();
    hl_queue_free(&taking.queue);
}
END_TEST

// ---- fairness ----

enum { CROWD = 6 };

START_TEST(the_longest_waiting_getter_is_served_first)
{
    hl_queue *queue = queue_made(0);
    struct taking taking[CROWD];
    hl_thread *thread[CROWD];
    for (int i = 0; i < CROWD; i++) {
        taking[i] = (struct taking){.queue = queue, .timeout_ns = HL_FOREVER};
        thread[i] = thread_launch(NULL, take_one, &taking[i]);
        await_blocked(thread[i], "queue get");
    }
    void *item;
    for (int i = 0; i < CROWD; i++) {
        MUST(hl_queue_put_nowait(queue, item_of(i)));
        // It is promised already: a latecomer finds nothing.
        ck_assert_int_eq(hl_queue_get_nowait(queue, &item), EAGAIN);
        ck_assert(hl_queue_empty(queue));
    }
    for (int i = 0; i < CROWD; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(taking[i].rc, 0);
        ck_assert_int_eq(taking[i].number, i);
    }
    hl_queue_free(&queue);
}
END_TEST

START_TEST(putters_are_let_in_in_their_order)
{
    hl_queue *queue = queue_made(1);
    struct giving giving[CROWD];
    hl_thread *thread[CROWD];
    MUST(hl_queue_put_nowait(queue, item_of(100)));
    for (int i = 0; i < CROWD; i++) {
        giving[i] = (struct giving){.queue = queue, .timeout_ns = HL_FOREVER, .number = i};
        thread[i] = thread_launch(NULL, give_one, &giving[i]);
        await_blocked(thread[i], "queue put");
    }
    expect_get(queue, 100);
    for (int i = 0; i < CROWD; i++) {
        // The slot was given to the first in line: no latecomer gets it.
        ck_assert(hl_queue_full(queue));
        ck_assert_int_eq(hl_queue_put_nowait(queue, item_of(200)), EAGAIN);
        expect_get(queue, i);
    }
    for (int i = 0; i < CROWD; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(giving[i].rc, 0);
    }
    ck_assert(hl_queue_empty(queue));
    hl_queue_free(&queue);
}
END_TEST

START_TEST(equal_items_of_waiting_putters_keep_the_order_of_arrival)
{
    hl_queue *queue;
    struct hl_queue_options options = {
        .order = HL_QUEUE_PRIORITY, .compare = compare_hundreds, .maxsize = 2};
    MUST(hl_queue_new(&queue, &options));
    MUST(hl_queue_put_nowait(queue, item_of(101)));
    MUST(hl_queue_put_nowait(queue, item_of(501)));
    struct giving giving[3];
    hl_thread *thread[3];
    for (int i = 0; i < 3; i++) {
        giving[i] = (struct giving){.queue = queue, .timeout_ns = HL_FOREVER, .number = 502 + i};
        thread[i] = thread_launch(NULL, give_one, &giving[i]);
        await_blocked(thread[i], "queue put");
    }
    static const intptr_t out[] = {101, 501, 502, 503, 504};
    for (size_t i = 0; i < 5; i++)
        expect_get(queue, out[i]);
    for (int i = 0; i < 3; i++)
        thread_finish(&thread[i]);
    hl_queue_free(&queue);
}
END_TEST

// ---- get_many ----

START_TEST(get_many_takes_what_is_there)
{
    hl_queue *queue = queue_made(0);
    void *items[8];
    size_t count = 99;
    ck_assert_int_eq(hl_queue_get_many(queue, items, 0, &count, 0), EINVAL);
    ck_assert_int_eq(hl_queue_get_many(queue, items, 8, &count, 0), ETIMEDOUT);
    ck_assert_int_eq(hl_queue_get_many(queue, items, 8, &count, -1), EINVAL);
    ck_assert_uint_eq(count, 99);
    for (intptr_t i = 1; i <= 10; i++)
        MUST(hl_queue_put_nowait(queue, item_of(i)));
    ck_assert_int_eq(hl_queue_get_many(queue, items, 8, &count, HL_FOREVER), 0);
    ck_assert_uint_eq(count, 8);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq((intptr_t)items[i], (intptr_t)i + 1);
    ck_assert_int_eq(hl_queue_get_many(queue, items, 8, &count, 0), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq((intptr_t)items[1], 10);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(get_many_lets_waiting_putters_in)
{
    hl_queue *queue;
    struct hl_queue_options options = {
        .order = HL_QUEUE_PRIORITY, .compare = compare_hundreds, .maxsize = 1};
    MUST(hl_queue_new(&queue, &options));
    MUST(hl_queue_put_nowait(queue, item_of(100)));
    struct giving giving[2];
    hl_thread *thread[2];
    for (int i = 0; i < 2; i++) {
        giving[i] = (struct giving){.queue = queue, .timeout_ns = HL_FOREVER, .number = 200 + i};
        thread[i] = thread_launch(NULL, give_one, &giving[i]);
        await_blocked(thread[i], "queue put");
    }
    void *items[8];
    size_t count;
    ck_assert_int_eq(hl_queue_get_many(queue, items, 8, &count, 0), 0);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq((intptr_t)items[2], 201);
    for (int i = 0; i < 2; i++)
        thread_finish(&thread[i]);
    hl_queue_free(&queue);
}
END_TEST

// ---- task_done and join ----

START_TEST(task_done_once_too_often_is_refused)
{
    hl_queue *queue = queue_made(0);
    ck_assert_int_eq(hl_queue_task_done(queue), EINVAL);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    MUST(hl_queue_put_nowait(queue, item_of(2)));
    ck_assert_uint_eq(hl_queue_unfinished(queue), 2);
    expect_get(queue, 1);
    ck_assert_int_eq(hl_queue_task_done(queue), 0);
    ck_assert_int_eq(hl_queue_task_done(queue), 0); // before its get: Python counts, too
    ck_assert_int_eq(hl_queue_task_done(queue), EINVAL);
    ck_assert_uint_eq(hl_queue_unfinished(queue), 0);
    ck_assert_uint_eq(hl_queue_qsize(queue), 1);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(join_with_nothing_put_returns_at_once)
{
    hl_queue *queue = queue_made(0);
    ck_assert_int_eq(hl_queue_join(queue, HL_FOREVER), 0);
    ck_assert_int_eq(hl_queue_join(queue, 0), 0);
    ck_assert_int_eq(hl_queue_join(queue, -1), 0);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    ck_assert_int_eq(hl_queue_join(queue, 0), ETIMEDOUT);
    ck_assert_int_eq(hl_queue_join(queue, -1), ETIMEDOUT);
    ck_assert_int_eq(hl_queue_join(queue, 1), ETIMEDOUT);
    expect_get(queue, 1);
    ck_assert_int_eq(hl_queue_join(queue, 0), ETIMEDOUT);
    MUST(hl_queue_task_done(queue));
    ck_assert_int_eq(hl_queue_join(queue, HL_FOREVER), 0);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(joiners_wake_when_the_last_task_is_done)
{
    hl_queue *queue = queue_made(0);
    struct joining joining[CROWD];
    hl_thread *thread[CROWD];
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    MUST(hl_queue_put_nowait(queue, item_of(2)));
    for (int i = 0; i < CROWD; i++) {
        joining[i] = (struct joining){.queue = queue, .timeout_ns = HL_FOREVER};
        thread[i] = thread_launch(NULL, join_here, &joining[i]);
        await_blocked(thread[i], "queue join");
    }
    MUST(hl_queue_task_done(queue));
    for (int i = 0; i < CROWD; i++)
        ck_assert(thread_waits_for(thread[i], "queue join"));
    MUST(hl_queue_task_done(queue));
    for (int i = 0; i < CROWD; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(joining[i].rc, 0);
    }
    hl_queue_free(&queue);
}
END_TEST

START_TEST(join_times_out)
{
    struct joining joining = {.queue = queue_made(0), .timeout_ns = 4 * HL_SECOND};
    clock_virtual_start(0);
    MUST(hl_queue_put_nowait(joining.queue, item_of(1)));
    hl_thread *thread = thread_launch(NULL, join_here, &joining);
    park_await_sleepers(1);
    clock_virtual_advance(4 * HL_SECOND - 1);
    ck_assert_int_eq(hl_thread_join(thread, 0), ETIMEDOUT);
    park_await_sleepers(1);
    clock_virtual_advance(1);
    thread_finish(&thread);
    ck_assert_int_eq(joining.rc, ETIMEDOUT);
    ck_assert_int_eq(hl_queue_task_done(joining.queue), 0);
    clock_virtual_stop();
    hl_queue_free(&joining.queue);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("queue");
    tcase_add_test(tcase, items_leave_in_order_of_arrival);
    tcase_add_test(tcase, a_lifo_gives_the_newest);
    tcase_add_test(tcase, a_priority_queue_gives_the_least_and_the_oldest_of_equals);
    tcase_add_test(tcase, options_are_checked);
    tcase_add_test(tcase, maxsize_bounds_and_zero_or_less_does_not);
    tcase_add_test(tcase, full_is_told_in_each_form);
    tcase_add_test(tcase, empty_is_told_in_each_form);
    tcase_add_test(tcase, a_getter_waits_for_a_put);
    tcase_add_test(tcase, a_putter_waits_for_a_get);
    tcase_add_test(tcase, waits_time_out_on_the_nanosecond);
    tcase_add_test(tcase, a_wait_that_is_filled_in_time_succeeds);
    tcase_add_test(tcase, the_longest_waiting_getter_is_served_first);
    tcase_add_test(tcase, putters_are_let_in_in_their_order);
    tcase_add_test(tcase, equal_items_of_waiting_putters_keep_the_order_of_arrival);
    tcase_add_test(tcase, get_many_takes_what_is_there);
    tcase_add_test(tcase, get_many_lets_waiting_putters_in);
    tcase_add_test(tcase, task_done_once_too_often_is_refused);
    tcase_add_test(tcase, join_with_nothing_put_returns_at_once);
    tcase_add_test(tcase, joiners_wake_when_the_last_task_is_done);
    tcase_add_test(tcase, join_times_out);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
