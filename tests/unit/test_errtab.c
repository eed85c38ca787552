// SPDX-License-Identifier: MIT
// The error table: its form (the words are protocol), both directions, and what has no row.

#include "base/errtab.h"
#include "unit.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct row {
    const char *code;
    int err;
    const char *text;
};

static const struct row rows[] = {
#define ERR(code, err, text) {#code, err, text},
#include "base/errtab.def"
#undef ERR
};

static const int row_count = sizeof(rows) / sizeof(rows[0]);

// Which row a failure is about stands in the message: a loop inside the test, one result for the
// table.
START_TEST(code_is_a_lower_case_word)
{
    for (int i = 0; i < row_count; i++) {
        const char *code = rows[i].code;
        size_t good = strspn(code, "abcdefghijklmnopqrstuvwxyz_");
        ck_assert_msg(*code && !code[good], "row %d: code \"%s\"", i, code);
    }
}
END_TEST

START_TEST(text_is_one_sentence)
{
    for (int i = 0; i < row_count; i++) {
        const char *text = rows[i].text;
        ck_assert_msg(isupper((unsigned char)text[0]), "%s: no capital first", rows[i].code);
        ck_assert_msg(strchr(text, '.') == text + strlen(text) - 1,
                      "%s: not one full stop at the end", rows[i].code);
    }
}
END_TEST

START_TEST(row_is_unique)
{
    for (int i = 0; i < row_count; i++)
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(rows[i].code, rows[j].code);
            ck_assert_msg(rows[i].err != rows[j].err, "%s and %s share an errno", rows[i].code,
                          rows[j].code);
        }
}
END_TEST

START_TEST(row_is_found_both_ways)
{
    for (int i = 0; i < row_count; i++) {
        ck_assert_str_eq(error_code(rows[i].err), rows[i].code);
        ck_assert_str_eq(error_text(rows[i].err), rows[i].text);
        ck_assert_int_eq(error_from_code(rows[i].code), rows[i].err);
    }
}
END_TEST

// Words that clients may already test for: renaming one breaks them.
START_TEST(words_of_the_protocol_stay)
{
    ck_assert_str_eq(error_code(ENOENT), "not_found");
    ck_assert_str_eq(error_code(EINVAL), "bad_request");
    ck_assert_str_eq(error_code(EMSGSIZE), "too_big");
    ck_assert_str_eq(error_code(ENOSYS), "unknown_method");
    ck_assert_str_eq(error_code(ETIMEDOUT), "timed_out");
    ck_assert_str_eq(error_code(EHOSTDOWN), "draining");
}
END_TEST

START_TEST(success_is_no_error)
{
    ck_assert_str_eq(error_code(0), "ok");
    ck_assert_str_eq(error_text(0), "No error.");
}
END_TEST

START_TEST(errno_without_a_row_falls_back)
{
    ck_assert_str_eq(error_code(EXDEV), "internal");
    ck_assert_str_eq(error_text(EXDEV), strerrordesc_np(EXDEV));
    ck_assert_str_eq(error_code(-1), "internal");
    ck_assert_str_eq(error_text(-1), "unknown error");
    ck_assert_str_eq(error_text(1 << 30), "unknown error");
}
END_TEST

START_TEST(word_without_a_row_is_zero)
{
    ck_assert_int_eq(error_from_code("no_such_word"), 0);
    ck_assert_int_eq(error_from_code("not_foun"), 0);
    ck_assert_int_eq(error_from_code("not_found "), 0);
    ck_assert_int_eq(error_from_code(""), 0);
    ck_assert_int_eq(error_from_code(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errtab");
    TCase *form = tcase_create("form");
    tcase_add_test(form, code_is_a_lower_case_word);
    tcase_add_test(form, text_is_one_sentence);
    tcase_add_test(form, row_is_unique);
    suite_add_tcase(suite, form);

    TCase *lookup = tcase_create("lookup");
    tcase_add_test(lookup, row_is_found_both_ways);
    tcase_add_test(lookup, words_of_the_protocol_stay);
    tcase_add_test(lookup, success_is_no_error);
    tcase_add_test(lookup, errno_without_a_row_falls_back);
    tcase_add_test(lookup, word_without_a_row_is_zero);
    suite_add_tcase(suite, lookup);
    return unit_main(suite);
}
