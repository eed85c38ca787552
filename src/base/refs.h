// SPDX-License-Identifier: MIT
/*
 * Counting who holds an object that several threads share; the last one frees it. The owner's
 * struct has the number, an _Atomic uint32_t that begins with 1.
 *
 * Nobody can take a reference but from one that exists, so taking needs no order. Giving back
 * needs both: release, so that what this holder did happened before the free; acquire, so that the
 * free comes after what all others did.
 */
#ifndef BASE_REFS_H
#define BASE_REFS_H

#include "base/assert.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static inline void refs_add(_Atomic uint32_t *refs)
{
    uint32_t before = atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
}

/* Whether that was the last one. */
static inline bool refs_drop(_Atomic uint32_t *refs)
{
    uint32_t before = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    return before == 1;
}

#endif
