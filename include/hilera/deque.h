// SPDX-License-Identifier: MIT
/*
 * Deque: a double-ended queue that threads share; Python's collections.deque, whose single appends
 * and pops are atomic, plus the compound "look, then take" operations that a check followed by a
 * pop can't make atomic.
 *
 * It never waits: on an empty deque pops answer ENOENT (Python: IndexError). For waiting there is
 * queue.h. Items are pointers, not owned, and not NULL-checked: a null pointer is an item like any
 * other.
 */
#ifndef HILERA_DEQUE_H
#define HILERA_DEQUE_H

#include <hilera/version.h>

#include <stdbool.h>
#include <stddef.h>

HL_BEGIN_DECLS

typedef struct hl_deque hl_deque;

/*
 * `maxlen` 0: without bound. Otherwise, as in Python, an append to a full deque discards an item at
 * the other end: it is passed to `discard`, if not NULL, as are items left at clear and free.
 * discard runs without the deque's lock.
 */
HL_API int hl_deque_new(hl_deque **out, size_t maxlen, void (*discard)(void *item));
HL_API void hl_deque_free(hl_deque **deque);

/* At the right / left end. ENOMEM: not added. O(1) amortised. */
HL_API int hl_deque_append(hl_deque *deque, void *item);
HL_API int hl_deque_append_left(hl_deque *deque, void *item);

/* Takes from the right / left end. ENOENT: empty. */
HL_API int hl_deque_pop(hl_deque *deque, void **item);
HL_API int hl_deque_pop_left(hl_deque *deque, void **item);

/* Looks at an end without taking; another thread may take it at once. ENOENT: empty. */
HL_API int hl_deque_peek(hl_deque *deque, void **item);
HL_API int hl_deque_peek_left(hl_deque *deque, void **item);

/*
 * Takes the item at that end only if `test(item, arg)` is true; looking and taking are one step.
 * ENOENT: empty. EAGAIN: the test said no. The test runs under the deque's lock: it must be short
 * and not use the deque.
 */
HL_API int hl_deque_pop_if(hl_deque *deque, bool (*test)(void *item, void *arg), void *arg,
                           void **item);
HL_API int hl_deque_pop_left_if(hl_deque *deque, bool (*test)(void *item, void *arg), void *arg,
                                void **item);

/*
 * Takes without waiting for the deque's own lock either: EBUSY when another thread is in it at this
 * moment. ENOENT.
 */
HL_API int hl_deque_try_pop(hl_deque *deque, void **item);
HL_API int hl_deque_try_pop_left(hl_deque *deque, void **item);

/* Takes up to `max` items from that end, in the order of popping, in one step; returns how many. */
HL_API size_t hl_deque_pop_many(hl_deque *deque, void **items, size_t max);
HL_API size_t hl_deque_pop_left_many(hl_deque *deque, void **items, size_t max);

/* How many there are at this moment. */
HL_API size_t hl_deque_len(const hl_deque *deque);

/* Takes all out and discards them. */
HL_API void hl_deque_clear(hl_deque *deque);

HL_END_DECLS

#endif
