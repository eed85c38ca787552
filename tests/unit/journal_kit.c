// SPDX-License-Identifier: MIT
// The journal's test kit; see the header.

#include "journal_kit.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int seen_record(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct kit_seen *seen = arg;
    if (seen->stop_with != 0 && seen->count == (size_t)seen->stop_at)
        return seen->stop_with;
    if (seen->count == seen->cap) {
        seen->cap = seen->cap > 0 ? seen->cap * 2 : 64;
        seen->at = realloc(seen->at, seen->cap * sizeof(*seen->at));
        seen->len = realloc(seen->len, seen->cap * sizeof(*seen->len));
        seen->locator = realloc(seen->locator, seen->cap * sizeof(*seen->locator));
    }
    seen->at[seen->count] = seen->bytes.len;
    seen->len[seen->count] = len;
    seen->locator[seen->count++] = locator;
    ck_assert_int_eq(buf_append(&seen->bytes, bytes, len), 0);
    return 0;
}

static void seen_damage(void *arg, const struct journal_damage *damage)
{
    struct kit_seen *seen = arg;
    seen->damages++;
    seen->kept += damage->kept;
    snprintf(seen->damage, sizeof(seen->damage), "%s: %s", damage->file, damage->text);
}

void kit_seen_init(struct kit_seen *seen)
{
    *seen = (struct kit_seen){0};
}

void kit_seen_fini(struct kit_seen *seen)
{
    buf_fini(&seen->bytes);
    free(seen->at);
    free(seen->len);
    free(seen->locator);
    *seen = (struct kit_seen){0};
}

struct journal_visitor kit_visitor(struct kit_seen *seen)
{
    return (struct journal_visitor){seen_record, seen_damage, seen};
}

const char *kit_record(const struct kit_seen *seen, size_t index, size_t *len)
{
    ck_assert_uint_lt(index, seen->count);
    *len = seen->len[index];
    return seen->bytes.data + seen->at[index];
}

bool kit_saw(const struct kit_seen *seen, const char *const *text, size_t count)
{
    if (seen->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t len;
        const char *bytes = kit_record(seen, i, &len);
        if (len != strlen(text[i]) || memcmp(bytes, text[i], len) != 0)
            return false;
    }
    return true;
}

void kit_init(struct kit *kit)
{
    *kit = (struct kit){.settings = {.directory = "disk",
                                     .segment_size = JOURNAL_SEGMENT_MIN,
                                     .segment_size_max = JOURNAL_SEGMENT_MIN,
                                     .prepare_inline = true,
                                     .sys = &disk_sys}};
}

void kit_fini(struct kit *kit)
{
    if (kit->journal != NULL)
        (void)kit_close(kit);
    kit_seen_fini(&kit->seen);
}

int kit_open(struct kit *kit)
{
    ck_assert_ptr_null(kit->journal);
    kit_seen_fini(&kit->seen);
    int rc = journal_open(&kit->journal, &kit->settings, &kit->error);
    if (rc != 0) {
        kit->journal = NULL;
        ck_assert_str_ne(kit->error.text, "");
        return rc;
    }
    struct journal_visitor visitor = kit_visitor(&kit->seen);
    rc = journal_acquire(kit->journal, &kit->error);
    if (rc == 0)
        rc = journal_replay(kit->journal, &visitor, &kit->replayed, &kit->error);
    if (rc != 0) {
        ck_assert_str_ne(kit->error.text, "");
        (void)journal_close(&kit->journal);
    }
    kit->sequence = rc == 0 ? kit->replayed.last_sequence : 0;
    return rc;
}

int kit_close(struct kit *kit)
{
    return journal_close(&kit->journal);
}

void kit_kill(struct kit *kit, struct unit_random *random)
{
    disk_dead(true);
    (void)kit_close(kit);
    if (random != NULL)
        disk_power_loss(random);
    else
        disk_kill();
    disk_dead(false);
}

static void append_done(struct journal_append *append)
{
    *(bool *)append->arg = true;
}

int kit_append_records(struct kit *kit, struct journal_record *records, size_t count, bool sync,
                       enum journal_class class)
{
    bool done = false;
    struct journal_append request = {.records = records,
                                     .count = count,
                                     .class = class,
                                     .sync = sync,
                                     .expected = kit->sequence,
                                     .done = append_done,
                                     .arg = &done};
    journal_append(kit->journal, &request);
    ck_assert(done);
    if (request.result == 0) {
        ck_assert_uint_eq(request.sequence, kit->sequence + 1);
        kit->sequence = request.sequence;
    }
    return request.result;
}

int kit_append_bytes(struct kit *kit, const void *bytes, size_t len, bool sync, uint64_t *locator)
{
    // In two pieces, as a head and a body are.
    struct journal_record record = {.head = bytes,
                                    .head_len = (uint32_t)(len / 2),
                                    .body = (const char *)bytes + len / 2,
                                    .body_len = (uint32_t)(len - len / 2)};
    int rc = kit_append_records(kit, &record, 1, sync, JOURNAL_PUT);
    if (rc == 0 && locator != NULL)
        *locator = record.locator;
    return rc;
}

int kit_append(struct kit *kit, const char *text, uint64_t *locator)
{
    return kit_append_bytes(kit, text, strlen(text), true, locator);
}

int kit_append_class(struct kit *kit, const char *text, enum journal_class class)
{
    struct journal_record record = {.head = text, .head_len = (uint32_t)strlen(text)};
    return kit_append_records(kit, &record, 1, true, class);
}

int kit_append_many(struct kit *kit, const char *const *text, size_t count, bool sync)
{
    struct journal_record records[64];
    ck_assert_uint_le(count, 64);
    for (size_t i = 0; i < count; i++)
        records[i] =
            (struct journal_record){.head = text[i], .head_len = (uint32_t)strlen(text[i])};
    return kit_append_records(kit, records, count, sync, JOURNAL_PUT);
}

const char *kit_file(void)
{
    static char name[40];
    const char *found = NULL;
    for (unsigned number = 1; number < 100; number++) {
        size_t size;
        char candidate[40];
        snprintf(candidate, sizeof(candidate), "segment-%06u", number);
        const unsigned char *bytes = disk_file(candidate, &size);
        if (bytes == NULL || size < 512 || memcmp(bytes, "HILERA-J", 8) != 0)
            continue;
        ck_assert_msg(found == NULL, "more than one segment was begun");
        strcpy(name, candidate);
        found = name;
    }
    ck_assert_ptr_nonnull(found);
    return found;
}

void kit_setup(void)
{
    disk_start();
    disk_log_drop();
}

void kit_teardown(void)
{
    disk_stop();
}
