// SPDX-License-Identifier: MIT
// Callbacks in the place of blocked threads: get, put and join; cancelling; callbacks that use the
// queue; one fair line with threads.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_queue.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>

// A waiter that notes how it was called.
struct noted {
    struct hl_queue_waiter waiter;
    atomic_int calls;
    int result;
    intptr_t number;
    hl_thread *on; // compared only
};

static void note(struct hl_queue_waiter *waiter, int result, void *item)
{
    struct noted *noted = waiter->arg;
    noted->result = result;
    noted->number = (intptr_t)item;
    noted->on = hl_thread_current();
    atomic_fetch_add(&noted->calls, 1);
}

static void noted_init(struct noted *noted)
{
    *noted = (struct noted){.waiter = {.done = note}, .number = -1, .result = -1};
    noted->waiter.arg = noted;
}

static void expect_noted(struct noted *noted, int result, intptr_t number)
{
    ck_assert_int_eq(atomic_load(&noted->calls), 1);
    ck_assert_int_eq(noted->result, result);
    ck_assert_int_eq(noted->number, number);
    ck_assert_ptr_eq(noted->on, hl_thread_current());
}

START_TEST(what_is_possible_now_is_done_within_the_call)
{
    hl_queue *queue = queue_made(1);
    struct noted put;
    struct noted get;
    struct noted join;
    noted_init(&join);
    ck_assert_int_eq(hl_queue_join_async(queue, &join.waiter), 0);
    expect_noted(&join, 0, 0);
    noted_init(&put);
    ck_assert_int_eq(hl_queue_put_async(queue, item_of(5), &put.waiter), 0);
    expect_noted(&put, 0, 0);
    ck_assert_uint_eq(hl_queue_unfinished(queue), 1);
    noted_init(&get);
    ck_assert_int_eq(hl_queue_get_async(queue, &get.waiter), 0);
    expect_noted(&get, 0, 5);
    ck_assert_int_eq(hl_queue_cancel(queue, &get.waiter), EALREADY);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(a_getter_is_called_by_the_put_that_serves_it)
{
    hl_queue *queue = queue_made(0);
    struct noted get[2];
    void *item;
    for (int i = 0; i < 2; i++) {
        noted_init(&get[i]);
        ck_assert_int_eq(hl_queue_get_async(queue, &get[i].waiter), 0);
        ck_assert_int_eq(atomic_load(&get[i].calls), 0);
    }
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    expect_noted(&get[0], 0, 1);
    ck_assert_int_eq(atomic_load(&get[1].calls), 0);
    ck_assert_int_eq(hl_queue_get_nowait(queue, &item), EAGAIN);
    MUST(hl_queue_put_nowait(queue, NULL));
    expect_noted(&get[1], 0, 0);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(a_putter_is_called_by_the_get_that_makes_room)
{
    hl_queue *queue = queue_made(1);
    struct noted put[2];
    void *item;
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    for (int i = 0; i < 2; i++) {
        noted_init(&put[i]);
        ck_assert_int_eq(hl_queue_put_async(queue, item_of(10 + i), &put[i].waiter), 0);
    }
    ck_assert_uint_eq(hl_queue_unfinished(queue), 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(atomic_load(&put[i].calls), 0);
        MUST(hl_queue_get_nowait(queue, &item));
        expect_noted(&put[i], 0, 0);
    }
    ck_assert_uint_eq(hl_queue_unfinished(queue), 3);
    MUST(hl_queue_get_nowait(queue, &item));
    ck_assert_int_eq((intptr_t)item, 11);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(a_joiner_is_called_by_the_last_task_done)
{
    hl_queue *queue = queue_made(0);
    struct noted join;
    noted_init(&join);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    MUST(hl_queue_put_nowait(queue, item_of(2)));
    ck_assert_int_eq(hl_queue_join_async(queue, &join.waiter), 0);
    MUST(hl_queue_task_done(queue));
    ck_assert_int_eq(atomic_load(&join.calls), 0);
    MUST(hl_queue_task_done(queue));
    expect_noted(&join, 0, 0);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(shutdown_calls_them_and_gives_a_refused_item_back)
{
    hl_queue *queue = queue_made(1);
    struct noted put;
    struct noted get;
    struct noted join;
    noted_init(&put);
    noted_init(&join);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    MUST(hl_queue_put_async(queue, item_of(77), &put.waiter));
    MUST(hl_queue_join_async(queue, &join.waiter));
    hl_queue_shutdown(queue, false);
    expect_noted(&put, ESHUTDOWN, 77);
    ck_assert_int_eq(atomic_load(&join.calls), 0);
    hl_queue_shutdown(queue, true);
    expect_noted(&join, 0, 0);
    // Afterwards they are called at once.
    noted_init(&put);
    noted_init(&get);
    MUST(hl_queue_put_async(queue, item_of(78), &put.waiter));
    expect_noted(&put, ESHUTDOWN, 78);
    MUST(hl_queue_get_async(queue, &get.waiter));
    expect_noted(&get, ESHUTDOWN, 0);
    hl_queue_free(&queue);

    queue = queue_made(0);
    noted_init(&get);
    MUST(hl_queue_get_async(queue, &get.waiter));
    hl_queue_shutdown(queue, false);
    expect_noted(&get, ESHUTDOWN, 0);
    hl_queue_free(&queue);
}
END_TEST

// ---- cancel ----

static int compare(const void *a, const void *b)
{
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

START_TEST(a_cancelled_waiter_is_out_of_the_line)
{
    hl_queue *queue;
    struct hl_queue_options options = {
        .order = HL_QUEUE_PRIORITY, .compare = compare, .maxsize = 1};
    MUST(hl_queue_new(&queue, &options));
    struct noted get;
    struct noted put;
    struct noted join;
    void *item;
    noted_init(&get);
    ck_assert_int_eq(hl_queue_cancel(queue, &get.waiter), EALREADY); // never in line
    MUST(hl_queue_get_async(queue, &get.waiter));
    ck_assert_int_eq(hl_queue_cancel(queue, &get.waiter), 0);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    ck_assert_uint_eq(hl_queue_qsize(queue), 1);

    noted_init(&put);
    MUST(hl_queue_put_async(queue, item_of(2), &put.waiter));
    ck_assert_int_eq(hl_queue_cancel(queue, &put.waiter), 0);
    noted_init(&join);
    MUST(hl_queue_join_async(queue, &join.waiter));
    ck_assert_int_eq(hl_queue_cancel(queue, &join.waiter), 0);
    MUST(hl_queue_get_nowait(queue, &item));
    ck_assert_uint_eq(hl_queue_qsize(queue), 0);
    MUST(hl_queue_task_done(queue));
    ck_assert_int_eq(atomic_load(&get.calls) + atomic_load(&put.calls) + atomic_load(&join.calls),
                     0);

    // It may stand in line again.
    MUST(hl_queue_get_async(queue, &get.waiter));
    MUST(hl_queue_put_nowait(queue, item_of(3)));
    expect_noted(&get, 0, 3);
    ck_assert_int_eq(hl_queue_cancel(queue, &get.waiter), EALREADY);
    hl_queue_free(&queue);
}
END_TEST

struct race {
    hl_queue *queue;
    hl_event *go, *over;
    struct noted get;
    int cancel_rc;
};

static void cancel_it(void *arg)
{
    struct race *race = arg;
    for (;;) {
        MUST(hl_event_wait(race->go, HL_FOREVER));
        hl_event_clear(race->go);
        if (race->queue == NULL)
            return;
        race->cancel_rc = hl_queue_cancel(race->queue, &race->get.waiter);
        hl_event_set(race->over);
    }
}

START_TEST(cancel_and_put_agree_who_was_first)
{
    struct race race = {0};
    MUST(hl_event_new(&race.go, NULL));
    MUST(hl_event_new(&race.over, NULL));
    hl_thread *thread = thread_launch(NULL, cancel_it, &race);
    for (int i = 0; i < 500; i++) {
        race.queue = queue_made(0);
        noted_init(&race.get);
        MUST(hl_queue_get_async(race.queue, &race.get.waiter));
        hl_event_set(race.go);
        for (int wait = i % 50; wait > 0; wait--)
            (void)hl_queue_qsize(race.queue);
        int put_rc = hl_queue_put_nowait(race.queue, item_of(6));
        MUST(hl_event_wait(race.over, HL_FOREVER));
        hl_event_clear(race.over);
        if (race.cancel_rc == 0) {
            ck_assert_int_eq(atomic_load(&race.get.calls), 0);
            ck_assert_uint_eq(hl_queue_qsize(race.queue), put_rc == 0);
        } else {
            ck_assert_int_eq(race.cancel_rc, EALREADY);
            ck_assert_int_eq(put_rc, 0);
            expect_noted(&race.get, 0, 6);
            ck_assert_uint_eq(hl_queue_qsize(race.queue), 0);
        }
        hl_queue_free(&race.queue);
    }
    hl_event_set(race.go);
    thread_finish(&thread);
    hl_event_free(&race.go);
    hl_event_free(&race.over);
}
END_TEST

// ---- callbacks that use the queue ----

struct pump {
    struct hl_queue_waiter waiter;
    hl_queue *from, *to;
    long count;
    long long sum;
    int depth, deepest;
    int result;
};

// Takes one, passes it on, and stands in line again.
static void pump_one(struct hl_queue_waiter *waiter, int result, void *item)
{
    struct pump *pump = waiter->arg;
    pump->result = result;
    if (result != 0)
        return;
    if (++pump->depth > pump->deepest)
        pump->deepest = pump->depth;
    pump->count++;
    pump->sum += (intptr_t)item;
    if (pump->to != NULL)
        MUST(hl_queue_put_nowait(pump->to, item));
    MUST(hl_queue_task_done(pump->from));
    MUST(hl_queue_get_async(pump->from, &pump->waiter));
    pump->depth--;
}

static void pump_start(struct pump *pump, hl_queue *from, hl_queue *to)
{
    *pump = (struct pump){.from = from, .to = to};
    pump->waiter = (struct hl_queue_waiter){.done = pump_one, .arg = pump};
    MUST(hl_queue_get_async(from, &pump->waiter));
}

START_TEST(a_callback_may_stand_in_line_again_however_long_the_backlog)
{
    enum { BACKLOG = 100000 };
    hl_queue *queue = queue_made(0);
    for (intptr_t i = 1; i <= BACKLOG; i++)
        MUST(hl_queue_put_nowait(queue, item_of(i)));
    struct pump pump;
    pump_start(&pump, queue, NULL);
    ck_assert_int_eq(pump.count, BACKLOG);
    ck_assert_int_eq(pump.sum, (long long)BACKLOG * (BACKLOG + 1) / 2);
    ck_assert_int_eq(pump.deepest, 1);
    ck_assert_int_eq(hl_queue_join(queue, 0), 0);
    MUST(hl_queue_put_nowait(queue, item_of(1)));
    ck_assert_int_eq(pump.count, BACKLOG + 1);
    hl_queue_shutdown(queue, false);
    ck_assert_int_eq(pump.result, ESHUTDOWN);
    hl_queue_free(&queue);
}
END_TEST

START_TEST(callbacks_may_feed_each_other_in_a_long_chain)
{
    enum { STAGES = 50, ITEMS = 200 };
    hl_queue *queue[STAGES + 1];
    struct pump pump[STAGES];
    for (int i = 0; i <= STAGES; i++)
        queue[i] = queue_made(0);
    for (int i = 0; i < STAGES; i++)
        pump_start(&pump[i], queue[i], queue[i + 1]);
    for (intptr_t i = 1; i <= ITEMS; i++)
        MUST(hl_queue_put_nowait(queue[0], item_of(i)));
    ck_assert_uint_eq(hl_queue_qsize(queue[STAGES]), ITEMS);
    for (int i = 0; i < STAGES; i++) {
        ck_assert_int_eq(pump[i].count, ITEMS);
        ck_assert_int_eq(hl_queue_join(queue[i], 0), 0);
        hl_queue_shutdown(queue[i], false);
    }
    for (intptr_t i = 1; i <= ITEMS; i++) {
        void *item;
        MUST(hl_queue_get_nowait(queue[STAGES], &item));
        ck_assert_int_eq((intptr_t)item, i);
    }
    for (int i = 0; i <= STAGES; i++)
        hl_queue_free(&queue[i]);
}
END_TEST

// A callback that serves a blocked thread and then waits for what that thread does next.
struct relay {
    struct hl_queue_waiter waiter;
    hl_queue *to_thread, *from_thread;
    intptr_t answer;
};

static void ask_thread(struct hl_queue_waiter *waiter, int result, void *item)
{
    struct relay *relay = waiter->arg;
    void *answer;
    MUST(result);
    MUST(hl_queue_put_nowait(relay->to_thread, item));
    MUST(hl_queue_get(relay->from_thread, &answer, HL_FOREVER));
    relay->answer = (intptr_t)answer;
}

static void answer_one(void *arg)
{
    struct relay *relay = arg;
    void *item;
    MUST(hl_queue_get(relay->to_thread, &item, HL_FOREVER));
    MUST(hl_queue_put_nowait(relay->from_thread, item_of((intptr_t)item + 1)));
}

START_TEST(a_thread_that_a_callback_serves_is_woken_at_once)
{
    hl_queue *queue = queue_made(0);
    struct relay relay = {.to_thread = queue_made(0), .from_thread = queue_made(0)};
    relay.waiter = (struct hl_queue_waiter){.done = ask_thread, .arg = &relay};
    hl_thread *thread = thread_launch(NULL, answer_one, &relay);
    await_blocked(thread, "queue get");
    MUST(hl_queue_get_async(queue, &relay.waiter));
    MUST(hl_queue_put_nowait(queue, item_of(41)));
    ck_assert_int_eq(relay.answer, 42);
    thread_finish(&thread);
    hl_queue_free(&queue);
    hl_queue_free(&relay.to_thread);
    hl_queue_free(&relay.from_thread);
}
END_TEST

// A callback that makes another one ready and waits for what that one puts.
struct chained {
    struct hl_queue_waiter first, second;
    hl_queue *queue, *between, *answers;
    intptr_t answer;
};

static void first_of_chain(struct hl_queue_waiter *waiter, int result, void *item)
{
    struct chained *chained = waiter->arg;
    void *answer;
    MUST(result);
    MUST(hl_queue_put_nowait(chained->between, item));
    MUST(hl_queue_get(chained->answers, &answer, HL_FOREVER));
    chained->answer = (intptr_t)answer;
}

static void second_of_chain(struct hl_queue_waiter *waiter, int result, void *item)
{
    struct chained *chained = waiter->arg;
    MUST(result);
    MUST(hl_queue_put_nowait(chained->answers, item_of((intptr_t)item * 2)));
}

START_TEST(a_callback_that_blocks_lets_those_after_it_run_first)
{
    struct chained chained = {
        .queue = queue_made(0), .between = queue_made(0), .answers = queue_made(0)};
    chained.first = (struct hl_queue_waiter){.done = first_of_chain, .arg = &chained};
    chained.second = (struct hl_queue_waiter){.done = second_of_chain, .arg = &chained};
    MUST(hl_queue_get_async(chained.queue, &chained.first));
    MUST(hl_queue_get_async(chained.between, &chained.second));
    MUST(hl_queue_put_nowait(chained.queue, item_of(21)));
    ck_assert_int_eq(chained.answer, 42);
    hl_queue_free(&chained.queue);
    hl_queue_free(&chained.between);
    hl_queue_free(&chained.answers);
}
END_TEST

// ---- one line ----

START_TEST(threads_and_callbacks_wait_in_one_line)
{
    enum { WAITERS = 6 };
    hl_queue *queue = queue_made(0);
    struct noted get[WAITERS];
    struct taking taking[WAITERS];
    hl_thread *thread[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        if (i % 2) {
            noted_init(&get[i]);
            MUST(hl_queue_get_async(queue, &get[i].waiter));
            continue;
        }
        taking[i] = (struct taking){.queue = queue, .timeout_ns = HL_FOREVER};
        thread[i] = thread_launch(NULL, take_one, &taking[i]);
        await_blocked(thread[i], "queue get");
    }
    for (int i = 0; i < WAITERS; i++)
        MUST(hl_queue_put_nowait(queue, item_of(i)));
    for (int i = 0; i < WAITERS; i++) {
        if (i % 2) {
            expect_noted(&get[i], 0, i);
            continue;
        }
        thread_finish(&thread[i]);
        ck_assert_int_eq(taking[i].number, i);
    }
    hl_queue_free(&queue);
}
END_TEST

START_TEST(putters_of_both_kinds_wait_in_one_line)
{
    enum { WAITERS = 6 };
    hl_queue *queue = queue_made(1);
    struct noted put[WAITERS];
    struct giving giving[WAITERS];
    hl_thread *thread[WAITERS];
    MUST(hl_queue_put_nowait(queue, item_of(-1)));
    for (int i = 0; i < WAITERS; i++) {
        if (i % 2) {
            noted_init(&put[i]);
            MUST(hl_queue_put_async(queue, item_of(i), &put[i].waiter));
            continue;
        }
        giving[i] = (struct giving){.queue = queue, .timeout_ns = HL_FOREVER, .number = i};
        thread[i] = thread_launch(NULL, give_one, &giving[i]);
        await_blocked(thread[i], "queue put");
    }
    for (int i = -1; i < WAITERS; i++) {
        void *item;
        MUST(hl_queue_get_nowait(queue, &item));
        ck_assert_int_eq((intptr_t)item, i);
    }
    for (int i = 0; i < WAITERS; i++) {
        if (i % 2) {
            expect_noted(&put[i], 0, 0);
            continue;
        }
        thread_finish(&thread[i]);
        ck_assert_int_eq(giving[i].rc, 0);
    }
    hl_queue_free(&queue);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue async");
    TCase *tcase = tcase_create("async");
    tcase_add_test(tcase, what_is_possible_now_is_done_within_the_call);
    tcase_add_test(tcase, a_getter_is_called_by_the_put_that_serves_it);
    tcase_add_test(tcase, a_putter_is_called_by_the_get_that_makes_room);
    tcase_add_test(tcase, a_joiner_is_called_by_the_last_task_done);
    tcase_add_test(tcase, shutdown_calls_them_and_gives_a_refused_item_back);
    tcase_add_test(tcase, a_cancelled_waiter_is_out_of_the_line);
    tcase_add_test(tcase, cancel_and_put_agree_who_was_first);
    tcase_add_test(tcase, a_callback_may_stand_in_line_again_however_long_the_backlog);
    tcase_add_test(tcase, callbacks_may_feed_each_other_in_a_long_chain);
    tcase_add_test(tcase, a_thread_that_a_callback_serves_is_woken_at_once);
    tcase_add_test(tcase, a_callback_that_blocks_lets_those_after_it_run_first);
    tcase_add_test(tcase, threads_and_callbacks_wait_in_one_line);
    tcase_add_test(tcase, putters_of_both_kinds_wait_in_one_line);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
