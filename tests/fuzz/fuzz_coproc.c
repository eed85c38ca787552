// SPDX-License-Identifier: MIT
/*
 * Fuzz target: what a helper of the handler coproc writes. Any bytes must be tolerated, and what is
 * made of them must keep promises that can be checked without knowing them:
 *
 *  - lines and bodies come out the same whether the bytes come at once or in pieces of any size;
 *  - a line has no NUL, no line feed, and the length that strlen says; a body is as long as its
 * line said, and ends once;
 *  - when something is wrong, there is a sentence about it, and nothing is heard after it;
 *  - a message has the numbers that its verb allows, and its text lies within the line.
 *
 * The first byte chooses the size of the pieces. With libFuzzer, as fuzz_reply.c says, with
 * coproc.dict and the corpus coproc.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "worker/coproc_priv.h"

#include <errno.h>
#include <string.h>

#define NO_BODY SIZE_MAX

/* What was heard, boiled down to what two readings can be compared by. */
struct heard {
    bool greeted, over;
    size_t body_left; /* NO_BODY: none is under way */
    uint64_t lines, bodies, bytes;
    uint64_t sum; /* of every byte in its place */
    char why[256];
};

static void sum_add(struct heard *heard, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        heard->sum = heard->sum * 1099511628211u + at[i] + 1;
}

static void message_check(const struct coproc_message *message, const char *line, size_t len)
{
    ASSERT(message->text != NULL && message->word != NULL);
    if (message->text[0] != '\0')
        ASSERT(message->text > line && message->text < line + len);
    if (message->verb == COPROC_PROGRESS)
        ASSERT(message->number <= 100);
    if (message->verb == COPROC_RETRY)
        ASSERT(message->number <= COPROC_RETRY_MAX_S);
    if (message->verb == COPROC_RESULT)
        ASSERT(message->number < SIZE_MAX);
    if (message->verb == COPROC_READY)
        ASSERT(message->number >= 1 && message->id == 0);
}

static int on_line(void *arg, char *text, size_t *body_len)
{
    struct heard *heard = arg;
    size_t len = strlen(text);
    ASSERT(!heard->over && heard->body_left == NO_BODY);
    ASSERT(len < COPROC_LINE_MAX && memchr(text, '\n', len) == NULL);
    heard->lines++;
    sum_add(heard, text, len + 1);
    struct coproc_message message;
    int rc = coproc_message_read(&message, text, heard->greeted, heard->why, sizeof(heard->why));
    if (rc != 0) {
        ASSERT(rc == EPROTO && heard->why[0] != '\0');
        heard->over = true;
        return rc;
    }
    ASSERT(heard->greeted == (message.verb != COPROC_READY));
    heard->greeted = true;
    message_check(&message, text, len);
    if (message.verb == COPROC_RESULT)
        *body_len = heard->body_left = (size_t)message.number;
    return 0;
}

static void on_body(void *arg, const char *bytes, size_t len)
{
    struct heard *heard = arg;
    ASSERT(!heard->over && heard->body_left != NO_BODY && len > 0 && len <= heard->body_left);
    heard->body_left -= len;
    heard->bytes += len;
    sum_add(heard, bytes, len);
}

static void on_body_end(void *arg)
{
    struct heard *heard = arg;
    ASSERT(!heard->over && heard->body_left == 0);
    heard->body_left = NO_BODY;
    heard->bodies++;
}

static const struct coproc_ear ear = {.line = on_line, .body = on_body, .body_end = on_body_end};

/* In pieces of so many bytes. */
static struct heard listen_to(const char *bytes, size_t len, size_t piece)
{
    struct heard heard = {.body_left = NO_BODY};
    struct coproc_reader reader = {.line_len = 0};
    for (size_t at = 0; at < len && !heard.over; at += piece) {
        const char *why = NULL;
        size_t now = len - at < piece ? len - at : piece;
        int rc = coproc_read(&reader, bytes + at, now, &ear, &heard, &why);
        ASSERT(rc == 0 || rc == EPROTO);
        if (rc == 0)
            continue;
        ASSERT(heard.over == (why == NULL)); /* either the line's sentence or the reader's */
        if (why != NULL)
            strncpy(heard.why, why, sizeof(heard.why) - 1);
        heard.over = true;
    }
    if (!heard.over && heard.body_left != NO_BODY)
        ASSERT(coproc_reader_is_inside(&reader));
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    struct heard whole = listen_to(bytes, size - 1, size);
    struct heard parts = listen_to(bytes, size - 1, data[0] % 17 + 1);
    ASSERT(whole.greeted == parts.greeted && whole.over == parts.over);
    ASSERT(whole.lines == parts.lines && whole.bodies == parts.bodies);
    ASSERT(whole.bytes == parts.bytes && whole.body_left == parts.body_left);
    ASSERT(whole.sum == parts.sum && strcmp(whole.why, parts.why) == 0);
    return 0;
}
