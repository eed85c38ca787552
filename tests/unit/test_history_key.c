// SPDX-License-Identifier: MIT
// Keys of finished jobs: they are found as long as the record is there, in memory and in the file.

#include "engine.h"
#include "history_kit.h"

#include <stddef.h>
#include <stdio.h>

// A key as db_record makes it, of the tube that has the id.
static uint64_t by_key(uint64_t id, uint64_t tube_of)
{
    static const char *const tubes[] = {"one", "two", "three"};
    char key[32];
    snprintf(key, sizeof(key), "of %llu", (unsigned long long)id);
    uint32_t submitter = id % 2 == 0 ? JOB_NOBODY : (uint32_t)(id % 3 * 1000);
    return history_key(kit.history, tubes[tube_of % 3], submitter, key);
}

static void check_keys(uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++) {
        ck_assert_uint_eq(by_key(id, id), id);
        ck_assert_uint_eq(by_key(id, id + 1), 0);
    }
    ck_assert_uint_eq(by_key(last + 1, last + 1), 0);
}

// While it waits, in the file, after a start, and until the record goes.
START_TEST(a_key_finds_its_record)
{
    int64_t linger_ns = kit.settings.linger_ns;
    kit.settings.linger_ns = 3600 * HL_SECOND;
    db_open();
    for (uint64_t id = 1; id <= 20; id++)
        db_add(id);
    check_keys(1, 20);
    ck_assert_uint_eq(history_key(kit.history, "one", JOB_NOBODY, ""), 0);
    db_close();
    kit.settings.linger_ns = linger_ns;
    db_open();
    check_keys(1, 20);
    db_fill(21, 40);
    check_keys(1, 40);
    db_close();
    kit.settings.keep_count = 30;
    db_open();
    history_purge(kit.history);
    db_await_stat(offsetof(struct history_stats, count), 30);
    ck_assert_uint_eq(by_key(10, 10), 0);
    check_keys(11, 40);
}
END_TEST

static void add_keyed_by(uint64_t id, const char *tube, uint32_t submitter, const char *key)
{
    struct job_record *record = db_record(id), *moved;
    struct job_record like = *record;
    like.tube = tube;
    like.submitter = submitter;
    like.key = key;
    ck_assert_int_eq(job_record_copy(&moved, &like), 0);
    job_record_unref(&record);
    (void)db_add_record(moved);
}

static void add_keyed(uint64_t id, const char *tube, const char *key)
{
    add_keyed_by(id, tube, 7, key);
}

// The latest of a key counts; a job that finishes again in another tube has the key there.
static void check_latest(void)
{
    db_open();
    add_keyed(1, "a", "same");
    add_keyed(2, "a", "same");
    add_keyed(3, "a", "");
    ck_assert_uint_eq(history_key(kit.history, "a", 7, "same"), 2);
    add_keyed(2, "b", "same");
    ck_assert_uint_eq(history_key(kit.history, "b", 7, "same"), 2);
    add_keyed(1, "b", "same");
    ck_assert_uint_eq(history_key(kit.history, "b", 7, "same"), 1);
    ck_assert_uint_eq(history_key(kit.history, "a", 7, "same"), 0);
    db_close();
}

START_TEST(the_latest_of_a_key)
{
    check_latest();
    db_open();
    ck_assert_uint_eq(history_key(kit.history, "b", 7, "same"), 1);
    db_close();
    kit.settings.path = NULL;
    check_latest();
}
END_TEST

static void check_users(void)
{
    ck_assert_uint_eq(history_key(kit.history, "a", 0, "same"), 1);
    ck_assert_uint_eq(history_key(kit.history, "a", 1000, "same"), 2);
    ck_assert_uint_eq(history_key(kit.history, "a", JOB_NOBODY, "same"), 3);
    ck_assert_uint_eq(history_key(kit.history, "a", 1001, "same"), 0);
}

// One user's key is none of another's: in memory, and in the file.
START_TEST(a_key_is_its_submitters)
{
    for (int in_file = 0; in_file < 2; in_file++) {
        if (in_file == 0)
            kit.settings.path = NULL;
        else
            kit.settings.path = kit.path;
        db_open();
        add_keyed_by(1, "a", 0, "same");
        add_keyed_by(2, "a", 1000, "same");
        add_keyed_by(3, "a", JOB_NOBODY, "same");
        check_users();
        db_close();
    }
    db_open();
    check_users();
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("history_key");
    TCase *all = tcase_create("key");
    tcase_add_checked_fixture(all, db_up, db_down);
    tcase_add_test(all, a_key_finds_its_record);
    tcase_add_test(all, the_latest_of_a_key);
    tcase_add_test(all, a_key_is_its_submitters);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
