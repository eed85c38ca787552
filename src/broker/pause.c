// SPDX-License-Identifier: MIT
/*
 * Pauses: for a while nothing is taken from a tube by those who ask or wait for any job of it. Its
 * queue core is held, and lets go of its items when the tube's alarm goes off or a pause of nothing
 * replaces the present one; those who waited are then served in their order.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>

void tube_resume(struct broker_tube *tube)
{
    tube->pause_end_ns = CLOCK_NEVER;
    tube->stats.pause_ns = 0;
    tube_alarm_update(tube);
    queue_core_hold(&tube->ready, false);
}

int broker_pause(struct broker *broker, const char *name, size_t len, int64_t pause_ns)
{
    broker_lock(broker);
    struct broker_tube *tube = tube_find(broker, name, len);
    if (tube != NULL) {
        tube->stats.pauses++;
        broker->stats.pauses++;
        if (pause_ns > 0) {
            tube->stats.pause_ns = pause_ns;
            tube->pause_end_ns = clock_deadline(pause_ns);
            queue_core_hold(&tube->ready, true);
            tube_alarm_update(tube);
        } else
            tube_resume(tube);
    }
    broker_unlock(broker);
    return tube != NULL ? 0 : ENOENT;
}
