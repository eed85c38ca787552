// SPDX-License-Identifier: MIT
// The end of a queue: shutdown, plain and immediate, as Python 3.13 has it, with getters, putters
// and joiners waiting; what happens to the items that nobody will get.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_queue.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>

static struct {
    atomic_int count;
    atomic_llong sum;
    hl_queue *queue; // used from destroy, to show that no lock is held
} destroyed;

static void note_destroyed(void *item)
{
    atomic_fetch_add(&destroyed.count, 1);
    atomic_fetch_add(&destroyed.sum, (intptr_t)item);
    if (destroyed.queue != NULL)
        (void)hl_queue_qsize(destroyed.queue);
}

static int compare(const void *a, const void *b)
{
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

static hl_queue *queue_with(enum hl_queue_order order, int64_t maxsize, int items)
{
    struct hl_queue_options options = {
        .order = order,
        .maxsize = maxsize,
        .compare = order == HL_QUEUE_PRIORITY ? compare : NULL,
        .destroy = note_destroyed,
    };
    hl_queue *queue;
    MUST(hl_queue_new(&queue, &options));
    for (int i = 1; i <= items; i++)
        MUST(hl_queue_put_nowait(queue, item_of(i)));
    return queue;
}

static void setup(void)
{
    atomic_store(&destroyed.count, 0);
    atomic_store(&destroyed.sum, 0);
    destroyed.queue = NULL;
}

START_TEST(after_a_plain_one_the_items_can_still_be_got)
{
    hl_queue *queue = queue_with(HL_QUEUE_FIFO, 0, 2);
    void *item;
    ck_assert(!hl_queue_is_shutdown(queue));
    hl_queue_shutdown(queue, false);
    ck_assert(hl_queue_is_shutdown(queue));
    ck_assert_int_eq(hl_queue_put(queue, item_of(3), HL_FOREVER), ESHUTDOWN);
    ck_assert_int_eq(hl_queue_put_nowait(queue, item_of(3)), ESHUTDOWN);
    ck_assert_uint_eq(hl_queue_qsize(queue), 2);
    ck_assert_int_eq(hl_queue_get(queue, &item, HL_FOREVER), 0);
    ck_assert_int_eq(hl_queue_get_nowait(queue, &item), 0);
    ck_assert_int_eq((intptr_t)item, 2);
    ck_assert_int_eq(hl_queue_get(queue, &item, HL_FOREVER), ESHUTDOWN);
    ck_assert_int_eq(hl_queue_get(queue, &item, 0), ESHUTDOWN);
    ck_assert_int_eq(hl_queue_get_nowait(queue, &item), ESHUTDOWN);
    // Tasks that were got are finished as ever.
    ck_assert_int_eq(hl_queue_join(queue, 0), ETIMEDOUT);
    ck_assert_int_eq(hl_queue_task_done(queue), 0);
    ck_assert_int_eq(hl_queue_task_done(queue), 0);
    ck_assert_int_eq(hl_queue_task_done(queue), EINVAL);
    ck_assert_int_eq(hl_queue_join(queue, HL_FOREVER), 0);
    ck_assert_int_eq(atomic_load(&destroyed.count), 0);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(shutdown_comes_before_a_bad_timeout)
{
    // As in Python: put and get look at it before they look at their timeout.
    hl_queue *queue = queue_with(HL_QUEUE_FIFO, 1, 1);
    void *item;
    hl_queue_shutdown(queue, false);
    ck_assert_int_eq(hl_queue_put(queue, item_of(3), -1), ESHUTDOWN);
    ck_assert_int_eq(hl_queue_get(queue, &item, -1), EINVAL); // not empty yet
    MUST(hl_queue_get_nowait(queue, &item));
    ck_assert_int_eq(hl_queue_get(queue, &item, -1), ESHUTDOWN);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(an_immediate_one_drops_the_items_and_counts_them_as_finished)
{
    for (int order = HL_QUEUE_FIFO; order <= HL_QUEUE_PRIORITY; order++) {
        setup();
        hl_queue *queue = queue_with((enum hl_queue_order)order, 0, 100);
        void *item;
        destroyed.queue = queue;
        MUST(hl_queue_get_nowait(queue, &item)); // one is being worked on
        hl_queue_shutdown(queue, true);
        ck_assert_int_eq(atomic_load(&destroyed.count), 99);
        ck_assert_int_eq(atomic_load(&destroyed.sum), 5050 - (intptr_t)item);
        ck_assert(hl_queue_empty(queue));
        ck_assert_uint_eq(hl_queue_unfinished(queue), 1);
        ck_assert_int_eq(hl_queue_get_nowait(queue, &item), ESHUTDOWN);
        ck_assert_int_eq(hl_queue_put_nowait(queue, NULL), ESHUTDOWN);
        ck_assert_int_eq(hl_queue_join(queue, 0), ETIMEDOUT);
        ck_assert_int_eq(hl_queue_task_done(queue), 0);
        ck_assert_int_eq(hl_queue_join(queue, HL_FOREVER), 0);
        hl_queue_free(&queue);
        ck_assert_int_eq(atomic_load(&destroyed.count), 99);
    }
}
END_TEST

START_TEST(tasks_finished_early_are_not_counted_twice)
{
    hl_queue *queue = queue_with(HL_QUEUE_FIFO, 0, 3);
    MUST(hl_queue_task_done(queue));
    MUST(hl_queue_task_done(queue));
    hl_queue_shutdown(queue, true);
    ck_assert_uint_eq(hl_queue_unfinished(queue), 0);
    ck_assert_int_eq(hl_queue_task_done(queue), EINVAL);
    ck_assert_int_eq(atomic_load(&destroyed.count), 3);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(it_can_be_repeated_and_made_immediate_later)
{
    hl_queue *queue = queue_with(HL_QUEUE_FIFO, 0, 2);
    hl_queue_shutdown(queue, false);
    hl_queue_shutdown(queue, false);
    ck_assert_uint_eq(hl_queue_qsize(queue), 2);
    hl_queue_shutdown(queue, true);
    ck_assert_uint_eq(hl_queue_qsize(queue), 0);
    ck_assert_int_eq(atomic_load(&destroyed.count), 2);
    hl_queue_shutdown(queue, true);
    hl_queue_shutdown(queue, false);
    ck_assert_int_eq(atomic_load(&destroyed.count), 2);
    ck_assert_int_eq(hl_queue_join(queue, HL_FOREVER), 0);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(free_destroys_what_is_inside)
{
    for (int order = HL_QUEUE_FIFO; order <= HL_QUEUE_PRIORITY; order++) {
        setup();
        hl_queue *queue = queue_with((enum hl_queue_order)order, 0, 4);
        hl_queue_free(&queue);
        ck_assert_int_eq(atomic_load(&destroyed.count), 4);
        ck_assert_int_eq(atomic_load(&destroyed.sum), 10);
    }
}
END_TEST

// ---- with threads waiting ----

enum { CROWD = 4 };

static void expect_getters_turned_away(bool immediate)
{
    hl_queue *queue = queue_with(HL_QUEUE_FIFO, 0, 0);
    struct taking taking[CROWD];
    hl_thread *thread[CROWD];
    for (int i = 0; i < CROWD; i++) {
        taking[i] = (struct taking){.queue = queue, .timeout_ns = HL_FOREVER};
        thread[i] = thread_launch(NULL, take_one, &taking[i]);
        await_blocked(thread[i], "queue get");
    }
    hl_queue_shutdown(queue, immediate);
    for (int i = 0; i < CROWD; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(taking[i].rc, ESHUTDOWN);
        ck_assert_int_eq(taking[i].number, -1);
    }
    hl_queue_free(&queue);
}

START_TEST(waiting_getters_are_turned_away)
{
    expect_getters_turned_away(false);
    expect_getters_turned_away(true);
}
END_TEST

static void expect_putters_turned_away(bool immediate)
{
    hl_queue *queue = queue_with(HL_QUEUE_FIFO, 1, 1);
    struct giving giving[CROWD];
    hl_thread *thread[CROWD];
    void *item;
    for (int i = 0; i < CROWD; i++) {
        giving[i] = (struct giving){.queue = queue, .timeout_ns = HL_FOREVER, .number = 10 + i};
        thread[i] = thread_launch(NULL, give_one, &giving[i]);
        await_blocked(thread[i], "queue put");
    }
    hl_queue_shutdown(queue, immediate);
    for (int i = 0; i < CROWD; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(giving[i].rc, ESHUTDOWN);
    }
    // Their items were never put: they stay theirs, and count nowhere.
    ck_assert_int_eq(atomic_load(&destroyed.count), immediate ? 1 : 0);
    ck_assert_uint_eq(hl_queue_unfinished(queue), immediate ? 0 : 1);
    ck_assert_int_eq(hl_queue_get_nowait(queue, &item), immediate ? ESHUTDOWN : 0);
    hl_queue_free(&queue);
    setup();
}

START_TEST(waiting_putters_are_turned_away)
{
    expect_putters_turned_away(false);
    expect_putters_turned_away(true);
}
END_TEST

START_TEST(waiting_joiners_wake_only_when_nothing_is_unfinished)
{
    hl_queue *queue = queue_with(HL_QUEUE_FIFO, 0, 3);
    struct joining joining = {.queue = queue, .timeout_ns = HL_FOREVER, .rc = -1};
    void *item;
    hl_thread *thread = thread_launch(NULL, join_here, &joining);
    await_blocked(thread, "queue join");
    MUST(hl_queue_get_nowait(queue, &item));
    hl_queue_shutdown(queue, false);
    ck_assert(thread_waits_for(thread, "queue join"));
    hl_queue_shutdown(queue, true);
    ck_assert(thread_waits_for(thread, "queue join")); // the one that was got
    MUST(hl_queue_task_done(queue));
    thread_finish(&thread);
    ck_assert_int_eq(joining.rc, 0);
    hl_queue_free(&queue);

    queue = queue_with(HL_QUEUE_FIFO, 0, 3);
    joining = (struct joining){.queue = queue, .timeout_ns = HL_FOREVER, .rc = -1};
    thread = thread_launch(NULL, join_here, &joining);
    await_blocked(thread, "queue join");
    hl_queue_shutdown(queue, true);
    thread_finish(&thread);
    ck_assert_int_eq(joining.rc, 0);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(a_timed_wait_ends_with_it_too)
{
    struct taking taking = {.queue = queue_with(HL_QUEUE_FIFO, 0, 0), .timeout_ns = HL_SECOND};
    clock_virtual_start(0);
    hl_thread *thread = thread_launch(NULL, take_one, &taking);
    park_await_sleepers(1);
    hl_queue_shutdown(taking.queue, false);
    thread_finish(&thread);
    ck_assert_int_eq(taking.rc, ESHUTDOWN);
    clock_virtual_stop();
    hl_queue_free(&taking.queue);
}
END_TEST

// ---- a crowd ----

static void take_until_shutdown(void *arg)
{
    struct taking *taking = arg;
    void *item;
    while ((taking->rc = hl_queue_get(taking->queue, &item, HL_FOREVER)) == 0) {
        taking->number += (intptr_t)item;
        MUST(hl_queue_task_done(taking->queue));
    }
}

static void give_until_shutdown(void *arg)
{
    struct giving *giving = arg;
    intptr_t sum = 0;
    for (intptr_t i = 1; (giving->rc = hl_queue_put(giving->queue, item_of(i), HL_FOREVER)) == 0;
         i++)
        sum += i;
    giving->number = sum;
}

START_TEST(a_crowd_is_shut_down_without_loss)
{
    for (int round = 0; round < 20; round++) {
        setup();
        hl_queue *queue = queue_with(HL_QUEUE_FIFO, round % 3 + 1, 0);
        struct taking taking[CROWD];
        struct giving giving[CROWD];
        hl_thread *taker[CROWD];
        hl_thread *giver[CROWD];
        for (int i = 0; i < CROWD; i++) {
            taking[i] = (struct taking){.queue = queue};
            giving[i] = (struct giving){.queue = queue};
            taker[i] = thread_launch(NULL, take_until_shutdown, &taking[i]);
            giver[i] = thread_launch(NULL, give_until_shutdown, &giving[i]);
        }
        for (int i = 0; i < 20; i++)
            sched_yield();
        hl_queue_shutdown(queue, round % 2);
        long long put = 0;
        long long got = 0;
        for (int i = 0; i < CROWD; i++) {
            thread_finish(&taker[i]);
            thread_finish(&giver[i]);
            ck_assert_int_eq(taking[i].rc, ESHUTDOWN);
            ck_assert_int_eq(giving[i].rc, ESHUTDOWN);
            got += taking[i].number;
            put += giving[i].number;
        }
        ck_assert_int_eq(got + atomic_load(&destroyed.sum), put);
        ck_assert_int_eq(hl_queue_join(queue, 0), 0);
        hl_queue_free(&queue);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue shutdown");
    TCase *tcase = tcase_create("shutdown");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, after_a_plain_one_the_items_can_still_be_got);
    tcase_add_test(tcase, shutdown_comes_before_a_bad_timeout);
    tcase_add_test(tcase, an_immediate_one_drops_the_items_and_counts_them_as_finished);
    tcase_add_test(tcase, tasks_finished_early_are_not_counted_twice);
    tcase_add_test(tcase, it_can_be_repeated_and_made_immediate_later);
    tcase_add_test(tcase, free_destroys_what_is_inside);
    tcase_add_test(tcase, waiting_getters_are_turned_away);
    tcase_add_test(tcase, waiting_putters_are_turned_away);
    tcase_add_test(tcase, waiting_joiners_wake_only_when_nothing_is_unfinished);
    tcase_add_test(tcase, a_timed_wait_ends_with_it_too);
    tcase_add_test(tcase, a_crowd_is_shut_down_without_loss);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
