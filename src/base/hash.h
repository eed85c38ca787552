// SPDX-License-Identifier: MIT
/*
 * A keyed hash for tables whose keys come from outside: who doesn't know the key can't choose
 * inputs that collide. It is SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast
 * short-input PRF", 2012). Not for files: the same bytes hash differently in each process. Pure;
 * any thread.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

/* `bytes` may be NULL when len is 0. */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t len);

/* 64 bits from the kernel's random generator; never blocks for long, never fails. */
uint64_t hash_random_seed(void);

#endif
