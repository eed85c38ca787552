// SPDX-License-Identifier: MIT
/*
 * The parser of answers. It is strict: the word must be the one that the command gets, numbers are
 * digits without sign, a body ends with CR LF, and nothing stands between. What is wrong is shown
 * as it came.
 */
#include "load/answer_priv.h"

#include "load/fault.h"

#include <inttypes.h>
#include <string.h>

#define LINE_MAX_LEN 256
#define SHOWN_MAX 60

enum behind { BEHIND_END, BEHIND_TEXT, BEHIND_NUMBER, BEHIND_BODY };

static const struct shape {
    const char *verb, *word;
    uint8_t word_len, behind;
} shapes[] = {
#define ASK(name, verb, word, behind) {verb, word, sizeof(word) - 1, BEHIND_##behind},
#include "load/asks.def"
#undef ASK
};

const char *ask_verb(enum ask ask)
{
    return shapes[ask].verb;
}

void answer_misfit(enum ask ask, const char *text, size_t len, const char *expected)
{
    char shown[SHOWN_MAX + 1];
    size_t i;
    for (i = 0; i < len && i < SHOWN_MAX && text[i] != '\r' && text[i] != '\n'; i++) {
        shown[i] = text[i];
        if (text[i] < ' ' || text[i] > '~')
            shown[i] = '?';
    }
    shown[i] = '\0';
    wrong("%s was answered \"%s\", not \"%s\"", shapes[ask].verb, shown, expected);
}

_Noreturn static void misfit(enum ask ask, const char *text, size_t len)
{
    answer_misfit(ask, text, len, shapes[ask].word);
}

const char *answer_number(const char *at, char end, uint64_t *number)
{
    const char *start = at;
    uint64_t value = 0;
    while (*at >= '0' && *at <= '9')
        value = value * 10 + (uint64_t)(*at++ - '0');
    if (at == start || at - start > 19 || *at != end)
        return NULL;
    *number = value;
    return at + 1;
}

size_t answer_line(enum ask ask, const char *text, size_t len, const char *expected)
{
    const char *end = memchr(text, '\n', len < LINE_MAX_LEN ? len : LINE_MAX_LEN);
    if (end == NULL) {
        if (len >= LINE_MAX_LEN)
            answer_misfit(ask, text, len, expected);
        return 0;
    }
    size_t line = (size_t)(end - text) + 1;
    if (line < 2 || end[-1] != '\r')
        answer_misfit(ask, text, line, expected);
    return line;
}

size_t answer_body(const char *text, size_t len, size_t line, uint64_t size, size_t max_body,
                   struct reply *reply)
{
    if (size > max_body)
        wrong("job %" PRIu64 " came back with %" PRIu64 " bytes, more than any had", reply->number,
              size);
    if (len < line + size + 2)
        return 0;
    reply->body = text + line;
    reply->size = size;
    if (memcmp(reply->body + size, "\r\n", 2) != 0)
        wrong("the body of job %" PRIu64 " does not end after its %" PRIu64 " bytes", reply->number,
              size);
    return line + size + 2;
}

static bool line_is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) + 2 && memcmp(text, word, len - 2) == 0;
}

/* Answers other than the good one. */
static size_t other_read(enum ask ask, const char *text, size_t line, struct reply *reply)
{
    if (ask == ASK_RESERVE && line_is(text, line, "TIMED_OUT"))
        reply->word = WORD_TIMED_OUT;
    else if (ask == ASK_RESERVE && line_is(text, line, "DEADLINE_SOON"))
        reply->word = WORD_DEADLINE_SOON;
    else
        misfit(ask, text, line);
    return line;
}

static size_t body_read(const char *text, size_t len, size_t line, const char *at, size_t max_body,
                        struct reply *reply)
{
    uint64_t size = 0;
    at = answer_number(at, ' ', &reply->number);
    if (at == NULL || answer_number(at, '\r', &size) == NULL)
        misfit(ASK_RESERVE, text, line);
    return answer_body(text, len, line, size, max_body, reply);
}

size_t answer_read(const struct sent *sent, const char *text, size_t len, size_t max_body,
                   struct reply *reply)
{
    const enum ask ask = sent->ask;
    const struct shape *shape = &shapes[ask];
    size_t line = answer_line(ask, text, len, shape->word);
    if (line == 0)
        return 0;
    const char *end = text + line - 1;
    reply->word = WORD_GOOD;
    reply->body = NULL;
    reply->size = 0;
    const char *at = text + shape->word_len;
    if (line < shape->word_len + 2u || memcmp(text, shape->word, shape->word_len) != 0)
        return other_read(ask, text, line, reply);
    if (shape->behind == BEHIND_END) {
        if (at != end - 1)
            misfit(ask, text, line);
        return line;
    }
    if (*at++ != ' ')
        misfit(ask, text, line);
    if (shape->behind == BEHIND_BODY)
        return body_read(text, len, line, at, max_body, reply);
    if (shape->behind == BEHIND_NUMBER && answer_number(at, '\r', &reply->number) != end)
        misfit(ask, text, line);
    return line;
}
