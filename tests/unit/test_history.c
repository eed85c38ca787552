// SPDX-License-Identifier: MIT
// History: records by id, and its three bounds.

#include "history/history.h"

#include "base/clock.h"
#include "engine.h"

#include <errno.h>
#include <string.h>

static struct history *history;

static void start(int64_t keep_ns, uint64_t keep_count, uint64_t keep_bytes)
{
    struct history_settings settings = {
        .keep_ns = keep_ns, .keep_count = keep_count, .keep_bytes = keep_bytes};
    struct history_error error;
    ck_assert_int_eq(history_new(&history, &settings, &error), 0);
}

static void setup(void)
{
    clock_virtual_start(1000 * HL_SECOND);
}

static void teardown(void)
{
    history_free(&history);
    ck_assert_ptr_null(history);
    clock_virtual_stop();
}

static struct job_record *record_of(uint64_t id, const char *out)
{
    struct job_view view = {.id = id, .tube = "t"};
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    ck_assert_int_eq(buf_append_str(&outcome.out, out), 0);
    struct job_end *end;
    struct job_record *record = NULL;
    ck_assert_int_eq(job_end_new(&end), 0);
    end->view = view;
    job_end_fill(end, &outcome);
    ck_assert_int_eq(job_end_record(end, &record), 0);
    job_end_unref(&end);
    return record;
}

static void add(uint64_t id, const char *out)
{
    struct job_record *record = record_of(id, out);
    ck_assert_int_eq(history_add(history, &record, &(uint64_t){0}), 0);
    ck_assert_ptr_null(record);
}

// Whether it is there, with that output.
static bool has(uint64_t id, const char *out)
{
    struct job_record *record = NULL;
    if (history_get(history, id, &record) != 0)
        return false;
    bool same = record->id == id && strcmp(record->out, out) == 0;
    job_record_unref(&record);
    ck_assert(same);
    return true;
}

static struct history_stats stats(void)
{
    struct history_stats now;
    history_stats(history, &now);
    return now;
}

START_TEST(record_is_found)
{
    start(HL_SECOND, 10, 100000);
    ck_assert(!has(1, "one"));
    add(1, "one");
    add(2, "two");
    ck_assert(has(1, "one") && has(2, "two") && !has(3, ""));
    struct history_stats now = stats();
    ck_assert_uint_eq(now.count, 2);
    ck_assert_uint_eq(now.added, 2);
    ck_assert_uint_gt(now.bytes, 2 * sizeof(struct job_record));
}
END_TEST

START_TEST(record_outlives_its_place)
{
    start(HL_SECOND, 1, 100000);
    add(1, "one");
    struct job_record *record;
    ck_assert_int_eq(history_get(history, 1, &record), 0);
    add(2, "two");
    ck_assert(!has(1, "one"));
    ck_assert_str_eq(record->out, "one");
    job_record_unref(&record);
}
END_TEST

START_TEST(same_id_replaces)
{
    start(HL_SECOND, 2, 100000);
    add(1, "first");
    uint64_t bytes = stats().bytes;
    add(1, "again");
    ck_assert(has(1, "again"));
    ck_assert_uint_eq(stats().count, 1);
    ck_assert_uint_eq(stats().bytes, bytes); // both texts are as long
    add(2, "two");
    add(1, "third"); // it is the newest now
    add(3, "three");
    ck_assert(has(1, "third") && !has(2, "two") && has(3, "three"));
}
END_TEST

START_TEST(oldest_go_by_number)
{
    start(HL_SECOND, 3, 100000);
    for (uint64_t id = 1; id <= 10; id++)
        add(id, "x");
    ck_assert(!has(7, "x") && has(8, "x") && has(9, "x") && has(10, "x"));
    ck_assert_uint_eq(stats().dropped, 7);
}
END_TEST

START_TEST(oldest_go_by_bytes)
{
    char large[4001];
    memset(large, 'y', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    start(HL_SECOND, 100, 10000);
    for (uint64_t id = 1; id <= 5; id++)
        add(id, large);
    ck_assert(!has(3, large) && has(4, large) && has(5, large));
    ck_assert_uint_le(stats().bytes, 10000);
    char larger[20001];
    memset(larger, 'z', sizeof(larger) - 1);
    larger[sizeof(larger) - 1] = '\0';
    add(6, larger); // more than all there may be: it goes at once
    ck_assert_uint_eq(stats().count, 0);
    ck_assert_uint_eq(stats().bytes, 0);
}
END_TEST

// More than a purge takes in one hold of its lock.
START_TEST(oldest_go_by_age)
{
    start(10 * HL_SECOND, 2000, 10000000);
    for (uint64_t id = 1; id <= 1000; id++)
        add(id, "x");
    clock_virtual_advance(5 * HL_SECOND);
    add(1001, "x");
    history_purge(history);
    clock_virtual_advance(5 * HL_SECOND);
    history_purge(history);
    ck_assert_uint_eq(stats().count, 1001); // as old as is kept
    clock_virtual_advance(1);
    history_purge(history);
    ck_assert_uint_eq(stats().dropped, 1000);
    ck_assert(!has(1000, "x") && has(1001, "x"));
    ck_assert_uint_eq(stats().count, 1);
    clock_virtual_advance(5 * HL_SECOND);
    history_purge(history);
    ck_assert_uint_eq(stats().dropped, 1001);
    ck_assert_uint_eq(stats().bytes, 0);
}
END_TEST

START_TEST(nothing_is_kept)
{
    start(0, 10, 10000);
    add(1, "x");
    ck_assert(!has(1, "x"));
    history_free(&history);
    start(HL_SECOND, 0, 10000);
    add(1, "x");
    ck_assert(!has(1, "x"));
}
END_TEST

static void adder(void *arg)
{
    uint64_t first = *(const uint64_t *)arg;
    for (uint64_t id = first; id < first + 2000; id++) {
        add(id, "x");
        (void)has(id, "x"); // may have been pushed out already
        if (id % 100 == 0)
            history_purge(history);
    }
}

START_TEST(threads_share_it)
{
    start(HL_SECOND, 50, 1000000);
    static const uint64_t first[] = {1, 100000};
    hl_thread *thread[2];
    for (int i = 0; i < 2; i++)
        thread[i] = engine_thread(adder, (void *)&first[i]);
    for (int i = 0; i < 2; i++)
        engine_thread_join(&thread[i]);
    struct history_stats now = stats();
    ck_assert_uint_eq(now.count, 50);
    ck_assert_uint_eq(now.added, 4000);
    ck_assert_uint_eq(now.dropped, 3950);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("history");
    TCase *all = tcase_create("history");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, record_is_found);
    tcase_add_test(all, record_outlives_its_place);
    tcase_add_test(all, same_id_replaces);
    tcase_add_test(all, oldest_go_by_number);
    tcase_add_test(all, oldest_go_by_bytes);
    tcase_add_test(all, oldest_go_by_age);
    tcase_add_test(all, nothing_is_kept);
    tcase_add_test(all, threads_share_it);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
