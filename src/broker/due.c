// SPDX-License-Identifier: MIT
/*
 * What is due is done: the first of the deadlines (timer.c), until the next is still to come.
 */
#include "broker/client_priv.h"

#include "base/clock.h"

/* Does up to BROKER_SLICE_MAX things; returns when the next is due. */
HELD static int64_t due_some(struct broker *broker)
{
    int64_t now = clock_now_ns();
    for (int i = 0; i < BROKER_SLICE_MAX; i++) {
        struct broker_timer *timer = heap_first(&broker->due);
        if (timer == NULL)
            return CLOCK_NEVER;
        if (timer->at_ns > now)
            return timer->at_ns;
        if (timer->kind == TIMER_TUBE)
            tube_due(&CONTAINER_OF(timer, struct broker_tube, timer)->tube, now);
        else if (timer->kind == TIMER_LINE)
            line_due(broker, timer, now);
        else
            client_due(CONTAINER_OF(timer, struct client_extra, timer)->client, now);
    }
    return now;
}

int64_t broker_due(struct broker *broker)
{
    int64_t next, now;
    do {
        broker_lock(broker);
        next = due_some(broker);
        broker->told_ns = next;
        broker->unlock_tells &= ~(unsigned)UNLOCK_SOONER; /* whoever would be woken is here */
        now = clock_now_ns();
        broker_unlock(broker);
    } while (next <= now);
    return next;
}
