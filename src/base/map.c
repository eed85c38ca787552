// SPDX-License-Identifier: MIT
/*
 * Hash maps with open addressing and linear probing: an entry stands in its home slot or, in a run
 * without gaps, in one behind it. Removing closes the gap by moving later entries of the run back,
 * so there are no tombstones, and lookups stay as short as the load allows however long a map
 * lives.
 *
 * Home slots. Ids are counters, dense and rising: multiplying by 2^64 / golden ratio and keeping
 * the upper bits spreads neighbours far apart and evenly (Knuth, The Art of Computer Programming,
 * vol. 3, 6.4). Nobody outside can choose ids. Strings come from outside, so their hash has a
 * random key (hash.h) and is kept in the slot: most misses never touch the key's memory, and
 * growing doesn't either.
 *
 * A map doubles when it would be more than 3/4 full and halves when less than 1/8 is used; in
 * between lies enough that a put and a remove at a border don't rehash each time. Rehashing is done
 * at once: a million entries take some tens of milliseconds.
 */
#include "base/map.h"

#include "base/assert.h"
#include "base/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_FIRST_SLOTS 16
#define GOLDEN_RATIO_64 UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio, odd */

/* Whether `len` entries are too many for `cap` slots. */
static bool is_crowded(size_t len, size_t cap)
{
    return len > cap / 4 * 3;
}

static bool is_sparse(size_t len, size_t cap)
{
    return cap > MAP_FIRST_SLOTS && len < cap / 8;
}

static size_t grown(size_t cap)
{
    return cap == 0 ? MAP_FIRST_SLOTS : cap * 2;
}

/*
 * While closing the hole: whether the entry at `at`, whose home is `home`, may move back to `hole`:
 * that is so unless its home lies behind the hole. Distances are taken around the end of the table.
 */
static bool may_move_back(size_t hole, size_t home, size_t at, size_t mask)
{
    return ((at - home) & mask) >= ((at - hole) & mask);
}

/* ---- from ids ---- */

void idmap_init(struct idmap *map)
{
    *map = (struct idmap){NULL, 0, 0};
}

void idmap_fini(struct idmap *map)
{
    free(map->slot);
    idmap_init(map);
}

static size_t idmap_home(const struct idmap *map, uint64_t id)
{
    uint64_t mixed = (id ^ id >> 32) * GOLDEN_RATIO_64;
    return (size_t)(mixed >> (__builtin_clzll(map->cap) + 1)); /* the upper log2(cap) bits */
}

/* The slot that holds `id`, or the free one where it would go. There is always a free one. */
static size_t idmap_find(const struct idmap *map, uint64_t id)
{
    size_t mask = map->cap - 1;
    size_t at = idmap_home(map, id);
    while (map->slot[at].value != NULL && map->slot[at].id != id)
        at = (at + 1) & mask;
    return at;
}

static int idmap_resize(struct idmap *map, size_t cap)
{
    struct idmap next = {calloc(cap, sizeof(struct idmap_slot)), map->len, cap};
    if (next.slot == NULL)
        return ENOMEM;
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slot[i].value != NULL)
            next.slot[idmap_find(&next, map->slot[i].id)] = map->slot[i];
    }
    free(map->slot);
    *map = next;
    return 0;
}

int idmap_put(struct idmap *map, uint64_t id, void *value)
{
    ASSERT(value != NULL);
    if (idmap_get(map, id) != NULL)
        return EEXIST;
    if (is_crowded(map->len + 1, map->cap)) {
        int rc = idmap_resize(map, grown(map->cap));
        if (rc != 0)
            return rc;
    }
    map->slot[idmap_find(map, id)] = (struct idmap_slot){id, value};
    map->len++;
    return 0;
}

void *idmap_get(const struct idmap *map, uint64_t id)
{
    return map->len == 0 ? NULL : map->slot[idmap_find(map, id)].value;
}

void *idmap_must(const struct idmap *map, uint64_t id)
{
    void *value = idmap_get(map, id);
    if (value == NULL) {
        char what[48];
        snprintf(what, sizeof(what), "no entry with id %" PRIu64, id);
        CANT_HAPPEN(what);
    }
    return value;
}

void *idmap_remove(struct idmap *map, uint64_t id)
{
    if (map->len == 0)
        return NULL;
    size_t mask = map->cap - 1;
    size_t hole = idmap_find(map, id);
    void *value = map->slot[hole].value;
    if (value == NULL)
        return NULL;
    for (size_t at = (hole + 1) & mask; map->slot[at].value != NULL; at = (at + 1) & mask) {
        if (may_move_back(hole, idmap_home(map, map->slot[at].id), at, mask)) {
            map->slot[hole] = map->slot[at];
            hole = at;
        }
    }
    map->slot[hole] = (struct idmap_slot){0, NULL};
    map->len--;
    if (is_sparse(map->len, map->cap))
        (void)idmap_resize(map,
                           map->cap / 2); /* no memory for a smaller one: the larger one stays */
    return value;
}

void *idmap_next(const struct idmap *map, size_t *cursor)
{
    while (*cursor < map->cap) {
        void *value = map->slot[(*cursor)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}

/* ---- from strings ---- */

void strmap_init(struct strmap *map)
{
    *map = (struct strmap){.seed = hash_random_seed()};
}

void strmap_fini(struct strmap *map)
{
    free(map->slot);
    map->slot = NULL;
    map->len = map->cap = 0;
}

static uint64_t strmap_hash(const struct strmap *map, const char *key, size_t key_len)
{
    const struct hash_key secret = {map->seed, map->seed * GOLDEN_RATIO_64};
    return hash_bytes(&secret, key, key_len);
}

static bool strmap_slot_is(const struct strmap_slot *slot, const char *key, size_t key_len,
                           uint64_t hash)
{
    return slot->hash == hash && slot->key_len == key_len &&
           (key_len == 0 || memcmp(slot->key, key, key_len) == 0);
}

/* The slot that holds the key, or the free one where it would go. There is always a free one. */
static size_t strmap_find(const struct strmap *map, const char *key, size_t key_len, uint64_t hash)
{
    size_t mask = map->cap - 1;
    size_t at = (size_t)hash & mask;
    while (map->slot[at].value != NULL && !strmap_slot_is(&map->slot[at], key, key_len, hash))
        at = (at + 1) & mask;
    return at;
}

static int strmap_resize(struct strmap *map, size_t cap)
{
    struct strmap_slot *slot = calloc(cap, sizeof(*slot));
    if (slot == NULL)
        return ENOMEM;
    size_t mask = cap - 1;
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slot[i].value == NULL)
            continue;
        /* All keys differ: the first free slot is the right one. */
        size_t at = (size_t)map->slot[i].hash & mask;
        while (slot[at].value != NULL)
            at = (at + 1) & mask;
        slot[at] = map->slot[i];
    }
    free(map->slot);
    map->slot = slot;
    map->cap = cap;
    return 0;
}

int strmap_put(struct strmap *map, const char *key, size_t key_len, void *value)
{
    ASSERT(value != NULL);
    if (strmap_get(map, key, key_len) != NULL)
        return EEXIST;
    if (is_crowded(map->len + 1, map->cap)) {
        int rc = strmap_resize(map, grown(map->cap));
        if (rc != 0)
            return rc;
    }
    uint64_t hash = strmap_hash(map, key, key_len);
    size_t at = strmap_find(map, key, key_len, hash);
    map->slot[at] = (struct strmap_slot){key, key_len, hash, value};
    map->len++;
    return 0;
}

void *strmap_get(const struct strmap *map, const char *key, size_t key_len)
{
    if (map->len == 0)
        return NULL;
    uint64_t hash = strmap_hash(map, key, key_len);
    return map->slot[strmap_find(map, key, key_len, hash)].value;
}

void *strmap_must(const struct strmap *map, const char *key, size_t key_len)
{
    void *value = strmap_get(map, key, key_len);
    if (value == NULL) {
        /* Keys come from outside: only what can't disturb a terminal is shown, and not endlessly.
         */
        char shown[65];
        size_t count = key_len < sizeof(shown) - 1 ? key_len : sizeof(shown) - 1;
        for (size_t i = 0; i < count; i++) {
            shown[i] = '?';
            if (key[i] >= ' ' && key[i] <= '~')
                shown[i] = key[i];
        }
        shown[count] = '\0';
        char what[128];
        snprintf(what, sizeof(what), "no entry with key \"%s\" (%zu bytes)", shown, key_len);
        CANT_HAPPEN(what);
    }
    return value;
}

void *strmap_remove(struct strmap *map, const char *key, size_t key_len)
{
    if (map->len == 0)
        return NULL;
    size_t mask = map->cap - 1;
    size_t hole = strmap_find(map, key, key_len, strmap_hash(map, key, key_len));
    void *value = map->slot[hole].value;
    if (value == NULL)
        return NULL;
    for (size_t at = (hole + 1) & mask; map->slot[at].value != NULL; at = (at + 1) & mask) {
        if (may_move_back(hole, (size_t)map->slot[at].hash & mask, at, mask)) {
            map->slot[hole] = map->slot[at];
            hole = at;
        }
    }
    map->slot[hole] = (struct strmap_slot){NULL, 0, 0, NULL};
    map->len--;
    if (is_sparse(map->len, map->cap))
        (void)strmap_resize(map,
                            map->cap / 2); /* no memory for a smaller one: the larger one stays */
    return value;
}

void *strmap_next(const struct strmap *map, size_t *cursor)
{
    while (*cursor < map->cap) {
        void *value = map->slot[(*cursor)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
