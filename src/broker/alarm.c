// SPDX-License-Identifier: MIT
/*
 * The broker's deadlines: one heap of alarms, one alarm for each tube, each holder and each line of
 * a busy journal.
 *
 * A tube's alarm stands at the end of its first delay or of its pause, a holder's at the earliest
 * end of a lease, of a wait, or at the "deadline soon" before a lease ends. So a job costs no entry
 * here: jobs are in the heaps of tubes and holders, and the heap of alarms has as many entries as
 * there are tubes and holders with something pending. Room for the alarm is promised when it is
 * made, so setting one never fails.
 *
 * What is due at the same moment happens in the order in which the tubes and holders came to be, so
 * that a run can be repeated.
 *
 * Nobody polls. broker_due does what is due and says when to come again; the sooner hook is called
 * only if an alarm is set before that moment. An alarm that is set later, or taken away, costs at
 * most one call of broker_due that finds nothing to do: a holder that reserves and deletes all day
 * wakes the due thread once a TTR, not once a job.
 */
#include "base/clock.h"
#include "broker/alarm_priv.h"

bool alarm_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    const struct broker_alarm *one = a, *two = b;
    if (one->at_ns != two->at_ns)
        return one->at_ns < two->at_ns;
    return one->number < two->number;
}

void alarm_moved(void *item, size_t pos)
{
    struct broker_alarm *alarm = item;
    alarm->pos = pos;
}

int alarm_init(struct broker *broker, struct broker_alarm *alarm, int kind)
{
    int rc = heap_reserve(&broker->due, 1);
    if (rc != 0)
        return rc;
    heap_promise(&broker->due);
    *alarm = (struct broker_alarm){
        .at_ns = CLOCK_NEVER, .number = ++broker->last_alarm, .pos = HEAP_NOWHERE, .kind = kind};
    return 0;
}

void alarm_fini(struct broker *broker, struct broker_alarm *alarm)
{
    alarm_set(broker, alarm, CLOCK_NEVER);
    heap_unpromise(&broker->due);
}

void alarm_set(struct broker *broker, struct broker_alarm *alarm, int64_t at_ns)
{
    if (alarm->at_ns == at_ns)
        return;
    alarm->at_ns = at_ns;
    if (at_ns == CLOCK_NEVER) {
        heap_remove(&broker->due, alarm->pos);
        heap_promise(&broker->due);
    } else if (alarm->pos == HEAP_NOWHERE) {
        heap_unpromise(&broker->due);
        MUST(heap_insert(&broker->due, alarm));
    } else
        heap_update(&broker->due, alarm->pos);
    if (at_ns < broker->told_ns) {
        broker->told_ns = at_ns;
        broker->unlock_tells |= UNLOCK_SOONER;
    }
}
