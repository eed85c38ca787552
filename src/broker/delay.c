// SPDX-License-Identifier: MIT
/*
 * Delays: jobs that become ready at a deadline.
 *
 * Each tube keeps its delayed jobs by deadline, and the broker keeps the tubes that have any by
 * their earliest one: two small heaps instead of one large one, so that a tube can be asked for its
 * own. Nobody polls: broker_due says when to come again, and the sooner hook tells of an earlier
 * deadline.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

/* When there was no memory to make a due job ready: tried again after this. */
#define RETRY_NS HL_SECOND

static const struct job *tube_soonest(const struct broker_tube *tube)
{
    return heap_first(&tube->delayed);
}

static int64_t tube_due_ns(const struct broker_tube *tube)
{
    const struct job *soonest = tube_soonest(tube);
    return soonest == NULL ? CLOCK_NEVER : soonest->key_ns;
}

bool delay_tube_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    return tube_due_ns(a) < tube_due_ns(b);
}

void delay_tube_moved(void *item, size_t pos)
{
    struct broker_tube *tube = item;
    tube->due_pos = pos;
}

int delay_room(struct broker_tube *tube)
{
    int rc = heap_reserve(&tube->delayed, 1);
    if (rc == 0 && tube->due_pos == HEAP_NOWHERE)
        rc = heap_reserve(&tube->broker->due, 1);
    return rc;
}

/* The tube's earliest deadline may have changed. */
static void tube_due_update(struct broker_tube *tube)
{
    struct heap *due = &tube->broker->due;
    if (tube_soonest(tube) == NULL) {
        if (tube->due_pos != HEAP_NOWHERE)
            heap_remove(due, tube->due_pos);
    } else if (tube->due_pos == HEAP_NOWHERE)
        MUST(heap_insert(due, tube));
    else
        heap_update(due, tube->due_pos);
}

void delay_insert(struct job *job)
{
    struct broker_tube *tube = job->tube;
    struct broker *broker = tube->broker;
    tube_job_move(job, JOB_DELAYED);
    MUST(heap_insert(&tube->delayed, job));
    tube_due_update(tube);
    if (heap_first(&broker->due) == tube && tube_soonest(tube) == job)
        broker->sooner_wanted = true;
}

void delay_remove(struct job *job)
{
    struct broker_tube *tube = job->tube;
    heap_remove(&tube->delayed, job->pos);
    tube_due_update(tube);
}

/* [held] Makes up to BROKER_WALK_MAX due jobs ready; returns when the next is due. */
static int64_t due_some(struct broker *broker)
{
    for (int i = 0; i < BROKER_WALK_MAX; i++) {
        struct broker_tube *tube = heap_first(&broker->due);
        if (tube == NULL)
            return CLOCK_NEVER;
        int64_t now = clock_now_ns();
        struct job *job = heap_first(&tube->delayed);
        if (job->key_ns > now)
            return job->key_ns;
        if (queue_core_reserve(&tube->ready, 1) != 0) {
            job->key_ns = clock_deadline(RETRY_NS);
            heap_update(&tube->delayed, job->pos);
            tube_due_update(tube);
            continue;
        }
        delay_remove(job);
        job_offer(job);
    }
    return clock_now_ns();
}

int64_t broker_due(struct broker *broker)
{
    int64_t next, now;
    do {
        broker_lock(broker);
        next = due_some(broker);
        now = clock_now_ns();
        broker_unlock(broker);
    } while (next <= now);
    return next;
}
