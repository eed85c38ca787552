// SPDX-License-Identifier: MIT
/*
 * The clock: the real one goes forward, the virtual one stands until it is moved, deadlines don't
 * overflow, and everybody who listens hears of each move after it.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

static int64_t system_ns(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

START_TEST(real_clocks_are_the_system_s)
{
    int64_t before = system_ns(CLOCK_MONOTONIC);
    int64_t first = clock_now_ns();
    int64_t second = clock_now_ns();
    int64_t after = system_ns(CLOCK_MONOTONIC);
    ck_assert_int_le(before, first);
    ck_assert_int_le(first, second);
    ck_assert_int_le(second, after);
    ck_assert(!clock_is_virtual());
    /* Wall-clock time may be set between two reads, but hardly by an hour. */
    int64_t off = clock_wall_ns() - system_ns(CLOCK_REALTIME);
    ck_assert(off > -3600 * SECOND && off < 3600 * SECOND);
}
END_TEST

START_TEST(virtual_time_stands_until_moved)
{
    clock_virtual_start(5 * SECOND);
    ck_assert(clock_is_virtual());
    ck_assert_int_eq(clock_now_ns(), 5 * SECOND);
    int64_t wall = clock_wall_ns();
    ck_assert_int_eq(clock_now_ns(), 5 * SECOND);
    clock_virtual_advance(3);
    ck_assert_int_eq(clock_now_ns(), 5 * SECOND + 3);
    ck_assert_int_eq(clock_wall_ns(), wall + 3);
    clock_virtual_advance(0);
    ck_assert_int_eq(clock_now_ns(), 5 * SECOND + 3);
    clock_virtual_stop();
    ck_assert(!clock_is_virtual());
    int64_t real = system_ns(CLOCK_MONOTONIC);
    ck_assert_int_ge(clock_now_ns(), real);
}
END_TEST

START_TEST(virtual_wall_time_begins_at_a_fixed_moment)
{
    clock_virtual_start(0);
    ck_assert_int_eq(clock_wall_ns(), INT64_C(1767225600) * SECOND);
    clock_virtual_stop();
}
END_TEST

START_TEST(deadlines)
{
    clock_virtual_start(100);
    ck_assert_int_eq(clock_deadline(0), 100);
    ck_assert_int_eq(clock_deadline(-1), 100);
    ck_assert_int_eq(clock_deadline(INT64_MIN), 100);
    ck_assert_int_eq(clock_deadline(1), 101);
    ck_assert_int_eq(clock_deadline(CLOCK_NEVER), CLOCK_NEVER);
    ck_assert_int_eq(clock_deadline(CLOCK_NEVER - 101), CLOCK_NEVER - 1);
    ck_assert_int_eq(clock_deadline(CLOCK_NEVER - 100), CLOCK_NEVER);
    ck_assert_int_eq(clock_deadline(CLOCK_NEVER - 99), CLOCK_NEVER);
    ck_assert_int_eq(clock_deadline(CLOCK_NEVER - 1), CLOCK_NEVER);
    clock_virtual_stop();
    int64_t before = clock_now_ns();
    int64_t deadline = clock_deadline(SECOND);
    ck_assert_int_ge(deadline, before + SECOND);
    ck_assert_int_le(deadline, clock_now_ns() + SECOND);
}
END_TEST

START_TEST(virtual_time_ends_at_never)
{
    clock_virtual_start(CLOCK_NEVER - 5);
    clock_virtual_advance(100);
    ck_assert_int_eq(clock_now_ns(), CLOCK_NEVER);
    ck_assert_int_eq(clock_wall_ns(), CLOCK_NEVER);
    clock_virtual_stop();
}
END_TEST

/* Listeners stay for the life of the process, which under some sanitizers is that of all tests. */
static _Atomic int heard_by_first, heard_by_second;
static _Atomic int64_t time_heard;
static _Atomic bool out_of_order;

static void first_listener(void)
{
    atomic_fetch_add(&heard_by_first, 1);
    atomic_store(&time_heard, clock_now_ns());
}

static void second_listener(void)
{
    /* Counts of both are equal once the second has heard what the first did, on one thread. */
    int before = atomic_fetch_add(&heard_by_second, 1);
    if (atomic_load(&heard_by_first) <= before)
        atomic_store(&out_of_order, true);
}

START_TEST(listeners_hear_each_move_after_it)
{
    clock_listen(first_listener);
    clock_listen(second_listener);
    ck_assert_int_eq(heard_by_first, 0);
    clock_virtual_start(7);
    ck_assert_int_eq(heard_by_first, 1);
    ck_assert_int_eq(time_heard, 7);
    clock_virtual_advance(10);
    ck_assert_int_eq(heard_by_first, 2);
    ck_assert_int_eq(heard_by_second, 2);
    ck_assert_int_eq(time_heard, 17);
    clock_virtual_stop();
    ck_assert_int_eq(heard_by_second, 3);
    ck_assert(!out_of_order);
}
END_TEST

#define MOVERS 4
#define MOVES 1000

static void *move_often(void *arg)
{
    (void)arg;
    int64_t before = clock_now_ns();
    for (int i = 0; i < MOVES; i++) {
        clock_virtual_advance(3);
        int64_t now = clock_now_ns();
        ASSERT(now >= before + 3);
        before = now;
    }
    return NULL;
}

START_TEST(moves_of_several_threads_add_up)
{
    pthread_t mover[MOVERS];
    clock_virtual_start(0);
    for (int i = 0; i < MOVERS; i++)
        ck_assert_int_eq(pthread_create(&mover[i], NULL, move_often, NULL), 0);
    for (int i = 0; i < MOVERS; i++)
        ck_assert_int_eq(pthread_join(mover[i], NULL), 0);
    ck_assert_int_eq(clock_now_ns(), (int64_t)MOVERS * MOVES * 3);
    clock_virtual_stop();
}
END_TEST

START_TEST(starting_twice_is_refused)
{
    clock_virtual_start(1);
    clock_virtual_start(2);
}
END_TEST

START_TEST(moving_the_real_clock_is_refused)
{
    clock_virtual_advance(1);
}
END_TEST

START_TEST(moving_back_is_refused)
{
    clock_virtual_start(10);
    clock_virtual_advance(-1);
}
END_TEST

static void listen_nowhere(void)
{
}

START_TEST(too_many_listeners_are_refused)
{
    for (int i = 0; i <= CLOCK_LISTENERS_MAX; i++)
        clock_listen(listen_nowhere);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");
    tcase_add_test(tcase, real_clocks_are_the_system_s);
    tcase_add_test(tcase, virtual_time_stands_until_moved);
    tcase_add_test(tcase, virtual_wall_time_begins_at_a_fixed_moment);
    tcase_add_test(tcase, deadlines);
    tcase_add_test(tcase, virtual_time_ends_at_never);
    tcase_add_test(tcase, listeners_hear_each_move_after_it);
    tcase_add_test(tcase, moves_of_several_threads_add_up);
    unit_add_death(tcase, starting_twice_is_refused, SIGABRT);
    unit_add_death(tcase, moving_the_real_clock_is_refused, SIGABRT);
    unit_add_death(tcase, moving_back_is_refused, SIGABRT);
    unit_add_death(tcase, too_many_listeners_are_refused, SIGABRT);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
