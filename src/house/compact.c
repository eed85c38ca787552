// SPDX-License-Identifier: MIT
/*
 * Compaction of the broker's journal: a thread that works slice by slice as long as it is due, and
 * sleeps until the commit that makes it due again.
 *
 * The event is cleared before the broker is asked, so a commit that finds work meanwhile leaves it
 * set and the sleep ends at once. Once a second it asks all the same: that the disk is full, or
 * isn't any more, comes with no commit.
 */
#include "base/clock.h"
#include "house/house_priv.h"

#include <errno.h>

#define IDLE_NS HL_SECOND

void compact_crowded(void *arg)
{
    struct house *house = arg;
    hl_event_set(house->compact_wake);
}

void compact_main(void *arg)
{
    struct house *house = arg;
    MAGIC_CHECK(house, HOUSE_MAGIC);
    while (!atomic_load(&house->stopping)) {
        hl_event_clear(house->compact_wake);
        int rc = broker_compact(house->settings.broker);
        if (rc != 0 && !atomic_load(&house->stopping))
            (void)hl_event_wait(house->compact_wake, IDLE_NS);
    }
}
