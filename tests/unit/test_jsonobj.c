// SPDX-License-Identifier: MIT
/*
 * cJSON with exact numbers: what is added prints as written, what is parsed reads as sent, and what
 * isn't JSON is refused with its place.
 */
#include "base/jsonobj.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) (literal), sizeof(literal) - 1

static void assert_prints(const cJSON *object, const char *expected)
{
    char *text = cJSON_PrintUnformatted(object);
    ck_assert_str_eq(text, expected);
    cJSON_free(text);
}

/* From memory of exactly that size, so that a sanitizer sees each byte read beyond. */
static int parse_exactly(cJSON **out, const char *text, size_t len, size_t *where)
{
    char *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    int rc = jsonobj_parse(out, copy, len, where);
    free(copy);
    return rc;
}

static cJSON *parsed(const char *text)
{
    cJSON *object = NULL;
    ck_assert_msg(parse_exactly(&object, text, strlen(text), NULL) == 0, "refused: %s", text);
    return object;
}

START_TEST(everything_prints_exactly)
{
    cJSON *object = cJSON_CreateObject();
    ck_assert_int_eq(jsonobj_add_u64(object, "a", UINT64_C(9007199254740993)), 0);
    ck_assert_int_eq(jsonobj_add_u64(object, "b", UINT64_MAX), 0);
    ck_assert_int_eq(jsonobj_add_u64(object, "c", 0), 0);
    ck_assert_int_eq(jsonobj_add_i64(object, "d", INT64_MIN), 0);
    ck_assert_int_eq(jsonobj_add_i64(object, "e", -1), 0);
    ck_assert_int_eq(jsonobj_add_bytes(object, "f", "x\xff\0y", 4), 0);
    ck_assert_int_eq(jsonobj_add_bytes(object, "g", NULL, 0), 0);
    ck_assert_int_eq(jsonobj_add_str(object, "h", "\xf0\x9f\x98\x80 \"quoted\"\n"), 0);
    ck_assert_int_eq(jsonobj_add_bool(object, "i", true), 0);
    ck_assert_int_eq(jsonobj_add_bool(object, "j", false), 0);
    ck_assert_int_eq(jsonobj_add_item(object, "k", cJSON_CreateArray()), 0);
    ck_assert_int_eq(jsonobj_add_item(object, "l", NULL), ENOMEM);
    assert_prints(object, "{\"a\":9007199254740993,\"b\":18446744073709551615,\"c\":0,"
                          "\"d\":-9223372036854775808,\"e\":-1,\"f\":\"x\\\\xff\\\\x00y\","
                          "\"g\":\"\",\"h\":\"\xf0\x9f\x98\x80 \\\"quoted\\\"\\n\","
                          "\"i\":true,\"j\":false,\"k\":[]}");
    cJSON_Delete(object);
}
END_TEST

static const struct {
    int64_t ns;
    const char *text;
} durations[] = {
    {0, "0.000000"},
    {INT64_C(1250000000), "1.250000"},
    {INT64_C(1999), "0.000001"},
    {INT64_C(999), "0.000000"},
    {INT64_C(-999), "0.000000"},
    {INT64_C(-500000000), "-0.500000"},
    {INT64_MAX, "9223372036.854775"},
    {INT64_MIN, "-9223372036.854775"},
};
static const int duration_count = sizeof(durations) / sizeof(durations[0]);

START_TEST(durations_print_as_seconds)
{
    char expected[64];
    cJSON *object = cJSON_CreateObject();
    ck_assert_int_eq(jsonobj_add_seconds(object, "s", durations[_i].ns), 0);
    snprintf(expected, sizeof(expected), "{\"s\":%s}", durations[_i].text);
    assert_prints(object, expected);
    cJSON_Delete(object);
}
END_TEST

/* What is written, read back through text. */
START_TEST(numbers_make_the_round_trip)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       999999999999999,
                                       1000000000000000,
                                       UINT64_C(9007199254740992),
                                       UINT64_C(9007199254740993),
                                       UINT64_C(9223372036854775808),
                                       UINT64_MAX};
    cJSON *object = cJSON_CreateObject();
    ck_assert_int_eq(jsonobj_add_u64(object, "n", numbers[_i]), 0);
    uint64_t number = 5;
    ck_assert_int_eq(jsonobj_get_u64(object, "n", &number), 0);
    ck_assert_uint_eq(number, numbers[_i]);
    char *text = cJSON_PrintUnformatted(object);
    cJSON *back = parsed(text);
    number = 5;
    ck_assert_int_eq(jsonobj_get_u64(back, "n", &number), 0);
    ck_assert_uint_eq(number, numbers[_i]);
    cJSON_free(text);
    cJSON_Delete(back);
    cJSON_Delete(object);
}
END_TEST

static const struct {
    const char *value;
    int rc;
    uint64_t number;
} members[] = {
    {"5", 0, 5},
    {"5.0", 0, 5},
    {"1e3", 0, 1000},
    {"\"18446744073709551615\"", 0, UINT64_MAX},
    {"18446744073709551615", 0, UINT64_MAX},
    {"18446744073709551616", EINVAL, 0},
    {"-1", EINVAL, 0},
    {"-12345678901234567", EINVAL, 0},
    {"0.5", EINVAL, 0},
    {"9007199254740993.0", EINVAL, 0}, /* a double can't hold it: refused, not rounded */
    {"1e300", EINVAL, 0},
    {"1e999", EINVAL, 0},
    {"\"\"", EINVAL, 0},
    {"\"5x\"", EINVAL, 0},
    {"true", EINVAL, 0},
    {"null", EINVAL, 0},
    {"[5]", EINVAL, 0},
};
static const int member_count = sizeof(members) / sizeof(members[0]);

START_TEST(whole_numbers_are_read_strictly)
{
    char text[64];
    snprintf(text, sizeof(text), "{\"n\":%s}", members[_i].value);
    cJSON *object = parsed(text);
    uint64_t number = 77;
    ck_assert_int_eq(jsonobj_get_u64(object, "n", &number), members[_i].rc);
    ck_assert_uint_eq(number, members[_i].rc == 0 ? members[_i].number : 77);
    ck_assert_int_eq(jsonobj_get_u64(object, "N", &number), ENOENT);
    cJSON_Delete(object);
}
END_TEST

START_TEST(strings_and_truth)
{
    cJSON *object = parsed("{\"s\":\"\\ud83d\\ude00\",\"t\":true,\"f\":false,\"n\":1,\"z\":null}");
    const char *text = NULL;
    bool value = false;
    ck_assert_int_eq(jsonobj_get_str(object, "s", &text), 0);
    ck_assert_str_eq(text, "\xf0\x9f\x98\x80");
    ck_assert_int_eq(jsonobj_get_str(object, "n", &text), EINVAL);
    ck_assert_int_eq(jsonobj_get_str(object, "z", &text), EINVAL);
    ck_assert_int_eq(jsonobj_get_str(object, "x", &text), ENOENT);
    ck_assert_int_eq(jsonobj_get_bool(object, "t", &value), 0);
    ck_assert(value);
    ck_assert_int_eq(jsonobj_get_bool(object, "f", &value), 0);
    ck_assert(!value);
    ck_assert_int_eq(jsonobj_get_bool(object, "n", &value), EINVAL);
    ck_assert_int_eq(jsonobj_get_bool(object, "x", &value), ENOENT);
    cJSON_Delete(object);
    /* What is no object has no members. */
    object = parsed("[1,2]");
    ck_assert_int_eq(jsonobj_get_str(object, "s", &text), ENOENT);
    cJSON_Delete(object);
    ck_assert_int_eq(jsonobj_get_str(NULL, "s", &text), ENOENT);
}
END_TEST

START_TEST(good_texts_are_kept)
{
    static const struct {
        const char *text, *printed;
    } good[] = {
        {" {} ", "{}"},
        {"[9007199254740993,[18446744073709551615,-12345678901234567],{\"a\":[1]}]",
         "[\"9007199254740993\",[\"18446744073709551615\",\"-12345678901234567\"],{\"a\":[1]}]"},
        {"\"9007199254740993 inside\"", "\"9007199254740993 inside\""},
        {"[1e300,0.5]", "[1e+300,0.5]"},
        {"\"\\\\u0000\"", "\"\\\\u0000\""}, /* a backslash and letters, no NUL */
        {"\"\\\\\\\\u0000\"", "\"\\\\\\\\u0000\""},
        {"\"\\u00e9\xc3\xa9\"", "\"\xc3\xa9\xc3\xa9\""},
    };
    cJSON *object = parsed(good[_i].text);
    assert_prints(object, good[_i].printed);
    cJSON_Delete(object);
}
END_TEST

static const struct {
    const char *text;
    size_t len;
    size_t where;
} bad[] = {
    {BYTES(""), 0},
    {BYTES("{\"a\":1} x"), 8},
    {BYTES("[1,2"), 4},
    {BYTES("[1,,2]"), 3},
    {BYTES("{9007199254740993:1}"), 2},  /* cJSON has looked one further */
    {BYTES("[9007199254740993 x]"), 18}, /* the place in the text that was sent */
    {BYTES("[9007199254740993,18446744073709551615 x]"), 39},
    {BYTES("[\"9007199254740993\" x]"), 20},
    {BYTES("{\"a\":\0 1}"), 5},
    {BYTES("{}\0"), 2},
    {BYTES("{\"a\":\"b\\u0000c\"}"), 7},
    {BYTES("{\"a\":\"\\\\\\u0000c\"}"), 8}, /* an escaped backslash, then the NUL */
    {BYTES("{\"a\":\"\xff\"}"), 6},
    {BYTES("[\"\xed\xa0\x80\"]"), 2},
    {BYTES("[\"fine\",\"\xc3"), 9},
    {BYTES("[\"\\ud83d\"]"), 2}, /* half of a pair */
    {BYTES("nul"), 0},
    {BYTES("--5"), 0},
};
static const int bad_count = sizeof(bad) / sizeof(bad[0]);

START_TEST(bad_texts_are_refused_with_their_place)
{
    cJSON *object = NULL;
    size_t where = 999;
    ck_assert_int_eq(parse_exactly(&object, bad[_i].text, bad[_i].len, &where), EINVAL);
    ck_assert_ptr_null(object);
    ck_assert_msg(where == bad[_i].where, "%s: %zu, not %zu", bad[_i].text, where, bad[_i].where);
    ck_assert_int_eq(parse_exactly(&object, bad[_i].text, bad[_i].len, NULL), EINVAL);
}
END_TEST

START_TEST(depth_is_bounded)
{
    enum { DEEP = 100000 };
    char *text = malloc(DEEP);
    ck_assert_ptr_nonnull(text);
    cJSON *object = NULL;
    size_t where = 0;
    memset(text, '[', DEEP);
    ck_assert_int_eq(jsonobj_parse(&object, text, DEEP, &where), EINVAL);
    ck_assert_uint_le(where, CJSON_NESTING_LIMIT);
    free(text);
}
END_TEST

/* ---- when memory runs out ---- */

static int allocations_left; /* then cJSON gets none */

static void *malloc_until(size_t size)
{
    if (allocations_left-- > 0)
        return malloc(size);
    errno = ENOMEM;
    return NULL;
}

static void memory_setup(void)
{
    cJSON_Hooks hooks = {malloc_until, free};
    cJSON_InitHooks(&hooks);
    allocations_left = INT_MAX;
}

static void memory_teardown(void)
{
    cJSON_InitHooks(NULL);
}

START_TEST(parsing_without_memory)
{
    static const char text[] = "{\"a\":[1,\"b\",{\"c\":9007199254740993}],\"d\":null}";
    int rc = ENOMEM;
    for (int left = 0; rc != 0; left++) {
        cJSON *object = NULL;
        size_t where = 999;
        allocations_left = left;
        rc = jsonobj_parse(&object, text, strlen(text), &where);
        ck_assert_int_eq(rc, rc == 0 ? 0 : ENOMEM);
        ck_assert_int_eq(object == NULL, rc != 0);
        ck_assert_uint_eq(where, 999);
        ck_assert(rc == 0 || left < 100);
        cJSON_Delete(object);
    }
    ck_assert_int_eq(allocations_left, 0); /* it was not just the first that failed */
}
END_TEST

static int add_one_of_each(cJSON *object, int which)
{
    switch (which) {
    case 0:
        return jsonobj_add_u64(object, "new", 1);
    case 1:
        return jsonobj_add_i64(object, "new", -1);
    case 2:
        return jsonobj_add_bytes(object, "new", "\xff", 1);
    case 3:
        return jsonobj_add_bool(object, "new", true);
    case 4:
        return jsonobj_add_seconds(object, "new", 1);
    default:
        return jsonobj_add_item(object, "new", cJSON_CreateObject());
    }
}

START_TEST(adding_without_memory)
{
    cJSON *object = parsed("{\"old\":1}");
    int rc = ENOMEM;
    for (int left = 0; rc != 0; left++) {
        allocations_left = left;
        rc = add_one_of_each(object, _i);
        ck_assert_int_eq(rc, rc == 0 ? 0 : ENOMEM);
        ck_assert(rc == 0 || left < 10);
        ck_assert_int_eq(cJSON_GetArraySize(object), rc == 0 ? 2 : 1);
    }
    cJSON_Delete(object);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jsonobj");
    TCase *tcase = tcase_create("writing");
    tcase_add_test(tcase, everything_prints_exactly);
    tcase_add_loop_test(tcase, durations_print_as_seconds, 0, duration_count);
    tcase_add_loop_test(tcase, numbers_make_the_round_trip, 0, 8);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("reading");
    tcase_add_loop_test(tcase, whole_numbers_are_read_strictly, 0, member_count);
    tcase_add_test(tcase, strings_and_truth);
    tcase_add_loop_test(tcase, good_texts_are_kept, 0, 7);
    tcase_add_loop_test(tcase, bad_texts_are_refused_with_their_place, 0, bad_count);
    tcase_add_test(tcase, depth_is_bounded);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, memory_setup, memory_teardown);
    tcase_add_test(tcase, parsing_without_memory);
    tcase_add_loop_test(tcase, adding_without_memory, 0, 6);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
