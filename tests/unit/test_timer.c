// SPDX-License-Identifier: MIT
// Timers, measured against Python's threading.Timer, and the repeating form: all on the virtual
// clock, which is only moved when the timer's thread is known to sleep.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>

// What a timer's function does: notes when it was called, waits if there is a gate.
struct calls {
    atomic_int count;
    int64_t at_ns[16];
    hl_event *entered, *gate;
    atomic_int gated; // how many calls go through the gate
};

static void note_call(void *arg)
{
    struct calls *calls = arg;
    int i = atomic_load(&calls->count);
    if (i < 16)
        calls->at_ns[i] = clock_now_ns();
    atomic_fetch_add(&calls->count, 1);
    if (atomic_fetch_sub(&calls->gated, 1) > 0) {
        hl_event_set(calls->entered);
        MUST(hl_event_wait(calls->gate, HL_FOREVER));
        hl_event_clear(calls->gate);
    }
}

static struct calls calls;

static void setup(void)
{
    calls = (struct calls){0};
    MUST(hl_event_new(&calls.entered, "entered"));
    MUST(hl_event_new(&calls.gate, "gate"));
    clock_virtual_start(1000 * HL_SECOND);
}

static void teardown(void)
{
    clock_virtual_stop();
    hl_event_free(&calls.entered);
    hl_event_free(&calls.gate);
}

static hl_timer *timer_launch(int64_t interval_ns, bool repeating)
{
    hl_timer *timer;
    if (repeating)
        MUST(hl_timer_new_repeating(&timer, NULL, interval_ns, note_call, &calls));
    else
        MUST(hl_timer_new(&timer, NULL, interval_ns, note_call, &calls));
    MUST(hl_timer_start(timer));
    return timer;
}

START_TEST(calls_once_after_its_interval)
{
    hl_timer *timer = timer_launch(30 * HL_SECOND, false);
    ck_assert(hl_thread_is_alive(hl_timer_thread(timer)));
    park_await_sleepers(1);
    clock_virtual_advance(30 * HL_SECOND - 1);
    ck_assert_int_eq(atomic_load(&calls.count), 0);
    ck_assert_int_eq(hl_timer_join(timer, 0), ETIMEDOUT);
    park_await_sleepers(1);
    clock_virtual_advance(1);
    ck_assert_int_eq(hl_timer_join(timer, HL_FOREVER), 0);
    ck_assert_int_eq(atomic_load(&calls.count), 1);
    ck_assert_int_eq(calls.at_ns[0], 1030 * HL_SECOND);
    ck_assert(!hl_thread_is_alive(hl_timer_thread(timer)));
    ck_assert_int_eq(hl_timer_start(timer), EALREADY);
    hl_timer_cancel(timer); // after its end: nothing
    ck_assert_int_eq(hl_timer_join(timer, 0), 0);
    hl_timer_free(&timer);
    ck_assert_ptr_null(timer);
    hl_timer_free(&timer);
}
END_TEST

START_TEST(no_interval_is_at_once)
{
    for (int64_t interval_ns = -1; interval_ns <= 0; interval_ns++) {
        hl_timer *timer = timer_launch(interval_ns, false);
        ck_assert_int_eq(hl_timer_join(timer, HL_FOREVER), 0);
        hl_timer_free(&timer);
    }
    ck_assert_int_eq(atomic_load(&calls.count), 2);
}
END_TEST

START_TEST(cancelled_before_start_it_starts_and_ends)
{
    for (int repeating = 0; repeating <= 1; repeating++) {
        hl_timer *timer;
        if (repeating)
            MUST(hl_timer_new_repeating(&timer, NULL, HL_SECOND, note_call, &calls));
        else
            MUST(hl_timer_new(&timer, NULL, HL_SECOND, note_call, &calls));
        ck_assert_int_eq(hl_timer_join(timer, 0), EINVAL);
        hl_timer_cancel(timer);
        hl_timer_cancel(timer);
        ck_assert_int_eq(hl_timer_start(timer), 0);
        ck_assert_int_eq(hl_timer_join(timer, HL_FOREVER), 0);
        hl_timer_free(&timer);
    }
    ck_assert_int_eq(atomic_load(&calls.count), 0);
}
END_TEST

START_TEST(cancelled_before_start_it_does_not_call_though_there_is_no_wait)
{
    hl_timer *timer;
    MUST(hl_timer_new(&timer, NULL, 0, note_call, &calls));
    hl_timer_cancel(timer);
    MUST(hl_timer_start(timer));
    ck_assert_int_eq(hl_timer_join(timer, HL_FOREVER), 0);
    ck_assert_int_eq(atomic_load(&calls.count), 0);
    hl_timer_free(&timer);
}
END_TEST

START_TEST(cancelled_while_it_waits_it_ends_without_a_call)
{
    for (int repeating = 0; repeating <= 1; repeating++) {
        hl_timer *timer = timer_launch(HL_SECOND, repeating);
        park_await_sleepers(1);
        hl_timer_cancel(timer);
        ck_assert_int_eq(hl_timer_join(timer, HL_FOREVER), 0);
        clock_virtual_advance(10 * HL_SECOND);
        hl_timer_free(&timer);
    }
    ck_assert_int_eq(atomic_load(&calls.count), 0);
}
END_TEST

START_TEST(cancelled_during_the_call_the_call_goes_on_and_is_the_last)
{
    for (int repeating = 0; repeating <= 1; repeating++) {
        atomic_store(&calls.gated, 1);
        hl_event_clear(calls.entered);
        hl_timer *timer = timer_launch(HL_SECOND, repeating);
        park_await_sleepers(1);
        clock_virtual_advance(HL_SECOND);
        MUST(hl_event_wait(calls.entered, HL_FOREVER));
        hl_timer_cancel(timer);
        ck_assert_int_eq(hl_timer_join(timer, 0), ETIMEDOUT);
        ck_assert(hl_thread_is_alive(hl_timer_thread(timer)));
        clock_virtual_advance(10 * HL_SECOND);
        hl_event_set(calls.gate);
        ck_assert_int_eq(hl_timer_join(timer, HL_FOREVER), 0);
        hl_timer_free(&timer);
        ck_assert_int_eq(atomic_load(&calls.count), repeating + 1);
    }
}
END_TEST

START_TEST(a_repeating_timer_wants_a_positive_interval)
{
    hl_timer *timer = NULL;
    ck_assert_int_eq(hl_timer_new_repeating(&timer, NULL, 0, note_call, &calls), EINVAL);
    ck_assert_int_eq(hl_timer_new_repeating(&timer, NULL, -1, note_call, &calls), EINVAL);
    ck_assert_ptr_null(timer);
}
END_TEST

// Moves to a time at which the timer is due, and waits for its call.
static void advance_to_call(int64_t by_ns, int number)
{
    park_await_sleepers(1);
    clock_virtual_advance(by_ns);
    WAIT_UNTIL(atomic_load(&calls.count) == number);
}

START_TEST(a_repeating_timer_does_not_drift)
{
    hl_timer *timer = timer_launch(10 * HL_SECOND, true);
    // Late by some each time; the next moment is counted from the start all the same.
    advance_to_call(10 * HL_SECOND + 1, 1);
    advance_to_call(10 * HL_SECOND + 2, 2);
    advance_to_call(10 * HL_SECOND + 3 * HL_SECOND, 3);
    park_await_sleepers(1);
    clock_virtual_advance(7 * HL_SECOND - 7); // 1040 s less 4 ns
    ck_assert_int_eq(atomic_load(&calls.count), 3);
    advance_to_call(4, 4);
    advance_to_call(10 * HL_SECOND, 5);
    park_await_sleepers(1);
    hl_timer_cancel(timer);
    MUST(hl_timer_join(timer, HL_FOREVER));
    hl_timer_free(&timer);
    ck_assert_int_eq(calls.at_ns[0], 1010 * HL_SECOND + 1);
    ck_assert_int_eq(calls.at_ns[1], 1020 * HL_SECOND + 3);
    ck_assert_int_eq(calls.at_ns[2], 1033 * HL_SECOND + 3);
    ck_assert_int_eq(calls.at_ns[3], 1040 * HL_SECOND);
    ck_assert_int_eq(calls.at_ns[4], 1050 * HL_SECOND);
}
END_TEST

START_TEST(a_repeating_timer_leaves_out_what_it_missed)
{
    atomic_store(&calls.gated, 1);
    hl_timer *timer = timer_launch(10 * HL_SECOND, true);
    advance_to_call(10 * HL_SECOND, 1);
    MUST(hl_event_wait(calls.entered, HL_FOREVER));
    clock_virtual_advance(25 * HL_SECOND); // the call takes until 1035: 1020 and 1030 are missed
    hl_event_set(calls.gate);
    park_await_sleepers(1);
    ck_assert_int_eq(atomic_load(&calls.count), 1);
    advance_to_call(5 * HL_SECOND, 2);
    // A clock that jumps over several moments brings one call, too.
    advance_to_call(35 * HL_SECOND, 3);
    advance_to_call(5 * HL_SECOND, 4);
    park_await_sleepers(1);
    hl_timer_cancel(timer);
    MUST(hl_timer_join(timer, HL_FOREVER));
    hl_timer_free(&timer);
    ck_assert_int_eq(calls.at_ns[1], 1040 * HL_SECOND);
    ck_assert_int_eq(calls.at_ns[2], 1075 * HL_SECOND);
    ck_assert_int_eq(calls.at_ns[3], 1080 * HL_SECOND);
}
END_TEST

START_TEST(an_interval_beyond_all_time_never_comes)
{
    for (int repeating = 0; repeating <= 1; repeating++) {
        hl_timer *timer = timer_launch(HL_FOREVER - repeating, repeating);
        await_blocked(hl_timer_thread(timer), "event");
        clock_virtual_advance(HL_FOREVER / 2);
        ck_assert_int_eq(hl_timer_join(timer, 0), ETIMEDOUT);
        hl_timer_cancel(timer);
        MUST(hl_timer_join(timer, HL_FOREVER));
        hl_timer_free(&timer);
    }
    ck_assert_int_eq(atomic_load(&calls.count), 0);
}
END_TEST

START_TEST(its_thread_has_name_and_daemon_flag)
{
    hl_timer *timer;
    char name[HL_THREAD_NAME_MAX];
    int number;
    MUST(hl_timer_new(&timer, NULL, HL_SECOND, note_call, &calls));
    hl_thread_get_name(hl_timer_thread(timer), name, sizeof(name));
    ck_assert_int_eq(sscanf(name, "Timer-%d", &number), 1);
    ck_assert(!hl_thread_get_daemon(hl_timer_thread(timer)));
    ck_assert_int_eq(hl_thread_set_daemon(hl_timer_thread(timer), true), 0);
    ck_assert(hl_thread_get_daemon(hl_timer_thread(timer)));
    hl_timer_free(&timer); // never started
    MUST(hl_timer_new(&timer, "purge", HL_SECOND, note_call, &calls));
    hl_thread_get_name(hl_timer_thread(timer), name, sizeof(name));
    ck_assert_str_eq(name, "purge");
    hl_timer_free(&timer);
}
END_TEST

START_TEST(freed_while_it_runs_it_goes_on)
{
    size_t active = hl_thread_active_count();
    hl_timer *timer = timer_launch(HL_SECOND, false);
    hl_timer_free(&timer);
    park_await_sleepers(1);
    clock_virtual_advance(HL_SECOND);
    WAIT_UNTIL(hl_thread_active_count() == active);
    ck_assert_int_eq(atomic_load(&calls.count), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tcase = tcase_create("timer");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, calls_once_after_its_interval);
    tcase_add_test(tcase, no_interval_is_at_once);
    tcase_add_test(tcase, cancelled_before_start_it_starts_and_ends);
    tcase_add_test(tcase, cancelled_before_start_it_does_not_call_though_there_is_no_wait);
    tcase_add_test(tcase, cancelled_while_it_waits_it_ends_without_a_call);
    tcase_add_test(tcase, cancelled_during_the_call_the_call_goes_on_and_is_the_last);
    tcase_add_test(tcase, a_repeating_timer_wants_a_positive_interval);
    tcase_add_test(tcase, a_repeating_timer_does_not_drift);
    tcase_add_test(tcase, a_repeating_timer_leaves_out_what_it_missed);
    tcase_add_test(tcase, an_interval_beyond_all_time_never_comes);
    tcase_add_test(tcase, its_thread_has_name_and_daemon_flag);
    tcase_add_test(tcase, freed_while_it_runs_it_goes_on);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
