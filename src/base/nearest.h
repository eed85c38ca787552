// SPDX-License-Identifier: MIT
/*
 * "Did you mean ...?": the word of a set that is nearest to a mistyped one.
 *
 * Near is few edits (a letter added, left out, changed, or two neighbours swapped), at most one for
 * each three letters typed: "worker" finds "workers", "xyz" finds nothing. Words longer than
 * NEAREST_MAX are never near to anything. Embedded by value; not thread-safe.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

#define NEAREST_MAX 64 /* letters; no name of ours is longer, and the work stays bounded */

struct nearest {
    const char *typed; /* not owned */
    const char *best;
    size_t best_distance;
};

void nearest_init(struct nearest *nearest, const char *typed);
/* One word of the set; must live until the answer was used. The first of equally near ones wins. */
void nearest_offer(struct nearest *nearest, const char *word);
/* The nearest so far, or NULL if none was near. */
const char *nearest_best(const struct nearest *nearest);

/* The number of edits between two words of at most NEAREST_MAX letters. */
size_t nearest_distance(const char *a, const char *b);

#endif
