// SPDX-License-Identifier: MIT
/*
 * Two places for items: the run (base/rising.h) has those that came in rising order, the others are
 * in a binary heap in an array: the children of the item at n stand at 2n + 1 and 2n + 2, and no
 * child is less than its parent. The least of all is the less of the two firsts. An item at n of
 * the array is told the position 2n; those of the run are odd.
 *
 * The run is there because most queues are nearly sorted already, and a binary heap of a million
 * items visits twenty far places in memory for each one taken. It is a help only: the array has
 * slots for all items and promises, so what doesn't fit into the run, for order or for memory,
 * always finds its place. Slots that were never used cost address space and nothing else.
 *
 * Sifting keeps the moving item in hand and shifts the others past it, so each level costs one
 * store, and each item that changes place is told once. Items that compare equal have no order
 * among them: who needs one puts a sequence number into `less`.
 *
 * The array grows by half when full: smaller ones come in great numbers. It is halved when a
 * removal leaves it less than a quarter full, promises counted, so that a put and a get at the
 * border don't reallocate each time; that it couldn't be halved is no error.
 */
#include "base/heap.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_FIRST_SLOTS 16
#define HEAP_KEEP_SLOTS 64 /* not worth shrinking below */

void heap_init(struct heap *heap, bool (*less)(const void *a, const void *b, const void *arg),
               const void *arg, void (*moved)(void *item, size_t pos))
{
    ASSERT(less != NULL);
    *heap = (struct heap){.less = less, .arg = arg, .moved = moved};
    rising_init(&heap->rising, moved);
}

void heap_fini(struct heap *heap)
{
    rising_fini(&heap->rising);
    free(heap->slot);
    heap->slot = NULL;
    heap->len = heap->sifted = heap->cap = 0;
}

/* Not realloc, which would copy, and so make real, slots that were never used. */
static int resize(struct heap *heap, size_t cap)
{
    void **slot = reallocarray(NULL, cap, sizeof(*slot));
    if (slot == NULL)
        return ENOMEM;
    if (heap->sifted > 0)
        memcpy(slot, heap->slot, heap->sifted * sizeof(*slot));
    free(heap->slot);
    heap->slot = slot;
    heap->cap = cap;
    return 0;
}

static void tell(const struct heap *heap, void *item, size_t pos)
{
    if (heap->moved != NULL)
        heap->moved(item, pos);
}

static void place(struct heap *heap, size_t at, void *item)
{
    heap->slot[at] = item;
    tell(heap, item, 2 * at);
}

static bool is_less(const struct heap *heap, const void *a, const void *b)
{
    return heap->less(a, b, heap->arg);
}

/* Puts `item` at the free slot `at` or above, shifting greater parents down. */
static void sift_up(struct heap *heap, size_t at, void *item)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!is_less(heap, item, heap->slot[parent]))
            break;
        place(heap, at, heap->slot[parent]);
        at = parent;
    }
    place(heap, at, item);
}

/* Puts `item` at the free slot `at` or below, shifting lesser children up. */
static void sift_down(struct heap *heap, size_t at, void *item)
{
    size_t child;
    while ((child = 2 * at + 1) < heap->sifted) {
        if (child + 1 < heap->sifted && is_less(heap, heap->slot[child + 1], heap->slot[child]))
            child++;
        if (!is_less(heap, heap->slot[child], item))
            break;
        place(heap, at, heap->slot[child]);
        at = child;
    }
    place(heap, at, item);
}

static void settle(struct heap *heap, size_t at, void *item)
{
    if (at > 0 && is_less(heap, item, heap->slot[(at - 1) / 2]))
        sift_up(heap, at, item);
    else
        sift_down(heap, at, item);
}

/* Takes the item out of the array; it isn't told. */
static void *sifted_remove(struct heap *heap, size_t at)
{
    void *item = heap->slot[at];
    void *last = heap->slot[--heap->sifted];
    if (at < heap->sifted)
        settle(heap, at, last);
    return item;
}

/* Behind the last of the run, if it is in order there. A single item that is in the way makes room:
 * else one with a far key would turn the run off until it leaves. */
static bool rising_takes(struct heap *heap, void *item)
{
    void *last = rising_last(&heap->rising);
    if (last != NULL && is_less(heap, item, last)) {
        if (heap->rising.len > 1)
            return false;
        rising_remove(&heap->rising, rising_last_pos(&heap->rising));
        sift_up(heap, heap->sifted++, last);
    }
    return rising_push(&heap->rising, item);
}

/* There is a slot for it. */
static void add(struct heap *heap, void *item)
{
    if (!rising_takes(heap, item))
        sift_up(heap, heap->sifted++, item);
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
    heap->len++;
    add(heap, item);
    return 0;
}

static bool first_is_rising(const struct heap *heap)
{
    if (heap->rising.len == 0 || heap->sifted == 0)
        return heap->rising.len > 0;
    return !is_less(heap, heap->slot[0], rising_first(&heap->rising));
}

void *heap_first(const struct heap *heap)
{
    if (heap->len == 0)
        return NULL;
    return first_is_rising(heap) ? rising_first(&heap->rising) : heap->slot[0];
}

void *heap_at(const struct heap *heap, size_t pos)
{
    if (rising_has(pos))
        return rising_at(&heap->rising, pos);
    return pos / 2 < heap->sifted ? heap->slot[pos / 2] : NULL;
}

void *heap_any(const struct heap *heap)
{
    if (heap->rising.len > 0)
        return rising_last(&heap->rising);
    return heap->sifted > 0 ? heap->slot[heap->sifted - 1] : NULL;
}

void *heap_next(const struct heap *heap, size_t *cursor)
{
    size_t at = *cursor;
    if (at < heap->sifted) {
        *cursor = at + 1;
        return heap->slot[at];
    }
    at -= heap->sifted;
    void *item = rising_next(&heap->rising, &at);
    *cursor = heap->sifted + at;
    return item;
}

void *heap_remove(struct heap *heap, size_t pos)
{
    ASSERT(heap_at(heap, pos) != NULL);
    void *item = rising_has(pos) ? rising_remove(&heap->rising, pos) : sifted_remove(heap, pos / 2);
    heap->len--;
    tell(heap, item, HEAP_NOWHERE);
    if (heap->cap > HEAP_KEEP_SLOTS && heap->len + heap->promised < heap->cap / 4)
        (void)resize(heap, heap->cap / 2);
    return item;
}

void *heap_pop(struct heap *heap)
{
    if (heap->len == 0)
        return NULL;
    return heap_remove(heap, first_is_rising(heap) ? rising_first_pos(&heap->rising) : 0);
}

void *heap_pop_any(struct heap *heap)
{
    if (heap->len == 0)
        return NULL;
    bool in_rising = heap->rising.len > 0;
    return heap_remove(heap, in_rising ? rising_last_pos(&heap->rising) : 2 * (heap->sifted - 1));
}

void heap_replace(struct heap *heap, size_t pos, void *item)
{
    ASSERT(item != NULL && heap_at(heap, pos) != NULL);
    if (rising_has(pos))
        rising_replace(&heap->rising, pos, item);
    else
        heap->slot[pos / 2] = item;
}

void heap_update(struct heap *heap, size_t pos)
{
    ASSERT(heap_at(heap, pos) != NULL);
    if (rising_has(pos))
        add(heap, rising_remove(&heap->rising, pos));
    else
        settle(heap, pos / 2, heap->slot[pos / 2]);
}

/* Where in the run the first item stands that isn't less. */
static size_t run_search(const struct heap *heap, const void *item, size_t *looked)
{
    size_t low = 0, high = heap->rising.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2, at = middle;
        ++*looked;
        if (is_less(heap, rising_next(&heap->rising, &at), item))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void run_rank(const struct heap *heap, const void *item, size_t most, struct heap_rank *rank)
{
    size_t cursor = 0;
    const void *other;
    if (!rising_has_holes(&heap->rising)) {
        rank->before += run_search(heap, item, &rank->looked);
        return;
    }
    for (; (other = rising_next(&heap->rising, &cursor)) != NULL; most--) {
        if (most == 0) {
            rank->exact = false;
            return;
        }
        rank->looked++;
        if (!is_less(heap, other, item))
            return;
        rank->before++;
    }
}

/* What is below an item that isn't less is no less either, so only those that are less lead on. */
static void sifted_rank(const struct heap *heap, const void *item, size_t most,
                        struct heap_rank *rank)
{
    size_t todo[sizeof(size_t) * 8 + 1] = {0}; /* one beside each level of the way down */
    size_t count = heap->sifted > 0 ? 1 : 0;
    for (; count > 0; most--) {
        if (most == 0) {
            rank->exact = false;
            return;
        }
        size_t at = todo[--count];
        rank->looked++;
        if (!is_less(heap, heap->slot[at], item))
            continue;
        rank->before++;
        for (size_t child = 2 * at + 2; child > 2 * at; child--)
            if (child < heap->sifted)
                todo[count++] = child;
    }
}

struct heap_rank heap_rank(const struct heap *heap, const void *item, size_t most)
{
    struct heap_rank rank = {.exact = true};
    run_rank(heap, item, most, &rank);
    sifted_rank(heap, item, most, &rank);
    return rank;
}

bool heap_valid(const struct heap *heap)
{
    for (size_t at = 1; at < heap->sifted; at++) {
        if (is_less(heap, heap->slot[at], heap->slot[(at - 1) / 2]))
            return false;
    }
    size_t cursor = heap->sifted, in_rising = 0;
    const void *before = NULL, *item;
    for (; (item = heap_next(heap, &cursor)) != NULL; before = item, in_rising++)
        if (before != NULL && is_less(heap, item, before))
            return false;
    return in_rising == heap->rising.len && heap->len == in_rising + heap->sifted &&
           heap->len + heap->promised <= heap->cap;
}
