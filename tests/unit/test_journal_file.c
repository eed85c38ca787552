// SPDX-License-Identifier: MIT
// The backend `file` when all is well: what is appended is replayed and read back, segments are
// used again, space is kept back, and two never share a directory.

#include "base/log.h"
#include "journal_kit.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static struct kit kit;

static void setup(void)
{
    kit_setup();
    kit_init(&kit);
}

static void teardown(void)
{
    kit_fini(&kit);
    kit_teardown();
}

static void open_well(void)
{
    int rc = kit_open(&kit);
    ck_assert_msg(rc == 0, "open: %s", kit.error.text);
    ck_assert_uint_eq(kit.seen.damages, 0);
}

static void reopen(void)
{
    ck_assert_int_eq(kit_close(&kit), 0);
    open_well();
}

static struct journal_stat stat_now(void)
{
    struct journal_stat stat;
    journal_stat(kit.journal, &stat);
    return stat;
}

START_TEST(empty_has_nothing)
{
    open_well();
    ck_assert_uint_eq(kit.seen.count, 0);
    ck_assert_uint_eq(kit.replayed.last_sequence, 0);
    reopen();
    ck_assert_uint_eq(kit.seen.count, 0);
    ck_assert(kit.replayed.clean);
}
END_TEST

START_TEST(records_come_back_in_order)
{
    static const char *const more[] = {"two", "three", "four"};
    static const char *const all[] = {"one", "two", "three", "four"};
    open_well();
    ck_assert_int_eq(kit_append(&kit, "one", NULL), 0);
    ck_assert_int_eq(kit_append_many(&kit, more, 3, true), 0);
    reopen();
    ck_assert(kit_saw(&kit.seen, all, 4));
    ck_assert(kit.replayed.clean);
    ck_assert_uint_eq(kit.replayed.frames, 3); // the last one marks the end
    // Killed: the same, but not clean.
    ck_assert_int_eq(kit_append(&kit, "five", NULL), 0);
    kit_kill(&kit, NULL);
    open_well();
    ck_assert_uint_eq(kit.seen.count, 5);
    ck_assert(!kit.replayed.clean);
}
END_TEST

START_TEST(sequence_is_expected)
{
    open_well();
    ck_assert_int_eq(kit_append(&kit, "one", NULL), 0);
    kit.sequence = 0;
    ck_assert_int_eq(kit_append(&kit, "two", NULL), ESTALE);
    kit.sequence = 1;
    ck_assert_int_eq(kit_append(&kit, "two", NULL), 0);
    ck_assert_int_eq(stat_now().broken, 0);
}
END_TEST

START_TEST(record_is_read_back)
{
    uint64_t one, two, large;
    static char bytes[20000];
    struct buf record = BUF_EMPTY;
    memset(bytes, 'x', sizeof(bytes));
    open_well();
    ck_assert_int_eq(kit_append(&kit, "one", &one), 0);
    ck_assert_int_eq(kit_append(&kit, "two", &two), 0);
    ck_assert_int_eq(kit_append_bytes(&kit, bytes, sizeof(bytes), true, &large), 0);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(journal_read(kit.journal, two, &record), 0);
        ck_assert_uint_eq(record.len, 3);
        ck_assert_mem_eq(record.data, "two", 3);
        ck_assert_int_eq(journal_read(kit.journal, large, &record), 0);
        ck_assert_uint_eq(record.len, sizeof(bytes));
        ck_assert_mem_eq(record.data, bytes, sizeof(bytes));
        // Places where nothing begins, or that never were.
        ck_assert_int_eq(journal_read(kit.journal, two + 1, &record), EBADMSG);
        ck_assert_int_eq(journal_read(kit.journal, two | 0xffff, &record), EBADMSG);
        ck_assert_int_eq(journal_read(kit.journal, two - 1000, &record), EBADMSG);
        ck_assert_int_eq(journal_read(kit.journal, two + (UINT64_C(7) << 32), &record), ENOENT);
        ck_assert_uint_eq(record.len, 0);
        reopen();
        ck_assert_uint_eq(kit.seen.locator[1], two);
    }
    size_t size;
    unsigned char *file = disk_file(kit_file(), &size);
    file[(uint32_t)one + 9] ^= 1; // in its text
    ck_assert_int_eq(journal_read(kit.journal, one, &record), EBADMSG);
    ck_assert_int_eq(journal_read(kit.journal, two, &record), 0);
    buf_fini(&record);
}
END_TEST

static void append_number(unsigned number, size_t len)
{
    char text[4000];
    ck_assert_uint_lt(len, sizeof(text));
    memset(text, '.', len);
    snprintf(text, sizeof(text), "%06u", number);
    text[6] = '.';
    int rc = kit_append_bytes(&kit, text, len, true, NULL);
    ck_assert_msg(rc == 0, "append %u: %d", number, rc);
}

// Whether exactly the numbers first to last were seen.
static void check_numbers(unsigned first, unsigned last)
{
    ck_assert_uint_eq(kit.seen.count, last - first + 1);
    for (unsigned i = 0; i < kit.seen.count; i++) {
        size_t len;
        const char *text = kit_record(&kit.seen, i, &len);
        ck_assert_uint_eq(strtoul(text, NULL, 10), first + i);
    }
}

START_TEST(many_segments)
{
    open_well();
    for (unsigned i = 0; i < 300; i++)
        append_number(i, 1000);
    struct journal_stat stat = stat_now();
    ck_assert_uint_ge(stat.segments, 5);
    ck_assert_uint_eq(stat.records, 300);
    ck_assert_uint_eq(stat.syncs, 300 + stat.segments); // one for each header
    ck_assert_uint_ge(stat.bytes_used, 302400);
    size_t lock_size = 0;
    ck_assert_ptr_nonnull(disk_file("journal.lock", &lock_size));
    ck_assert_uint_eq(stat.bytes_total + lock_size, disk_used());
    reopen();
    check_numbers(0, 299);
    ck_assert_uint_ge(kit.replayed.segments, 5);
}
END_TEST

START_TEST(large_record_has_a_segment_of_its_own)
{
    static char bytes[5 * KIT_SEGMENT];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 31);
    uint64_t locator;
    open_well();
    append_number(1, 100);
    ck_assert_int_eq(kit_append_bytes(&kit, bytes, sizeof(bytes), true, &locator), 0);
    append_number(2, 100);
    reopen();
    ck_assert_uint_eq(kit.seen.count, 3);
    size_t len;
    const char *again = kit_record(&kit.seen, 1, &len);
    ck_assert_uint_eq(len, sizeof(bytes));
    ck_assert_mem_eq(again, bytes, len);
    struct buf record = BUF_EMPTY;
    ck_assert_int_eq(journal_read(kit.journal, locator, &record), 0);
    ck_assert_uint_eq(record.len, sizeof(bytes));
    buf_fini(&record);
}
END_TEST

START_TEST(what_is_not_synced_may_be_lost_but_not_the_order)
{
    static const char *const one[] = {"one"}, *const two[] = {"two"}, *const three[] = {"three"};
    struct unit_random random = {(uint64_t)_i + 1};
    open_well();
    ck_assert_int_eq(kit_append_many(&kit, one, 1, true), 0);
    ck_assert_int_eq(kit_append_many(&kit, two, 1, false), 0);
    ck_assert_int_eq(kit_append_many(&kit, three, 1, false), 0);
    if (_i % 2 == 0)
        ck_assert_int_eq(journal_sync(kit.journal), 0);
    kit_kill(&kit, &random);
    open_well();
    static const char *const all[] = {"one", "two", "three"};
    ck_assert(kit_saw(&kit.seen, all, kit.seen.count));
    ck_assert_uint_ge(kit.seen.count, _i % 2 == 0 ? 3 : 1);
}
END_TEST

// ---- making room ----

static uint64_t oldest_end(struct kit_seen *seen)
{
    struct journal_scan scan;
    struct journal_visitor visitor = kit_visitor(seen);
    ck_assert_int_eq(journal_scan_begin(kit.journal, &scan), 0);
    int rc;
    while ((rc = journal_scan_next(kit.journal, &scan, &visitor, 7)) == EAGAIN) {
    }
    ck_assert_int_eq(rc, 0);
    uint64_t end = scan.end;
    journal_scan_end(kit.journal, &scan);
    return end;
}

START_TEST(trimmed_segments_are_used_again)
{
    open_well();
    unsigned next = 0, first = 0;
    for (int round = 0; round < 40; round++) {
        while (stat_now().segments < 3)
            append_number(next++, 1000);
        struct kit_seen seen;
        kit_seen_init(&seen);
        uint64_t end = oldest_end(&seen);
        ck_assert_uint_gt(seen.count, 50);
        first += (unsigned)seen.count;
        kit_seen_fini(&seen);
        ck_assert_int_eq(journal_trim(kit.journal, end, &kit.sequence), 0);
    }
    struct journal_stat stat = stat_now();
    ck_assert_uint_ge(stat.recycled, 40);
    ck_assert_uint_le(stat.bytes_total, 10 * KIT_SEGMENT);
    ck_assert_uint_le(disk_used(), 10 * KIT_SEGMENT + 32);
    reopen();
    check_numbers(first, next - 1);
    // Killed in the middle of it all: old generations in the files are not taken for new.
    kit_kill(&kit, NULL);
    open_well();
    check_numbers(first, next - 1);
}
END_TEST

START_TEST(pinned_segment_is_left_alone)
{
    uint64_t locator;
    struct buf record = BUF_EMPTY;
    open_well();
    ck_assert_int_eq(kit_append(&kit, "pinned", &locator), 0);
    for (unsigned i = 0; stat_now().segments < 2; i++)
        append_number(i, 1000);
    ck_assert_int_eq(journal_pin(kit.journal, locator), 0);
    uint64_t recycled = stat_now().recycled;
    ck_assert_int_eq(journal_trim(kit.journal, UINT64_MAX, &kit.sequence), 0);
    ck_assert_uint_eq(stat_now().recycled, recycled);
    ck_assert_int_eq(journal_read(kit.journal, locator, &record), 0);
    ck_assert_mem_eq(record.data, "pinned", 6);
    journal_unpin(kit.journal, locator);
    ck_assert_uint_eq(stat_now().recycled, recycled + 1);
    ck_assert_int_eq(journal_read(kit.journal, locator, &record), ENOENT);
    ck_assert_int_eq(journal_pin(kit.journal, locator), ENOENT);
    buf_fini(&record);
}
END_TEST

START_TEST(scan_stops_where_it_is_told)
{
    open_well();
    for (unsigned i = 0; stat_now().segments < 2; i++)
        append_number(i, 1000);
    struct kit_seen seen;
    kit_seen_init(&seen);
    struct journal_visitor visitor = kit_visitor(&seen);
    struct journal_scan scan;
    ck_assert_int_eq(journal_scan_begin(kit.journal, &scan), 0);
    seen.stop_at = 5;
    seen.stop_with = ENOSPC;
    ck_assert_int_eq(journal_scan_next(kit.journal, &scan, &visitor, 100), ENOSPC);
    ck_assert_uint_eq(seen.count, 5);
    seen.stop_with = 0;
    ck_assert_int_eq(journal_scan_next(kit.journal, &scan, &visitor, 3), EAGAIN);
    ck_assert_uint_eq(seen.count, 8);
    for (unsigned i = 0; i < 8; i++) {
        size_t len;
        ck_assert_uint_eq(strtoul(kit_record(&seen, i, &len), NULL, 10), i);
    }
    journal_scan_end(kit.journal, &scan);
    kit_seen_fini(&seen);
    // The segment that is written to is not scanned.
    ck_assert_int_eq(journal_trim(kit.journal, UINT64_MAX, &kit.sequence), 0);
    ck_assert_int_eq(journal_scan_begin(kit.journal, &scan), ENOENT);
}
END_TEST

START_TEST(full_disk_keeps_room_for_states)
{
    open_well();
    append_number(0, 1000);
    disk_space(disk_used()); // not one byte more
    unsigned puts = 1;
    char text[1001];
    memset(text, 'p', 1000);
    text[1000] = '\0';
    int rc;
    while ((rc = kit_append_class(&kit, text, JOURNAL_PUT)) == 0)
        puts++;
    ck_assert_int_eq(rc, ENOSPC);
    struct journal_room room;
    journal_room(kit.journal, &room);
    ck_assert(room.full);
    ck_assert_int_eq(stat_now().broken, 0);
    unsigned states = 0, copies = 0;
    while ((rc = kit_append_class(&kit, text, JOURNAL_STATE)) == 0)
        states++;
    ck_assert_int_eq(rc, ENOSPC);
    while ((rc = kit_append_class(&kit, text, JOURNAL_COMPACT)) == 0)
        copies++;
    ck_assert_int_eq(rc, ENOSPC);
    ck_assert_uint_gt(states, 50);
    ck_assert_uint_gt(copies, 50);
    // A trim finds room for its note; what it frees is used.
    ck_assert_int_eq(journal_trim(kit.journal, UINT64_MAX, &kit.sequence), 0);
    ck_assert_int_eq(kit_append_class(&kit, text, JOURNAL_PUT), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    // It starts on a full disk, too.
    open_well();
    ck_assert_int_eq(kit_append_class(&kit, text, JOURNAL_STATE), 0);
    disk_space(0);
    for (unsigned i = 0; i < 400; i++)
        ck_assert_int_eq(kit_append_class(&kit, text, JOURNAL_PUT), 0);
}
END_TEST

START_TEST(too_large_is_refused)
{
    open_well();
    struct journal_record records[2] = {{.head = "", .head_len = UINT32_C(1) << 30},
                                        {.head = "", .head_len = UINT32_C(1) << 30}};
    // The bytes aren't touched: their sum is looked at first.
    ck_assert_int_eq(kit_append_records(&kit, records, 2, true, JOURNAL_PUT), EMSGSIZE);
    ck_assert_int_eq(kit_append(&kit, "x", NULL), 0);
}
END_TEST

// ---- who may use the directory ----

START_TEST(second_writer_is_refused)
{
    open_well();
    struct kit other;
    kit_init(&other);
    ck_assert_int_eq(kit_open(&other), EBUSY);
    char pid[32];
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    ck_assert_ptr_nonnull(strstr(other.error.text, pid));
    other.settings.read_only = true;
    ck_assert_int_eq(kit_open(&other), EBUSY);
    kit_fini(&other);
    // Readers share, and keep a writer out.
    ck_assert_int_eq(kit_append(&kit, "one", NULL), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    kit_init(&other);
    other.settings.read_only = true;
    kit.settings.read_only = true;
    ck_assert_int_eq(kit_open(&other), 0);
    open_well();
    ck_assert_uint_eq(kit.seen.count, 1);
    struct kit writer;
    kit_init(&writer);
    ck_assert_int_eq(kit_open(&writer), EBUSY);
    kit_fini(&writer);
    kit_fini(&other);
}
END_TEST

START_TEST(beanstalkd_is_refused)
{
    disk_make("binlog.1", 100);
    disk_make("lock", 0);
    ck_assert_int_eq(kit_open(&kit), EEXIST);
    ck_assert_ptr_nonnull(strstr(kit.error.text, "--import-beanstalkd"));
    ck_assert_uint_eq(disk_files(), 2); // nothing was made there
}
END_TEST

START_TEST(newer_version_stops)
{
    open_well();
    ck_assert_int_eq(kit_append(&kit, "one", NULL), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    size_t size;
    unsigned char *file = disk_file(kit_file(), &size);
    // A header as a newer hilera would write it.
    for (int copy = 0; copy < 2; copy++) {
        unsigned char *header = file + (size_t)copy * 512;
        header[8] = 2;
        uint64_t check = XXH3_64bits(header, 56);
        for (int i = 0; i < 8; i++)
            header[56 + i] = (unsigned char)(check >> 8 * i);
    }
    ck_assert_int_eq(kit_open(&kit), EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(kit.error.text, "newer hilera"));
}
END_TEST

START_TEST(other_journals_segment_stops)
{
    open_well();
    ck_assert_int_eq(kit_append(&kit, "one", NULL), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    size_t size;
    char name[40];
    strcpy(name, kit_file());
    unsigned char *bytes = disk_file(name, &size), *copy = malloc(size);
    memcpy(copy, bytes, size);
    // The same file twice.
    disk_make("segment-000099", size);
    memcpy(disk_file("segment-000099", &size), copy, size);
    ck_assert_int_eq(kit_open(&kit), EEXIST);
    ck_assert_ptr_nonnull(strstr(kit.error.text, "copy"));
    // A file of another journal.
    disk_start();
    open_well();
    ck_assert_int_eq(kit_append(&kit, "two", NULL), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    disk_make("segment-000099", size);
    memcpy(disk_file("segment-000099", &size), copy, size);
    ck_assert_int_eq(kit_open(&kit), EEXIST);
    ck_assert_ptr_nonnull(strstr(kit.error.text, "another journal"));
    free(copy);
}
END_TEST

START_TEST(settings_are_checked)
{
    kit.settings.segment_size = 1000;
    ck_assert_int_eq(kit_open(&kit), EINVAL);
    kit.settings.segment_size = 4 * JOURNAL_SEGMENT_MIN;
    ck_assert_int_eq(kit_open(&kit), EINVAL);
    kit.settings.segment_size_max = 4 * JOURNAL_SEGMENT_MIN;
    open_well();
}
END_TEST

// ---- the real system, and the thread that prepares ----

START_TEST(on_a_real_disk)
{
    char path[] = "/tmp/hilera-journal-XXXXXX", command[100];
    ck_assert_ptr_nonnull(mkdtemp(path));
    char directory[64];
    snprintf(directory, sizeof(directory), "%s/data", path);
    kit.settings = (struct journal_settings){.directory = directory};
    open_well();
    struct stat about;
    ck_assert_int_eq(stat(directory, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0700);
    ck_assert_uint_le(stat_now().bytes_total, 16000000);
    for (unsigned i = 0; i < 20; i++)
        append_number(i, 3000);
    struct kit other;
    kit_init(&other);
    other.settings = kit.settings;
    ck_assert_int_eq(kit_open(&other), EBUSY);
    kit_fini(&other);
    reopen();
    check_numbers(0, 19);
    ck_assert(kit.replayed.clean);
    ck_assert_int_eq(kit_close(&kit), 0);
    kit.settings.directory = "/proc/hilera";
    ck_assert_int_ne(kit_open(&kit), 0);
    snprintf(command, sizeof(command), "rm -r %s", path);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(with_the_thread)
{
    kit.settings.prepare_inline = false;
    kit.settings.segment_size_max = 4 * JOURNAL_SEGMENT_MIN;
    open_well();
    unsigned next = 0;
    while (stat_now().segments < 70) // so far that segments grow
        append_number(next++, 3000);
    size_t size = 0;
    for (unsigned number = 1; number < 200; number++) {
        char name[40];
        size_t some;
        snprintf(name, sizeof(name), "segment-%06u", number);
        if (disk_file(name, &some) != NULL && some > size)
            size = some;
    }
    ck_assert_uint_gt(size, KIT_SEGMENT);
    reopen();
    check_numbers(0, next - 1);
    // Emptied: what is too many is removed.
    append_number(next, 100);
    ck_assert_int_eq(journal_trim(kit.journal, UINT64_MAX, &kit.sequence), 0);
    while (stat_now().bytes_total > 40 * KIT_SEGMENT)
        sched_yield();
    ck_assert_uint_ge(stat_now().segments_ready, 4);
}
END_TEST

START_TEST(none_keeps_nothing)
{
    kit.settings.directory = NULL;
    open_well();
    uint64_t locator;
    ck_assert_int_eq(kit_append(&kit, "one", &locator), 0);
    struct buf record = BUF_EMPTY;
    ck_assert_int_eq(journal_read(kit.journal, locator, &record), ENOENT);
    ck_assert_int_eq(journal_pin(kit.journal, locator), ENOENT);
    ck_assert_int_eq(journal_sync(kit.journal), 0);
    ck_assert_int_eq(journal_trim(kit.journal, UINT64_MAX, &kit.sequence), 0);
    struct journal_room room;
    journal_room(kit.journal, &room);
    ck_assert(room.put == INT64_MAX && room.copy == INT64_MAX && !room.full && !room.slow_next);
    struct journal_facts facts;
    journal_facts(kit.journal, &facts);
    ck_assert(facts.window == 1 && !facts.distant);
    struct journal_scan scan;
    ck_assert_int_eq(journal_scan_begin(kit.journal, &scan), ENOENT);
    kit.sequence = 7;
    ck_assert_int_eq(kit_append(&kit, "two", NULL), ESTALE);
    ck_assert_uint_eq(stat_now().records, 1);
    reopen();
    ck_assert_uint_eq(kit.seen.count, 0);
}
END_TEST

START_TEST(powers_of_two)
{
    ck_assert_uint_eq(journal_log2(0), 0);
    ck_assert_uint_eq(journal_log2(1), 1);
    ck_assert_uint_eq(journal_log2(3), 2);
    ck_assert_uint_eq(journal_log2(4), 3);
    ck_assert_uint_eq(journal_log2(UINT64_MAX), JOURNAL_LOG2 - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_file");
    TCase *all = tcase_create("journal_file");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, empty_has_nothing);
    tcase_add_test(all, records_come_back_in_order);
    tcase_add_test(all, sequence_is_expected);
    tcase_add_test(all, record_is_read_back);
    tcase_add_test(all, many_segments);
    tcase_add_test(all, large_record_has_a_segment_of_its_own);
    tcase_add_loop_test(all, what_is_not_synced_may_be_lost_but_not_the_order, 0, 40);
    tcase_add_test(all, trimmed_segments_are_used_again);
    tcase_add_test(all, pinned_segment_is_left_alone);
    tcase_add_test(all, scan_stops_where_it_is_told);
    tcase_add_test(all, full_disk_keeps_room_for_states);
    tcase_add_test(all, too_large_is_refused);
    tcase_add_test(all, second_writer_is_refused);
    tcase_add_test(all, beanstalkd_is_refused);
    tcase_add_test(all, newer_version_stops);
    tcase_add_test(all, other_journals_segment_stops);
    tcase_add_test(all, settings_are_checked);
    tcase_add_test(all, on_a_real_disk);
    tcase_add_test(all, with_the_thread);
    tcase_add_test(all, none_keeps_nothing);
    tcase_add_test(all, powers_of_two);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
