// SPDX-License-Identifier: MIT
/*
 * Waiting for the end: of one job (wait), of all that was put into a tube or into any tube (join).
 *
 * A join stands in the line of joiners of a queue core: the tube's, or the core "all", which never
 * holds an item and counts the unfinished jobs of all tubes. A wait stands in a list of the job's
 * own. Both are struct broker_waiter and end in the same way: its queue_wait becomes ready in the
 * middle of some change, and fires when that is over and the lock was let go of; only then is the
 * asker told, with counts and a ticket that have all of it. A joiner keeps its tube in existence,
 * so that the totals it is told are those of the tube it joined.
 *
 * A join of what was put so far goes through the jobs in order of their ids, up to the last one
 * there was when it began, and stands in the list of one job after the other: so it costs nobody
 * else anything, and itself one look at each job. What was passed over isn't looked at again, so a
 * job that is kicked later doesn't count.
 */
#include "base/clock.h"
#include "broker/ask_priv.h"
#include "broker/groups_priv.h"

#include <errno.h>
#include <string.h>

/* What a waiter is told and gives back when it is over. */
HELD static void waiter_close(struct broker_waiter *waiter)
{
    if (waiter->group != NULL)
        waiter->totals = group_totals(waiter->group);
    else
        waiter->totals =
            (waiter->tube != NULL ? &broker_tube(waiter->tube)->stats : &waiter->broker->stats)
                ->totals;
    if (waiter->broker->ledger.store != NULL)
        waiter->ticket = store_wanted(waiter->broker->ledger.store);
    if (waiter->tube != NULL)
        tube_unref(waiter->tube);
    if (waiter->group != NULL)
        group_unref(waiter->group);
    waiter->tube = NULL;
    waiter->group = NULL;
}

/* ---- what was put so far ---- */

HELD static bool is_awaited(const struct broker_waiter *waiter, const struct job *job)
{
    if (job->state == JOB_BURIED)
        return false;
    if (waiter->group == NULL)
        return waiter->tube == NULL || waiter->tube == job->tube;
    return group_has(waiter->group, job);
}

HELD static void line_up(struct broker_waiter *waiter, struct job_extra *extra)
{
    queue_wait_line_up(&waiter->wait, NULL);
    list_append(&extra->waiters, &waiter->wait.later.node);
}

/* In the list of that job; without memory for it, with those who wait for all. */
HELD static void stand_with(struct broker_waiter *waiter, struct job *job)
{
    struct job_extra *extra = job_extra_need(job);
    if (extra != NULL) {
        line_up(waiter, extra);
        return;
    }
    waiter->until = 0;
    queue_wait_join(&waiter->wait,
                    waiter->group != NULL  ? &waiter->group->core
                    : waiter->tube != NULL ? &waiter->tube->ready
                                           : &waiter->broker->ledger.all,
                    &waiter->link);
}

/* Lets go of the lock now and then. EALREADY: there is none to wait for (any more). */
HELD static int so_far_stand(struct broker_waiter *waiter)
{
    struct broker *broker = waiter->broker;
    for (unsigned looked = 1; !waiter->given_up; looked++) {
        uint64_t id = waiter->next;
        struct job *job = id <= waiter->until ? idtable_from(&broker->ledger.jobs, &id) : NULL;
        if (job == NULL || id > waiter->until)
            break;
        waiter->next = id + 1;
        if (is_awaited(waiter, job)) {
            stand_with(waiter, job);
            return 0;
        }
        if (looked % BROKER_SLICE_MAX == 0) {
            broker_unlock(broker);
            broker_lock(broker);
        }
    }
    return EALREADY;
}

/* ---- a wait ---- */

/* Runs without the lock. */
static void wait_over(struct later *later)
{
    struct broker_waiter *waiter = CONTAINER_OF(later, struct broker_waiter, wait.later);
    struct broker *broker = waiter->broker;
    ASSERT(later->result == 0); /* tubes are never shut down */
    broker_lock(broker);
    if (waiter->until == 0 || so_far_stand(waiter) != 0) {
        waiter_close(waiter);
        queue_domain_ready(broker->ledger.domain, &waiter->later, 0);
    }
    broker_unlock(broker);
}

static bool waiter_cancel(struct later *later)
{
    struct broker_waiter *waiter = CONTAINER_OF(later, struct broker_waiter, later);
    struct broker *broker = waiter->broker;
    broker_lock(broker);
    bool cancelled = queue_wait_cancel(&waiter->wait);
    if (cancelled) {
        (void)later_leave(later);
        waiter_close(waiter);
    } else
        waiter->given_up = true; /* who is between two jobs is told, as was said */
    broker_unlock(broker);
    return cancelled;
}

TAKES_LOCK static void ask_begin(struct broker_waiter *waiter, struct broker *broker)
{
    waiter->broker = broker;
    waiter->tube = NULL;
    waiter->group = NULL;
    waiter->ticket = (struct ticket){0};
    waiter->totals = (struct broker_totals){0};
    waiter->end = NULL;
    waiter->wait = (struct queue_wait){.later.fire = wait_over};
    waiter->link = (struct queue_link){.wait = NULL};
    waiter->next = 1;
    waiter->until = 0;
    waiter->given_up = false;
    broker_lock(broker);
    later_wait(&waiter->later, waiter_cancel);
}

/* EALREADY: there is nothing to wait for. ENODATA: nor to tell. */
GIVES_LOCK static int ask_end(struct broker_waiter *waiter, int rc)
{
    struct broker *broker = waiter->broker;
    if (rc == EALREADY)
        waiter_close(waiter);
    if (rc == EALREADY || rc == ENODATA) {
        queue_domain_ready(broker->ledger.domain, &waiter->later, 0);
        rc = 0;
    }
    if (rc != 0)
        (void)later_leave(&waiter->later);
    broker_unlock(broker);
    return rc;
}

void wait_finish(struct job *job, struct job_end *end)
{
    if (job->extra == NULL)
        return;
    struct list_node *node;
    while ((node = list_first(&job->extra->waiters)) != NULL) {
        struct broker_waiter *waiter = CONTAINER_OF(node, struct broker_waiter, wait.later.node);
        if (waiter->wants_end && end != NULL)
            waiter->end = job_end_ref(end);
        queue_domain_ready(job->tube->ledger->domain, &waiter->wait.later, 0);
    }
}

/* EALREADY: the job is finished, nothing was lined up. */
HELD static int wait_line_up(struct broker *broker, const struct trust_view *asker, uint64_t id,
                             struct broker_waiter *waiter)
{
    struct job *job = idtable_get(&broker->ledger.jobs, id);
    if (job == NULL || job_ask(asker, job, TRUST_see) != 0)
        return ENOENT;
    if (job->state == JOB_BURIED)
        return EALREADY;
    struct job_extra *extra = job_extra_need(job);
    if (extra == NULL)
        return ENOMEM;
    line_up(waiter, extra);
    return 0;
}

/* Lets go of the lock now and then. Of its tube, its group, or all: the core. EALREADY: nothing is
 * unfinished. */
HELD static int core_line_up(struct broker_waiter *waiter, struct queue_core *core)
{
    if (core->unfinished == 0)
        return EALREADY;
    if (waiter->so_far) {
        waiter->until = waiter->broker->ledger.last_id;
        return so_far_stand(waiter);
    }
    queue_wait_join(&waiter->wait, core, &waiter->link);
    return 0;
}

/* EALREADY: nothing is unfinished. ENODATA: nobody knows it. */
HELD static int join_line_up(struct broker *broker, const char *name, struct broker_waiter *waiter)
{
    struct queue_core *core = &broker->ledger.all;
    if (name != NULL) {
        struct tube *tube = tube_find(&broker->ledger, name, strlen(name));
        if (tube == NULL)
            return ENODATA;
        tube_ref(tube);
        waiter->tube = tube;
        core = &tube->ready;
    }
    return core_line_up(waiter, core);
}

/* The same for a group. */
HELD static int join_group_line_up(struct broker *broker, const struct trust_view *asker,
                                   const char *name, struct broker_waiter *waiter)
{
    struct job_group *group = group_said(broker, asker, name);
    if (group == NULL)
        return ENODATA;
    group_ref(group);
    waiter->group = group;
    return core_line_up(waiter, &group->core);
}

/* It tells of what others did, perhaps only now. */
HELD static void told_all(struct broker_waiter *waiter)
{
    broker_tell(waiter->broker, &waiter->ticket);
    store_told_all(&waiter->broker->ledger);
}

int broker_wait_async(struct broker *broker, const struct trust_view *asker, uint64_t id,
                      struct broker_waiter *waiter)
{
    ask_begin(waiter, broker);
    int rc = wait_line_up(broker, asker, id, waiter);
    told_all(waiter); /* also of a job that isn't there any more */
    return ask_end(waiter, rc);
}

int broker_join_async(struct broker *broker, const char *tube, struct broker_waiter *waiter)
{
    int rc = tube == NULL ? 0 : job_tube_name_check(tube, strlen(tube));
    if (rc != 0)
        return rc;
    ask_begin(waiter, broker);
    return ask_end(waiter, join_line_up(broker, tube, waiter));
}

int broker_join_group_async(struct broker *broker, const struct trust_view *asker,
                            const char *group, struct broker_waiter *waiter)
{
    if (group[0] == '\0' || strlen(group) > BROKER_GROUP_NAME_MAX)
        return EINVAL;
    ask_begin(waiter, broker);
    int rc = join_group_line_up(broker, asker, group, waiter);
    told_all(waiter); /* also of counts that others made */
    return ask_end(waiter, rc);
}

/* What was asked for without an error, to its end. */
static int block(struct broker_waiter *waiter, int64_t timeout_ns, const char *what,
                 const char *object)
{
    return later_block(&waiter->later, clock_deadline(timeout_ns), what, object);
}

int broker_wait(struct broker *broker, const struct trust_view *asker, uint64_t id,
                int64_t timeout_ns)
{
    struct broker_waiter waiter = {.later.fire = later_wake};
    int rc = broker_wait_async(broker, asker, id, &waiter);
    return rc != 0 ? rc : block(&waiter, timeout_ns, "job", "wait");
}

int broker_join(struct broker *broker, const char *tube, int64_t timeout_ns,
                struct broker_totals *totals)
{
    struct broker_waiter waiter = {.later.fire = later_wake};
    int rc = broker_join_async(broker, tube, &waiter);
    if (rc == 0)
        rc = block(&waiter, timeout_ns, "queue join", tube != NULL ? tube : "all tubes");
    if (rc == 0 && totals != NULL)
        *totals = waiter.totals;
    return rc;
}
