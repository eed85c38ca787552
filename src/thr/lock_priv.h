// SPDX-License-Identifier: MIT
/*
 * The lock object, shared by
 *   lock.c        acquiring and releasing
 *   lock_class.c  classes and their ranks
 *   lock_order.c  who holds what; ranks and learnt order
 *   lock_ring.c   threads that wait for each other in a ring
 *   lock_report.c how a finding is told
 */
#ifndef THR_LOCK_PRIV_H
#define THR_LOCK_PRIV_H

#include "thr/thr.h"
#include "thr/thread_priv.h"

#include <hilera/lock.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#define LOCK_MAGIC 0x6c6f636bu
#define LOCK_CLASS_MAGIC 0x6c6b636cu

/* Values of the lock's word. */
#define LOCK_FREE 0u
#define LOCK_TAKEN 1u
#define LOCK_AWAITED 2u   /* taken, and somebody may sleep on the word */
#define LOCK_ABANDONED 3u /* for good: its owner's thread has ended */

struct order_node;

struct hl_lock_class {
    unsigned magic;
    const char *name;
    int rank;
    const struct hl_lock_class *next;
};

struct hl_lock {
    unsigned magic;
    _Atomic uint32_t word;
    _Atomic(hl_thread *) owner;      /* written by the owner */
    _Atomic(const char *) place;     /* where the owner acquired it; written by the owner */
    const hl_lock_class *lock_class; /* NULL: order is learnt */
    uint64_t order_id; /* unique in the process, never reused; the class's if it has one */
    bool ordered;      /* has entries among the learnt pairs; covered by their mutex */
    char name[HL_THREAD_NAME_MAX];
};

/* In place, for locks embedded in other objects. */
void lock_init(hl_lock *lock, const char *name, const hl_lock_class *lock_class);
void lock_fini(hl_lock *lock);

/* Its owner's thread ends: whoever waits for it, or ever will, gets EDEADLK. */
void lock_abandon(hl_lock *lock);

/* The rank, or 0 without one. */
static inline int lock_rank(const hl_lock *lock)
{
    return lock->lock_class != NULL ? lock->lock_class->rank : 0;
}

/* ---- lock_order.c ---- */

void lock_order_init(void);
/* Before `self`, who holds something, blocks for `lock`: reports wrong order. */
void lock_order_check(hl_thread *self, hl_lock *lock, const char *place);
/* Forgets what was learnt about a lock that goes. */
void lock_order_forget(hl_lock *lock);
/* Keeps the file's mutex over a fork; so do the pairs of lock_class.c and lock_report.c. */
void lock_order_fork_prepare(void);
void lock_order_fork_done(void);

/* ---- the uncontended way, inline: a queue takes its lock three times an item ---- */

/* The stack of held locks; owner thread only. */
static inline void lock_held_push(hl_thread *self, hl_lock *lock, const char *place)
{
    ASSERT(self->held_count < THREAD_HELD_MAX);
    self->held[self->held_count++] = (struct held_lock){.lock = lock, .place = place};
}

static inline void lock_held_pop(hl_thread *self, const hl_lock *lock)
{
    unsigned last = self->held_count - 1;
    unsigned i = last;
    while (i < self->held_count && self->held[i].lock != lock)
        i--; /* wraps below 0, which ends it */
    ASSERT(i <= last);
    for (; i < last; i++)
        self->held[i] = self->held[i + 1];
    self->held_count = last;
}

static inline bool lock_owned_by(const hl_lock *lock, const hl_thread *thread)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == thread;
}

static inline bool lock_take_if_free(hl_lock *lock)
{
    uint32_t expected = LOCK_FREE;
    return atomic_compare_exchange_strong_explicit(&lock->word, &expected, LOCK_TAKEN,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void lock_taken(hl_thread *self, hl_lock *lock, const char *place)
{
    atomic_store_explicit(&lock->owner, self, memory_order_relaxed);
    atomic_store_explicit(&lock->place, place, memory_order_relaxed);
    lock_held_push(self, lock, place);
}

/* Acquire that can't fail but by a mistake of the caller. */
static inline void lock_acquire(hl_lock *lock, const char *place)
{
    hl_thread *self = thread_self();
    if (self->held_count == 0 && lock_take_if_free(lock))
        lock_taken(self, lock, place);
    else
        MUST(hl_lock_acquire_at(lock, HL_FOREVER, place));
}

/* EPERM: not ours. */
static inline int lock_release(hl_lock *lock)
{
    hl_thread *self = thread_self();
    if (!lock_owned_by(lock, self))
        return EPERM;
    lock_held_pop(self, lock);
    atomic_store_explicit(&lock->owner, NULL, memory_order_relaxed);
    if (atomic_exchange_explicit(&lock->word, LOCK_FREE, memory_order_release) == LOCK_AWAITED)
        park_wake(&lock->word, 1);
    return 0;
}

/* ---- lock_class.c ---- */

void lock_class_fork_prepare(void);
void lock_class_fork_done(void);

/* ---- lock_ring.c ---- */

/*
 * `self` is about to wait for `lock` without a timeout. EDEADLK, after a report: that would close a
 * ring. 0: it is entered as waiting; call lock_ring_leave when it has the lock.
 */
int lock_ring_enter(hl_thread *self, hl_lock *lock, const char *place);
void lock_ring_leave(hl_thread *self);

/* ---- lock_report.c ---- */

/* Hands a text of several lines to whoever listens; printf-like, cut at a few KiB. */
void lock_report(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "lock "name" (class c, rank 7)" */
const char *lock_describe(const hl_lock *lock, char *buffer, size_t size);
void lock_report_init(void);
void lock_report_fork_prepare(void);
void lock_report_fork_done(void);

#endif
