// SPDX-License-Identifier: MIT
/*
 * Times counted in buckets of fixed memory: 64 to each power of two, so a percentile is right
 * within 1.6 %, and adding one costs a shift and an increment.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_TOP_BITS 42 /* up to 73 minutes in nanoseconds; longer counts as that */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_TOP_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    int64_t max_ns;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);

/* Negative times count as 0. */
void histogram_add(struct histogram *histogram, int64_t ns);

/* The time that `part` (0 to 1) of all stay at or below; 0 if there are none. */
int64_t histogram_at(const struct histogram *histogram, double part);

/* How many were longer than that (rounded to the buckets). */
uint64_t histogram_above(const struct histogram *histogram, int64_t ns);

#endif
