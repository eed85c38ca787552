// SPDX-License-Identifier: MIT
/*
 * A heap that knows positions: the least item is first, and every item is told where it stands, so
 * that any of them can be taken out or re-sorted in O(log n). Items that are inserted in rising
 * order, and taken from the front, cost O(1) and no comparison with more than one other: jobs of
 * one priority, leases of one TTR. Not thread-safe.
 *
 * A position is the heap's: it says nothing about order, and is good until the item is told
 * another.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/rising.h"

#include <stdbool.h>
#include <stddef.h>

#define HEAP_NOWHERE ((size_t)-1) /* the position told to an item that left */

struct heap {
    size_t len;           /* items */
    struct rising rising; /* those that came in rising order */
    void **slot;          /* the others */
    size_t sifted, cap;   /* how many they are, and slots; at least len and promised */
    size_t promised;      /* inserts to come that must not fail */
    bool (*less)(const void *a, const void *b, const void *arg);
    const void *arg;                       /* for less; not owned */
    void (*moved)(void *item, size_t pos); /* may be NULL when nobody asks for positions */
};

void heap_init(struct heap *heap, bool (*less)(const void *a, const void *b, const void *arg),
               const void *arg, void (*moved)(void *item, size_t pos));
/* Gives the memory back; the items are the caller's. */
void heap_fini(struct heap *heap);

/* ENOMEM: not added. */
int heap_insert(struct heap *heap, void *item);
/* Room for `more` inserts beyond the promised ones, which then can't fail, unless an item leaves in
 * between. ENOMEM. */
int heap_reserve(struct heap *heap, size_t more);
/*
 * A promise keeps a slot for one insert, however many items come and go in between. Make room with
 * heap_reserve (or take an item out) right before promising; take the promise back right before the
 * insert it was for, or when there will be none.
 */
void heap_promise(struct heap *heap);
void heap_unpromise(struct heap *heap);
/* The least, or NULL. */
void *heap_first(const struct heap *heap);
/* Takes out the least, or NULL. Memory far above need is given back. */
void *heap_pop(struct heap *heap);
/* Takes out the item at `pos` (which must be there) and returns it. */
void *heap_remove(struct heap *heap, size_t pos);
/* Another item takes the place at `pos`; it compares as the one that was there, and knows `pos`. */
void heap_replace(struct heap *heap, size_t pos, void *item);
/* The key of the item at `pos` changed: puts it where it belongs. */
void heap_update(struct heap *heap, size_t pos);
/* An item that is cheap to remove, or NULL: for those who take all. */
void *heap_any(const struct heap *heap);
/* Takes that one out. NULL: none. */
void *heap_pop_any(struct heap *heap);
/* The item at `pos`; NULL: none. */
void *heap_at(const struct heap *heap, size_t pos);
/* The items in no order, each once: *cursor is 0 at first. NULL: that was the last. */
void *heap_next(const struct heap *heap, size_t *cursor);
/*
 * How many items are less than `item`, which may be one of them. Looks at `most` (3 or more) of the
 * run, and at as many of the others; a run without holes costs O(log n).
 */
struct heap_rank {
    size_t before;
    size_t looked; /* items that were compared */
    bool exact;    /* false: at least so many, and one at least */
};
struct heap_rank heap_rank(const struct heap *heap, const void *item, size_t most);
/* Whether the heap property holds; for expensive assertions. */
bool heap_valid(const struct heap *heap);

#endif
