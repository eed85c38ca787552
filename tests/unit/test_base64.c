// SPDX-License-Identifier: MIT
// Base64: the examples of RFC 4648 and others, both ways, and what isn't base64.

#include "base/base64.h"

#include "unit.h"

#include <errno.h>

static const struct {
    const char *text, *bytes;
    size_t len;
} encoded[] = {
    {"", "", 0},
    {"Zg==", "f", 1},
    {"Zm8=", "fo", 2},
    {"Zm9v", "foo", 3},
    {"Zm9vYg==", "foob", 4},
    {"AP+/", "\0\xff\xbf", 3},
    {"+/+/", "\xfb\xff\xbf", 3},
};

START_TEST(what_is_written_is_read)
{
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(base64_encode(&out, encoded[_i].bytes, encoded[_i].len), 0);
    ck_assert_str_eq(out.len > 0 ? out.data : "", encoded[_i].text);
    buf_clear(&out);
    ck_assert_int_eq(base64_decode(&out, encoded[_i].text), 0);
    ck_assert_uint_eq(out.len, encoded[_i].len);
    if (out.len > 0)
        ck_assert_mem_eq(out.data, encoded[_i].bytes, out.len);
    buf_fini(&out);
}
END_TEST

static const char *const not_encoded[] = {
    "Z", "Zg", "Zg=", "=", "====", "Z===", "Zg==Zg==", "Zm 9", "Zm9\n", "Zm9-"};

START_TEST(what_is_no_base64_is_refused)
{
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(base64_decode(&out, not_encoded[_i]), EINVAL);
    buf_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base64");
    TCase *tcase = tcase_create("base64");
    tcase_add_loop_test(tcase, what_is_written_is_read, 0, sizeof(encoded) / sizeof(encoded[0]));
    tcase_add_loop_test(tcase, what_is_no_base64_is_refused, 0,
                        sizeof(not_encoded) / sizeof(not_encoded[0]));
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
