// SPDX-License-Identifier: MIT
/*
 * The reader of beanstalkd's binlog files; binlog.h has the format.
 *
 * A file ends at its last byte or at zeros. It is looked at through a window: heads of records, the
 * two bytes behind a body, and what is behind the end, where holes are passed over. Bodies aren't
 * read at all. Everything is checked that can be wrong: lengths, the
 * tube's name, the state, signs of times, CR LF behind the body, zeros up to the end of the file.
 */
#include "import/binlog.h"

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

#define HEAD_MOST (NAME_SIZE + JOB_TUBE_NAME_MAX + STRUCT_SIZE)
#define WINDOW ((size_t)16 * 1024)
_Static_assert(WINDOW >= HEAD_MOST, "the window holds what is looked at together");

struct cursor {
    const struct binlog_source *source;
    size_t len, at;
    const char *why;
    size_t window_at, window_len; /* what of the file is in the window */
    unsigned char window[WINDOW];
    char tube[JOB_TUBE_NAME_MAX];
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

/* `len` bytes, a window at most, which are inside of the file. They stay until the next call. */
static int look(struct cursor *cursor, size_t at, size_t len, const unsigned char **bytes)
{
    if (at < cursor->window_at || at - cursor->window_at > cursor->window_len ||
        cursor->window_len - (at - cursor->window_at) < len) {
        size_t most = cursor->len - at < WINDOW ? cursor->len - at : WINDOW;
        cursor->window_len = 0;
        int rc = cursor->source->read(cursor->source->arg, cursor->window, most, at);
        if (rc != 0)
            return rc;
        cursor->window_at = at;
        cursor->window_len = most;
    }
    *bytes = cursor->window + (at - cursor->window_at);
    return 0;
}

/* Where the last byte that isn't zero ends. With `any`, one that isn't is enough. */
static int last_find(struct cursor *cursor, size_t at, bool any, size_t *last)
{
    const struct binlog_source *source = cursor->source;
    *last = at;
    for (size_t from = at, len; from < cursor->len && !(any && *last > at); from += len) {
        const unsigned char *bytes;
        if (source->next != NULL)
            from = source->next(source->arg, from);
        if (from >= cursor->len)
            return 0;
        len = cursor->len - from < WINDOW ? cursor->len - from : WINDOW;
        int rc = look(cursor, from, len, &bytes);
        if (rc != 0)
            return rc;
        if (zeros(bytes, len))
            continue;
        size_t used = len;
        while (bytes[used - 1] == 0)
            used--;
        *last = from + used;
    }
    return 0;
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
    if (record->id > JOB_ID_MAX)
        return damaged(cursor, "a record with an id that can't be");
    if ((unsigned)record->state > BINLOG_DELAYED)
        return damaged(cursor, "a record with a state that there is not");
    if (record->delay_ns < 0 || record->ttr_ns < 0 || record->created_wall_ns < 0 ||
        record->deadline_wall_ns < 0)
        return damaged(cursor, "a record with a time before 1970, or a negative one");
    if (record->delay_ns > JOB_SPAN_MAX_NS || record->created_wall_ns > JOB_WALL_MAX_NS)
        return damaged(cursor, "a record with a time that can't be");
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

/* Its head has been read; the rest of a full one. `head`: bytes of it. */
static int body_check(struct cursor *cursor, struct binlog_record *record, size_t head, size_t body)
{
    const unsigned char *end;
    if (cursor->len - cursor->at - head < body)
        return damaged(cursor, "a record whose body is cut off");
    record->tube = cursor->tube;
    record->body_offset = cursor->at + head;
    int rc = look(cursor, record->body_offset + record->body_len, BODY_TAIL, &end);
    if (rc != 0)
        return rc;
    if (memcmp(end, "\r\n", BODY_TAIL) != 0)
        return damaged(cursor, "a record whose body has no end");
    return name_check(cursor, record->tube, record->tube_len);
}

/* The record at the cursor; *next: where the one behind it is. */
static int record_read(struct cursor *cursor, struct binlog_record *record, size_t *next)
{
    const unsigned char *at;
    size_t left = cursor->len - cursor->at;
    *record = (struct binlog_record){.offset = cursor->at};
    if (left < NAME_SIZE + STRUCT_SIZE)
        return damaged(cursor, "a record that is cut off");
    int rc = look(cursor, cursor->at, left < HEAD_MOST ? left : HEAD_MOST, &at);
    if (rc != 0)
        return rc;
    size_t name = number_32(at);
    if (name > JOB_TUBE_NAME_MAX)
        return damaged(cursor, "a record with a length of a name that can't be");
    if (left < NAME_SIZE + name + STRUCT_SIZE)
        return damaged(cursor, "a record that is cut off");
    const unsigned char *fields = at + NAME_SIZE + name;
    int64_t body = (int32_t)number_32(fields + 32);
    struct_read(fields, record);
    rc = struct_check(cursor, record, body);
    if (rc != 0)
        return rc;
    size_t head = NAME_SIZE + name + STRUCT_SIZE;
    record->body_len = (size_t)body - BODY_TAIL;
    record->tube_len = name;
    *next = cursor->at + head + (name > 0 ? (size_t)body : 0);
    if (name == 0)
        return 0;
    memcpy(cursor->tube, at + NAME_SIZE, name);
    return body_check(cursor, record, head, (size_t)body);
}

/* The end is where no record begins, because all is zero. */
static int at_end(struct cursor *cursor, bool *end)
{
    const unsigned char *at;
    size_t left = cursor->len - cursor->at;
    size_t most = left < NAME_SIZE + STRUCT_SIZE ? left : NAME_SIZE + STRUCT_SIZE;
    *end = most == 0;
    int rc = most > 0 ? look(cursor, cursor->at, most, &at) : 0;
    if (rc == 0 && most > 0)
        *end = zeros(at, most);
    return rc;
}

/* Whether all of the file, or what is left of it, is zero. */
static int all_zeros(struct cursor *cursor, bool *all)
{
    size_t last;
    int rc = last_find(cursor, cursor->at, true, &last);
    *all = last == cursor->at;
    return rc;
}

static int version_read(struct cursor *cursor, struct binlog_end *end)
{
    const unsigned char *bytes;
    bool empty = false;
    int rc = look(cursor, 0, cursor->len < 4 ? cursor->len : 4, &bytes);
    if (rc != 0)
        return rc;
    if (cursor->len < 4) {
        end->why = "no version: the file is shorter than its first number";
        return zeros(bytes, cursor->len) ? 0 : EBADMSG;
    }
    end->version = (int32_t)number_32(bytes);
    if (end->version == BINLOG_VERSION)
        return 0;
    if (end->version == 0 && (rc = all_zeros(cursor, &empty)) != 0)
        return rc;
    if (empty)
        return 0; /* space was kept for it, and never written to */
    bool swapped = (uint32_t)end->version == (uint32_t)BINLOG_VERSION << 24;
    bool likely = end->version > 0 && end->version <= VERSION_LIKELY;
    end->why = swapped             ? "of a machine with the other byte order"
               : end->version == 5 ? "of version 5, which an older beanstalkd has written"
               : likely            ? "of a version that isn't known here"
                                   : "no version of a binlog";
    return swapped || likely ? EOPNOTSUPP : EBADMSG;
}

static int records_read(struct cursor *cursor,
                        int (*record)(void *arg, const struct binlog_record *record), void *arg)
{
    bool end = false, empty = false;
    int rc = at_end(cursor, &end);
    while (rc == 0 && !end) {
        struct binlog_record one;
        size_t next = cursor->at;
        rc = record_read(cursor, &one, &next);
        if (rc == 0) {
            rc = record(arg, &one);
            if (rc == EBADMSG)
                cursor->why = "a record that contradicts what came before it";
        }
        if (rc == 0) {
            cursor->at = next;
            rc = at_end(cursor, &end);
        }
    }
    if (rc == 0)
        rc = all_zeros(cursor, &empty);
    if (rc == 0 && !empty)
        rc = damaged(cursor, "something behind what looked like the end");
    return rc;
}

int binlog_read(const struct binlog_source *source,
                int (*record)(void *arg, const struct binlog_record *record), void *arg,
                struct binlog_end *end)
{
    struct cursor cursor = {.source = source, .len = source->size};
    *end = (struct binlog_end){.offset = 0};
    if (cursor.len == 0)
        return 0; /* made, and never written to */
    int rc = version_read(&cursor, end);
    if (rc != 0)
        return rc;
    end->why = NULL;
    cursor.at = cursor.len < 4 ? cursor.len : 4;
    rc = records_read(&cursor, record, arg);
    end->offset = cursor.at;
    end->why = cursor.why;
    return rc;
}

int binlog_last(const struct binlog_source *source, size_t at, size_t *last)
{
    struct cursor cursor = {.source = source, .len = source->size};
    return last_find(&cursor, at, false, last);
}
