// SPDX-License-Identifier: MIT
/*
 * The id table: what was put is found, what was removed is not; dense and lonely ids; the page that
 * is kept; a long random run against a plain array.
 */
#include "base/idtable.h"
#include "unit.h"
#include "unit_random.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static int values[4]; /* only their addresses matter */

START_TEST(an_empty_table)
{
    struct idtable table;
    struct idtable_cursor cursor = {0};
    idtable_init(&table);
    ck_assert_ptr_null(idtable_get(&table, 0));
    ck_assert_ptr_null(idtable_remove(&table, UINT64_MAX));
    ck_assert_ptr_null(idtable_next(&table, &cursor));
    idtable_fini(&table);
}
END_TEST

START_TEST(put_get_remove)
{
    struct idtable table;
    idtable_init(&table);
    ck_assert_int_eq(idtable_put(&table, 7, &values[0]), 0);
    ck_assert_int_eq(idtable_put(&table, 8, &values[1]), 0);
    ck_assert_int_eq(idtable_put(&table, 7, &values[2]), EEXIST);
    ck_assert_ptr_eq(idtable_get(&table, 7), &values[0]);
    ck_assert_ptr_eq(idtable_get(&table, 8), &values[1]);
    ck_assert_ptr_null(idtable_get(&table, 9));
    ck_assert_ptr_eq(idtable_remove(&table, 7), &values[0]);
    ck_assert_ptr_null(idtable_remove(&table, 7));
    ck_assert_ptr_null(idtable_get(&table, 7));
    ck_assert_uint_eq(table.len, 1);
    idtable_fini(&table);
}
END_TEST

START_TEST(lonely_ids_anywhere)
{
    static const uint64_t ids[] = {0, 63, 64, UINT64_C(1) << 32, UINT64_MAX};
    struct idtable table;
    idtable_init(&table);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(idtable_put(&table, ids[i], &values[i % 4]), 0);
    for (size_t i = 0; i < 5; i++)
        ck_assert_ptr_eq(idtable_remove(&table, ids[i]), &values[i % 4]);
    ck_assert_uint_eq(table.len, 0);
    idtable_fini(&table);
}
END_TEST

START_TEST(one_empty_page_is_kept_and_no_more)
{
    struct idtable table;
    idtable_init(&table);
    for (uint64_t id = 0; id < 6400; id++)
        ck_assert_int_eq(idtable_put(&table, id, &values[0]), 0);
    ck_assert_uint_eq(table.pages.len, 100);
    for (uint64_t id = 0; id < 6400; id++)
        ck_assert_ptr_nonnull(idtable_remove(&table, id));
    ck_assert_uint_eq(table.pages.len, 1);
    // In a queue that is emptied each time, the page stays the same.
    const struct idtable_page *kept = table.empty;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(idtable_put(&table, 6390, &values[0]), 0);
        ck_assert_ptr_null(table.empty);
        ck_assert_ptr_nonnull(idtable_remove(&table, 6390));
        ck_assert_ptr_eq(table.empty, kept);
    }
    idtable_fini(&table);
}
END_TEST

// Ids rise as a daemon's do; now and then one of the oldest goes, or any.
START_TEST(random_commands_against_an_array)
{
    enum { IDS = 20000 };
    static bool there[IDS];
    struct unit_random random = unit_random_seed((uint64_t)time(NULL));
    struct idtable table;
    idtable_init(&table);
    memset(there, 0, sizeof(there));
    size_t len = 0;
    for (uint64_t step = 0, next = 0; step < (uint64_t)unit_rounds(60000); step++) {
        uint64_t id = unit_random_below(&random, 3) == 0 && next < IDS
                          ? next++
                          : unit_random_below(&random, next + 1);
        if (id >= IDS)
            continue;
        ck_assert_ptr_eq(idtable_get(&table, id), there[id] ? &values[id % 4] : NULL);
        if (there[id])
            ck_assert_ptr_eq(idtable_remove(&table, id), &values[id % 4]);
        else
            ck_assert_int_eq(idtable_put(&table, id, &values[id % 4]), 0);
        there[id] = !there[id];
        len += there[id] ? 1 : UINT64_MAX;
        ck_assert_uint_eq(table.len, len);
    }
    struct idtable_cursor cursor = {0};
    size_t seen = 0;
    while (idtable_next(&table, &cursor) != NULL)
        seen++;
    ck_assert_uint_eq(seen, len);
    idtable_fini(&table);
}
END_TEST

// Walks from everywhere, and compares with the array.
static void walk_and_compare(struct idtable *table, const bool *there, uint64_t ids)
{
    uint64_t expected = 0;
    for (uint64_t id = 0; idtable_from(table, &id) != NULL; id++) {
        while (expected < ids && !there[expected])
            expected++;
        ck_assert_uint_eq(id, expected++);
    }
    while (expected < ids && !there[expected])
        expected++;
    ck_assert_uint_eq(expected, ids);
}

START_TEST(a_walk_in_order_of_id)
{
    struct idtable table;
    uint64_t id = 0;
    idtable_init(&table);
    ck_assert_ptr_null(idtable_from(&table, &id));
    static const uint64_t ids[] = {UINT64_MAX, 64, 7, UINT64_C(1) << 40, 63, 65};
    static const uint64_t order[] = {7, 63, 64, 65, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(idtable_put(&table, ids[i], &values[i % 4]), 0);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_ptr_eq(idtable_from(&table, &id), idtable_get(&table, order[i]));
        ck_assert_uint_eq(id, order[i]);
        ck_assert_ptr_nonnull(idtable_from(&table, &id)); // the same one again
        ck_assert_uint_eq(id++, order[i]);
    }
    ck_assert_uint_eq(id, 0); // behind the last one possible
    id = 66;
    (void)idtable_remove(&table, UINT64_C(1) << 40);
    (void)idtable_remove(&table, UINT64_MAX);
    ck_assert_ptr_null(idtable_from(&table, &id));
    ck_assert_uint_eq(id, 66);
    idtable_fini(&table);
}
END_TEST

// Pages come and go, near the end and far from it: more than the order moves, and more than it lets
// be stale.
START_TEST(walks_between_random_changes)
{
    enum { PAGES = 6000, IDS = PAGES * 64 };
    static bool there[IDS];
    struct unit_random random = unit_random_seed((uint64_t)time(NULL));
    struct idtable table;
    idtable_init(&table);
    memset(there, 0, sizeof(there));
    for (int round = 0; round < unit_rounds(6); round++) {
        for (uint64_t page = 0; page < PAGES; page++) {
            uint64_t late = unit_random_below(&random, 8) == 0 ? unit_random_below(&random, 40) : 0;
            uint64_t at = round % 2 == 0 ? page : unit_random_below(&random, PAGES);
            uint64_t id = (at > late ? at - late : 0) * 64 + unit_random_below(&random, 64);
            ck_assert_int_eq(idtable_put(&table, id, &values[0]), there[id] ? EEXIST : 0);
            there[id] = true;
        }
        walk_and_compare(&table, there, IDS);
        for (uint64_t id = 0; id < IDS; id++)
            if (there[id] && unit_random_below(&random, 10) != 0) {
                ck_assert_ptr_nonnull(idtable_remove(&table, id));
                there[id] = false;
            }
        walk_and_compare(&table, there, IDS);
        ck_assert_uint_le(table.order.len, 2 * table.pages.len + 64);
    }
    idtable_fini(&table);
}
END_TEST

// A queue through which ids flow keeps the order as short as itself.
START_TEST(the_order_stays_small)
{
    struct idtable table;
    idtable_init(&table);
    for (uint64_t id = 1; id < (uint64_t)unit_rounds(1000000); id++) {
        ck_assert_int_eq(idtable_put(&table, id, &values[0]), 0);
        if (id > 100)
            ck_assert_ptr_nonnull(idtable_remove(&table, id - 100));
    }
    ck_assert_uint_le(table.order.cap, 64);
    idtable_fini(&table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idtable");
    TCase *tcase = tcase_create("idtable");
    tcase_add_test(tcase, an_empty_table);
    tcase_add_test(tcase, put_get_remove);
    tcase_add_test(tcase, lonely_ids_anywhere);
    tcase_add_test(tcase, one_empty_page_is_kept_and_no_more);
    tcase_add_test(tcase, random_commands_against_an_array);
    tcase_add_test(tcase, a_walk_in_order_of_id);
    tcase_add_test(tcase, walks_between_random_changes);
    tcase_add_test(tcase, the_order_stays_small);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
