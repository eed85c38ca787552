// SPDX-License-Identifier: MIT
// Parking: sleeping on a word and being woken, by a wake, by a changed word, or by the clock.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>

struct sleeper {
    _Atomic uint32_t *word;
    int64_t deadline_ns;
    atomic_int rc;
    atomic_bool over;
};

// Sleeps until the word has changed or time is up, as every user of park does.
static void sleep_here(void *arg)
{
    struct sleeper *sleeper = arg;
    int rc = 0;
    hl_thread_wait_begin("word", "");
    while (atomic_load(sleeper->word) == 0 && rc == 0)
        rc = park_wait(sleeper->word, 0, sleeper->deadline_ns);
    hl_thread_wait_end();
    atomic_store(&sleeper->rc, rc);
    atomic_store(&sleeper->over, true);
}

START_TEST(another_value_is_no_reason_to_sleep)
{
    _Atomic uint32_t word = 5;
    ck_assert_int_eq(park_wait(&word, 4, CLOCK_NEVER), 0);
}
END_TEST

START_TEST(a_deadline_in_the_past_is_over)
{
    _Atomic uint32_t word = 0;
    ck_assert_int_eq(park_wait(&word, 0, 0), ETIMEDOUT);
    ck_assert_int_eq(park_wait(&word, 0, INT64_MIN), ETIMEDOUT);
    ck_assert_int_eq(park_wait(&word, 0, clock_now_ns()), ETIMEDOUT);
    clock_virtual_start(10);
    ck_assert_int_eq(park_wait(&word, 0, 10), ETIMEDOUT);
    ck_assert_int_eq(park_wait(&word, 0, -1), ETIMEDOUT);
    clock_virtual_stop();
}
END_TEST

START_TEST(a_real_deadline_comes)
{
    _Atomic uint32_t word = 0;
    int64_t start_ns = clock_now_ns();
    int rc = 0;
    while (rc == 0)
        rc = park_wait(&word, 0, start_ns + 2 * HL_MILLISECOND);
    ck_assert_int_eq(rc, ETIMEDOUT);
    ck_assert_int_ge(clock_now_ns(), start_ns + 2 * HL_MILLISECOND);
}
END_TEST

START_TEST(a_wake_ends_a_sleep_without_deadline)
{
    for (int i = 0; i < 200; i++) {
        _Atomic uint32_t word = 0;
        struct sleeper sleeper = {.word = &word, .deadline_ns = CLOCK_NEVER};
        hl_thread *thread = thread_launch(NULL, sleep_here, &sleeper);
        if (i % 2)
            await_blocked(thread, "word");
        atomic_store(&word, 1);
        park_wake(&word, 1);
        thread_finish(&thread);
        ck_assert_int_eq(atomic_load(&sleeper.rc), 0);
    }
}
END_TEST

START_TEST(the_virtual_clock_wakes_those_whose_time_has_come)
{
    enum { SLEEPERS = 6 };
    _Atomic uint32_t word[SLEEPERS] = {0};
    struct sleeper sleeper[SLEEPERS];
    hl_thread *thread[SLEEPERS];
    clock_virtual_start(0);
    for (int i = 0; i < SLEEPERS; i++) {
        // Deadlines 1 s .. 3 s, two each; the words of the first two are one.
        sleeper[i] =
            (struct sleeper){.word = &word[i < 2 ? 0 : i], .deadline_ns = (i / 2 + 1) * HL_SECOND};
        thread[i] = thread_launch(NULL, sleep_here, &sleeper[i]);
    }
    park_await_sleepers(SLEEPERS);
    for (int second = 1; second <= 3; second++) {
        clock_virtual_advance(HL_SECOND - 1);
        clock_virtual_advance(1);
        for (int i = 0; i < SLEEPERS; i++) {
            bool due = i / 2 + 1 <= second;
            if (due)
                WAIT_UNTIL(atomic_load(&sleeper[i].over));
            ck_assert_int_eq(atomic_load(&sleeper[i].over), due);
        }
        park_await_sleepers(SLEEPERS - 2U * (unsigned)second);
    }
    for (int i = 0; i < SLEEPERS; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(atomic_load(&sleeper[i].rc), ETIMEDOUT);
    }
    clock_virtual_stop();
}
END_TEST

START_TEST(a_sleeper_with_a_deadline_is_woken_before_it_too)
{
    _Atomic uint32_t word = 0;
    struct sleeper sleeper = {.word = &word, .deadline_ns = HL_SECOND};
    clock_virtual_start(0);
    hl_thread *thread = thread_launch(NULL, sleep_here, &sleeper);
    park_await_sleepers(1);
    // The listed sleeper may not sleep yet; the changed word keeps it from it.
    atomic_store(&word, 1);
    park_wake(&word, INT_MAX);
    thread_finish(&thread);
    ck_assert_int_eq(atomic_load(&sleeper.rc), 0);
    clock_virtual_stop();
}
END_TEST

START_TEST(no_move_of_the_clock_is_lost)
{
    // Each round a sleeper's deadline comes about when it falls asleep.
    clock_virtual_start(0);
    for (int i = 1; i <= 300; i++) {
        _Atomic uint32_t word = 0;
        struct sleeper sleeper = {.word = &word, .deadline_ns = i * HL_SECOND};
        hl_thread *thread = thread_launch(NULL, sleep_here, &sleeper);
        clock_virtual_advance(HL_SECOND);
        thread_finish(&thread);
        ck_assert_int_eq(atomic_load(&sleeper.rc), ETIMEDOUT);
    }
    clock_virtual_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("park");
    TCase *tcase = tcase_create("park");
    tcase_add_test(tcase, another_value_is_no_reason_to_sleep);
    tcase_add_test(tcase, a_deadline_in_the_past_is_over);
    tcase_add_test(tcase, a_real_deadline_comes);
    tcase_add_test(tcase, a_wake_ends_a_sleep_without_deadline);
    tcase_add_test(tcase, the_virtual_clock_wakes_those_whose_time_has_come);
    tcase_add_test(tcase, a_sleeper_with_a_deadline_is_woken_before_it_too);
    tcase_add_test(tcase, no_move_of_the_clock_is_lost);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
