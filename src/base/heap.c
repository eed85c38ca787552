// SPDX-License-Identifier: MIT
/*
 * A binary heap in an array: the children of the item at n stand at 2n + 1 and 2n + 2, and no child
 * is less than its parent.
 *
 * Sifting keeps the moving item in hand and shifts the others past it, so each level costs one
 * store, and each item that changes place is told once. Items that compare equal have no order
 * among them: who needs one puts a sequence number into `less`.
 *
 * The array grows by half when full: what is untouched of a large one costs no memory yet, but
 * smaller ones come in great numbers. It is halved when a removal leaves it less than a quarter
 * full, promises counted, so that a put and a get at the border don't reallocate each time; that it
 * couldn't be halved is no error.
 */
#include "base/heap.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define HEAP_FIRST_SLOTS 16
#define HEAP_KEEP_SLOTS 64 /* not worth shrinking below */

void heap_init(struct heap *heap, bool (*less)(const void *a, const void *b, const void *arg),
               const void *arg, void (*moved)(void *item, size_t pos))
{
    ASSERT(less != NULL);
    *heap = (struct heap){.less = less, .arg = arg, .moved = moved};
}

void heap_fini(struct heap *heap)
{
    free(heap->slot);
    heap->slot = NULL;
    heap->len = heap->cap = 0;
}

static int resize(struct heap *heap, size_t cap)
{
    void **slot = reallocarray(heap->slot, cap, sizeof(*slot));
    if (slot == NULL)
        return ENOMEM;
    heap->slot = slot;
    heap->cap = cap;
    return 0;
}

static void tell(const struct heap *heap, void *item, size_t pos)
{
    if (heap->moved != NULL)
        heap->moved(item, pos);
}

static void place(struct heap *heap, size_t pos, void *item)
{
    heap->slot[pos] = item;
    tell(heap, item, pos);
}

static bool is_less(const struct heap *heap, const void *a, const void *b)
{
    return heap->less(a, b, heap->arg);
}

/* Puts `item` at the free place `pos` or above, shifting greater parents down. */
static void sift_up(struct heap *heap, size_t pos, void *item)
{
    while (pos > 0) {
        size_t parent = (pos - 1) / 2;
        if (!is_less(heap, item, heap->slot[parent]))
            break;
        place(heap, pos, heap->slot[parent]);
        pos = parent;
    }
    place(heap, pos, item);
}

/* Puts `item` at the free place `pos` or below, shifting lesser children up. */
static void sift_down(struct heap *heap, size_t pos, void *item)
{
    size_t child;
    while ((child = 2 * pos + 1) < heap->len) {
        if (child + 1 < heap->len && is_less(heap, heap->slot[child + 1], heap->slot[child]))
            child++;
        if (!is_less(heap, heap->slot[child], item))
            break;
        place(heap, pos, heap->slot[child]);
        pos = child;
    }
    place(heap, pos, item);
}

static void settle(struct heap *heap, size_t pos, void *item)
{
    if (pos > 0 && is_less(heap, item, heap->slot[(pos - 1) / 2]))
        sift_up(heap, pos, item);
    else
        sift_down(heap, pos, item);
}

int heap_reserve(struct heap *heap, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(heap->len + heap->promised, more, &need))
        return ENOMEM;
    if (need <= heap->cap)
        return 0;
    size_t cap = heap->cap > SIZE_MAX / 2 ? need : heap->cap + heap->cap / 2;
    if (cap < HEAP_FIRST_SLOTS)
        cap = HEAP_FIRST_SLOTS;
    return resize(heap, cap < need ? need : cap);
}

void heap_promise(struct heap *heap)
{
    heap->promised++;
    ASSERT(heap->len + heap->promised <= heap->cap);
}

void heap_unpromise(struct heap *heap)
{
    ASSERT(heap->promised > 0);
    heap->promised--;
}

int heap_insert(struct heap *heap, void *item)
{
    ASSERT(item != NULL);
    int rc = heap_reserve(heap, 1);
    if (rc != 0)
        return rc;
    sift_up(heap, heap->len++, item);
    return 0;
}

void *heap_first(const struct heap *heap)
{
    return heap->len > 0 ? heap->slot[0] : NULL;
}

void *heap_remove(struct heap *heap, size_t pos)
{
    ASSERT(pos < heap->len);
    void *item = heap->slot[pos];
    void *last = heap->slot[--heap->len];
    if (pos < heap->len)
        settle(heap, pos, last);
    tell(heap, item, HEAP_NOWHERE);
    if (heap->cap > HEAP_KEEP_SLOTS && heap->len + heap->promised < heap->cap / 4)
        (void)resize(heap, heap->cap / 2);
    return item;
}

void *heap_pop(struct heap *heap)
{
    return heap->len > 0 ? heap_remove(heap, 0) : NULL;
}

void heap_update(struct heap *heap, size_t pos)
{
    ASSERT(pos < heap->len);
    settle(heap, pos, heap->slot[pos]);
}

bool heap_valid(const struct heap *heap)
{
    for (size_t pos = 1; pos < heap->len; pos++) {
        if (is_less(heap, heap->slot[pos], heap->slot[(pos - 1) / 2]))
            return false;
    }
    return heap->len + heap->promised <= heap->cap;
}
