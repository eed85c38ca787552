// SPDX-License-Identifier: MIT
/*
 * The deque: a ring under a lock of its own. Every operation is one critical section, the tests of
 * the pop-if forms included, so nobody can come between the look and the take. Discarded items
 * leave the lock first and go to `discard` after.
 */
#include "thr/lock_priv.h"
#include "thr/ring_priv.h"
#include "thr/thr.h"

#include "base/magic.h"

#include <errno.h>
#include <stdlib.h>

#define DEQUE_MAGIC 0x64657165u

struct hl_deque {
    unsigned magic;
    size_t maxlen; /* 0: without bound */
    void (*discard)(void *item);
    hl_lock lock;
    struct ring ring; /* covered by lock */
};

/* Which end an operation works on. */
struct deque_end {
    int (*push)(struct ring *ring, void *item);
    void *(*pop)(struct ring *ring);
    void *(*look)(const struct ring *ring);
    void *(*pop_other)(struct ring *ring);
};

static const struct deque_end right = {ring_push_right, ring_pop_right, ring_right, ring_pop_left};
static const struct deque_end left = {ring_push_left, ring_pop_left, ring_left, ring_pop_right};

int hl_deque_new(hl_deque **out, size_t maxlen, void (*discard)(void *item))
{
    hl_deque *deque = malloc(sizeof(*deque));
    if (deque == NULL)
        return ENOMEM;
    MAGIC_INIT(deque, DEQUE_MAGIC);
    deque->maxlen = maxlen;
    deque->discard = discard;
    lock_init(&deque->lock, "deque", lock_class(LOCK_CLASS_deque));
    ring_init(&deque->ring);
    *out = deque;
    return 0;
}

void hl_deque_free(hl_deque **deque_ptr)
{
    if (*deque_ptr == NULL)
        return;
    hl_deque *deque;
    MAGIC_TAKE(deque, deque_ptr, DEQUE_MAGIC);
    hl_deque_clear(deque);
    ring_fini(&deque->ring);
    lock_fini(&deque->lock);
    MAGIC_WIPE(deque);
    free(deque);
}

static void discard(const hl_deque *deque, void *item)
{
    if (deque->discard != NULL)
        deque->discard(item);
}

static int push(hl_deque *deque, const struct deque_end *end, void *item)
{
    MAGIC_CHECK(deque, DEQUE_MAGIC);
    void *dropped = NULL;
    bool drops = false;
    int rc = 0;
    MUST(hl_lock_acquire(&deque->lock));
    if (deque->maxlen != 0 && deque->ring.len == deque->maxlen) {
        drops = true;
        dropped = end->pop_other(&deque->ring);
        MUST(end->push(&deque->ring, item)); /* into the slot just emptied */
    } else {
        rc = end->push(&deque->ring, item);
    }
    MUST(hl_lock_release(&deque->lock));
    if (drops)
        discard(deque, dropped);
    return rc;
}

int hl_deque_append(hl_deque *deque, void *item)
{
    return push(deque, &right, item);
}

int hl_deque_append_left(hl_deque *deque, void *item)
{
    return push(deque, &left, item);
}

/* The one pop behind all single ones: `test` NULL takes anything. */
static int pop(hl_deque *deque, const struct deque_end *end, bool (*test)(void *item, void *arg),
               void *arg, void **item)
{
    MAGIC_CHECK(deque, DEQUE_MAGIC);
    int rc = 0;
    MUST(hl_lock_acquire(&deque->lock));
    if (deque->ring.len == 0)
        rc = ENOENT;
    else if (test != NULL && !test(end->look(&deque->ring), arg))
        rc = EAGAIN;
    else
        *item = end->pop(&deque->ring);
    MUST(hl_lock_release(&deque->lock));
    return rc;
}

int hl_deque_pop(hl_deque *deque, void **item)
{
    return pop(deque, &right, NULL, NULL, item);
}

int hl_deque_pop_left(hl_deque *deque, void **item)
{
    return pop(deque, &left, NULL, NULL, item);
}

int hl_deque_pop_if(hl_deque *deque, bool (*test)(void *item, void *arg), void *arg, void **item)
{
    return pop(deque, &right, test, arg, item);
}

int hl_deque_pop_left_if(hl_deque *deque, bool (*test)(void *item, void *arg), void *arg,
                         void **item)
{
    return pop(deque, &left, test, arg, item);
}

static int peek(hl_deque *deque, const struct deque_end *end, void **item)
{
    MAGIC_CHECK(deque, DEQUE_MAGIC);
    int rc = 0;
    MUST(hl_lock_acquire(&deque->lock));
    if (deque->ring.len == 0)
        rc = ENOENT;
    else
        *item = end->look(&deque->ring);
    MUST(hl_lock_release(&deque->lock));
    return rc;
}

int hl_deque_peek(hl_deque *deque, void **item)
{
    return peek(deque, &right, item);
}

int hl_deque_peek_left(hl_deque *deque, void **item)
{
    return peek(deque, &left, item);
}

static int try_pop(hl_deque *deque, const struct deque_end *end, void **item)
{
    MAGIC_CHECK(deque, DEQUE_MAGIC);
    int rc = hl_lock_try_acquire(&deque->lock);
    if (rc != 0)
        return rc;
    if (deque->ring.len == 0)
        rc = ENOENT;
    else
        *item = end->pop(&deque->ring);
    MUST(hl_lock_release(&deque->lock));
    return rc;
}

int hl_deque_try_pop(hl_deque *deque, void **item)
{
    return try_pop(deque, &right, item);
}

int hl_deque_try_pop_left(hl_deque *deque, void **item)
{
    return try_pop(deque, &left, item);
}

static size_t pop_many(hl_deque *deque, const struct deque_end *end, void **items, size_t max)
{
    MAGIC_CHECK(deque, DEQUE_MAGIC);
    size_t count = 0;
    MUST(hl_lock_acquire(&deque->lock));
    while (count < max && deque->ring.len > 0)
        items[count++] = end->pop(&deque->ring);
    MUST(hl_lock_release(&deque->lock));
    return count;
}

size_t hl_deque_pop_many(hl_deque *deque, void **items, size_t max)
{
    return pop_many(deque, &right, items, max);
}

size_t hl_deque_pop_left_many(hl_deque *deque, void **items, size_t max)
{
    return pop_many(deque, &left, items, max);
}

size_t hl_deque_len(const hl_deque *deque)
{
    MAGIC_CHECK(deque, DEQUE_MAGIC);
    hl_lock *lock =
        (hl_lock *)&deque->lock; /* looking doesn't change the deque, but does lock it */
    MUST(hl_lock_acquire(lock));
    size_t len = deque->ring.len;
    MUST(hl_lock_release(lock));
    return len;
}

void hl_deque_clear(hl_deque *deque)
{
    MAGIC_CHECK(deque, DEQUE_MAGIC);
    struct ring all;
    MUST(hl_lock_acquire(&deque->lock));
    all = deque->ring;
    ring_init(&deque->ring);
    MUST(hl_lock_release(&deque->lock));
    while (all.len > 0)
        discard(deque, ring_pop_left(&all));
    ring_fini(&all);
}
