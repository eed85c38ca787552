// SPDX-License-Identifier: MIT
/*
 * A set that may say yes in error, never no; filter.c has the essay. Not thread-safe.
 */
#ifndef HISTORY_FILTER_PRIV_H
#define HISTORY_FILTER_PRIV_H

#include "history/history.h"

struct filter;

/* For so many items at least. ENOMEM. */
int filter_new(struct filter **out, uint64_t capacity);
void filter_free(struct filter **filter);
/* Items are known by their hash, all 64 bits of which count. */
void filter_add(struct filter *filter, uint64_t hash);
bool filter_may_have(const struct filter *filter, uint64_t hash);
/* Items that were added, each once; a few may have been taken for others. */
uint64_t filter_count(const struct filter *filter);
/* How many it is for. */
uint64_t filter_capacity(const struct filter *filter);
/* More were added than it is for: it says yes too often. */
bool filter_is_over(const struct filter *filter);

#endif
