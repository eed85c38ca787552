// SPDX-License-Identifier: MIT
/*
 * The distance is the "optimal string alignment" form of Damerau and Levenshtein's: three rows of
 * the usual matrix are enough, since a swap looks back two.
 */
#include "base/nearest.h"

#include "base/assert.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    ASSERT(a_len <= NEAREST_MAX && b_len <= NEAREST_MAX);
    size_t row[3][NEAREST_MAX + 1] = {{0}};
    size_t *before = row[0], *above = row[1], *here = row[2];
    for (size_t j = 0; j <= b_len; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        here[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);
            here[j] = least(changed, least(above[j], here[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                here[j] = least(here[j], before[j - 2] + 1);
        }
        size_t *last = before;
        before = above;
        above = here;
        here = last;
    }
    return above[b_len];
}

void nearest_init(struct nearest *nearest, const char *typed)
{
    *nearest = (struct nearest){typed, NULL, 1 + (strlen(typed) + 1) / 3};
}

void nearest_offer(struct nearest *nearest, const char *word)
{
    if (strlen(nearest->typed) > NEAREST_MAX || strlen(word) > NEAREST_MAX)
        return;
    size_t distance = nearest_distance(nearest->typed, word);
    if (distance >= nearest->best_distance)
        return;
    nearest->best = word;
    nearest->best_distance = distance;
}

const char *nearest_best(const struct nearest *nearest)
{
    return nearest->best;
}
