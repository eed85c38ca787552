// SPDX-License-Identifier: MIT
// "Did you mean": how far two words are apart, and which is near enough to be offered.

#include "base/nearest.h"
#include "unit.h"

#include <string.h>

START_TEST(distance_counts_edits)
{
    ck_assert_uint_eq(nearest_distance("", ""), 0);
    ck_assert_uint_eq(nearest_distance("", "abc"), 3);
    ck_assert_uint_eq(nearest_distance("abc", ""), 3);
    ck_assert_uint_eq(nearest_distance("grace", "grace"), 0);
    ck_assert_uint_eq(nearest_distance("grace", "gracee"), 1);
    ck_assert_uint_eq(nearest_distance("grace", "grce"), 1);
    ck_assert_uint_eq(nearest_distance("grace", "grave"), 1);
    ck_assert_uint_eq(nearest_distance("grace", "garce"), 1);
    ck_assert_uint_eq(nearest_distance("kitten", "sitting"), 3);
}
END_TEST

START_TEST(nearest_word_is_found_if_near)
{
    struct nearest nearest;
    nearest_init(&nearest, "worker");
    ck_assert_ptr_null(nearest_best(&nearest));
    nearest_offer(&nearest, "tubes");
    ck_assert_ptr_null(nearest_best(&nearest));
    nearest_offer(&nearest, "worked");
    nearest_offer(&nearest, "workers");
    ck_assert_str_eq(nearest_best(&nearest), "worked");
    nearest_offer(&nearest, "worker");
    ck_assert_str_eq(nearest_best(&nearest), "worker");

    char large[NEAREST_MAX + 2];
    memset(large, 'a', sizeof(large));
    large[NEAREST_MAX + 1] = '\0';
    nearest_init(&nearest, large);
    nearest_offer(&nearest, large);
    ck_assert_ptr_null(nearest_best(&nearest));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nearest");
    TCase *words = tcase_create("nearest");
    tcase_add_test(words, distance_counts_edits);
    tcase_add_test(words, nearest_word_is_found_if_near);
    suite_add_tcase(suite, words);
    return unit_main(suite);
}
