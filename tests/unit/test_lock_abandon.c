// SPDX-License-Identifier: MIT
// Locks whose owner's thread has ended: that it is reported, and that nobody waits for them,
// neither who came before the end nor who comes after.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_reports.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>

static hl_lock *lock_made(const char *name)
{
    hl_lock *lock;
    MUST(hl_lock_new(&lock, name, NULL));
    return lock;
}

static hl_lock *left_behind[2]; // never to be freed

static void take_along(void *arg)
{
    MUST(hl_lock_acquire_at(arg, HL_FOREVER, "anna.c:1"));
}

static void *take_along_foreign(void *arg)
{
    MUST(hl_thread_set_name(hl_thread_current(), "stranger"));
    take_along(arg);
    return NULL;
}

START_TEST(a_thread_that_ends_with_a_lock_is_reported)
{
    left_behind[0] = lock_made("apple");
    left_behind[1] = lock_made("pear");
    hl_thread *thread = thread_launch("anna", take_along, left_behind[0]);
    thread_finish(&thread);
    pthread_t handle;
    MUST(pthread_create(&handle, NULL, take_along_foreign, left_behind[1]));
    MUST(pthread_join(handle, NULL));
    ck_assert_uint_eq(reports_count(), 2);
    ck_assert(REPORT_HAS(0, "\"anna\"", "\"apple\"", "anna.c:1", "ended"));
    ck_assert(REPORT_HAS(1, "\"stranger\"", "\"pear\"", "anna.c:1", "ended"));
    for (int i = 0; i < 2; i++) {
        ck_assert(hl_lock_is_locked(left_behind[i]));
        ck_assert_int_eq(hl_lock_try_acquire(left_behind[i]), EBUSY);
        ck_assert_int_eq(hl_lock_release(left_behind[i]), EPERM);
        ck_assert_int_eq(hl_lock_acquire_timed(left_behind[i], 0), ETIMEDOUT);
    }
}
END_TEST

struct heir {
    hl_lock *lock;
    int64_t timeout_ns;
    int result;
};

static void inherit(void *arg)
{
    struct heir *heir = arg;
    heir->result = hl_lock_acquire_at(heir->lock, heir->timeout_ns, "bert.c:2");
}

static hl_event *go_ahead;

static void hold_until_told(void *arg)
{
    take_along(arg);
    MUST(hl_event_wait(go_ahead, HL_FOREVER));
}

// Who comes after the owner's end, and who waits already when it comes, with and without a timeout.
START_TEST(a_lock_left_behind_keeps_nobody_waiting)
{
    enum { HEIRS = 6 };
    static struct heir heir[HEIRS];
    hl_thread *thread[HEIRS];
    left_behind[0] = lock_made("apple");
    MUST(hl_event_new(&go_ahead, "go ahead"));
    hl_thread *owner = thread_launch("anna", hold_until_told, left_behind[0]);
    await_blocked(owner, "event");
    for (int i = 0; i < HEIRS; i++) {
        heir[i] = (struct heir){left_behind[0], i % 2 == 0 ? HL_FOREVER : 3600 * HL_SECOND, -1};
        thread[i] = thread_launch("bert", inherit, &heir[i]);
        if (_i == 0)
            await_blocked(thread[i], "lock");
    }
    hl_event_set(go_ahead);
    thread_finish(&owner);
    for (int i = 0; i < HEIRS; i++) {
        thread_finish(&thread[i]);
        ck_assert_int_eq(heir[i].result, EDEADLK);
    }
    ck_assert_int_eq(hl_lock_acquire(left_behind[0]), EDEADLK);
    ck_assert_int_eq(hl_lock_acquire_timed(left_behind[0], HL_SECOND), EDEADLK);
    ck_assert_int_eq(hl_lock_acquire_timed(left_behind[0], 0), ETIMEDOUT);
    ck_assert_int_eq(hl_lock_try_acquire(left_behind[0]), EBUSY);
    ck_assert(hl_lock_is_locked(left_behind[0]) && !hl_lock_is_mine(left_behind[0]));
    ck_assert_uint_eq(reports_count(), HEIRS + 3);
    ck_assert(REPORT_HAS(0, "\"anna\"", "\"apple\"", "anna.c:1", "ended"));
    ck_assert(REPORT_HAS(1, "\"bert\"", "\"apple\"", "anna.c:1", "bert.c:2"));
    hl_event_free(&go_ahead);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock abandon");
    TCase *tcase = tcase_create("abandon");
    tcase_add_checked_fixture(tcase, reports_start, reports_stop);
    tcase_add_test(tcase, a_thread_that_ends_with_a_lock_is_reported);
    tcase_add_loop_test(tcase, a_lock_left_behind_keeps_nobody_waiting, 0, 2);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
