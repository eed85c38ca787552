// SPDX-License-Identifier: MIT
/*
 * What was refused: counted by right, and logged with the section that would allow it, so that an
 * administrator sees who is kept out and what to write.
 *
 * A peer that tries and tries must not fill the log: of one peer and right there is a line a
 * minute. Who was told of when is remembered in a table of fixed size, in which peers whose hash is
 * the same share a place; the one that comes second within the minute isn't told of. No lock: each
 * place is one number.
 */
#include "trust/trust.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdatomic.h>

#define PLACES 1024
#define AGAIN_NS (INT64_C(60) * 1000000000)

static _Atomic uint64_t counts[TRUST_RIGHT_COUNT];
static _Atomic int64_t told_ns[PLACES]; /* clock_now_ns time + 1; 0: never */

static size_t place_of(const struct trust_view *view, trust_rights need)
{
    uint64_t hash = ((uint64_t)view->uid << 2 | (uint64_t)view->door) << 16 | need;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 32) % PLACES;
}

/* Whether this is the one that is to be logged. */
static bool is_due(const struct trust_view *view, trust_rights need)
{
    _Atomic int64_t *place = &told_ns[place_of(view, need)];
    int64_t now_ns = clock_now_ns() + 1;
    int64_t last_ns = atomic_load(place);
    return (last_ns == 0 || now_ns - last_ns >= AGAIN_NS) &&
           atomic_compare_exchange_strong(place, &last_ns, now_ns);
}

void trust_denied(const struct trust_view *view, trust_rights need, const char *tube)
{
    for (unsigned i = 0; i < TRUST_RIGHT_COUNT; i++)
        if ((need >> i & 1) != 0)
            atomic_fetch_add(&counts[i], 1);
    if (!is_due(view, need))
        return;
    char why[2 * TRUST_WHY_MAX];
    trust_deny_text(why, sizeof(why), view, need, tube);
    log_notice("refused: %s", why);
}

uint64_t trust_denials(enum trust_right_bit bit)
{
    return atomic_load(&counts[bit]);
}
