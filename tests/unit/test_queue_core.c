// SPDX-License-Identifier: MIT
// The inner face of the queue: cores in a shared domain, with what the broker builds on them: tasks
// apart from items, bounds that a retry may pass, positions, holding, and taking everything out.
// Waiting in lines of cores is in test_queue_wait.c.

#include "thr/thr.h"
#include "thr_core.h"
#include "unit.h"

#include <errno.h>

static void expect_take(struct queue_core *core, intptr_t number)
{
    void *item = item_of(-7);
    ck_assert_int_eq(queue_core_take(core, &item), 0);
    ck_assert_int_eq((intptr_t)item, number);
}

START_TEST(put_is_open_task_and_insert)
{
    struct queue_core core;
    void *item = item_of(9);
    core_begin(&core, HL_QUEUE_FIFO, 2);
    ck_assert_int_eq(queue_core_take(&core, &item), EAGAIN);
    ck_assert_ptr_null(queue_core_first(&core));
    ck_assert_int_eq(queue_core_put(&core, item_of(1)), 0);
    queue_core_open_task(&core); // a task that is elsewhere still
    ck_assert_uint_eq(core.unfinished, 2);
    ck_assert_int_eq(queue_core_insert(&core, item_of(2)), 0);
    ck_assert_uint_eq(core.unfinished, 2);
    ck_assert_int_eq(queue_core_put(&core, item_of(3)), EAGAIN);
    ck_assert_int_eq(queue_core_insert(&core, item_of(4)), 0); // comes back, bound or no bound
    ck_assert_uint_eq(queue_core_len(&core), 3);
    ck_assert_int_eq((intptr_t)queue_core_first(&core), 1);
    expect_take(&core, 1);
    ck_assert_int_eq(queue_core_put(&core, item_of(5)), EAGAIN); // still at its bound
    expect_take(&core, 2);
    expect_take(&core, 4);
    ck_assert_int_eq(queue_core_close_task(&core), 0);
    ck_assert_int_eq(queue_core_close_task(&core), 0);
    ck_assert_int_eq(queue_core_close_task(&core), EINVAL);
    core_end(&core);
}
END_TEST

START_TEST(each_order_has_its_first)
{
    static const intptr_t out[][3] = {{2, 1, 3}, {3, 1, 2}, {1, 2, 3}};
    for (int order = HL_QUEUE_FIFO; order <= HL_QUEUE_PRIORITY; order++) {
        struct queue_core core;
        core_begin(&core, (enum hl_queue_order)order, 0);
        ck_assert_int_eq(queue_core_reserve(&core, 100), 0);
        MUST(queue_core_put(&core, item_of(2)));
        MUST(queue_core_put(&core, item_of(1)));
        MUST(queue_core_put(&core, item_of(3)));
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq((intptr_t)queue_core_first(&core), out[order][i]);
            expect_take(&core, out[order][i]);
        }
        core_end(&core);
    }
}
END_TEST

START_TEST(shutdown_refuses_puts_but_not_what_comes_back)
{
    struct queue_core core;
    void *item;
    core_begin(&core, HL_QUEUE_FIFO, 0);
    MUST(queue_core_put(&core, item_of(1)));
    expect_take(&core, 1);
    queue_core_shutdown(&core);
    ck_assert_int_eq(queue_core_put(&core, item_of(2)), ESHUTDOWN);
    ck_assert_int_eq(queue_core_take(&core, &item), ESHUTDOWN);
    ck_assert_int_eq(queue_core_insert(&core, item_of(1)), 0); // a retry
    expect_take(&core, 1);
    ck_assert_int_eq(queue_core_take(&core, &item), ESHUTDOWN);
    MUST(queue_core_close_task(&core));
    core_end(&core);
}
END_TEST

START_TEST(an_item_can_be_removed_by_its_position)
{
    struct queue_core core;
    struct placed item[20];
    core_begin_placed(&core, 0);
    for (int i = 0; i < 20; i++) {
        item[i] = (struct placed){.key = (i * 7) % 20, .pos = HEAP_NOWHERE};
        MUST(queue_core_put(&core, &item[i]));
    }
    for (int i = 0; i < 20; i += 2) {
        ck_assert_uint_ne(item[i].pos, HEAP_NOWHERE);
        ck_assert_ptr_eq(queue_core_remove(&core, item[i].pos), &item[i]);
        ck_assert_uint_eq(item[i].pos, HEAP_NOWHERE);
    }
    int last = -1;
    void *got;
    for (int i = 0; i < 10; i++) {
        MUST(queue_core_take(&core, &got));
        ck_assert_int_gt(((struct placed *)got)->key, last);
        last = ((struct placed *)got)->key;
    }
    ck_assert_int_eq(queue_core_take(&core, &got), EAGAIN);
    core_end(&core);
}
END_TEST

START_TEST(a_removed_item_lets_a_putter_in)
{
    struct queue_core core;
    struct placed item[2] = {{.key = 1}, {.key = 2}};
    struct noted put;
    core_begin_placed(&core, 1);
    MUST(queue_core_put(&core, &item[0]));
    noted_put(&put, &core, &item[1]);
    ck_assert_ptr_eq(queue_core_remove(&core, item[0].pos), &item[0]);
    ck_assert_uint_eq(queue_core_len(&core), 1);
    ck_assert_uint_eq(core.unfinished, 2);
    core_pass(&core);
    ck_assert_int_eq(put.fired, 1);
    ck_assert_int_eq(put.wait.later.result, 0);
    core_end(&core);
}
END_TEST

// ---- holding ----

START_TEST(a_held_core_keeps_its_items_and_lets_getters_wait)
{
    struct queue_core core;
    struct noted get[3];
    void *item;
    core_begin(&core, HL_QUEUE_FIFO, 0);
    MUST(queue_core_put(&core, item_of(1)));
    queue_core_hold(&core, true);
    ck_assert_int_eq(queue_core_take(&core, &item), EAGAIN);
    for (int i = 0; i < 3; i++)
        noted_get(&get[i], &core);
    ck_assert_int_eq(queue_core_put(&core, item_of(2)), 0);
    core_pass(&core);
    ck_assert_int_eq(get[0].fired + get[1].fired + get[2].fired, 0);
    ck_assert_uint_eq(queue_core_len(&core), 2);
    queue_core_hold(&core, false);
    core_pass(&core);
    ck_assert_int_eq((intptr_t)get[0].wait.item, 1);
    ck_assert_int_eq((intptr_t)get[1].wait.item, 2);
    ck_assert_int_eq(get[0].fired + get[1].fired + get[2].fired, 2);
    ck_assert(queue_wait_cancel(&get[2].wait));
    core_end(&core);
}
END_TEST

START_TEST(letting_go_keeps_the_order_of_items_and_of_waiting_putters)
{
    struct queue_core core;
    struct noted get[4];
    struct noted put[2];
    core_begin(&core, HL_QUEUE_FIFO, 2);
    MUST(queue_core_put(&core, item_of(1)));
    MUST(queue_core_put(&core, item_of(2)));
    noted_put(&put[0], &core, item_of(3));
    noted_put(&put[1], &core, item_of(4));
    queue_core_hold(&core, true);
    for (int i = 0; i < 4; i++)
        noted_get(&get[i], &core);
    queue_core_hold(&core, false);
    core_pass(&core);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(get[i].fired, 1);
        ck_assert_int_eq((intptr_t)get[i].wait.item, i + 1);
    }
    ck_assert_int_eq(put[0].fired + put[1].fired, 2);
    ck_assert_uint_eq(core.unfinished, 4);
    core_end(&core);
}
END_TEST

START_TEST(getters_of_a_held_core_outlast_its_shutdown_while_there_are_items)
{
    struct queue_core core;
    struct noted get[2];
    core_begin(&core, HL_QUEUE_FIFO, 0);
    MUST(queue_core_put(&core, item_of(1)));
    queue_core_hold(&core, true);
    noted_get(&get[0], &core);
    noted_get(&get[1], &core);
    queue_core_shutdown(&core);
    core_pass(&core);
    ck_assert_int_eq(get[0].fired + get[1].fired, 0);
    queue_core_hold(&core, false);
    core_pass(&core);
    ck_assert_int_eq(get[0].wait.later.result, 0);
    ck_assert_int_eq((intptr_t)get[0].wait.item, 1);
    ck_assert_int_eq(get[1].fired, 1);
    ck_assert_int_eq(get[1].wait.later.result, ESHUTDOWN);
    core_end(&core);
}
END_TEST

START_TEST(getters_are_turned_away_when_the_last_held_item_is_removed)
{
    struct queue_core core;
    struct placed item = {.key = 1};
    struct noted get;
    core_begin_placed(&core, 0);
    MUST(queue_core_put(&core, &item));
    queue_core_hold(&core, true);
    noted_get(&get, &core);
    queue_core_shutdown(&core);
    (void)queue_core_remove(&core, item.pos);
    core_pass(&core);
    ck_assert_int_eq(get.fired, 1);
    ck_assert_int_eq(get.wait.later.result, ESHUTDOWN);
    core_end(&core);
}
END_TEST

// ---- everything at once ----

START_TEST(detached_items_can_be_dropped_without_the_domain)
{
    for (int order = HL_QUEUE_FIFO; order <= HL_QUEUE_PRIORITY; order++) {
        struct queue_core core;
        struct queue_items items;
        struct noted put;
        void *item;
        intptr_t sum = 0;
        core_begin(&core, (enum hl_queue_order)order, 100);
        for (intptr_t i = 1; i <= 100; i++)
            MUST(queue_core_put(&core, item_of(i)));
        noted_put(&put, &core, item_of(101));
        queue_core_detach_items(&core, &items);
        ck_assert_uint_eq(queue_core_len(&core), 0);
        ck_assert_uint_eq(core.unfinished, 100); // tasks stay open
        core_pass(&core);
        ck_assert_int_eq(put.fired, 0); // putters go on waiting
        queue_domain_release(core_domain);
        ck_assert_uint_eq(queue_items_len(&items), 100);
        while (queue_items_pop(&items, &item))
            sum += (intptr_t)item;
        ck_assert_int_eq(sum, 5050);
        ck_assert_uint_eq(queue_items_len(&items), 0);
        queue_items_fini(&items);
        queue_domain_acquire(core_domain);
        queue_core_shutdown(&core);
        core_pass(&core);
        ck_assert_int_eq(put.wait.later.result, ESHUTDOWN);
        core_end(&core);
    }
}
END_TEST

START_TEST(detaching_from_a_held_core_that_is_shut_down_turns_getters_away)
{
    struct queue_core core;
    struct queue_items items;
    struct noted get;
    void *item;
    core_begin(&core, HL_QUEUE_LIFO, 0);
    MUST(queue_core_put(&core, item_of(1)));
    queue_core_hold(&core, true);
    noted_get(&get, &core);
    queue_core_shutdown(&core);
    queue_core_detach_items(&core, &items);
    core_pass(&core);
    ck_assert_int_eq(get.fired, 1);
    ck_assert_int_eq(get.wait.later.result, ESHUTDOWN);
    ck_assert(queue_items_pop(&items, &item));
    ck_assert(!queue_items_pop(&items, &item));
    queue_items_fini(&items);
    core_end(&core);
}
END_TEST

// ---- the best of several ----

static void expect_any(struct queue_core *const *cores, size_t count, size_t which, intptr_t number)
{
    void *item = NULL;
    size_t got = 99;
    ck_assert_int_eq(queue_core_take_any(cores, count, &item, &got), 0);
    ck_assert_uint_eq(got, which);
    ck_assert_int_eq((intptr_t)item, number);
}

START_TEST(the_least_first_item_of_several_priority_cores_is_taken)
{
    struct queue_core core[3];
    struct queue_core *cores[] = {&core[0], &core[1], &core[2]};
    void *item;
    size_t which;
    core_begin(&core[0], HL_QUEUE_PRIORITY, 0);
    core_more(&core[1], HL_QUEUE_PRIORITY, 0);
    core_more(&core[2], HL_QUEUE_PRIORITY, 0);
    ck_assert_int_eq(queue_core_take_any(cores, 3, &item, &which), EAGAIN);
    static const intptr_t in[] = {30, 10, 20, 25, 15, 5};
    for (int i = 0; i < 6; i++)
        MUST(queue_core_put(cores[i % 3], item_of(in[i])));
    expect_any(cores, 3, 2, 5);
    queue_core_hold(&core[1], true);
    expect_any(cores, 3, 2, 20);
    expect_any(cores, 3, 0, 25);
    queue_core_hold(&core[1], false);
    expect_any(cores, 3, 1, 10);
    expect_any(cores, 3, 1, 15);
    expect_any(cores, 3, 0, 30);
    MUST(queue_core_put(&core[0], item_of(1)));
    for (int i = 0; i < 3; i++)
        queue_core_shutdown(&core[i]);
    queue_core_hold(&core[0], true);
    ck_assert_int_eq(queue_core_take_any(cores, 3, &item, &which), EAGAIN); // held, not over
    queue_core_hold(&core[0], false);
    expect_any(cores, 3, 0, 1);
    ck_assert_int_eq(queue_core_take_any(cores, 3, &item, &which), ESHUTDOWN);
    core_fini(&core[1]);
    core_fini(&core[2]);
    core_end(&core[0]);
}
END_TEST

START_TEST(cores_of_other_orders_are_asked_in_turn)
{
    struct queue_core core[3];
    struct queue_core *cores[] = {&core[0], &core[1], &core[2]};
    core_begin(&core[0], HL_QUEUE_FIFO, 0);
    core_more(&core[1], HL_QUEUE_PRIORITY, 0);
    core_more(&core[2], HL_QUEUE_PRIORITY, 0);
    MUST(queue_core_put(&core[2], item_of(1)));
    MUST(queue_core_put(&core[1], item_of(2)));
    // Not all of them compare, so the first in the array that has one.
    expect_any(cores, 3, 1, 2);
    expect_any(cores, 3, 2, 1);
    MUST(queue_core_put(&core[1], item_of(3)));
    MUST(queue_core_put(&core[0], item_of(4)));
    expect_any(cores, 3, 0, 4);
    expect_any(cores, 3, 1, 3);
    core_fini(&core[1]);
    core_fini(&core[2]);
    core_end(&core[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue core");
    TCase *tcase = tcase_create("core");
    tcase_add_checked_fixture(tcase, core_domain_begin, core_domain_end);
    tcase_add_test(tcase, put_is_open_task_and_insert);
    tcase_add_test(tcase, each_order_has_its_first);
    tcase_add_test(tcase, shutdown_refuses_puts_but_not_what_comes_back);
    tcase_add_test(tcase, an_item_can_be_removed_by_its_position);
    tcase_add_test(tcase, a_removed_item_lets_a_putter_in);
    tcase_add_test(tcase, a_held_core_keeps_its_items_and_lets_getters_wait);
    tcase_add_test(tcase, letting_go_keeps_the_order_of_items_and_of_waiting_putters);
    tcase_add_test(tcase, getters_of_a_held_core_outlast_its_shutdown_while_there_are_items);
    tcase_add_test(tcase, getters_are_turned_away_when_the_last_held_item_is_removed);
    tcase_add_test(tcase, detached_items_can_be_dropped_without_the_domain);
    tcase_add_test(tcase, detaching_from_a_held_core_that_is_shut_down_turns_getters_away);
    tcase_add_test(tcase, the_least_first_item_of_several_priority_cores_is_taken);
    tcase_add_test(tcase, cores_of_other_orders_are_asked_in_turn);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
