// SPDX-License-Identifier: MIT
/*
 * Tubes: how they come and go, and the counts that go with each job's state.
 *
 * A tube is made when it is first named and goes with its last reference, so a daemon that sees
 * millions of names over its life keeps only those in use. A job's state changes in one place,
 * tube_job_move, which keeps the counts of its tube and of the broker right.
 */
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define URGENT_BELOW 1024 /* the protocol's "urgent": stats, current-jobs-urgent */

struct broker_tube *tube_find(struct broker *broker, const char *name, size_t len)
{
    return strmap_get(&broker->tubes, name, len);
}

static int tube_make(struct broker *broker, const char *name, size_t len, struct broker_tube **out)
{
    struct broker_tube *tube = calloc(1, sizeof(*tube) + len + 1);
    if (tube == NULL)
        return ENOMEM;
    memcpy(tube->name, name, len);
    tube->name_len = len;
    int rc = strmap_put(&broker->tubes, tube->name, len, tube);
    if (rc != 0) {
        free(tube);
        return rc;
    }
    MAGIC_INIT(tube, BROKER_TUBE_MAGIC);
    tube->broker = broker;
    queue_core_init(&tube->ready, broker->domain,
                    &(struct queue_core_options){.name = tube->name,
                                                 .order = HL_QUEUE_PRIORITY,
                                                 .less = job_ready_less,
                                                 .moved = job_moved});
    heap_init(&tube->delayed, job_key_less, NULL, job_moved);
    heap_init(&tube->buried, job_key_less, NULL, job_moved);
    tube->due_pos = HEAP_NOWHERE;
    list_node_init(&tube->node);
    list_append(&broker->tube_list, &tube->node);
    broker->stats.tubes++;
    *out = tube;
    return 0;
}

static void tube_vanish(struct broker_tube *tube)
{
    struct broker *broker = tube->broker;
    ASSERT(tube->due_pos == HEAP_NOWHERE);
    strmap_remove(&broker->tubes, tube->name, tube->name_len);
    list_remove(&tube->node);
    broker->stats.tubes--;
    queue_core_fini(&tube->ready);
    heap_fini(&tube->delayed);
    heap_fini(&tube->buried);
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

/* The count of jobs in a state; NULL: not counted. */
static uint64_t *state_count(struct broker_stats *stats, enum job_state state)
{
    switch (state) {
    case JOB_READY:
        return &stats->ready;
    case JOB_RESERVED:
        return &stats->reserved;
    case JOB_DELAYED:
        return &stats->delayed;
    case JOB_BURIED:
        return &stats->buried;
    default:
        return NULL;
    }
}

static void state_add(struct broker_stats *stats, const struct job *job, uint64_t by)
{
    uint64_t *count = state_count(stats, (enum job_state)job->state);
    if (count != NULL)
        *count += by;
    if (job->state == JOB_READY && job->pri < URGENT_BELOW)
        stats->urgent += by;
}

void tube_job_move(struct job *job, enum job_state to)
{
    struct broker_tube *tube = job->tube;
    MAGIC_CHECK(tube, BROKER_TUBE_MAGIC);
    ASSERT(job->pos == JOB_NOWHERE);      /* containers are left before, entered after */
    const uint64_t one_less = UINT64_MAX; /* unsigned arithmetic wraps by definition */
    state_add(&tube->stats, job, one_less);
    state_add(&tube->broker->stats, job, one_less);
    job_move(job, to);
    state_add(&tube->stats, job, 1);
    state_add(&tube->broker->stats, job, 1);
}

void tube_job_leave(struct job *job)
{
    switch (job_container((enum job_state)job->state)) {
    case JOB_IN_READY:
        queue_core_remove(&job->tube->ready, job->pos);
        break;
    case JOB_IN_DELAYED:
        delay_remove(job);
        break;
    case JOB_IN_BURIED:
        heap_remove(&job->tube->buried, job->pos);
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
