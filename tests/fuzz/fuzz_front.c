// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the beanstalk port, first its parser alone, then a whole session.
 *
 *  - The parser makes the same events of the same bytes, whole, byte by byte, and in pieces whose
 *    lengths come from the input itself.
 *  - A server with a small broker gets the bytes through a socket, and then the end. It answers
 * each event with one answer of those that the event may have, in order, and closes.
 *
 * With libFuzzer, in a build folder of its own ($top is the source tree):
 *
 *     $top/configure --enable-fuzzer CC=clang && make tests/fuzz/fuzz_front
 *     cd tests/fuzz && mkdir new
 *     ./fuzz_front -dict=$top/tests/fuzz/front.dict new $top/tests/fuzz/corpus/front
 *
 * 'make check' runs the corpus through fuzz_main.c instead.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "replies.h"
#include "transcript.h"

#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)100000)

struct cuts {
    const uint8_t *data;
    size_t size, at;
};

static size_t one_byte(void *arg)
{
    (void)arg;
    return 1;
}

/* Pieces as long as the input's own bytes say. */
static size_t own_cut(void *arg)
{
    struct cuts *cuts = arg;
    return 1 + cuts->data[cuts->at++ % cuts->size] % 67;
}

static void same(const struct buf *a, const struct buf *b)
{
    ASSERT(a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
}

static void parser_alone(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_EMPTY, bytes = BUF_EMPTY, pieces = BUF_EMPTY;
    struct cuts cuts = {.data = data, .size = size};
    transcript(&whole, (const char *)data, size, NULL, NULL);
    transcript(&bytes, (const char *)data, size, one_byte, NULL);
    transcript(&pieces, (const char *)data, size, own_cut, &cuts);
    same(&whole, &bytes);
    same(&whole, &pieces);
    buf_fini(&whole);
    buf_fini(&bytes);
    buf_fini(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    parser_alone(data, size);
    replies_check((const char *)data, size);
    return 0;
}
