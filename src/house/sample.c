// SPDX-License-Identifier: MIT
/*
 * Samples: the state of the broker once an interval, so that rates can be told and whoever draws a
 * dashboard never asks the broker itself.
 *
 * A sample is written by the stats thread before anybody sees it and never after; readers take a
 * reference under a lock that is held for a few instructions. A moment at which the thread was late
 * is left out, so samples keep their beat without drifting.
 */
#include "base/clock.h"
#include "base/refs.h"
#include "house/house_priv.h"

#include <stdlib.h>

#define HOUSE_SAMPLE_MAGIC 0x400535a3u

static uint64_t finished(const struct broker_totals *totals)
{
    return totals->done + totals->failed + totals->deleted;
}

static double rate(uint64_t now, uint64_t before, int64_t elapsed_ns)
{
    return elapsed_ns > 0 ? (double)(now - before) * (double)HL_SECOND / (double)elapsed_ns : 0;
}

/* NULL: no memory; this one is left out. */
static struct house_sample *sample_take(struct house *house)
{
    struct house_sample *sample = calloc(1, sizeof(*sample));
    if (sample == NULL)
        return NULL;
    MAGIC_INIT(sample, HOUSE_SAMPLE_MAGIC);
    atomic_init(&sample->refs, 1);
    broker_stats(house->settings.broker, &sample->stats);
    sample->taken_ns = clock_now_ns();
    sample->wall_ns = clock_wall_ns();
    /* Only this thread replaces the latest, so it may read it without the lock. */
    const struct house_sample *before = house->latest;
    sample->number = before != NULL ? before->number + 1 : 1;
    if (before != NULL) {
        int64_t elapsed_ns = sample->taken_ns - before->taken_ns;
        sample->put_rate = rate(sample->stats.totals.put, before->stats.totals.put, elapsed_ns);
        sample->finished_rate =
            rate(finished(&sample->stats.totals), finished(&before->stats.totals), elapsed_ns);
    }
    return sample;
}

void stats_main(void *arg)
{
    struct house *house = arg;
    MAGIC_CHECK(house, HOUSE_MAGIC);
    int64_t interval_ns = house->settings.sample_interval_ns;
    int64_t next_ns = clock_now_ns();
    do {
        struct house_sample *sample = sample_take(house);
        if (sample != NULL) {
            hl_lock_acquire(house->lock);
            struct house_sample *before = house->latest;
            house->latest = sample;
            hl_lock_release(house->lock);
            house_sample_unref(&before);
        }
        int64_t now = clock_now_ns();
        next_ns += ((now - next_ns) / interval_ns + 1) * interval_ns;
    } while (hl_event_wait(house->stop, next_ns - clock_now_ns()) != 0);
}

struct house_sample *house_sample_ref(struct house *house)
{
    MAGIC_CHECK(house, HOUSE_MAGIC);
    HL_LOCK_SCOPE(house->lock);
    struct house_sample *sample = house->latest;
    if (sample != NULL)
        refs_add(&sample->refs);
    return sample;
}

void house_sample_unref(struct house_sample **sample)
{
    if (*sample == NULL)
        return;
    struct house_sample *mine;
    MAGIC_TAKE(mine, sample, HOUSE_SAMPLE_MAGIC);
    if (!refs_drop(&mine->refs))
        return;
    MAGIC_WIPE(mine);
    free(mine);
}
