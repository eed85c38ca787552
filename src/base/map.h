// SPDX-License-Identifier: MIT
/*
 * Hash maps: from 64-bit ids, and from byte strings, to pointers. Open addressing; both grow and
 * shrink with what they hold. `get` may miss and says so with NULL; `must` finds or stops the
 * program with the key in the message. Values are not owned and not NULL. Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_slot {
    uint64_t id;
    void *value; /* NULL: free */
};

struct idmap {
    struct idmap_slot *slot;
    size_t len, cap; /* cap: a power of two or 0 */
};

void idmap_init(struct idmap *map);
void idmap_fini(struct idmap *map);
/* EEXIST: there is one already. ENOMEM. */
int idmap_put(struct idmap *map, uint64_t id, void *value);
void *idmap_get(const struct idmap *map, uint64_t id);
void *idmap_must(const struct idmap *map, uint64_t id);
/* Takes it out and returns it; NULL: not there. */
void *idmap_remove(struct idmap *map, uint64_t id);
/* Walks in no order: start with *cursor 0, ends with NULL. The map must not change in between. */
void *idmap_next(const struct idmap *map, size_t *cursor);

/* The key's bytes are not copied: they must live, unchanged, as long as the entry (usually inside
 * the value). */
struct strmap_slot {
    const char *key;
    size_t key_len;
    uint64_t hash;
    void *value; /* NULL: free */
};

struct strmap {
    struct strmap_slot *slot;
    size_t len, cap;
    uint64_t seed; /* random for each map: keys come from outside */
};

void strmap_init(struct strmap *map);
void strmap_fini(struct strmap *map);
int strmap_put(struct strmap *map, const char *key, size_t key_len, void *value);
void *strmap_get(const struct strmap *map, const char *key, size_t key_len);
void *strmap_must(const struct strmap *map, const char *key, size_t key_len);
void *strmap_remove(struct strmap *map, const char *key, size_t key_len);
void *strmap_next(const struct strmap *map, size_t *cursor);

#endif
