// SPDX-License-Identifier: MIT
/*
 * A growing ring of pointers with two ends: what the deque and the FIFO and LIFO queues keep their
 * items in. Not thread-safe: its owner's lock covers it.
 */
#ifndef THR_RING_PRIV_H
#define THR_RING_PRIV_H

#include "thr/thr.h"

#include <stddef.h>

void ring_init(struct ring *ring);
/* Gives the memory back; the items are the caller's. */
void ring_fini(struct ring *ring);

/* Room for `more` pushes that then can't fail. ENOMEM: unchanged. */
int ring_reserve(struct ring *ring, size_t more);
/* ENOMEM: not added. */
int ring_push_right(struct ring *ring, void *item);
int ring_push_left(struct ring *ring, void *item);

/*
 * The ring must not be empty. A pop that leaves it nearly empty gives memory back, but always keeps
 * room for the next push: whoever pops one and pushes one needs no memory.
 */
void *ring_pop_right(struct ring *ring);
void *ring_pop_left(struct ring *ring);
void *ring_right(const struct ring *ring);
void *ring_left(const struct ring *ring);

#endif
