// SPDX-License-Identifier: MIT
// Commit over a journal that has several appends under way and answers late: what is published
// when, what becomes of those that find no room, and that what fails is told once.

#include "journal_owner.h"

#include "base/clock.h"
#include "journal/commit_priv.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static struct owner owner;
static int rc;
static int no_memory; // so many late bodies can't be made

static int make(void *late, struct job_body **body)
{
    if (no_memory > 0) {
        no_memory--;
        return ENOMEM;
    }
    ck_assert_int_eq(job_body_new(body, 1), 0);
    (*body)->bytes[0] = *(const char *)late;
    return 0;
}

static void drop(void *late)
{
    (void)late;
}

static const struct commit_options by_hand = {.thread = false, .make = make, .drop = drop};
static const struct commit_options shares = {.thread = true};

static void setup(void)
{
    kit_setup();
    memset(&owner, 0, sizeof(owner));
    kit_init(&owner.kit);
    owner.windows = 3;
    no_memory = 0;
}

static void teardown(void)
{
    if (owner.commit != NULL)
        owner_stop(&owner);
    kit_fini(&owner.kit);
    kit_teardown();
}

// By hand, and nothing is done before the test says so.
static void start(void)
{
    owner_start(&owner, &by_hand);
    window_by_itself(owner.window, false);
}

static uint64_t reached(enum commit_want want)
{
    return commit_reached(owner.commit, want);
}

// A put goes out.
static uint64_t put(uint64_t id, enum commit_want want)
{
    uint64_t ticket = owner_put(&owner, id, 1, &rc);
    ck_assert_uint_ne(ticket, 0);
    commit_want(owner.commit, want);
    ck_assert_int_eq(commit_rounds(owner.commit), 0);
    return ticket;
}

static void let_land(void)
{
    window_by_itself(owner.window, true);
    ck_assert_int_eq(commit_lead(owner.commit), 0);
}

// The jobs 1 to `last` are in the journal, each once and in their order.
static void check_kept(uint64_t last)
{
    owner_stop(&owner);
    owner_recover(&owner);
    ck_assert_uint_eq(owner.kit.seen.count, last);
    for (uint64_t id = 1; id <= last; id++) {
        struct job_entry entry;
        size_t len;
        const char *bytes = kit_record(&owner.kit.seen, (size_t)id - 1, &len);
        ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
        ck_assert_uint_eq(entry.id, id);
    }
    owner_start(&owner, &by_hand);
}

START_TEST(they_are_published_in_order)
{
    start();
    for (uint64_t id = 1; id <= 3; id++)
        put(id, COMMIT_DURABLE);
    ck_assert_uint_eq(window_await(owner.window, 3), 3); // side by side
    ck_assert_uint_eq(owner_stat(&owner).pending, 3);
    window_done(owner.window, 2);
    window_done(owner.window, 1);
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), 0);
    ck_assert(!owner.job[3].placed);
    window_done(owner.window, 0);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 3);
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert(owner.job[id].placed);
    ck_assert_uint_eq(atomic_load(&owner.published), 3);
    ck_assert_uint_eq(owner_stat(&owner).pending_bytes, 0);
    check_kept(3);
}
END_TEST

// The thread waits for the oldest of them when all are out.
START_TEST(the_next_waits_for_a_free_one)
{
    owner.distant = true; // it is left to the thread
    owner_start(&owner, &shares);
    window_by_itself(owner.window, false);
    for (uint64_t id = 1; id <= 4; id++) {
        owner_put(&owner, id, 1, &rc);
        commit_want(owner.commit, COMMIT_DURABLE);
        ck_assert_int_eq(commit_lead_inline(owner.commit), EBUSY);
        window_await(owner.window, id < 3 ? (unsigned)id : 3);
    }
    window_done(owner.window, 1); // not the oldest
    ck_assert_uint_eq(window_await(owner.window, 2), 2);
    window_done(owner.window, 0);
    ck_assert_uint_eq(window_await(owner.window, 2), 2);
    window_by_itself(owner.window, true);
    ck_assert(owner_await(&owner, COMMIT_DURABLE, 4));
    check_kept(4);
}
END_TEST

START_TEST(no_loop_leads_a_distant_one)
{
    owner.distant = _i == 1;
    owner.windows = 1;
    owner.kit.settings.segment_size = owner.kit.settings.segment_size_max = JOURNAL_SEGMENT_DEFAULT;
    clock_virtual_start(1000); // so each is fast enough
    owner_start(&owner, &shares);
    for (uint64_t id = 1; id <= 50; id++) {
        uint64_t ticket = owner_put(&owner, id, 1, &rc);
        enum commit_want want = id % 2 == 0 ? COMMIT_DURABLE : COMMIT_WRITTEN;
        if (id > 1)
            ck_assert(commit_may_gather(owner.commit) != owner.distant);
        commit_want(owner.commit, want);
        int led = commit_lead_inline(owner.commit);
        ck_assert(led == EBUSY || !owner.distant);
        ck_assert(owner_await(&owner, want, ticket));
        while (atomic_load(&owner.commit->led))
            sched_yield();
    }
    ck_assert((owner_stat(&owner).led_inline == 0) == owner.distant);
    owner_stop(&owner);
    clock_virtual_stop();
    owner_start(&owner, &by_hand);
}
END_TEST

// What was written before has to be there before it can be synced.
START_TEST(a_sync_waits_until_nothing_is_out)
{
    start();
    put(1, COMMIT_WRITTEN);
    put(2, COMMIT_WRITTEN);
    ck_assert_uint_eq(window_await(owner.window, 2), 2);
    commit_want(owner.commit, COMMIT_DURABLE); // the window's own check is that nothing is out
    let_land();
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 2);
    check_kept(2);
}
END_TEST

START_TEST(a_trim_waits_until_nothing_is_out)
{
    start();
    put(1, COMMIT_DURABLE);
    put(2, COMMIT_DURABLE);
    window_by_itself(owner.window, true);
    ck_assert_int_eq(commit_trim(owner.commit, UINT64_MAX), 0);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 2);
    put(3, COMMIT_DURABLE);
    let_land();
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 3);
    check_kept(3);
}
END_TEST

// ---- no room ----

START_TEST(without_room_they_go_out_again_in_order)
{
    start();
    put(1, COMMIT_DURABLE);
    window_no_room(owner.window, true);
    put(2, COMMIT_DURABLE);
    window_no_room(owner.window, false); // too late for the next: it may not overtake
    put(3, COMMIT_DURABLE);
    window_done(owner.window, 2);
    window_done(owner.window, 1);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 0);
    window_done(owner.window, 0);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 1);
    ck_assert(atomic_load(&owner.commit->stuck));
    ck_assert(!owner.job[2].placed && !owner.job[3].placed);
    let_land(); // it is wanted again
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 3);
    ck_assert(!atomic_load(&owner.commit->stuck));
    check_kept(3);
}
END_TEST

START_TEST(a_trim_comes_between)
{
    start();
    put(1, COMMIT_DURABLE);
    window_no_room(owner.window, true);
    put(2, COMMIT_DURABLE);
    put(3, COMMIT_WRITTEN);
    window_by_itself(owner.window, true);
    ck_assert_int_eq(commit_trim(owner.commit, 1), 0);
    window_no_room(owner.window, false);
    let_land();
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), 3);
    check_kept(3);
}
END_TEST

// So long as there is none, each try says so, and keeps all.
START_TEST(without_room_nothing_is_lost)
{
    start();
    window_by_itself(owner.window, true);
    window_no_room(owner.window, true);
    for (uint64_t id = 1; id <= 10; id++) {
        ck_assert_uint_ne(owner_put(&owner, id, 1, &rc), 0);
        commit_want(owner.commit, COMMIT_DURABLE);
        ck_assert_int_eq(commit_lead(owner.commit), ENOSPC);
        ck_assert_uint_eq(reached(COMMIT_WRITTEN), 0);
    }
    window_no_room(owner.window, false);
    ck_assert_int_eq(commit_lead(owner.commit), 0);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 10);
    check_kept(10);
}
END_TEST

// A frame that can't be made is as one without room: what is behind it doesn't overtake it.
START_TEST(without_memory_nothing_overtakes)
{
    static char letter = 'x';
    start();
    put(1, COMMIT_DURABLE);
    const struct job_entry entry = {.type = JOB_ENTRY_RESULT, .id = 2, .number = 1};
    const struct commit_change change = {
        .entry = &entry, .late = &letter, .late_most = 1, .class = JOURNAL_PUT};
    hl_lock_acquire(owner.lock);
    ck_assert_int_eq(commit_admit(owner.commit, JOURNAL_PUT, 1, 64), 0);
    (void)commit_add(owner.commit, &change);
    hl_lock_release(owner.lock);
    no_memory = 1;
    commit_want(owner.commit, COMMIT_DURABLE);
    (void)commit_rounds(owner.commit);
    put(3, COMMIT_DURABLE);
    ck_assert_uint_eq(window_await(owner.window, 2), 2); // the one between isn't there
    window_done(owner.window, 1);
    window_done(owner.window, 0);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 1);
    let_land();
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 3);
    owner_stop(&owner);
    ck_assert_int_eq(kit_open(&owner.kit), 0);
    ck_assert_uint_eq(owner.kit.seen.count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct job_entry seen;
        size_t len;
        const char *bytes = kit_record(&owner.kit.seen, i, &len);
        ck_assert_int_eq(job_entry_decode(&seen, bytes, len), 0);
        ck_assert_uint_eq(seen.id, i + 1);
    }
    owner_start(&owner, &by_hand);
}
END_TEST

// What was cancelled as a whole has no frame, and is published in its turn all the same.
START_TEST(nothing_at_all_waits_for_its_turn)
{
    bool cancelled;
    start();
    if (_i == 1)
        window_no_room(owner.window, true);
    put(1, COMMIT_DURABLE);
    owner_put(&owner, 9, 1, &rc);
    uint64_t last = owner_finish(&owner, 9, &cancelled, &rc);
    ck_assert(cancelled);
    commit_want(owner.commit, COMMIT_WRITTEN);
    ck_assert_int_eq(commit_rounds(owner.commit), 0);
    ck_assert_uint_eq(window_await(owner.window, 1), 1);
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), 0);
    window_done(owner.window, 0);
    window_no_room(owner.window, false);
    let_land();
    ck_assert_uint_eq(reached(COMMIT_DURABLE), last);
    check_kept(1);
}
END_TEST

// ---- the end ----

static void check_failed(int error, uint64_t published)
{
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), published);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), published);
    ck_assert_uint_eq(atomic_load(&owner.failed), 1);
    ck_assert_int_eq(owner.failed_with, error);
    ck_assert_uint_eq(owner_put(&owner, 10, 1, &rc), 0);
    ck_assert_int_eq(rc, EIO);
    ck_assert_int_eq(commit_lead(owner.commit), EIO);
    ck_assert_int_eq(commit_trim(owner.commit, 1), EIO);
    ck_assert_int_eq(commit_stop(owner.commit), EIO);
    ck_assert_uint_eq(atomic_load(&owner.failed), 1);
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert(owner.job[1].alive);
    owner_start(&owner, &by_hand);
}

// Fenced, or failed: what was before it counts, what is behind it doesn't, in whatever order.
START_TEST(an_end_is_told_once)
{
    const int error = _i < 2 ? ESTALE : EIO;
    start();
    put(1, COMMIT_DURABLE);
    window_break(owner.window, error);
    put(2, COMMIT_DURABLE);
    put(3, COMMIT_DURABLE);
    if (_i % 2 == 0) {
        window_done(owner.window, 2);
        window_done(owner.window, 1);
        ck_assert_uint_eq(atomic_load(&owner.failed), 0);
        window_done(owner.window, 0);
    } else
        for (int i = 0; i < 3; i++)
            window_done(owner.window, 0);
    check_failed(error, 1);
}
END_TEST

// It fails behind one that found no room.
START_TEST(an_end_is_found_with_the_next_try)
{
    start();
    put(1, COMMIT_DURABLE);
    window_done(owner.window, 0);
    window_no_room(owner.window, true);
    put(2, COMMIT_DURABLE);
    window_break(owner.window, ESTALE);
    put(3, COMMIT_DURABLE);
    window_done(owner.window, 1);
    window_done(owner.window, 0);
    ck_assert_int_eq(commit_lead(owner.commit), EIO);
    check_failed(ESTALE, 1);
}
END_TEST

// ---- all at once ----

#define WORKERS 4

static _Atomic bool over;

static void work(void *arg)
{
    uint64_t first = *(uint64_t *)arg, rounds = (uint64_t)unit_rounds(500);
    for (uint64_t i = 0; i < rounds; i++) {
        int result;
        uint64_t ticket;
        while ((ticket = owner_put(&owner, first + i, 1, &result)) == 0) {
            ck_assert_int_eq(result, EAGAIN);
            commit_want(owner.commit, COMMIT_WRITTEN);
            (void)commit_lead_inline(owner.commit);
            sched_yield();
        }
        if (i % 3 == 0)
            ticket = owner_release(&owner, first + i, 2, &result);
        enum commit_want want = i % 4 == 0 ? COMMIT_WRITTEN : COMMIT_DURABLE;
        commit_want(owner.commit, want);
        (void)commit_lead_inline(owner.commit); // once: nobody is forgotten
        ck_assert(owner_await(&owner, want, ticket));
    }
}

// Time passes, so that the thread tries again what found no room.
static void weather(void *arg)
{
    (void)arg;
    for (bool none = false; !atomic_load(&over); none = !none) {
        window_no_room(owner.window, none);
        for (int i = 0; i < 50; i++)
            sched_yield();
        clock_virtual_advance(HL_SECOND);
    }
    window_no_room(owner.window, false);
    clock_virtual_advance(HL_SECOND);
}

static void thread_start(hl_thread **thread, void (*run)(void *arg), void *arg)
{
    struct hl_thread_options options = {.target = run, .arg = arg};
    ck_assert_int_eq(hl_thread_new(thread, &options), 0);
    ck_assert_int_eq(hl_thread_start(*thread), 0);
}

static void thread_end(hl_thread **thread)
{
    ck_assert_int_eq(hl_thread_join(*thread, HL_FOREVER), 0);
    hl_thread_free(thread);
}

START_TEST(in_any_weather_each_is_kept_once)
{
    clock_virtual_start(1000);
    owner.windows = _i < 2 ? 2 : 8;
    owner.distant = _i % 2 == 1;
    owner.body_len = 300;
    owner_start(&owner, &shares);
    atomic_store(&over, false);
    hl_thread *threads[WORKERS], *sky;
    uint64_t first[WORKERS], rounds = (uint64_t)unit_rounds(500), releases = 0;
    thread_start(&sky, weather, NULL);
    for (int i = 0; i < WORKERS; i++) {
        first[i] = 1 + (uint64_t)i * rounds;
        thread_start(&threads[i], work, &first[i]);
        releases += (rounds + 2) / 3;
    }
    for (int i = 0; i < WORKERS; i++)
        thread_end(&threads[i]);
    atomic_store(&over, true);
    thread_end(&sky);
    struct commit_stat stat = owner_stat(&owner);
    struct window_stat seen = window_stat(owner.window);
    ck_assert_uint_eq(stat.written, stat.last);
    ck_assert_uint_eq(stat.pending_bytes, 0);
    printf("# %u under way at most, %u overtook another\n", seen.most, seen.overtook);
    owner_stop(&owner);
    clock_virtual_stop();
    owner_recover(&owner);
    ck_assert_uint_eq(owner.kit.seen.count, WORKERS * rounds + releases);
    for (uint64_t id = 1; id <= WORKERS * rounds; id++)
        ck_assert(owner.job[id].alive);
    owner_start(&owner, &by_hand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("commit_window");
    TCase *all = tcase_create("window");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, they_are_published_in_order);
    tcase_add_test(all, the_next_waits_for_a_free_one);
    tcase_add_loop_test(all, no_loop_leads_a_distant_one, 0, 2);
    tcase_add_test(all, a_sync_waits_until_nothing_is_out);
    tcase_add_test(all, a_trim_waits_until_nothing_is_out);
    tcase_add_test(all, without_room_they_go_out_again_in_order);
    tcase_add_test(all, a_trim_comes_between);
    tcase_add_test(all, without_room_nothing_is_lost);
    tcase_add_test(all, without_memory_nothing_overtakes);
    tcase_add_loop_test(all, nothing_at_all_waits_for_its_turn, 0, 2);
    tcase_add_loop_test(all, an_end_is_told_once, 0, 4);
    tcase_add_test(all, an_end_is_found_with_the_next_try);
    tcase_add_loop_test(all, in_any_weather_each_is_kept_once, 0, 4);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
