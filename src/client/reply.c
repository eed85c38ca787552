// SPDX-License-Identifier: MIT
/*
 * From bytes to a reply.
 *
 * A reply is a line ended by CR LF: a word and what its row in replies.def says follows it; for
 * some, data and another CR LF come behind. The parser is a pure function over what has arrived: it
 * keeps no state between calls, so a reply that comes a byte at a time is read again from its start
 * each time. That is cheap because lines are short and data isn't looked at, only counted.
 *
 * Nothing in it trusts the other side: a line has a limit, a number must fit, the announced length
 * has a limit, data must be followed by CR LF, and a word must fit the request. What breaks a rule
 * can't be resynchronised and is EPROTO.
 *
 * To add a word: one row in replies.def.
 */

#include "client/client_priv.h"

#include <errno.h>
#include <string.h>

enum shape { SHAPE_PLAIN, SHAPE_ID, SHAPE_NAME, SHAPE_BYTES, SHAPE_ID_BYTES, SHAPE_LEASE };

static const struct reply_row {
    const char *word;
    enum shape shape;
    unsigned requests;
    int err;
    bool fatal;
    const char *say;
} reply_rows[] = {
#define REPLY(word, shape, requests, err, fatal, text)                                             \
    {#word, SHAPE_##shape, requests, err, fatal, text},
#include "client/replies.def"
#undef REPLY
};

/* The word's row for that kind of request; if it has none, one of another kind. */
static const struct reply_row *row_find(const char *word, size_t len, enum request_kind kind)
{
    const struct reply_row *found = NULL;
    for (size_t i = 0; i < sizeof(reply_rows) / sizeof(reply_rows[0]); i++) {
        if (strlen(reply_rows[i].word) != len || memcmp(reply_rows[i].word, word, len) != 0)
            continue;
        found = &reply_rows[i];
        if (found->requests & kind)
            return found;
    }
    return found;
}

/* The rest of a line, read from the left. */
struct line {
    const char *at, *end;
};

/* " 123": one space and digits. */
static bool line_take_number(struct line *line, uint64_t *number)
{
    const char *at = line->at;
    uint64_t value = 0;
    if (at == line->end || *at++ != ' ' || at == line->end)
        return false;
    const char *digits = at;
    for (; at < line->end && *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    if (at == digits)
        return false;
    *number = value;
    line->at = at;
    return true;
}

/* The line's arguments in the order of its shape. */
static bool line_read(struct line *line, enum shape shape, struct reply *reply, uint64_t *bytes)
{
    bool good = true;
    if (shape == SHAPE_ID || shape == SHAPE_ID_BYTES || shape == SHAPE_LEASE)
        good = line_take_number(line, &reply->id) && reply->id > 0;
    if (good && shape == SHAPE_LEASE)
        good = line_take_number(line, &reply->token) && reply->token > 0;
    if (good && (shape == SHAPE_BYTES || shape == SHAPE_ID_BYTES || shape == SHAPE_LEASE))
        good = line_take_number(line, bytes);
    if (shape == SHAPE_NAME) {
        good = line->end - line->at >= 2 && *line->at == ' ';
        reply->text = good ? line->at + 1 : NULL;
        reply->text_len = good ? (size_t)(line->end - reply->text) : 0;
        line->at = line->end;
    }
    return good && line->at == line->end;
}

/* The data behind a line that ends at `start`. */
static int data_read(const char *bytes, size_t len, size_t start, uint64_t count,
                     struct reply *reply, const char **why)
{
    if (count > HL_CLIENT_REPLY_MAX) {
        *why = "it announces more data than an answer may have";
        return EPROTO;
    }
    size_t data_end = start + (size_t)count;
    if ((len > data_end && bytes[data_end] != '\r') ||
        (len > data_end + 1 && bytes[data_end + 1] != '\n')) {
        *why = "its data is longer than announced";
        return EPROTO;
    }
    if (len < data_end + 2)
        return EAGAIN;
    reply->text = bytes + start;
    reply->text_len = (size_t)count;
    reply->len = data_end + 2;
    return 0;
}

/* The first line, or the reason why there is none. */
static int line_find(const char *bytes, size_t len, size_t *line_len, const char **why)
{
    const char *end = memchr(bytes, '\n', len < CLIENT_LINE_MAX + 1 ? len : CLIENT_LINE_MAX + 1);
    if (!end && len <= CLIENT_LINE_MAX)
        return EAGAIN;
    if (!end) {
        *why = "its line does not end";
        return EPROTO;
    }
    if (end == bytes || end[-1] != '\r') {
        *why = "its line does not end as the protocol wants";
        return EPROTO;
    }
    *line_len = (size_t)(end - bytes) - 1;
    return 0;
}

int reply_read(const char *bytes, size_t len, enum request_kind kind, struct reply *reply,
               const char **why)
{
    size_t line_len;
    *why = NULL;
    if (len == 0)
        return EAGAIN;
    int rc = line_find(bytes, len, &line_len, why);
    if (rc != 0)
        return rc;
    const char *space = memchr(bytes, ' ', line_len);
    const struct reply_row *row = row_find(bytes, space ? (size_t)(space - bytes) : line_len, kind);
    if (!row) {
        *why = "it begins with no word of the protocol";
        return EPROTO;
    }
    if (!(row->requests & kind)) {
        *why = "it does not answer what was asked";
        return EPROTO;
    }
    *reply = (struct reply){.word = row->word,
                            .err = row->err,
                            .refusal = strcmp(row->word, "ERROR") == 0,
                            .fatal = row->fatal,
                            .say = row->say,
                            .len = line_len + 2};
    struct line line = {bytes + strlen(row->word), bytes + line_len};
    uint64_t count = 0;
    if (!line_read(&line, row->shape, reply, &count)) {
        *why = "what follows its first word is malformed";
        return EPROTO;
    }
    if (row->shape == SHAPE_BYTES || row->shape == SHAPE_ID_BYTES || row->shape == SHAPE_LEASE)
        return data_read(bytes, len, line_len + 2, count, reply, why);
    return 0;
}
