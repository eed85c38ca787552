// SPDX-License-Identifier: MIT
// Moments as text: what is read, what isn't, and that writing and reading agree.

#include "base/when.h"
#include "unit.h"
#include "unit_random.h"

#include <errno.h>

#define SECOND INT64_C(1000000000)

static const struct {
    const char *text;
    int rc;
    int64_t ns;
} moments[] = {
    {"1970-01-01T00:00:00Z", 0, 0},
    {"2026-11-23T08:30:00Z", 0, INT64_C(1795422600) * SECOND},
    {"2026-11-23t08:30:00z", 0, INT64_C(1795422600) * SECOND},
    {"2026-11-23 09:30:00+01:00", 0, INT64_C(1795422600) * SECOND},
    {"2026-11-23T03:00:00.25-05:30", 0, INT64_C(1795422600) * SECOND + SECOND / 4},
    {"2026-11-23T08:30:00.1234567899Z", 0, INT64_C(1795422600) * SECOND + 123456789},
    {"2024-02-29T00:00:00Z", 0, INT64_C(1709164800) * SECOND},
    {"2016-12-31T23:59:60Z", 0, INT64_C(1483228800) * SECOND},
    {"2026-02-29T00:00:00Z", EINVAL, 0},
    {"2026-04-31T00:00:00Z", EINVAL, 0},
    {"2026-13-01T00:00:00Z", EINVAL, 0},
    {"2026-01-01T24:00:00Z", EINVAL, 0},
    {"2026-01-01T00:60:00Z", EINVAL, 0},
    {"2026-01-01T00:00:61Z", EINVAL, 0},
    {"2026-01-01T00:00:00", EINVAL, 0},
    {"2026-01-01T00:00:00+1:00", EINVAL, 0},
    {"2026-01-01T00:00:00+24:00", EINVAL, 0},
    {"2026-01-01T00:00:00.Z", EINVAL, 0},
    {"2026-01-01T00:00:00Z ", EINVAL, 0},
    {"26-01-01T00:00:00Z", EINVAL, 0},
    {"tomorrow", EINVAL, 0},
    {"", EINVAL, 0},
    {"1969-12-31T23:59:59Z", ERANGE, 0},
    {"1970-01-01T00:00:00+01:00", ERANGE, 0},
    {"2300-01-01T00:00:00Z", ERANGE, 0},
};

START_TEST(texts_are_read)
{
    int64_t ns = 0;
    ck_assert_int_eq(when_parse(moments[_i].text, &ns), moments[_i].rc);
    if (moments[_i].rc == 0)
        ck_assert_int_eq(ns, moments[_i].ns);
}
END_TEST

START_TEST(what_is_written_is_read)
{
    struct unit_random random = {1};
    char text[WHEN_SIZE];
    for (int i = 0; i < unit_rounds(2000); i++) {
        int64_t ns = (int64_t)unit_random_below(&random, INT64_MAX - SECOND), again;
        if (i % 3 == 0)
            ns -= ns % SECOND;
        when_format(text, ns);
        ck_assert_int_eq(when_parse(text, &again), 0);
        ck_assert_int_eq(again, ns);
    }
    when_format(text, INT64_C(1795422600) * SECOND + SECOND / 4);
    ck_assert_str_eq(text, "2026-11-23T08:30:00.25Z");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("when");
    TCase *all = tcase_create("when");
    tcase_add_loop_test(all, texts_are_read, 0, sizeof(moments) / sizeof(moments[0]));
    tcase_add_test(all, what_is_written_is_read);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
