// SPDX-License-Identifier: MIT
/*
 * A body is its serial number, masked by the seed, and behind it a stretch of random bytes. The
 * stretch begins at a place that depends on the serial number, so two jobs next to each other share
 * no byte by position, and both writing and checking are a memcpy and a memcmp: the tool must cost
 * less than what it measures. The bytes are all 256 values, CR, LF and NUL included.
 */
#include "load/pattern.h"

#include <string.h>

#define STRETCH 65536 /* where a body may begin */
#define PIECE 65536   /* what is compared at once; longer bodies repeat it from a next place */

static unsigned char noise[STRETCH + PIECE];
static uint64_t mask;

static uint64_t scramble(uint64_t x)
{
    /* A multiply-xor-shift mixer: neighbours become far apart. */
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

void pattern_init(uint64_t seed)
{
    mask = scramble(seed ^ UINT64_C(0x68696c657261));
    for (size_t i = 0; i < sizeof(noise); i += sizeof(uint64_t)) {
        uint64_t word = scramble(mask + i + 1);
        memcpy(noise + i, &word, sizeof(word));
    }
}

static const unsigned char *place(uint64_t serial, size_t piece)
{
    return noise + scramble(serial + piece) % STRETCH;
}

void pattern_fill(char *body, size_t size, uint64_t serial)
{
    uint64_t head = serial ^ mask;
    memcpy(body, &head, sizeof(head));
    for (size_t at = sizeof(head); at < size; at += PIECE) {
        size_t len = size - at < PIECE ? size - at : PIECE;
        memcpy(body + at, place(serial, at), len);
    }
}

uint64_t pattern_serial(const char *body)
{
    uint64_t head;
    memcpy(&head, body, sizeof(head));
    return head ^ mask;
}

bool pattern_is(const char *body, size_t size, uint64_t serial)
{
    if (pattern_serial(body) != serial)
        return false;
    for (size_t at = sizeof(uint64_t); at < size; at += PIECE) {
        size_t len = size - at < PIECE ? size - at : PIECE;
        if (memcmp(body + at, place(serial, at), len) != 0)
            return false;
    }
    return true;
}
