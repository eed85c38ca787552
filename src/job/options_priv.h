// SPDX-License-Identifier: MIT
/*
 * The table of options as data, for those who walk it: options.c checks and copies, options_codec.c
 * encodes and decodes.
 */
#ifndef JOB_OPTIONS_PRIV_H
#define JOB_OPTIONS_PRIV_H

#include "job/bytes_priv.h"
#include "job/job.h"

enum option_form {
    OPTION_NUMBER,
    OPTION_TIME,
    OPTION_TEXT,
    OPTION_TAGS,
    OPTION_KIND = OPTION_NUMBER /* the word is the doors' */
};

struct option_row {
    unsigned tag;
    enum option_form form;
    size_t at, set_at; /* places in struct job_options */
    uint32_t bit;      /* in the one at set_at */
    uint64_t least, most;
    const char *word;
};

// NOLINTNEXTLINE(bugprone-macro-parentheses): the rows make one sum
#define JOB_OPTION(id, tag, form, member, set, bit, least, most, word, what) +1
enum {
    OPTION_ROWS = 0
#include "job/options.def"
};
#undef JOB_OPTION

extern const struct option_row option_rows[OPTION_ROWS];

/* What they take at most, each with its tag and length. */
#define OPTIONS_ENCODED_MAX (OPTION_ROWS * (3 + VARINT_MAX) + 3 * JOB_TEXT_MAX + JOB_TAGS_SIZE)

bool option_is_there(const struct job_options *options, const struct option_row *row);
/* NUMBER, TIME. */
uint64_t option_number(const struct job_options *options, const struct option_row *row);
bool option_number_fits(const struct option_row *row, uint64_t number);
/* TEXT, TAGS; may be NULL when *len is 0. */
const char *option_text(const struct job_options *options, const struct option_row *row,
                        size_t *len);
/* As they are in memory: each has its NUL, 1 to JOB_TEXT_MAX bytes. */
bool option_tags_fit(const char *tags, size_t size);

/* options_codec.c */
/* The options as tag, length, value; returns the end. */
char *options_encode(const struct job_options *options, char to[OPTIONS_ENCODED_MAX]);
/* Copies of an entry's options those that are in the table; returns the end. */
char *options_pass_on(const char *bytes, size_t len, char to[OPTIONS_ENCODED_MAX]);
/* Whether that tag is in the table, *seen (bits of rows) doesn't have it yet, and the value is
 * right; uses the value up. ENOENT: it isn't in the table. EBADMSG. */
int options_look(uint64_t tag, struct cursor *value, uint32_t *seen);

#endif
