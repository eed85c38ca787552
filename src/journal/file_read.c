// SPDX-License-Identifier: MIT
/*
 * Reading one record back by its locator, and pins that keep its segment from being used again.
 *
 * A locator is a generation and a place in its file. The generation is looked up in the line; once
 * trimmed it isn't there any more, and a reader that came too late hears ENOENT. What is read is
 * verified as at replay: the checksum is keyed with generation and place, so bytes that were
 * written there for another life of the file are not taken for the record.
 */
#include "journal/file_priv.h"

#include <errno.h>
#include <string.h>

/* Read at once; most records are shorter. */
#define READ_GUESS ((size_t)4096)

/* [lock] The segment of that generation among the retired ones. */
static struct segment *retired_find(const struct file_journal *file, uint32_t generation)
{
    struct list_node *node = list_first(&file->retired);
    for (; node != NULL; node = list_next(&file->retired, node)) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->generation == generation)
            return segment;
    }
    return NULL;
}

static int segment_pin(struct file_journal *file, uint64_t locator, struct segment **out)
{
    uint32_t generation = format_locator_generation(locator);
    HL_LOCK_SCOPE(file->lock);
    struct segment *segment = idmap_get(&file->line, generation);
    if (segment == NULL) /* who holds a pin may read on */
        segment = retired_find(file, generation);
    if (segment == NULL)
        return ENOENT;
    segment->pins++;
    *out = segment;
    return 0;
}

int file_pin(struct journal *journal, uint64_t locator)
{
    struct segment *segment;
    return segment_pin(file_journal_of(journal), locator, &segment);
}

void file_unpin(struct journal *journal, uint64_t locator)
{
    struct file_journal *file = file_journal_of(journal);
    uint32_t generation = format_locator_generation(locator);
    hl_lock_acquire(file->lock);
    struct segment *segment = idmap_get(&file->line, generation);
    if (segment == NULL)
        segment = retired_find(file, generation);
    ASSERT(segment != NULL && segment->pins > 0);
    segment->pins--;
    bool unused = segment->pins == 0 && segment->retired;
    if (unused) {
        list_remove(&segment->node);
        prepare_give(file, segment);
    }
    hl_lock_release(file->lock);
    if (unused)
        prepare_wake(file);
}

static int record_read(const struct file_journal *file, const struct segment *segment, uint32_t at,
                       struct buf *record)
{
    size_t got = 0;
    int rc = buf_reserve(record, READ_GUESS);
    if (rc == 0)
        rc = file->sys->read(segment->fd, record->data, READ_GUESS, at, &got);
    if (rc != 0)
        return rc;
    if (got < FORMAT_RECORD_HEAD)
        return EBADMSG;
    uint32_t len = format_record_len((const unsigned char *)record->data);
    if (len == 0 || len > segment->size - at - FORMAT_RECORD_HEAD)
        return EBADMSG;
    size_t need = FORMAT_RECORD_HEAD + (size_t)len;
    if (need > got) {
        record->len = got;
        rc = buf_reserve(record, need - got);
        size_t more = 0;
        if (rc == 0)
            rc = file->sys->read(segment->fd, record->data + got, need - got, at + got, &more);
        if (rc != 0)
            return rc;
        got += more;
    }
    if (got < need || !format_record_good(&segment->key, at, (const unsigned char *)record->data))
        return EBADMSG;
    record->len = need;
    buf_consume(record, FORMAT_RECORD_HEAD);
    return 0;
}

int file_read(struct journal *journal, uint64_t locator, struct buf *record)
{
    struct file_journal *file = file_journal_of(journal);
    struct segment *segment;
    buf_clear(record);
    int rc = segment_pin(file, locator, &segment);
    if (rc != 0)
        return rc;
    uint32_t at = format_locator_at(locator);
    if (at < FORMAT_FRAMES_AT || at >= segment->size - FORMAT_RECORD_HEAD)
        rc = EBADMSG;
    else
        rc = record_read(file, segment, at, record);
    file_unpin(journal, locator);
    if (rc != 0)
        buf_clear(record);
    return rc;
}
