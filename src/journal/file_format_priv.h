// SPDX-License-Identifier: MIT
/*
 * The bytes of a segment. Little-endian throughout.
 *
 *   0      header, 512 bytes of which the first 64 are used, and the same once more at 512: a
 *          damaged sector doesn't cost the segment
 *   1024   frames, one directly behind the other
 *
 * Header:  0  magic "HILERA-J"        8  version (u32)       12  zero (u32)
 *         16  journal id (u64)       24  generation (u32)   28  oldest generation that counts (u32)
 *         32  first sequence (u64)   40  size of the file (u64)
 *         48  when it was begun, ns since 1970 (u64)         56  checksum of bytes 0 to 55 (u64)
 *
 * Frame:   0  tag (u32)               4  bytes of records that follow (u32)
 *          8  sequence (u64)         16  back (u16)          18  unsynced (u16)
 *         20  count of records (u32) 24  checksum of bytes 0 to 23 and all records (u64)
 *
 * Record:  0  checksum (u32)          4  length (u32)         8  that many bytes
 *
 * Checksums are XXH3, 64 bits or the low 32. Those of frames and records are keyed with journal id,
 * generation and, for records, the place. The tag is a hash of id and generation. So what an
 * earlier generation left in a recycled file is never taken for new, and neither are bytes of a
 * body that somebody made to look like a frame, for the id is random and not told to anybody.
 *
 * The header is durable before the first frame is written, so no generation is given out twice.
 *
 * back: generation - back is the oldest generation that counts; the rest is trimmed. unsynced: how
 * many frames directly before this one weren't known to be synced when it was written; all before
 * those were. It tells damage from a torn tail.
 *
 * Arrows: the files of the backend include this; it includes the frames only.
 */
#ifndef JOURNAL_FILE_FORMAT_PRIV_H
#define JOURNAL_FILE_FORMAT_PRIV_H

#include "journal/frames.h"

#define FORMAT_VERSION 1
#define FORMAT_HEADER_SIZE 64
#define FORMAT_HEADER_COPY 512 /* where the second one is */
#define FORMAT_FRAMES_AT 1024  /* where frames begin */
#define FORMAT_FRAME_HEAD 32
#define FORMAT_RECORD_HEAD 8
#define FORMAT_BACK_MAX UINT16_MAX
#define FORMAT_COUNT_CLOSED UINT32_MAX /* the count of the empty frame that a clean end writes */
#define FORMAT_UNSYNCED_MAX 60000      /* a sync is forced before the number runs out */

struct format_header {
    uint64_t journal_id;
    uint32_t generation; /* from 1 */
    uint32_t oldest;
    uint64_t first_sequence;
    uint64_t size;
    int64_t begun_wall_ns;
};

/* What the checksums of a segment are keyed with. */
struct format_key {
    uint64_t seed;
    uint32_t tag;
};
struct format_key format_key_of(uint64_t journal_id, uint32_t generation);

/* Both copies, FORMAT_FRAMES_AT bytes. */
void format_header_write(const struct format_header *header, unsigned char *to);
/*
 * From the first FORMAT_FRAMES_AT bytes of a file. Of two good copies the one of the later
 * generation counts. ENOENT: all zero, a file that was never used. EBADMSG: neither is good.
 * EOPNOTSUPP: a newer version.
 */
int format_header_read(struct format_header *header, const unsigned char *from);

struct format_frame {
    uint32_t bytes; /* of records */
    uint64_t sequence;
    uint16_t back, unsynced;
    uint32_t count;
};

/* Completes a frame whose records stand at to + FORMAT_FRAME_HEAD. */
void format_frame_write(const struct format_key *key, const struct format_frame *frame,
                        unsigned char *to);
/* Whether it begins with this segment's tag; fills *frame, which may be nonsense. */
bool format_frame_head(const struct format_key *key, struct format_frame *frame,
                       const unsigned char *from);
/* Whether the whole frame, of which all bytes are there, has its checksum. */
bool format_frame_good(const struct format_key *key, const struct format_frame *frame,
                       const unsigned char *from);

/* Writes the 8 bytes before a record of `len` bytes at to + 8; `at` is its place in the file. */
void format_record_write(const struct format_key *key, uint64_t at, uint32_t len,
                         unsigned char *to);
/* The length that stands there. */
uint32_t format_record_len(const unsigned char *from);
/* Whether the record, of which all bytes are there, has its checksum. */
bool format_record_good(const struct format_key *key, uint64_t at, const unsigned char *from);

/* Locators: generation and place in the file. */
static inline uint64_t format_locator(uint32_t generation, uint64_t at)
{
    return (uint64_t)generation << 32 | (uint32_t)at;
}

static inline uint32_t format_locator_generation(uint64_t locator)
{
    return (uint32_t)(locator >> 32);
}

static inline uint32_t format_locator_at(uint64_t locator)
{
    return (uint32_t)locator;
}

#endif
