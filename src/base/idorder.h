// SPDX-License-Identifier: MIT
/*
 * The order of an id table's pages: their numbers, rising, so that a walk in order of id goes from
 * page to page without looking at the numbers between. Not thread-safe.
 *
 * Numbers of counters come nearly sorted, so adding one is O(1) but for those that come late, which
 * are moved a little. Many that come far out of order (a journal that is replayed) are sorted once,
 * by the next walk. The number of a page that went stays until such numbers are the greater part.
 */
#ifndef BASE_IDORDER_H
#define BASE_IDORDER_H

#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idorder {
    uint64_t *number;
    size_t len, cap;
    bool unsorted;
};

void idorder_init(struct idorder *order);
void idorder_fini(struct idorder *order);
/* A number may be added again. `pages`: those there are, by number. ENOMEM: not added. */
int idorder_add(struct idorder *order, uint64_t number, const struct idmap *pages);
/* The least number of a page that is there and not below *number, in *number. false: none. */
bool idorder_next(struct idorder *order, uint64_t *number, const struct idmap *pages);

#endif
