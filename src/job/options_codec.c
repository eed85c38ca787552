// SPDX-License-Identifier: MIT
/*
 * Options of jobs as bytes: the values that they have in a PUT entry, see job/codec.h.
 *
 * Decoding has two steps, for an entry points into its bytes and owns nothing: codec.c looks at
 * each value (options_look), and whoever keeps the job makes the one piece of memory of them. A
 * value that the table doesn't allow is no value that this program wrote.
 */
#include "base/assert.h"
#include "base/json.h"
#include "job/options_priv.h"

#include <errno.h>

_Static_assert(OPTION_ROWS <= 32, "options_look has a bit for each row");

static char *row_encode(const struct job_options *options, const struct option_row *row, char *to)
{
    to = write_number(to, row->tag);
    if (row->form == OPTION_NUMBER || row->form == OPTION_TIME) {
        char value[VARINT_MAX];
        size_t len = (size_t)(write_number(value, option_number(options, row)) - value);
        to = write_number(to, len);
        return write_bytes(to, value, len);
    }
    size_t len;
    const char *text = option_text(options, row, &len);
    to = write_number(to, len);
    return write_bytes(to, text, len);
}

char *options_encode(const struct job_options *options, char to[OPTIONS_ENCODED_MAX])
{
    char *at = to;
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (option_is_there(options, &option_rows[i]))
            at = row_encode(options, &option_rows[i], at);
    ASSERT(at - to <= OPTIONS_ENCODED_MAX);
    return at;
}

static const struct option_row *row_of(uint64_t tag)
{
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (option_rows[i].tag == tag)
            return &option_rows[i];
    return NULL;
}

char *options_pass_on(const char *bytes, size_t len, char to[OPTIONS_ENCODED_MAX])
{
    if (len == 0)
        return to;
    struct cursor cursor = {(const unsigned char *)bytes, (const unsigned char *)bytes + len,
                            false};
    while (cursor.at != cursor.end) {
        uint64_t tag = read_number(&cursor);
        uint64_t value_len = read_number(&cursor);
        const char *value = read_bytes(&cursor, value_len);
        ASSERT(!cursor.bad); /* decoding has been here */
        if (row_of(tag) == NULL)
            continue;
        to = write_number(write_number(to, tag), value_len);
        to = write_bytes(to, value, value_len);
    }
    return to;
}

int options_look(uint64_t tag, struct cursor *value, uint32_t *seen)
{
    const struct option_row *row = row_of(tag);
    if (row == NULL)
        return ENOENT;
    uint32_t bit = UINT32_C(1) << (row - option_rows);
    bool twice = (*seen & bit) != 0;
    *seen |= bit;
    if (row->form == OPTION_NUMBER || row->form == OPTION_TIME)
        return !twice && option_number_fits(row, read_number(value)) && !value->bad ? 0 : EBADMSG;
    size_t len = (size_t)(value->end - value->at);
    const char *text = read_bytes(value, len);
    bool fits = row->form == OPTION_TAGS
                    ? option_tags_fit(text, len)
                    : len > 0 && len <= row->most && memchr(text, '\0', len) == NULL;
    /* A record that says it again isn't read otherwise. */
    return !twice && fits && json_is_utf8(text, len) ? 0 : EBADMSG;
}

/* ---- the piece of memory ---- */

/* Texts that are copied need their NUL; those of an entry have none. */
struct texts {
    char bytes[3 * (JOB_TEXT_MAX + 1) + JOB_TAGS_SIZE + 1];
    size_t used;
};

static void row_decode(struct job_options *like, struct texts *texts, const struct option_row *row,
                       const char *bytes, size_t len)
{
    struct cursor value = {(const unsigned char *)bytes, (const unsigned char *)bytes + len, false};
    char *to = (char *)like + row->at;
    if (row->form == OPTION_NUMBER || row->form == OPTION_TIME) {
        uint64_t number = read_number(&value);
        uint32_t small = (uint32_t)number, set;
        int64_t time_ns = (int64_t)number;
        if (row->form == OPTION_NUMBER)
            memcpy(to, &small, sizeof(small));
        else
            memcpy(to, &time_ns, sizeof(time_ns));
        memcpy(&set, (char *)like + row->set_at, sizeof(set));
        set |= row->bit;
        memcpy((char *)like + row->set_at, &set, sizeof(set));
        return;
    }
    char *text = texts->bytes + texts->used;
    memcpy(text, bytes, len);
    text[len] = '\0';
    texts->used += len + 1;
    memcpy(to, &text, sizeof(text));
    if (row->form == OPTION_TAGS)
        like->tags_size = len;
}

int job_options_of_entry(struct job_options **out, const struct job_entry *entry)
{
    *out = NULL;
    if (entry->option_len == 0)
        return 0;
    struct job_options like = {0};
    struct texts texts = {.used = 0};
    struct cursor cursor = {(const unsigned char *)entry->option_bytes,
                            (const unsigned char *)entry->option_bytes + entry->option_len, false};
    while (cursor.at != cursor.end) {
        uint64_t tag = read_number(&cursor);
        uint64_t len = read_number(&cursor);
        const char *value = read_bytes(&cursor, len);
        ASSERT(!cursor.bad); /* decoding has been here */
        const struct option_row *row = row_of(tag);
        if (row != NULL)
            row_decode(&like, &texts, row, value, len);
    }
    return job_options_copy(out, &like);
}
