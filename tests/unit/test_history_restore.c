// SPDX-License-Identifier: MIT
// Records that history's file missed in a crash come again: under their numbers, once, all of them.

#include "engine.h"
#include "history_kit.h"

#include <errno.h>
#include <stdio.h>

static void check_all(uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++)
        if (!db_has(id))
            ck_abort_msg("job %llu is missing", (unsigned long long)id);
}

static int restore(uint64_t number, uint64_t id)
{
    struct job_record *record = db_record(id);
    int rc = history_restore(kit.history, number, &record);
    ck_assert_ptr_null(record);
    return rc;
}

START_TEST(records_keep_their_numbers)
{
    db_open();
    ck_assert_uint_eq(history_last(kit.history), 0);
    db_fill(1, 5);
    db_close();
    db_open();
    ck_assert_uint_eq(history_last(kit.history), 5);
    ck_assert_int_eq(restore(5, 50), EINVAL); // the file has that one
    ck_assert_int_eq(restore(7, 7), 0);
    ck_assert_int_eq(restore(7, 70), EINVAL);
    ck_assert_int_eq(restore(1000, 10), 0);
    ck_assert_uint_eq(db_add(11), 1001);
    db_await(1001);
    ck_assert_uint_eq(db_stats().count, 8);
    ck_assert_uint_eq(db_stats().lost, 2);
    check_all(1, 5);
    ck_assert(db_has(7) && db_has(10) && db_has(11) && !db_has(50) && !db_has(70));
    db_close();
    ck_assert_int_eq(db_sql("SELECT last FROM total"), 1001);
    db_open();
    ck_assert_uint_eq(db_add(12), 1002);
}
END_TEST

START_TEST(one_that_comes_twice_has_its_attempts_once)
{
    db_open();
    struct job_record *first = db_record(20), *again = job_record_ref(first);
    (void)db_add_record(first);
    db_await(1);
    ck_assert_int_eq(history_restore(kit.history, 2, &again), 0);
    db_await(2);
    struct job_record *record;
    ck_assert_int_eq(history_get(kit.history, 20, &record), 0);
    ck_assert_uint_eq(record->earlier_count, 0);
    job_record_unref(&record);
    ck_assert_uint_eq(db_stats().count, 1);
}
END_TEST

START_TEST(the_last_number_outlives_its_row)
{
    kit.settings.keep_count = 3;
    db_open();
    db_fill(1, 10);
    db_close();
    (void)db_sql("DELETE FROM job");
    db_open();
    ck_assert_uint_eq(history_last(kit.history), 10);
    ck_assert_uint_eq(db_add(11), 11);
}
END_TEST

// All in the queue, and more than fit there: who restores waits for the file.
START_TEST(a_restore_waits_for_room)
{
    kit.settings.queue_bytes = 16 << 10;
    db_open();
    for (uint64_t id = 1; id <= 500; id++)
        ck_assert_int_eq(restore(id * 3, id), 0);
    db_await(1500);
    ck_assert_uint_eq(db_stats().count, 500);
    check_all(1, 500);
}
END_TEST

// A journal may say any number. A gap is passed over in no time, whether the file has written what
// is below it or not, and what comes behind the highest can be read by the next start.
START_TEST(a_gap_costs_nothing)
{
    const uint64_t far = JOB_ID_MAX / 2;
    db_open();
    ck_assert_int_eq(restore(1, 1), 0);
    if (_i == 1)
        db_await(1);
    ck_assert_int_eq(restore(far, 2), 0);
    ck_assert_int_eq(restore(far + 1, 3), EINVAL);
    ck_assert_uint_eq(db_add(4), far + 1);
    db_await(far + 1);
    check_all(1, 2);
    db_close();
    ck_assert_int_eq(db_sql("SELECT last FROM total"), (int64_t)far + 1);
}
END_TEST

// A file that says that no number is left for what comes is put aside, as one that is damaged.
START_TEST(a_file_without_numbers_is_put_aside)
{
    static const char *const edges[] = {"4611686018427387904", "4611686018427387905",
                                        "9223372036854775807", "-1", "2305843009213693953"};
    char text[80];
    db_open();
    db_fill(1, 2);
    db_close();
    snprintf(text, sizeof(text), "UPDATE total SET last = %s", edges[_i]);
    (void)db_sql(text);
    db_open();
    ck_assert_uint_eq(db_files("history.db.damaged"), 1);
    ck_assert_uint_eq(db_add(3), 1);
    db_await(1);
    db_close();
    db_open();
    ck_assert_uint_eq(history_last(kit.history), 1);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("history_restore");
    TCase *all = tcase_create("restore");
    tcase_add_checked_fixture(all, db_up, db_down);
    tcase_add_test(all, records_keep_their_numbers);
    tcase_add_test(all, one_that_comes_twice_has_its_attempts_once);
    tcase_add_test(all, the_last_number_outlives_its_row);
    tcase_add_test(all, a_restore_waits_for_room);
    tcase_add_loop_test(all, a_gap_costs_nothing, 0, 2);
    tcase_add_loop_test(all, a_file_without_numbers_is_put_aside, 0, 5);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
