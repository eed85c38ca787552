// SPDX-License-Identifier: MIT
// What the tool shows and reads without a daemon: durations, tables, the progress bar, and the
// daemon's JSON for people.

#include "base/jsonobj.h"
#include "client/tool_field_priv.h"
#include "client/tool_priv.h"
#include "client/tool_progress_priv.h"
#include "client/tool_table_priv.h"
#include "unit.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

// Standard output belongs to TAP; what a test prints goes to memory.
static FILE *real_stdout;
static char *captured;
static size_t captured_len;

static void capture_begin(void)
{
    real_stdout = stdout;
    stdout = open_memstream(&captured, &captured_len);
    ck_assert_ptr_nonnull(stdout);
}

static void capture_is(const char *expected)
{
    fclose(stdout);
    stdout = real_stdout;
    char *got = strndup(captured, captured_len);
    free(captured);
    ck_assert_str_eq(got, expected);
    free(got);
}

// ---- durations ----

static const struct {
    const char *text;
    int64_t ns;
} durations[] = {
    {"0", 0},
    {"90", 90 * HL_SECOND},
    {"10s", 10 * HL_SECOND},
    {"1.5", HL_SECOND * 3 / 2},
    {"500ms", 500 * HL_MILLISECOND},
    {"0.5ms", 500000},
    {"1.5h", 5400 * HL_SECOND},
    {"1h30m", 5400 * HL_SECOND},
    {"2min5s", 125 * HL_SECOND},
    {"1d", 86400 * HL_SECOND},
    {"0.000000001", 1},
    {"0.0000000019", 1},
    {"9223372036.854775807", INT64_MAX},
};

START_TEST(a_duration_is_read)
{
    int64_t ns = -1;
    ck_assert_int_eq(duration_parse(durations[_i].text, &ns), 0);
    ck_assert_int_eq(ns, durations[_i].ns);
}
END_TEST

static const struct {
    const char *text;
    int err;
} no_durations[] = {
    {"", EINVAL},
    {"s", EINVAL},
    {"-1", EINVAL},
    {"+1", EINVAL},
    {" 1", EINVAL},
    {"1 s", EINVAL},
    {"1x", EINVAL},
    {"1S", EINVAL},
    {"1.", EINVAL},
    {".5", EINVAL},
    {"1..5", EINVAL},
    {"1h30", EINVAL},
    {"30 1h", EINVAL},
    {"1sm", EINVAL},
    {"1e3", EINVAL},
    {"0x10", EINVAL},
    {"inf", EINVAL},
    {"1m,5", EINVAL},
    {"200000d", ERANGE},
    {"99999999999999999999", ERANGE},
    {"9223372036.854775808", ERANGE},
    {"100000d100000d", ERANGE},
};

START_TEST(what_is_no_duration_is_refused)
{
    int64_t ns = -1;
    ck_assert_int_eq(duration_parse(no_durations[_i].text, &ns), no_durations[_i].err);
    ck_assert_int_eq(ns, -1);
}
END_TEST

static const struct {
    int64_t ns;
    const char *text;
} shown[] = {
    {0, "0 s"},
    {999, "0 s"},
    {1000, "1 us"},
    {999999999, "999 ms"},
    {HL_SECOND, "1.00 s"},
    {HL_SECOND * 60 - 1, "59.99 s"},
    {HL_SECOND * 60, "1 min 00 s"},
    {HL_SECOND * 3599, "59 min 59 s"},
    {HL_SECOND * 3661, "1 h 01 min"},
    {HL_SECOND * 86400 * 3 + HL_SECOND * 3600 * 4, "3 d 04 h"},
    {-HL_SECOND, "-1.00 s"},
    {INT64_MIN, "-106751 d 23 h"},
};

START_TEST(a_duration_is_shown)
{
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(duration_append(&out, shown[_i].ns), 0);
    ck_assert_str_eq(out.data, shown[_i].text);
    buf_fini(&out);
}
END_TEST

// ---- tables ----

static void table_fill(struct table *table, size_t columns, const char *const *cells)
{
    ck_assert_int_eq(table_init(table, columns), 0);
    for (; *cells; cells++)
        ck_assert_int_eq(table_add(table, *cells, strlen(*cells)), 0);
}

static const char *const cells[] = {
    "name", "jobs", "what", "a", "1", "short", "beta", "1000", "a long\x1b text", NULL};

START_TEST(a_table_has_its_columns_in_line)
{
    struct table table;
    table_fill(&table, 3, cells);
    table_align_right(&table, 1);
    capture_begin();
    ck_assert_int_eq(table_print(&table, 0, 2), 0);
    capture_is("  name  jobs  what\n"
               "  a        1  short\n"
               "  beta  1000  a long\\x1b text\n");
    table_fini(&table);
}
END_TEST

START_TEST(a_table_fits_the_width)
{
    struct table table;
    table_fill(&table, 3, cells);
    capture_begin();
    ck_assert_int_eq(table_print(&table, 22, 0), 0);
    capture_is("name  jobs  what\n"
               "a     1     short\n"
               "beta  1000  a long\\x1~\n");
    // No narrower than that: columns keep a few characters.
    capture_begin();
    ck_assert_int_eq(table_print(&table, 1, 0), 0);
    capture_is("name  jobs  what\n"
               "a     1     short\n"
               "beta  1000  a lo~\n");
    table_fini(&table);
}
END_TEST

START_TEST(a_table_counts_columns_not_bytes)
{
    static const char *const wide[] = {
        "a", "b", "\xc3\xa9\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", "1", "e", "2", NULL};
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return;
    struct table table;
    table_fill(&table, 2, wide);
    capture_begin();
    ck_assert_int_eq(table_print(&table, 9, 0), 0);
    capture_is("a       b\n"
               "\xc3\xa9\xe6\xbc\xa2\xe6\xbc\xa2\xe2\x80\xa6  1\n"
               "e       2\n");
    table_fini(&table);
    setlocale(LC_CTYPE, "C");
}
END_TEST

// ---- the progress bar ----

static const struct {
    uint64_t done, total, failed;
    int64_t elapsed_ns;
    size_t width;
    const char *line;
} bars[] = {
    {0, 100, 0, 0, 30, "[.................] 0/100   0%"},
    {50, 100, 0, 0, 30, "[########........] 50/100  50%"},
    {100, 100, 3, 0, 40, "[###############] 100/100 100%  3 failed"},
    {50, 100, 0, 10 * HL_SECOND, 60,
     "[###############...............] 50/100  50%  5/s  10 s left"},
    {50, 100, 0, 10 * HL_SECOND, 20, "50/100  50%  5/s  10"},
    {7, 0, 0, HL_SECOND, 80, "7  7/s"},
    {UINT64_MAX, UINT64_MAX, 0, 1, 80,
     "[###############################] 18446744073709551615/18446744073709551615 100%"},
    {2, 1, 0, 0, 24, "[#############] 2/1 100%"},
};

START_TEST(the_bar_fits_its_width)
{
    struct buf out = BUF_EMPTY;
    ck_assert_int_eq(progress_format(&out, bars[_i].done, bars[_i].total, bars[_i].failed,
                                     bars[_i].elapsed_ns, bars[_i].width),
                     0);
    ck_assert_uint_le(out.len, bars[_i].width);
    ck_assert_str_eq(out.data, bars[_i].line);
    buf_fini(&out);
}
END_TEST

// ---- JSON for people ----

static void print_is(const char *json, const char *expected)
{
    cJSON *object = NULL;
    ck_assert_int_eq(jsonobj_parse(&object, json, strlen(json), NULL), 0);
    capture_begin();
    ck_assert_int_eq(field_print(object, 0), 0);
    capture_is(expected);
    cJSON_Delete(object);
}

START_TEST(fields_are_shown_as_their_rows_say)
{
    print_is("{\"id\":18446744073709551615,\"time_left\":-1.5,\"buries\":9007199254740992,"
             "\"new_thing\":true,\"reason\":null,\"list\":[1,\"a\"],\"stdout_base64\":\"AA==\","
             "\"stdout\":\"one\\ntwo\\u001b\\n\",\"stderr\":\"\",\"stderr_truncated\":false,"
             "\"stdout_truncated\":true,\"uptime\":90061}",
             "id             18446744073709551615\n"
             "time left      -1.50 s\n"
             "buries         9007199254740992\n"
             "new thing      yes\n"
             "reason         -\n"
             "list           1, a\n"
             "stdout\n"
             "  one\n"
             "  two\\x1b\n"
             "stdout is cut  yes\n"
             "uptime         1 d 01 h\n");
}
END_TEST

START_TEST(bytes_are_shown_in_units)
{
    print_is("{\"max_rss\":0}", "memory  0 B\n");
    print_is("{\"max_rss\":1023}", "memory  1023 B\n");
    print_is("{\"max_rss\":1024}", "memory  1.0 KiB\n");
    print_is("{\"max_rss\":6365184}", "memory  6.1 MiB\n");
    print_is("{\"max_rss\":1073741823}", "memory  1.0 GiB\n");
    print_is("{\"max_rss\":18446744073709551615}", "memory  16.0 EiB\n");
}
END_TEST

START_TEST(a_key_may_mean_something_else_elsewhere)
{
    print_is("{\"jobs\":{\"waiting\":13},\"threads\":[{\"waiting\":13}]}", "jobs\n"
                                                                           "  waiting  13\n"
                                                                           "threads\n"
                                                                           "  waiting\n"
                                                                           "  13.00 s\n");
}
END_TEST

START_TEST(sections_and_tables_are_indented)
{
    print_is("{\"jobs\":{\"ready\":1,\"done\":22},\"tubes\":[{\"name\":\"a\",\"ready\":1},"
             "{\"ready\":222,\"name\":\"b\\n\"},{\"name\":\"c\"}],\"pools\":[]}",
             "jobs\n"
             "  ready  1\n"
             "  done   22\n"
             "tubes\n"
             "  name  ready\n"
             "  a         1\n"
             "  b\\n     222\n"
             "  c          \n"
             "pools  -\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *times = tcase_create("durations");
    tcase_add_loop_test(times, a_duration_is_read, 0, COUNT_OF(durations));
    tcase_add_loop_test(times, what_is_no_duration_is_refused, 0, COUNT_OF(no_durations));
    tcase_add_loop_test(times, a_duration_is_shown, 0, COUNT_OF(shown));
    suite_add_tcase(suite, times);

    TCase *tables = tcase_create("tables");
    tcase_add_test(tables, a_table_has_its_columns_in_line);
    tcase_add_test(tables, a_table_fits_the_width);
    tcase_add_test(tables, a_table_counts_columns_not_bytes);
    suite_add_tcase(suite, tables);

    TCase *progress = tcase_create("progress");
    tcase_add_loop_test(progress, the_bar_fits_its_width, 0, COUNT_OF(bars));
    suite_add_tcase(suite, progress);

    TCase *fields = tcase_create("fields");
    tcase_add_test(fields, fields_are_shown_as_their_rows_say);
    tcase_add_test(fields, bytes_are_shown_in_units);
    tcase_add_test(fields, a_key_may_mean_something_else_elsewhere);
    tcase_add_test(fields, sections_and_tables_are_indented);
    suite_add_tcase(suite, fields);
    return unit_main(suite);
}
