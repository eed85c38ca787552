// SPDX-License-Identifier: MIT
// History in a file when things go wrong: killed while it writes, no space, a file that is locked,
// damaged, somebody else's or newer.

#include "history_kit.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine.h"
#include "history/history_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- the process is killed ----

#define KILL_ROUNDS 4

static int told_fd = -1;

static void told_durable(uint64_t number, void *arg)
{
    (void)arg;
    if (write(told_fd, &number, sizeof(number)) != sizeof(number))
        _exit(1);
}

// Adds for ever; ids are numbers, in a file that was empty at first.
static _Noreturn void victim(uint64_t first)
{
    kit.settings.durable = told_durable;
    db_open();
    for (uint64_t id = first;;) {
        struct job_record *record = db_record(id);
        id += history_add(kit.history, &record, &(uint64_t){0}) ==
              0; // or once more: the queue was full
    }
}

// Kills it after so many batches; the last number that it told.
static uint64_t killed_after(int batches, uint64_t first)
{
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        told_fd = fds[1];
        victim(first);
    }
    close(fds[1]);
    uint64_t number = 0;
    for (int i = 0; i < batches; i++)
        ck_assert_int_eq(read(fds[0], &number, sizeof(number)), sizeof(number));
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    uint64_t more;
    while (read(fds[0], &more, sizeof(more)) == sizeof(more))
        number = more;
    close(fds[0]);
    return number;
}

START_TEST(what_is_durable_survives_a_kill)
{
    uint64_t first = 1;
    for (int round = 0; round < KILL_ROUNDS; round++) {
        uint64_t durable = killed_after(1 + 3 * round, first);
        ck_assert_uint_ge(durable, first);
        db_open();
        ck_assert_uint_eq(db_files("history.db.damaged"), 0);
        for (uint64_t id = 1; id <= durable; id++)
            if (!db_has(id))
                ck_abort_msg("round %d: %" PRIu64 " of %" PRIu64 " is missing", round, id, durable);
        uint64_t count = db_stats().count;
        ck_assert_uint_ge(count, durable);
        ck_assert_int_eq(db_sql("SELECT count(*) FROM job"), (int64_t)count);
        ck_assert_int_eq(db_sql("SELECT sum(bytes) - (SELECT bytes FROM total) FROM job"), 0);
        ck_assert_int_eq(db_sql("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
        first = count + 1; // whole batches were written, so ids are without gaps
        db_close();
    }
}
END_TEST

// ---- a disk that is full ----

// As a disk that has no more space than that for any file. Check's own messages go through a file,
// so nothing is asserted until the limit is lifted.
static void files_limit(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    MUST(getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = bytes;
    MUST(setrlimit(RLIMIT_FSIZE, &limit));
}

// Adds until so many were refused; returns how many weren't.
static uint64_t add_until_refused(uint64_t first, uint64_t refused)
{
    uint64_t added = 0, failed = 0;
    while (failed < refused) {
        struct job_record *record = db_record(first + added);
        if (history_add(kit.history, &record, &(uint64_t){0}) == 0)
            added++;
        else
            failed++;
        if (failed == 0)
            clock_virtual_advance(HL_SECOND / 100);
    }
    return added;
}

static void clock_pusher(void *arg)
{
    _Atomic bool *over = arg;
    while (!atomic_load(over)) {
        clock_virtual_advance(HL_SECOND / 20); // not so fast that records get old
        sched_yield();
    }
}

START_TEST(a_full_disk_costs_records_only)
{
    _Atomic bool over = false;
    clock_virtual_start(1000 * HL_SECOND);
    kit.settings.queue_bytes = 64 << 10;
    db_open();
    db_add(1);
    clock_virtual_advance(HL_SECOND);
    db_await(1);
    files_limit(32 << 10);
    hl_thread *pusher = engine_thread(clock_pusher, &over);
    uint64_t added = 1 + add_until_refused(2, 100);
    while (db_stats().healthy) // the refusals may come before the first batch that fails
        sched_yield();
    atomic_store(&over, true);
    engine_thread_join(&pusher);
    struct history_stats stats = db_stats();
    bool readable = db_has(1);
    files_limit(RLIM_INFINITY);
    ck_assert(readable);
    ck_assert_uint_eq(stats.lost, 100);
    ck_assert_uint_gt(stats.pending, 0);
    ck_assert(!stats.healthy);
    clock_virtual_advance(2 * HL_SECOND);
    db_await_stat(offsetof(struct history_stats, pending), 0);
    ck_assert(db_stats().healthy);
    ck_assert_uint_eq(db_stats().count, added);
    db_close();
    clock_virtual_stop();
    ck_assert_int_eq(db_sql("SELECT count(*) FROM job"), (int64_t)added);
    ck_assert_int_eq(db_sql("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}
END_TEST

START_TEST(a_stop_on_a_full_disk_ends)
{
    kit.settings.linger_ns = 3600 * HL_SECOND;
    db_open();
    db_add(1);
    files_limit(4096);
    history_free(&kit.history);
    files_limit(RLIM_INFINITY);
    db_open();
    ck_assert_uint_eq(db_stats().count, 0);
}
END_TEST

START_TEST(no_room_for_a_new_file)
{
    struct history_error error = {""};
    files_limit(1024);
    int rc = history_new(&kit.history, &kit.settings, &error);
    files_limit(RLIM_INFINITY);
    ck_assert_msg(rc == ENOSPC, "%d: %s", rc, error.text);
    ck_assert_ptr_nonnull(strstr(error.text, kit.path));
    ck_assert_ptr_nonnull(strstr(error.text, "No space left on device"));
    ck_assert_ptr_null(kit.history);
    db_open(); // half a file doesn't stop the next start
    db_fill(1, 3);
}
END_TEST

// ---- a file that isn't what it should be ----

static void scribble(off_t at, size_t size)
{
    char *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, 0xa5, size);
    int fd = open(kit.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
    close(fd);
    free(bytes);
}

START_TEST(a_damaged_file_is_put_aside)
{
    for (int i = 0; i < 3; i++) {
        db_open();
        db_fill(1, 10);
        db_close();
        scribble(i == 0 ? 0 : i == 1 ? 100 : 16, i == 2 ? 1 : 3000);
        db_open();
        ck_assert_uint_eq(db_stats().count, 0);
        ck_assert_uint_eq(db_files("history.db.damaged"), (unsigned)i + 1);
        ck_assert(!db_has(1));
        db_fill(20, 30);
        db_close();
    }
    scribble(0, 10);
    db_open(); // no database at all
    ck_assert_uint_eq(db_files("history.db.damaged"), 4);
}
END_TEST

// Found while it runs, by whoever removes the oldest: the same happens then.
START_TEST(damage_that_is_found_later)
{
    kit.settings.keep_count = 2000;
    db_open();
    uint64_t number = 0;
    for (uint64_t id = 1; id <= 2000; id++)
        number = db_add_record(db_record_sized(id, 3000));
    db_await(number);
    db_close();
    kit.settings.keep_count = 1000;
    uint64_t size = db_file_size();
    ck_assert_uint_gt(size, 6000000);
    scribble(81920, size / 2); // behind the roots, not where the newest are
    db_open();
    struct job_record *record;
    ck_assert_int_eq(history_get(kit.history, 100, &record), EIO);
    history_purge(kit.history);
    db_await_stat(offsetof(struct history_stats, count), 0);
    ck_assert_uint_eq(db_files("history.db.damaged"), 1);
    db_fill(3000, 3100);
    ck_assert(db_has(3000) && !db_has(1000));
    ck_assert(db_stats().healthy);
}
END_TEST

START_TEST(a_row_that_means_nothing)
{
    db_open();
    db_fill(1, 3);
    db_close();
    (void)db_sql("UPDATE job SET tags = 'endless' WHERE id = 1");
    (void)db_sql("UPDATE job SET outcome = 'eaten' WHERE id = 2");
    db_open();
    struct job_record *record;
    ck_assert_int_eq(history_get(kit.history, 1, &record), EIO);
    ck_assert_int_eq(history_get(kit.history, 2, &record), EIO);
    ck_assert(db_has(3));
    struct job_record *records[10];
    size_t count;
    uint64_t next;
    const struct history_query all = {.any_kind = true};
    // they are left out, and the others are there
    ck_assert_int_eq(history_list(kit.history, &all, 10, records, &count, &next), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(records[0]->id, 3);
    ck_assert_uint_eq(next, 0);
    job_record_unref(&records[0]);
}
END_TEST

START_TEST(somebody_elses_file_is_left_alone)
{
    char text[512];
    (void)db_sql("CREATE TABLE recipes (name, method)");
    ck_assert_int_eq(db_open_refused(text), EINVAL);
    ck_assert_ptr_nonnull(strstr(text, "another program's database"));
    ck_assert_int_eq(db_sql("SELECT count(*) FROM recipes"), 0);
    ck_assert_uint_eq(db_files("history.db.damaged"), 0);
}
END_TEST

START_TEST(a_newer_form_is_refused)
{
    char text[512];
    db_open();
    db_fill(1, 3);
    db_close();
    (void)db_sql("PRAGMA user_version = 5");
    ck_assert_int_eq(db_open_refused(text), EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(text, "newer hilera"));
    (void)db_sql("PRAGMA user_version = 4");
    db_open();
    ck_assert(db_has(1) && db_has(3));
}
END_TEST

// As the form 3 had it, before records knew who had put the job.
static void make_form_3(void)
{
    (void)db_sql("DROP INDEX job_keyed");
    (void)db_sql("ALTER TABLE job DROP COLUMN submitter");
    (void)db_sql("CREATE INDEX job_keyed ON job (tube, job_key, number) WHERE job_key <> ''");
    (void)db_sql("PRAGMA user_version = 3");
}

START_TEST(form_3_is_raised)
{
    db_open();
    db_fill(1, 6);
    db_close();
    make_form_3();
    db_open();
    struct job_record *record = NULL;
    ck_assert_int_eq(history_get(kit.history, 5, &record), 0);
    ck_assert_uint_eq(record->submitter, JOB_NOBODY);
    ck_assert_uint_eq(history_key(kit.history, record->tube, JOB_NOBODY, record->key), 5);
    ck_assert_uint_eq(history_key(kit.history, record->tube, 0, record->key), 0);
    job_record_unref(&record);
    db_fill(7, 9);
    db_close();
    ck_assert_int_eq(db_sql("PRAGMA user_version"), 4);
    ck_assert_int_eq(db_sql("SELECT submitter FROM job WHERE id = 7"), 1000);
    ck_assert_int_eq(db_sql("SELECT count(*) FROM pragma_index_info('job_keyed')"), 4);
    db_open();
    ck_assert(db_has(7) && db_has(8) && db_has(9));
}
END_TEST

// What the form 1 had is what the form 3 had, less four columns and an index.
START_TEST(an_older_form_is_raised)
{
    db_open();
    db_fill(1, 6);
    db_close();
    make_form_3();
    (void)db_sql("DROP INDEX job_keyed");
    (void)db_sql("ALTER TABLE job DROP COLUMN failures");
    (void)db_sql("ALTER TABLE job DROP COLUMN crashes");
    (void)db_sql("ALTER TABLE job DROP COLUMN losses");
    (void)db_sql("ALTER TABLE total DROP COLUMN last");
    (void)db_sql("PRAGMA user_version = 1");
    db_open();
    ck_assert_uint_eq(history_last(kit.history), 6);
    struct job_record *record = NULL;
    ck_assert_int_eq(history_get(kit.history, 5, &record), 0);
    ck_assert_uint_eq(record->id, 5);
    ck_assert_uint_eq(record->tries.failures + record->tries.crashes + record->tries.losses, 0);
    ck_assert_uint_eq(record->tries.timeouts, 5 % 4);
    job_record_unref(&record);
    db_fill(7, 9);
    ck_assert(db_has(8));
    db_close();
    ck_assert_int_eq(db_sql("PRAGMA user_version"), 4);
    ck_assert_int_eq(db_sql("SELECT failures FROM job WHERE id = 9"), 9 % 7);
    ck_assert_int_eq(db_sql("SELECT count(*) FROM sqlite_schema WHERE name = 'job_keyed'"), 1);
    db_open();
    ck_assert(db_has(8));
}
END_TEST

// What no hilera has made, though it says that it is one: SQLite would run what stands there.
static const char *const foreign[] = {
    "CREATE TRIGGER t AFTER INSERT ON job BEGIN DELETE FROM job; END",
    "CREATE VIEW v AS SELECT 1",
    "CREATE INDEX i ON job (priority)",
    "CREATE INDEX i ON job (abs(priority))",
    "CREATE TABLE more (a)",
    "CREATE VIRTUAL TABLE more USING fts5(a)",
    "ALTER TABLE job DROP COLUMN signal",
    "ALTER TABLE job ADD COLUMN g AS (abs(priority))",
    "ALTER TABLE job RENAME TO jobs",
    "DROP TABLE total",
    "ALTER TABLE total DROP COLUMN last",
    "DROP INDEX job_keyed",
    "PRAGMA user_version = 2",
    "PRAGMA user_version = -1",
};

START_TEST(a_schema_that_is_not_ours_is_put_aside)
{
    db_open();
    db_fill(1, 3);
    db_close();
    (void)db_sql(foreign[_i]);
    db_open();
    ck_assert_uint_eq(db_files("history.db.damaged"), 1);
    ck_assert_uint_eq(db_stats().count, 0);
    db_fill(4, 6);
    ck_assert(db_has(5) && !db_has(1));
}
END_TEST

// What ANALYZE leaves is no part of the form.
START_TEST(statistics_are_no_damage)
{
    db_open();
    db_fill(1, 3);
    db_close();
    (void)db_sql("ANALYZE");
    db_open();
    ck_assert(db_has(2));
    ck_assert_uint_eq(db_files("history.db.damaged"), 0);
}
END_TEST

// Numbers that nobody has counted to, and times that never were: each is an error, and no more.
static const char *const wild[] = {
    "UPDATE job SET created = -9223372036854775808 WHERE id = 1",
    "UPDATE job SET ended = 9223372036854775807, retention = 9223372036854775807 WHERE id = 1",
    "UPDATE job SET started = 9223372036854775807 WHERE id = 1",
    "UPDATE job SET duration = -9223372036854775808 WHERE id = 1",
    "UPDATE job SET exit_status = 4294967296 WHERE id = 1",
    "UPDATE job SET reserves = -1 WHERE id = 1",
    "UPDATE job SET tube = 'a b' WHERE id = 1",
    "UPDATE job SET name = CAST(x'ff' AS TEXT) WHERE id = 1",
    "UPDATE job SET number = -9223372036854775807 WHERE id = 1",
    "UPDATE job SET number = 9223372036854775807 WHERE id = 1",
};

START_TEST(numbers_that_cannot_be)
{
    struct job_record *record = NULL, *records[10];
    const struct history_query all = {.any_kind = true};
    size_t count;
    uint64_t next;
    db_open();
    db_fill(1, 3);
    db_close();
    (void)db_sql(wild[_i]);
    db_open();
    ck_assert_int_eq(history_get(kit.history, 1, &record), EIO);
    ck_assert_int_eq(history_list(kit.history, &all, 10, records, &count, &next), 0);
    ck_assert_uint_eq(next, 0);
    ck_assert_uint_eq(count, 2);
    for (size_t i = 0; i < count; i++)
        job_record_unref(&records[i]);
    ck_assert(db_has(3));
}
END_TEST

static const char *const totals[] = {
    "UPDATE total SET last = 9223372036854775807",
    "UPDATE total SET count = 9223372036854775807",
    "UPDATE total SET bytes = -1",
    "DELETE FROM total",
};

START_TEST(totals_that_cannot_be)
{
    db_open();
    db_fill(1, 3);
    db_close();
    (void)db_sql(totals[_i]);
    db_open();
    ck_assert_uint_eq(db_files("history.db.damaged"), 1);
    db_fill(4, 6);
    ck_assert(db_has(5));
}
END_TEST

// Rows that say they are larger than all: what goes is what is past a bound, and the rest stays.
START_TEST(rows_that_say_too_much)
{
    db_open();
    db_fill(1, 6);
    db_close();
    (void)db_sql("UPDATE job SET bytes = 9223372036854775807 WHERE id < 4");
    kit.settings.keep_count = 4;
    db_open();
    history_purge(kit.history);
    db_await_stat(offsetof(struct history_stats, count), 4);
    ck_assert(db_has(6) && !db_has(1));
    db_fill(7, 9);
    ck_assert(db_has(9));
}
END_TEST

START_TEST(a_directory_that_is_not_there)
{
    char text[512], path[96];
    snprintf(path, sizeof(path), "%s/none/history.db", kit.directory);
    kit.settings.path = path;
    ck_assert_int_eq(db_open_refused(text), ENOENT);
    ck_assert_ptr_nonnull(strstr(text, path));
}
END_TEST

// Larger than SQLite takes in one row: that record is lost, not those beside it.
START_TEST(a_record_that_is_too_large)
{
    kit.settings.linger_ns = 3600 * HL_SECOND;
    db_open();
    (void)sqlite3_limit(kit.history->database->writer, SQLITE_LIMIT_LENGTH, 100000);
    db_add(1);
    db_add_record(db_record_sized(2, 100001));
    db_add(3);
    db_close();
    ck_assert_int_eq(db_sql("SELECT count(*) FROM job"), 2);
    ck_assert_int_eq(db_sql("SELECT count FROM total"), 2);
    db_open();
    ck_assert(db_has(1) && !db_has(2) && db_has(3));
}
END_TEST

static void quiet(enum log_level level, const char *line, void *arg)
{
    (void)level, (void)line, (void)arg;
}

int main(void)
{
    engine_init();
    log_set_sink(quiet, NULL);
    Suite *suite = suite_create("history_fault");
    TCase *all = tcase_create("fault");
    tcase_add_checked_fixture(all, db_up, db_down);
    if (unit_forks())
        tcase_add_test(all, what_is_durable_survives_a_kill);
    tcase_add_test(all, a_full_disk_costs_records_only);
    tcase_add_test(all, a_stop_on_a_full_disk_ends);
    tcase_add_test(all, no_room_for_a_new_file);
    tcase_add_test(all, a_damaged_file_is_put_aside);
    tcase_add_test(all, damage_that_is_found_later);
    tcase_add_test(all, a_row_that_means_nothing);
    tcase_add_test(all, somebody_elses_file_is_left_alone);
    tcase_add_test(all, a_newer_form_is_refused);
    tcase_add_test(all, an_older_form_is_raised);
    tcase_add_test(all, form_3_is_raised);
    tcase_add_loop_test(all, a_schema_that_is_not_ours_is_put_aside, 0,
                        sizeof(foreign) / sizeof(foreign[0]));
    tcase_add_test(all, statistics_are_no_damage);
    tcase_add_loop_test(all, numbers_that_cannot_be, 0, sizeof(wild) / sizeof(wild[0]));
    tcase_add_loop_test(all, totals_that_cannot_be, 0, sizeof(totals) / sizeof(totals[0]));
    tcase_add_test(all, rows_that_say_too_much);
    tcase_add_test(all, a_directory_that_is_not_there);
    tcase_add_test(all, a_record_that_is_too_large);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
