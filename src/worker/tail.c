// SPDX-License-Identifier: MIT
/*
 * The end of what a program wrote to its stderr, for the reason of a failed attempt: the last lines
 * tell why, as a rule, and what is captured keeps the first.
 */
#include "worker/feed_priv.h"

#include <string.h>

void tail_add(struct tail *tail, const char *bytes, size_t len)
{
    if (len > TAIL_MAX) {
        bytes += len - TAIL_MAX;
        len = TAIL_MAX;
    }
    size_t keep = tail->len < TAIL_MAX - len ? tail->len : TAIL_MAX - len;
    memmove(tail->bytes, tail->bytes + tail->len - keep, keep);
    memcpy(tail->bytes + keep, bytes, len);
    tail->len = keep + len;
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == '\0';
}

/* Where the last lines begin that have room: a line's start if any does, else not within a
 * character of UTF-8. */
static size_t cut(const char *text, size_t len, size_t room)
{
    if (len <= room)
        return 0;
    size_t start = len - room;
    const char *line = memchr(text + start - 1, '\n', room);
    if (line != NULL)
        return (size_t)(line - text) + 1;
    while (start < len && ((unsigned char)text[start] & 0xc0) == 0x80)
        start++;
    return start;
}

void tail_tell(const struct tail *tail, struct job_outcome *outcome)
{
    const char *text = tail->bytes;
    size_t len = tail->len, said = strlen(outcome->reason);
    while (len > 0 && is_space(text[len - 1]))
        len--;
    while (len > 0 && is_space(*text)) {
        text++;
        len--;
    }
    if (len == 0 || said + 3 >= JOB_REASON_MAX)
        return;
    size_t start = cut(text, len, JOB_REASON_MAX - said - 3);
    char *to = outcome->reason + said;
    *to++ = ':';
    *to++ = ' ';
    for (size_t i = start; i < len; i++)
        *to++ = (char)((unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
    *to = '\0';
}
