// SPDX-License-Identifier: MIT
/*
 * The intrusive list, and the counter with one writer: the two concepts of base that live in a
 * header.
 */
#include "base/counter.h"
#include "base/list.h"
#include "unit.h"
#include "unit_random.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

struct item {
    int number;
    struct list_node node;
};

static struct item *item_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct item, node);
}

/* The numbers of the list are exactly these, read forward and backward. */
static void assert_numbers(const struct list *list, const int *numbers, int count)
{
    int at = 0;
    for (struct list_node *node = list_first(list); node != NULL; node = list_next(list, node)) {
        ck_assert_int_lt(at, count);
        ck_assert_int_eq(item_of(node)->number, numbers[at++]);
    }
    ck_assert_int_eq(at, count);
    for (const struct list_node *node = list->head.prev; node != &list->head; node = node->prev)
        ck_assert_int_eq(CONTAINER_OF(node, const struct item, node)->number, numbers[--at]);
    ck_assert_int_eq(at, 0);
}

static void items_init(struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i].number = i;
        list_node_init(&items[i].node);
    }
}

START_TEST(an_empty_list)
{
    struct list list;
    list_init(&list);
    ck_assert(list_empty(&list));
    ck_assert_ptr_null(list_first(&list));
    ck_assert_ptr_null(list_pop(&list));
}
END_TEST

START_TEST(order)
{
    struct list list;
    struct item items[4];
    list_init(&list);
    items_init(items, 4);
    list_append(&list, &items[1].node);
    list_append(&list, &items[2].node);
    list_prepend(&list, &items[0].node);
    assert_numbers(&list, (int[]){0, 1, 2}, 3);
    list_insert_before(&items[2].node, &items[3].node);
    assert_numbers(&list, (int[]){0, 1, 3, 2}, 4);
    ck_assert_ptr_eq(list_pop(&list), &items[0].node);
    ck_assert(!list_node_linked(&items[0].node));
    ck_assert(list_node_linked(&items[3].node));
    assert_numbers(&list, (int[]){1, 3, 2}, 3);
}
END_TEST

START_TEST(removing)
{
    struct list list;
    struct item items[3];
    list_init(&list);
    items_init(items, 3);
    for (int i = 0; i < 3; i++)
        list_append(&list, &items[i].node);
    list_remove(&items[1].node);
    assert_numbers(&list, (int[]){0, 2}, 2);
    list_remove(&items[1].node); /* in no list: nothing happens */
    assert_numbers(&list, (int[]){0, 2}, 2);
    list_append(&list, &items[1].node);
    assert_numbers(&list, (int[]){0, 2, 1}, 3);
    while (list_pop(&list) != NULL)
        continue;
    ck_assert(list_empty(&list));
}
END_TEST

START_TEST(a_node_in_two_places_is_refused)
{
    struct list list;
    struct item item;
    list_init(&list);
    items_init(&item, 1);
    list_append(&list, &item.node);
    list_append(&list, &item.node);
}
END_TEST

#define ITEMS 50
#define STEPS unit_rounds(100000)

/* Takes the number out of the model, if it is there. */
static int model_remove(int *model, int len, int number)
{
    int kept = 0;
    for (int i = 0; i < len; i++) {
        if (model[i] != number)
            model[kept++] = model[i];
    }
    return kept;
}

static int model_insert(int *model, int len, int at, int number)
{
    for (int i = len; i > at; i--)
        model[i] = model[i - 1];
    model[at] = number;
    return len + 1;
}

START_TEST(it_behaves_like_an_array)
{
    struct unit_random random = unit_random_seed(0x115700);
    struct list list;
    struct item items[ITEMS];
    int model[ITEMS] = {0};
    int len = 0;
    list_init(&list);
    items_init(items, ITEMS);
    for (int step = 0, steps = STEPS; step < steps; step++) {
        int number = (int)unit_random_below(&random, ITEMS);
        struct list_node *node = &items[number].node;
        if (list_node_linked(node)) {
            list_remove(node);
            len = model_remove(model, len, number);
        } else if (unit_random_below(&random, 2) == 0) {
            list_append(&list, node);
            len = model_insert(model, len, len, number);
        } else {
            list_prepend(&list, node);
            len = model_insert(model, len, 0, number);
        }
        if (step % 64 == 0)
            assert_numbers(&list, model, len);
    }
    assert_numbers(&list, model, len);
}
END_TEST

/* ---- counter ---- */

#define COUNTS 100000
#define STRIDE UINT64_C(0x100000001) /* a torn read would show halves that differ */

static struct counter shared;
static _Atomic bool counting_over;

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < COUNTS; i++)
        counter_add(&shared, STRIDE);
    atomic_store(&counting_over, true);
    return NULL;
}

START_TEST(a_counter_is_read_whole_while_it_grows)
{
    pthread_t counting;
    shared = (struct counter){0};
    atomic_store(&counting_over, false);
    ck_assert_int_eq(pthread_create(&counting, NULL, count, NULL), 0);
    uint64_t before = 0;
    bool over;
    do {
        over = atomic_load(&counting_over);
        uint64_t now = counter_get(&shared);
        ck_assert_uint_ge(now, before);
        ck_assert_uint_eq(now >> 32, now & UINT32_MAX);
        before = now;
    } while (!over);
    pthread_join(counting, NULL);
    ck_assert_uint_eq(counter_get(&shared), COUNTS * STRIDE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("list");
    TCase *tcase = tcase_create("list");
    tcase_add_test(tcase, an_empty_list);
    tcase_add_test(tcase, order);
    tcase_add_test(tcase, removing);
    tcase_add_test(tcase, it_behaves_like_an_array);
    unit_add_death(tcase, a_node_in_two_places_is_refused, SIGABRT);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("counter");
    tcase_add_test(tcase, a_counter_is_read_whole_while_it_grows);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
