// SPDX-License-Identifier: MIT
/*
 * Options of jobs: the table, whether values are right, and the one piece of memory.
 *
 * Everything walks options.def: checking and copying here, encoding and decoding in
 * options_codec.c. So an option can't be checked and then forgotten on its way to the disk.
 */
#include "base/json.h"
#include "base/magic.h"
#include "job/options_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB_OPTIONS_MAGIC 0x6a0b0b75u
#define NS_PER_S INT64_C(1000000000)

#define JOB_OPTION(id, tag, form, member, set, bit, least, most, word, what)                       \
    {(tag),                                                                                        \
     OPTION_##form,                                                                                \
     offsetof(struct job_options, member),                                                         \
     offsetof(struct job_options, set),                                                            \
     (bit),                                                                                        \
     (least),                                                                                      \
     (uint64_t)(most),                                                                             \
     (word)},
const struct option_row option_rows[OPTION_ROWS] = {
#include "job/options.def"
};
#undef JOB_OPTION

static uint32_t set_of(const struct job_options *options, const struct option_row *row)
{
    uint32_t set;
    memcpy(&set, (const char *)options + row->set_at, sizeof(set));
    return set & row->bit;
}

uint64_t option_number(const struct job_options *options, const struct option_row *row)
{
    const char *at = (const char *)options + row->at;
    uint32_t number;
    int64_t time_ns;
    if (row->form == OPTION_NUMBER) {
        memcpy(&number, at, sizeof(number));
        return number;
    }
    memcpy(&time_ns, at, sizeof(time_ns));
    return time_ns > 0 ? (uint64_t)time_ns : 0;
}

const char *option_text(const struct job_options *options, const struct option_row *row,
                        size_t *len)
{
    const char *text;
    memcpy(&text, (const char *)options + row->at, sizeof(text));
    *len = row->form == OPTION_TAGS ? options->tags_size : text != NULL ? strlen(text) : 0;
    return text;
}

bool option_is_there(const struct job_options *options, const struct option_row *row)
{
    if (row->form == OPTION_NUMBER || row->form == OPTION_TIME)
        return set_of(options, row) != 0;
    size_t len;
    (void)option_text(options, row, &len);
    return len > 0;
}

bool job_options_are_empty(const struct job_options *like)
{
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (option_is_there(like, &option_rows[i]))
            return false;
    return true;
}

/* ---- checking ---- */

bool option_number_fits(const struct option_row *row, uint64_t number)
{
    return number >= row->least && number <= row->most;
}

bool option_tags_fit(const char *tags, size_t size)
{
    if (size == 0 || size > JOB_TAGS_SIZE || tags[size - 1] != '\0')
        return false;
    for (const char *tag = tags; tag < tags + size; tag += strlen(tag) + 1)
        if (tag[0] == '\0' || strlen(tag) > JOB_TEXT_MAX)
            return false;
    return true;
}

/* UTF-8 without control characters, those of two bytes included. */
static bool text_is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        unsigned char next = i + 1 < len ? (unsigned char)text[i + 1] : 0;
        if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0))
            return false;
    }
    return json_is_utf8(text, len);
}

static int number_check(const struct job_options *like, const struct option_row *row, char *why,
                        size_t why_size)
{
    if (row->form == OPTION_TIME) {
        int64_t time_ns;
        memcpy(&time_ns, (const char *)like + row->at, sizeof(time_ns));
        if (time_ns >= 0 && option_number_fits(row, (uint64_t)time_ns))
            return 0;
        snprintf(why, why_size, "%s is out of range: 0 to %" PRIu64 " seconds", row->word,
                 row->most / (uint64_t)NS_PER_S);
        return EINVAL;
    }
    uint64_t number = option_number(like, row);
    if (option_number_fits(row, number))
        return 0;
    snprintf(why, why_size, "%s is %" PRIu64 ", and may be %" PRIu64 " to %" PRIu64, row->word,
             number, row->least, row->most);
    return EINVAL;
}

static int tags_check(const char *tags, size_t size, char *why, size_t why_size)
{
    const char *what = NULL;
    if (size > JOB_TAGS_SIZE)
        what = "are too long together: at most 512 bytes with one more for each";
    else if (!option_tags_fit(tags, size))
        what = "must have 1 to 200 bytes each";
    else
        for (const char *tag = tags; tag < tags + size; tag += strlen(tag) + 1)
            if (!text_is_clean(tag, strlen(tag)) || strchr(tag, ',') != NULL)
                what = "must be UTF-8 without control characters and commas";
    if (what != NULL)
        snprintf(why, why_size, "tags %s", what);
    return what != NULL ? EINVAL : 0;
}

static int text_check(const struct job_options *like, const struct option_row *row, char *why,
                      size_t why_size)
{
    size_t len;
    const char *text = option_text(like, row, &len);
    if (row->form == OPTION_TAGS)
        return tags_check(text, len, why, why_size);
    if (len > row->most)
        snprintf(why, why_size, "%s has %zu bytes, and may have %" PRIu64, row->word, len,
                 row->most);
    else if (!text_is_clean(text, len))
        snprintf(why, why_size, "%s must be UTF-8 without control characters", row->word);
    else
        return 0;
    return EINVAL;
}

int job_options_check(const struct job_options *like, char *why, size_t why_size)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        if (!option_is_there(like, row))
            continue;
        rc = row->form == OPTION_NUMBER || row->form == OPTION_TIME
                 ? number_check(like, row, why, why_size)
                 : text_check(like, row, why, why_size);
    }
    return rc;
}

/* ---- life ---- */

static void text_set(struct job_options *options, const struct option_row *row, const char *text)
{
    memcpy((char *)options + row->at, &text, sizeof(text));
}

int job_options_copy(struct job_options **out, const struct job_options *like)
{
    size_t size = sizeof(*like), len;
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (option_rows[i].form == OPTION_TEXT || option_rows[i].form == OPTION_TAGS) {
            (void)option_text(like, &option_rows[i], &len);
            size += len + 1;
        }
    struct job_options *options = malloc(size);
    if (options == NULL)
        return ENOMEM;
    *options = *like;
    MAGIC_INIT(options, JOB_OPTIONS_MAGIC);
    char *at = (char *)(options + 1);
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        if (row->form != OPTION_TEXT && row->form != OPTION_TAGS)
            continue;
        const char *text = option_text(like, row, &len);
        if (len > 0)
            memcpy(at, text, len);
        at[len] = '\0';
        text_set(options, row, at);
        at += len + 1;
    }
    options->encoded = 0;
    char bytes[OPTIONS_ENCODED_MAX];
    options->encoded = (size_t)(options_encode(options, bytes) - bytes);
    *out = options;
    return 0;
}

void job_options_free(struct job_options **options)
{
    if (*options == NULL)
        return;
    struct job_options *mine;
    MAGIC_TAKE(mine, options, JOB_OPTIONS_MAGIC);
    MAGIC_WIPE(mine);
    free(mine);
}

/* ---- looking ---- */

const char *job_tags_next(const char *tags, size_t tags_size, const char *tag)
{
    const char *next = tag == NULL ? tags : tag + strlen(tag) + 1;
    return tags_size > 0 && next < tags + tags_size ? next : NULL;
}

bool job_tags_have(const char *tags, size_t tags_size, const char *tag)
{
    const char *at = NULL;
    while ((at = job_tags_next(tags, tags_size, at)) != NULL)
        if (strcmp(at, tag) == 0)
            return true;
    return false;
}

const char *job_backoff_word(uint32_t kind)
{
    return kind == JOB_BACKOFF_EXPONENTIAL ? "exponential" : "fixed";
}
