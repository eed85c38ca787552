// SPDX-License-Identifier: MIT
// The lock: Python's threading.Lock with an owner. Order and deadlocks are in test_lock_order.c.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_reports.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>

START_TEST(acquired_and_released)
{
    hl_lock *lock;
    ck_assert_int_eq(hl_lock_new(&lock, NULL, NULL), 0);
    ck_assert(!hl_lock_is_locked(lock));
    ck_assert(!hl_lock_is_mine(lock));
    ck_assert_int_eq(hl_lock_acquire(lock), 0);
    ck_assert(hl_lock_is_locked(lock));
    ck_assert(hl_lock_is_mine(lock));
    lock_assert_held(lock);
    ck_assert_int_eq(hl_lock_release(lock), 0);
    ck_assert(!hl_lock_is_locked(lock));
    ck_assert_int_eq(hl_lock_try_acquire(lock), 0);
    ck_assert(hl_lock_is_mine(lock));
    ck_assert_int_eq(hl_lock_release(lock), 0);
    ck_assert_int_eq(hl_lock_acquire_timed(lock, HL_SECOND), 0);
    ck_assert_int_eq(hl_lock_release(lock), 0);
    hl_lock_free(&lock);
    ck_assert_ptr_null(lock);
    hl_lock_free(&lock);
}
END_TEST

START_TEST(releasing_an_unlocked_lock_is_refused)
{
    hl_lock *lock;
    MUST(hl_lock_new(&lock, NULL, NULL));
    ck_assert_int_eq(hl_lock_release(lock), EPERM);
    ck_assert(!hl_lock_is_locked(lock));
    MUST(hl_lock_acquire(lock));
    MUST(hl_lock_release(lock));
    ck_assert_int_eq(hl_lock_release(lock), EPERM);
    ck_assert_int_eq(hl_lock_acquire(lock), 0);
    ck_assert_int_eq(hl_lock_release(lock), 0);
    hl_lock_free(&lock);
}
END_TEST

struct visitor {
    hl_lock *lock;
    int64_t timeout_ns;
    int try_rc, release_rc, timed_rc;
    bool locked, mine;
};

static void visit(void *arg)
{
    struct visitor *visitor = arg;
    visitor->locked = hl_lock_is_locked(visitor->lock);
    visitor->mine = hl_lock_is_mine(visitor->lock);
    visitor->try_rc = hl_lock_try_acquire(visitor->lock);
    visitor->release_rc = hl_lock_release(visitor->lock);
    visitor->timed_rc = hl_lock_acquire_timed(visitor->lock, visitor->timeout_ns);
    if (visitor->timed_rc == 0)
        MUST(hl_lock_release(visitor->lock));
}

START_TEST(the_lock_of_another_thread_is_left_alone)
{
    struct visitor visitor = {.timeout_ns = 0};
    MUST(hl_lock_new(&visitor.lock, NULL, NULL));
    MUST(hl_lock_acquire(visitor.lock));
    hl_thread *thread = thread_launch(NULL, visit, &visitor);
    thread_finish(&thread);
    ck_assert(visitor.locked);
    ck_assert(!visitor.mine);
    ck_assert_int_eq(visitor.try_rc, EBUSY);
    ck_assert_int_eq(visitor.release_rc, EPERM);
    ck_assert_int_eq(visitor.timed_rc, ETIMEDOUT);
    ck_assert(hl_lock_is_mine(visitor.lock));
    ck_assert_int_eq(hl_lock_release(visitor.lock), 0);
    hl_lock_free(&visitor.lock);
}
END_TEST

START_TEST(the_owner_gets_an_error_instead_of_a_hang)
{
    hl_lock *lock;
    reports_start();
    MUST(hl_lock_new(&lock, "mine", NULL));
    ck_assert_int_eq(hl_lock_acquire_at(lock, HL_FOREVER, "here.c:1"), 0);
    ck_assert_int_eq(hl_lock_try_acquire(lock), EBUSY);
    ck_assert_uint_eq(reports_count(), 0);
    ck_assert_int_eq(hl_lock_acquire_at(lock, HL_FOREVER, "here.c:2"), EDEADLK);
    ck_assert(REPORT_HAS(0, "deadlock", "MainThread", "\"mine\"", "here.c:1", "here.c:2"));
    ck_assert_int_eq(hl_lock_acquire_timed(lock, HL_SECOND), EDEADLK);
    ck_assert_int_eq(hl_lock_acquire_timed(lock, -1), EDEADLK);
    ck_assert_int_eq(hl_lock_acquire_timed(lock, 0), EDEADLK);
    ck_assert(hl_lock_is_mine(lock));
    ck_assert_int_eq(hl_lock_release(lock), 0);
    ck_assert_int_eq(hl_lock_release(lock), EPERM);
    hl_lock_free(&lock);
    reports_stop();
}
END_TEST

// ---- timeouts ----

START_TEST(timeouts_are_checked)
{
    hl_lock *lock;
    MUST(hl_lock_new(&lock, NULL, NULL));
    ck_assert_int_eq(hl_lock_acquire_timed(lock, -2), EINVAL);
    ck_assert_int_eq(hl_lock_acquire_timed(lock, INT64_MIN), EINVAL);
    ck_assert(!hl_lock_is_locked(lock));
    ck_assert_int_eq(hl_lock_acquire_timed(lock, -1), 0); // Python: without end
    MUST(hl_lock_release(lock));
    ck_assert_int_eq(hl_lock_acquire_timed(lock, 0), 0);
    MUST(hl_lock_release(lock));
    hl_lock_free(&lock);
}
END_TEST

START_TEST(a_timed_acquire_gives_up_in_time)
{
    struct visitor visitor = {.timeout_ns = 2 * HL_SECOND};
    clock_virtual_start(0);
    MUST(hl_lock_new(&visitor.lock, NULL, NULL));
    MUST(hl_lock_acquire(visitor.lock));
    hl_thread *thread = thread_launch(NULL, visit, &visitor);
    park_await_sleepers(1);
    clock_virtual_advance(2 * HL_SECOND - 1);
    ck_assert_int_eq(hl_thread_join(thread, 0), ETIMEDOUT);
    park_await_sleepers(1);
    clock_virtual_advance(1);
    thread_finish(&thread);
    ck_assert_int_eq(visitor.timed_rc, ETIMEDOUT);

    thread = thread_launch(NULL, visit, &visitor);
    park_await_sleepers(1);
    clock_virtual_advance(HL_SECOND);
    MUST(hl_lock_release(visitor.lock));
    thread_finish(&thread);
    ck_assert_int_eq(visitor.timed_rc, 0);
    hl_lock_free(&visitor.lock);
    clock_virtual_stop();
}
END_TEST

START_TEST(minus_one_waits_without_end)
{
    struct visitor visitor = {.timeout_ns = -1};
    clock_virtual_start(0);
    MUST(hl_lock_new(&visitor.lock, NULL, NULL));
    MUST(hl_lock_acquire(visitor.lock));
    hl_thread *thread = thread_launch(NULL, visit, &visitor);
    await_blocked(thread, "lock");
    clock_virtual_advance(INT64_MAX / 2);
    ck_assert(thread_waits_for(thread, "lock"));
    MUST(hl_lock_release(visitor.lock));
    thread_finish(&thread);
    ck_assert_int_eq(visitor.timed_rc, 0);
    hl_lock_free(&visitor.lock);
    clock_virtual_stop();
}
END_TEST

START_TEST(who_times_out_as_it_is_woken_takes_no_wake_along)
{
    // One waits with a timeout and one without; the time comes just when the lock is released. The
    // one without must get it, every time.
    struct visitor timed = {.timeout_ns = HL_SECOND};
    struct visitor patient = {.timeout_ns = HL_FOREVER};
    MUST(hl_lock_new(&timed.lock, NULL, NULL));
    patient.lock = timed.lock;
    clock_virtual_start(0);
    for (int i = 0; i < 300; i++) {
        MUST(hl_lock_acquire(timed.lock));
        hl_thread *first = thread_launch(NULL, visit, &timed);
        park_await_sleepers(1);
        hl_thread *second = thread_launch(NULL, visit, &patient);
        await_blocked(second, "lock");
        if (i % 2)
            clock_virtual_advance(HL_SECOND);
        MUST(hl_lock_release(timed.lock));
        if (i % 2 == 0)
            clock_virtual_advance(HL_SECOND);
        thread_finish(&second);
        thread_finish(&first);
        ck_assert_int_eq(patient.timed_rc, 0);
        ck_assert(timed.timed_rc == 0 || timed.timed_rc == ETIMEDOUT);
        ck_assert(!hl_lock_is_locked(timed.lock));
    }
    clock_virtual_stop();
    hl_lock_free(&timed.lock);
}
END_TEST

// ---- the scoped form ----

static int leave_early(hl_lock *lock, bool early)
{
    HL_LOCK_SCOPE(lock);
    ASSERT(hl_lock_is_mine(lock));
    if (early)
        return 1;
    ASSERT(hl_lock_is_mine(lock));
    return 2;
}

START_TEST(the_scoped_form_releases_however_the_block_is_left)
{
    hl_lock *outer;
    hl_lock *inner;
    MUST(hl_lock_new(&outer, "outer", NULL));
    MUST(hl_lock_new(&inner, "inner", NULL));
    ck_assert_int_eq(leave_early(outer, true), 1);
    ck_assert(!hl_lock_is_locked(outer));
    ck_assert_int_eq(leave_early(outer, false), 2);
    ck_assert(!hl_lock_is_locked(outer));
    {
        HL_LOCK_SCOPE(outer);
        HL_LOCK_SCOPE(inner);
        ck_assert(hl_lock_is_mine(outer));
        ck_assert(hl_lock_is_mine(inner));
    }
    ck_assert(!hl_lock_is_locked(outer));
    ck_assert(!hl_lock_is_locked(inner));
    for (int i = 0; i < 3; i++) {
        HL_LOCK_SCOPE(outer);
        if (i == 1)
            continue;
        ck_assert(hl_lock_is_mine(outer));
    }
    ck_assert(!hl_lock_is_locked(outer));
    hl_lock_free(&outer);
    hl_lock_free(&inner);
}
END_TEST

// ---- deaths: mistakes of the caller that have no error to return ----

START_TEST(a_scope_in_its_own_scope_stops_the_program)
{
    hl_lock *lock;
    MUST(hl_lock_new(&lock, NULL, NULL));
    HL_LOCK_SCOPE(lock);
    HL_LOCK_SCOPE(lock);
}
END_TEST

START_TEST(freeing_a_taken_lock_stops_the_program)
{
    hl_lock *lock;
    MUST(hl_lock_new(&lock, NULL, NULL));
    MUST(hl_lock_acquire(lock));
    hl_lock_free(&lock);
}
END_TEST

START_TEST(asserting_a_lock_that_is_not_held_stops_the_program)
{
    hl_lock *lock;
    MUST(hl_lock_new(&lock, NULL, NULL));
    lock_assert_held(lock);
}
END_TEST

// ---- classes ----

START_TEST(classes_are_registered_once)
{
    const hl_lock_class *first = NULL;
    const hl_lock_class *second = NULL;
    char name[] = "test-class";
    ck_assert_int_eq(hl_lock_class_register(&first, name, 50), 0);
    ck_assert_ptr_nonnull(first);
    name[0] = 'T'; // the name was copied
    ck_assert_int_eq(hl_lock_class_register(&second, "test-class", 50), 0);
    ck_assert_ptr_eq(first, second);
    ck_assert_int_eq(hl_lock_class_register(&second, "test-class", 51), EEXIST);
    ck_assert_ptr_eq(first, second);
    ck_assert_int_eq(hl_lock_class_register(&second, "test-other", 50), 0);
    ck_assert_ptr_ne(first, second);
    const hl_lock_class *none = NULL;
    ck_assert_int_eq(hl_lock_class_register(&none, NULL, 50), EINVAL);
    ck_assert_int_eq(hl_lock_class_register(&none, "", 50), EINVAL);
    ck_assert_int_eq(hl_lock_class_register(&none, "x", 0), EINVAL);
    ck_assert_int_eq(hl_lock_class_register(&none, "x", -1), EINVAL);
    ck_assert_int_eq(hl_lock_class_register(&none, "x", HL_LOCK_RANK_MAX + 1), EINVAL);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(hl_lock_class_register(&none, "test-last", HL_LOCK_RANK_MAX), 0);
    ck_assert_int_eq(hl_lock_class_register(&none, "test-one", 1), 0);
}
END_TEST

// ---- a crowd ----

enum { WORKERS = 6, TURNS = 4000 };

struct crowd {
    hl_lock *lock;
    long counter; // covered by lock
    atomic_int inside;
};

static void take_turns(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < TURNS; i++) {
        int rc;
        if (i % 3 == 0)
            while ((rc = hl_lock_try_acquire(crowd->lock)) == EBUSY)
                sched_yield();
        else if (i % 3 == 1)
            rc = hl_lock_acquire_timed(crowd->lock, 60 * HL_SECOND);
        else
            rc = hl_lock_acquire(crowd->lock);
        ASSERT(rc == 0);
        ASSERT(atomic_fetch_add(&crowd->inside, 1) == 0);
        crowd->counter++;
        if (i % 64 == 0)
            sched_yield();
        ASSERT(atomic_fetch_sub(&crowd->inside, 1) == 1);
        MUST(hl_lock_release(crowd->lock));
    }
}

START_TEST(only_one_is_inside)
{
    struct crowd crowd = {0};
    hl_thread *thread[WORKERS];
    MUST(hl_lock_new(&crowd.lock, NULL, NULL));
    for (int i = 0; i < WORKERS; i++)
        thread[i] = thread_launch(NULL, take_turns, &crowd);
    for (int i = 0; i < WORKERS; i++)
        thread_finish(&thread[i]);
    ck_assert_int_eq(crowd.counter, (long)WORKERS * TURNS);
    hl_lock_free(&crowd.lock);
}
END_TEST

static void give_up_quickly(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < TURNS / 4; i++) {
        int rc = hl_lock_acquire_timed(crowd->lock, (i % 50) * HL_MICROSECOND);
        ASSERT(rc == 0 || rc == ETIMEDOUT);
        if (rc != 0)
            continue;
        crowd->counter++;
        sched_yield();
        MUST(hl_lock_release(crowd->lock));
    }
}

START_TEST(timeouts_and_releases_race_without_loss)
{
    struct crowd crowd = {0};
    hl_thread *thread[WORKERS];
    MUST(hl_lock_new(&crowd.lock, NULL, NULL));
    for (int i = 0; i < WORKERS; i++)
        thread[i] = thread_launch(NULL, i == 0 ? take_turns : give_up_quickly, &crowd);
    for (int i = 0; i < WORKERS; i++)
        thread_finish(&thread[i]);
    ck_assert_int_ge(crowd.counter, TURNS);
    ck_assert(!hl_lock_is_locked(crowd.lock));
    hl_lock_free(&crowd.lock);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock");
    TCase *tcase = tcase_create("lock");
    tcase_add_test(tcase, acquired_and_released);
    tcase_add_test(tcase, releasing_an_unlocked_lock_is_refused);
    tcase_add_test(tcase, the_lock_of_another_thread_is_left_alone);
    tcase_add_test(tcase, the_owner_gets_an_error_instead_of_a_hang);
    tcase_add_test(tcase, timeouts_are_checked);
    tcase_add_test(tcase, a_timed_acquire_gives_up_in_time);
    tcase_add_test(tcase, minus_one_waits_without_end);
    tcase_add_test(tcase, who_times_out_as_it_is_woken_takes_no_wake_along);
    tcase_add_test(tcase, the_scoped_form_releases_however_the_block_is_left);
    unit_add_death(tcase, a_scope_in_its_own_scope_stops_the_program, SIGABRT);
    unit_add_death(tcase, freeing_a_taken_lock_stops_the_program, SIGABRT);
    unit_add_death(tcase, asserting_a_lock_that_is_not_held_stops_the_program, SIGABRT);
    tcase_add_test(tcase, classes_are_registered_once);
    tcase_add_test(tcase, only_one_is_inside);
    tcase_add_test(tcase, timeouts_and_releases_race_without_loss);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
