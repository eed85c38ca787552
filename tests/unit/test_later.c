// SPDX-License-Identifier: MIT
// A later: who is told when, and that it is once, whoever cancels at the same moment.

#include "base/clock.h"
#include "thr/later.h"
#include "thr/thr.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

// ---- somebody to wait for: a lock, and those who wait in a line ----

static hl_lock *lock;
static struct list line;

static void setup(void)
{
    MUST(hl_lock_new(&lock, "line", lock_class(LOCK_CLASS_broker)));
    list_init(&line);
}

static void teardown(void)
{
    ASSERT(list_empty(&line));
    hl_lock_free(&lock);
}

static bool line_cancel(struct later *later)
{
    HL_LOCK_SCOPE(lock);
    return later_leave(later);
}

static void line_ask(struct later *later)
{
    HL_LOCK_SCOPE(lock);
    later_wait(later, line_cancel);
    list_append(&line, &later->node);
}

// Makes the first of the line ready; false: nobody waits.
static bool line_decide(struct list *fire, int result)
{
    HL_LOCK_SCOPE(lock);
    struct list_node *first = list_first(&line);
    if (first != NULL)
        later_ready(CONTAINER_OF(first, struct later, node), result, fire);
    return first != NULL;
}

static bool line_serve(int result)
{
    struct list fire;
    list_init(&fire);
    bool any = line_decide(&fire, result);
    later_fire(&fire);
    return any;
}

// ---- somebody who waits ----

struct asker {
    struct later later;
    int fired;
    int order; // how many of all had fired before
    int again; // how often it asks again when it is fired
};

static int fired_in_all, depth, deepest;

static void asker_fired(struct later *later)
{
    struct asker *asker = CONTAINER_OF(later, struct asker, later);
    ASSERT(!list_node_linked(&later->node));
    ASSERT(later->state == LATER_READY);
    asker->fired++;
    asker->order = fired_in_all++;
    if (++depth > deepest)
        deepest = depth;
    if (asker->again > 0) {
        asker->again--;
        line_ask(later);
        (void)line_serve(later->result);
    }
    depth--;
}

static void ask(struct asker *asker)
{
    *asker = (struct asker){.later = {.fire = asker_fired}};
    line_ask(&asker->later);
}

START_TEST(it_is_fired_once_with_its_result)
{
    struct asker asker;
    ask(&asker);
    ck_assert_int_eq(asker.later.state, LATER_WAITS);
    ck_assert(line_serve(ENOSPC));
    ck_assert_int_eq(asker.fired, 1);
    ck_assert_int_eq(asker.later.result, ENOSPC);
    ck_assert_int_eq(asker.later.state, LATER_READY);
    ck_assert(!line_serve(0));
    ck_assert(!later_cancel(&asker.later));
    ck_assert_int_eq(asker.fired, 1);

    line_ask(&asker.later); // a fired one may ask again
    ck_assert(line_serve(0));
    ck_assert_int_eq(asker.fired, 2);
    ck_assert_int_eq(asker.later.result, 0);
}
END_TEST

START_TEST(a_cancelled_one_is_not_fired)
{
    struct asker asker = {.later = {.fire = asker_fired}};
    ck_assert(!later_cancel(&asker.later)); // it never waited
    ask(&asker);
    ck_assert(later_cancel(&asker.later));
    ck_assert_int_eq(asker.later.state, LATER_IDLE);
    ck_assert(list_empty(&line));
    ck_assert(!later_cancel(&asker.later));
    ck_assert(!line_serve(0));
    ck_assert_int_eq(asker.fired, 0);

    line_ask(&asker.later);
    ck_assert(line_serve(0));
    ck_assert_int_eq(asker.fired, 1);
}
END_TEST

START_TEST(ready_and_not_fired_yet_is_too_late_to_cancel)
{
    struct asker asker;
    struct list fire;
    list_init(&fire);
    ask(&asker);
    ck_assert(line_decide(&fire, 0));
    ck_assert(!later_cancel(&asker.later));
    ck_assert_int_eq(asker.fired, 0);
    later_fire(&fire);
    ck_assert_int_eq(asker.fired, 1);
    ck_assert(list_empty(&fire));
}
END_TEST

START_TEST(they_fire_in_the_order_in_which_they_became_ready)
{
    enum { ASKERS = 5 };
    struct asker asker[ASKERS];
    struct list fire;
    list_init(&fire);
    fired_in_all = 0;
    for (int i = 0; i < ASKERS; i++)
        ask(&asker[i]);
    ck_assert(later_cancel(&asker[2].later));
    while (line_decide(&fire, 0))
        ;
    later_fire(&fire);
    for (int i = 0; i < ASKERS; i++)
        ck_assert_int_eq(asker[i].fired, i != 2);
    ck_assert_int_eq(asker[0].order, 0);
    ck_assert_int_eq(asker[4].order, 3);
}
END_TEST

START_TEST(what_is_fired_inside_of_a_fire_is_called_when_that_has_returned)
{
    struct asker asker;
    deepest = 0;
    ask(&asker);
    asker.again = 1000;
    ck_assert(line_serve(0));
    ck_assert_int_eq(asker.fired, 1001);
    ck_assert_int_eq(deepest, 1);
}
END_TEST

// ---- blocked threads ----

struct blocked {
    struct later later;
    int64_t deadline_ns;
    int rc;
};

static void blocked_begin(struct blocked *blocked, int64_t deadline_ns)
{
    *blocked =
        (struct blocked){.later = {.fire = later_wake}, .deadline_ns = deadline_ns, .rc = -1};
    line_ask(&blocked->later);
}

static void block(void *arg)
{
    struct blocked *blocked = arg;
    blocked->rc = later_block(&blocked->later, blocked->deadline_ns, "line", "of the test");
}

START_TEST(a_thread_may_block_for_it)
{
    struct blocked blocked;
    struct hl_thread_info info;
    blocked_begin(&blocked, CLOCK_NEVER);
    hl_thread *thread = thread_launch(NULL, block, &blocked);
    await_blocked(thread, "line");
    ck_assert(thread_look(thread, &info));
    ck_assert_str_eq(info.object, "of the test");
    ck_assert(line_serve(EPIPE));
    thread_finish(&thread);
    ck_assert_int_eq(blocked.rc, 0);
    ck_assert_int_eq(blocked.later.result, EPIPE);

    blocked_begin(&blocked, CLOCK_NEVER); // fired before it blocks
    ck_assert(line_serve(0));
    block(&blocked);
    ck_assert_int_eq(blocked.rc, 0);
}
END_TEST

START_TEST(a_blocked_thread_gives_up_at_its_deadline)
{
    struct blocked blocked;
    clock_virtual_start(0);
    blocked_begin(&blocked, HL_SECOND);
    hl_thread *thread = thread_launch(NULL, block, &blocked);
    park_await_sleepers(1);
    clock_virtual_advance(HL_SECOND);
    thread_finish(&thread);
    clock_virtual_stop();
    ck_assert_int_eq(blocked.rc, ETIMEDOUT);
    ck_assert_int_eq(blocked.later.state, LATER_IDLE);
    ck_assert(!line_serve(0));
}
END_TEST

START_TEST(a_deadline_that_comes_when_it_is_decided_changes_nothing)
{
    struct blocked blocked;
    struct list fire;
    list_init(&fire);
    clock_virtual_start(0);
    blocked_begin(&blocked, HL_SECOND);
    hl_thread *thread = thread_launch(NULL, block, &blocked);
    park_await_sleepers(1);
    ck_assert(line_decide(&fire, 0));
    clock_virtual_advance(HL_SECOND); // it sees that it can't cancel any more
    later_fire(&fire);
    thread_finish(&thread);
    clock_virtual_stop();
    ck_assert_int_eq(blocked.rc, 0);
}
END_TEST

// The first one, fired, blocks for what the second one's fire does.
static struct blocked first_blocks;

static void first_fired(struct later *later)
{
    blocked_begin(&first_blocks, CLOCK_NEVER);
    block(&first_blocks);
    CONTAINER_OF(later, struct asker, later)->fired++;
}

static void second_fired(struct later *later)
{
    (void)line_serve(0);
    CONTAINER_OF(later, struct asker, later)->fired++;
}

START_TEST(one_that_blocks_in_its_fire_fires_the_others_first)
{
    struct asker first, second;
    struct list fire;
    list_init(&fire);
    ask(&first);
    ask(&second);
    first.later.fire = first_fired;
    second.later.fire = second_fired;
    while (line_decide(&fire, 0))
        ;
    later_fire(&fire);
    ck_assert_int_eq(first.fired, 1);
    ck_assert_int_eq(second.fired, 1);
    ck_assert_int_eq(first_blocks.rc, 0);
}
END_TEST

// ---- cancel against fire ----

struct race {
    int rounds;
    atomic_int ready; // rounds that the asker has begun
    atomic_int over;  // rounds that the other thread is through with
};

struct racer {
    struct later later;
    atomic_int fired;
    int plain; // not atomic: ThreadSanitizer looks at who may write it
};

static void racer_fired(struct later *later)
{
    struct racer *racer = CONTAINER_OF(later, struct racer, later);
    racer->plain++;
    atomic_store(&racer->fired, 1); // the last that is done with it
}

static void race_serve(void *arg)
{
    struct race *race = arg;
    for (int round = 1; round <= race->rounds; round++) {
        WAIT_UNTIL(atomic_load(&race->ready) >= round);
        (void)line_serve(0);
        atomic_store(&race->over, round);
    }
}

START_TEST(either_cancel_or_fire)
{
    struct race race = {.rounds = unit_rounds(100000)};
    hl_thread *thread = thread_launch(NULL, race_serve, &race);
    for (int round = 1; round <= race.rounds; round++) {
        struct racer *racer = calloc(1, sizeof(*racer)); // a use after that would be found
        ASSERT(racer != NULL);
        racer->later.fire = racer_fired;
        line_ask(&racer->later);
        atomic_store(&race.ready, round);
        for (int spin = round % 64 * 48; spin > 0; spin--)
            atomic_signal_fence(memory_order_seq_cst);
        if (later_cancel(&racer->later)) {
            ck_assert_int_eq(racer->plain, 0);
        } else {
            WAIT_UNTIL(atomic_load(&racer->fired) == 1);
            ck_assert_int_eq(racer->plain, 1);
        }
        free(racer);
        WAIT_UNTIL(atomic_load(&race.over) == round);
    }
    thread_finish(&thread);
}
END_TEST

// ---- what must not be ----

START_TEST(who_waits_can_not_ask_again)
{
    struct asker asker;
    ask(&asker);
    line_ask(&asker.later);
}
END_TEST

START_TEST(nor_can_one_that_is_about_to_be_fired)
{
    struct asker asker;
    struct list fire;
    list_init(&fire);
    ask(&asker);
    (void)line_decide(&fire, 0);
    line_ask(&asker.later);
}
END_TEST

START_TEST(nobody_is_told_of_what_he_does_not_wait_for)
{
    struct asker asker = {.later = {.fire = asker_fired}};
    struct list fire;
    list_init(&fire);
    later_ready(&asker.later, 0, &fire);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("later");
    TCase *tcase = tcase_create("later");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_is_fired_once_with_its_result);
    tcase_add_test(tcase, a_cancelled_one_is_not_fired);
    tcase_add_test(tcase, ready_and_not_fired_yet_is_too_late_to_cancel);
    tcase_add_test(tcase, they_fire_in_the_order_in_which_they_became_ready);
    tcase_add_test(tcase, what_is_fired_inside_of_a_fire_is_called_when_that_has_returned);
    tcase_add_test(tcase, a_thread_may_block_for_it);
    tcase_add_test(tcase, a_blocked_thread_gives_up_at_its_deadline);
    tcase_add_test(tcase, a_deadline_that_comes_when_it_is_decided_changes_nothing);
    tcase_add_test(tcase, one_that_blocks_in_its_fire_fires_the_others_first);
    tcase_add_test(tcase, either_cancel_or_fire);
    unit_add_death(tcase, who_waits_can_not_ask_again, SIGABRT);
    unit_add_death(tcase, nor_can_one_that_is_about_to_be_fired, SIGABRT);
    unit_add_death(tcase, nobody_is_told_of_what_he_does_not_wait_for, SIGABRT);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
