// SPDX-License-Identifier: MIT
/*
 * Headers, frames and records as bytes; file_format_priv.h has the layout. Pure functions that
 * touch no file. What is read is trusted in nothing: whoever calls makes sure that the bytes are
 * there, and everything else is a question with the answers yes and no.
 */
#include "journal/file_format_priv.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

static const unsigned char header_magic[8] = {'H', 'I', 'L', 'E', 'R', 'A', '-', 'J'};

/* Keys are spread over all bits by an odd factor (2^64 divided by the golden ratio). */
#define KEY_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static void put_u16(unsigned char *to, uint16_t number)
{
    to[0] = (unsigned char)number;
    to[1] = (unsigned char)(number >> 8);
}

static void put_u32(unsigned char *to, uint32_t number)
{
    put_u16(to, (uint16_t)number);
    put_u16(to + 2, (uint16_t)(number >> 16));
}

static void put_u64(unsigned char *to, uint64_t number)
{
    put_u32(to, (uint32_t)number);
    put_u32(to + 4, (uint32_t)(number >> 32));
}

static uint16_t get_u16(const unsigned char *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

static uint32_t get_u32(const unsigned char *from)
{
    return get_u16(from) | (uint32_t)get_u16(from + 2) << 16;
}

static uint64_t get_u64(const unsigned char *from)
{
    return get_u32(from) | (uint64_t)get_u32(from + 4) << 32;
}

struct format_key format_key_of(uint64_t journal_id, uint32_t generation)
{
    unsigned char bytes[12];
    put_u64(bytes, journal_id);
    put_u32(bytes + 8, generation);
    uint64_t seed = XXH3_64bits(bytes, sizeof(bytes));
    uint32_t tag = (uint32_t)(seed >> 32) ^ (uint32_t)(seed * KEY_FACTOR);
    /* Zero would be found wherever nothing was ever written. */
    return (struct format_key){seed, tag != 0 ? tag : 1};
}

/* ---- header ---- */

static void header_write_one(const struct format_header *header, unsigned char *to)
{
    memcpy(to, header_magic, sizeof(header_magic));
    put_u32(to + 8, FORMAT_VERSION);
    put_u32(to + 12, 0);
    put_u64(to + 16, header->journal_id);
    put_u32(to + 24, header->generation);
    put_u32(to + 28, header->oldest);
    put_u64(to + 32, header->first_sequence);
    put_u64(to + 40, header->size);
    put_u64(to + 48, (uint64_t)header->begun_wall_ns);
    put_u64(to + 56, XXH3_64bits(to, 56));
}

void format_header_write(const struct format_header *header, unsigned char *to)
{
    memset(to, 0, FORMAT_FRAMES_AT);
    header_write_one(header, to);
    header_write_one(header, to + FORMAT_HEADER_COPY);
}

/* EBADMSG, EOPNOTSUPP. */
static int header_read_one(struct format_header *header, const unsigned char *from)
{
    if (memcmp(from, header_magic, sizeof(header_magic)) != 0 ||
        get_u64(from + 56) != XXH3_64bits(from, 56))
        return EBADMSG;
    if (get_u32(from + 8) != FORMAT_VERSION)
        return EOPNOTSUPP;
    header->journal_id = get_u64(from + 16);
    header->generation = get_u32(from + 24);
    header->oldest = get_u32(from + 28);
    header->first_sequence = get_u64(from + 32);
    header->size = get_u64(from + 40);
    header->begun_wall_ns = (int64_t)get_u64(from + 48);
    return header->generation > 0 && header->oldest > 0 && header->oldest <= header->generation
               ? 0
               : EBADMSG;
}

static bool all_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

int format_header_read(struct format_header *header, const unsigned char *from)
{
    struct format_header copy;
    int rc = header_read_one(header, from);
    int rc_copy = header_read_one(&copy, from + FORMAT_HEADER_COPY);
    if (rc == EOPNOTSUPP || rc_copy == EOPNOTSUPP)
        return EOPNOTSUPP;
    if (rc_copy == 0 && (rc != 0 || copy.generation > header->generation)) {
        *header = copy;
        return 0;
    }
    if (rc != 0 && all_zero(from, FORMAT_FRAMES_AT))
        return ENOENT;
    return rc;
}

/* ---- frames ---- */

static uint64_t frame_check(const struct format_key *key, const unsigned char *frame,
                            uint32_t bytes)
{
    /* The head, whose last eight bytes are the checksum itself, enters by its own hash. */
    uint64_t head = XXH3_64bits_withSeed(frame, 24, key->seed);
    return XXH3_64bits_withSeed(frame + FORMAT_FRAME_HEAD, bytes, head);
}

void format_frame_write(const struct format_key *key, const struct format_frame *frame,
                        unsigned char *to)
{
    put_u32(to, key->tag);
    put_u32(to + 4, frame->bytes);
    put_u64(to + 8, frame->sequence);
    put_u16(to + 16, frame->back);
    put_u16(to + 18, frame->unsynced);
    put_u32(to + 20, frame->count);
    put_u64(to + 24, frame_check(key, to, frame->bytes));
}

bool format_frame_head(const struct format_key *key, struct format_frame *frame,
                       const unsigned char *from)
{
    frame->bytes = get_u32(from + 4);
    frame->sequence = get_u64(from + 8);
    frame->back = get_u16(from + 16);
    frame->unsynced = get_u16(from + 18);
    frame->count = get_u32(from + 20);
    return get_u32(from) == key->tag;
}

bool format_frame_good(const struct format_key *key, const struct format_frame *frame,
                       const unsigned char *from)
{
    return get_u64(from + 24) == frame_check(key, from, frame->bytes);
}

/* ---- records ---- */

static uint32_t record_check(const struct format_key *key, uint64_t at, const unsigned char *record,
                             uint32_t len)
{
    uint64_t seed = key->seed ^ (at + 1) * KEY_FACTOR;
    return (uint32_t)XXH3_64bits_withSeed(record + 4, (size_t)len + 4, seed);
}

void format_record_write(const struct format_key *key, uint64_t at, uint32_t len, unsigned char *to)
{
    put_u32(to + 4, len);
    put_u32(to, record_check(key, at, to, len));
}

uint32_t format_record_len(const unsigned char *from)
{
    return get_u32(from + 4);
}

bool format_record_good(const struct format_key *key, uint64_t at, const unsigned char *from)
{
    return get_u32(from) == record_check(key, at, from, get_u32(from + 4));
}
