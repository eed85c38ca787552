// SPDX-License-Identifier: MIT
// The filter of keys: it never says no where yes is right, whatever came, went and was restarted,
// and seldom yes where no is.

#include "history/filter_priv.h"
#include "history_kit.h"

#include "base/clock.h"
#include "base/hash.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>

// ---- by itself ----

static uint64_t hash_of(uint64_t number)
{
    static const struct hash_key key = {1, 2};
    return hash_bytes(&key, &number, sizeof(number));
}

static uint64_t false_ones(const struct filter *filter, uint64_t first, uint64_t count)
{
    uint64_t found = 0;
    for (uint64_t i = first; i < first + count; i++)
        found += filter_may_have(filter, hash_of(i));
    return found;
}

START_TEST(a_filter_has_what_it_was_given)
{
    static const uint64_t sizes[] = {1, 64, 1000, 100000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct filter *filter = NULL;
        ck_assert_int_eq(filter_new(&filter, sizes[i]), 0);
        uint64_t capacity = filter_capacity(filter);
        ck_assert_uint_ge(capacity, sizes[i]);
        ck_assert_uint_eq(false_ones(filter, 0, 1000), 0);
        for (uint64_t n = 0; n < capacity; n++)
            filter_add(filter, hash_of(n));
        ck_assert(!filter_is_over(filter));
        ck_assert_uint_eq(false_ones(filter, 0, capacity), capacity);
        ck_assert_uint_le(false_ones(filter, capacity, 100000), 300);
        uint64_t count = filter_count(filter);
        ck_assert_uint_ge(count, capacity - capacity / 100);
        filter_add(filter, hash_of(0)); // is there
        ck_assert_uint_eq(filter_count(filter), count);
        for (uint64_t n = capacity; !filter_is_over(filter); n++)
            filter_add(filter, hash_of(n));
        ck_assert_uint_eq(filter_count(filter), capacity + 1);
        filter_free(&filter);
    }
}
END_TEST

// ---- of a file ----

static const char *key_text(uint64_t id)
{
    static char text[32];
    snprintf(text, sizeof(text), "key %llu", (unsigned long long)id);
    return text;
}

static uint64_t add_keyed(uint64_t id)
{
    struct job_record *made = db_record_sized(id, 0), *record;
    struct job_record like = *made;
    like.tube = "t";
    like.key = key_text(id);
    like.submitter = 7;
    ck_assert_int_eq(job_record_copy(&record, &like), 0);
    job_record_unref(&made);
    return db_add_record(record);
}

static void fill_keyed(uint64_t first, uint64_t last)
{
    uint64_t number = 0;
    for (uint64_t id = first; id <= last; id++)
        number = add_keyed(id);
    db_await(number);
}

// The id that has that key. *asked: whether the file had to be looked at.
static uint64_t id_of_key(uint64_t id, bool *asked)
{
    struct history_question question = {.later.fire = later_wake,
                                        .asks = HISTORY_ASK_KEY,
                                        .key = {.tube = "t", .key = key_text(id), .submitter = 7}};
    int rc = history_ask(kit.history, &question);
    *asked = rc == EINPROGRESS;
    if (*asked) {
        ck_assert_int_eq(later_block(&question.later, CLOCK_NEVER, "test", "key"), 0);
        rc = question.later.result;
    }
    if (rc != 0)
        ck_abort_msg("a key was answered with %d", rc);
    return question.key.id;
}

// Each of them is found, in memory or in the file.
static void check_there(uint64_t first, uint64_t last, uint64_t step)
{
    bool asked;
    for (uint64_t id = first; id <= last; id += step)
        if (id_of_key(id, &asked) != id)
            ck_abort_msg("the key of %llu isn't found", (unsigned long long)id);
}

// Of the keys of so many that aren't there, how many were looked for in the file.
static uint64_t looks_in_vain(uint64_t first, uint64_t last)
{
    uint64_t looks = 0;
    bool asked;
    for (uint64_t id = first; id <= last; id++) {
        if (id_of_key(id, &asked) != 0)
            ck_abort_msg("the key of %llu is found", (unsigned long long)id);
        looks += asked;
    }
    return looks;
}

// Until the filter says no to nearly all of them. The test's own time limit ends it.
static void until_known(uint64_t first, uint64_t last)
{
    do {
        history_purge(kit.history); // every second, in the daemon
        sched_yield();
    } while (looks_in_vain(first, last) > (last - first) / 50);
}

// What was in the file from before is found while the filter is filled, and after.
START_TEST(keys_of_the_file_are_found_after_a_start)
{
    db_open();
    until_known(1000001, 1000100);
    fill_keyed(1, 3000);
    check_there(1, 3000, 7);
    for (int round = 0; round < 5; round++) {
        db_close();
        db_open();
        check_there(1, 3000, 97); // perhaps before it is complete
        until_known(1000001, 1000100);
        check_there(1, 3000, 7);
        ck_assert_uint_le(looks_in_vain(2000001, 2010000), 50);
    }
    add_keyed(3001); // only in memory yet, or on its way
    check_there(2990, 3001, 1);
}
END_TEST

// A walk through the file takes many parts, and more than the first filter was made for.
START_TEST(many_keys_get_a_larger_filter)
{
    const uint64_t last = 40000;
    db_open();
    fill_keyed(1, last);
    until_known(1000001, 1000100);
    check_there(1, last, 101);
    db_close();
    db_open();
    for (uint64_t id = last + 1; id <= last + 500; id++) {
        add_keyed(id);
        check_there(id - last, id - last, 1);
    }
    until_known(1000001, 1000100);
    check_there(1, last + 500, 101);
    ck_assert_uint_le(looks_in_vain(2000001, 2010000), 50);
}
END_TEST

// Half of the keys went with their records: the next filter doesn't have them.
START_TEST(stale_keys_leave_with_the_next_filter)
{
    const uint64_t last = 20000, kept = 3000;
    db_open();
    fill_keyed(1, last);
    until_known(1000001, 1000100);
    db_close();
    kit.settings.keep_count = kept;
    db_open();
    until_known(1000001, 1000100);
    history_purge(kit.history);
    db_await_stat(offsetof(struct history_stats, count), kept);
    until_known(1, last - kept);
    check_there(last - kept + 1, last, 1);
}
END_TEST

// A file that is damaged and begun anew has none of the keys; those that come are found.
START_TEST(a_new_file_has_new_keys)
{
    db_open();
    fill_keyed(1, 100);
    until_known(1000001, 1000100);
    db_close();
    FILE *file = fopen(kit.path, "r+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 20, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite("not what SQLite wrote", 1, 20, file), 20);
    ck_assert_int_eq(fclose(file), 0);
    db_open();
    fill_keyed(101, 200);
    check_there(101, 200, 1);
    until_known(1, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history_filter");
    TCase *alone = tcase_create("filter");
    tcase_add_test(alone, a_filter_has_what_it_was_given);
    suite_add_tcase(suite, alone);
    TCase *all = tcase_create("keys");
    tcase_add_checked_fixture(all, db_up, db_down);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, keys_of_the_file_are_found_after_a_start);
    tcase_add_test(all, many_keys_get_a_larger_filter);
    tcase_add_test(all, stale_keys_leave_with_the_next_filter);
    tcase_add_test(all, a_new_file_has_new_keys);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
