// SPDX-License-Identifier: MIT
/*
 * The bytes of entries, for the files of the codec: numbers in base 128, and a cursor that trusts
 * nothing. Inline, for each byte of the journal passes through here.
 */
#ifndef JOB_BYTES_PRIV_H
#define JOB_BYTES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VARINT_MAX 10 /* bytes of 64 bits, seven a byte */

static inline char *write_number(char *to, uint64_t number)
{
    while (number >= 0x80) {
        *to++ = (char)(number | 0x80);
        number >>= 7;
    }
    *to++ = (char)number;
    return to;
}

static inline char *write_time(char *to, int64_t time_ns)
{
    return write_number(to, time_ns > 0 ? (uint64_t)time_ns : 0);
}

static inline char *write_bytes(char *to, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(to, bytes, len);
    return to + len;
}

struct cursor {
    const unsigned char *at, *end;
    bool bad; /* ran over the end, or read what can't be */
};

static inline unsigned read_byte(struct cursor *cursor)
{
    if (cursor->at == cursor->end) {
        cursor->bad = true;
        return 0;
    }
    return *cursor->at++;
}

static inline uint64_t read_long_number(struct cursor *cursor)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned byte = read_byte(cursor);
        if (shift == 63 && byte > 1)
            break;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    cursor->bad = true;
    return 0;
}

/* Most are less than 128. */
static inline uint64_t read_number(struct cursor *cursor)
{
    if (cursor->at != cursor->end && *cursor->at < 0x80)
        return *cursor->at++;
    return read_long_number(cursor);
}

static inline uint64_t read_number_up_to(struct cursor *cursor, uint64_t max)
{
    uint64_t number = read_number(cursor);
    if (number > max)
        cursor->bad = true;
    return cursor->bad ? 0 : number;
}

static inline const char *read_bytes(struct cursor *cursor, uint64_t len)
{
    if (len > (size_t)(cursor->end - cursor->at)) {
        cursor->bad = true;
        return "";
    }
    const char *bytes = (const char *)cursor->at;
    cursor->at += len;
    return bytes;
}

#endif
