// SPDX-License-Identifier: MIT
/*
 * A run: items in rising order, in an array that is used as a ring. It takes an item only behind
 * its last one, in O(1), gives the first one away in O(1), and any other by leaving a hole. The
 * part of a heap (base/heap.h) in which items arrive in order; not for use by itself. Not
 * thread-safe.
 */
#ifndef BASE_RISING_H
#define BASE_RISING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rising {
    void **slot;         /* NULL: a hole */
    uint32_t cap;        /* a power of two, or 0 */
    uint32_t head, tail; /* numbers of the first item and behind the last; they wrap */
    uint32_t len;        /* items, holes not counted */
    void (*moved)(void *item, size_t pos);
};

/* A position is odd: the item's number, modulo RISING_NUMBERS, and a 1 behind it. */
#define RISING_NUMBERS (UINT32_C(1) << 30)

static inline bool rising_has(size_t pos)
{
    return (pos & 1) != 0;
}

/* moved: told each item's position; may be NULL. */
void rising_init(struct rising *rising, void (*moved)(void *item, size_t pos));
void rising_fini(struct rising *rising);
/* NULL: it is empty. */
void *rising_first(const struct rising *rising);
void *rising_last(const struct rising *rising);
/* Behind the last one; the order is the caller's care. false: no memory, nothing changed. */
bool rising_push(struct rising *rising, void *item);
/* NULL: nothing is there. */
void *rising_at(const struct rising *rising, size_t pos);
size_t rising_first_pos(const struct rising *rising);
size_t rising_last_pos(const struct rising *rising);
/* Another item takes the place of the one at `pos`; nobody is told. */
void rising_replace(struct rising *rising, size_t pos, void *item);
/* The items in order; *cursor is 0 at first. NULL: that was the last. */
void *rising_next(const struct rising *rising, size_t *cursor);
/* Whether items were taken out from between others whose places are still there. */
bool rising_has_holes(const struct rising *rising);
/* Takes out the item at `pos`, which must be there; it isn't told. */
void *rising_remove(struct rising *rising, size_t pos);

#endif
