// SPDX-License-Identifier: MIT
// Inline commits: which ones a thread that others wait for leads itself, which it leaves to the
// thread "commit", and that nobody is forgotten between the two.

#include "journal_disk.h"
#include "journal_owner.h"

#include "base/clock.h"
#include "journal/commit_priv.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static struct owner owner;
static int rc;

static void setup(void)
{
    kit_setup();
    clock_virtual_start(1000); // whether a commit was slow is up to the test
    memset(&owner, 0, sizeof(owner));
    kit_init(&owner.kit);
    owner.kit.settings.segment_size = owner.kit.settings.segment_size_max = JOURNAL_SEGMENT_DEFAULT;
}

static void teardown(void)
{
    if (owner.commit != NULL)
        owner_stop(&owner);
    clock_virtual_stop();
    kit_fini(&owner.kit);
    kit_teardown();
}

static const struct commit_options shares = {.thread = true};
static const struct commit_options by_hand = {.thread = false};

// The thread has done it, and given up the role.
static void thread_done(uint64_t ticket, enum commit_want want)
{
    ck_assert(owner_await(&owner, want, ticket));
    while (atomic_load(&owner.commit->led))
        sched_yield();
}

// With a segment that is begun, so that the next commit needn't.
static void start(void)
{
    owner_start(&owner, &shares);
    uint64_t ticket = owner_put(&owner, 1, 1, &rc);
    commit_want(owner.commit, COMMIT_DURABLE);
    (void)commit_lead_inline(owner.commit);
    thread_done(ticket, COMMIT_DURABLE);
}

START_TEST(small_ones_are_led_here)
{
    start();
    uint64_t inline_before = owner_stat(&owner).led_inline;
    for (uint64_t id = 2; id < 100; id++) {
        uint64_t ticket = owner_put(&owner, id, 1, &rc);
        enum commit_want want = id % 2 == 0 ? COMMIT_DURABLE : COMMIT_WRITTEN;
        commit_want(owner.commit, want);
        ck_assert_int_eq(commit_lead_inline(owner.commit), 0);
        ck_assert_uint_ge(commit_reached(owner.commit, want), ticket); // no thread was needed
    }
    ck_assert_uint_eq(owner_stat(&owner).led_inline, inline_before + 98);
    ck_assert_int_eq(commit_lead_inline(owner.commit), 0); // nobody wants anything
    ck_assert_uint_eq(owner_stat(&owner).led_inline, inline_before + 98);
}
END_TEST

START_TEST(a_new_segment_is_left_to_the_thread)
{
    owner_start(&owner, &shares);
    uint64_t ticket = owner_put(&owner, 1, 1, &rc);
    commit_want(owner.commit, COMMIT_WRITTEN);
    ck_assert_int_eq(commit_lead_inline(owner.commit), EBUSY);
    thread_done(ticket, COMMIT_WRITTEN);
    ck_assert_uint_eq(owner_stat(&owner).led_inline, 0);
}
END_TEST

START_TEST(many_bytes_are_left_to_the_thread)
{
    start();
    uint64_t inline_before = owner_stat(&owner).led_inline, ticket = 0;
    owner.body_len = 100000;
    for (uint64_t id = 2; id < 5; id++)
        ticket = owner_put(&owner, id, 1, &rc);
    ck_assert(!commit_may_gather(owner.commit));
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead_inline(owner.commit), EBUSY);
    thread_done(ticket, COMMIT_DURABLE);
    ck_assert_uint_eq(owner_stat(&owner).led_inline, inline_before);
    // But a write alone is no reason.
    for (uint64_t id = 5; id < 8; id++)
        ticket = owner_put(&owner, id, 1, &rc);
    commit_want(owner.commit, COMMIT_WRITTEN);
    ck_assert_int_eq(commit_lead_inline(owner.commit), 0);
    ck_assert_uint_eq(commit_reached(owner.commit, COMMIT_WRITTEN), ticket);
    ck_assert_uint_eq(owner_stat(&owner).led_inline, inline_before + 1);
}
END_TEST

START_TEST(a_slow_disk_is_left_to_the_thread)
{
    start();
    uint64_t next = 2;
    ck_assert(commit_may_gather(owner.commit));
    for (int i = 0; i < 10; i++) // a few that take a little longer don't matter
        pace_measure(owner.commit, 100, true, i % 3 == 0 ? HL_SECOND / 100 : HL_SECOND / 10000);
    ck_assert(commit_may_gather(owner.commit));
    for (int i = 0; i < 100; i++)
        pace_measure(owner.commit, 100, true, 2 * HL_SECOND / 1000);
    ck_assert(!commit_may_gather(owner.commit));
    uint64_t ticket = owner_put(&owner, next++, 1, &rc);
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead_inline(owner.commit), EBUSY);
    thread_done(ticket, COMMIT_DURABLE);
    // What needs no sync is led here all the same.
    ticket = owner_put(&owner, next++, 1, &rc);
    commit_want(owner.commit, COMMIT_WRITTEN);
    ck_assert_int_eq(commit_lead_inline(owner.commit), 0);
    ck_assert_uint_eq(commit_reached(owner.commit, COMMIT_WRITTEN), ticket);
    // Large commits say nothing about it; it is fast again when small ones are.
    int64_t before = atomic_load(&owner.commit->small_ns);
    pace_measure(owner.commit, 1000000, true, 1);
    ck_assert_int_eq(atomic_load(&owner.commit->small_ns), before);
    for (int i = 0; i < 100; i++)
        pace_measure(owner.commit, 100, true, HL_SECOND / 10000);
    ck_assert(commit_may_gather(owner.commit));
    ck_assert_int_ge(atomic_load(&owner.commit->small_ns), 0);
}
END_TEST

// Whether a loop would lead, of either kind.
static bool leads(enum commit_want want)
{
    static uint64_t id;
    uint64_t inline_before = owner_stat(&owner).led_inline;
    uint64_t ticket = owner_put(&owner, 100 + ++id, 1, &rc);
    commit_want(owner.commit, want);
    (void)commit_lead_inline(owner.commit);
    thread_done(ticket, want);
    return owner_stat(&owner).led_inline > inline_before;
}

// One call that took long is enough, a write too; and each further one makes it last longer.
START_TEST(one_slow_call_counts_at_once)
{
    start();
    ck_assert(leads(COMMIT_DURABLE) && leads(COMMIT_WRITTEN));
    pace_measure(owner.commit, 100, _i == 0, HL_SECOND / 50); // that is no longer than it may be
    ck_assert(leads(COMMIT_DURABLE) && leads(COMMIT_WRITTEN));
    int64_t span_ns = 10 * HL_SECOND;
    for (int i = 0; i < 10; i++) {
        pace_measure(owner.commit, 100, _i == 0, HL_SECOND / 50 + 1);
        ck_assert(!leads(COMMIT_DURABLE) && !leads(COMMIT_WRITTEN));
        clock_virtual_advance(span_ns - 1);
        ck_assert(!leads(COMMIT_DURABLE) && !leads(COMMIT_WRITTEN));
        clock_virtual_advance(1);
        ck_assert(leads(COMMIT_DURABLE) && leads(COMMIT_WRITTEN));
        span_ns = span_ns < 300 * HL_SECOND ? span_ns * 2 : 600 * HL_SECOND;
    }
    clock_virtual_advance(601 * HL_SECOND); // after a long while it begins anew
    pace_measure(owner.commit, 100, _i == 0, HL_SECOND);
    clock_virtual_advance(10 * HL_SECOND);
    ck_assert(leads(COMMIT_DURABLE) && leads(COMMIT_WRITTEN));
    pace_measure(owner.commit, 1000000, _i == 0, HL_SECOND); // large ones take long
    ck_assert(leads(COMMIT_DURABLE) && leads(COMMIT_WRITTEN));
}
END_TEST

// For who has others to serve the thread does it.
START_TEST(elsewhere_means_the_thread)
{
    start();
    uint64_t inline_before = owner_stat(&owner).led_inline;
    uint64_t ticket = owner_put(&owner, 2, 1, &rc);
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead_elsewhere(owner.commit), EBUSY);
    thread_done(ticket, COMMIT_DURABLE);
    ck_assert_uint_eq(owner_stat(&owner).led_inline, inline_before);
    ck_assert(leads(COMMIT_DURABLE));
}
END_TEST

START_TEST(a_failure_is_told_once)
{
    start();
    uint64_t ticket = owner_put(&owner, 2, 1, &rc);
    disk_fail(2, EIO, false); // the sync
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead_inline(owner.commit), EIO);
    disk_fail(0, 0, false);
    ck_assert_uint_lt(commit_reached(owner.commit, COMMIT_DURABLE), ticket);
    ck_assert_uint_lt(commit_reached(owner.commit, COMMIT_WRITTEN), ticket);
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead_inline(owner.commit), EIO);
    ck_assert_int_eq(commit_stop(owner.commit), EIO);
    ck_assert_uint_eq(atomic_load(&owner.failed), 1);
    owner_kill(&owner);
    owner_recover(&owner);
    owner_start(&owner, &by_hand);
}
END_TEST

// No space for the next segment: the thread has it then, tries again, and who waits is answered
// when there is.
START_TEST(a_full_disk_is_left_to_the_thread)
{
    owner.kit.settings.segment_size = owner.kit.settings.segment_size_max = JOURNAL_SEGMENT_MIN;
    start();
    owner.body_len = 1000;
    disk_space(disk_used());
    uint64_t last = 0;
    for (uint64_t id = 2; id < 500; id++) // half as much again as all segments hold
        ck_assert_uint_ne(last = owner_put(&owner, id, 1, &rc), 0);
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead_inline(owner.commit), EBUSY);
    while (!atomic_load(&owner.commit->stuck))
        sched_yield();
    ck_assert_uint_lt(commit_reached(owner.commit, COMMIT_DURABLE), last);
    ck_assert(!commit_may_gather(owner.commit));
    ck_assert_int_eq(commit_lead_inline(owner.commit), EBUSY);
    disk_space(0);
    while (commit_reached(owner.commit, COMMIT_DURABLE) < last) {
        ck_assert_int_eq(commit_failed(owner.commit), 0);
        clock_virtual_advance(HL_SECOND);
        sched_yield();
    }
    owner_stop(&owner);
    owner_recover(&owner);
    ck_assert_uint_eq(owner.kit.seen.count, last); // each once
    owner_start(&owner, &by_hand);
}
END_TEST

// ---- a sync that is due ----

static struct journal_sys slow_sys;
static _Atomic bool slow, waits, fails;

// A sync that lasts as long as `slow` holds.
static int sync_slowly(int fd)
{
    while (atomic_load(&slow)) {
        atomic_store(&waits, true);
        sched_yield();
    }
    atomic_store(&waits, false);
    return atomic_load(&fails) ? EIO : disk_sys.sync_data(fd);
}

// The thread syncs what was put under this ticket, because it is due, and doesn't come to an end.
static uint64_t start_due(void)
{
    slow_sys = disk_sys;
    slow_sys.sync_data = sync_slowly;
    owner.kit.settings.sys = &slow_sys;
    start();
    uint64_t ticket = owner_put(&owner, 2, 1, &rc);
    atomic_store(&slow, true);
    clock_virtual_advance(2 * COMMIT_WITHIN_LAZY);
    while (!atomic_load(&waits))
        sched_yield();
    ck_assert_uint_eq(commit_reached(owner.commit, COMMIT_WRITTEN), ticket);
    ck_assert_uint_lt(commit_reached(owner.commit, COMMIT_DURABLE), ticket);
    return ticket;
}

START_TEST(a_due_sync_keeps_nobody_who_writes)
{
    uint64_t due = start_due(), last = 0;
    for (uint64_t id = 3; id < 50; id++) {
        last = owner_put(&owner, id, 1, &rc);
        commit_want(owner.commit, COMMIT_WRITTEN);
        ck_assert_int_eq(commit_lead_inline(owner.commit), 0);
        ck_assert_uint_eq(commit_reached(owner.commit, COMMIT_WRITTEN), last);
    }
    ck_assert(atomic_load(&waits)); // still the same sync
    atomic_store(&slow, false);
    ck_assert(owner_await(&owner, COMMIT_DURABLE, due));
    // It is true of what was there when it began, and of nothing else, whose own time comes.
    ck_assert_uint_eq(commit_reached(owner.commit, COMMIT_DURABLE), due);
    clock_virtual_advance(2 * COMMIT_WITHIN_LAZY);
    ck_assert(owner_await(&owner, COMMIT_DURABLE, last));
    owner_stop(&owner);
    owner_recover(&owner);
    ck_assert_uint_eq(owner.kit.seen.count, last);
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(a_due_sync_that_fails_is_told_once)
{
    uint64_t due = start_due();
    uint64_t later = owner_put(&owner, 3, 1, &rc);
    commit_want(owner.commit, COMMIT_WRITTEN);
    ck_assert_int_eq(commit_lead_inline(owner.commit), 0);
    atomic_store(&fails, true);
    atomic_store(&slow, false);
    ck_assert(!owner_await(&owner, COMMIT_DURABLE, due));
    ck_assert_uint_lt(commit_reached(owner.commit, COMMIT_DURABLE), due);
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead_inline(owner.commit), EIO);
    ck_assert_int_eq(commit_stop(owner.commit), EIO);
    ck_assert_uint_lt(commit_reached(owner.commit, COMMIT_DURABLE), later);
    ck_assert_uint_eq(atomic_load(&owner.failed), 1);
    atomic_store(&fails, false);
    owner_kill(&owner);
    owner_recover(&owner);
    owner_start(&owner, &by_hand);
}
END_TEST

// ---- all at once ----

#define WORKERS 4
#define ROUNDS 500

static void work(void *arg)
{
    uint64_t first = *(uint64_t *)arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        int result;
        uint64_t ticket;
        while ((ticket = owner_put(&owner, first + i, 1, &result)) == 0) {
            ck_assert_int_eq(result, EAGAIN);
            commit_want(owner.commit, COMMIT_WRITTEN);
            (void)commit_lead_inline(owner.commit);
            sched_yield();
        }
        enum commit_want want = i % 3 == 0 ? COMMIT_WRITTEN : COMMIT_DURABLE;
        commit_want(owner.commit, want);
        // Once: who finds the role taken is seen to by who has it, or by the thread.
        (void)commit_lead_inline(owner.commit);
        ck_assert(owner_await(&owner, want, ticket));
    }
}

START_TEST(nobody_is_forgotten)
{
    owner.kit.settings.segment_size = owner.kit.settings.segment_size_max = JOURNAL_SEGMENT_MIN;
    owner.kit.settings.prepare_inline = false;
    owner.body_len = 300;
    owner_start(&owner, &shares);
    hl_thread *threads[WORKERS];
    uint64_t first[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        first[i] = 1 + (uint64_t)i * ROUNDS;
        struct hl_thread_options options = {.target = work, .arg = &first[i]};
        ck_assert_int_eq(hl_thread_new(&threads[i], &options), 0);
        ck_assert_int_eq(hl_thread_start(threads[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(hl_thread_join(threads[i], HL_FOREVER), 0);
        hl_thread_free(&threads[i]);
    }
    struct commit_stat stat = owner_stat(&owner);
    ck_assert_uint_eq(stat.written, stat.last);
    ck_assert_uint_gt(stat.led_inline, 0);
    ck_assert_uint_gt(stat.commits, stat.led_inline); // the thread began the segments
    owner_stop(&owner);
    owner_recover(&owner);
    for (uint64_t id = 1; id <= WORKERS * ROUNDS; id++)
        ck_assert(owner.job[id].alive);
    owner_start(&owner, &by_hand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inline");
    TCase *all = tcase_create("inline");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, small_ones_are_led_here);
    tcase_add_test(all, a_new_segment_is_left_to_the_thread);
    tcase_add_test(all, many_bytes_are_left_to_the_thread);
    tcase_add_test(all, a_slow_disk_is_left_to_the_thread);
    tcase_add_loop_test(all, one_slow_call_counts_at_once, 0, 2);
    tcase_add_test(all, elsewhere_means_the_thread);
    tcase_add_test(all, a_failure_is_told_once);
    tcase_add_test(all, a_full_disk_is_left_to_the_thread);
    tcase_add_test(all, a_due_sync_keeps_nobody_who_writes);
    tcase_add_test(all, a_due_sync_that_fails_is_told_once);
    tcase_add_test(all, nobody_is_forgotten);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
