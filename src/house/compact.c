// SPDX-License-Identifier: MIT
/*
 * Compaction of the broker's journal: a thread that asks whether it is due, and then works slice by
 * slice until it isn't.
 *
 * It asks once a second; after it found work, ten times as often for a while, because who writes
 * much goes on writing. What is written in between is how far the journal grows beyond its bound.
 */
#include "base/clock.h"
#include "house/house_priv.h"

#include <errno.h>

#define IDLE_NS HL_SECOND
#define BUSY_NS (HL_SECOND / 10)
/* For a commit that somebody else leads. */
#define COMMIT_NS (HL_SECOND / 500)
/* Turns of BUSY_NS without work before it is idle. */
#define BUSY_TURNS 10

void compact_main(void *arg)
{
    struct house *house = arg;
    MAGIC_CHECK(house, HOUSE_MAGIC);
    unsigned busy = 0;
    while (!atomic_load(&house->stopping)) {
        int rc = broker_compact(house->settings.broker);
        if (rc == 0) {
            busy = BUSY_TURNS;
            continue;
        }
        int64_t pause_ns = rc == EAGAIN ? COMMIT_NS : busy > 0 ? BUSY_NS : IDLE_NS;
        if (rc != EAGAIN && busy > 0)
            busy--;
        (void)hl_event_wait(house->stop, pause_ns);
    }
}
