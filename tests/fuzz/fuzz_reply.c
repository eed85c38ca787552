// SPDX-License-Identifier: MIT
/*
 * Fuzz target: what the client reads from the other side. Any bytes must be tolerated, and the
 * answers must keep promises that can be checked without knowing them:
 *
 *  - a reply lies inside the bytes, and is the same when only its own bytes are there;
 *  - with one byte less it is not there yet, and no part of a good reply is taken for a bad one;
 *  - a refusal has a code of the allowed letters and a message without NUL;
 *  - text for a terminal has no control character but what the page form keeps.
 *
 * With libFuzzer, in a build folder of its own ($top is the source tree):
 *
 *     $top/configure --enable-fuzzer CC=clang && make tests/fuzz/fuzz_reply
 *     cd tests/fuzz && mkdir new
 *     ./fuzz_reply -dict=$top/tests/fuzz/reply.dict new $top/tests/fuzz/corpus/reply
 *
 * 'make check' runs the corpus through fuzz_main.c instead.
 */
#include "base/assert.h"
#include "base/json.h"
#include "base/text.h"
#include "client/client_priv.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

/* Replies that are tried at every length; longer ones only at a few. */
#define EVERY_LENGTH_MAX 4096

static void cut_short(const char *bytes, const struct reply *whole, enum request_kind kind)
{
    struct reply part;
    const char *why = NULL;
    size_t step = whole->len > EVERY_LENGTH_MAX ? whole->len / 64 : 1;
    for (size_t len = 0; len < whole->len; len += step)
        ASSERT(reply_read(bytes, len, kind, &part, &why) == EAGAIN);
    ASSERT(reply_read(bytes, whole->len, kind, &part, &why) == 0);
    ASSERT(part.len == whole->len && part.text == whole->text && part.id == whole->id);
}

static void refusal(const char *json, size_t len)
{
    char code[CLIENT_CODE_MAX];
    struct buf message = BUF_EMPTY;
    int rc = refusal_read(json, len, code, &message);
    ASSERT(rc == 0 || rc == EPROTO);
    if (rc == 0) {
        ASSERT(strlen(code) > 0);
        ASSERT(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(code));
        ASSERT(message.len > 0 && strlen(message.data) == message.len);
    }
    buf_fini(&message);
}

static void replies(const char *bytes, size_t size, enum request_kind kind)
{
    struct reply reply;
    const char *why = NULL;
    int rc;
    while ((rc = reply_read(bytes, size, kind, &reply, &why)) == 0) {
        ASSERT(reply.len > 0 && reply.len <= size);
        if (reply.text)
            ASSERT(reply.text >= bytes && reply.text + reply.text_len < bytes + reply.len);
        cut_short(bytes, &reply, kind);
        if (reply.refusal)
            refusal(reply.text, reply.text_len);
        bytes += reply.len;
        size -= reply.len;
    }
    ASSERT(rc == EAGAIN || (rc == EPROTO && why != NULL));
}

static void terminal(const char *bytes, size_t size)
{
    struct buf line = BUF_EMPTY, page = BUF_EMPTY, json = BUF_EMPTY;
    ASSERT(text_cut(bytes, size) <= 3);
    (void)text_is_readable(bytes, size);
    MUST(text_show(&json, bytes, size, TEXT_JSON));
    ASSERT(json_is_utf8(json.data, json.len));
    MUST(text_show(&line, bytes, size, TEXT_LINE));
    MUST(text_show(&page, bytes, size, TEXT_PAGE));
    ASSERT(json_is_utf8(line.data, line.len));
    ASSERT(json_is_utf8(page.data, page.len));
    for (size_t i = 0; i < line.len; i++)
        ASSERT((unsigned char)line.data[i] >= 0x20 && line.data[i] != 0x7f);
    for (size_t i = 0; i < page.len; i++)
        ASSERT((unsigned char)page.data[i] >= 0x20 || page.data[i] == '\n' ||
               page.data[i] == '\t' || (page.data[i] == '\r' && page.data[i + 1] == '\n'));
    buf_fini(&line);
    buf_fini(&page);
    buf_fini(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    for (unsigned kind = REQUEST_PUT; kind <= REQUEST_BURY; kind <<= 1)
        replies(bytes, size, (enum request_kind)kind);
    refusal(bytes, size);
    terminal(bytes, size);
    return 0;
}
