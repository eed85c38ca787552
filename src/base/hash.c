// SPDX-License-Identifier: MIT
/*
 * SipHash-2-4, written from the paper's section 2: four 64-bit words of state, two rounds for each
 * word of input, four at the end. The input is read as little-endian words whatever the machine, so
 * that the paper's test vector holds everywhere.
 */
#include "base/hash.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define WORD_BYTES 8
#define INPUT_ROUNDS 2
#define CLOSING_ROUNDS 4

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t turn_left(uint64_t word, unsigned by)
{
    return word << by | word >> (64 - by);
}

static void sip_rounds(struct sip *sip, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        sip->v0 += sip->v1;
        sip->v2 += sip->v3;
        sip->v1 = turn_left(sip->v1, 13) ^ sip->v0;
        sip->v3 = turn_left(sip->v3, 16) ^ sip->v2;
        sip->v0 = turn_left(sip->v0, 32);
        sip->v2 += sip->v1;
        sip->v0 += sip->v3;
        sip->v1 = turn_left(sip->v1, 17) ^ sip->v2;
        sip->v3 = turn_left(sip->v3, 21) ^ sip->v0;
        sip->v2 = turn_left(sip->v2, 32);
    }
}

static void sip_take(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_rounds(sip, INPUT_ROUNDS);
    sip->v0 ^= word;
}

/* Up to eight bytes, the first one lowest. */
static uint64_t word_of(const unsigned char *bytes, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t len)
{
    /* The four constants are the ASCII text "somepseudorandomlygeneratedbytes". */
    struct sip sip = {
        .v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key->k1 ^ UINT64_C(0x7465646279746573),
    };
    const unsigned char *at = bytes;
    size_t left = len;
    for (; left >= WORD_BYTES; left -= WORD_BYTES, at += WORD_BYTES)
        sip_take(&sip, word_of(at, WORD_BYTES));
    /* The last word carries the length, so that trailing zero bytes count. */
    sip_take(&sip, word_of(at, left) | (uint64_t)(len & 0xff) << 56);
    sip.v2 ^= 0xff;
    sip_rounds(&sip, CLOSING_ROUNDS);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

uint64_t hash_random_seed(void)
{
    uint64_t seed = 0;
    ssize_t got;
    do
        got = getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(seed)) {
        /* Early in boot, before the kernel has gathered entropy: times and an address are guessable
         * but not fixed. */
        struct hash_key key = {(uint64_t)clock_wall_ns(), (uint64_t)(uintptr_t)&seed};
        int64_t now = clock_now_ns();
        seed = hash_bytes(&key, &now, sizeof(now));
    }
    return seed;
}
