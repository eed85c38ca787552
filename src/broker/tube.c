// SPDX-License-Identifier: MIT
/*
 * Tubes: how they come and go, and the counts that go with each job's state.
 *
 * A tube is made when it is first named and goes with its last reference, so a daemon that sees
 * millions of names over its life keeps only those in use. A job's state changes in one place,
 * tube_job_move, which keeps the counts of its tube and of the broker right.
 */
#include "base/clock.h"
#include "broker/events_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define URGENT_BELOW 1024 /* the protocol's "urgent": stats, current-jobs-urgent */

struct broker_tube *tube_find(struct broker *broker, const char *name, size_t len)
{
    return strmap_get(&broker->tubes, name, len);
}

/* Into what can fail. */
HELD static int tube_enlist(struct broker *broker, struct broker_tube *tube)
{
    int rc = alarm_init(broker, &tube->alarm, ALARM_TUBE);
    if (rc != 0)
        return rc;
    rc = strmap_put(&broker->tubes, tube->name, tube->name_len, tube);
    if (rc != 0)
        alarm_fini(broker, &tube->alarm);
    return rc;
}

HELD static int tube_make(struct broker *broker, const char *name, size_t len,
                          struct broker_tube **out)
{
    struct broker_tube *tube = calloc(1, sizeof(*tube));
    if (tube == NULL)
        return ENOMEM;
    int rc = name_make(&broker->names, name, len, &tube->named);
    if (rc == 0) {
        tube->name = tube->named->text;
        tube->name_len = len;
        rc = tube_enlist(broker, tube);
    }
    if (rc != 0) {
        if (tube->named != NULL)
            name_drop(&broker->names, &tube->named);
        free(tube);
        return rc;
    }
    MAGIC_INIT(tube, BROKER_TUBE_MAGIC);
    tube->broker = broker;
    tube->trust_class = trust_tube_class(broker->options.trust, name, len);
    level_apply(tube);
    queue_core_init(&tube->ready, broker->domain,
                    &(struct queue_core_options){.name = tube->name,
                                                 .order = HL_QUEUE_PRIORITY,
                                                 .less = job_ready_less,
                                                 .rank = job_ready_rank,
                                                 .moved = job_moved,
                                                 .given = lease_given});
    heap_init(&tube->delayed, job_key_less, NULL, job_moved);
    heap_init(&tube->buried, job_key_less, NULL, job_moved);
    tube->pause_end_ns = CLOCK_NEVER;
    list_init(&tube->putters);
    list_node_init(&tube->node);
    list_append(&broker->tube_list, &tube->node);
    broker->stats.tubes++;
    if (broker->events != NULL)
        listen_tube_made(tube);
    *out = tube;
    return 0;
}

HELD static void tube_vanish(struct broker_tube *tube)
{
    struct broker *broker = tube->broker;
    ASSERT(list_empty(&tube->putters)); /* each has a reference */
    if (broker->events != NULL)
        listen_tube_gone(tube);
    alarm_fini(broker, &tube->alarm);
    strmap_remove(&broker->tubes, tube->name, tube->name_len);
    list_remove(&tube->node);
    broker->stats.tubes--;
    queue_core_fini(&tube->ready);
    heap_fini(&tube->delayed);
    heap_fini(&tube->buried);
    name_drop(&broker->names, &tube->named);
    MAGIC_WIPE(tube);
    free(tube);
}

int tube_need(struct broker *broker, const char *name, size_t len, struct broker_tube **out)
{
    struct broker_tube *tube = tube_find(broker, name, len);
    if (tube == NULL) {
        int rc = tube_make(broker, name, len, &tube);
        if (rc != 0)
            return rc;
    }
    tube_ref(tube);
    *out = tube;
    return 0;
}

void tube_ref(struct broker_tube *tube)
{
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    tube->refs++;
}

void tube_unref(struct broker_tube *tube)
{
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    ASSERT(tube->refs > 0);
    if (--tube->refs == 0)
        tube_vanish(tube);
}

/* What is urgent is counted apart. */
static bool is_urgent(const struct job *job, enum job_state state)
{
    return state == JOB_READY && job->pri < URGENT_BELOW;
}

static void count_move(struct broker_stats *stats, const struct job *job, enum job_state from,
                       enum job_state to)
{
    stats->count[from]--;
    stats->count[to]++;
    stats->urgent += is_urgent(job, to);
    stats->urgent -= is_urgent(job, from);
}

/* Whether a job of that state has the promise of a slot among the ready ones of its tube. */
static bool state_comes_back(enum job_state state)
{
    return state == JOB_DELAYED || state == JOB_RESERVED;
}

void tube_job_move(struct job *job, enum job_state to)
{
    struct broker_tube *tube = job->tube;
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    ASSERT(job->pos == JOB_NOWHERE); /* containers are left before, entered after */
    if (job->state == JOB_DELAYED)
        at_end(job);
    bool had = state_comes_back((enum job_state)job->state), needs = state_comes_back(to);
    if (had && !needs)
        heap_unpromise(&tube->ready.heap);
    else if (!had && needs)
        heap_promise(&tube->ready.heap);
    count_move(&tube->stats, job, (enum job_state)job->state, to);
    count_move(&tube->broker->stats, job, (enum job_state)job->state, to);
    job_move(job, to);
}

void tube_job_transfer(struct job *job, struct broker_tube *to)
{
    struct broker_tube *from = job->tube;
    ASSERT(job->pos == JOB_NOWHERE);
    if (state_comes_back((enum job_state)job->state)) {
        heap_unpromise(&from->ready.heap);
        heap_promise(&to->ready.heap);
    }
    from->stats.count[job->state]--;
    to->stats.count[job->state]++;
    from->stats.urgent -= is_urgent(job, (enum job_state)job->state);
    to->stats.urgent += is_urgent(job, (enum job_state)job->state);
    from->stats.bytes -= job->body.len;
    to->stats.bytes += job->body.len;
    job->tube = to;
}

int tube_room(struct broker_tube *tube, enum job_state state)
{
    int rc = 0;
    if (state == JOB_DELAYED)
        rc = heap_reserve(&tube->delayed, 1);
    else if (state == JOB_BURIED)
        return heap_reserve(&tube->buried, 1);
    if (rc == 0) /* a delayed job comes back */
        rc = queue_core_reserve(&tube->ready, 1);
    return rc;
}

void tube_job_contain(struct job *job)
{
    struct broker_tube *tube = job->tube;
    if (job->pos != JOB_NOWHERE)
        return;
    switch (job->state) {
    case JOB_READY:
        MUST(queue_core_insert(&tube->ready, job)); /* whoever waits has it reserved: lease_given */
        break;
    case JOB_DELAYED:
        MUST(heap_insert(&tube->delayed, job));
        tube_alarm_update(tube);
        break;
    case JOB_RESERVED:
        lease_contain(job);
        break;
    default:
        ASSERT(job->state == JOB_BURIED);
        MUST(heap_insert(&tube->buried, job));
        break;
    }
}

void tube_job_enter(struct job *job, enum job_state state, int64_t key_ns)
{
    if (job->state != state)
        tube_job_move(job, state);
    if (state != JOB_READY)
        job->rare->key_ns = key_ns;
    tube_job_contain(job);
}

struct broker_tube *tube_of_core(struct queue_core *core)
{
    struct broker_tube *tube = CONTAINER_OF(core, struct broker_tube, ready);
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    return tube;
}

uint64_t tube_jobs(const struct broker_tube *tube)
{
    const struct broker_stats *stats = &tube->stats;
    return stats->count[JOB_READY] + stats->count[JOB_RESERVED] + stats->count[JOB_DELAYED] +
           stats->count[JOB_BURIED];
}

void tube_job_leave(struct job *job)
{
    switch (job_container((enum job_state)job->state)) {
    case JOB_IN_READY:
        queue_core_remove(&job->tube->ready, job->pos);
        break;
    case JOB_IN_DELAYED:
        heap_remove(&job->tube->delayed, job->pos);
        tube_alarm_update(job->tube);
        break;
    case JOB_IN_BURIED:
        heap_remove(&job->tube->buried, job->pos);
        break;
    case JOB_IN_LEASES:
        if (job->rare != NULL && job->rare->token != 0)
            lease_end(job);
        break;
    case JOB_IN_NONE:
        break;
    }
    ASSERT(job->pos == JOB_NOWHERE);
}

int broker_use(struct broker *broker, const char *name, size_t len, struct broker_tube **out)
{
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    broker_lock(broker);
    rc = tube_need(broker, name, len, out);
    if (rc == 0) {
        (*out)->stats.using ++;
        broker->stats.using ++;
    }
    broker_unlock(broker);
    return rc;
}

void broker_unuse(struct broker *broker, struct broker_tube **tube)
{
    if (*tube == NULL)
        return;
    broker_lock(broker);
    struct broker_tube *mine;
    MAGIC_TAKE(mine, tube, BROKER_TUBE_MAGIC);
    ASSERT(mine->broker == broker && mine->stats.using > 0);
    mine->stats.using --;
    broker->stats.using --;
    tube_unref(mine);
    broker_unlock(broker);
}

const char *broker_tube_name(const struct broker_tube *tube)
{
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    return tube->name;
}

uint16_t broker_tube_class(const struct broker_tube *tube)
{
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    return tube->trust_class;
}
