// SPDX-License-Identifier: MIT
/*
 * A table from ids to pointers for ids that are counters: they come in rising order, and those that
 * live lie close together. Put, get and remove are O(1), also for an old id that is alone far below
 * the others. Values are not owned and not NULL. Not thread-safe.
 *
 * Memory: about 9 bytes an id where all ids live, at most one page (544 bytes) for one that is
 * alone.
 */
#ifndef BASE_IDTABLE_H
#define BASE_IDTABLE_H

#include "base/idorder.h"
#include "base/map.h"

#include <stddef.h>
#include <stdint.h>

struct idtable_page;

struct idtable {
    struct idmap pages;   /* by id / IDTABLE_PAGE_IDS */
    struct idorder order; /* of their numbers */
    size_t len;
    struct idtable_page *empty; /* one that is kept although empty; NULL: none */
    /* where the last put and the last removal were, for the next one is mostly there too; NULL */
    struct idtable_page *put_page, *removed_page;
};

void idtable_init(struct idtable *table);
/* Gives the memory back; what is in it is the caller's. */
void idtable_fini(struct idtable *table);
/* EEXIST: there is one already. ENOMEM. */
int idtable_put(struct idtable *table, uint64_t id, void *value);
/* Another value for an id that is there. */
void idtable_replace(struct idtable *table, uint64_t id, void *value);
/* NULL: none. */
void *idtable_get(const struct idtable *table, uint64_t id);
/* Takes it out and returns it; NULL: not there. */
void *idtable_remove(struct idtable *table, uint64_t id);

/* Walks in no order: start with a zeroed cursor, ends with NULL. The table must not change in
 * between. */
struct idtable_cursor {
    size_t page_cursor;
    const struct idtable_page *page;
    size_t slot;
};
void *idtable_next(const struct idtable *table, struct idtable_cursor *cursor);

/*
 * Walks in order of id: the value with the least id that is not below *id, and that id in *id.
 * NULL: none. The table may change between two calls. O(1) where ids are dense, O(log n) from one
 * that is alone to the next; now and then O(n), for what changed since the last time.
 */
void *idtable_from(struct idtable *table, uint64_t *id);

#endif
