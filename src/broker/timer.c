// SPDX-License-Identifier: MIT
/*
 * The broker's deadlines: one heap of timers, one timer for each tube, each client and each line of
 * a busy journal.
 *
 * A tube's timer stands at the end of its first delay or of its pause, a client's at the earliest
 * end of a lease, of a wait, or at the "deadline soon" before a lease ends. So a job costs no entry
 * here: jobs are in the heaps of tubes and clients, and the heap of timers has as many entries as
 * there are tubes and clients with something pending. Room for the timer is promised when it is
 * made, so setting one never fails.
 *
 * What is due at the same moment happens in the order in which the tubes and clients came to be, so
 * that a run can be repeated.
 *
 * Nobody polls. broker_due does what is due and says when to come again; the sooner hook is called
 * only if an timer is set before that moment. An timer that is set later, or taken away, costs at
 * most one call of broker_due that finds nothing to do: a client that reserves and deletes all day
 * wakes the due thread once a TTR, not once a job.
 */
#include "base/clock.h"
#include "broker/timer_priv.h"

bool broker_timer_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    const struct broker_timer *one = a, *two = b;
    if (one->at_ns != two->at_ns)
        return one->at_ns < two->at_ns;
    return one->number < two->number;
}

void broker_timer_moved(void *item, size_t pos)
{
    struct broker_timer *timer = item;
    timer->pos = pos;
}

int broker_timer_init(struct broker *broker, struct broker_timer *timer, int kind)
{
    int rc = heap_reserve(&broker->due, 1);
    if (rc != 0)
        return rc;
    heap_promise(&broker->due);
    *timer = (struct broker_timer){
        .at_ns = CLOCK_NEVER, .number = ++broker->last_timer, .pos = HEAP_NOWHERE, .kind = kind};
    return 0;
}

void broker_timer_fini(struct broker *broker, struct broker_timer *timer)
{
    broker_timer_set(broker, timer, CLOCK_NEVER);
    heap_unpromise(&broker->due);
}

void broker_timer_set(struct broker *broker, struct broker_timer *timer, int64_t at_ns)
{
    if (timer->at_ns == at_ns)
        return;
    timer->at_ns = at_ns;
    if (at_ns == CLOCK_NEVER) {
        heap_remove(&broker->due, timer->pos);
        heap_promise(&broker->due);
    } else if (timer->pos == HEAP_NOWHERE) {
        heap_unpromise(&broker->due);
        MUST(heap_insert(&broker->due, timer));
    } else
        heap_update(&broker->due, timer->pos);
    if (at_ns < broker->told_ns) {
        broker->told_ns = at_ns;
        broker->unlock_tells |= UNLOCK_SOONER;
    }
}
