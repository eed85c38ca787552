// SPDX-License-Identifier: MIT
// The event, measured against Python's threading.Event.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>

START_TEST(the_flag_is_set_and_cleared)
{
    hl_event *event;
    ck_assert_int_eq(hl_event_new(&event, NULL), 0);
    ck_assert(!hl_event_is_set(event));
    hl_event_clear(event);
    ck_assert(!hl_event_is_set(event));
    hl_event_set(event);
    hl_event_set(event);
    ck_assert(hl_event_is_set(event));
    hl_event_clear(event);
    ck_assert(!hl_event_is_set(event));
    hl_event_free(&event);
    ck_assert_ptr_null(event);
    hl_event_free(&event);
}
END_TEST

START_TEST(waiting_for_a_set_event_is_no_wait)
{
    hl_event *event;
    MUST(hl_event_new(&event, NULL));
    hl_event_set(event);
    ck_assert_int_eq(hl_event_wait(event, HL_FOREVER), 0);
    ck_assert_int_eq(hl_event_wait(event, 0), 0);
    ck_assert_int_eq(hl_event_wait(event, -1), 0);
    ck_assert(hl_event_is_set(event));
    hl_event_free(&event);
}
END_TEST

START_TEST(waiting_without_time_looks_once)
{
    hl_event *event;
    MUST(hl_event_new(&event, NULL));
    ck_assert_int_eq(hl_event_wait(event, 0), ETIMEDOUT);
    ck_assert_int_eq(hl_event_wait(event, -1), ETIMEDOUT);
    ck_assert_int_eq(hl_event_wait(event, INT64_MIN), ETIMEDOUT);
    hl_event_free(&event);
}
END_TEST

struct waiting {
    hl_event *event;
    int64_t timeout_ns;
    int rc;
    atomic_bool over;
};

static void wait_here(void *arg)
{
    struct waiting *waiting = arg;
    waiting->rc = hl_event_wait(waiting->event, waiting->timeout_ns);
    atomic_store(&waiting->over, true);
}

START_TEST(a_wait_times_out_on_the_nanosecond)
{
    struct waiting waiting = {.timeout_ns = 10 * HL_SECOND};
    MUST(hl_event_new(&waiting.event, NULL));
    clock_virtual_start(0);
    hl_thread *thread = thread_launch(NULL, wait_here, &waiting);
    park_await_sleepers(1);
    clock_virtual_advance(10 * HL_SECOND - 1);
    ck_assert(!atomic_load(&waiting.over));
    park_await_sleepers(1);
    clock_virtual_advance(1);
    thread_finish(&thread);
    ck_assert_int_eq(waiting.rc, ETIMEDOUT);

    thread = thread_launch(NULL, wait_here, &waiting);
    park_await_sleepers(1);
    clock_virtual_advance(10 * HL_SECOND - 1);
    hl_event_set(waiting.event);
    thread_finish(&thread);
    ck_assert_int_eq(waiting.rc, 0);
    clock_virtual_stop();
    hl_event_free(&waiting.event);
}
END_TEST

enum { WAITERS = 8 };

static void start_waiters(hl_event *event, struct waiting waiting[], hl_thread *thread[])
{
    for (int i = 0; i < WAITERS; i++) {
        waiting[i] = (struct waiting){.event = event, .timeout_ns = HL_FOREVER, .rc = -1};
        thread[i] = thread_launch(NULL, wait_here, &waiting[i]);
    }
    for (int i = 0; i < WAITERS; i++)
        await_blocked(thread[i], "event");
}

static void finish_waiters(struct waiting waiting[], hl_thread *thread[])
{
    for (int i = 0; i < WAITERS; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(waiting[i].rc, 0);
    }
}

START_TEST(set_wakes_all_who_wait)
{
    struct waiting waiting[WAITERS];
    hl_thread *thread[WAITERS];
    hl_event *event;
    MUST(hl_event_new(&event, NULL));
    start_waiters(event, waiting, thread);
    hl_event_set(event);
    finish_waiters(waiting, thread);
    hl_event_free(&event);
}
END_TEST

START_TEST(set_wakes_all_even_if_clear_follows_at_once)
{
    struct waiting waiting[WAITERS];
    hl_thread *thread[WAITERS];
    hl_event *event;
    MUST(hl_event_new(&event, NULL));
    for (int round = 0; round < 20; round++) {
        start_waiters(event, waiting, thread);
        hl_event_set(event);
        hl_event_clear(event);
        finish_waiters(waiting, thread);
        ck_assert_int_eq(hl_event_wait(event, 0), ETIMEDOUT);
    }
    hl_event_free(&event);
}
END_TEST

START_TEST(clear_alone_wakes_nobody)
{
    struct waiting waiting = {.timeout_ns = HL_FOREVER, .rc = -1};
    MUST(hl_event_new(&waiting.event, NULL));
    hl_thread *thread = thread_launch(NULL, wait_here, &waiting);
    await_blocked(thread, "event");
    for (int i = 0; i < 1000; i++)
        hl_event_clear(waiting.event);
    ck_assert(thread_waits_for(thread, "event"));
    ck_assert(!atomic_load(&waiting.over));
    hl_event_set(waiting.event);
    thread_finish(&thread);
    ck_assert_int_eq(waiting.rc, 0);
    hl_event_free(&waiting.event);
}
END_TEST

enum { ROUNDS = 2000 };

struct ping_pong {
    hl_event *ping, *pong;
};

static void answer(void *arg)
{
    struct ping_pong *both = arg;
    for (int i = 0; i < ROUNDS; i++) {
        MUST(hl_event_wait(both->ping, HL_FOREVER));
        hl_event_clear(both->ping);
        hl_event_set(both->pong);
    }
}

START_TEST(no_set_is_lost)
{
    struct ping_pong both;
    MUST(hl_event_new(&both.ping, "ping"));
    MUST(hl_event_new(&both.pong, "pong"));
    hl_thread *thread = thread_launch(NULL, answer, &both);
    for (int i = 0; i < ROUNDS; i++) {
        hl_event_set(both.ping);
        ck_assert_int_eq(hl_event_wait(both.pong, HL_FOREVER), 0);
        hl_event_clear(both.pong);
    }
    thread_finish(&thread);
    hl_event_free(&both.ping);
    hl_event_free(&both.pong);
}
END_TEST

static void set_it(void *arg)
{
    hl_event_set(arg);
}

START_TEST(who_was_woken_may_free_it)
{
    for (int i = 0; i < 300; i++) {
        hl_event *event;
        MUST(hl_event_new(&event, NULL));
        hl_thread *thread = thread_launch(NULL, set_it, event);
        ck_assert_int_eq(hl_event_wait(event, HL_FOREVER), 0);
        hl_event_free(&event);
        thread_finish(&thread);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event");
    TCase *tcase = tcase_create("event");
    tcase_add_test(tcase, the_flag_is_set_and_cleared);
    tcase_add_test(tcase, waiting_for_a_set_event_is_no_wait);
    tcase_add_test(tcase, waiting_without_time_looks_once);
    tcase_add_test(tcase, a_wait_times_out_on_the_nanosecond);
    tcase_add_test(tcase, set_wakes_all_who_wait);
    tcase_add_test(tcase, set_wakes_all_even_if_clear_follows_at_once);
    tcase_add_test(tcase, clear_alone_wakes_nobody);
    tcase_add_test(tcase, no_set_is_lost);
    tcase_add_test(tcase, who_was_woken_may_free_it);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
