// SPDX-License-Identifier: MIT
/*
 * A sorted array, in which removal does nothing: whether a page is there is the map's business.
 *
 * Stale numbers cost memory and steps of a walk, so they are thrown out when the array is full, or
 * when a walk finds that they are more than half. Either takes as many steps as there were changes
 * since the last time, so it costs each change a constant part.
 *
 * To move a late number into its place takes a memmove of what is behind it. Up to IDORDER_NEAR
 * numbers that is a matter of microseconds; beyond it the array is left unsorted until somebody
 * wants the order.
 */
#include "base/idorder.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IDORDER_NEAR 4096
#define IDORDER_LEAST 64 /* below it nothing is thrown out, and nothing smaller is allocated */

void idorder_init(struct idorder *order)
{
    *order = (struct idorder){.len = 0};
}

void idorder_fini(struct idorder *order)
{
    free(order->number);
    idorder_init(order);
}

static int number_compare(const void *a, const void *b)
{
    const uint64_t *one = a, *other = b;
    return *one < *other ? -1 : *one > *other;
}

/* Sorted, each number once. */
static void order_sort(struct idorder *order)
{
    if (!order->unsorted)
        return;
    size_t kept = 0;
    qsort(order->number, order->len, sizeof(*order->number), number_compare);
    for (size_t i = 0; i < order->len; i++)
        if (kept == 0 || order->number[kept - 1] != order->number[i])
            order->number[kept++] = order->number[i];
    order->len = kept;
    order->unsorted = false;
}

/* Only those whose pages are there. */
static void order_prune(struct idorder *order, const struct idmap *pages)
{
    size_t kept = 0;
    order_sort(order);
    for (size_t i = 0; i < order->len; i++)
        if (idmap_get(pages, order->number[i]) != NULL)
            order->number[kept++] = order->number[i];
    order->len = kept;
}

/* The first place with a number that is not below; the array is sorted. */
static size_t order_place(const struct idorder *order, uint64_t number)
{
    size_t low = 0, high = order->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order->number[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool mostly_stale(const struct idorder *order, const struct idmap *pages)
{
    return order->len >= IDORDER_LEAST && order->len / 2 >= pages->len;
}

static int order_room(struct idorder *order, const struct idmap *pages)
{
    if (order->len < order->cap)
        return 0;
    if (mostly_stale(order, pages)) {
        order_prune(order, pages);
        return 0;
    }
    size_t cap = order->cap > 0 ? 2 * order->cap : IDORDER_LEAST;
    uint64_t *grown = reallocarray(order->number, cap, sizeof(*grown));
    if (grown == NULL)
        return ENOMEM;
    order->number = grown;
    order->cap = cap;
    return 0;
}

int idorder_add(struct idorder *order, uint64_t number, const struct idmap *pages)
{
    if (order->len > 0 && order->number[order->len - 1] == number)
        return 0;
    int rc = order_room(order, pages);
    if (rc != 0)
        return rc;
    size_t at = order->len;
    if (!order->unsorted && at > 0 && order->number[at - 1] > number) {
        at = order_place(order, number);
        if (order->number[at] == number)
            return 0;
        if (order->len - at > IDORDER_NEAR) {
            order->unsorted = true;
            at = order->len;
        }
    }
    memmove(&order->number[at + 1], &order->number[at], (order->len - at) * sizeof(*order->number));
    order->number[at] = number;
    order->len++;
    return 0;
}

bool idorder_next(struct idorder *order, uint64_t *number, const struct idmap *pages)
{
    if (mostly_stale(order, pages))
        order_prune(order, pages);
    order_sort(order);
    for (size_t i = order_place(order, *number); i < order->len; i++)
        if (idmap_get(pages, order->number[i]) != NULL) {
            *number = order->number[i];
            return true;
        }
    return false;
}
