// SPDX-License-Identifier: MIT
// The deque, measured against Python's collections.deque, and its "look, then take" operations.

#include "thr/thr.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

static void *item_of(intptr_t number)
{
    return (void *)number;
}

// The numbers that discard was called with.
static struct {
    intptr_t number[64];
    size_t count;
    hl_deque *deque; // used from discard, to show that no lock is held
} discarded;

static void note_discarded(void *item)
{
    ck_assert_uint_lt(discarded.count, 64);
    discarded.number[discarded.count++] = (intptr_t)item;
    if (discarded.deque != NULL)
        (void)hl_deque_len(discarded.deque);
}

static void setup(void)
{
    memset(&discarded, 0, sizeof(discarded));
}

static void expect_pop(int (*pop)(hl_deque *, void **), hl_deque *deque, intptr_t number)
{
    void *item = item_of(-77);
    ck_assert_int_eq(pop(deque, &item), 0);
    ck_assert_int_eq((intptr_t)item, number);
}

START_TEST(both_ends_work)
{
    hl_deque *deque;
    ck_assert_int_eq(hl_deque_new(&deque, 0, NULL), 0);
    ck_assert_uint_eq(hl_deque_len(deque), 0);
    ck_assert_int_eq(hl_deque_append(deque, item_of(2)), 0);
    ck_assert_int_eq(hl_deque_append(deque, item_of(3)), 0);
    ck_assert_int_eq(hl_deque_append_left(deque, item_of(1)), 0);
    ck_assert_int_eq(hl_deque_append_left(deque, NULL), 0);
    ck_assert_uint_eq(hl_deque_len(deque), 4);
    expect_pop(hl_deque_peek, deque, 3);
    expect_pop(hl_deque_peek_left, deque, 0);
    expect_pop(hl_deque_pop, deque, 3);
    expect_pop(hl_deque_pop_left, deque, 0);
    expect_pop(hl_deque_try_pop, deque, 2);
    expect_pop(hl_deque_try_pop_left, deque, 1);
    ck_assert_uint_eq(hl_deque_len(deque), 0);
    hl_deque_free(&deque);
    ck_assert_ptr_null(deque);
    hl_deque_free(&deque);
}
END_TEST

static bool is_even(void *item, void *arg)
{
    ++*(int *)arg;
    return (intptr_t)item % 2 == 0;
}

START_TEST(an_empty_deque_answers_and_leaves_the_result_alone)
{
    hl_deque *deque;
    void *item = item_of(9);
    int asked = 0;
    MUST(hl_deque_new(&deque, 0, NULL));
    ck_assert_int_eq(hl_deque_pop(deque, &item), ENOENT);
    ck_assert_int_eq(hl_deque_pop_left(deque, &item), ENOENT);
    ck_assert_int_eq(hl_deque_peek(deque, &item), ENOENT);
    ck_assert_int_eq(hl_deque_peek_left(deque, &item), ENOENT);
    ck_assert_int_eq(hl_deque_try_pop(deque, &item), ENOENT);
    ck_assert_int_eq(hl_deque_try_pop_left(deque, &item), ENOENT);
    ck_assert_int_eq(hl_deque_pop_if(deque, is_even, &asked, &item), ENOENT);
    ck_assert_int_eq(hl_deque_pop_left_if(deque, is_even, &asked, &item), ENOENT);
    ck_assert_uint_eq(hl_deque_pop_many(deque, &item, 1), 0);
    ck_assert_uint_eq(hl_deque_pop_left_many(deque, &item, 1), 0);
    ck_assert_int_eq((intptr_t)item, 9);
    ck_assert_int_eq(asked, 0);
    hl_deque_free(&deque);
}
END_TEST

START_TEST(pop_if_takes_only_what_passes_the_test)
{
    hl_deque *deque;
    void *item = NULL;
    int asked = 0;
    MUST(hl_deque_new(&deque, 0, NULL));
    for (intptr_t i = 1; i <= 4; i++)
        MUST(hl_deque_append(deque, item_of(i)));
    ck_assert_int_eq(hl_deque_pop_left_if(deque, is_even, &asked, &item), EAGAIN);
    ck_assert_int_eq(hl_deque_pop_if(deque, is_even, &asked, &item), 0);
    ck_assert_int_eq((intptr_t)item, 4);
    ck_assert_int_eq(hl_deque_pop_if(deque, is_even, &asked, &item), EAGAIN);
    expect_pop(hl_deque_pop_left, deque, 1);
    ck_assert_int_eq(hl_deque_pop_left_if(deque, is_even, &asked, &item), 0);
    ck_assert_int_eq((intptr_t)item, 2);
    ck_assert_int_eq(asked, 4);
    ck_assert_uint_eq(hl_deque_len(deque), 1);
    hl_deque_free(&deque);
}
END_TEST

START_TEST(pop_many_takes_in_the_order_of_popping)
{
    hl_deque *deque;
    void *items[8];
    MUST(hl_deque_new(&deque, 0, NULL));
    for (intptr_t i = 1; i <= 7; i++)
        MUST(hl_deque_append(deque, item_of(i)));
    ck_assert_uint_eq(hl_deque_pop_many(deque, items, 0), 0);
    ck_assert_uint_eq(hl_deque_pop_many(deque, items, 2), 2);
    ck_assert_int_eq((intptr_t)items[0], 7);
    ck_assert_int_eq((intptr_t)items[1], 6);
    ck_assert_uint_eq(hl_deque_pop_left_many(deque, items, 2), 2);
    ck_assert_int_eq((intptr_t)items[0], 1);
    ck_assert_int_eq((intptr_t)items[1], 2);
    ck_assert_uint_eq(hl_deque_pop_left_many(deque, items, 8), 3);
    ck_assert_int_eq((intptr_t)items[2], 5);
    hl_deque_free(&deque);
}
END_TEST

START_TEST(a_full_deque_discards_at_the_other_end)
{
    hl_deque *deque;
    MUST(hl_deque_new(&deque, 3, note_discarded));
    discarded.deque = deque;
    for (intptr_t i = 1; i <= 5; i++)
        ck_assert_int_eq(hl_deque_append(deque, item_of(i)), 0);
    ck_assert_uint_eq(hl_deque_len(deque), 3);
    ck_assert_uint_eq(discarded.count, 2);
    ck_assert_int_eq(discarded.number[0], 1);
    ck_assert_int_eq(discarded.number[1], 2);
    ck_assert_int_eq(hl_deque_append_left(deque, item_of(0)), 0);
    ck_assert_int_eq(discarded.number[2], 5);
    expect_pop(hl_deque_peek_left, deque, 0);
    expect_pop(hl_deque_peek, deque, 4);
    // Clear and free discard the rest.
    hl_deque_clear(deque);
    ck_assert_uint_eq(discarded.count, 6);
    ck_assert_uint_eq(hl_deque_len(deque), 0);
    MUST(hl_deque_append(deque, item_of(8)));
    discarded.deque = NULL;
    hl_deque_free(&deque);
    ck_assert_uint_eq(discarded.count, 7);
    ck_assert_int_eq(discarded.number[6], 8);
}
END_TEST

START_TEST(a_bound_of_one_keeps_the_last)
{
    hl_deque *deque;
    MUST(hl_deque_new(&deque, 1, note_discarded));
    MUST(hl_deque_append(deque, item_of(1)));
    MUST(hl_deque_append(deque, item_of(2)));
    MUST(hl_deque_append_left(deque, item_of(3)));
    ck_assert_uint_eq(discarded.count, 2);
    expect_pop(hl_deque_pop, deque, 3);
    hl_deque_free(&deque);

    // Without discard they just go.
    MUST(hl_deque_new(&deque, 1, NULL));
    MUST(hl_deque_append(deque, item_of(1)));
    MUST(hl_deque_append(deque, item_of(2)));
    hl_deque_clear(deque);
    hl_deque_free(&deque);
    ck_assert_uint_eq(discarded.count, 2);
}
END_TEST

struct gate {
    hl_deque *deque;
    hl_event *inside, *go;
};

static bool hold_the_lock(void *item, void *arg)
{
    (void)item;
    struct gate *gate = arg;
    hl_event_set(gate->inside);
    MUST(hl_event_wait(gate->go, HL_FOREVER));
    return true;
}

static void pop_slowly(void *arg)
{
    struct gate *gate = arg;
    void *item;
    MUST(hl_deque_pop_if(gate->deque, hold_the_lock, gate, &item));
}

START_TEST(try_pop_waits_for_nobody)
{
    struct gate gate;
    void *item = item_of(9);
    MUST(hl_deque_new(&gate.deque, 0, NULL));
    MUST(hl_event_new(&gate.inside, NULL));
    MUST(hl_event_new(&gate.go, NULL));
    MUST(hl_deque_append(gate.deque, item_of(1)));
    MUST(hl_deque_append(gate.deque, item_of(2)));
    hl_thread *thread = thread_launch(NULL, pop_slowly, &gate);
    MUST(hl_event_wait(gate.inside, HL_FOREVER));
    ck_assert_int_eq(hl_deque_try_pop(gate.deque, &item), EBUSY);
    ck_assert_int_eq(hl_deque_try_pop_left(gate.deque, &item), EBUSY);
    ck_assert_int_eq((intptr_t)item, 9);
    hl_event_set(gate.go);
    thread_finish(&thread);
    expect_pop(hl_deque_try_pop, gate.deque, 1);
    hl_deque_free(&gate.deque);
    hl_event_free(&gate.inside);
    hl_event_free(&gate.go);
}
END_TEST

// A model beside the real thing: an array with the same operations, the simple way.
struct model {
    intptr_t item[4096];
    size_t len;
};

static void model_insert(struct model *model, size_t pos, intptr_t item)
{
    memmove(&model->item[pos + 1], &model->item[pos], (model->len - pos) * sizeof(intptr_t));
    model->item[pos] = item;
    model->len++;
}

static intptr_t model_remove(struct model *model, size_t pos)
{
    intptr_t item = model->item[pos];
    model->len--;
    memmove(&model->item[pos], &model->item[pos + 1], (model->len - pos) * sizeof(intptr_t));
    return item;
}

START_TEST(it_does_what_a_plain_array_does)
{
    enum { STEPS = 60000, LIMIT = 4000 };
    static struct model model;
    unsigned seed = (unsigned)time(NULL);
    (void)printf("# seed %u\n", seed);
    hl_deque *deque;
    void *item;
    MUST(hl_deque_new(&deque, 0, NULL));
    model.len = 0;
    for (intptr_t step = 1; step <= STEPS; step++) {
        bool left = rand_r(&seed) % 2;
        // Long stretches of growing and of shrinking.
        bool adds = rand_r(&seed) % 8 < (step / 6000 % 2 ? 3 : 5);
        if (adds && model.len < LIMIT) {
            ck_assert_int_eq((left ? hl_deque_append_left : hl_deque_append)(deque, item_of(step)),
                             0);
            model_insert(&model, left ? 0 : model.len, step);
        } else if (model.len > 0) {
            expect_pop(left ? hl_deque_pop_left : hl_deque_pop, deque,
                       model_remove(&model, left ? 0 : model.len - 1));
        } else {
            ck_assert_int_eq(hl_deque_pop(deque, &item), ENOENT);
        }
        ck_assert_uint_eq(hl_deque_len(deque), model.len);
    }
    while (model.len > 0)
        expect_pop(hl_deque_pop_left, deque, model_remove(&model, 0));
    hl_deque_free(&deque);
}
END_TEST

enum { WORKERS = 4, EACH = 5000 };

struct crowd {
    hl_deque *deque;
    atomic_llong taken;
    atomic_int left;
};

static void add_and_take(void *arg)
{
    struct crowd *crowd = arg;
    void *item;
    for (intptr_t i = 1; i <= EACH; i++) {
        MUST((i % 2 ? hl_deque_append : hl_deque_append_left)(crowd->deque, item_of(i)));
        int rc = i % 3 == 0 ? hl_deque_try_pop(crowd->deque, &item)
                            : hl_deque_pop_left(crowd->deque, &item);
        ASSERT(rc == 0 || rc == ENOENT || rc == EBUSY);
        if (rc == 0)
            atomic_fetch_add(&crowd->taken, (intptr_t)item);
    }
}

START_TEST(a_crowd_loses_nothing_and_takes_nothing_twice)
{
    struct crowd crowd = {0};
    hl_thread *thread[WORKERS];
    void *item;
    MUST(hl_deque_new(&crowd.deque, 0, NULL));
    for (int i = 0; i < WORKERS; i++)
        thread[i] = thread_launch(NULL, add_and_take, &crowd);
    for (int i = 0; i < WORKERS; i++)
        thread_finish(&thread[i]);
    while (hl_deque_pop(crowd.deque, &item) == 0)
        atomic_fetch_add(&crowd.taken, (intptr_t)item);
    ck_assert_int_eq(atomic_load(&crowd.taken), (long long)WORKERS * EACH * (EACH + 1) / 2);
    hl_deque_free(&crowd.deque);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deque");
    TCase *tcase = tcase_create("deque");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, both_ends_work);
    tcase_add_test(tcase, an_empty_deque_answers_and_leaves_the_result_alone);
    tcase_add_test(tcase, pop_if_takes_only_what_passes_the_test);
    tcase_add_test(tcase, pop_many_takes_in_the_order_of_popping);
    tcase_add_test(tcase, a_full_deque_discards_at_the_other_end);
    tcase_add_test(tcase, a_bound_of_one_keeps_the_last);
    tcase_add_test(tcase, try_pop_waits_for_nobody);
    tcase_add_test(tcase, it_does_what_a_plain_array_does);
    tcase_add_test(tcase, a_crowd_loses_nothing_and_takes_nothing_twice);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
