// SPDX-License-Identifier: MIT
/*
 * What is due is done: the first of the deadlines (alarm.c), until the next is still to come.
 */
#include "broker/holder_priv.h"

#include "base/clock.h"

/* Does up to BROKER_WALK_MAX things; returns when the next is due. */
HELD static int64_t due_some(struct broker *broker)
{
    int64_t now = clock_now_ns();
    for (int i = 0; i < BROKER_WALK_MAX; i++) {
        struct broker_alarm *alarm = heap_first(&broker->due);
        if (alarm == NULL)
            return CLOCK_NEVER;
        if (alarm->at_ns > now)
            return alarm->at_ns;
        if (alarm->kind == ALARM_TUBE)
            tube_due(&CONTAINER_OF(alarm, struct broker_tube, alarm)->tube, now);
        else if (alarm->kind == ALARM_LINE)
            line_due(broker, alarm, now);
        else
            holder_due(CONTAINER_OF(alarm, struct holder_rare, alarm)->holder, now);
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
