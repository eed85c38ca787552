// SPDX-License-Identifier: MIT
/*
 * Records as bytes: what the journal keeps of a finished job until history has it on the disk, the
 * body of an entry RESULT.
 *
 *   version         one byte
 *   fields          record_fields.def, in that order
 *   attempts        how many, then each: outcome, exit status, signal, start, end, reason
 *
 * Numbers are those of the other entries (job/codec.h), with the sign in the lowest bit. A text has
 * its length, its bytes and a NUL, so that decoding can point at it. An outcome is the letter of
 * job_outcomes.def. Decoding trusts nothing: what comes out of it may be shown to anybody.
 *
 * The time by the monotonic clock isn't written; it is computed anew, by how long ago the job
 * ended.
 */
#include "base/clock.h"
#include "job/bytes_priv.h"
#include "job/record_priv.h"

#include <errno.h>
#include <string.h>

#define RECORD_VERSION 2

static const char letters[JOB_OUTCOME_COUNT] = {
#define JOB_OUTCOME(name, word, letter, fate) letter,
#include "job/job_outcomes.def"
#undef JOB_OUTCOME
};

/* ---- writing ---- */

static char *write_signed(char *to, int64_t number)
{
    uint64_t sign = number < 0 ? UINT64_MAX : 0;
    return write_number(to, ((uint64_t)number << 1) ^ sign);
}

static char *write_sized(char *to, const void *bytes, size_t len)
{
    return write_bytes(write_number(to, len), bytes, len);
}

static char *write_text(char *to, const char *text)
{
    return write_sized(to, text, strlen(text) + 1);
}

/* What each of them takes at most. */
#define SIZE_INT(record, field) ((size_t)VARINT_MAX)
#define SIZE_KIND(record, field) ((size_t)1)
#define SIZE_TEXT(record, field) (VARINT_MAX + strlen((record)->field) + 1)
#define SIZE_BLOB(record, field) (VARINT_MAX + (record)->field##_len)
#define SIZE_TAGS(record, field) (VARINT_MAX + (record)->field##_size)

size_t record_encoded_most(const struct job_record *record)
{
    size_t size = 1 + VARINT_MAX;
#define RECORD_FIELD(since, kind, field) size += SIZE_##kind(record, field);
#include "job/record_fields.def"
#undef RECORD_FIELD
    for (size_t i = 0; i < record->earlier_count; i++)
        size += 1 + 5 * (size_t)VARINT_MAX + strlen(record->earlier[i].reason) + 1;
    return size;
}

#define WRITE_INT(to, record, field) write_signed(to, (int64_t)(record)->field)
#define WRITE_KIND(to, record, field) write_bytes(to, &letters[(record)->field], 1)
#define WRITE_TEXT(to, record, field) write_text(to, (record)->field)
#define WRITE_BLOB(to, record, field) write_sized(to, (record)->field, (record)->field##_len)
#define WRITE_TAGS(to, record, field) write_sized(to, (record)->field, (record)->field##_size)

static char *write_attempt(char *to, const struct job_attempt *attempt)
{
    to = write_bytes(to, &letters[attempt->kind], 1);
    to = write_signed(to, attempt->exit_status);
    to = write_signed(to, attempt->signal);
    to = write_signed(to, attempt->started_wall_ns);
    to = write_signed(to, attempt->ended_wall_ns);
    return write_text(to, attempt->reason);
}

int job_record_encode(const struct job_record *record, struct job_body **out)
{
    size_t most = record_encoded_most(record);
    int rc = most < JOB_BODY_MAX ? job_body_new(out, most) : EMSGSIZE;
    if (rc != 0)
        return rc;
    char *at = (*out)->bytes;
    *at++ = RECORD_VERSION;
#define RECORD_FIELD(since, kind, field) at = WRITE_##kind(at, record, field);
#include "job/record_fields.def"
#undef RECORD_FIELD
    at = write_number(at, record->earlier_count);
    for (size_t i = 0; i < record->earlier_count; i++)
        at = write_attempt(at, &record->earlier[i]);
    ASSERT((size_t)(at - (*out)->bytes) <= most);
    (*out)->len = (uint32_t)(at - (*out)->bytes);
    return 0;
}

/* ---- reading ---- */

static int64_t read_signed(struct cursor *cursor)
{
    uint64_t number = read_number(cursor);
    return (int64_t)(number >> 1 ^ (0 - (number & 1)));
}

static int read_int(struct cursor *cursor)
{
    int64_t number = read_signed(cursor);
    if (number < INT32_MIN || number > INT32_MAX)
        cursor->bad = true;
    return cursor->bad ? 0 : (int)number;
}

static enum job_outcome_kind read_kind(struct cursor *cursor)
{
    unsigned letter = read_byte(cursor);
    for (int i = 0; i < JOB_OUTCOME_COUNT; i++)
        if ((unsigned char)letters[i] == letter)
            return (enum job_outcome_kind)i;
    cursor->bad = true;
    return JOB_OUTCOME_DONE;
}

static const char *read_sized(struct cursor *cursor, size_t *len)
{
    *len = (size_t)read_number(cursor);
    return read_bytes(cursor, *len);
}

/* Its only NUL is its last byte. */
static const char *read_text(struct cursor *cursor)
{
    size_t len;
    const char *text = read_sized(cursor, &len);
    if (!cursor->bad && (len == 0 || memchr(text, '\0', len) != text + len - 1))
        cursor->bad = true;
    return cursor->bad ? "" : text;
}

static const char *read_tags(struct cursor *cursor, size_t *size)
{
    const char *tags = read_sized(cursor, size);
    if (!cursor->bad && *size > 0 && (*size > JOB_TAGS_SIZE || tags[*size - 1] != '\0'))
        cursor->bad = true;
    return tags;
}

/* A number that its field can't hold is none. */
#define READ_INT(cursor, record, field)                                                            \
    do {                                                                                           \
        int64_t number = read_signed(cursor);                                                      \
        (record)->field = (__typeof__((record)->field))number;                                     \
        (cursor)->bad |= (int64_t)(record)->field != number;                                       \
    } while (0)
#define READ_KIND(cursor, record, field) (record)->field = read_kind(cursor)
#define READ_TEXT(cursor, record, field) (record)->field = read_text(cursor)
#define READ_BLOB(cursor, record, field)                                                           \
    (record)->field = read_sized(cursor, &(record)->field##_len)
#define READ_TAGS(cursor, record, field)                                                           \
    (record)->field = read_tags(cursor, &(record)->field##_size)

static void read_attempt(struct cursor *cursor, struct job_attempt *attempt)
{
    attempt->kind = read_kind(cursor);
    attempt->exit_status = read_int(cursor);
    attempt->signal = read_int(cursor);
    attempt->started_wall_ns = read_signed(cursor);
    attempt->ended_wall_ns = read_signed(cursor);
    attempt->reason = read_text(cursor);
    if (strlen(attempt->reason) >= JOB_REASON_MAX)
        cursor->bad = true;
}

int job_record_decode(struct job_record **out, uint64_t id, const void *bytes, size_t len)
{
    struct cursor cursor = {bytes, (const unsigned char *)bytes + len, false};
    struct job_attempt earlier[JOB_EARLIER_MAX];
    struct job_record record = {.id = id, .submitter = JOB_NOBODY, .earlier = earlier};
    unsigned version = read_byte(&cursor);
    if (cursor.bad || version == 0)
        return EBADMSG;
    if (version > RECORD_VERSION)
        return EOPNOTSUPP;
#define RECORD_FIELD(since, kind, field)                                                           \
    if (version >= (since))                                                                        \
        READ_##kind(&cursor, &record, field);
#include "job/record_fields.def"
#undef RECORD_FIELD
    record.earlier_count = (size_t)read_number_up_to(&cursor, JOB_EARLIER_MAX);
    for (size_t i = 0; i < record.earlier_count && !cursor.bad; i++)
        read_attempt(&cursor, &earlier[i]);
    if (cursor.bad || cursor.at != cursor.end || !job_record_is_right(&record))
        return EBADMSG;
    int64_t ago_ns;
    if (__builtin_sub_overflow(clock_wall_ns(), record.ended_wall_ns, &ago_ns) ||
        __builtin_sub_overflow(clock_now_ns(), ago_ns, &record.finished_ns))
        record.finished_ns = 0;
    return job_record_copy(out, &record);
}
