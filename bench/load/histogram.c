// SPDX-License-Identifier: MIT
/*
 * The buckets: below 64 ns one a nanosecond, from there 64 for each doubling. A value's bucket is
 * its top seven bits and how far they were shifted; what a bucket stands for is its middle.
 */
#include "load/histogram.h"

#include <stddef.h>
#include <string.h>

#define SUB (1 << HISTOGRAM_SUB_BITS)

static size_t bucket_of(int64_t ns)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    if (value >> HISTOGRAM_TOP_BITS)
        value = (UINT64_C(1) << HISTOGRAM_TOP_BITS) - 1;
    if (value < SUB)
        return (size_t)value;
    int shift = 63 - __builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) + (size_t)(value >> shift) - SUB;
}

static int64_t middle_of(size_t bucket)
{
    if (bucket < SUB)
        return (int64_t)bucket;
    int shift = (int)(bucket >> HISTOGRAM_SUB_BITS) - 1;
    int64_t low = (int64_t)((bucket & (SUB - 1)) + SUB) << shift;
    return low + ((INT64_C(1) << shift) >> 1);
}

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, int64_t ns)
{
    histogram->count++;
    histogram->bucket[bucket_of(ns)]++;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

int64_t histogram_at(const struct histogram *histogram, double part)
{
    uint64_t rank = (uint64_t)(part * (double)histogram->count + 0.5), seen = 0;
    if (histogram->count == 0)
        return 0;
    if (rank == 0)
        rank = 1;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen >= rank) {
            int64_t ns = middle_of(i);
            return ns < histogram->max_ns ? ns : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}

uint64_t histogram_above(const struct histogram *histogram, int64_t ns)
{
    uint64_t above = 0;
    for (size_t i = bucket_of(ns) + 1; i < HISTOGRAM_BUCKETS; i++)
        above += histogram->bucket[i];
    return above;
}
