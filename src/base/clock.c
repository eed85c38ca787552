// SPDX-License-Identifier: MIT
/*
 * The clock, real and virtual.
 *
 * One atomic number says both whether the clock is virtual and what it shows, so a thread never
 * sees one without the other, and the real clock costs one relaxed load more than clock_gettime
 * itself.
 *
 * Moving the virtual clock stores the new time first and calls the listeners after. A waiter that
 * reads the clock under the lock that its listener takes therefore either sees the new time or is
 * woken by the listener: no move is lost. Start and stop are moves, too: who computed a wait from
 * the other clock has to look again.
 *
 * The listeners are an array that only grows; its count is published after the entry, so that
 * moving needs no lock and a listener may itself read the clock or listen.
 */
#include "base/clock.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

/* What virtual_now holds while the clock is the real one. */
#define CLOCK_IS_REAL INT64_MIN

/* 2026-01-01T00:00:00Z: the wall-clock time at virtual time 0. Any fixed moment would do. */
#define VIRTUAL_WALL_START_NS (INT64_C(1767225600) * NS_PER_SECOND)

static _Atomic int64_t virtual_now = CLOCK_IS_REAL;
static _Atomic int64_t virtual_step; /* of the wall clock */

static pthread_mutex_t listener_lock = PTHREAD_MUTEX_INITIALIZER; /* for adding; not for reading */
static void (*listener[CLOCK_LISTENERS_MAX])(void);
static _Atomic size_t listener_count;

static int64_t read_clock(clockid_t which)
{
    struct timespec now;
    int rc = clock_gettime(which, &now);
    ASSERT(rc == 0);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* a + b for b >= 0, or CLOCK_NEVER where that would overflow. */
static int64_t add_or_never(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? CLOCK_NEVER : sum;
}

int64_t clock_now_ns(void)
{
    int64_t now = atomic_load_explicit(&virtual_now, memory_order_relaxed);
    return now == CLOCK_IS_REAL ? read_clock(CLOCK_MONOTONIC) : now;
}

int64_t clock_wall_ns(void)
{
    int64_t now = atomic_load_explicit(&virtual_now, memory_order_relaxed);
    return now == CLOCK_IS_REAL
               ? read_clock(CLOCK_REALTIME)
               : add_or_never(VIRTUAL_WALL_START_NS, now) + atomic_load(&virtual_step);
}

int64_t clock_deadline(int64_t timeout_ns)
{
    if (timeout_ns == CLOCK_NEVER)
        return CLOCK_NEVER;
    int64_t now = clock_now_ns();
    return timeout_ns <= 0 ? now : add_or_never(now, timeout_ns);
}

static void tell_listeners(void)
{
    size_t count = atomic_load_explicit(&listener_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        listener[i]();
}

void clock_virtual_start(int64_t now_ns)
{
    ASSERT(now_ns >= 0);
    atomic_store(&virtual_step, 0);
    int64_t before = atomic_exchange(&virtual_now, now_ns);
    ASSERT(before == CLOCK_IS_REAL);
    tell_listeners();
}

void clock_virtual_advance(int64_t by_ns)
{
    ASSERT(by_ns >= 0);
    int64_t now = atomic_load(&virtual_now);
    do
        ASSERT(now != CLOCK_IS_REAL);
    while (!atomic_compare_exchange_weak(&virtual_now, &now, add_or_never(now, by_ns)));
    tell_listeners();
}

void clock_virtual_step(int64_t by_ns)
{
    ASSERT(clock_is_virtual());
    atomic_fetch_add(&virtual_step, by_ns);
    tell_listeners();
}

void clock_virtual_stop(void)
{
    int64_t before = atomic_exchange(&virtual_now, CLOCK_IS_REAL);
    ASSERT(before != CLOCK_IS_REAL);
    tell_listeners();
}

bool clock_is_virtual(void)
{
    return atomic_load_explicit(&virtual_now, memory_order_relaxed) != CLOCK_IS_REAL;
}

void clock_listen(void (*moved)(void))
{
    ASSERT(moved != NULL);
    MUST(pthread_mutex_lock(&listener_lock));
    size_t count = atomic_load_explicit(&listener_count, memory_order_relaxed);
    ASSERT(count < CLOCK_LISTENERS_MAX);
    listener[count] = moved;
    atomic_store_explicit(&listener_count, count + 1, memory_order_release);
    MUST(pthread_mutex_unlock(&listener_lock));
}
