// SPDX-License-Identifier: MIT
/*
 * Random numbers for property tests: the same seed gives the same run on every machine, and the
 * seed stands in the output, so that what failed can be run again.
 */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

struct unit_random {
    uint64_t state;
};

/* Says the seed as a TAP comment. */
static inline struct unit_random unit_random_seed(uint64_t seed)
{
    printf("# random seed %#" PRIx64 "\n", seed);
    return (struct unit_random){seed};
}

/* Any 64 bits: a counter with a large odd step, its bits mixed by two multiplications. */
static inline uint64_t unit_random_next(struct unit_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t bits = random->state;
    bits = (bits ^ bits >> 31) * UINT64_C(0xd6e8feb86659fd93);
    bits = (bits ^ bits >> 29) * UINT64_C(0xd6e8feb86659fd93);
    return bits ^ bits >> 32;
}

/* 0 to limit - 1; limit > 0. */
static inline uint64_t unit_random_below(struct unit_random *random, uint64_t limit)
{
    return unit_random_next(random) % limit;
}

#endif
