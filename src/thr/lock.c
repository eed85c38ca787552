// SPDX-License-Identifier: MIT
/*
 * The lock: a word that says free, taken, or taken-and-awaited, and sleepers on that word.
 *
 * An uncontended acquire is one compare-and-swap, an uncontended release one exchange. A contended
 * acquire first spins for about as long as a short critical section takes, then marks the word as
 * awaited and sleeps; a release that finds the mark wakes one sleeper. Latecomers may overtake
 * sleepers, which keeps throughput up; nobody sleeps while the lock is free, because whoever takes
 * it after a sleep leaves the mark for the next.
 *
 * The checks cost nothing while a thread holds no other lock: lock_order.c is asked only when it
 * does, lock_ring.c only before a sleep.
 */
#include "thr/lock_priv.h"

#include "thr/park_priv.h"
#include "thr/thr.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Looks at the word before a sleep. A sleep and a wake cost some 5 to 25 us on a virtual processor,
 * a critical section of the queue 50 ns; about a microsecond of looking catches nearly all
 * hand-overs between two running threads.
 */
#define LOCK_SPINS 40

static _Atomic uint64_t last_order_id = 1u << 20; /* below: the ids of classes */

void lock_init(hl_lock *lock, const char *name, const hl_lock_class *lock_class)
{
    if (lock_class != NULL)
        MAGIC_CHECK(lock_class, LOCK_CLASS_MAGIC);
    memset(lock, 0, sizeof(*lock));
    MAGIC_INIT(lock, LOCK_MAGIC);
    if (name == NULL)
        name = lock_class != NULL ? lock_class->name : "lock";
    size_t len = strnlen(name, sizeof(lock->name) - 1);
    memcpy(lock->name, name, len);
    lock->lock_class = lock_class;
    lock->order_id = lock_class != NULL
                         ? (uint64_t)lock_class->rank
                         : atomic_fetch_add_explicit(&last_order_id, 1, memory_order_relaxed);
}

void lock_fini(hl_lock *lock)
{
    MAGIC_CHECK(lock, LOCK_MAGIC);
    ASSERT(atomic_load(&lock->word) == LOCK_FREE);
    lock_order_forget(lock);
    MAGIC_WIPE(lock);
}

int hl_lock_new(hl_lock **out, const char *name, const hl_lock_class *lock_class)
{
    hl_lock *lock = malloc(sizeof(*lock));
    if (lock == NULL)
        return ENOMEM;
    lock_init(lock, name, lock_class);
    *out = lock;
    return 0;
}

void hl_lock_free(hl_lock **lock_ptr)
{
    if (*lock_ptr == NULL)
        return;
    hl_lock *lock = *lock_ptr;
    *lock_ptr = NULL;
    lock_fini(lock);
    free(lock);
}

static bool spin_for(hl_lock *lock)
{
    for (int i = 0; i < LOCK_SPINS; i++) {
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == LOCK_FREE &&
            lock_take_if_free(lock))
            return true;
        park_relax();
    }
    return false;
}

/* 0: it was free and is ours. EBUSY: it is marked as awaited. EDEADLK: nobody will release it. */
static int take_or_mark(hl_lock *lock)
{
    uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
    while (seen != LOCK_ABANDONED)
        if (atomic_compare_exchange_weak_explicit(&lock->word, &seen, LOCK_AWAITED,
                                                  memory_order_acquire, memory_order_relaxed))
            return seen == LOCK_FREE ? 0 : EBUSY;
    return EDEADLK;
}

void lock_abandon(hl_lock *lock)
{
    if (atomic_exchange_explicit(&lock->word, LOCK_ABANDONED, memory_order_release) == LOCK_AWAITED)
        park_wake(&lock->word, INT32_MAX);
}

__attribute__((cold, noinline)) static void report_abandoned(hl_thread *self, const hl_lock *lock,
                                                             const char *place)
{
    char name[HL_THREAD_NAME_MAX];
    char what[HL_THREAD_NAME_MAX * 2 + 32];
    lock_report("deadlock: thread \"%s\" acquires %s at %s, whose owner's thread has ended\n"
                "  it acquired it at %s",
                hl_thread_get_name(self, name, sizeof(name)),
                lock_describe(lock, what, sizeof(what)), place,
                atomic_load_explicit(&lock->place, memory_order_relaxed));
}

/* Sleeps until the lock is ours, or can't be any more, or the deadline has come. Looks once more
 * after the deadline: the one wake of a release may have gone to this thread, and must not be lost
 * with it. */
static int sleep_for(hl_lock *lock, int64_t deadline_ns)
{
    int rc;
    int waited = 0;
    hl_thread_wait_begin("lock", lock->name);
    while ((rc = take_or_mark(lock)) == EBUSY && waited == 0)
        waited = park_wait(&lock->word, LOCK_AWAITED, deadline_ns);
    hl_thread_wait_end();
    return rc == EBUSY ? waited : rc;
}

static int acquire_contended(hl_thread *self, hl_lock *lock, int64_t timeout_ns, const char *place)
{
    if (timeout_ns == 0)
        return ETIMEDOUT;
    if (spin_for(lock))
        return 0;
    int rc = timeout_ns == HL_FOREVER ? lock_ring_enter(self, lock, place) : 0;
    if (rc != 0)
        return rc;
    if (timeout_ns == HL_FOREVER) {
        rc = sleep_for(lock, CLOCK_NEVER);
        lock_ring_leave(self);
    } else {
        rc = sleep_for(lock, clock_deadline(timeout_ns));
    }
    if (rc == EDEADLK)
        report_abandoned(self, lock, place);
    return rc;
}

__attribute__((cold, noinline)) static int report_twice(hl_thread *self, const hl_lock *lock,
                                                        const char *place)
{
    char name[HL_THREAD_NAME_MAX];
    char what[HL_THREAD_NAME_MAX * 2 + 32];
    hl_thread_get_name(self, name, sizeof(name));
    lock_report("deadlock: thread \"%s\" acquires %s at %s, which it holds already\n"
                "  thread \"%s\" acquired it at %s",
                name, lock_describe(lock, what, sizeof(what)), place, name,
                atomic_load_explicit(&lock->place, memory_order_relaxed));
    return EDEADLK;
}

int hl_lock_acquire_at(hl_lock *lock, int64_t timeout_ns, const char *place)
{
    MAGIC_CHECK(lock, LOCK_MAGIC);
    hl_thread *self = thread_self();
    if (timeout_ns == -1)
        timeout_ns = HL_FOREVER;
    if (timeout_ns < 0)
        return EINVAL;
    if (lock_owned_by(lock, self))
        return report_twice(self, lock, place);
    if (self->held_count > 0 && timeout_ns != 0) /* who only looks waits for nothing */
        lock_order_check(self, lock, place);
    if (!lock_take_if_free(lock)) {
        int rc = acquire_contended(self, lock, timeout_ns, place);
        if (rc != 0)
            return rc;
    }
    lock_taken(self, lock, place);
    return 0;
}

int hl_lock_try_acquire_at(hl_lock *lock, const char *place)
{
    MAGIC_CHECK(lock, LOCK_MAGIC);
    if (!lock_take_if_free(lock))
        return EBUSY;
    lock_taken(thread_self(), lock, place); /* waits for nothing, so its order can't deadlock */
    return 0;
}

int hl_lock_release(hl_lock *lock)
{
    MAGIC_CHECK(lock, LOCK_MAGIC);
    return lock_release(lock);
}

bool hl_lock_is_locked(const hl_lock *lock)
{
    MAGIC_CHECK(lock, LOCK_MAGIC);
    return atomic_load_explicit(&lock->word, memory_order_relaxed) != LOCK_FREE;
}

bool hl_lock_is_mine(const hl_lock *lock)
{
    MAGIC_CHECK(lock, LOCK_MAGIC);
    return lock_owned_by(lock, thread_self());
}

void lock_assert_held(const hl_lock *lock)
{
    ASSERT(hl_lock_is_mine(lock));
}

hl_lock *hl_lock_scope_enter(hl_lock *lock, const char *place)
{
    MUST(hl_lock_acquire_at(lock, HL_FOREVER, place));
    return lock;
}

void hl_lock_scope_leave(hl_lock **lock)
{
    MUST(hl_lock_release(*lock));
}
