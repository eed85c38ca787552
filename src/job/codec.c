// SPDX-License-Identifier: MIT
/*
 * Entries as bytes, and back; job/codec.h has the layout.
 *
 * Both directions walk the same list of fields, driven by the row of the entry's type, so they
 * can't drift apart. Decoding trusts nothing: it reads through a cursor that remembers having run
 * over the end, and every value is checked against what the rest of the program may assume of it.
 */
#include "base/assert.h"
#include "job/attempts_priv.h"
#include "job/options_priv.h"

#include <errno.h>
#include <sha2.h>
#include <string.h>

/* In the order in which they are written. */
enum job_entry_field {
    FIELD_ID = 1 << 0,
    FIELD_PRI = 1 << 1,
    FIELD_TTR = 1 << 2,
    FIELD_CREATED = 1 << 3,
    FIELD_STATE = 1 << 4,
    FIELD_TUBE = 1 << 5,
    FIELD_CEILING = 1 << 6,
    FIELD_BODY = 1 << 7,
    FIELD_GROUP = 1 << 8,
    FIELD_NUMBER = 1 << 9
};

/* Odd: must be understood. They stand on disk; never used again for something else. Those of
 * options.def are others. */
enum job_entry_option {
    OPTION_DELAY = 1,
    OPTION_COUNTERS = 3,
    OPTION_BURIAL = 5,
    OPTION_REASON = 7,
    OPTION_TRIES = 101,
    OPTION_PAST = 103,
    OPTION_RESET = 105,
    OPTION_GROUP = 39, /* what it counts as, and the group's name */
    OPTION_SUBMITTER = 43,
    OPTION_OUT = 106 /* even: to an earlier hilera such a job is ready */
};

#define NS_PER_MS 1000000

struct entry_row {
    unsigned type;
    uint8_t version; /* 0: no such type */
    unsigned fields;
    const char *word;
};

/* By type. */
static const struct entry_row entry_rows[] = {
#define JOB_ENTRY(name, word, number, version, fields, what)                                       \
    [number] = {number, version, fields, word},
#include "job/job_entries.def"
#undef JOB_ENTRY
};

static const struct entry_row *entry_row(unsigned type)
{
    if (type >= sizeof(entry_rows) / sizeof(entry_rows[0]) || entry_rows[type].version == 0)
        return NULL;
    return &entry_rows[type];
}

const char *job_entry_word(unsigned type)
{
    const struct entry_row *row = entry_row(type);
    return row != NULL ? row->word : "unknown";
}

/* States stand on disk as letters, so that the numbers of the enum may change. */
static char state_letter(enum job_state state)
{
    ASSERT(state == JOB_READY || state == JOB_DELAYED || state == JOB_BURIED);
    if (state == JOB_READY)
        return 'r';
    return state == JOB_DELAYED ? 'd' : 'b';
}

/* How a job is out, likewise. */
static const char out_letters[] = {[JOB_OUT_LOCAL] = 'l', [JOB_OUT_TOKEN] = 't'};
#define OUT_KEY_SIZE 8

/* NEW: it is none. */
static enum job_state state_of_letter(unsigned letter)
{
    return letter == 'r'   ? JOB_READY
           : letter == 'd' ? JOB_DELAYED
           : letter == 'b' ? JOB_BURIED
                           : JOB_NEW;
}

/* ---- encoding ---- */

/* `end` is behind the value, which was written at to + 2: no value is longer than 127 bytes. */
static char *option_close(char *to, enum job_entry_option tag, const char *end)
{
    size_t len = (size_t)(end - to) - 2;
    ASSERT(len < 0x80);
    to[0] = (char)tag;
    to[1] = (char)len;
    return to + 2 + len;
}

static char *write_reason(char *to, const char *reason, size_t len)
{
    if (len >= JOB_REASON_MAX)
        len = JOB_REASON_MAX - 1;
    *to++ = OPTION_REASON;
    to = write_number(to, len);
    return write_bytes(to, reason, len);
}

static bool has_counters(const struct job_entry *entry)
{
    return (entry->reserves | entry->tries.timeouts | entry->releases | entry->buries |
            entry->kicks) != 0;
}

static char *write_counters(char *to, const struct job_entry *entry)
{
    char *at = write_number(to + 2, entry->reserves);
    at = write_number(at, entry->tries.timeouts);
    at = write_number(at, entry->releases);
    at = write_number(at, entry->buries);
    at = write_number(at, entry->kicks);
    at = write_number(at, 0); /* not used */
    return option_close(to, OPTION_COUNTERS, at);
}

/* Rows of tries.def that OPTION_COUNTERS has. */
#define IN_COUNTERS(member)

static char *write_tries(char *to, const struct job_entry *entry)
{
    uint32_t any = 0;
    char *at = to + 2;
#define IN_TRIES(member)                                                                           \
    any |= entry->tries.member;                                                                    \
    at = write_number(at, entry->tries.member);
#define JOB_TRY(member, kind, rule, local, remote, disk) IN_##disk(member)
#include "job/tries.def"
#undef JOB_TRY
#undef IN_TRIES
    return any != 0 ? option_close(to, OPTION_TRIES, at) : to;
}

static char *write_past(char *to, const struct job_entry *entry)
{
    char bytes[JOB_PAST_MAX * PAST_ONE_MAX];
    size_t len = entry->past_len;
    if (entry->past != NULL)
        len = (size_t)(past_encode(entry->past, bytes) - bytes);
    if (len == 0)
        return to;
    *to++ = OPTION_PAST;
    to = write_number(to, len);
    return write_bytes(to, entry->past != NULL ? bytes : entry->past_bytes, len);
}

static char *write_group_count(char *to, const struct job_entry *entry)
{
    ASSERT(entry->group_len >= 1 && entry->group_len <= JOB_TEXT_MAX);
    *to++ = OPTION_GROUP;
    to = write_number(to, entry->group_len + 1);
    *to++ = (char)entry->group_count;
    return write_bytes(to, entry->group, entry->group_len);
}

static char *write_out(char *to, const struct job_entry *entry)
{
    char *at = to + 2;
    *at++ = out_letters[entry->out];
    if (entry->out == JOB_OUT_TOKEN) {
        ASSERT(entry->out_key != 0);
        for (int i = 0; i < OUT_KEY_SIZE; i++)
            *at++ = (char)(entry->out_key >> (8 * i));
        at = write_time(at, entry->out_until_wall_ns);
    }
    return option_close(to, OPTION_OUT, at);
}

static char *write_options(char *to, const struct job_entry *entry)
{
    if (entry->delay_ns > 0 || entry->until_wall_ns > 0) {
        char *at = write_time(to + 2, entry->delay_ns);
        to = option_close(to, OPTION_DELAY, write_time(at, entry->until_wall_ns));
    }
    if (has_counters(entry))
        to = write_counters(to, entry);
    if (entry->burial != 0)
        to = option_close(to, OPTION_BURIAL, write_number(to + 2, entry->burial));
    if (entry->reason_len > 0)
        to = write_reason(to, entry->reason, entry->reason_len);
    to = write_past(write_tries(to, entry), entry);
    if (entry->reset)
        to = option_close(to, OPTION_RESET, to + 2);
    if (entry->out != JOB_OUT_NOT)
        to = write_out(to, entry);
    if (entry->group_count != JOB_COUNT_NONE)
        to = write_group_count(to, entry);
    if (entry->has_submitter)
        to = option_close(to, OPTION_SUBMITTER, write_number(to + 2, entry->submitter));
    if (entry->options != NULL)
        return options_encode(entry->options, to);
    return options_pass_on(entry->option_bytes, entry->option_len, to);
}

static char *write_group(char *to, const struct job_entry *entry)
{
    ASSERT(entry->group_len >= 1 && entry->group_len <= JOB_TEXT_MAX);
    *to++ = (char)entry->group_len;
    to = write_bytes(to, entry->group, entry->group_len);
    to = write_number(to, entry->group_number);
    to = write_number(to, entry->group_counts.done);
    to = write_number(to, entry->group_counts.failed);
    to = write_number(to, entry->group_counts.deleted);
    return write_number(to, entry->group_counts.cancelled);
}

static char *write_fields(char *to, const struct job_entry *entry, unsigned fields)
{
    if (fields & FIELD_ID)
        to = write_number(to, entry->id);
    if (fields & FIELD_PRI)
        to = write_number(to, entry->pri);
    if (fields & FIELD_TTR)
        to = write_number(to, entry->ttr_s);
    if (fields & FIELD_CREATED)
        to = write_time(to, entry->created_wall_ns / NS_PER_MS);
    if (fields & FIELD_STATE)
        *to++ = state_letter(entry->state);
    if (fields & FIELD_TUBE) {
        ASSERT(entry->tube_len >= 1 && entry->tube_len <= JOB_TUBE_NAME_MAX);
        *to++ = (char)entry->tube_len;
        to = write_bytes(to, entry->tube, entry->tube_len);
    }
    if (fields & FIELD_CEILING)
        to = write_number(to, entry->id_limit);
    if (fields & FIELD_GROUP)
        to = write_group(to, entry);
    if (fields & FIELD_NUMBER)
        to = write_number(to, entry->number);
    return to;
}

/* The longest that fields and options can be, and so the bytes of their length. */
#define FIELDS_MAX                                                                                 \
    (2 + VARINT_MAX + 5 + 5 + VARINT_MAX + 1 + 1 + JOB_TUBE_NAME_MAX + 6 * VARINT_MAX)
#define TRIES_MAX (2 + 3 * 5 + 2)
#define OUT_MAX (2 + 1 + OUT_KEY_SIZE + VARINT_MAX)
#define CHANGE_OPTIONS_MAX                                                                         \
    (2 + 2 * VARINT_MAX + 2 + 6 * 5 + 2 + VARINT_MAX + 3 + JOB_REASON_MAX + TRIES_MAX + 3 +        \
     PAST_ONE_MAX + 4 + JOB_TEXT_MAX + 2 + 5 + OUT_MAX)
#define OPTIONS_MAX (CHANGE_OPTIONS_MAX + (JOB_PAST_MAX - 1) * PAST_ONE_MAX + OPTIONS_ENCODED_MAX)
_Static_assert(FIELDS_MAX + 2 + OPTIONS_MAX <= JOB_ENTRY_HEAD_MAX, "the longest put has room");
_Static_assert(FIELDS_MAX + 2 + CHANGE_OPTIONS_MAX <= JOB_ENTRY_CHANGE_MAX,
               "the longest change has room");

size_t job_entry_encode(const struct job_entry *entry, char head[JOB_ENTRY_HEAD_MAX])
{
    const struct entry_row *row = entry_row(entry->type);
    ASSERT(row != NULL);
    ASSERT(entry->type == JOB_ENTRY_PUT || (entry->options == NULL && entry->option_len == 0));
    char options[OPTIONS_MAX];
    size_t options_len = (size_t)(write_options(options, entry) - options);
    ASSERT(options_len <= sizeof(options));
    char *at = head;
    *at++ = (char)row->type;
    *at++ = (char)row->version;
    at = write_fields(at, entry, row->fields);
    at = write_number(at, options_len);
    at = write_bytes(at, options, options_len);
    ASSERT((size_t)(at - head) <= JOB_ENTRY_HEAD_MAX);
    return (size_t)(at - head);
}

/* ---- decoding ---- */

static uint32_t read_u32(struct cursor *cursor)
{
    return (uint32_t)read_number_up_to(cursor, UINT32_MAX);
}

static int64_t read_time(struct cursor *cursor)
{
    return (int64_t)read_number_up_to(cursor, INT64_MAX);
}

static int64_t read_span(struct cursor *cursor)
{
    return (int64_t)read_number_up_to(cursor, JOB_SPAN_MAX_NS);
}

/* One that is counted on from there. */
static uint64_t read_serial(struct cursor *cursor)
{
    return read_number_up_to(cursor, JOB_ID_MAX);
}

/* A group's name may be any text that has no NUL. */
static void read_group_name(struct cursor *cursor, struct job_entry *entry, size_t len)
{
    entry->group_len = len;
    entry->group = read_bytes(cursor, len);
    if (!cursor->bad && (len == 0 || len > JOB_TEXT_MAX || memchr(entry->group, '\0', len) != NULL))
        cursor->bad = true;
}

static void read_group(struct cursor *cursor, struct job_entry *entry)
{
    read_group_name(cursor, entry, read_byte(cursor));
    entry->group_number = read_serial(cursor);
    entry->group_counts.done = read_number_up_to(cursor, JOB_COUNT_MAX);
    entry->group_counts.failed = read_number_up_to(cursor, JOB_COUNT_MAX);
    entry->group_counts.deleted = read_number_up_to(cursor, JOB_COUNT_MAX);
    entry->group_counts.cancelled = read_number_up_to(cursor, JOB_COUNT_MAX);
}

/* The option of DELETE, BURY, KICK, LEASE. EOPNOTSUPP: this is another entry. */
static int read_group_count(struct cursor *value, struct job_entry *entry)
{
    if (entry->type != JOB_ENTRY_DELETE && entry->type != JOB_ENTRY_BURY &&
        entry->type != JOB_ENTRY_KICK && entry->type != JOB_ENTRY_LEASE)
        return EOPNOTSUPP;
    unsigned letter = read_byte(value);
    if (letter == '\0' || strchr("dfxcr", (int)letter) == NULL)
        value->bad = true;
    entry->group_count = (enum job_fate_count)letter;
    read_group_name(value, entry, (size_t)(value->end - value->at));
    return 0;
}

static void read_fields(struct cursor *cursor, struct job_entry *entry, unsigned fields,
                        unsigned version)
{
    if (fields & FIELD_ID) {
        entry->id = read_serial(cursor);
        cursor->bad = cursor->bad || entry->id == 0;
    }
    if (fields & FIELD_PRI)
        entry->pri = read_u32(cursor);
    if (fields & FIELD_TTR)
        entry->ttr_s = read_u32(cursor);
    if (fields & FIELD_CREATED)
        entry->created_wall_ns =
            (int64_t)read_number_up_to(cursor, JOB_WALL_MAX_NS / NS_PER_MS) * NS_PER_MS;
    if (fields & FIELD_STATE) {
        entry->state = state_of_letter(read_byte(cursor));
        cursor->bad = cursor->bad || entry->state == JOB_NEW;
    }
    if (fields & FIELD_TUBE) {
        entry->tube_len = read_byte(cursor);
        entry->tube = read_bytes(cursor, entry->tube_len);
        if (!cursor->bad && job_tube_name_check(entry->tube, entry->tube_len) != 0)
            cursor->bad = true;
    }
    if (fields & FIELD_CEILING) {
        entry->id_limit = read_serial(cursor);
        if (version == 1)
            (void)read_number(cursor); /* of tokens, which had one then */
    }
    if (fields & FIELD_GROUP)
        read_group(cursor, entry);
    if (fields & FIELD_NUMBER) {
        entry->number = read_serial(cursor);
        cursor->bad = cursor->bad || entry->number == 0;
    }
}

static void read_counters(struct cursor *value, struct job_entry *entry)
{
    entry->reserves = read_u32(value);
    entry->tries.timeouts = read_u32(value);
    entry->releases = read_u32(value);
    entry->buries = read_u32(value);
    entry->kicks = read_u32(value);
    (void)read_u32(value);
}

static void read_tries(struct cursor *value, struct job_entry *entry)
{
#define IN_TRIES(member) entry->tries.member = read_u32(value);
#define JOB_TRY(member, kind, rule, local, remote, disk) IN_##disk(member)
#include "job/tries.def"
#undef JOB_TRY
#undef IN_TRIES
}

/* Of an entry that says it of a job which is ready otherwise. */
static void read_out(struct cursor *value, struct job_entry *entry)
{
    bool may = entry->type == JOB_ENTRY_LEASE || entry->type == JOB_ENTRY_RETRY ||
               (entry->type == JOB_ENTRY_PUT && entry->state == JOB_READY);
    unsigned letter = read_byte(value);
    entry->out = letter == (unsigned)out_letters[JOB_OUT_LOCAL]   ? JOB_OUT_LOCAL
                 : letter == (unsigned)out_letters[JOB_OUT_TOKEN] ? JOB_OUT_TOKEN
                                                                  : JOB_OUT_NOT;
    value->bad = value->bad || !may || entry->out == JOB_OUT_NOT;
    if (entry->out != JOB_OUT_TOKEN)
        return;
    for (int i = 0; i < OUT_KEY_SIZE; i++)
        entry->out_key |= (uint64_t)read_byte(value) << (8 * i);
    entry->out_until_wall_ns = read_time(value);
    value->bad = value->bad || entry->out_key == 0;
}

/* One that isn't of the codec itself: of the job, or unknown. */
static int read_job_option(const struct job_entry *entry, uint64_t tag, struct cursor *value,
                           uint32_t *seen)
{
    if (entry->type == JOB_ENTRY_PUT) {
        int rc = options_look(tag, value, seen);
        if (rc != ENOENT)
            return rc;
    }
    value->at = value->end;
    return tag % 2 != 0 ? EOPNOTSUPP : 0;
}

/* EOPNOTSUPP: one that must be understood isn't. */
static int read_option(struct job_entry *entry, uint64_t tag, struct cursor *value, uint32_t *seen)
{
    int rc = 0;
    switch (tag) {
    case OPTION_DELAY:
        entry->delay_ns = read_span(value);
        entry->until_wall_ns = read_time(value);
        break;
    case OPTION_COUNTERS:
        read_counters(value, entry);
        break;
    case OPTION_BURIAL:
        entry->burial = read_serial(value);
        break;
    case OPTION_REASON:
        entry->reason_len = (size_t)(value->end - value->at);
        if (entry->reason_len >= JOB_REASON_MAX)
            value->bad = true;
        entry->reason = read_bytes(value, entry->reason_len);
        break;
    case OPTION_TRIES:
        read_tries(value, entry);
        break;
    case OPTION_PAST:
        entry->past_len = (size_t)(value->end - value->at);
        entry->past_bytes = (const char *)value->at;
        past_look(value);
        break;
    case OPTION_RESET:
        entry->reset = true;
        break;
    case OPTION_OUT:
        read_out(value, entry);
        break;
    case OPTION_GROUP:
        rc = read_group_count(value, entry);
        if (rc != 0)
            return rc;
        break;
    case OPTION_SUBMITTER:
        entry->has_submitter = true;
        entry->submitter = (uint32_t)read_number_up_to(value, JOB_NOBODY - 1);
        break;
    default:
        rc = read_job_option(entry, tag, value, seen);
        if (rc != 0)
            return rc;
    }
    return value->bad || value->at != value->end ? EBADMSG : 0;
}

static int read_options(struct cursor *cursor, struct job_entry *entry)
{
    uint64_t len = read_number(cursor);
    const unsigned char *start = (const unsigned char *)read_bytes(cursor, len);
    if (cursor->bad)
        return EBADMSG;
    struct cursor options = {start, start + len, false};
    uint32_t seen = 0;
    int rc = 0;
    while (rc == 0 && options.at != options.end) {
        uint64_t tag = read_number(&options);
        uint64_t value_len = read_number(&options);
        const unsigned char *value = (const unsigned char *)read_bytes(&options, value_len);
        if (options.bad)
            return EBADMSG;
        struct cursor inside = {value, value + value_len, false};
        rc = read_option(entry, tag, &inside, &seen);
    }
    if (seen != 0) {
        entry->option_bytes = (const char *)start;
        entry->option_len = len;
    }
    return rc;
}

static int entry_read(struct job_entry *entry, const void *bytes, size_t len)
{
    struct cursor cursor = {bytes, (const unsigned char *)bytes + len, false};
    unsigned type = read_byte(&cursor), version = read_byte(&cursor);
    if (cursor.bad || type == 0 || version == 0)
        return EBADMSG;
    entry->type = (enum job_entry_type)type;
    const struct entry_row *row = entry_row(type);
    if (row == NULL || version > row->version)
        return EOPNOTSUPP;
    read_fields(&cursor, entry, row->fields, version);
    if (cursor.bad)
        return EBADMSG;
    int rc = read_options(&cursor, entry);
    if (rc != 0)
        return rc;
    if (row->fields & FIELD_BODY) {
        entry->body_len = (size_t)(cursor.end - cursor.at);
        entry->body = read_bytes(&cursor, entry->body_len);
    }
    return cursor.at == cursor.end && entry->body_len <= JOB_BODY_MAX ? 0 : EBADMSG;
}

uint64_t job_token_key(uint64_t id, uint64_t token)
{
    uint8_t bytes[16], hash[SHA256_DIGEST_LENGTH];
    SHA2_CTX sha;
    uint64_t key = 0;
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(id >> (8 * i));
        bytes[8 + i] = (uint8_t)(token >> (8 * i));
    }
    SHA256Init(&sha);
    SHA256Update(&sha, bytes, sizeof(bytes));
    SHA256Final(hash, &sha);
    for (int i = 0; i < OUT_KEY_SIZE; i++)
        key |= (uint64_t)hash[i] << (8 * i);
    return key != 0 ? key : 1;
}

int job_entry_decode(struct job_entry *entry, const void *bytes, size_t len)
{
    *entry = (struct job_entry){0};
    int rc = entry_read(entry, bytes, len);
    if (rc != 0)
        *entry = (struct job_entry){.type = entry->type, .id = entry->id};
    return rc;
}
