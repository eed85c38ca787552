// SPDX-License-Identifier: MIT
/*
 * The import of beanstalkd's binlog: files made here byte by byte, so that there are states that a
 * beanstalkd can't be brought to on demand (tests/scenario/import.test has a real one).
 */
#include "import/binlog.h"
#include "import/import.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREATED INT64_C(1795374149000000000)
#define SECOND INT64_C(1000000000)

static char top[] = "/tmp/test_import.XXXXXX";
static char old[64], kept[64];
static struct buf file; // the binlog file that is being made
static struct buf said;
static struct journal_error error;
static struct import_census census;

static void make_directories(void)
{
    strcpy(top + strlen(top) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(old, sizeof(old), "%s/old", top);
    snprintf(kept, sizeof(kept), "%s/kept", top);
    ck_assert_int_eq(mkdir(old, 0700), 0);
}

static void remove_directory(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) // NOLINT(concurrency-mt-unsafe)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    (void)rmdir(path);
}

static void remove_directories(void)
{
    remove_directory(old);
    remove_directory(kept);
    (void)rmdir(top);
    buf_fini(&file);
    buf_fini(&said);
}

// ---- files ----

static void add(const void *bytes, size_t len)
{
    ck_assert_int_eq(buf_append(&file, bytes, len), 0);
}

static void add_number(uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = i < 8 ? (char)(number >> 8 * i) : 0;
        add(&byte, 1);
    }
}

static void begin(void)
{
    buf_clear(&file);
    add_number(BINLOG_VERSION, 4);
}

struct made {
    uint64_t id;
    const char *tube, *body; // NULL: a short record, of a body with `len` bytes
    size_t len;
    uint32_t pri;
    enum binlog_state state;
    int64_t delay_s, deadline_ns;
    uint32_t buries;
};

static void add_record(const struct made *made)
{
    size_t len = made->body != NULL ? strlen(made->body) : made->len;
    size_t name = made->tube != NULL ? strlen(made->tube) : 0;
    add_number(name, 4);
    add(made->tube, name);
    add_number(made->id, 8);
    add_number(made->pri, 8);
    add_number((uint64_t)(made->delay_s * SECOND), 8);
    add_number((uint64_t)(60 * SECOND), 8);
    add_number(len + 2, 8);
    add_number((uint64_t)CREATED, 8);
    add_number((uint64_t)made->deadline_ns, 8);
    add_number(1, 4);
    add_number(2, 4);
    add_number(3, 4);
    add_number(made->buries, 4);
    add_number(5, 4);
    add_number(made->state, 4);
    if (made->tube == NULL)
        return;
    add(made->body, len);
    add("\r\n", 2);
}

static void add_job(uint64_t id, const char *tube, const char *body)
{
    const struct made made = {.id = id, .tube = tube, .body = body, .state = BINLOG_READY};
    add_record(&made);
}

static void add_change(uint64_t id, size_t len, enum binlog_state state)
{
    const struct made made = {.id = id, .len = len, .state = state};
    add_record(&made);
}

static void write_file(unsigned number)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/binlog.%u", old, number);
    FILE *out = fopen(path, "wbe");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(file.data, 1, file.len, out), file.len);
    ck_assert_int_eq(fclose(out), 0);
}

// ---- the import, and what is there then ----

static void line_add(void *arg, const char *text)
{
    (void)arg;
    ck_assert_int_eq(buf_printf(&said, "%s\n", text), 0);
}

static int import(void)
{
    const struct journal_settings to = {.directory = kept,
                                        .segment_size = JOURNAL_SEGMENT_MIN,
                                        .segment_size_max = JOURNAL_SEGMENT_MIN};
    struct import *work;
    buf_clear(&said);
    ck_assert_int_eq(buf_append_str(&said, ""), 0);
    census = (struct import_census){0};
    int rc = import_open(&work, old, line_add, NULL, &error);
    if (rc != 0)
        return rc;
    rc = import_write(work, &to, &error);
    import_get_census(work, &census);
    import_free(&work);
    return rc;
}

static struct buf shown;

static int entry_show(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    (void)arg, (void)locator;
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
    if (entry.type == JOB_ENTRY_LIMITS)
        return buf_printf(&shown, "below %" PRIu64 "\n", entry.id_limit);
    ck_assert_int_eq(entry.type, JOB_ENTRY_PUT);
    ck_assert_int_eq(entry.created_wall_ns, CREATED);
    ck_assert_uint_eq(entry.ttr_s, 60);
    ck_assert_uint_eq(entry.reserves, 1);
    ck_assert_uint_eq(entry.tries.timeouts, 2);
    ck_assert_uint_eq(entry.releases, 3);
    ck_assert_uint_eq(entry.kicks, 5);
    return buf_printf(
        &shown, "%" PRIu64 " %.*s %s pri %u buried %u %" PRIu64 " delay %d %d \"%.*s\"\n", entry.id,
        (int)entry.tube_len, entry.tube, job_state_word(entry.state), entry.pri, entry.buries,
        entry.burial, (int)(entry.delay_ns / SECOND),
        entry.until_wall_ns != 0 ? (int)((entry.until_wall_ns - CREATED) / SECOND) : 0,
        (int)entry.body_len, entry.body);
}

// All records of the journal are these lines.
static void kept_is(const char *expected)
{
    const struct journal_settings settings = {.directory = kept, .read_only = true};
    const struct journal_visitor visitor = {.record = entry_show};
    struct journal *journal;
    struct journal_replayed replayed;
    buf_clear(&shown);
    ck_assert_int_eq(buf_append_str(&shown, ""), 0);
    ck_assert_int_eq(journal_open(&journal, &settings, &error), 0);
    ck_assert_int_eq(journal_acquire(journal, &error), 0);
    ck_assert_int_eq(journal_replay(journal, &visitor, &replayed, &error), 0);
    ck_assert_uint_eq(replayed.damages, 0);
    ck_assert_int_eq(journal_close(&journal), 0);
    ck_assert_int_eq(buf_append_char(&shown, '\0'), 0);
    ck_assert_str_eq(shown.data, expected);
    buf_fini(&shown);
}

static void said_is(const char *expected)
{
    ck_assert_int_eq(buf_append_char(&said, '\0'), 0);
    ck_assert_str_eq(said.data, expected);
}

// ---- tests ----

START_TEST(job_is_what_its_last_record_says)
{
    begin();
    add_job(1, "a", "one");
    add_job(2, "b", "two");
    add_job(3, "a", "");
    add_job(4, "a", "four");
    add_record(&(struct made){.id = 5, .tube = "a", .body = "x\r\n", .state = BINLOG_RESERVED});
    add_record(&(struct made){.id = 2,
                              .len = 3,
                              .pri = 9,
                              .state = BINLOG_DELAYED,
                              .delay_s = 30,
                              .deadline_ns = CREATED + 77 * SECOND});
    add_record(&(struct made){.id = 3, .len = 0, .pri = 7, .state = BINLOG_BURIED, .buries = 4});
    add_change(1, 3, BINLOG_DELETED);
    write_file(1);
    ck_assert_int_eq(import(), 0);
    said_is("");
    kept_is("2 b delayed pri 9 buried 0 0 delay 30 77 \"two\"\n"
            "3 a buried pri 7 buried 4 1 delay 0 0 \"\"\n"
            "4 a ready pri 0 buried 0 0 delay 0 0 \"four\"\n"
            "5 a ready pri 0 buried 0 0 delay 0 0 \"x\r\n\"\n"
            "below 6\n");
    ck_assert_uint_eq(census.jobs, 4);
    ck_assert_uint_eq(census.ready, 2);
    ck_assert_uint_eq(census.delayed, 1);
    ck_assert_uint_eq(census.buried, 1);
    ck_assert_uint_eq(census.deleted, 1);
    ck_assert_uint_eq(census.job_bytes, 10);
    ck_assert_uint_eq(census.written, 4);
}
END_TEST

START_TEST(buried_jobs_keep_their_order)
{
    begin();
    for (uint64_t id = 1; id <= 3; id++)
        add_job(id, "t", "x");
    add_change(3, 1, BINLOG_BURIED);
    add_change(1, 1, BINLOG_BURIED);
    add_change(2, 1, BINLOG_BURIED);
    add_change(3, 1, BINLOG_READY); // kicked, and buried again: now the last
    add_change(3, 1, BINLOG_BURIED);
    write_file(1);
    begin(); // moved by compaction: in its old place
    add_record(&(struct made){.id = 1, .tube = "t", .body = "x", .state = BINLOG_BURIED});
    write_file(2);
    ck_assert_int_eq(import(), 0);
    kept_is("1 t buried pri 0 buried 0 2 delay 0 0 \"x\"\n"
            "2 t buried pri 0 buried 0 3 delay 0 0 \"x\"\n"
            "3 t buried pri 0 buried 0 4 delay 0 0 \"x\"\n"
            "below 4\n");
}
END_TEST

START_TEST(files_are_read_in_the_order_of_their_numbers)
{
    begin();
    add_change(1, 1, BINLOG_BURIED); // its first record was in a file that is gone
    add_job(2, "t", "y");
    write_file(9);
    begin();
    add_job(1, "t", "x");
    write_file(10);
    begin();
    add_change(2, 1, BINLOG_DELETED);
    add_number(0, 500); // space that was kept for more
    write_file(11);
    ck_assert_int_eq(import(), 0);
    said_is("");
    kept_is("1 t ready pri 0 buried 0 0 delay 0 0 \"x\"\nbelow 3\n");
}
END_TEST

START_TEST(nothing_to_take_over_takes_the_ids)
{
    begin();
    add_job(41, "t", "x");
    add_change(41, 1, BINLOG_DELETED);
    write_file(3);
    ck_assert_int_eq(import(), 0);
    kept_is("below 42\n");
    buf_clear(&file);
    write_file(3); // made, and never written to
    remove_directory(kept);
    ck_assert_int_eq(import(), 0);
    kept_is("below 1\n");
}
END_TEST

// Ids, and the order of burial, from where there are no more of them.
START_TEST(numbers_end_before_what_can_be_read)
{
    begin();
    add_job(JOB_ID_MAX, "t", "x");
    write_file(1);
    ck_assert_int_eq(import(), 0);
    kept_is("4611686018427387904 t ready pri 0 buried 0 0 delay 0 0 \"x\"\n"
            "below 4611686018427387904\n");
}
END_TEST

START_TEST(interrupted_import_goes_on)
{
    begin();
    add_job(1, "t", "one");
    add_job(2, "t", "two");
    write_file(1);
    ck_assert_int_eq(import(), 0);
    begin(); // as if the first time had ended there: 3 and 4 are new
    add_job(4, "t", "four");
    add_job(1, "t", "one");
    add_job(2, "t", "two");
    add_job(3, "t", "three");
    write_file(1);
    ck_assert_int_eq(import(), 0);
    ck_assert_uint_eq(census.passed_over, 2);
    ck_assert_uint_eq(census.written, 2);
    kept_is("1 t ready pri 0 buried 0 0 delay 0 0 \"one\"\n"
            "2 t ready pri 0 buried 0 0 delay 0 0 \"two\"\n"
            "below 3\n"
            "3 t ready pri 0 buried 0 0 delay 0 0 \"three\"\n"
            "4 t ready pri 0 buried 0 0 delay 0 0 \"four\"\n"
            "below 5\n");
}
END_TEST

START_TEST(id_that_is_not_free_stops_all_of_it)
{
    begin();
    add_job(5, "t", "five");
    write_file(1);
    ck_assert_int_eq(import(), 0);
    static const struct {
        uint64_t id;
        const char *tube, *body;
    } others[] = {{5, "t", "FIVE"}, {5, "u", "five"}, {4, "t", "never there, but given out"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        begin();
        add_job(6, "t", "six");
        add_job(others[i].id, others[i].tube, others[i].body);
        write_file(1);
        ck_assert_int_eq(import(), EEXIST);
        ck_assert_uint_eq(census.written, 0);
        char expected[64];
        snprintf(expected, sizeof(expected), "job %" PRIu64 " can't be taken over", others[i].id);
        ck_assert_msg(strncmp(error.text, expected, strlen(expected)) == 0, "%s", error.text);
    }
    kept_is("5 t ready pri 0 buried 0 0 delay 0 0 \"five\"\nbelow 6\n");
}
END_TEST

// Each is behind a job that is whole, which must arrive.
static const struct {
    const char *what;
    uint64_t name_len, id, body_len, state;
    int64_t created, ttr;
    const char *tail;
} broken[] = {
    {"a record with a length of a name that can't be", 201, 2, 3, 1, CREATED, 1, ""},
    {"a record with a length of a name that can't be", UINT32_MAX, 2, 3, 1, CREATED, 1, ""},
    {"a record without an id", 0, 0, 3, 1, CREATED, 1, ""},
    {"a record with a state that there is not", 0, 2, 3, 5, CREATED, 1, ""},
    {"a record with a time before 1970, or a negative one", 0, 2, 3, 1, CREATED, -1, ""},
    {"a record with a length of body that can't be", 0, 2, 1, 1, CREATED, 1, ""},
    {"a record with a length of body that can't be", 0, 2, UINT32_MAX, 1, CREATED, 1, ""},
    {"a record whose body is cut off", 3, 2, 30, 1, CREATED, 1, "0123456789"},
    {"a record whose body has no end", 3, 2, 5, 1, CREATED, 1, "0123456789"},
    {"a record with a name of a tube that can't be", 3, 2, 4, 1, CREATED, 1, "ab\r\n"},
    {"a record that contradicts what came before it", 0, 1, 4, 1, CREATED, 1, ""},
    {"a record that contradicts what came before it", 0, 1, 6, 1, CREATED + 1, 1, ""},
};

START_TEST(damage_ends_a_file)
{
    begin();
    add_job(1, "t", "good");
    size_t at = file.len;
    add_number(broken[_i].name_len, 4);
    // a tube's name with a space, where everything else is right
    bool bad_name = strstr(broken[_i].what, "name of a tube") != NULL;
    add(bad_name ? "t u" : "t-u", broken[_i].name_len == 3 ? 3 : 0);
    add_number(broken[_i].id, 8);
    add_number(0, 8);
    add_number(0, 8);
    add_number((uint64_t)broken[_i].ttr, 8);
    add_number(broken[_i].body_len, 4);
    add_number(0, 4);
    add_number((uint64_t)broken[_i].created, 8);
    add_number(0, 8);
    add_number(0, 20);
    add_number(broken[_i].state, 4);
    add(broken[_i].tail, strlen(broken[_i].tail));
    size_t end = file.len;
    while (file.data[end - 1] == '\0')
        end--;
    write_file(1);
    begin();
    add_job(3, "t", "of the next file");
    write_file(2);
    ck_assert_int_eq(import(), 0);
    ck_assert_uint_eq(census.damages, 1);
    ck_assert_uint_eq(census.lost_bytes, end - at);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "damage: binlog.1, byte %zu: %s; %zu bytes to the end of the file can't be read\n", at,
             broken[_i].what, end - at);
    said_is(expected);
    kept_is("1 t ready pri 0 buried 0 0 delay 0 0 \"good\"\n"
            "3 t ready pri 0 buried 0 0 delay 0 0 \"of the next file\"\n"
            "below 4\n");
}
END_TEST

START_TEST(file_may_be_cut_anywhere)
{
    begin();
    add_job(1, "t", "one");
    add_change(1, 3, BINLOG_BURIED);
    add_job(2, "t", "two");
    size_t whole = file.len;
    for (size_t len = 0; len < whole; len++) {
        file.len = len;
        write_file(1);
        remove_directory(kept);
        ck_assert_int_eq(import(), 0);
        ck_assert_uint_le(census.jobs, 1);
        ck_assert_uint_eq(census.jobs, len >= 94);
        // the second record begins with four zeros, of which nobody can tell that they are one
        bool between = len == 0 || len == 4 || (len >= 94 && len <= 98) || len == 178;
        ck_assert_msg(between == (census.damages == 0), "cut at %zu", len);
    }
}
END_TEST

START_TEST(what_is_missing_is_told)
{
    begin();
    add_job(1, "t", "one");
    write_file(1);
    begin();
    add_change(2, 3, BINLOG_BURIED);
    add_change(3, 3, BINLOG_BURIED);
    add_change(3, 3, BINLOG_DELETED);
    write_file(4);
    ck_assert_int_eq(import(), 0);
    said_is("damage: binlog.2 is missing, up to binlog.3\n"
            "damage: 1 jobs were changed that no file has: they are lost\n");
    ck_assert_uint_eq(census.damages, 2);
    kept_is("1 t ready pri 0 buried 0 0 delay 0 0 \"one\"\nbelow 4\n");
}
END_TEST

START_TEST(other_versions_are_refused)
{
    static const struct {
        uint64_t version;
        const char *why;
    } versions[] = {{5, "is of version 5, which an older beanstalkd has written"},
                    {8, "is of a version that isn't known here"},
                    {UINT64_C(7) << 24, "is of a machine with the other byte order"}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        buf_clear(&file);
        add_number(versions[i].version, 4);
        write_file(1);
        ck_assert_int_eq(import(), EOPNOTSUPP);
        ck_assert_ptr_nonnull(strstr(error.text, versions[i].why));
    }
    ck_assert_int_ne(access(kept, F_OK), 0);
}
END_TEST

START_TEST(directory_without_binlog_is_refused)
{
    ck_assert_int_eq(import(), ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "there is no binlog"));
    ck_assert_int_eq(rmdir(old), 0);
    ck_assert_int_eq(import(), ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import");
    TCase *jobs = tcase_create("jobs");
    tcase_add_checked_fixture(jobs, make_directories, remove_directories);
    tcase_add_test(jobs, job_is_what_its_last_record_says);
    tcase_add_test(jobs, buried_jobs_keep_their_order);
    tcase_add_test(jobs, files_are_read_in_the_order_of_their_numbers);
    tcase_add_test(jobs, nothing_to_take_over_takes_the_ids);
    tcase_add_test(jobs, numbers_end_before_what_can_be_read);
    tcase_add_test(jobs, interrupted_import_goes_on);
    tcase_add_test(jobs, id_that_is_not_free_stops_all_of_it);
    suite_add_tcase(suite, jobs);
    TCase *damage = tcase_create("damage");
    tcase_add_checked_fixture(damage, make_directories, remove_directories);
    tcase_add_loop_test(damage, damage_ends_a_file, 0, sizeof(broken) / sizeof(broken[0]));
    tcase_add_test(damage, file_may_be_cut_anywhere);
    tcase_add_test(damage, what_is_missing_is_told);
    tcase_add_test(damage, other_versions_are_refused);
    tcase_add_test(damage, directory_without_binlog_is_refused);
    suite_add_tcase(suite, damage);
    return unit_main(suite);
}
