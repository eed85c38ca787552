// SPDX-License-Identifier: MIT
/*
 * The maps and the hash under them: what was put is found, what was removed is not, whatever the
 * neighbours; growth and shrinking; long random runs against plain arrays.
 */
#include "base/hash.h"
#include "base/map.h"
#include "unit.h"
#include "unit_random.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int values[4]; /* only their addresses matter */

/* ---- hash ---- */

START_TEST(the_hash_is_siphash_2_4)
{
    /* The test vector of the paper's appendix A. */
    struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    unsigned char bytes[15];
    for (unsigned char i = 0; i < 15; i++)
        bytes[i] = i;
    ck_assert_uint_eq(hash_bytes(&key, bytes, 15), UINT64_C(0xa129ca6149be45e5));
}
END_TEST

START_TEST(the_hash_depends_on_all_it_gets)
{
    struct hash_key key = {1, 2}, other_key = {1, 3};
    char zeros[20] = {0};
    uint64_t seen[20];
    for (size_t len = 0; len < 20; len++) {
        seen[len] = hash_bytes(&key, len > 0 ? zeros : NULL, len);
        ck_assert_uint_ne(seen[len], hash_bytes(&other_key, zeros, len));
        for (size_t i = 0; i < len; i++)
            ck_assert_uint_ne(seen[len], seen[i]);
    }
    for (size_t i = 0; i < 19; i++) {
        zeros[i] = 1;
        ck_assert_uint_ne(hash_bytes(&key, zeros, 19), seen[19]);
        zeros[i] = 0;
    }
    ck_assert_uint_ne(hash_random_seed(), hash_random_seed());
}
END_TEST

/* ---- from ids ---- */

START_TEST(an_empty_idmap)
{
    struct idmap map;
    size_t cursor = 0;
    idmap_init(&map);
    ck_assert_ptr_null(idmap_get(&map, 0));
    ck_assert_ptr_null(idmap_remove(&map, 1));
    ck_assert_ptr_null(idmap_next(&map, &cursor));
    ck_assert_uint_eq(map.cap, 0);
    idmap_fini(&map);
}
END_TEST

START_TEST(ids_are_found)
{
    struct idmap map;
    idmap_init(&map);
    ck_assert_int_eq(idmap_put(&map, 0, &values[0]), 0);
    ck_assert_int_eq(idmap_put(&map, UINT64_MAX, &values[1]), 0);
    ck_assert_int_eq(idmap_put(&map, 7, &values[2]), 0);
    ck_assert_int_eq(idmap_put(&map, 7, &values[3]), EEXIST);
    ck_assert_ptr_eq(idmap_get(&map, 0), &values[0]);
    ck_assert_ptr_eq(idmap_must(&map, UINT64_MAX), &values[1]);
    ck_assert_ptr_eq(idmap_get(&map, 7), &values[2]);
    ck_assert_ptr_null(idmap_get(&map, 8));
    ck_assert_ptr_eq(idmap_remove(&map, 7), &values[2]);
    ck_assert_ptr_null(idmap_get(&map, 7));
    ck_assert_ptr_null(idmap_remove(&map, 7));
    ck_assert_uint_eq(map.len, 2);
    idmap_fini(&map);
    ck_assert_int_eq(idmap_put(&map, 1, &values[0]), 0);
    idmap_fini(&map);
}
END_TEST

START_TEST(an_idmap_grows_and_shrinks)
{
    enum { MANY = 20000 };
    struct idmap map;
    char *many = calloc(MANY, 1);
    ck_assert_ptr_nonnull(many);
    idmap_init(&map);
    for (uint64_t id = 0; id < MANY; id++) {
        ck_assert_int_eq(idmap_put(&map, id, &many[id]), 0);
        ck_assert_uint_le(map.len * 4, map.cap * 3);
    }
    ck_assert_uint_eq(map.len, MANY);
    for (uint64_t id = 0; id < MANY; id++)
        ck_assert_ptr_eq(idmap_get(&map, id), &many[id]);
    /* Oldest first, as jobs leave. */
    for (uint64_t id = 0; id < MANY; id++) {
        ck_assert_ptr_eq(idmap_remove(&map, id), &many[id]);
        ck_assert(map.cap == 16 || map.len * 8 >= map.cap);
        ck_assert_ptr_null(idmap_get(&map, id));
    }
    ck_assert_uint_eq(map.cap, 16);
    idmap_fini(&map);
    free(many);
}
END_TEST

/* The entries of a dense run of ids must not pile up: that is what the mixing is for. */
START_TEST(dense_ids_stand_near_home)
{
    static const uint64_t strides[] = {1, 2, 16, 4096, UINT64_C(1) << 32, UINT64_C(1) << 40};
    enum { MANY = 3000 };
    struct idmap map;
    size_t longest = 0, run = 0;
    idmap_init(&map);
    for (uint64_t i = 1; i <= MANY; i++)
        ck_assert_int_eq(idmap_put(&map, i * strides[_i], &values[0]), 0);
    for (size_t at = 0; at < map.cap; at++) {
        run = map.slot[at].value != NULL ? run + 1 : 0;
        if (run > longest)
            longest = run;
    }
    /* 3000 of 4096 by chance would have runs of about a hundred. */
    ck_assert_msg(longest < 200, "stride %" PRIu64 ": a run of %zu", strides[_i], longest);
    idmap_fini(&map);
}
END_TEST

START_TEST(a_missing_id_ends_the_process)
{
    struct idmap map;
    idmap_init(&map);
    idmap_must(&map, 42);
}
END_TEST

START_TEST(a_null_value_is_refused)
{
    struct idmap map;
    idmap_init(&map);
    (void)idmap_put(&map, 1, NULL);
}
END_TEST

#define KEYS 700
#define STEPS unit_rounds(100000)

/* What a step does: phases that mostly put and phases that mostly remove, so that the size swings.
 */
static bool step_puts(struct unit_random *random, int step)
{
    uint64_t puts_in_ten = step / 5000 % 2 == 0 ? 7 : 2;
    return unit_random_below(random, 10) < puts_in_ten;
}

struct id_entry {
    uint64_t id;
    bool inside;
};

static void assert_walk(const struct idmap *map, const struct id_entry *model, size_t inside)
{
    /* Counted, then asserted once: Check notes each assertion in a file. */
    size_t cursor = 0, seen = 0, wrong = 0;
    for (const struct id_entry *entry; (entry = idmap_next(map, &cursor)) != NULL; seen++) {
        if (entry < model || entry >= model + KEYS || !entry->inside)
            wrong++;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(seen, inside);
}

START_TEST(an_idmap_behaves_like_an_array)
{
    struct unit_random random = unit_random_seed(0x1d3a9 + (unsigned)_i);
    struct id_entry model[KEYS] = {{0}};
    size_t inside = 0;
    struct idmap map;
    idmap_init(&map);
    /* Few bits apart, so that homes collide and runs wrap around the end; and dense; and any. */
    static const uint64_t masks[] = {UINT64_C(0xf0000000000000ff), 0x7ff, UINT64_MAX};
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t id = _i == 1 ? i : unit_random_next(&random) & masks[_i];
        for (uint64_t j = 0; j < i; j++) {
            if (model[j].id == id) {
                id = unit_random_next(&random);
                j = UINT64_MAX;
            }
        }
        model[i] = (struct id_entry){id, false};
    }
    for (int step = 0, steps = STEPS; step < steps; step++) {
        struct id_entry *entry = &model[unit_random_below(&random, KEYS)];
        void *expected = entry->inside ? entry : NULL;
        ck_assert_ptr_eq(idmap_get(&map, entry->id), expected);
        if (step_puts(&random, step)) {
            ck_assert_int_eq(idmap_put(&map, entry->id, entry), entry->inside ? EEXIST : 0);
            inside += entry->inside ? 0 : 1;
            entry->inside = true;
        } else {
            ck_assert_ptr_eq(idmap_remove(&map, entry->id), expected);
            inside -= entry->inside ? 1 : 0;
            entry->inside = false;
        }
        ck_assert_uint_eq(map.len, inside);
        if (step % 100 == 0)
            assert_walk(&map, model, inside);
    }
    for (int i = 0; i < KEYS; i++)
        ck_assert_ptr_eq(idmap_get(&map, model[i].id), model[i].inside ? &model[i] : NULL);
    idmap_fini(&map);
}
END_TEST

/* ---- from strings ---- */

START_TEST(an_empty_strmap)
{
    struct strmap map;
    size_t cursor = 0;
    strmap_init(&map);
    ck_assert_ptr_null(strmap_get(&map, "x", 1));
    ck_assert_ptr_null(strmap_remove(&map, "x", 1));
    ck_assert_ptr_null(strmap_next(&map, &cursor));
    strmap_fini(&map);
}
END_TEST

START_TEST(keys_are_bytes)
{
    struct strmap map;
    strmap_init(&map);
    ck_assert_int_eq(strmap_put(&map, "mail", 4, &values[0]), 0);
    ck_assert_int_eq(strmap_put(&map, "mail\0x", 6, &values[1]), 0);
    ck_assert_int_eq(strmap_put(&map, "mailbox", 3, &values[2]), 0);
    ck_assert_int_eq(strmap_put(&map, NULL, 0, &values[3]), 0);
    ck_assert_int_eq(strmap_put(&map, "mailman", 4, &values[3]), EEXIST);
    char copy[] = "mail";
    ck_assert_ptr_eq(strmap_get(&map, copy, 4), &values[0]);
    ck_assert_ptr_eq(strmap_get(&map, "mail\0x", 6), &values[1]);
    ck_assert_ptr_null(strmap_get(&map, "mail\0y", 6));
    ck_assert_ptr_eq(strmap_must(&map, "mai", 3), &values[2]);
    ck_assert_ptr_eq(strmap_get(&map, "", 0), &values[3]);
    ck_assert_ptr_null(strmap_get(&map, "Mail", 4));
    ck_assert_ptr_eq(strmap_remove(&map, "mail", 4), &values[0]);
    ck_assert_ptr_null(strmap_get(&map, "mail", 4));
    ck_assert_uint_eq(map.len, 3);
    strmap_fini(&map);
}
END_TEST

START_TEST(seeds_differ)
{
    struct strmap a, b;
    strmap_init(&a);
    strmap_init(&b);
    ck_assert_uint_ne(a.seed, b.seed);
    strmap_fini(&a);
    strmap_fini(&b);
}
END_TEST

START_TEST(a_missing_key_ends_the_process)
{
    struct strmap map;
    strmap_init(&map);
    strmap_must(&map, "no\x1bsuch", 7);
}
END_TEST

struct str_entry {
    char key[16];
    size_t len;
    bool inside;
};

START_TEST(a_strmap_behaves_like_an_array)
{
    struct unit_random random = unit_random_seed(0x57a9 + (unsigned)_i);
    static struct str_entry model[KEYS];
    size_t inside = 0, largest = 0;
    struct strmap map;
    strmap_init(&map);
    for (int i = 0; i < KEYS; i++) {
        model[i].len = (size_t)snprintf(model[i].key, sizeof(model[i].key), "tube-%d", i);
        model[i].inside = false;
    }
    for (int step = 0, steps = STEPS; step < steps; step++) {
        struct str_entry *entry = &model[unit_random_below(&random, KEYS)];
        void *expected = entry->inside ? entry : NULL;
        ck_assert_ptr_eq(strmap_get(&map, entry->key, entry->len), expected);
        if (step_puts(&random, step)) {
            ck_assert_int_eq(strmap_put(&map, entry->key, entry->len, entry),
                             entry->inside ? EEXIST : 0);
            inside += entry->inside ? 0 : 1;
            entry->inside = true;
        } else {
            ck_assert_ptr_eq(strmap_remove(&map, entry->key, entry->len), expected);
            inside -= entry->inside ? 1 : 0;
            entry->inside = false;
        }
        ck_assert_uint_eq(map.len, inside);
        largest = map.cap > largest ? map.cap : largest;
    }
    size_t cursor = 0, seen = 0;
    for (struct str_entry *entry; (entry = strmap_next(&map, &cursor)) != NULL; seen++)
        ck_assert(entry->inside);
    ck_assert_uint_eq(seen, inside);
    for (int i = 0; i < KEYS; i++)
        strmap_remove(&map, model[i].key, model[i].len);
    ck_assert_uint_eq(map.len, 0);
    ck_assert_uint_ge(largest, 512);
    ck_assert_uint_eq(map.cap, 16);
    strmap_fini(&map);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("hash");
    tcase_add_test(tcase, the_hash_is_siphash_2_4);
    tcase_add_test(tcase, the_hash_depends_on_all_it_gets);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("idmap");
    tcase_add_test(tcase, an_empty_idmap);
    tcase_add_test(tcase, ids_are_found);
    tcase_add_test(tcase, an_idmap_grows_and_shrinks);
    tcase_add_loop_test(tcase, dense_ids_stand_near_home, 0, 6);
    tcase_add_loop_test(tcase, an_idmap_behaves_like_an_array, 0, 3);
    unit_add_death(tcase, a_missing_id_ends_the_process, SIGABRT);
    unit_add_death(tcase, a_null_value_is_refused, SIGABRT);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("strmap");
    tcase_add_test(tcase, an_empty_strmap);
    tcase_add_test(tcase, keys_are_bytes);
    tcase_add_test(tcase, seeds_differ);
    tcase_add_loop_test(tcase, a_strmap_behaves_like_an_array, 0, 2);
    unit_add_death(tcase, a_missing_key_ends_the_process, SIGABRT);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
