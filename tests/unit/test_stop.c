// SPDX-License-Identifier: MIT
// Why a run is stopped: its time limit, a cancel, the end of the daemon; each alone, and in the
// moments before and after a run.

#include "worker/stop_priv.h"

#include "base/clock.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>

static struct stop stop;
static _Atomic uint64_t called; // the method, with that token

static void method(void *state, uint64_t token)
{
    ck_assert_ptr_eq(state, &stop);
    atomic_store(&called, token);
}

static const struct handler with_method = {.name = "with", .stop = method};
static const struct handler without = {.name = "without"};

static void setup(void)
{
    ck_assert_int_eq(stop_init(&stop, &without, &stop), 0);
}

static void teardown(void)
{
    stop_fini(&stop);
}

static bool told(int timeout_ms)
{
    struct pollfd look = {.fd = stop.fd, .events = POLLIN};
    return poll(&look, 1, timeout_ms) == 1;
}

START_TEST(nobody_asks)
{
    ck_assert(!stop_begin(&stop, 1, 0));
    ck_assert(!told(0));
    ck_assert_int_eq(stop_end(&stop), STOP_NONE);
}
END_TEST

START_TEST(a_cancel_is_of_one_run)
{
    ck_assert(!stop_begin(&stop, 1, 0));
    stop_cancel(&stop, 1);
    ck_assert(told(0));
    stop_for_good(&stop); // the first reason counts
    ck_assert_int_eq(stop_end(&stop), STOP_CANCEL);
}
END_TEST

START_TEST(the_next_run_is_free)
{
    (void)stop_begin(&stop, 1, 0);
    stop_cancel(&stop, 1);
    ck_assert_int_eq(stop_end(&stop), STOP_CANCEL);
    ck_assert(stop_begin(&stop, 2, 0)); // it may have been this one: who knows is asked once
    ck_assert(!told(0));
    ck_assert_int_eq(stop_end(&stop), STOP_NONE);
    ck_assert(!stop_begin(&stop, 3, 0));
    ck_assert_int_eq(stop_end(&stop), STOP_NONE);
}
END_TEST

START_TEST(a_cancel_before_the_run_is_not_missed)
{
    stop_cancel(&stop, 1);
    ck_assert(!told(0));
    ck_assert(stop_begin(&stop, 1, 0));
    ck_assert_int_eq(stop_end(&stop), STOP_NONE);
}
END_TEST

START_TEST(the_end_is_for_all_runs)
{
    (void)stop_begin(&stop, 1, 0);
    stop_for_good(&stop);
    ck_assert(told(0));
    ck_assert_int_eq(stop_end(&stop), STOP_SHUTDOWN);
    (void)stop_begin(&stop, 2, 0);
    ck_assert(told(0));
    ck_assert_int_eq(stop_end(&stop), STOP_SHUTDOWN);
}
END_TEST

START_TEST(a_limit_ends_a_run)
{
    (void)stop_begin(&stop, 1, 1000000);
    ck_assert(told(-1));
    ck_assert_int_eq(stop_end(&stop), STOP_TIMEOUT);
    (void)stop_begin(&stop, 2, 3600 * HL_SECOND);
    ck_assert(!told(0));
    ck_assert_int_eq(stop_end(&stop), STOP_NONE);
}
END_TEST

// The one that is due first, not the one that began first; those that ended are forgotten.
START_TEST(the_earliest_limit_is_first)
{
    struct stop other = {.magic = 0}, third = {.magic = 0};
    ck_assert_int_eq(stop_init(&other, &without, &stop), 0);
    ck_assert_int_eq(stop_init(&third, &without, &stop), 0);
    (void)stop_begin(&stop, 1, 3600 * HL_SECOND);
    (void)stop_begin(&third, 2, 1);
    ck_assert_int_ne(stop_end(&third), STOP_CANCEL);
    (void)stop_begin(&other, 3, 1000000);
    struct pollfd look = {.fd = other.fd, .events = POLLIN};
    ck_assert_int_eq(poll(&look, 1, -1), 1);
    ck_assert_int_eq(stop_end(&other), STOP_TIMEOUT);
    ck_assert_int_eq(stop_end(&stop), STOP_NONE);
    stop_fini(&other);
    stop_fini(&third);
}
END_TEST

static void await_call(uint64_t token)
{
    struct pollfd nothing = {.fd = -1};
    for (int i = 0; i < 10000 && atomic_load(&called) != token; i++)
        (void)poll(&nothing, 1, 1);
    ck_assert_uint_eq(atomic_load(&called), token);
}

// By the thread, with the token of the run.
START_TEST(the_method_is_called)
{
    struct stop mine = {.magic = 0};
    ck_assert_int_eq(stop_init(&mine, &with_method, &stop), 0);
    (void)stop_begin(&mine, 5, 0);
    stop_cancel(&mine, 5);
    await_call(5);
    ck_assert_int_eq(stop_end(&mine), STOP_CANCEL);
    (void)stop_begin(&mine, 6, 1000000);
    await_call(6);
    ck_assert_int_eq(stop_end(&mine), STOP_TIMEOUT);
    (void)stop_begin(&mine, 8, 0);
    stop_for_good(&mine);
    await_call(8);
    ck_assert_int_eq(stop_end(&mine), STOP_SHUTDOWN);
    stop_fini(&mine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stop");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, nobody_asks);
    tcase_add_test(all, a_cancel_is_of_one_run);
    tcase_add_test(all, the_next_run_is_free);
    tcase_add_test(all, a_cancel_before_the_run_is_not_missed);
    tcase_add_test(all, the_end_is_for_all_runs);
    tcase_add_test(all, a_limit_ends_a_run);
    tcase_add_test(all, the_earliest_limit_is_first);
    tcase_add_test(all, the_method_is_called);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
