// SPDX-License-Identifier: MIT
/*
 * Fuzz target: what reads the journal. The first byte of the input chooses what the rest is:
 *
 *  'e'  an entry: decoded, and if it is one, encoded and decoded again to the same; likewise the
 *       record in a result
 *  'd'  damage to a small good journal, four bytes each: place (two), what to do, with what. What
 * is replayed is some of its records, unchanged, in their order; nothing that wasn't touched is
 *       missing
 *  'r'  records: appended as they are (a length byte before each), read back, replayed, and checked
 *  's'  a segment's file, as it is: replayed and checked
 *
 * The disk is in memory (tests/unit/journal_disk.c).
 *
 * With libFuzzer:  clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iinclude -Isrc
 *                  -Itests/unit tests/fuzz/fuzz_journal.c tests/unit/journal_disk.c
 *                  src/{base,thr,job,journal}/[a-z]*.c -lcjson -lxxhash -pthread -o fuzz_journal
 *                  ./fuzz_journal NEW_FOLDER tests/fuzz/corpus/journal
 * 'make check' runs the corpus through fuzz_main.c instead.
 */
#include "base/assert.h"
#include "base/log.h"
#include "fuzz.h"
#include "journal/journal.h"
#include "journal_disk.h"

#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)60000)
#define NAME "segment-000001"
#define FRAMES_AT 1024 /* where a segment's frames begin */

static struct journal_settings settings(bool read_only)
{
    return (struct journal_settings){.directory = "disk",
                                     .segment_size = JOURNAL_SEGMENT_MIN,
                                     .segment_size_max = JOURNAL_SEGMENT_MIN,
                                     .prepare_inline = true,
                                     .read_only = read_only,
                                     .sys = &disk_sys};
}

/* ---- entries ---- */

static void same_options(const struct job_entry *a, const struct job_entry *b)
{
    struct job_options *of_a, *of_b;
    MUST(job_options_of_entry(&of_a, a));
    MUST(job_options_of_entry(&of_b, b));
    ASSERT((of_a == NULL) == (of_b == NULL));
    if (of_a != NULL && of_b != NULL) {
        ASSERT(of_a->encoded == of_b->encoded && of_a->set == of_b->set);
        ASSERT(of_a->rules.set == of_b->rules.set && strcmp(of_a->name, of_b->name) == 0);
        ASSERT(of_a->tags_size == of_b->tags_size && strcmp(of_a->key, of_b->key) == 0);
    }
    job_options_free(&of_a);
    job_options_free(&of_b);
}

/* What is a record stays one. */
static void one_result(const struct job_entry *entry)
{
    struct job_record *record, *again;
    struct job_body *body;
    if (job_record_decode(&record, entry->id, entry->body, entry->body_len) != 0)
        return;
    MUST(job_record_encode(record, &body));
    MUST(job_record_decode(&again, entry->id, body->bytes, body->len));
    ASSERT(again->kind == record->kind && again->ended_wall_ns == record->ended_wall_ns);
    ASSERT(again->memory == record->memory && again->earlier_count == record->earlier_count);
    ASSERT(again->out_len == record->out_len && strcmp(again->tube, record->tube) == 0);
    job_body_unref(&body);
    job_record_unref(&record);
    job_record_unref(&again);
}

static void one_entry(const uint8_t *data, size_t size)
{
    struct job_entry entry, again;
    if (job_entry_decode(&entry, data, size) != 0)
        return;
    char *bytes = malloc(JOB_ENTRY_HEAD_MAX + entry.body_len);
    ASSERT(bytes != NULL);
    size_t len = job_entry_encode(&entry, bytes);
    if (entry.body_len > 0)
        memcpy(bytes + len, entry.body, entry.body_len);
    MUST(job_entry_decode(&again, bytes, len + entry.body_len));
    ASSERT(again.type == entry.type && again.id == entry.id && again.pri == entry.pri);
    ASSERT(again.number == entry.number);
    if (again.type == JOB_ENTRY_RESULT)
        one_result(&again);
    ASSERT(again.state == entry.state && again.until_wall_ns == entry.until_wall_ns);
    ASSERT(again.burial == entry.burial && again.kicks == entry.kicks);
    ASSERT(again.tube_len == entry.tube_len && again.body_len == entry.body_len);
    ASSERT(again.reason_len == entry.reason_len && again.reset == entry.reset);
    ASSERT(again.tries.failures == entry.tries.failures && again.past_len == entry.past_len);
    struct job_extra *extra = job_extra_new();
    ASSERT(extra != NULL);
    MUST(job_attempts_of_entry(&extra->past, &again));
    job_extra_free(&extra);
    ASSERT(again.group_len == entry.group_len && again.group_count == entry.group_count);
    same_options(&again, &entry);
    ASSERT(again.body_len == 0 || memcmp(again.body, entry.body, again.body_len) == 0);
    free(bytes);
}

/* ---- a journal, open ---- */

struct visited {
    const uint8_t *bytes; /* of all records that there are */
    size_t count;         /* of them; record i has i + 1 bytes, all of value i */
    uint64_t seen;        /* bit i: record i */
    size_t next;
};

static int visit_word(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct visited *visited = arg;
    const uint8_t *byte = bytes;
    (void)locator;
    ASSERT(len >= 1 && len <= visited->count && len - 1 >= visited->next);
    for (size_t i = 0; i < len; i++)
        ASSERT(byte[i] == len - 1);
    visited->next = len;
    visited->seen |= UINT64_C(1) << (len - 1);
    return 0;
}

static int visit_any(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    uint64_t *sum = arg;
    (void)locator;
    for (size_t i = 0; i < len; i++) /* each byte is there */
        *sum += ((const uint8_t *)bytes)[i];
    return 0;
}

/* NULL: can't be opened, which is an answer, too. */
static struct journal *replayed(bool read_only, const struct journal_visitor *visitor,
                                uint64_t *sequence)
{
    struct journal_settings mine = settings(read_only);
    struct journal_error error;
    struct journal_replayed result = {0};
    struct journal *journal;
    MUST(journal_open(&journal, &mine, &error));
    int rc = journal_acquire(journal, &error);
    if (rc == 0)
        rc = journal_replay(journal, visitor, &result, &error);
    if (rc != 0) {
        ASSERT(error.text[0] != '\0');
        (void)journal_close(&journal);
        return NULL;
    }
    *sequence = result.last_sequence;
    return journal;
}

static void appended(struct journal_append *append)
{
    ASSERT(append->result == 0);
}

static uint64_t append(struct journal *journal, uint64_t *sequence, const uint8_t *bytes,
                       size_t len)
{
    struct journal_record record = {.head = bytes, .head_len = (uint32_t)len};
    struct journal_append request = {
        .records = &record, .count = 1, .sync = true, .expected = *sequence, .done = appended};
    journal_append(journal, &request);
    *sequence = request.sequence;
    return record.locator;
}

/* ---- damage ---- */

#define WORDS 20
static uint64_t places[WORDS];
static bool made;

static void make_words(void)
{
    uint64_t sequence, sum = 0;
    const struct journal_visitor visitor = {visit_any, NULL, &sum};
    disk_start();
    struct journal *journal = replayed(false, &visitor, &sequence);
    ASSERT(journal != NULL);
    for (size_t i = 0; i < WORDS; i++) {
        uint8_t word[WORDS];
        memset(word, (int)i, sizeof(word));
        places[i] = append(journal, &sequence, word, i + 1);
    }
    MUST(journal_close(&journal));
    for (char name[] = "segment-000002"; name[13] <= '9'; name[13]++) {
        size_t size;
        if (disk_file(name, &size) != NULL)
            disk_remove(name);
    }
    disk_save();
    made = true;
}

/* The words that have that byte, and those before it in a commit's head. */
static uint64_t touched(size_t at)
{
    for (size_t i = 0; i < WORDS; i++) {
        size_t start = (uint32_t)places[i];
        if (at >= start && at < start + 8 + i + 1)
            return UINT64_C(1) << i;
    }
    return 0;
}

static void damaged(const uint8_t *data, size_t size)
{
    if (!made)
        make_words();
    disk_restore();
    size_t file_size, end = (uint32_t)places[WORDS - 1] + 8 + WORDS;
    unsigned char *file = disk_file(NAME, &file_size);
    ASSERT(file != NULL);
    struct visited visited = {.count = WORDS};
    uint64_t hit = 0;
    bool tail = false;
    for (; size >= 4; data += 4, size -= 4) {
        size_t at = FRAMES_AT + ((size_t)data[0] << 8 | data[1]) % (end + 32 - FRAMES_AT);
        file[at] = data[2] % 2 == 0 ? data[3] : (unsigned char)(file[at] ^ (1 << data[3] % 8));
        hit |= touched(at);
        tail = tail || at >= (uint32_t)places[WORDS - 1] - 32;
    }
    uint64_t sequence;
    const struct journal_visitor visitor = {visit_word, NULL, &visited};
    struct journal *journal = replayed(true, &visitor, &sequence);
    if (journal == NULL)
        return;
    /* At the end, damage can't be told from a commit that was torn. */
    uint64_t all = (UINT64_C(1) << WORDS) - 1;
    if (!tail)
        ASSERT((visited.seen | hit) == all);
    (void)journal_close(&journal);
}

/* ---- records, files ---- */

static void check(void)
{
    struct journal_settings mine = settings(true);
    struct journal_census census;
    enum journal_verdict verdict = journal_check(&mine, &census, NULL, NULL);
    if (verdict == JOURNAL_WHOLE)
        ASSERT(census.replayed.damages == 0 && census.unreadable == 0);
}

static void records(const uint8_t *data, size_t size)
{
    uint64_t sequence, sum = 0, place = 0;
    const struct journal_visitor visitor = {visit_any, NULL, &sum};
    struct buf record = BUF_EMPTY;
    disk_start();
    made = false;
    struct journal *journal = replayed(false, &visitor, &sequence);
    ASSERT(journal != NULL);
    while (size > 1 && data[0] > 0) {
        size_t len = data[0] < size ? data[0] : size - 1;
        place = append(journal, &sequence, data + 1, len);
        MUST(journal_read(journal, place, &record));
        ASSERT(record.len == len && memcmp(record.data, data + 1, len) == 0);
        data += 1 + len;
        size -= 1 + len;
    }
    MUST(journal_close(&journal));
    check();
    buf_fini(&record);
}

static void segment(const uint8_t *data, size_t size)
{
    uint64_t sequence, sum = 0;
    const struct journal_visitor visitor = {visit_any, NULL, &sum};
    disk_start();
    made = false;
    size_t file_size;
    disk_make(NAME, JOURNAL_SEGMENT_MIN);
    if (size > 0)
        memcpy(disk_file(NAME, &file_size), data, size);
    check();
    struct journal *journal = replayed(false, &visitor, &sequence);
    if (journal == NULL)
        return;
    (void)append(journal, &sequence, (const uint8_t *)"x", 1);
    MUST(journal_close(&journal));
}

static void log_drop(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    log_set_sink(log_drop, NULL);
    if (data[0] == 'e')
        one_entry(data + 1, size - 1);
    else if (data[0] == 'd')
        damaged(data + 1, size - 1);
    else if (data[0] == 'r')
        records(data + 1, size - 1);
    else if (data[0] == 's')
        segment(data + 1, size - 1);
    return 0;
}
