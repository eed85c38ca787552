// SPDX-License-Identifier: MIT
/*
 * Waiting for the end: of one job (wait), of all that was put into a tube or into any tube (join).
 *
 * A join stands in the line of joiners of a queue core: the tube's, or the core "all", which never
 * holds an item and counts the unfinished jobs of all tubes. A wait stands in a list of the job's
 * own. Both are struct broker_waiter and end in the same way: the core of the queue makes the wait
 * ready under the lock, and fires it when the lock was let go of. A joiner keeps its tube in
 * existence, so that the totals it is told are those of the tube it joined.
 *
 * A join of what was put so far goes through the jobs in order of their ids, up to the last one
 * there was when it began, and stands in the list of one job after the other: so it costs nobody
 * else anything, and itself one look at each job. What was passed over isn't looked at again, so a
 * job that is kicked later doesn't count.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>
#include <string.h>

/* [held] What a waiter is told and gives back when it is over. */
static void waiter_close(struct broker_waiter *waiter)
{
    if (waiter->group != NULL)
        waiter->totals = group_totals(waiter->group);
    else
        waiter->totals =
            (waiter->tube != NULL ? &waiter->tube->stats : &waiter->broker->stats)->totals;
    if (waiter->broker->log != NULL)
        waiter->ticket = waiter->broker->log->wanted;
    if (waiter->tube != NULL)
        tube_unref(waiter->tube);
    if (waiter->group != NULL)
        group_unref(waiter->group);
    waiter->tube = NULL;
    waiter->group = NULL;
}

static void waiter_fire(struct later *later);

/* Out of the line of a job, for who blocks there. */
static bool waiter_leave(struct later *later)
{
    struct broker_waiter *waiter = CONTAINER_OF(later, struct broker_waiter, wait.later);
    broker_lock(waiter->broker);
    bool left = queue_wait_cancel(&waiter->wait);
    broker_unlock(waiter->broker);
    return left;
}

/* ---- what was put so far ---- */

/* [held] */
static bool is_awaited(const struct broker_waiter *waiter, const struct job *job)
{
    if (job->state == JOB_BURIED)
        return false;
    if (waiter->group == NULL)
        return waiter->tube == NULL || waiter->tube == job->tube;
    return group_has(waiter->group, job);
}

/* [held] In the list of that job; without memory for it, with those who wait for all. */
static void stand_with(struct broker_waiter *waiter, struct job *job)
{
    struct job_rare *rare = job_rare_need(job);
    waiter->wait = (struct queue_wait){.later.fire = waiter_fire};
    if (rare != NULL) {
        queue_wait_line_up(&waiter->wait, waiter_leave);
        list_append(&rare->waiters, &waiter->node);
        return;
    }
    waiter->until = 0;
    queue_wait_join(&waiter->wait,
                    waiter->group != NULL  ? &waiter->group->core
                    : waiter->tube != NULL ? &waiter->tube->ready
                                           : &waiter->broker->all,
                    &waiter->link);
}

/* [held before and after, not always in between] EALREADY: there is none to wait for (any more). */
static int so_far_stand(struct broker_waiter *waiter)
{
    struct broker *broker = waiter->broker;
    for (unsigned looked = 1; !waiter->given_up; looked++) {
        uint64_t id = waiter->next;
        struct job *job = id <= waiter->until ? idtable_from(&broker->jobs, &id) : NULL;
        if (job == NULL || id > waiter->until)
            break;
        waiter->next = id + 1;
        if (is_awaited(waiter, job)) {
            stand_with(waiter, job);
            return 0;
        }
        if (looked % BROKER_WALK_MAX == 0) {
            broker_unlock(broker);
            broker_lock(broker);
        }
    }
    return EALREADY;
}

/* ---- a wait ---- */

/* Runs without the lock. */
static void waiter_fire(struct later *later)
{
    struct broker_waiter *waiter = CONTAINER_OF(later, struct broker_waiter, wait.later);
    struct broker *broker = waiter->broker;
    ASSERT(later->result == 0); /* tubes are never shut down */
    broker_lock(broker);
    bool stands = waiter->until != 0 && so_far_stand(waiter) == 0;
    if (!stands)
        waiter_close(waiter);
    broker_unlock(broker);
    if (!stands)
        waiter->fire(waiter);
}

static void waiter_init(struct broker_waiter *waiter, struct broker *broker)
{
    waiter->broker = broker;
    waiter->tube = NULL;
    waiter->group = NULL;
    waiter->ticket = (struct broker_ticket){0};
    waiter->end = NULL;
    memset(&waiter->wait, 0, sizeof(waiter->wait));
    memset(&waiter->link, 0, sizeof(waiter->link));
    list_node_init(&waiter->node);
    waiter->next = 1;
    waiter->until = 0;
    waiter->given_up = false;
}

void wait_finish(struct job *job, struct job_end *end)
{
    if (job->rare == NULL)
        return;
    struct list_node *node;
    while ((node = list_pop(&job->rare->waiters)) != NULL) {
        struct broker_waiter *waiter = CONTAINER_OF(node, struct broker_waiter, node);
        /* One whose time ran out a moment ago is idle, and about to take the lock to leave. */
        if (waiter->wait.later.state != LATER_WAITS)
            continue;
        if (waiter->wants_end && end != NULL)
            waiter->end = job_end_ref(end);
        queue_wait_make_ready(job->tube->broker->domain, &waiter->wait, 0);
    }
}

/* [held] EALREADY: the job is finished, nothing was lined up. */
static int wait_line_up(struct broker *broker, const struct trust_view *asker, uint64_t id,
                        struct broker_waiter *waiter)
{
    struct job *job = idtable_get(&broker->jobs, id);
    if (job == NULL || job_ask(asker, job, TRUST_see) != 0)
        return ENOENT;
    if (job->state == JOB_BURIED)
        return EALREADY;
    struct job_rare *rare = job_rare_need(job);
    if (rare == NULL)
        return ENOMEM;
    queue_wait_line_up(&waiter->wait, waiter_leave);
    list_append(&rare->waiters, &waiter->node);
    return 0;
}

/* [held before and after] Of its tube, its group, or all: the core. EALREADY: nothing is
 * unfinished; the waiter is closed. */
static int core_line_up(struct broker_waiter *waiter, struct queue_core *core)
{
    int rc = core->unfinished == 0 ? EALREADY : 0;
    if (rc == 0 && !waiter->so_far)
        queue_wait_join(&waiter->wait, core, &waiter->link);
    else if (rc == 0) {
        waiter->until = waiter->broker->last_id;
        rc = so_far_stand(waiter);
    }
    if (rc != 0)
        waiter_close(waiter);
    return rc;
}

/* [held] EALREADY: nothing is unfinished; the waiter is closed. */
static int join_line_up(struct broker *broker, const char *name, struct broker_waiter *waiter)
{
    struct queue_core *core = &broker->all;
    if (name != NULL) {
        struct broker_tube *tube = tube_find(broker, name, strlen(name));
        if (tube == NULL) {
            waiter->totals = (struct broker_totals){0};
            return EALREADY;
        }
        tube_ref(tube);
        waiter->tube = tube;
        core = &tube->ready;
    }
    return core_line_up(waiter, core);
}

/* [held] The same for a group. */
static int join_group_line_up(struct broker *broker, const struct trust_view *asker,
                              const char *name, struct broker_waiter *waiter)
{
    struct broker_group *group = group_said(broker, asker, name);
    if (group == NULL) {
        waiter->totals = (struct broker_totals){0};
        return EALREADY;
    }
    group_ref(group);
    waiter->group = group;
    return core_line_up(waiter, &group->core);
}

static int join_name_check(const char *name)
{
    return name == NULL ? 0 : job_tube_name_check(name, strlen(name));
}

/* The common end of the two asynchronous forms. */
static int async_end(struct broker_waiter *waiter, int rc)
{
    if (rc != EALREADY)
        return rc;
    waiter->fire(waiter);
    return 0;
}

int broker_wait_async(struct broker *broker, const struct trust_view *asker, uint64_t id,
                      struct broker_waiter *waiter)
{
    waiter_init(waiter, broker);
    waiter->wait.later.fire = waiter_fire;
    broker_lock(broker);
    int rc = wait_line_up(broker, asker, id, waiter);
    if (rc == EALREADY)
        waiter_close(waiter);
    log_told_all(broker); /* also of a job that isn't there any more */
    broker_unlock(broker);
    return async_end(waiter, rc);
}

int broker_join_async(struct broker *broker, const char *tube, struct broker_waiter *waiter)
{
    int rc = join_name_check(tube);
    if (rc != 0)
        return rc;
    waiter_init(waiter, broker);
    waiter->wait.later.fire = waiter_fire;
    broker_lock(broker);
    rc = join_line_up(broker, tube, waiter);
    broker_unlock(broker);
    return async_end(waiter, rc);
}

int broker_join_group_async(struct broker *broker, const struct trust_view *asker,
                            const char *group, struct broker_waiter *waiter)
{
    if (group[0] == '\0' || strlen(group) > BROKER_GROUP_NAME_MAX)
        return EINVAL;
    waiter_init(waiter, broker);
    waiter->wait.later.fire = waiter_fire;
    broker_lock(broker);
    int rc = join_group_line_up(broker, asker, group, waiter);
    log_told_all(broker); /* also of counts that others made */
    broker_unlock(broker);
    return async_end(waiter, rc);
}

bool broker_cancel(struct broker_waiter *waiter)
{
    struct broker *broker = waiter->broker;
    broker_lock(broker);
    bool cancelled = queue_wait_cancel(&waiter->wait);
    if (cancelled) {
        list_remove(&waiter->node);
        waiter_close(waiter);
    } else
        waiter->given_up = true; /* who is between two jobs fires, as was said */
    broker_unlock(broker);
    return cancelled;
}

/* [held] The common end of the two blocking forms. */
static int block(struct broker *broker, struct broker_waiter *waiter, int64_t deadline_ns,
                 const char *what, const char *object)
{
    ASSERT((broker->unlock_tells & UNLOCK_ENDED) == 0); /* the lock is let go of */
    int rc = queue_wait_block(&waiter->wait, broker->domain, deadline_ns, what, object);
    list_remove(&waiter->node);
    waiter_close(waiter);
    return rc;
}

int broker_wait(struct broker *broker, const struct trust_view *asker, uint64_t id,
                int64_t timeout_ns)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    struct broker_waiter waiter = {.so_far = false};
    waiter_init(&waiter, broker);
    broker_lock(broker);
    int rc = wait_line_up(broker, asker, id, &waiter);
    if (rc == 0)
        rc = block(broker, &waiter, deadline_ns, "job", "wait");
    log_told_all(broker);
    broker_unlock(broker);
    return rc == EALREADY ? 0 : rc;
}

int broker_join(struct broker *broker, const char *tube, int64_t timeout_ns,
                struct broker_totals *totals)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    int rc = join_name_check(tube);
    if (rc != 0)
        return rc;
    struct broker_waiter waiter = {.so_far = false};
    waiter_init(&waiter, broker);
    broker_lock(broker);
    rc = join_line_up(broker, tube, &waiter);
    if (rc == 0)
        rc = block(broker, &waiter, deadline_ns, "queue join", tube != NULL ? tube : "all tubes");
    log_told_all(broker);
    broker_unlock(broker);
    if (rc == EALREADY)
        rc = 0;
    if (rc == 0 && totals != NULL)
        *totals = waiter.totals;
    return rc;
}
