// SPDX-License-Identifier: MIT
/*
 * The heap: items leave in order, each knows where it stands, any of them can be taken out or
 * change its key. A long random run is held against a plain array.
 */
#include "base/heap.h"
#include "unit.h"
#include "unit_random.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct item {
    uint64_t key;
    size_t pos;
    unsigned told; /* how often it was told where it stands */
};

static bool item_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    return ((const struct item *)a)->key < ((const struct item *)b)->key;
}

static bool item_less_by_sign(const void *a, const void *b, const void *arg)
{
    const int *sign = arg;
    return *sign > 0 ? item_less(a, b, NULL) : item_less(b, a, NULL);
}

static void item_moved(void *item, size_t pos)
{
    ((struct item *)item)->pos = pos;
    ((struct item *)item)->told++;
}

static void assert_positions(const struct heap *heap)
{
    ck_assert(heap_valid(heap));
    size_t wrong = 0; /* counted, then asserted once: Check notes each assertion in a file */
    size_t cursor = 0, seen = 0;
    const struct item *item;
    for (; (item = heap_next(heap, &cursor)) != NULL; seen++)
        wrong += heap_at(heap, item->pos) != item;
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(seen, heap->len);
}

START_TEST(an_empty_heap)
{
    struct heap heap;
    heap_init(&heap, item_less, NULL, NULL);
    ck_assert_ptr_null(heap_first(&heap));
    ck_assert_ptr_null(heap_pop(&heap));
    ck_assert(heap_valid(&heap));
    heap_fini(&heap);
}
END_TEST

START_TEST(the_least_leaves_first)
{
    static const uint64_t keys[] = {5, 3, 9, 1, 3, 7, 0, UINT64_MAX, 2};
    enum { COUNT = sizeof(keys) / sizeof(keys[0]) };
    struct item items[COUNT];
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    for (int i = 0; i < COUNT; i++) {
        items[i] = (struct item){.key = keys[i]};
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
        assert_positions(&heap);
    }
    uint64_t before = 0;
    for (int i = 0; i < COUNT; i++) {
        struct item *first = heap_first(&heap);
        struct item *item = heap_pop(&heap);
        ck_assert_ptr_eq(item, first);
        ck_assert_uint_ge(item->key, before);
        ck_assert_uint_eq(item->pos, HEAP_NOWHERE);
        before = item->key;
    }
    ck_assert_uint_eq(before, UINT64_MAX);
    ck_assert_uint_eq(heap.len, 0);
    heap_fini(&heap);
}
END_TEST

START_TEST(the_order_takes_its_argument)
{
    int sign = -1;
    struct item items[3] = {{.key = 1}, {.key = 3}, {.key = 2}};
    struct heap heap;
    heap_init(&heap, item_less_by_sign, &sign, NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
    ck_assert_ptr_eq(heap_pop(&heap), &items[1]);
    ck_assert_ptr_eq(heap_pop(&heap), &items[2]);
    ck_assert_ptr_eq(heap_pop(&heap), &items[0]);
    heap_fini(&heap);
}
END_TEST

START_TEST(items_in_rising_order_are_told_once)
{
    struct item items[100] = {{.key = 0}};
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    for (unsigned i = 0; i < 100; i++) {
        items[i].key = i + 1;
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
    }
    /* One out of order moves nobody else. */
    struct item least = {.key = 0};
    ck_assert_int_eq(heap_insert(&heap, &least), 0);
    ck_assert_uint_eq(least.told, 1);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_uint_eq(items[i].told, 1);
    ck_assert_ptr_eq(heap_pop(&heap), &least);
    ck_assert_ptr_eq(heap_pop(&heap), &items[0]);
    heap_fini(&heap);
}
END_TEST

START_TEST(one_far_item_does_not_keep_the_others_from_rising)
{
    struct item far = {.key = UINT64_MAX}, items[100] = {{.key = 0}};
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    ck_assert_int_eq(heap_insert(&heap, &far), 0);
    for (unsigned i = 0; i < 100; i++) {
        items[i].key = i;
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
        ck_assert_uint_eq(items[i].told, 1);
    }
    assert_positions(&heap);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_ptr_eq(heap_pop(&heap), &items[i]);
    ck_assert_ptr_eq(heap_pop(&heap), &far);
    heap_fini(&heap);
}
END_TEST

START_TEST(holes_between_rising_items_close)
{
    /* The first one stays and the others go at once, so that every slot but two becomes a hole. */
    struct item first = {.key = 0}, item = {.key = 1};
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    ck_assert_int_eq(heap_insert(&heap, &first), 0);
    struct item last = {.key = UINT64_MAX / 2};
    for (unsigned i = 0; i < 1000; i++) {
        item.key = 2 * i + 1;
        last.key = 2 * i + 2;
        ck_assert_int_eq(heap_insert(&heap, &item), 0);
        ck_assert_int_eq(heap_insert(&heap, &last), 0);
        heap_remove(&heap, item.pos);
        if (i % 100 == 0)
            assert_positions(&heap);
        heap_remove(&heap, last.pos);
    }
    ck_assert_uint_le(heap.rising.cap, 64);
    ck_assert_ptr_eq(heap_pop(&heap), &first);
    ck_assert_uint_eq(heap.rising.len, 0);
    heap.rising.head = heap.rising.tail = RISING_NUMBERS - 100; // its numbers will wrap
    struct item many[300];
    for (unsigned i = 0; i < 300; i++) { // holes in the middle
        many[i] = (struct item){.key = 3000 + i};
        ck_assert_int_eq(heap_insert(&heap, &many[i]), 0);
        if (i % 3 != 0)
            heap_remove(&heap, many[i - 1].pos);
        if (i % 3 != 0)
            many[i - 1].pos = HEAP_NOWHERE;
    }
    assert_positions(&heap);
    uint64_t before = 0;
    while (heap.len > 0) {
        const struct item *popped = heap_pop(&heap);
        ck_assert_uint_ge(popped->key, before);
        before = popped->key;
    }
    heap_fini(&heap);
}
END_TEST

/* The place of an item among very many that came in order is found without looking at them. */
START_TEST(a_rank_in_rising_items_costs_little)
{
    static struct item items[10000];
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    for (unsigned i = 0; i < 10000; i++) {
        items[i].key = i;
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
    }
    for (unsigned i = 0; i < 10000; i += 1111) {
        struct heap_rank rank = heap_rank(&heap, &items[i], 3);
        ck_assert(rank.exact);
        ck_assert_uint_eq(rank.before, i);
        ck_assert_uint_le(rank.looked, 14);
    }
    (void)heap_remove(&heap, items[5000].pos); /* a hole: then they are looked at */
    struct heap_rank rank = heap_rank(&heap, &items[6000], 100);
    ck_assert(!rank.exact);
    ck_assert_uint_eq(rank.before, 100);
    rank = heap_rank(&heap, &items[6000], 6000);
    ck_assert(rank.exact);
    ck_assert_uint_eq(rank.before, 5999);
    heap_fini(&heap);
}
END_TEST

START_TEST(any_item_takes_all)
{
    struct item items[50];
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    ck_assert_ptr_null(heap_any(&heap));
    ck_assert_ptr_null(heap_pop_any(&heap));
    for (unsigned i = 0; i < 50; i++) {
        items[i] = (struct item){.key = i * 7 % 50};
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
    }
    for (unsigned i = 0; i < 50; i++) {
        struct item *any = heap_any(&heap);
        ck_assert_ptr_eq(heap_pop_any(&heap), any);
        ck_assert_uint_eq(any->pos, HEAP_NOWHERE);
        assert_positions(&heap);
    }
    ck_assert_ptr_null(heap_any(&heap));
    heap_fini(&heap);
}
END_TEST

START_TEST(reserved_inserts_do_not_allocate)
{
    struct item items[500];
    struct heap heap;
    heap_init(&heap, item_less, NULL, NULL);
    ck_assert_int_eq(heap_reserve(&heap, 500), 0);
    void **slot = heap.slot;
    for (unsigned i = 0; i < 500; i++) {
        items[i] = (struct item){.key = 500 - i};
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
    }
    ck_assert_ptr_eq(heap.slot, slot);
    ck_assert_int_eq(heap_reserve(&heap, SIZE_MAX), ENOMEM);
    ck_assert_int_eq(heap_reserve(&heap, SIZE_MAX / 4), ENOMEM);
    ck_assert_uint_eq(heap.len, 500);
    ck_assert(heap_valid(&heap));
    heap_fini(&heap);
}
END_TEST

START_TEST(memory_is_given_back)
{
    enum { MANY = 10000 };
    struct item *items = calloc(MANY, sizeof(*items));
    ck_assert_ptr_nonnull(items);
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    for (unsigned i = 0; i < MANY; i++) {
        items[i].key = i * 7919 % MANY;
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
    }
    ck_assert_uint_ge(heap.cap, MANY);
    while (heap.len > 10)
        heap_pop(&heap);
    ck_assert_uint_le(heap.cap, 64);
    assert_positions(&heap);
    heap_fini(&heap);
    free(items);
}
END_TEST

START_TEST(a_broken_order_is_seen)
{
    struct item items[3] = {{.key = 1}, {.key = 2}, {.key = 3}};
    struct heap heap;
    heap_init(&heap, item_less, NULL, item_moved);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(heap_insert(&heap, &items[i]), 0);
    items[0].key = 10;
    ck_assert(!heap_valid(&heap));
    heap_update(&heap, items[0].pos);
    ck_assert(heap_valid(&heap));
    ck_assert_ptr_eq(heap_first(&heap), &items[1]);
    heap_fini(&heap);
}
END_TEST

START_TEST(removing_nothing_is_refused)
{
    struct heap heap;
    heap_init(&heap, item_less, NULL, NULL);
    heap_remove(&heap, 0);
}
END_TEST

/* ---- against a plain array ---- */

#define ITEMS 300
#define STEPS unit_rounds(100000)

struct run {
    struct unit_random random;
    bool rising; /* new keys are mostly greater than those before */
    uint64_t last;
    struct heap heap;
    struct item items[ITEMS]; /* the model: an item is in the heap if it has a position */
    size_t inside;
};

static uint64_t new_key(struct run *run)
{
    if (!run->rising || unit_random_below(&run->random, 10) == 0)
        return unit_random_below(&run->random, 1000);
    return ++run->last;
}

static uint64_t least_key(const struct run *run)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < ITEMS; i++) {
        if (run->items[i].pos != HEAP_NOWHERE && run->items[i].key < least)
            least = run->items[i].key;
    }
    return least;
}

static void step_inside(struct run *run, struct item *item)
{
    switch (unit_random_below(&run->random, 3)) {
    case 0:
        ck_assert_ptr_eq(heap_remove(&run->heap, item->pos), item);
        ck_assert_uint_eq(item->pos, HEAP_NOWHERE);
        run->inside--;
        break;
    case 1:
        item->key = new_key(run);
        heap_update(&run->heap, item->pos);
        break;
    default: {
        uint64_t least = least_key(run);
        struct item *first = heap_pop(&run->heap);
        ck_assert_uint_eq(first->key, least);
        ck_assert_uint_eq(first->pos, HEAP_NOWHERE);
        run->inside--;
    }
    }
}

/* All that are less are counted, or some of them where they are too many to look at. */
static void assert_ranks(struct run *run, const struct item *item)
{
    size_t before = 0, most = 3 + unit_random_below(&run->random, 60);
    for (int i = 0; i < ITEMS; i++)
        before += run->items[i].pos != HEAP_NOWHERE && run->items[i].key < item->key;
    struct heap_rank all = heap_rank(&run->heap, item, SIZE_MAX);
    ck_assert(all.exact);
    ck_assert_uint_eq(all.before, before);
    ck_assert_uint_le(all.looked, 2 * before + 2 + 9); /* the last for the run */
    struct heap_rank some = heap_rank(&run->heap, item, most);
    ck_assert_uint_le(some.looked, 2 * most + 9);
    ck_assert(some.exact ? some.before == before : some.before > 0 && some.before <= before);
}

START_TEST(it_behaves_like_a_sorted_array)
{
    struct run run = {.random = unit_random_seed(0x4ea9 + (unsigned)_i), .rising = _i % 2 == 0};
    heap_init(&run.heap, item_less, NULL, item_moved);
    for (int i = 0; i < ITEMS; i++)
        run.items[i].pos = HEAP_NOWHERE;
    for (int step = 0, steps = STEPS; step < steps; step++) {
        struct item *item = &run.items[unit_random_below(&run.random, ITEMS)];
        /* Runs of filling and of emptying, so that it is sometimes nearly full, sometimes nearly
         * empty. */
        bool filling = step / 2000 % 2 == 0;
        if (item->pos == HEAP_NOWHERE) {
            if (!filling && unit_random_below(&run.random, 4) != 0)
                continue;
            item->key = new_key(&run);
            ck_assert_int_eq(heap_insert(&run.heap, item), 0);
            run.inside++;
        } else if (!filling || unit_random_below(&run.random, 4) == 0) {
            step_inside(&run, item);
        }
        ck_assert_uint_eq(run.heap.len, run.inside);
        if (step % 50 == 0) {
            assert_positions(&run.heap);
            assert_ranks(&run, item);
        }
    }
    heap_fini(&run.heap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tcase = tcase_create("heap");
    tcase_add_test(tcase, an_empty_heap);
    tcase_add_test(tcase, the_least_leaves_first);
    tcase_add_test(tcase, the_order_takes_its_argument);
    tcase_add_test(tcase, items_in_rising_order_are_told_once);
    tcase_add_test(tcase, one_far_item_does_not_keep_the_others_from_rising);
    tcase_add_test(tcase, holes_between_rising_items_close);
    tcase_add_test(tcase, a_rank_in_rising_items_costs_little);
    tcase_add_test(tcase, any_item_takes_all);
    tcase_add_test(tcase, reserved_inserts_do_not_allocate);
    tcase_add_test(tcase, memory_is_given_back);
    tcase_add_test(tcase, a_broken_order_is_seen);
    tcase_add_loop_test(tcase, it_behaves_like_a_sorted_array, 0, 4);
    unit_add_death(tcase, removing_nothing_is_refused, SIGABRT);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
