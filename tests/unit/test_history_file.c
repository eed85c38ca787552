// SPDX-License-Identifier: MIT
// History in a file: what comes back, what is seen while it waits to be written, what goes, and the
// pages of the list.

#include "history_kit.h"

#include "base/clock.h"
#include "engine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void teardown(void)
{
    db_down();
    if (clock_is_virtual())
        clock_virtual_stop();
}

static void check_all(uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++)
        if (!db_has(id))
            ck_abort_msg("job %llu is missing", (unsigned long long)id);
}

// ---- what is kept ----

START_TEST(records_outlive_the_daemon)
{
    db_open();
    ck_assert(history_is_on(kit.history));
    db_fill(1, 300);
    check_all(1, 300);
    db_close();
    db_open();
    check_all(1, 300);
    ck_assert(!db_has(301));
    struct history_stats stats = db_stats();
    ck_assert_uint_eq(stats.count, 300);
    ck_assert_uint_eq(stats.added, 0);
    ck_assert(stats.file && stats.healthy);
    ck_assert_uint_gt(db_add(301), 300); // numbers go on
}
END_TEST

START_TEST(the_stop_writes_what_waits)
{
    kit.settings.linger_ns = 3600 * HL_SECOND;
    db_open();
    for (uint64_t id = 1; id <= 10; id++)
        db_add(id);
    ck_assert_uint_eq(db_stats().pending, 10);
    ck_assert_uint_eq(history_durable(kit.history), 0);
    for (uint64_t id = 1; id <= 10; id++)
        ck_assert(db_has(id)); // not in the file yet
    ck_assert_int_eq(db_sql("SELECT count(*) FROM job"), 0);
    db_close();
    ck_assert_int_eq(db_sql("SELECT count(*) FROM job"), 10);
    ck_assert_int_eq(db_sql("SELECT count FROM total"), 10);
}
END_TEST

START_TEST(the_file_is_for_us_alone)
{
    db_open();
    db_fill(1, 1);
    static const char *const parts[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[96];
        struct stat status;
        snprintf(path, sizeof(path), "%s%s", kit.path, parts[i]);
        ck_assert_int_eq(stat(path, &status), 0);
        ck_assert_int_eq(status.st_mode & 0777, 0600);
    }
}
END_TEST

// However many descriptors it finds, before it has all that it needs it says that they are too few,
// of a new file and of one that is there.
START_TEST(too_few_descriptors_are_called_that)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    const rlim_t all = limit.rlim_cur;
    int rc = EMFILE;
    for (int more = 0; rc != 0; more++) {
        struct history_error error = {""};
        int next = dup(STDOUT_FILENO);
        close(next);
        limit.rlim_cur = (rlim_t)(next + more);
        MUST(setrlimit(RLIMIT_NOFILE, &limit));
        rc = history_new(&kit.history, &kit.settings, &error);
        limit.rlim_cur = all;
        MUST(setrlimit(RLIMIT_NOFILE, &limit));
        ck_assert_int_lt(more, 20);
        ck_assert_msg(rc == 0 || (rc == EMFILE && strstr(error.text, "Too many open files")),
                      "with %d: %d, %s", more, rc, error.text);
        if (rc != 0 && _i == 0)
            unlink(kit.path);
    }
    db_close();
}
END_TEST

START_TEST(nothing_is_kept_nothing_is_opened)
{
    for (int i = 0; i < 3; i++) {
        kit.settings.keep_ns = i == 0 ? 0 : HL_SECOND;
        kit.settings.keep_count = i == 1 ? 0 : 10;
        kit.settings.keep_bytes = i == 2 ? 0 : 10000;
        size_t threads = hl_thread_active_count();
        db_open();
        ck_assert(!history_is_on(kit.history));
        struct job_record *record = db_record(1);
        uint64_t number = 0;
        ck_assert_int_eq(history_add(kit.history, &record, &number), 0);
        ck_assert_ptr_null(record);
        ck_assert_uint_eq(number, 0);
        ck_assert(!db_has(1));
        history_purge(kit.history);
        ck_assert_uint_eq(hl_thread_active_count(), threads);
        ck_assert_uint_eq(db_files("history"), 0);
        db_close();
    }
}
END_TEST

// ---- attempts ----

// A later life of the job: kicked, and ended so.
static struct job_record *record_again(uint64_t id, int64_t started, const char *reason)
{
    struct job_record like = {.id = id,
                              .kind = JOB_OUTCOME_FAILED,
                              .exit_status = 3,
                              .reserves = 2,
                              .kicks = 1,
                              .started_wall_ns = started * HL_SECOND,
                              .ended_wall_ns = clock_wall_ns(),
                              .tube = "one",
                              .reason = reason,
                              .retention_ns = -1,
                              .progress_text = ""};
    struct job_record *record;
    ck_assert_int_eq(job_record_copy(&record, &like), 0);
    return record;
}

static void check_attempts(uint64_t id, size_t count, const char *first, const char *last,
                           const char *now)
{
    struct job_record *record;
    ck_assert_int_eq(history_get(kit.history, id, &record), 0);
    ck_assert_uint_eq(record->earlier_count, count);
    ck_assert_str_eq(record->earlier[0].reason, first);
    ck_assert_str_eq(record->earlier[count - 1].reason, last);
    ck_assert_str_eq(record->reason, now);
    for (size_t i = 1; i < count; i++)
        ck_assert_int_lt(record->earlier[i - 1].started_wall_ns,
                         record->earlier[i].started_wall_ns);
    job_record_unref(&record);
}

START_TEST(attempts_add_up)
{
    db_open();
    db_await(db_add_record(record_again(5, 100, "first")));
    db_await(db_add_record(record_again(5, 200, "second"))); // the first is in the file
    check_attempts(5, 1, "first", "first", "second");
    ck_assert_uint_eq(db_stats().count, 1);
    db_await(db_add_record(record_again(5, 200, "second"))); // the same once more
    check_attempts(5, 1, "first", "first", "second");
    db_close();
    kit.settings.linger_ns = 3600 * HL_SECOND;
    db_open();
    db_add_record(record_again(5, 300, "third"));
    db_add_record(record_again(5, 400, "fourth")); // both wait
    ck_assert_uint_eq(db_stats().pending, 1);
    check_attempts(5, 1, "third", "third", "fourth"); // the file isn't asked yet
    db_close();
    db_open();
    check_attempts(5, 3, "first", "third", "fourth");
    ck_assert_uint_eq(db_stats().count, 1);
    ck_assert_int_eq(db_sql("SELECT count(*) FROM attempt"), 3);
}
END_TEST

// One that tells its earlier attempts has each of them once, though their times differ a little.
START_TEST(attempts_that_are_told)
{
    db_open();
    db_await(db_add_record(record_again(5, 100, "first")));
    const struct job_attempt told = {.kind = JOB_OUTCOME_FAILED,
                                     .exit_status = 3,
                                     .started_wall_ns = 100 * HL_SECOND + 7000,
                                     .ended_wall_ns = clock_wall_ns(),
                                     .reason = "told"};
    struct job_record *second = record_again(5, 200, "second"), *record;
    struct job_record like = *second;
    like.earlier = &told;
    like.earlier_count = 1;
    ck_assert_int_eq(job_record_copy(&record, &like), 0);
    job_record_unref(&second);
    db_await(db_add_record(record));
    check_attempts(5, 1, "told", "told", "second");
    ck_assert_int_eq(db_sql("SELECT count(*) FROM attempt"), 1);
}
END_TEST

START_TEST(the_latest_attempts_are_kept)
{
    db_open();
    uint64_t number = 0;
    for (int i = 1; i <= JOB_EARLIER_MAX + 8; i++) {
        char reason[32];
        snprintf(reason, sizeof(reason), "attempt %d", i);
        number = db_add_record(record_again(5, i * 100, reason));
        if (i % 4 == 0)
            db_await(number);
    }
    db_await(number);
    check_attempts(5, JOB_EARLIER_MAX, "attempt 8", "attempt 39", "attempt 40");
}
END_TEST

// ---- what goes ----

START_TEST(oldest_go_by_number)
{
    kit.settings.keep_count = 100;
    db_open();
    db_fill(1, 5000);
    db_await_stat(offsetof(struct history_stats, count), 100);
    ck_assert(!db_has(4900) && db_has(4901) && db_has(5000));
    ck_assert_uint_eq(db_stats().dropped, 4900);
    ck_assert_int_eq(db_sql("SELECT count(*) FROM job"), 100);
    ck_assert_int_eq(db_sql("SELECT sum(bytes) - (SELECT bytes FROM total) FROM job"), 0);
}
END_TEST

// However much comes, the file stays near what is kept.
START_TEST(oldest_go_by_bytes)
{
    kit.settings.keep_bytes = 1 << 20;
    db_open();
    uint64_t largest = 0;
    for (uint64_t id = 1; id <= 2000; id++) {
        uint64_t number = db_add_record(db_record_sized(id, 10000));
        if (id % 100 == 0) {
            db_await(number);
            largest = db_file_size() > largest ? db_file_size() : largest;
        }
    }
    history_purge(kit.history);
    while (db_stats().bytes > 1 << 20)
        sched_yield();
    ck_assert_uint_gt(db_stats().count, 80);
    ck_assert(db_has(2000) && !db_has(1890));
    ck_assert_msg(largest < 16 << 20, "%llu bytes", (unsigned long long)largest);
    ck_assert_int_eq(db_sql("SELECT sum(bytes) - (SELECT bytes FROM total) FROM job"), 0);
}
END_TEST

START_TEST(oldest_go_by_age_and_the_file_shrinks)
{
    clock_virtual_start(1000 * HL_SECOND);
    kit.settings.keep_ns = 10 * HL_SECOND;
    db_open();
    uint64_t number = 0;
    for (uint64_t id = 1; id <= 3000; id++)
        number = db_add_record(db_record_sized(id, 2000));
    db_add_record(record_again(1, 5000, "again"));
    number = db_add_record(record_again(1, 6000, "and again"));
    clock_virtual_advance(HL_SECOND);
    db_await(number);
    clock_virtual_advance(4 * HL_SECOND);
    number = db_add(4000);
    clock_virtual_advance(HL_SECOND);
    db_await(number);
    history_purge(kit.history);
    db_add(4001);
    clock_virtual_advance(4 * HL_SECOND);
    db_await_stat(offsetof(struct history_stats, pending), 0);
    ck_assert_uint_eq(db_stats().count, 3002); // as old as is kept
    uint64_t before = db_stats().file_bytes;
    clock_virtual_advance(1);
    history_purge(kit.history);
    db_await_stat(offsetof(struct history_stats, count), 2);
    ck_assert_int_gt(db_sql("PRAGMA freelist_count") + db_sql("PRAGMA page_count"), 1024);
    while (db_sql("PRAGMA page_count") > 1024) // a slice of the file each time
        history_purge(kit.history);
    ck_assert(!db_has(1) && !db_has(3000) && db_has(4000) && db_has(4001));
    ck_assert_uint_eq(db_stats().dropped, 3000);
    ck_assert_int_eq(db_sql("SELECT count(*) FROM attempt"), 0);
    db_close();
    ck_assert_msg(db_file_size() < before / 2, "%llu of %llu bytes",
                  (unsigned long long)db_file_size(), (unsigned long long)before);
}
END_TEST

// Some ask for less time than others have, some for more; the bound of all of them counts for
// these, too. In the file, and in memory.
static void check_own_times(void)
{
    clock_virtual_start(1000 * HL_SECOND);
    kit.settings.keep_ns = 10 * HL_SECOND;
    kit.settings.keep_count = 25;
    db_open();
    uint64_t number = 0;
    for (uint64_t id = 1; id <= 30; id++) {
        struct job_record *like = db_record(id), *record;
        struct job_record other = *like;
        other.retention_ns = id % 3 == 0 ? 5 * HL_SECOND : id % 3 == 1 ? 20 * HL_SECOND : -1;
        ck_assert_int_eq(job_record_copy(&record, &other), 0);
        job_record_unref(&like);
        number = db_add_record(record);
    }
    static const struct {
        int64_t at_s;
        uint64_t short_ones, others, long_ones; // of ids 6 to 30
    } steps[] = {{0, 9, 8, 8}, {4, 9, 8, 8},  {6, 0, 8, 8},
                 {9, 0, 8, 8}, {11, 0, 0, 8}, {21, 0, 0, 0}};
    int64_t now_s = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        clock_virtual_advance((steps[i].at_s - now_s) * HL_SECOND + (i == 0 ? HL_SECOND / 100 : 0));
        now_s = steps[i].at_s;
        if (kit.settings.path != NULL)
            db_await(number);
        history_purge(kit.history);
        db_await_stat(offsetof(struct history_stats, count),
                      steps[i].short_ones + steps[i].others + steps[i].long_ones);
        uint64_t left[3] = {0};
        for (uint64_t id = 1; id <= 30; id++) {
            struct job_record *record;
            if (history_get(kit.history, id, &record) != 0)
                continue;
            left[id % 3]++;
            job_record_unref(&record);
        }
        ck_assert_uint_eq(left[0], steps[i].short_ones);
        ck_assert_uint_eq(left[1], steps[i].long_ones);
        ck_assert_uint_eq(left[2], steps[i].others);
    }
    ck_assert_uint_eq(db_stats().dropped, 30);
    db_close();
    clock_virtual_stop();
}

START_TEST(a_time_of_its_own)
{
    check_own_times();
    kit.settings.path = NULL;
    check_own_times();
}
END_TEST

// ---- lists ----

static size_t list_all(struct history_query query, size_t max, uint64_t *ids, size_t room,
                       size_t *pages)
{
    struct job_record *records[HISTORY_PAGE_MAX];
    size_t count, total = 0;
    *pages = 0;
    do {
        ck_assert_int_eq(history_list(kit.history, &query, max, records, &count, &query.before), 0);
        ck_assert_uint_le(count, max);
        (*pages)++;
        for (size_t i = 0; i < count; i++) {
            if (total == room)
                ck_abort_msg("too many");
            ids[total++] = records[i]->id;
            job_record_unref(&records[i]);
        }
    } while (query.before != 0);
    return total;
}

// Ids 1 to 1000 in order, of which `from` on wait in memory. What a query gives is what a loop over
// all ids gives, with pages of any size.
static void check_lists(void)
{
    static const struct history_query queries[] = {
        {.any_kind = true, .kind = JOB_OUTCOME_COUNT}, // isn't looked at
        {.any_kind = true, .tube = "two"},
        {.kind = JOB_OUTCOME_FAILED},
        {.kind = JOB_OUTCOME_DONE, .tube = "one"},
        {.kind = JOB_OUTCOME_DELETED},
        {.any_kind = true, .tube = "none"},
        {.any_kind = true, .group = "week"},
        {.any_kind = true, .name = "even", .tag = "blue"},
        {.kind = JOB_OUTCOME_FAILED, .tube = "two", .group = "week"},
    };
    uint64_t ids[1000];
    size_t pages;
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++)
        for (size_t max = 7; max <= 1000; max *= 11) {
            size_t total = list_all(queries[q], max, ids, 1000, &pages);
            size_t at = 0;
            for (uint64_t id = 1000; id >= 1; id--) {
                struct job_record *record = db_record(id);
                if ((queries[q].any_kind || record->kind == queries[q].kind) &&
                    (queries[q].name == NULL || (id % 2 == 0 && id % 3 == 0)) &&
                    (queries[q].group == NULL || strcmp(record->group, queries[q].group) == 0) &&
                    (queries[q].tube == NULL || strcmp(record->tube, queries[q].tube) == 0)) {
                    if (at >= total || ids[at] != id)
                        ck_abort_msg("query %zu, page of %zu: not job %llu", q, max,
                                     (unsigned long long)id);
                    at++;
                }
                job_record_unref(&record);
            }
            ck_assert_uint_eq(at, total);
            ck_assert_uint_le(pages, total / max + 2);
        }
}

START_TEST(lists_of_file_and_memory)
{
    db_open();
    db_fill(1, 600);
    db_close();
    kit.settings.linger_ns = 3600 * HL_SECOND;
    db_open();
    for (uint64_t id = 601; id <= 1000; id++)
        db_add(id);
    ck_assert_uint_eq(db_stats().pending, 400);
    check_lists();
    db_close();
    db_open();
    check_lists(); // all from the file
    db_close();
    kit.settings.path = NULL;
    db_open();
    for (uint64_t id = 1; id <= 1000; id++)
        db_add(id);
    check_lists(); // all from memory
}
END_TEST

START_TEST(a_replaced_record_is_listed_once)
{
    db_open();
    db_fill(1, 20);
    db_close();
    kit.settings.linger_ns = 3600 * HL_SECOND;
    db_open();
    db_add_record(record_again(7, 100000, "again"));
    uint64_t ids[40];
    size_t pages;
    const struct history_query all = {.any_kind = true};
    size_t total = list_all(all, 100, ids, 40, &pages);
    ck_assert_uint_eq(total, 20);
    ck_assert_uint_eq(ids[0], 7);
    for (size_t i = 1; i < total; i++)
        ck_assert_uint_ne(ids[i], 7);
}
END_TEST

START_TEST(lists_by_time)
{
    clock_virtual_start(1000 * HL_SECOND);
    db_open();
    int64_t began = clock_wall_ns();
    uint64_t number = 0;
    for (uint64_t id = 0; id < 30; id++) {
        number = db_add(id + 1); // ends at began + id seconds
        clock_virtual_advance(HL_SECOND);
        if (id == 15)
            db_await(number);
    }
    uint64_t ids[40];
    size_t pages;
    struct history_query query = {
        .any_kind = true, .since_ns = began + 10 * HL_SECOND, .until_ns = began + 20 * HL_SECOND};
    size_t total = list_all(query, 3, ids, 40, &pages);
    ck_assert_uint_eq(total, 10);
    ck_assert_uint_eq(ids[0], 20);
    ck_assert_uint_eq(ids[9], 11);
    query.until_ns = 0;
    ck_assert_uint_eq(list_all(query, 100, ids, 40, &pages), 20);
}
END_TEST

// A page ends after so many were looked at, and the next one goes on there.
START_TEST(a_extra_one_is_found_in_several_pages)
{
    db_open();
    db_add_record(record_again(1, 1000, "extra"));
    for (uint64_t id = 2; id <= 25000; id++)
        (void)db_add(id * 10 + 1);
    db_await(25000);
    uint64_t ids[4];
    size_t pages;
    const struct history_query query = {.kind = JOB_OUTCOME_FAILED, .tube = "one"};
    ck_assert_uint_eq(list_all(query, 100, ids, 4, &pages), 1);
    ck_assert_uint_eq(ids[0], 1);
    db_close();
    db_open();
    const struct history_query late = {.any_kind = true, .until_ns = 1};
    ck_assert_uint_eq(list_all(late, 100, ids, 4, &pages), 0);
    ck_assert_uint_eq(pages, 7);
}
END_TEST

// ---- threads ----

static void adder(void *arg)
{
    uint64_t first = *(const uint64_t *)arg;
    for (uint64_t id = first; id < first + 5000; id++) {
        struct job_record *record;
        do
            record = db_record(id);
        while (history_add(kit.history, &record, &(uint64_t){0}) != 0); // the queue is full
        if (id % 7 == 0 && !db_has(id - first > 100 ? id - 100 : id))
            ck_abort_msg("job %llu is missing", (unsigned long long)id);
        if (id % 500 == 0)
            history_purge(kit.history);
    }
}

static void looker(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        struct job_record *records[50];
        size_t count;
        uint64_t next;
        const struct history_query query = {.any_kind = true, .tube = "two"};
        ck_assert_int_eq(history_list(kit.history, &query, 50, records, &count, &next), 0);
        for (size_t j = 0; j < count; j++) {
            ck_assert_str_eq(records[j]->tube, "two");
            job_record_unref(&records[j]);
        }
    }
}

START_TEST(threads_share_it)
{
    static const uint64_t first[] = {1, 100000};
    kit.settings.queue_bytes = 256 << 10; // so that they wait for room, too
    db_open();
    hl_thread *thread[3];
    for (int i = 0; i < 2; i++)
        thread[i] = engine_thread(adder, (void *)&first[i]);
    thread[2] = engine_thread(looker, NULL);
    for (int i = 0; i < 3; i++)
        engine_thread_join(&thread[i]);
    db_close();
    db_open();
    ck_assert_uint_eq(db_stats().count, 10000);
    check_all(1, 5000);
    check_all(100000, 104999);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("history_file");
    TCase *all = tcase_create("file");
    tcase_add_checked_fixture(all, db_up, teardown);
    tcase_add_test(all, records_outlive_the_daemon);
    tcase_add_test(all, the_stop_writes_what_waits);
    tcase_add_test(all, the_file_is_for_us_alone);
    tcase_add_loop_test(all, too_few_descriptors_are_called_that, 0, 2);
    tcase_add_test(all, nothing_is_kept_nothing_is_opened);
    tcase_add_test(all, attempts_add_up);
    tcase_add_test(all, attempts_that_are_told);
    tcase_add_test(all, the_latest_attempts_are_kept);
    tcase_add_test(all, oldest_go_by_number);
    tcase_add_test(all, oldest_go_by_bytes);
    tcase_add_test(all, oldest_go_by_age_and_the_file_shrinks);
    tcase_add_test(all, a_time_of_its_own);
    tcase_add_test(all, lists_of_file_and_memory);
    tcase_add_test(all, a_replaced_record_is_listed_once);
    tcase_add_test(all, lists_by_time);
    tcase_add_test(all, a_extra_one_is_found_in_several_pages);
    tcase_add_test(all, threads_share_it);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
