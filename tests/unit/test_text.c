// SPDX-License-Identifier: MIT
// Untrusted text: what is escaped and what is kept, in each place; what counts as text at all.

#include "base/json.h"
#include "base/text.h"
#include "unit.h"

#include <string.h>

static const struct {
    const char *bytes;
    size_t len;
    const char *line, *page, *json;
} shown[] = {
#define SHOWN(bytes, line, page, json)                                                             \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, line, page, json                                                 \
    }
    SHOWN("plain \\ \"text\"", "plain \\ \"text\"", "plain \\ \"text\"", "plain \\ \"text\""),
    SHOWN("a\x1b[2J\x07", "a\\x1b[2J\\x07", "a\\x1b[2J\\x07", "a\\u001b[2J\\u0007"),
    SHOWN("a\nb\tc", "a\\nb\\tc", "a\nb\tc", "a\nb\tc"),
    SHOWN("a\r\nb\rc\r", "a\\r\\nb\\rc\\r", "a\r\nb\\rc\\r", "a\\u000d\nb\\u000dc\\u000d"),
    SHOWN("\x7f\0", "\\x7f\\x00", "\\x7f\\x00", "\\u007f\\u0000"),
    SHOWN("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0",
          "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0", "\\u0080\\u009b\\u009f\xc2\xa0"),
    SHOWN("\x9b\xff\xc3", "\\x9b\\xff\\xc3", "\\x9b\\xff\\xc3", "\\ufffd\\ufffd\\ufffd"),
    /* direction, and ends of lines */
    SHOWN("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", "\\xd8\\x9c\\xe2\\x80\\x8e\\xe2\\x80\\x8f",
          "\\xd8\\x9c\\xe2\\x80\\x8e\\xe2\\x80\\x8f", "\\u061c\\u200e\\u200f"),
    SHOWN("\xe2\x80\xa8\xe2\x80\xaa\xe2\x80\xae", "\\xe2\\x80\\xa8\\xe2\\x80\\xaa\\xe2\\x80\\xae",
          "\\xe2\\x80\\xa8\\xe2\\x80\\xaa\\xe2\\x80\\xae", "\\u2028\\u202a\\u202e"),
    SHOWN("\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9",
          "\\xe2\\x81\\xa6\\xe2\\x81\\xa9", "\\u2066\\u2069"),
    /* their neighbours */
    SHOWN("\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
          "\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
          "\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
          "\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"),
    SHOWN("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
          "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
    SHOWN("", "", "", ""),
};

static void shows(int row, enum text_place where, const char *expected)
{
    struct buf out = BUF_EMPTY, again = BUF_EMPTY;
    ck_assert_int_eq(text_show(&out, shown[row].bytes, shown[row].len, where), 0);
    ck_assert_str_eq(out.data != NULL ? out.data : "", expected);
    ck_assert(json_is_utf8(out.data != NULL ? out.data : "", out.len));
    /* What was shown is plain. */
    ck_assert_int_eq(text_show(&again, out.data, out.len, where), 0);
    ck_assert_str_eq(again.data != NULL ? again.data : "", expected);
    buf_fini(&out);
    buf_fini(&again);
}

START_TEST(what_could_pretend_is_escaped)
{
    shows(_i, TEXT_LINE, shown[_i].line);
    shows(_i, TEXT_PAGE, shown[_i].page);
    shows(_i, TEXT_JSON, shown[_i].json);
}
END_TEST

START_TEST(json_means_the_same)
{
    static const char text[] = "{\"a\":\"x\xc2\x9by\",\"b\":[1,2]}\n";
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(text_show(&out, text, strlen(text), TEXT_JSON), 0);
    ck_assert_str_eq(out.data, "{\"a\":\"x\\u009by\",\"b\":[1,2]}\n");
    buf_fini(&out);
}
END_TEST

START_TEST(text_is_told_from_bytes)
{
    char bytes[1000];
    ck_assert(text_is_readable("", 0));
    ck_assert(text_is_readable("\x1b[31mred\x1b[0m\r\n\b\a", 16));
    ck_assert(text_is_readable("caf\xe9", 4));
    ck_assert(!text_is_readable("a\0b", 3));
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i % 4 == 0 ? 0xff : 'x');
    ck_assert(text_is_readable(bytes, sizeof(bytes)));
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i % 3 == 0 ? 0x01 : 'x');
    ck_assert(!text_is_readable(bytes, sizeof(bytes)));
}
END_TEST

START_TEST(a_character_may_be_cut)
{
    static const char euro[] = "a\xe2\x82\xac", smile[] = "\xf0\x9f\x98\x80";
    ck_assert_uint_eq(text_cut(euro, 0), 0);
    ck_assert_uint_eq(text_cut(euro, 1), 0);
    ck_assert_uint_eq(text_cut(euro, 2), 1);
    ck_assert_uint_eq(text_cut(euro, 3), 2);
    ck_assert_uint_eq(text_cut(euro, 4), 0);
    ck_assert_uint_eq(text_cut(smile, 3), 3);
    ck_assert_uint_eq(text_cut(smile, 4), 0);
    ck_assert_uint_eq(text_cut("\xff", 1), 0);
    ck_assert_uint_eq(text_cut("\x80\x80\x80\x80", 4), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");
    tcase_add_loop_test(tcase, what_could_pretend_is_escaped, 0, sizeof(shown) / sizeof(shown[0]));
    tcase_add_test(tcase, json_means_the_same);
    tcase_add_test(tcase, text_is_told_from_bytes);
    tcase_add_test(tcase, a_character_may_be_cut);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
