// SPDX-License-Identifier: MIT
/*
 * A counter with one writer and any readers: the owner adds without a locked instruction, others
 * read a value that is never torn. For statistics of one thread that the stats thread collects.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

/* By the owning thread only. */
static inline void counter_add(struct counter *counter, uint64_t more)
{
    uint64_t now = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, now + more, memory_order_relaxed);
}

/* By several threads, which is dearer. */
static inline void counter_add_shared(struct counter *counter, uint64_t more)
{
    atomic_fetch_add_explicit(&counter->value, more, memory_order_relaxed);
}

/* The same: to that, unless it is more. */
static inline void counter_raise_shared(struct counter *counter, uint64_t to)
{
    uint64_t now = atomic_load_explicit(&counter->value, memory_order_relaxed);
    while (now < to && !atomic_compare_exchange_weak_explicit(
                           &counter->value, &now, to, memory_order_relaxed, memory_order_relaxed)) {
    }
}

static inline uint64_t counter_get(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif
