// SPDX-License-Identifier: MIT
/*
 * Append: records become a frame, the frame one write and, where asked for, one sync.
 *
 * A frame lies in one segment. If the active one has no room for it the next ready one is begun:
 * all frames of the old one are synced, then the new one's header, and then frames follow. That is
 * one sync more a segment, and it must be: were the header to go out with the first frame, a power
 * loss could keep the frames and lose the header, and the generation, and so the keys of its
 * checksums, would be given out a second time over them. Room for one empty frame is always left,
 * so that a trim can be noted without taking a segment.
 *
 * After a write or a sync that failed nobody knows what is on the disk (the kernel may have dropped
 * the pages, and a second sync would then succeed for nothing). So nothing is ever tried again: the
 * journal is broken, answers EIO, and what is true is found out at the next start.
 */
#include "base/clock.h"
#include "journal/file_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_FIRST ((size_t)64 * 1024)
/* A buffer that became larger than this for one frame is given back after it. */
#define FRAME_KEPT ((size_t)4 * 1024 * 1024)

/* ---- one frame ---- */

/* Room for a frame with so many bytes of records, and for a header before it. */
static int frame_room(struct file_journal *file, size_t bytes)
{
    size_t need = FORMAT_FRAME_HEAD + bytes;
    if (need <= file->frame_cap)
        return 0;
    size_t cap = need > FRAME_FIRST ? need : FRAME_FIRST;
    unsigned char *frame = malloc(cap);
    if (frame == NULL)
        return ENOMEM;
    free(file->frame);
    file->frame = frame;
    file->frame_cap = cap;
    return 0;
}

/* A new segment for a frame of so many bytes becomes the active one. */
static int segment_begin(struct file_journal *file, enum journal_class class, uint64_t size,
                         uint32_t oldest)
{
    if ((uint64_t)file->newest + 1 - oldest >= SEGMENTS_MAX)
        return ENOSPC;
    int rc = active_sync(file);
    struct segment *segment;
    if (rc == 0)
        rc = prepare_take(file, class, size, &segment);
    if (rc != 0)
        return rc;
    hl_lock_acquire(file->lock);
    rc = idmap_put(&file->line, (uint64_t)file->newest + 1, segment);
    if (rc != 0) {
        prepare_give(file, segment);
        hl_lock_release(file->lock);
        return rc;
    }
    segment->generation = ++file->newest;
    segment->first_sequence = file->sequence + 1;
    segment->key = format_key_of(file->id, segment->generation);
    segment->end = FORMAT_FRAMES_AT;
    file->bytes_used += segment->end;
    line_count(file);
    file->active = segment;
    hl_lock_release(file->lock);
    struct format_header header = {.journal_id = file->id,
                                   .generation = segment->generation,
                                   .oldest = oldest,
                                   .first_sequence = segment->first_sequence,
                                   .size = segment->size,
                                   .begun_wall_ns = clock_wall_ns()};
    format_header_write(&header, file->frame);
    rc = file->sys->write(segment->fd, file->frame, FORMAT_FRAMES_AT, 0);
    return rc != 0 ? file_break(file, rc, "a write") : active_write_out(file);
}

/* Puts the records behind each other, from that place of the file on, and tells where they are. */
static void records_write(const struct file_journal *file, uint64_t at,
                          struct journal_record *records, size_t count)
{
    const struct segment *segment = file->active;
    unsigned char *to = file->frame + FORMAT_FRAME_HEAD;
    for (size_t i = 0; i < count; i++) {
        struct journal_record *record = &records[i];
        uint32_t len = record->head_len + record->body_len;
        memcpy(to + FORMAT_RECORD_HEAD, record->head, record->head_len);
        if (record->body_len > 0)
            memcpy(to + FORMAT_RECORD_HEAD + record->head_len, record->body, record->body_len);
        format_record_write(&segment->key, at, len, to);
        record->locator = format_locator(segment->generation, at);
        at += FORMAT_RECORD_HEAD + (uint64_t)len;
        to += FORMAT_RECORD_HEAD + (size_t)len;
    }
}

struct frame_plan {
    struct journal_record *records;
    size_t count;
    uint32_t mark; /* the count that the frame says */
    uint32_t bytes;
    enum journal_class class;
    bool sync;
    uint32_t oldest;
};

static void frame_count(struct file_journal *file, const struct frame_plan *plan, uint64_t written)
{
    const struct segment *active = file->active;
    hl_lock_acquire(file->lock);
    file->stat.frames++;
    file->stat.records += plan->count;
    file->stat.bytes += written;
    file->bytes_used += written;
    line_count(file);
    hl_lock_release(file->lock);
    int64_t left = (int64_t)(active->size - active->end) - (int64_t)2 * FORMAT_FRAME_HEAD;
    atomic_store(&file->room_active, left > 0 ? left : 0);
}

static int frame_append(struct file_journal *file, const struct frame_plan *plan)
{
    if (atomic_load(&file->broken) != 0)
        return EIO;
    int rc = frame_room(file, plan->bytes);
    if (rc != 0)
        return rc;
    uint64_t size = FORMAT_FRAME_HEAD + (uint64_t)plan->bytes;
    /* Behind every frame but an empty one there is room for an empty one. */
    uint64_t spare = plan->bytes > 0 ? FORMAT_FRAME_HEAD : 0;
    struct segment *active = file->active;
    if (active == NULL || active->size - active->end < size + spare) {
        rc = segment_begin(file, plan->class, size + spare, plan->oldest);
        if (rc != 0)
            return rc;
        active = file->active;
    }
    uint64_t at = active->end;
    records_write(file, at + FORMAT_FRAME_HEAD, plan->records, plan->count);
    struct format_frame frame = {.bytes = plan->bytes,
                                 .sequence = file->sequence + 1,
                                 .back = (uint16_t)(active->generation - plan->oldest),
                                 .unsynced = (uint16_t)active_unsynced(file),
                                 .count = plan->mark};
    format_frame_write(&active->key, &frame, file->frame);
    rc = file->sys->write(active->fd, file->frame, (size_t)size, at);
    if (rc != 0)
        return file_break(file, rc, "a write");
    active->end = at + size;
    file->sequence++;
    frame_count(file, plan, size);
    rc = plan->sync || active_unsynced(file) >= FORMAT_UNSYNCED_MAX ? active_sync(file) : 0;
    if (file->frame_cap > FRAME_KEPT) {
        free(file->frame);
        file->frame = NULL;
        file->frame_cap = 0;
    }
    return rc;
}

void file_append(struct journal *journal, struct journal_append *append)
{
    struct file_journal *file = file_journal_of(journal);
    ASSERT(file->replayed && !file->settings.read_only);
    uint64_t bytes = 0;
    for (size_t i = 0; i < append->count; i++)
        bytes += FORMAT_RECORD_HEAD + (uint64_t)append->records[i].head_len +
                 append->records[i].body_len;
    struct frame_plan plan = {.records = append->records,
                              .count = append->count,
                              .mark = (uint32_t)append->count,
                              .bytes = (uint32_t)bytes,
                              .class = append->class,
                              .sync = append->sync,
                              .oldest = file->oldest};
    if (atomic_load(&file->broken) != 0)
        append->result = EIO;
    else if (append->expected != file->sequence)
        append->result = ESTALE;
    else if (bytes > JOURNAL_RECORD_MAX + FORMAT_RECORD_HEAD)
        append->result = EMSGSIZE;
    else
        append->result = frame_append(file, &plan);
    append->durable = append->result == 0 && active_unsynced(file) == 0;
    append->sequence = file->sequence;
    append->done(append);
}

/* An empty frame: what it says is in its head. */
static int frame_empty(struct file_journal *file, uint32_t oldest, uint32_t mark)
{
    struct frame_plan plan = {
        .mark = mark, .class = JOURNAL_COMPACT, .sync = true, .oldest = oldest};
    return frame_append(file, &plan);
}

/* [lock] The segment leaves the line. */
static void segment_retire(struct file_journal *file, struct segment *segment)
{
    idmap_remove(&file->line, segment->generation);
    file->bytes_used -= segment->end < segment->size ? segment->end : segment->size;
    line_count(file);
    if (segment->pins == 0) {
        prepare_give(file, segment);
        return;
    }
    segment->retired = true;
    list_append(&file->retired, &segment->node);
}

int file_trim(struct journal *journal, uint64_t before, uint64_t *sequence)
{
    struct file_journal *file = file_journal_of(journal);
    uint32_t oldest = format_locator_generation(before);
    if (oldest > file->newest)
        oldest = file->newest;
    if (oldest <= file->oldest)
        return 0;
    if (*sequence != file->sequence)
        return ESTALE;
    int rc = frame_empty(file, oldest, 0);
    *sequence = file->sequence;
    if (rc != 0)
        return rc;
    hl_lock_acquire(file->lock);
    for (; file->oldest < oldest; file->oldest++) {
        struct segment *segment = idmap_get(&file->line, file->oldest);
        if (segment != NULL)
            segment_retire(file, segment);
    }
    hl_lock_release(file->lock);
    prepare_wake(file);
    return 0;
}

int file_finish(struct file_journal *file)
{
    if (atomic_load(&file->broken) != 0)
        return EIO;
    if (file->active == NULL)
        return 0;
    /* First what isn't synced yet: the last frame can then say that all before it was, and what is
     * damaged later is not taken for a torn commit. */
    int rc = active_sync(file);
    return rc != 0 ? rc : frame_empty(file, file->oldest, FORMAT_COUNT_CLOSED);
}
