// SPDX-License-Identifier: MIT
/*
 * The ring of pointers. Capacity is a power of two, so positions wrap with a mask. It doubles when
 * full and halves when three quarters are unused, down to a small floor: pushes and pops are O(1)
 * amortised, and a backlog that drained doesn't keep its memory.
 */
#include "thr/ring_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RING_FLOOR 16 /* slots kept once there were any */

void ring_init(struct ring *ring)
{
    memset(ring, 0, sizeof(*ring));
}

void ring_fini(struct ring *ring)
{
    free(ring->slot);
    ring_init(ring);
}

/* Moves the items into a new array of `cap` slots, the leftmost first. */
static int ring_resize(struct ring *ring, size_t cap)
{
    if (cap > SIZE_MAX / sizeof(void *))
        return ENOMEM;
    void **slot = malloc(cap * sizeof(void *));
    if (slot == NULL)
        return ENOMEM;
    if (ring->len > 0) {
        size_t tail = ring->cap - ring->head;
        size_t first = ring->len < tail ? ring->len : tail;
        memcpy(slot, ring->slot + ring->head, first * sizeof(void *));
        memcpy(slot + first, ring->slot, (ring->len - first) * sizeof(void *));
    }
    free(ring->slot);
    ring->slot = slot;
    ring->head = 0;
    ring->cap = cap;
    return 0;
}

int ring_reserve(struct ring *ring, size_t more)
{
    if (more <= ring->cap - ring->len)
        return 0;
    if (more > SIZE_MAX / sizeof(void *) / 2 - ring->len)
        return ENOMEM;
    size_t cap = ring->cap > 0 ? ring->cap : RING_FLOOR;
    while (cap < ring->len + more)
        cap *= 2;
    return ring_resize(ring, cap);
}

int ring_push_right(struct ring *ring, void *item)
{
    if (ring->len == ring->cap) {
        int rc = ring_reserve(ring, 1);
        if (rc != 0)
            return rc;
    }
    ring->slot[(ring->head + ring->len) & (ring->cap - 1)] = item;
    ring->len++;
    return 0;
}

int ring_push_left(struct ring *ring, void *item)
{
    if (ring->len == ring->cap) {
        int rc = ring_reserve(ring, 1);
        if (rc != 0)
            return rc;
    }
    ring->head = (ring->head - 1) & (ring->cap - 1);
    ring->slot[ring->head] = item;
    ring->len++;
    return 0;
}

/* After a pop: half the slots are enough. No memory for the smaller array is no harm. */
static void ring_shrink(struct ring *ring)
{
    if (ring->cap > RING_FLOOR && ring->len < ring->cap / 4)
        (void)ring_resize(ring, ring->cap / 2);
}

void *ring_pop_right(struct ring *ring)
{
    void *item = ring_right(ring);
    ring->len--;
    ring_shrink(ring);
    return item;
}

void *ring_pop_left(struct ring *ring)
{
    void *item = ring_left(ring);
    ring->head = (ring->head + 1) & (ring->cap - 1);
    ring->len--;
    ring_shrink(ring);
    return item;
}

void *ring_right(const struct ring *ring)
{
    ASSERT(ring->len > 0);
    return ring->slot[(ring->head + ring->len - 1) & (ring->cap - 1)];
}

void *ring_left(const struct ring *ring)
{
    ASSERT(ring->len > 0);
    return ring->slot[ring->head];
}
