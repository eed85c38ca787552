// SPDX-License-Identifier: MIT
/*
 * A Bloom filter (B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970).
 *
 * It has 16 bits for each item of its capacity, and an item sets 8 of them, so of others it says
 * "perhaps" less than once in a thousand times when it is full. The 8 places come from the two
 * halves of one hash (A. Kirsch, M. Mitzenmacher, "Less hashing, same performance", 2006).
 */
#include "base/magic.h"
#include "history/filter_priv.h"

#include <errno.h>
#include <stdlib.h>

#define FILTER_MAGIC 0x415704f1u

#define BITS_AN_ITEM 16
#define PLACES 8
#define WORD_BITS 64
#define CAPACITY_MAX ((uint64_t)1 << 32)

struct filter {
    unsigned magic;
    uint64_t capacity; /* a power of two */
    uint64_t count;
    uint64_t bits[];
};

int filter_new(struct filter **out, uint64_t capacity)
{
    uint64_t room = WORD_BITS;
    while (room < capacity && room < CAPACITY_MAX)
        room *= 2;
    struct filter *filter =
        calloc(1, sizeof(*filter) + room * BITS_AN_ITEM / WORD_BITS * sizeof(uint64_t));
    if (filter == NULL)
        return ENOMEM;
    MAGIC_INIT(filter, FILTER_MAGIC);
    filter->capacity = room;
    *out = filter;
    return 0;
}

void filter_free(struct filter **filter)
{
    if (*filter == NULL)
        return;
    struct filter *mine;
    MAGIC_TAKE(mine, filter, FILTER_MAGIC);
    MAGIC_WIPE(mine);
    free(mine);
}

/* The bit of the n-th place. */
static uint64_t place(const struct filter *filter, uint64_t hash, unsigned n)
{
    uint64_t step = hash >> 32 | 1; /* odd: it meets all places */
    return (hash + n * step * 0x9e3779b97f4a7c15u) & (filter->capacity * BITS_AN_ITEM - 1);
}

void filter_add(struct filter *filter, uint64_t hash)
{
    MAGIC_CHECK(filter, FILTER_MAGIC);
    bool news = false;
    for (unsigned n = 0; n < PLACES; n++) {
        uint64_t at = place(filter, hash, n);
        uint64_t bit = (uint64_t)1 << at % WORD_BITS;
        news |= (filter->bits[at / WORD_BITS] & bit) == 0;
        filter->bits[at / WORD_BITS] |= bit;
    }
    filter->count += news;
}

bool filter_may_have(const struct filter *filter, uint64_t hash)
{
    MAGIC_CHECK(filter, FILTER_MAGIC);
    for (unsigned n = 0; n < PLACES; n++) {
        uint64_t at = place(filter, hash, n);
        if ((filter->bits[at / WORD_BITS] >> at % WORD_BITS & 1) == 0)
            return false;
    }
    return true;
}

uint64_t filter_count(const struct filter *filter)
{
    MAGIC_CHECK(filter, FILTER_MAGIC);
    return filter->count;
}

uint64_t filter_capacity(const struct filter *filter)
{
    MAGIC_CHECK(filter, FILTER_MAGIC);
    return filter->capacity;
}

bool filter_is_over(const struct filter *filter)
{
    MAGIC_CHECK(filter, FILTER_MAGIC);
    return filter->count > filter->capacity && filter->capacity < CAPACITY_MAX;
}
