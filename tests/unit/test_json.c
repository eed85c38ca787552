// SPDX-License-Identifier: MIT
/*
 * JSON as text: strings from any bytes, the pre-pass over integers, and the strict number reader.
 */
#include "base/json.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

/* Bytes that may hold a NUL, with their length. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* ---- strings ---- */

static const struct {
    const char *bytes;
    size_t len;
    const char *quoted; /* json_append_string */
    const char *shown;  /* json_sanitize */
} strings[] = {
    {BYTES(""), "\"\"", ""},
    {BYTES("plain text"), "\"plain text\"", "plain text"},
    {BYTES("\"\\/"), "\"\\\"\\\\/\"", "\"\\/"},
    {BYTES("a\nb\tc\x1f\x7f"), "\"a\\u000ab\\u0009c\\u001f\x7f\"", "a\nb\tc\x1f\x7f"},
    {BYTES("a\0b"), "\"a\\\\x00b\"", "a\\x00b"},
    {BYTES("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {BYTES("\xff\xfe"), "\"\\\\xff\\\\xfe\"", "\\xff\\xfe"},
    {BYTES("ok\xe2\x82"), "\"ok\\\\xe2\\\\x82\"", "ok\\xe2\\x82"},
    {BYTES("\xe2\x28\xa1"), "\"\\\\xe2(\\\\xa1\"", "\\xe2(\\xa1"},
};
static const int string_count = sizeof(strings) / sizeof(strings[0]);

START_TEST(strings_from_any_bytes)
{
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(buf_append_str(&out, ">"), 0);
    ck_assert_int_eq(json_append_string(&out, strings[_i].bytes, strings[_i].len), 0);
    ck_assert_str_eq(out.data + 1, strings[_i].quoted);
    ck_assert(json_is_utf8(out.data, out.len));
    buf_clear(&out);
    ck_assert_int_eq(buf_append_str(&out, ">"), 0);
    ck_assert_int_eq(json_sanitize(&out, strings[_i].bytes, strings[_i].len), 0);
    ck_assert_str_eq(out.data + 1, strings[_i].shown);
    ck_assert_uint_eq(strlen(out.data), out.len);
    buf_fini(&out);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    bool valid;
} encodings[] = {
    {BYTES(""), true},
    {BYTES("a\0b"), true},
    {BYTES("\x7f"), true},
    {BYTES("\xc2\x80"), true},         /* U+0080, the first of two bytes */
    {BYTES("\xdf\xbf"), true},         /* U+07FF, the last */
    {BYTES("\xe0\xa0\x80"), true},     /* U+0800, the first of three */
    {BYTES("\xed\x9f\xbf"), true},     /* U+D7FF, before the surrogates */
    {BYTES("\xee\x80\x80"), true},     /* U+E000, behind them */
    {BYTES("\xef\xbf\xbf"), true},     /* U+FFFF, the last of three */
    {BYTES("\xf0\x90\x80\x80"), true}, /* U+10000, the first of four */
    {BYTES("\xf4\x8f\xbf\xbf"), true}, /* U+10FFFF, the last of all */
    {BYTES("\x80"), false},            /* continuation without a lead */
    {BYTES("\xbf"), false},
    {BYTES("\xc0\x80"), false},         /* overlong NUL */
    {BYTES("\xc1\xbf"), false},         /* overlong U+007F */
    {BYTES("\xe0\x9f\xbf"), false},     /* overlong U+07FF */
    {BYTES("\xf0\x8f\xbf\xbf"), false}, /* overlong U+FFFF */
    {BYTES("\xed\xa0\x80"), false},     /* surrogate U+D800 */
    {BYTES("\xed\xbf\xbf"), false},     /* surrogate U+DFFF */
    {BYTES("\xf4\x90\x80\x80"), false}, /* U+110000 */
    {BYTES("\xf5\x80\x80\x80"), false},
    {BYTES("\xf8\x88\x80\x80\x80"), false}, /* five bytes */
    {BYTES("\xfe"), false},
    {BYTES("\xff"), false},
    {BYTES("\xc2"), false}, /* cut off */
    {BYTES("\xe2\x82"), false},
    {BYTES("\xf0\x9f\x98"), false},
    {BYTES("\xc2\x41"), false}, /* another character where a continuation should be */
    {BYTES("\xe2\x82\xc0"), false},
    {BYTES("\xf0\x9f\x41\x80"), false},
    {BYTES("fine until here \xc3"), false},
};
static const int encoding_count = sizeof(encodings) / sizeof(encodings[0]);

START_TEST(utf8_of_each_class)
{
    ck_assert_int_eq(json_is_utf8(encodings[_i].bytes, encodings[_i].len), encodings[_i].valid);
    /* Bad bytes are shown each; none is lost and none invented. */
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(json_append_string(&out, encodings[_i].bytes, encodings[_i].len), 0);
    ck_assert(json_is_utf8(out.data, out.len));
    bool has_nul = memchr(encodings[_i].bytes, 0, encodings[_i].len) != NULL;
    ck_assert_int_eq(strstr(out.data, "\\\\x") == NULL, encodings[_i].valid && !has_nul);
    buf_fini(&out);
}
END_TEST

/* ---- integers ---- */

static const struct {
    const char *text, *quoted; /* NULL: unchanged */
} integers[] = {
    {"", NULL},
    {"9007199254740993", "\"9007199254740993\""},
    {"18446744073709551615", "\"18446744073709551615\""},
    {"-12345678901234567", "\"-12345678901234567\""},
    {"999999999999999", NULL}, /* 15 digits */
    {"1000000000000000", "\"1000000000000000\""},
    {"-999999999999999", NULL},
    {"-1000000000000000", "\"-1000000000000000\""},
    {"[9007199254740993,9007199254740993]", "[\"9007199254740993\",\"9007199254740993\"]"},
    {"{\"a\":[[9007199254740993],{\"b\":18446744073709551615}],\"c\":1}",
     "{\"a\":[[\"9007199254740993\"],{\"b\":\"18446744073709551615\"}],\"c\":1}"},
    {"{ \"a\" : 9007199254740993 , \"b\":2}", "{ \"a\" : \"9007199254740993\" , \"b\":2}"},
    {"[1e300,-1E+300,12345678901234567.5,12345678901234567e3,0.12345678901234567]", NULL},
    {"\"9007199254740993\"", NULL},
    {"{\"9007199254740993\":\"x 18446744073709551615\"}", NULL},
    {"\"\\\"9007199254740993\"", NULL}, /* behind an escaped quote: still the string */
    {"\"\\\\\"9007199254740993",
     "\"\\\\\"\"9007199254740993\""}, /* behind an escaped backslash: not */
    {"\"\\ud83d\\ude00\"", NULL},
    {"\"\xf0\x9f\x98\x80\"", NULL},
    {"[true,false,null]", NULL},
    {"{9007199254740993:1}", NULL}, /* bad JSON must not become good */
    {"{9007199254740993 \n:1}", NULL},
    {"--9007199254740993", NULL},
    {"90071992547409931-", NULL},
    {"\"not closed 9007199254740993", NULL},
    {"\"not closed \\", NULL},
    {"-", NULL},
};
static const int integer_count = sizeof(integers) / sizeof(integers[0]);

START_TEST(large_integers_get_quotes)
{
    const char *text = integers[_i].text;
    const char *quoted = integers[_i].quoted != NULL ? integers[_i].quoted : text;
    struct buf out = BUF_EMPTY, again = BUF_EMPTY;
    ck_assert_int_eq(json_quote_integers(&out, text, strlen(text)), 0);
    ck_assert_str_eq(out.len > 0 ? out.data : "", quoted);
    ck_assert_int_eq(json_quote_integers(&again, quoted, strlen(quoted)), 0);
    ck_assert_str_eq(again.len > 0 ? again.data : "", quoted);
    buf_fini(&again);
    buf_fini(&out);
}
END_TEST

START_TEST(a_nul_does_not_end_the_text)
{
    static const char text[] = "[1,\0 9007199254740993]";
    static const char quoted[] = "[1,\0 \"9007199254740993\"]";
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(json_quote_integers(&out, text, sizeof(text) - 1), 0);
    ck_assert_uint_eq(out.len, sizeof(quoted) - 1);
    ck_assert_mem_eq(out.data, quoted, sizeof(quoted));
    buf_fini(&out);
}
END_TEST

static const struct {
    const char *text;
    int rc;
    uint64_t number;
} numbers[] = {
    {"0", 0, 0},
    {"00012", 0, 12},
    {"9007199254740993", 0, UINT64_C(9007199254740993)},
    {"18446744073709551615", 0, UINT64_MAX},
    {"18446744073709551616", ERANGE, 0},
    {"18446744073709551620", ERANGE, 0},
    {"99999999999999999999999999", ERANGE, 0},
    {"", EINVAL, 0},
    {"-1", EINVAL, 0},
    {"+1", EINVAL, 0},
    {" 1", EINVAL, 0},
    {"1 ", EINVAL, 0},
    {"1.0", EINVAL, 0},
    {"1e3", EINVAL, 0},
    {"0x10", EINVAL, 0},
    {"99999999999999999999999999x", EINVAL, 0},
};
static const int number_count = sizeof(numbers) / sizeof(numbers[0]);

START_TEST(numbers_are_digits_and_nothing_else)
{
    uint64_t number = 77;
    ck_assert_int_eq(json_parse_u64(numbers[_i].text, &number), numbers[_i].rc);
    ck_assert_uint_eq(number, numbers[_i].rc == 0 ? numbers[_i].number : 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("strings");
    tcase_add_loop_test(tcase, strings_from_any_bytes, 0, string_count);
    tcase_add_loop_test(tcase, utf8_of_each_class, 0, encoding_count);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("integers");
    tcase_add_loop_test(tcase, large_integers_get_quotes, 0, integer_count);
    tcase_add_test(tcase, a_nul_does_not_end_the_text);
    tcase_add_loop_test(tcase, numbers_are_digits_and_nothing_else, 0, number_count);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
