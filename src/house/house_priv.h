// SPDX-License-Identifier: MIT
/*
 * The inside of the house, for its own files: what its three threads share, and by what each field
 * is covered.
 */
#ifndef HOUSE_HOUSE_PRIV_H
#define HOUSE_HOUSE_PRIV_H

#include "base/magic.h"
#include "house/house.h"

#define HOUSE_MAGIC 0x40053000u

struct house {
    unsigned magic;
    struct house_settings settings;
    bool started, stopped; /* of whoever starts and stops, one thread at a time */
    _Atomic bool stopping;

    hl_thread *due_thread;
    hl_event *due_wake; /* an earlier deadline, or the stop */

    hl_thread *compact_thread;
    hl_event *compact_wake; /* there is work, or the stop */

    hl_timer *second;
    int64_t purge_ns; /* when the next purge is due; the timer's own */

    hl_thread *stats_thread;
    hl_event *stop; /* what the stats thread waits for in between */
    hl_lock *lock;  /* covers latest */
    struct house_sample *latest;
};

/* compact.c: the compact thread, and what wakes it. */
void compact_main(void *arg);
void compact_crowded(void *arg);

/* sample.c: the stats thread. */
void stats_main(void *arg);

#endif
