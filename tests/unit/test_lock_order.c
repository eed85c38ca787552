// SPDX-License-Identifier: MIT
// Deadlocks and the order of locks: what is reported, with which names and places, how often, and
// what an acquire that can't ever succeed returns.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_reports.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

// Acquires a lock and then a second one, at named places, on a thread of its own.
struct pair {
    hl_lock *first, *second;
    const char *first_place, *second_place;
    int rc;
};

static void acquire_pair(void *arg)
{
    struct pair *pair = arg;
    MUST(hl_lock_acquire_at(pair->first, HL_FOREVER, pair->first_place));
    pair->rc = hl_lock_acquire_at(pair->second, HL_FOREVER, pair->second_place);
    if (pair->rc == 0)
        MUST(hl_lock_release(pair->second));
    MUST(hl_lock_release(pair->first));
}

static void on_thread(const char *name, hl_lock *first, const char *first_place, hl_lock *second,
                      const char *second_place)
{
    struct pair pair = {first, second, first_place, second_place, -1};
    hl_thread *thread = thread_launch(name, acquire_pair, &pair);
    thread_finish(&thread);
    ck_assert_int_eq(pair.rc, 0); // a wrong order is a danger, not yet a deadlock
}

static hl_lock *lock_made(const char *name, const hl_lock_class *lock_class)
{
    hl_lock *lock;
    MUST(hl_lock_new(&lock, name, lock_class));
    return lock;
}

static const hl_lock_class *class_made(const char *name, int rank)
{
    const hl_lock_class *lock_class;
    MUST(hl_lock_class_register(&lock_class, name, rank));
    return lock_class;
}

// ---- learnt order ----

START_TEST(ab_ba_is_reported_with_both_threads_both_locks_all_places)
{
    hl_lock *a = lock_made("apple", NULL);
    hl_lock *b = lock_made("pear", NULL);
    on_thread("anna", a, "anna.c:1", b, "anna.c:2");
    ck_assert_uint_eq(reports_count(), 0);
    on_thread("berta", b, "berta.c:3", a, "berta.c:4");
    ck_assert_uint_eq(reports_count(), 1);
    ck_assert(REPORT_HAS(0, "lock order", "\"anna\"", "\"berta\"", "\"apple\"", "\"pear\"",
                         "anna.c:1", "anna.c:2", "berta.c:3", "berta.c:4"));

    // Once per pair, whoever does it again, in either order.
    on_thread("berta", b, "berta.c:3", a, "berta.c:4");
    on_thread("anna", a, "anna.c:1", b, "anna.c:2");
    on_thread("clara", b, "clara.c:5", a, "clara.c:6");
    ck_assert_uint_eq(reports_count(), 1);
    hl_lock_free(&a);
    hl_lock_free(&b);
}
END_TEST

START_TEST(one_thread_alone_can_show_the_danger)
{
    hl_lock *a = lock_made("a", NULL);
    hl_lock *b = lock_made("b", NULL);
    MUST(hl_lock_acquire(a));
    MUST(hl_lock_acquire(b));
    MUST(hl_lock_release(a)); // in any order
    MUST(hl_lock_release(b));
    MUST(hl_lock_acquire(b));
    MUST(hl_lock_acquire(a));
    ck_assert_uint_eq(reports_count(), 1);
    ck_assert(REPORT_HAS(0, "test_lock_order.c:", "MainThread"));
    MUST(hl_lock_release(b));
    MUST(hl_lock_release(a));
    hl_lock_free(&a);
    hl_lock_free(&b);
}
END_TEST

START_TEST(a_cycle_over_three_locks_is_reported_with_its_steps)
{
    hl_lock *a = lock_made("apple", NULL);
    hl_lock *b = lock_made("pear", NULL);
    hl_lock *c = lock_made("plum", NULL);
    on_thread("anna", a, "anna.c:1", b, "anna.c:2");
    on_thread("berta", b, "berta.c:3", c, "berta.c:4");
    ck_assert_uint_eq(reports_count(), 0);
    on_thread("clara", c, "clara.c:5", a, "clara.c:6");
    ck_assert_uint_eq(reports_count(), 1);
    ck_assert(REPORT_HAS(0, "anna", "berta", "clara", "apple", "pear", "plum", "anna.c:1",
                         "anna.c:2", "berta.c:3", "berta.c:4", "clara.c:5", "clara.c:6"));
    // The bad pair closes no further cycles: c -> a is not an order to keep.
    on_thread("anna", a, "anna.c:7", c, "anna.c:8");
    ck_assert_uint_eq(reports_count(), 1);
    hl_lock_free(&a);
    hl_lock_free(&b);
    hl_lock_free(&c);
}
END_TEST

START_TEST(each_pair_in_a_wrong_order_has_its_own_report)
{
    hl_lock *a = lock_made("a", NULL);
    hl_lock *b = lock_made("b", NULL);
    hl_lock *c = lock_made("c", NULL);
    on_thread(NULL, a, "x:1", c, "x:2");
    on_thread(NULL, b, "x:3", c, "x:4");
    MUST(hl_lock_acquire(c));
    MUST(hl_lock_acquire(a));
    MUST(hl_lock_acquire(b));
    ck_assert_uint_eq(reports_count(), 2);
    MUST(hl_lock_release(a));
    MUST(hl_lock_release(b));
    MUST(hl_lock_release(c));
    hl_lock_free(&a);
    hl_lock_free(&b);
    hl_lock_free(&c);
}
END_TEST

START_TEST(a_learnt_order_goes_with_its_lock)
{
    hl_lock *a = lock_made("a", NULL);
    for (int i = 0; i < 50; i++) {
        hl_lock *b = lock_made("b", NULL);
        if (i % 2)
            on_thread(NULL, a, "x:1", b, "x:2");
        else
            on_thread(NULL, b, "x:3", a, "x:4");
        hl_lock_free(&b);
    }
    ck_assert_uint_eq(reports_count(), 0);
    // In the middle of a way, too.
    hl_lock *b = lock_made("b", NULL);
    hl_lock *c = lock_made("c", NULL);
    on_thread(NULL, a, "x:1", b, "x:2");
    on_thread(NULL, b, "x:3", c, "x:4");
    hl_lock_free(&b);
    on_thread(NULL, c, "x:5", a, "x:6");
    ck_assert_uint_eq(reports_count(), 0);
    hl_lock_free(&a);
    hl_lock_free(&c);
}
END_TEST

START_TEST(trying_teaches_nothing_and_is_no_danger)
{
    hl_lock *a = lock_made("a", NULL);
    hl_lock *b = lock_made("b", NULL);
    MUST(hl_lock_acquire(a));
    MUST(hl_lock_try_acquire(b));
    MUST(hl_lock_release(b));
    MUST(hl_lock_acquire_timed(b, 0));
    MUST(hl_lock_release(b));
    MUST(hl_lock_release(a));
    MUST(hl_lock_acquire(b));
    MUST(hl_lock_acquire(a)); // teaches b -> a
    MUST(hl_lock_release(a));
    MUST(hl_lock_release(b));
    MUST(hl_lock_acquire(a));
    MUST(hl_lock_try_acquire(b));
    MUST(hl_lock_release(b));
    MUST(hl_lock_acquire_timed(b, 0)); // looks once, which is the same
    ck_assert_uint_eq(reports_count(), 0);
    MUST(hl_lock_release(b));
    MUST(hl_lock_release(a));
    hl_lock_free(&a);
    hl_lock_free(&b);
}
END_TEST

START_TEST(a_lock_that_was_tried_counts_as_held)
{
    hl_lock *a = lock_made("a", NULL);
    hl_lock *b = lock_made("b", NULL);
    on_thread(NULL, a, "x:1", b, "x:2");
    MUST(hl_lock_try_acquire(b));
    MUST(hl_lock_acquire(a));
    ck_assert_uint_eq(reports_count(), 1);
    MUST(hl_lock_release(a));
    MUST(hl_lock_release(b));
    hl_lock_free(&a);
    hl_lock_free(&b);
}
END_TEST

// ---- ranks ----

START_TEST(ranks_must_rise)
{
    hl_lock *low = lock_made("attic", class_made("low", 10));
    hl_lock *high = lock_made("cellar", class_made("high", 20));
    on_thread("anna", low, "anna.c:1", high, "anna.c:2");
    ck_assert_uint_eq(reports_count(), 0);
    on_thread("berta", high, "berta.c:3", low, "berta.c:4");
    ck_assert_uint_eq(reports_count(), 1);
    ck_assert(REPORT_HAS(0, "rank", "berta", "\"attic\" (class low, rank 10)", "berta.c:3",
                         "\"cellar\" (class high, rank 20)", "berta.c:4"));
    on_thread("clara", high, "clara.c:5", low, "clara.c:6");
    ck_assert_uint_eq(reports_count(), 1);
    MUST(hl_lock_acquire(high));
    MUST(hl_lock_try_acquire(low)); // waits for nothing
    MUST(hl_lock_release(low));
    MUST(hl_lock_release(high));
    ck_assert_uint_eq(reports_count(), 1);
    hl_lock_free(&low);
    hl_lock_free(&high);
}
END_TEST

START_TEST(two_of_one_class_are_never_held_together)
{
    const hl_lock_class *twins = class_made("twins", 33);
    hl_lock *a = lock_made(NULL, twins); // named as its class
    hl_lock *b = lock_made("second", twins);
    hl_lock *same_rank = lock_made(NULL, class_made("cousins", 34));
    hl_lock *same_rank_too = lock_made(NULL, class_made("more cousins", 34));
    on_thread("anna", a, "anna.c:1", b, "anna.c:2");
    ck_assert_uint_eq(reports_count(), 1);
    ck_assert(REPORT_HAS(0, "anna", "\"twins\" (class twins, rank 33)", "\"second\"", "anna.c:1",
                         "anna.c:2"));
    on_thread(NULL, same_rank, "x:1", same_rank_too, "x:2");
    ck_assert_uint_eq(reports_count(), 2);
    hl_lock_free(&a);
    hl_lock_free(&b);
    hl_lock_free(&same_rank);
    hl_lock_free(&same_rank_too);
}
END_TEST

START_TEST(against_the_rank_the_other_thread_is_named_before_anything_blocks)
{
    hl_lock *low = lock_made("attic", class_made("other-low", 110));
    hl_lock *high = lock_made("cellar", class_made("other-high", 120));
    MUST(hl_lock_acquire_at(low, HL_FOREVER, "main.c:9"));
    struct pair pair = {high, low, "anna.c:1", "anna.c:2", -1};
    hl_thread *thread = thread_launch("anna", acquire_pair, &pair);
    await_blocked(thread, "lock");
    ck_assert_uint_eq(reports_count(), 1);
    ck_assert(
        REPORT_HAS(0, "anna", "MainThread", "attic", "cellar", "main.c:9", "anna.c:1", "anna.c:2"));
    MUST(hl_lock_release(low));
    thread_finish(&thread);
    ck_assert_int_eq(pair.rc, 0);
    hl_lock_free(&low);
    hl_lock_free(&high);
}
END_TEST

START_TEST(ranked_and_learnt_locks_make_one_order)
{
    hl_lock *low = lock_made("low", class_made("mixed-low", 210));
    hl_lock *high = lock_made("high", class_made("mixed-high", 220));
    hl_lock *plain = lock_made("plain", NULL);
    hl_lock *other = lock_made("other", NULL);
    on_thread("anna", high, "anna.c:1", plain, "anna.c:2");
    ck_assert_uint_eq(reports_count(), 0);
    // plain -> low: with low -> high by rank and high -> plain as seen, that closes a cycle.
    on_thread("berta", plain, "berta.c:3", low, "berta.c:4");
    ck_assert_uint_eq(reports_count(), 1);
    ck_assert(REPORT_HAS(0, "anna", "berta", "plain", "low", "high", "anna.c:1", "anna.c:2",
                         "berta.c:3", "berta.c:4", "rank 220", "rank 210"));
    // other -> low -> high is fine; then high -> other is not.
    on_thread(NULL, other, "x:1", low, "x:2");
    ck_assert_uint_eq(reports_count(), 1);
    on_thread(NULL, high, "x:3", other, "x:4");
    ck_assert_uint_eq(reports_count(), 2);
    hl_lock_free(&low);
    hl_lock_free(&high);
    hl_lock_free(&plain);
    hl_lock_free(&other);
}
END_TEST

START_TEST(queues_and_deques_may_be_used_under_any_lock)
{
    hl_lock *highest = lock_made("highest", class_made("highest", HL_LOCK_RANK_MAX));
    hl_lock *plain = lock_made("plain", NULL);
    hl_queue *queue;
    hl_deque *deque;
    MUST(hl_queue_new(&queue, &(struct hl_queue_options){0}));
    MUST(hl_deque_new(&deque, 0, NULL));
    MUST(hl_lock_acquire(plain));
    MUST(hl_lock_acquire(highest));
    MUST(hl_queue_put_nowait(queue, NULL));
    MUST(hl_deque_append(deque, NULL));
    MUST(hl_lock_release(highest));
    MUST(hl_lock_release(plain));
    ck_assert_uint_eq(reports_count(), 0);
    hl_queue_free(&queue);
    hl_deque_free(&deque);
    hl_lock_free(&highest);
    hl_lock_free(&plain);
}
END_TEST

// ---- real deadlocks ----

enum { RING_MOST = 3 };

// Thread i holds lock i and wants lock i + 1; the last one waits until the others block.
struct circle {
    int count;
    hl_lock *lock[RING_MOST];
    hl_thread *thread[RING_MOST];
    hl_event *all_hold;
    atomic_int holding;
    int rc[RING_MOST];
    int64_t timeout_ns[RING_MOST];
    const char *hold_place[RING_MOST], *want_place[RING_MOST];
    atomic_int next;
};

static void join_ring(void *arg)
{
    struct circle *ring = arg;
    int i = atomic_fetch_add(&ring->next, 1);
    hl_lock *wanted = ring->lock[(i + 1) % ring->count];
    MUST(hl_lock_acquire_at(ring->lock[i], HL_FOREVER, ring->hold_place[i]));
    if (atomic_fetch_add(&ring->holding, 1) + 1 == ring->count)
        hl_event_set(ring->all_hold);
    MUST(hl_event_wait(ring->all_hold, HL_FOREVER));
    if (i == ring->count - 1)
        for (int other = 0; other < i; other++)
            await_blocked(ring->thread[other], "lock");
    ring->rc[i] = hl_lock_acquire_at(wanted, ring->timeout_ns[i], ring->want_place[i]);
    if (ring->rc[i] == 0)
        MUST(hl_lock_release(wanted));
    MUST(hl_lock_release(ring->lock[i]));
}

static void ring_begin(struct circle *ring, int count)
{
    static const char *const names[RING_MOST] = {"anna", "berta", "clara"};
    static const char *const locks[RING_MOST] = {"apple", "pear", "plum"};
    *ring = (struct circle){
        .count = count,
        .timeout_ns = {HL_FOREVER, HL_FOREVER, HL_FOREVER},
        .hold_place = {"anna.c:1", "berta.c:1", "clara.c:1"},
        .want_place = {"anna.c:2", "berta.c:2", "clara.c:2"},
    };
    MUST(hl_event_new(&ring->all_hold, NULL));
    for (int i = 0; i < count; i++) {
        ring->lock[i] = lock_made(locks[i], NULL);
        struct hl_thread_options options = {.name = names[i], .target = join_ring, .arg = ring};
        MUST(hl_thread_new(&ring->thread[i], &options));
    }
}

static void ring_start(struct circle *ring)
{
    for (int i = 0; i < ring->count; i++) {
        MUST(hl_thread_start(ring->thread[i]));
        WAIT_UNTIL(atomic_load(&ring->next) == i + 1);
    }
}

static void ring_end(struct circle *ring)
{
    for (int i = 0; i < ring->count; i++)
        thread_finish(&ring->thread[i]);
    for (int i = 0; i < ring->count; i++)
        hl_lock_free(&ring->lock[i]);
    hl_event_free(&ring->all_hold);
}

START_TEST(who_would_close_a_ring_gets_edeadlk_and_the_others_go_on)
{
    for (int count = 2; count <= RING_MOST; count++) {
        struct circle ring;
        reports_start();
        ring_begin(&ring, count);
        ring_start(&ring);
        ring_end(&ring);
        for (int i = 0; i < count - 1; i++)
            ck_assert_int_eq(ring.rc[i], 0);
        ck_assert_int_eq(ring.rc[count - 1], EDEADLK);
        // First the danger, then the deadlock.
        ck_assert_uint_eq(reports_count(), 2);
        ck_assert(REPORT_HAS(0, "lock order"));
        ck_assert(REPORT_HAS(1, "deadlock", count == 2 ? "2 threads" : "3 threads", "\"anna\"",
                             "\"berta\"", "\"apple\"", "\"pear\"", "anna.c:1", "berta.c:1"));
        ck_assert(count == 2 ? REPORT_HAS(1, "berta.c:2")
                             : REPORT_HAS(1, "\"clara\"", "\"plum\"", "clara.c:1", "clara.c:2"));
    }
}
END_TEST

START_TEST(a_ring_with_a_timeout_in_it_is_no_deadlock)
{
    struct circle ring;
    clock_virtual_start(0);
    ring_begin(&ring, 3);
    ring.timeout_ns[1] = 5 * HL_SECOND;
    ring_start(&ring);
    await_blocked(ring.thread[2], "lock");
    park_await_sleepers(1);
    clock_virtual_advance(5 * HL_SECOND);
    ring_end(&ring);
    clock_virtual_stop();
    ck_assert_int_eq(ring.rc[0], 0);
    ck_assert_int_eq(ring.rc[1], ETIMEDOUT);
    ck_assert_int_eq(ring.rc[2], 0);
    ck_assert_uint_eq(reports_count(), 1); // the danger
}
END_TEST

enum { ROUNDS = 3000, FIGHTERS = 3 };

struct fight {
    hl_lock *lock[3];
    atomic_int next, deadlocks;
};

// Takes two of three locks in every order; backs off when told that it can't go on.
static void fight(void *arg)
{
    struct fight *fight = arg;
    unsigned seed = (unsigned)atomic_fetch_add(&fight->next, 1) + 1;
    for (int i = 0; i < ROUNDS; i++) {
        int first = rand_r(&seed) % 3;
        int second = (first + 1 + rand_r(&seed) % 2) % 3;
        MUST(hl_lock_acquire(fight->lock[first]));
        if (i % 8 == 0)
            sched_yield();
        int rc = hl_lock_acquire(fight->lock[second]);
        ASSERT(rc == 0 || rc == EDEADLK);
        if (rc == 0)
            MUST(hl_lock_release(fight->lock[second]));
        else
            atomic_fetch_add(&fight->deadlocks, 1);
        MUST(hl_lock_release(fight->lock[first]));
    }
}

START_TEST(no_ring_goes_unseen)
{
    struct fight both = {0};
    hl_thread *thread[FIGHTERS];
    for (int i = 0; i < 3; i++)
        both.lock[i] = lock_made("ring", NULL);
    for (int i = 0; i < FIGHTERS; i++)
        thread[i] = thread_launch(NULL, fight, &both);
    for (int i = 0; i < FIGHTERS; i++)
        thread_finish(&thread[i]);
    for (int i = 0; i < 3; i++)
        hl_lock_free(&both.lock[i]);
    // One report for each deadlock, and one for each pair of locks that has a wrong order.
    ck_assert_uint_le(reports_count(), (size_t)atomic_load(&both.deadlocks) + 3);
    ck_assert_uint_gt(reports_count(), (size_t)atomic_load(&both.deadlocks));
}
END_TEST

// ---- cost and crowd ----

enum { CROWD = 4, LOCKS = 12, TURNS = 3000 };

struct crowd {
    hl_lock *lock[LOCKS];
    atomic_int next;
};

static void climb(void *arg)
{
    struct crowd *crowd = arg;
    unsigned seed = (unsigned)atomic_fetch_add(&crowd->next, 1) + 1;
    for (int turn = 0; turn < TURNS; turn++) {
        int held[LOCKS];
        int count = 0;
        for (int i = rand_r(&seed) % LOCKS; i < LOCKS; i += 1 + rand_r(&seed) % 5) {
            MUST(hl_lock_acquire(crowd->lock[i]));
            held[count++] = i;
        }
        while (count > 0)
            MUST(hl_lock_release(crowd->lock[held[--count]]));
    }
}

START_TEST(a_crowd_that_keeps_the_order_is_left_in_peace)
{
    struct crowd crowd = {0};
    hl_thread *thread[CROWD];
    for (int i = 0; i < LOCKS; i++)
        crowd.lock[i] = lock_made(
            "step", i % 3 ? NULL : class_made((char[]){'s', (char)('a' + i), '\0'}, 300 + i));
    for (int i = 0; i < CROWD; i++)
        thread[i] = thread_launch(NULL, climb, &crowd);
    for (int i = 0; i < CROWD; i++)
        thread_finish(&thread[i]);
    ck_assert_uint_eq(reports_count(), 0);
    for (int i = 0; i < LOCKS; i++)
        hl_lock_free(&crowd.lock[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock order");
    TCase *tcase = tcase_create("order");
    tcase_add_checked_fixture(tcase, reports_start, reports_stop);
    tcase_add_test(tcase, ab_ba_is_reported_with_both_threads_both_locks_all_places);
    tcase_add_test(tcase, one_thread_alone_can_show_the_danger);
    tcase_add_test(tcase, a_cycle_over_three_locks_is_reported_with_its_steps);
    tcase_add_test(tcase, each_pair_in_a_wrong_order_has_its_own_report);
    tcase_add_test(tcase, a_learnt_order_goes_with_its_lock);
    tcase_add_test(tcase, trying_teaches_nothing_and_is_no_danger);
    tcase_add_test(tcase, a_lock_that_was_tried_counts_as_held);
    tcase_add_test(tcase, ranks_must_rise);
    tcase_add_test(tcase, two_of_one_class_are_never_held_together);
    tcase_add_test(tcase, against_the_rank_the_other_thread_is_named_before_anything_blocks);
    tcase_add_test(tcase, ranked_and_learnt_locks_make_one_order);
    tcase_add_test(tcase, queues_and_deques_may_be_used_under_any_lock);
    tcase_add_test(tcase, who_would_close_a_ring_gets_edeadlk_and_the_others_go_on);
    tcase_add_test(tcase, a_ring_with_a_timeout_in_it_is_no_deadlock);
    tcase_add_test(tcase, no_ring_goes_unseen);
    tcase_add_test(tcase, a_crowd_that_keeps_the_order_is_left_in_peace);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
