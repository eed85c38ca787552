// SPDX-License-Identifier: MIT
// What is left of a damaged journal: every bit flipped, cut at every place, segments gone. Never a
// wrong record, never two for one, and what is whole is kept.

#include "base/hash.h"
#include "journal_kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kit kit;

static const char *const words[] = {"one",  "two, a little longer", "three", "4",
                                    "five", "six six six six six",  "7",     "eight and last"};
#define WORDS (sizeof(words) / sizeof(words[0]))

static uint64_t places[WORDS]; // locators
static char file_name[40];

// Three commits, and only the segment they are in.
static void make_small(void)
{
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert_int_eq(kit_append_many(&kit, words, 1, true), 0);
    ck_assert_int_eq(kit_append_many(&kit, words + 1, 3, true), 0);
    ck_assert_int_eq(kit_append_many(&kit, words + 4, 4, true), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    strcpy(file_name, kit_file());
    for (unsigned number = 1; number < 20; number++) {
        char name[40];
        size_t size;
        snprintf(name, sizeof(name), "segment-%06u", number);
        if (strcmp(name, file_name) != 0 && disk_file(name, &size) != NULL)
            disk_remove(name);
    }
    disk_save();
    kit.settings.read_only = true;
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert(kit_saw(&kit.seen, words, WORDS) && kit.seen.damages == 0);
    for (size_t i = 0; i < WORDS; i++)
        places[i] = kit.seen.locator[i];
    ck_assert_int_eq(kit_close(&kit), 0);
}

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

// Which of the words was seen as number `index`; WORDS: none of them.
static size_t word_seen(size_t index)
{
    size_t len, word = 0;
    const char *bytes = kit_record(&kit.seen, index, &len);
    while (word < WORDS && (strlen(words[word]) != len || memcmp(words[word], bytes, len) != 0))
        word++;
    return word;
}

// All that was seen are words, in their order, at their places. Returns which were.
static unsigned seen_set(void)
{
    unsigned set = 0;
    size_t next = 0;
    for (size_t i = 0; i < kit.seen.count; i++) {
        size_t word = word_seen(i);
        ck_assert_msg(word < WORDS && word >= next, "record %zu is wrong", i);
        ck_assert_uint_eq(kit.seen.locator[i], places[word]);
        next = word + 1;
        set |= 1u << word;
    }
    return set;
}

#define ALL ((1u << WORDS) - 1)

// The word that has that byte of the file; WORDS: none.
static size_t word_at(size_t byte)
{
    for (size_t i = 0; i < WORDS; i++) {
        size_t start = (uint32_t)places[i];
        if (byte >= start && byte < start + 8 + strlen(words[i]))
            return i;
    }
    return WORDS;
}

static size_t end_of_frames(void)
{
    return (uint32_t)places[WORDS - 1] + 8 + strlen(words[WORDS - 1]) + 32;
}

// One bit costs the record that it is in, and no other.
START_TEST(any_bit)
{
    make_small();
    for (size_t byte = (size_t)_i; byte < end_of_frames() + 8; byte += 16) {
        for (int bit = 0; bit < 8; bit++) {
            size_t size;
            disk_restore();
            disk_file(file_name, &size)[byte] ^= (unsigned char)(1 << bit);
            ck_assert_int_eq(kit_open(&kit), 0);
            size_t word = word_at(byte);
            unsigned lost = word < WORDS ? 1u << word : 0;
            ck_assert_msg(seen_set() == (ALL & ~lost), "byte %zu, bit %d", byte, bit);
            if (word < WORDS) {
                ck_assert_uint_ge(kit.seen.damages, 1);
                ck_assert_uint_ge(kit.replayed.damages, 1);
                ck_assert(!kit.replayed.clean || kit.replayed.damages > 0);
            }
            ck_assert_int_eq(kit_close(&kit), 0);
        }
    }
}
END_TEST

// Cut: a prefix is left, with every commit that is whole.
START_TEST(any_cut)
{
    make_small();
    size_t end = end_of_frames();
    size_t frame_end[] = {(uint32_t)places[1] - 32, (uint32_t)places[4] - 32, end - 32};
    static const unsigned whole[] = {1, 0xf, 0xff};
    for (size_t cut = 1024; cut <= end; cut++) {
        disk_restore();
        disk_cut(file_name, cut);
        ck_assert_int_eq(kit_open(&kit), 0);
        unsigned set = seen_set(), least = 0;
        for (int i = 0; i < 3; i++)
            if (cut >= frame_end[i])
                least = whole[i];
        ck_assert_msg(set == least, "cut at %zu: %x", cut, set);
        ck_assert_int_eq(kit_close(&kit), 0);
    }
    // Nothing left that could be read: it isn't taken for an empty journal.
    disk_restore();
    disk_cut(file_name, 700);
    ck_assert_int_eq(kit_open(&kit), EBADMSG);
}
END_TEST

// The same bytes in other ranges: whole sectors of rubbish.
START_TEST(rubbish)
{
    struct unit_random random = {7};
    make_small();
    for (int round = 0; round < unit_rounds(500); round++) {
        size_t size, at = 1024 + unit_random_below(&random, end_of_frames() - 1024);
        size_t len = 1 + unit_random_below(&random, 100);
        disk_restore();
        unsigned char *bytes = disk_file(file_name, &size);
        for (size_t i = at; i < at + len; i++)
            bytes[i] = (unsigned char)unit_random_next(&random);
        ck_assert_int_eq(kit_open(&kit), 0);
        unsigned set = seen_set(), hit = 0;
        for (size_t i = at; i < at + len; i++)
            if (word_at(i) < WORDS)
                hit |= 1u << word_at(i);
        // What wasn't hit is there, unless the end of the journal was hit, which tells that the
        // last commit is no torn one.
        if (at + len <= end_of_frames() - 32)
            ck_assert_uint_eq(set | hit, ALL);
        else
            ck_assert_uint_eq((set | hit) & 0xf, 0xf);
        ck_assert_int_eq(kit_close(&kit), 0);
    }
}
END_TEST

START_TEST(both_headers_gone)
{
    ck_assert_int_eq(kit_open(&kit), 0);
    struct journal_stat stat;
    char text[1001];
    unsigned count = 0;
    memset(text, 't', 1000);
    text[1000] = '\0';
    do {
        ck_assert_int_eq(kit_append(&kit, text, NULL), 0);
        count++;
        journal_stat(kit.journal, &stat);
    } while (stat.segments < 4);
    ck_assert_int_eq(kit_close(&kit), 0);
    disk_save();
    for (unsigned number = 1; number < 8; number++) {
        char name[40];
        size_t size;
        snprintf(name, sizeof(name), "segment-%06u", number);
        disk_restore();
        unsigned char *bytes = disk_file(name, &size);
        if (bytes == NULL || bytes[0] != 'H')
            continue;
        memset(bytes, 0xff, 1024);
        ck_assert_int_eq(kit_open(&kit), 0);
        ck_assert_uint_eq(kit.seen.count, count);
        ck_assert_uint_eq(kit.seen.damages, 1);
        ck_assert_ptr_nonnull(strstr(kit.seen.damage, "headers"));
        // It goes on from there.
        ck_assert_int_eq(kit_append(&kit, "more", NULL), 0);
        ck_assert_int_eq(kit_close(&kit), 0);
        ck_assert_int_eq(kit_open(&kit), 0);
        ck_assert_uint_eq(kit.seen.count, count + 1);
        ck_assert_int_eq(kit_close(&kit), 0);
        // The whole segment gone: its records are, and no others.
        disk_restore();
        disk_remove(name);
        ck_assert_int_eq(kit_open(&kit), 0);
        ck_assert_uint_ge(kit.seen.count, count - 63);
        ck_assert_uint_ge(kit.seen.count, count / 2);
        bool last = kit.seen.damages == 0; // the end of a journal can be missing without a trace
        ck_assert(last || strstr(kit.seen.damage, "missing") != NULL);
        ck_assert_int_eq(kit_close(&kit), 0);
    }
}
END_TEST

START_TEST(unreadable_sector)
{
    make_small();
    disk_bad_sector(file_name, 0, 4096);
    ck_assert_int_eq(kit_open(&kit), EBADMSG); // all of it is in these 4096 bytes
    disk_bad_sector(file_name, 4096, 4096);
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert_uint_eq(seen_set(), ALL);
}
END_TEST

// A body that is made of records and frames of this journal, copied from the disk, and whose commit
// is then damaged: nothing inside of it is taken for a record.
START_TEST(forged_body)
{
    make_small();
    kit.settings.read_only = false;
    disk_restore();
    size_t size;
    char *copy = malloc(4096);
    memcpy(copy, disk_file(file_name, &size), 4096);
    ck_assert_int_eq(kit_open(&kit), 0);
    uint64_t place;
    ck_assert_int_eq(kit_append_bytes(&kit, copy, 4096, true, &place), 0);
    ck_assert_int_eq(kit_append(&kit, "behind", NULL), 0);
    free(copy);
    ck_assert_int_eq(kit_close(&kit), 0);
    bool found = false;
    for (unsigned number = 1; number < 20; number++) {
        char name[40];
        snprintf(name, sizeof(name), "segment-%06u", number);
        unsigned char *bytes = disk_file(name, &size);
        if (bytes != NULL && bytes[0] == 'H' && strcmp(name, file_name) != 0) {
            bytes[(uint32_t)place + 8 + 4000] ^= 1;
            found = true;
        }
    }
    ck_assert(found);
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert_uint_eq(kit.seen.count, WORDS + 1);
    ck_assert_uint_eq(kit.seen.damages, 1);
    size_t len;
    ck_assert_mem_eq(kit_record(&kit.seen, WORDS, &len), "behind", 6);
}
END_TEST

// The same with a record of the same segment, whose checksum is keyed as the body's surroundings
// are.
START_TEST(forged_body_of_the_same_segment)
{
    uint64_t original, place;
    size_t size;
    char copy[8 + 8];
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert_int_eq(kit_append(&kit, "original", &original), 0);
    memcpy(copy, disk_file(kit_file(), &size) + (uint32_t)original, sizeof(copy));
    ck_assert_int_eq(kit_append_bytes(&kit, copy, sizeof(copy), true, &place), 0);
    ck_assert_int_eq(kit_append(&kit, "behind", NULL), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    disk_file(kit_file(), &size)[(uint32_t)place] ^= 1; // the checksum of the copy's record
    static const char *const whole[] = {"original", "behind"};
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert(kit_saw(&kit.seen, whole, 2));
    ck_assert_uint_eq(kit.seen.damages, 1);
}
END_TEST

// ---- check and salvage ----

struct lines {
    struct buf text;
};

static void add_line(void *arg, const char *text)
{
    struct lines *lines = arg;
    ck_assert_int_eq(buf_append_str(&lines->text, text), 0);
    ck_assert_int_eq(buf_append_char(&lines->text, '\n'), 0);
}

static uint64_t append_entry(const struct job_entry *entry)
{
    char bytes[JOB_ENTRY_HEAD_MAX + 100];
    size_t len = job_entry_encode(entry, bytes);
    if (entry->body_len > 0)
        memcpy(bytes + len, entry->body, entry->body_len);
    uint64_t place = 0;
    ck_assert_int_eq(kit_append_bytes(&kit, bytes, len + entry->body_len, true, &place), 0);
    return place;
}

static uint64_t append_put(uint64_t id)
{
    return append_entry(&(struct job_entry){.type = JOB_ENTRY_PUT,
                                            .state = JOB_READY,
                                            .id = id,
                                            .tube = "t",
                                            .tube_len = 1,
                                            .body = "0123456789",
                                            .body_len = 10});
}

START_TEST(check_counts)
{
    struct journal_census census;
    struct lines lines = {BUF_EMPTY};
    // There is nothing yet.
    ck_assert_int_eq(journal_check(&kit.settings, &census, add_line, &lines), JOURNAL_WHOLE);
    ck_assert_uint_eq(disk_files(), 0);
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert_int_eq(journal_check(&kit.settings, &census, add_line, &lines), JOURNAL_NOT_READ);
    ck_assert_ptr_nonnull(strstr(lines.text.data, "in use by another hilerad"));
    uint64_t place = append_put(1);
    append_put(2);
    append_put(3);
    append_entry(&(struct job_entry){.type = JOB_ENTRY_BURY, .id = 2});
    append_entry(&(struct job_entry){.type = JOB_ENTRY_DELETE, .id = 3});
    append_put(2); // a copy, as compaction makes it: not buried
    append_entry(&(struct job_entry){.type = JOB_ENTRY_BURY, .id = 2});
    ck_assert_int_eq(kit_close(&kit), 0);
    disk_save();
    size_t files = disk_files();
    buf_clear(&lines.text);
    ck_assert_int_eq(journal_check(&kit.settings, &census, add_line, &lines), JOURNAL_WHOLE);
    ck_assert_uint_eq(census.jobs, 2);
    ck_assert_uint_eq(census.jobs_buried, 1);
    ck_assert_uint_eq(census.job_bytes, 20);
    ck_assert_uint_eq(census.last_id, 3);
    ck_assert_uint_eq(census.entries[JOB_ENTRY_PUT], 4);
    ck_assert_uint_eq(census.entries[JOB_ENTRY_DELETE], 1);
    ck_assert_ptr_nonnull(strstr(lines.text.data, "2 jobs of 20 bytes, 1 of them buried"));
    ck_assert_uint_eq(disk_files(), files);
    size_t size;
    disk_file(kit_file(), &size)[(uint32_t)place + 12] ^= 0x10;
    buf_clear(&lines.text);
    ck_assert_int_eq(journal_check(&kit.settings, &census, add_line, &lines), JOURNAL_DAMAGED);
    ck_assert_uint_eq(census.jobs, 1);
    ck_assert_ptr_nonnull(strstr(lines.text.data, "damage: segment-"));
    buf_fini(&lines.text);
}
END_TEST

START_TEST(check_knows_newer_entries)
{
    struct journal_census census;
    struct lines lines = {BUF_EMPTY};
    ck_assert_int_eq(kit_open(&kit), 0);
    append_put(1);
    ck_assert_int_eq(kit_append(&kit, "\x63\x01 a future", NULL), 0);
    ck_assert_int_eq(kit_close(&kit), 0);
    ck_assert_int_eq(journal_check(&kit.settings, &census, add_line, &lines), JOURNAL_NOT_READ);
    ck_assert_uint_eq(census.newer, 1);
    ck_assert_ptr_nonnull(strstr(lines.text.data, "type 99"));
    ck_assert_int_eq(kit_open(&kit), 0);
    ck_assert_int_eq(kit_append(&kit, "\x02\x01\x80", NULL), 0); // a number without end
    ck_assert_int_eq(kit_close(&kit), 0);
    (void)journal_check(&kit.settings, &census, NULL, NULL);
    ck_assert_uint_eq(census.unreadable, 1);
    buf_fini(&lines.text);
}
END_TEST

// From the disk in memory to a real folder. The second one says that hardly any id is left.
START_TEST(salvage_takes_what_is_whole)
{
    const uint64_t ceiling = _i == 0 ? 5000 : JOB_ID_MAX - 5;
    char path[] = "/tmp/hilera-journal-XXXXXX", command[100];
    ck_assert_ptr_nonnull(mkdtemp(path));
    uint64_t place = 0;
    ck_assert_int_eq(kit_open(&kit), 0);
    append_entry(&(struct job_entry){.type = JOB_ENTRY_LIMITS, .id_limit = ceiling});
    for (uint64_t id = 1; id <= 2000; id++) {
        uint64_t at = append_put(id);
        if (id == 100)
            place = at;
    }
    ck_assert_int_eq(kit_close(&kit), 0);
    for (unsigned number = 1; number < 8; number++) {
        char name[40];
        size_t size;
        snprintf(name, sizeof(name), "segment-%06u", number);
        unsigned char *bytes = disk_file(name, &size);
        if (bytes != NULL && bytes[0] == 'H' && bytes[24] == 1) // generation 1
            bytes[(uint32_t)place + 12] ^= 0x10;
    }
    struct journal_settings to = {.directory = path, .segment_size = JOURNAL_SEGMENT_MIN};
    struct lines lines = {BUF_EMPTY};
    uint64_t copied;
    int rc = journal_salvage(&kit.settings, &to, &copied, add_line, &lines, &kit.error);
    ck_assert_msg(rc == 0, "salvage: %s", kit.error.text);
    ck_assert_uint_eq(copied, 2000);
    ck_assert_ptr_nonnull(strstr(lines.text.data, "2000 records copied"));
    struct journal_census census;
    ck_assert_int_eq(journal_check(&to, &census, NULL, NULL), JOURNAL_WHOLE);
    ck_assert_uint_eq(census.jobs, 1999);
    ck_assert(census.replayed.clean);
    // The lost record may have been one of limits: ids go on behind a gap.
    ck_assert_uint_eq(census.id_limit, _i == 0 ? ceiling + JOURNAL_GAP_AFTER_DAMAGE : JOB_ID_MAX);
    // Not into a directory that has something.
    ck_assert_int_eq(journal_salvage(&kit.settings, &to, &copied, NULL, NULL, &kit.error), EEXIST);
    buf_fini(&lines.text);
    snprintf(command, sizeof(command), "rm -r %s", path);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_damage");
    TCase *all = tcase_create("journal_damage");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_loop_test(all, any_bit, 0, unit_rounds(16));
    tcase_add_test(all, any_cut);
    tcase_add_test(all, rubbish);
    tcase_add_test(all, both_headers_gone);
    tcase_add_test(all, unreadable_sector);
    tcase_add_test(all, forged_body);
    tcase_add_test(all, forged_body_of_the_same_segment);
    tcase_add_test(all, check_counts);
    tcase_add_test(all, check_knows_newer_entries);
    tcase_add_loop_test(all, salvage_takes_what_is_whole, 0, 2);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
