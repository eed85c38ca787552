// SPDX-License-Identifier: MIT
/*
 * The pace of the disk, as the appends that land measure it: what a small commit takes, and whether
 * the disk made somebody wait a moment ago. Who leads by it is in inline.c.
 *
 * What a small commit takes is a moving median: it goes up or down by an eighth with each. A disk
 * is slow for SLOW_SPAN_NS from the last call that took longer than SLOW_NS, and twice as long with
 * each further one, up to SLOW_SPAN_MAX_NS; that begins anew after a time without any that is as
 * long as the longest. Neither figure depends on who led.
 */
#include "base/clock.h"
#include "journal/commit_priv.h"

#define SLOW_NS INT64_C(20000000)
#define SLOW_SPAN_NS INT64_C(10000000000)
#define SLOW_SPAN_MAX_NS INT64_C(600000000000)

/* The disk made somebody wait. */
static void note_slow(struct commit *commit)
{
    int64_t now_ns = clock_now_ns();
    int64_t span_ns = atomic_load(&commit->slow_span_ns);
    bool fresh = span_ns == 0 || now_ns - atomic_load(&commit->slow_until_ns) > SLOW_SPAN_MAX_NS;
    span_ns = fresh ? SLOW_SPAN_NS : span_ns * 2;
    if (span_ns > SLOW_SPAN_MAX_NS)
        span_ns = SLOW_SPAN_MAX_NS;
    atomic_store(&commit->slow_span_ns, span_ns);
    atomic_store(&commit->slow_until_ns, now_ns + span_ns);
}

void pace_measure(struct commit *commit, size_t bytes, bool sync, int64_t took_ns)
{
    if (bytes == 0 || bytes > PACE_BYTES)
        return;
    if (took_ns > SLOW_NS)
        note_slow(commit);
    if (!sync)
        return;
    int64_t median = atomic_load_explicit(&commit->small_ns, memory_order_relaxed);
    int64_t step = median / 8 + 1000;
    median += took_ns > median ? step : -step;
    if (median < 0)
        median = 0;
    atomic_store_explicit(&commit->small_ns, median, memory_order_relaxed);
}
