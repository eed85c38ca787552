// SPDX-License-Identifier: MIT
/*
 * Real deadlocks: threads that wait for each other in a ring, found by the one that would close it.
 *
 * A thread that is about to wait for a lock without a timeout says so under the registry's mutex
 * and follows the chain: who owns that lock, what does that thread wait for, who owns that ... If
 * the chain comes back to itself nobody in it will ever run again, so the acquire fails with
 * EDEADLK and everybody else is saved. Since each says what it waits for before it looks, the last
 * one of a ring always sees it whole.
 *
 * Under the mutex all that is followed exists: an owner can't leave the registry, and a lock that
 * somebody waits for isn't freed. A thread that waits with a timeout ends the chain: it will go on
 * by itself.
 */
#include "thr/lock_priv.h"

#include "thr/thr.h"

#include <errno.h>
#include <stdio.h>

#define RING_MAX 64 /* threads in one ring that are looked at; longer chains are taken for open */

struct ring_step {
    hl_lock *lock;    /* that the thread before waits for */
    hl_thread *owner; /* of it */
};

/* How many steps lead from `lock` back to `self`, or 0. */
static int find_ring(const hl_thread *self, hl_lock *lock, struct ring_step step[RING_MAX])
{
    for (int count = 0; lock != NULL && count < RING_MAX; count++) {
        hl_thread *owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
        if (owner == NULL)
            return 0;
        step[count] = (struct ring_step){.lock = lock, .owner = owner};
        if (owner == self)
            return count + 1;
        lock = owner->waits_lock;
    }
    return 0;
}

/* The text of one ring, while the registry's mutex keeps everybody in it. */
static void describe_ring(hl_thread *self, const char *place, const struct ring_step step[],
                          int steps, char *text, size_t size)
{
    hl_thread *waiter = self;
    size_t len = 0;
    text[0] = '\0';
    for (int i = 0; i < steps && len < size; i++) {
        char waiter_name[HL_THREAD_NAME_MAX];
        char owner_name[HL_THREAD_NAME_MAX];
        char what[HL_THREAD_NAME_MAX * 2 + 32];
        hl_thread_get_name(waiter, waiter_name, sizeof(waiter_name));
        hl_thread_get_name(step[i].owner, owner_name, sizeof(owner_name));
        lock_describe(step[i].lock, what, sizeof(what));
        const char *taken = atomic_load_explicit(&step[i].lock->place, memory_order_relaxed);
        int more =
            snprintf(text + len, size - len,
                     "\n  thread \"%s\" waits for %s%s%s,\n    which thread \"%s\" acquired at %s",
                     waiter_name, what, i == 0 ? " at " : "", i == 0 ? place : "", owner_name,
                     taken != NULL ? taken : "?");
        len += more > 0 ? (size_t)more : 0;
        waiter = step[i].owner;
    }
}

int lock_ring_enter(hl_thread *self, hl_lock *lock, const char *place)
{
    struct ring_step step[RING_MAX];
    char text[2048];
    registry_lock();
    int steps = find_ring(self, lock, step);
    if (steps > 0)
        describe_ring(self, place, step, steps, text, sizeof(text));
    else
        self->waits_lock = lock;
    registry_unlock();
    if (steps == 0)
        return 0;
    lock_report("deadlock: %d threads wait for each other%s", steps, text);
    return EDEADLK;
}

void lock_ring_leave(hl_thread *self)
{
    registry_lock();
    self->waits_lock = NULL;
    registry_unlock();
}
