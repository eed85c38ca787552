// SPDX-License-Identifier: MIT
/*
 * Walks over the frames of one segment, and over what is left of them.
 *
 * A frame is accepted where the one before it ended, with the next sequence number and its
 * checksum. Anything else there is the end, or damage: which of the two, walk->synced tells. If the
 * frame that is missing was synced once, what is there is damage, and the walk goes on at the next
 * good frame, which it finds by the tag. If not, it is a torn commit, or nothing, and the segment
 * ends.
 */
#include "journal/file_priv.h"
#include "journal/file_walk_priv.h"

#include <errno.h>
#include <string.h>

void walk_init(struct walk *walk, const struct file_journal *file, const struct segment *segment,
               const char *name)
{
    *walk = (struct walk){
        .key = segment->key,
        .generation = segment->generation,
        .at = FORMAT_FRAMES_AT,
        .expected = segment->first_sequence,
        .limit = UINT64_MAX,
        .file_size = segment->size,
        .name = name,
    };
    reader_init(&walk->reader, file->sys, segment->fd, segment->size);
}

void walk_fini(struct walk *walk)
{
    reader_fini(&walk->reader);
}

/*
 * Whether a good frame is at that place; then walk->frame and records are it. ENODATA: none. `head`
 * alone: the tag and a size that is possible.
 */
static int frame_at(struct walk *walk, uint64_t at)
{
    const unsigned char *bytes;
    if (at > walk->file_size || walk->file_size - at < FORMAT_FRAME_HEAD)
        return ENODATA;
    int rc = reader_get(&walk->reader, at, FORMAT_FRAME_HEAD, &bytes);
    if (rc != 0)
        return rc;
    struct format_frame frame;
    if (!format_frame_head(&walk->key, &frame, bytes) ||
        frame.bytes > walk->file_size - at - FORMAT_FRAME_HEAD)
        return ENODATA;
    rc = reader_get(&walk->reader, at, FORMAT_FRAME_HEAD + (size_t)frame.bytes, &bytes);
    if (rc != 0)
        return rc;
    if (!format_frame_good(&walk->key, &frame, bytes))
        return ENODATA;
    walk->frame = frame;
    walk->records = bytes + FORMAT_FRAME_HEAD;
    walk->records_at = at + FORMAT_FRAME_HEAD;
    return 0;
}

/* The next place from `at` on where the tag stands. ENODATA: none. */
static int tag_find(struct walk *walk, uint64_t at, uint64_t *found)
{
    const unsigned char tag[4] = {(unsigned char)walk->key.tag, (unsigned char)(walk->key.tag >> 8),
                                  (unsigned char)(walk->key.tag >> 16),
                                  (unsigned char)(walk->key.tag >> 24)};
    const size_t piece = (size_t)256 * 1024;
    while (at < walk->file_size && walk->file_size - at >= FORMAT_FRAME_HEAD) {
        size_t len = walk->file_size - at < piece ? (size_t)(walk->file_size - at) : piece;
        const unsigned char *bytes;
        int rc = reader_get(&walk->reader, at, len, &bytes);
        if (rc != 0)
            return rc;
        const unsigned char *hit = memmem(bytes, len, tag, sizeof(tag));
        if (hit != NULL) {
            *found = at + (uint64_t)(hit - bytes);
            return 0;
        }
        at += len - sizeof(tag) + 1;
    }
    return ENODATA;
}

/* The next good frame from `at` on with a sequence number from `least` to `most`. */
static int frame_find(struct walk *walk, uint64_t at, uint64_t least, uint64_t most,
                      uint64_t *found)
{
    int rc;
    while ((rc = tag_find(walk, at, found)) == 0) {
        rc = frame_at(walk, *found);
        if (rc == 0 && walk->frame.sequence >= least && walk->frame.sequence <= most)
            return 0;
        if (rc != 0 && rc != ENODATA)
            return rc;
        at = *found + 1;
    }
    return rc;
}

/*
 * 0: a frame. ENODATA: the segment has no more. EBADMSG: the bytes from walk->at to *damage_end are
 * damaged; the next call goes on behind them. ENOMEM.
 */
int walk_next(struct walk *walk, uint64_t *damage_end)
{
    if (walk->next != 0) {
        walk->at = walk->next; /* the caller has seen the damage before */
        walk->next = 0;
    }
    if (walk->expected > walk->limit)
        return ENODATA;
    int rc = frame_at(walk, walk->at);
    if (rc == 0 && walk->frame.sequence == walk->expected) {
        walk->at += FORMAT_FRAME_HEAD + (uint64_t)walk->frame.bytes;
        walk->expected++;
        return 0;
    }
    if (rc != 0 && rc != ENODATA)
        return rc;
    if (walk->expected > walk->synced)
        return ENODATA; /* a torn commit, or nothing */
    uint64_t most = walk->synced + 1 < walk->limit ? walk->synced + 1 : walk->limit;
    rc = frame_find(walk, walk->at + 1, walk->expected + 1, most, damage_end);
    if (rc == 0) {
        walk->expected = walk->frame.sequence;
        walk->next = *damage_end;
        return EBADMSG;
    }
    if (rc != ENODATA)
        return rc;
    *damage_end = walk->file_size;
    walk->limit = walk->synced < walk->limit ? walk->synced : walk->limit; /* no more is here */
    walk->expected = walk->limit + 1;
    return EBADMSG;
}

/* Bytes that are hashed for records which then are none, in all: a file that is made to be slow
 * ends here. */
#define SPAN_BUDGET(size) ((uint64_t)64 * (size) + ((uint64_t)16 << 20))

struct walk_span walk_frame_span(const struct walk *walk)
{
    return (struct walk_span){
        .at = walk->records_at, .end = walk->records_at + walk->frame.bytes, .whole = true};
}

struct walk_span walk_damage_span(const struct walk *walk, uint64_t end)
{
    uint64_t at = walk->at < end ? walk->at : end;
    return (struct walk_span){.at = at, .end = end, .budget = SPAN_BUDGET(end - at)};
}

/* Whether a record begins there; *len: of its bytes. Moves span->at on where none does. */
static bool span_record(const struct walk *walk, struct walk_span *span, const unsigned char *bytes,
                        uint32_t *len)
{
    *len = format_record_len(bytes);
    uint64_t room = span->end - span->at - FORMAT_RECORD_HEAD;
    if (*len > 0 && *len <= room) {
        if (span->whole || format_record_good(&walk->key, span->at, bytes))
            return true;
        span->budget -= *len < span->budget ? *len : span->budget;
    }
    if (!span->whole && span->budget > 0)
        span->at++;
    else
        span->over = true;
    return false;
}

int walk_records(struct walk *walk, struct walk_span *span, const struct journal_visitor *visitor,
                 size_t *records)
{
    if (span->over || span->end - span->at <= FORMAT_RECORD_HEAD)
        return 0;
    const unsigned char *bytes;
    const uint64_t start = span->at;
    int rc = reader_get(&walk->reader, start, (size_t)(span->end - start), &bytes);
    while (rc == 0 && !span->over && span->end - span->at > FORMAT_RECORD_HEAD) {
        const unsigned char *record = bytes + (span->at - start);
        uint32_t len;
        if (!span_record(walk, span, record, &len))
            continue;
        if (*records == 0)
            return EAGAIN;
        rc = visitor->record(visitor->arg, format_locator(walk->generation, span->at),
                             record + FORMAT_RECORD_HEAD, len);
        if (rc == 0) {
            (*records)--;
            span->seen++;
            span->at += FORMAT_RECORD_HEAD + (uint64_t)len;
        }
    }
    return rc;
}

int walk_edges(struct walk *walk, struct format_frame *first, struct format_frame *last)
{
    uint64_t at = FORMAT_FRAMES_AT, found;
    int rc, result = ENODATA;
    while ((rc = frame_at(walk, at)) == 0 ||
           (rc == ENODATA && (rc = frame_find(walk, at, 0, UINT64_MAX, &found)) == 0)) {
        if (result == 0 && walk->frame.sequence <= last->sequence)
            break; /* can't be: frames rise */
        if (result != 0)
            *first = walk->frame;
        *last = walk->frame;
        result = 0;
        at = walk->records_at + walk->frame.bytes;
    }
    return rc == 0 || rc == ENODATA ? result : rc;
}

bool walk_torn(struct walk *walk, uint64_t *bytes)
{
    const unsigned char *head;
    struct format_frame frame;
    *bytes = 0;
    if (walk->at > walk->file_size || walk->file_size - walk->at < FORMAT_FRAME_HEAD ||
        reader_get(&walk->reader, walk->at, FORMAT_FRAME_HEAD, &head) != 0 ||
        !format_frame_head(&walk->key, &frame, head))
        return false;
    uint64_t rest = walk->file_size - walk->at;
    uint64_t size = FORMAT_FRAME_HEAD + (uint64_t)frame.bytes;
    *bytes = size < rest ? size : rest;
    return true;
}
