// SPDX-License-Identifier: MIT
/*
 * The reader of beanstalkd's binlog files; binlog.h has the format.
 *
 * A file ends at its last byte or at zeros. Everything is checked that can be wrong: lengths, the
 * tube's name, the state, signs of times, CR LF behind the body, zeros up to the end of the file.
 */
#include "journal/binlog.h"

#include "job/job.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define NAME_SIZE 4 /* of the length of a name */
#define STRUCT_SIZE 80
#define BODY_TAIL 2        /* CR LF */
#define VERSION_LIKELY 255 /* what is above is damage, and no later version */
#define BODY_MOST ((int64_t)1 << 30)

static uint32_t number_32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t number_64(const unsigned char *at)
{
    return number_32(at) | (uint64_t)number_32(at + 4) << 32;
}

struct cursor {
    const unsigned char *bytes;
    size_t len, at;
    const char *why;
};

static int damaged(struct cursor *cursor, const char *why)
{
    cursor->why = why;
    return EBADMSG;
}

static bool zeros(const unsigned char *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

static void struct_read(const unsigned char *at, struct binlog_record *record)
{
    record->id = number_64(at);
    record->pri = number_32(at + 8);
    record->delay_ns = (int64_t)number_64(at + 16);
    record->ttr_ns = (int64_t)number_64(at + 24);
    record->created_wall_ns = (int64_t)number_64(at + 40);
    record->deadline_wall_ns = (int64_t)number_64(at + 48);
    record->reserves = number_32(at + 56);
    record->timeouts = number_32(at + 60);
    record->releases = number_32(at + 64);
    record->buries = number_32(at + 68);
    record->kicks = number_32(at + 72);
    record->state = (enum binlog_state)at[76];
}

/* Whether the struct can be one; `body` is its length with CR LF. */
static int struct_check(struct cursor *cursor, const struct binlog_record *record, int64_t body)
{
    if (record->id == 0)
        return damaged(cursor, "a record without an id");
    if ((unsigned)record->state > BINLOG_DELAYED)
        return damaged(cursor, "a record with a state that there is not");
    if (record->delay_ns < 0 || record->ttr_ns < 0 || record->created_wall_ns < 0 ||
        record->deadline_wall_ns < 0)
        return damaged(cursor, "a record with a time before 1970, or a negative one");
    if (body < BODY_TAIL || body > BODY_MOST + BODY_TAIL)
        return damaged(cursor, "a record with a length of body that can't be");
    return 0;
}

static int name_check(struct cursor *cursor, const char *name, size_t len)
{
    if (job_tube_name_check(name, len) != 0)
        return damaged(cursor, "a record with a name of a tube that can't be");
    return 0;
}

/* The record at the cursor; *next: where the one behind it is. */
static int record_read(struct cursor *cursor, struct binlog_record *record, size_t *next)
{
    const unsigned char *at = cursor->bytes + cursor->at;
    size_t left = cursor->len - cursor->at;
    *record = (struct binlog_record){.offset = cursor->at};
    if (left < NAME_SIZE + STRUCT_SIZE)
        return damaged(cursor, "a record that is cut off");
    size_t name = number_32(at);
    if (name > JOB_TUBE_NAME_MAX)
        return damaged(cursor, "a record with a length of a name that can't be");
    if (left < NAME_SIZE + name + STRUCT_SIZE)
        return damaged(cursor, "a record that is cut off");
    const unsigned char *fields = at + NAME_SIZE + name;
    int64_t body = (int32_t)number_32(fields + 32);
    struct_read(fields, record);
    int rc = struct_check(cursor, record, body);
    if (rc != 0)
        return rc;
    size_t head = NAME_SIZE + name + STRUCT_SIZE;
    record->body_len = (size_t)body - BODY_TAIL;
    *next = cursor->at + head;
    if (name == 0)
        return 0;
    if (left - head < (size_t)body)
        return damaged(cursor, "a record whose body is cut off");
    record->tube = (const char *)at + NAME_SIZE;
    record->tube_len = name;
    record->body = (const char *)at + head;
    record->body_offset = cursor->at + head;
    *next += (size_t)body;
    if (memcmp(record->body + record->body_len, "\r\n", BODY_TAIL) != 0)
        return damaged(cursor, "a record whose body has no end");
    return name_check(cursor, record->tube, record->tube_len);
}

/* The end is where no record begins, because all is zero. */
static bool at_end(const struct cursor *cursor)
{
    const unsigned char *at = cursor->bytes + cursor->at;
    size_t left = cursor->len - cursor->at;
    size_t look = left < NAME_SIZE + STRUCT_SIZE ? left : NAME_SIZE + STRUCT_SIZE;
    return zeros(at, look);
}

static int version_read(const struct cursor *cursor, struct binlog_end *end)
{
    if (cursor->len < 4) {
        end->why = "no version: the file is shorter than its first number";
        return zeros(cursor->bytes, cursor->len) ? 0 : EBADMSG;
    }
    end->version = (int32_t)number_32(cursor->bytes);
    if (end->version == BINLOG_VERSION)
        return 0;
    if (end->version == 0 && zeros(cursor->bytes, cursor->len))
        return 0; /* space was kept for it, and never written to */
    bool swapped = (uint32_t)end->version == (uint32_t)BINLOG_VERSION << 24;
    bool likely = end->version > 0 && end->version <= VERSION_LIKELY;
    end->why = swapped             ? "of a machine with the other byte order"
               : end->version == 5 ? "of version 5, which an older beanstalkd has written"
               : likely            ? "of a version that isn't known here"
                                   : "no version of a binlog";
    return swapped || likely ? EOPNOTSUPP : EBADMSG;
}

int binlog_read(const void *bytes, size_t len,
                int (*record)(void *arg, const struct binlog_record *record), void *arg,
                struct binlog_end *end)
{
    struct cursor cursor = {.bytes = bytes, .len = len};
    *end = (struct binlog_end){.offset = 0};
    if (len == 0)
        return 0; /* made, and never written to */
    int rc = version_read(&cursor, end);
    if (rc != 0)
        return rc;
    end->why = NULL;
    cursor.at = len < 4 ? len : 4;
    while (rc == 0 && !at_end(&cursor)) {
        struct binlog_record one;
        size_t next = cursor.at;
        rc = record_read(&cursor, &one, &next);
        if (rc == 0) {
            rc = record(arg, &one);
            if (rc == EBADMSG)
                cursor.why = "a record that contradicts what came before it";
        }
        if (rc == 0)
            cursor.at = next;
    }
    if (rc == 0 && !zeros(cursor.bytes + cursor.at, len - cursor.at))
        rc = damaged(&cursor, "something behind what looked like the end");
    end->offset = cursor.at;
    end->why = cursor.why;
    return rc;
}
