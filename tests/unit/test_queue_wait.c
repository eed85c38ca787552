// SPDX-License-Identifier: MIT
// Waiting in the lines of cores: in many at once, cancelled, made ready by a layer above, and as a
// blocked thread, up to the moment where time goes by just as the wait is decided.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_core.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>

enum { CORES = 5 };

static struct queue_core core[CORES];
static struct queue_core *cores[CORES];

static void setup(void)
{
    core_domain_begin();
    noted_fired = 0;
    for (int i = 0; i < CORES; i++) {
        core_more(&core[i], HL_QUEUE_FIFO, 0);
        cores[i] = &core[i];
    }
    queue_domain_acquire(core_domain);
}

static void teardown(void)
{
    queue_domain_release(core_domain);
    for (int i = 0; i < CORES; i++)
        core_fini(&core[i]);
    core_domain_end();
}

static void wait_in_all(struct noted *noted)
{
    noted_init(noted);
    queue_wait_get(&noted->wait, cores, noted->link, CORES);
}

START_TEST(a_getter_in_many_lines_gets_one_item_and_leaves_them_all)
{
    struct noted many;
    struct noted one;
    wait_in_all(&many);
    noted_get(&one, &core[3]);
    MUST(queue_core_put(&core[3], item_of(1)));
    MUST(queue_core_put(&core[1], item_of(2)));
    MUST(queue_core_put(&core[3], item_of(3)));
    ck_assert_int_eq(many.fired, 0); // not before the domain is released
    core_pass(&core[0]);
    ck_assert_int_eq(many.fired, 1);
    ck_assert_int_eq(many.wait.later.result, 0);
    ck_assert_ptr_eq(many.wait.from, &core[3]);
    ck_assert_int_eq((intptr_t)many.wait.item, 1);
    ck_assert_int_eq((intptr_t)one.wait.item, 3);
    ck_assert_uint_eq(queue_core_len(&core[1]), 1);
    for (int i = 0; i < CORES; i++)
        ck_assert(list_empty(&core[i].getters));
    void *item;
    MUST(queue_core_take(&core[1], &item));
}
END_TEST

START_TEST(waits_fire_in_the_order_in_which_they_became_ready)
{
    struct noted noted[CORES];
    for (int i = 0; i < CORES; i++)
        noted_get(&noted[i], &core[i]);
    for (int i = CORES - 1; i >= 0; i--)
        MUST(queue_core_put(&core[i], item_of(i)));
    core_pass(&core[0]);
    for (int i = 0; i < CORES; i++)
        ck_assert_int_eq(noted[i].order, CORES - 1 - i);
}
END_TEST

START_TEST(it_is_over_when_the_last_core_is_shut_down)
{
    struct noted noted;
    queue_core_shutdown(&core[2]);
    wait_in_all(&noted); // stands in four lines
    for (int i = 0; i < CORES - 1; i++)
        queue_core_shutdown(&core[i]);
    core_pass(&core[0]);
    ck_assert_int_eq(noted.fired, 0);
    queue_core_shutdown(&core[CORES - 1]);
    core_pass(&core[0]);
    ck_assert_int_eq(noted.fired, 1);
    ck_assert_int_eq(noted.wait.later.result, ESHUTDOWN);
}
END_TEST

START_TEST(a_cancelled_wait_is_in_no_line_and_does_not_fire)
{
    struct noted noted;
    wait_in_all(&noted);
    ck_assert(queue_wait_cancel(&noted.wait));
    ck_assert_int_eq(noted.wait.later.state, LATER_IDLE);
    ck_assert(!queue_wait_cancel(&noted.wait));
    for (int i = 0; i < CORES; i++)
        ck_assert(list_empty(&core[i].getters));
    MUST(queue_core_put(&core[0], item_of(1)));
    core_pass(&core[0]);
    ck_assert_int_eq(noted.fired, 0);

    // Ready, but not fired yet: too late.
    wait_in_all(&noted);
    MUST(queue_core_put(&core[1], item_of(2)));
    ck_assert(!queue_wait_cancel(&noted.wait));
    core_pass(&core[0]);
    ck_assert_int_eq(noted.fired, 1);
    ck_assert_int_eq((intptr_t)noted.wait.item, 2);
    ck_assert(!queue_wait_cancel(&noted.wait));
    void *item;
    MUST(queue_core_take(&core[0], &item));
}
END_TEST

START_TEST(a_joiner_fires_when_nothing_is_unfinished)
{
    struct noted noted;
    noted_init(&noted);
    queue_core_open_task(&core[0]);
    queue_core_open_task(&core[0]);
    queue_wait_join(&noted.wait, &core[0], noted.link);
    MUST(queue_core_close_task(&core[0]));
    core_pass(&core[0]);
    ck_assert_int_eq(noted.fired, 0);
    MUST(queue_core_close_task(&core[0]));
    queue_core_open_task(&core[0]); // a new task comes too late to keep it
    core_pass(&core[0]);
    ck_assert_int_eq(noted.fired, 1);
    MUST(queue_core_close_task(&core[0]));
}
END_TEST

START_TEST(a_layer_above_may_keep_the_line_itself)
{
    struct noted noted[3];
    for (int i = 0; i < 3; i++) {
        noted_init(&noted[i]);
        queue_wait_line_up(&noted[i].wait, NULL);
    }
    ck_assert(queue_wait_cancel(&noted[1].wait));
    queue_wait_make_ready(core_domain, &noted[2].wait, ECANCELED);
    queue_wait_make_ready(core_domain, &noted[0].wait, 0);
    ck_assert(!queue_wait_cancel(&noted[2].wait));
    core_pass(&core[0]);
    ck_assert_int_eq(noted[2].order, 0);
    ck_assert_int_eq(noted[2].wait.later.result, ECANCELED);
    ck_assert_int_eq(noted[0].order, 1);
    ck_assert_int_eq(noted[1].fired, 0);
}
END_TEST

// ---- blocked threads ----

struct blocked {
    int64_t timeout_ns;
    bool stays_released;
    int rc, result;
    intptr_t number;
    struct queue_core *from;
};

static void block_in_all(void *arg)
{
    struct blocked *blocked = arg;
    struct queue_wait wait = {0};
    struct queue_link link[CORES] = {0};
    queue_domain_acquire(core_domain);
    queue_wait_get(&wait, cores, link, CORES);
    int64_t deadline_ns = clock_deadline(blocked->timeout_ns);
    if (blocked->stays_released) {
        blocked->rc = queue_wait_sleep(&wait, core_domain, deadline_ns, "several", "cores");
        queue_domain_acquire(core_domain); // would report a second acquire
    } else {
        blocked->rc = queue_wait_block(&wait, core_domain, deadline_ns, "several", "cores");
    }
    queue_domain_assert_held(core_domain);
    ASSERT(wait.later.state == (blocked->rc == 0 ? LATER_READY : LATER_IDLE));
    blocked->result = wait.later.result;
    blocked->number = (intptr_t)wait.item;
    blocked->from = wait.from;
    queue_domain_release(core_domain);
}

START_TEST(a_blocked_thread_is_served_and_holds_the_domain_again)
{
    for (int stays_released = 0; stays_released <= 1; stays_released++) {
        struct blocked blocked = {.timeout_ns = HL_FOREVER, .stays_released = stays_released};
        queue_domain_release(core_domain);
        hl_thread *thread = thread_launch(NULL, block_in_all, &blocked);
        struct hl_thread_info info;
        await_blocked(thread, "several");
        ck_assert(thread_look(thread, &info));
        ck_assert_str_eq(info.object, "cores");
        queue_domain_acquire(core_domain);
        MUST(queue_core_put(&core[4], item_of(44)));
        queue_domain_release(core_domain);
        thread_finish(&thread);
        queue_domain_acquire(core_domain);
        ck_assert_int_eq(blocked.rc, 0);
        ck_assert_int_eq(blocked.result, 0);
        ck_assert_int_eq(blocked.number, 44);
        ck_assert_ptr_eq(blocked.from, &core[4]);
    }
}
END_TEST

// Moves the clock past the deadline of a thread blocked for 1 s, while this one holds the domain,
// and waits until that thread stands before the domain to cancel.
static void pass_deadline(hl_thread *thread)
{
    clock_virtual_advance(HL_SECOND);
    await_blocked(thread, "lock");
}

START_TEST(time_that_goes_by_as_the_item_comes_changes_nothing)
{
    for (int stays_released = 0; stays_released <= 1; stays_released++) {
        struct blocked blocked = {.timeout_ns = HL_SECOND, .stays_released = stays_released};
        clock_virtual_start(0);
        queue_domain_release(core_domain);
        hl_thread *thread = thread_launch(NULL, block_in_all, &blocked);
        park_await_sleepers(1);
        queue_domain_acquire(core_domain);
        MUST(queue_core_put(&core[2], item_of(22))); // decided, not fired
        pass_deadline(thread);
        queue_domain_release(core_domain);
        thread_finish(&thread);
        queue_domain_acquire(core_domain);
        clock_virtual_stop();
        ck_assert_int_eq(blocked.rc, 0);
        ck_assert_int_eq(blocked.number, 22);
        ck_assert_uint_eq(queue_core_len(&core[2]), 0);
    }
}
END_TEST

START_TEST(time_that_goes_by_before_the_item_comes_takes_it_out_of_line)
{
    for (int stays_released = 0; stays_released <= 1; stays_released++) {
        struct blocked blocked = {.timeout_ns = HL_SECOND, .stays_released = stays_released};
        void *item;
        clock_virtual_start(0);
        queue_domain_release(core_domain);
        hl_thread *thread = thread_launch(NULL, block_in_all, &blocked);
        park_await_sleepers(1);
        queue_domain_acquire(core_domain);
        pass_deadline(thread);
        queue_domain_release(core_domain);
        thread_finish(&thread);
        queue_domain_acquire(core_domain);
        clock_virtual_stop();
        ck_assert_int_eq(blocked.rc, ETIMEDOUT);
        MUST(queue_core_put(&core[2], item_of(22)));
        MUST(queue_core_take(&core[2], &item));
    }
}
END_TEST

START_TEST(a_wait_that_is_ready_already_does_not_block)
{
    struct queue_wait wait = {0};
    struct queue_link link = {0};
    queue_wait_get(&wait, cores, &link, 1);
    MUST(queue_core_put(&core[0], item_of(3)));
    ck_assert_int_eq(queue_wait_block(&wait, core_domain, CLOCK_NEVER, "x", "y"), 0);
    queue_domain_assert_held(core_domain);
    ck_assert_int_eq((intptr_t)wait.item, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue wait");
    TCase *tcase = tcase_create("wait");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_getter_in_many_lines_gets_one_item_and_leaves_them_all);
    tcase_add_test(tcase, waits_fire_in_the_order_in_which_they_became_ready);
    tcase_add_test(tcase, it_is_over_when_the_last_core_is_shut_down);
    tcase_add_test(tcase, a_cancelled_wait_is_in_no_line_and_does_not_fire);
    tcase_add_test(tcase, a_joiner_fires_when_nothing_is_unfinished);
    tcase_add_test(tcase, a_layer_above_may_keep_the_line_itself);
    tcase_add_test(tcase, a_blocked_thread_is_served_and_holds_the_domain_again);
    tcase_add_test(tcase, time_that_goes_by_as_the_item_comes_changes_nothing);
    tcase_add_test(tcase, time_that_goes_by_before_the_item_comes_takes_it_out_of_line);
    tcase_add_test(tcase, a_wait_that_is_ready_already_does_not_block);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
