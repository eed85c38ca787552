// SPDX-License-Identifier: MIT
/*
 * Tubes: how they come and go, and the counts that go with each job's state.
 *
 * A tube is made when it is first named and goes with its last reference, so a daemon that sees
 * millions of names over its life keeps only those in use. A job's state changes in one place,
 * tube_job_move, which keeps the counts of its tube and of the broker right.
 */
#include "ledger/tube.h"

#include "base/clock.h"
#include "base/magic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define URGENT_BELOW 1024 /* the protocol's "urgent": stats, current-jobs-urgent */

struct tube *tube_find(struct ledger *ledger, const char *name, size_t len)
{
    return strmap_get(&ledger->tubes, name, len);
}

HELD static int tube_enlist(struct tube *tube)
{
    struct ledger *ledger = tube->ledger;
    int rc = ledger->hooks->tube_made(tube);
    if (rc != 0)
        return rc;
    rc = strmap_put(&ledger->tubes, tube->name, tube->name_len, tube);
    if (rc != 0)
        ledger->hooks->tube_gone(tube);
    return rc;
}

HELD static void tube_start(struct tube *tube)
{
    struct ledger *ledger = tube->ledger;
    MAGIC_INIT(tube, TUBE_MAGIC);
    settings_apply(tube);
    queue_core_init(&tube->ready, ledger->domain,
                    &(struct queue_core_options){.name = tube->name,
                                                 .order = HL_QUEUE_PRIORITY,
                                                 .less = job_ready_less,
                                                 .rank = job_ready_rank,
                                                 .moved = job_moved,
                                                 .given = ledger->hooks->given});
    heap_init(&tube->delayed, job_key_less, NULL, job_moved);
    heap_init(&tube->buried, job_key_less, NULL, job_moved);
    tube->pause_end_ns = CLOCK_NEVER;
    list_node_init(&tube->node);
    list_append(&ledger->tube_list, &tube->node);
}

HELD static int tube_make(struct ledger *ledger, const char *name, size_t len, struct tube **out)
{
    struct tube *tube = calloc(1, ledger->hooks->tube_size);
    if (tube == NULL)
        return ENOMEM;
    tube->ledger = ledger;
    int rc = name_make(&ledger->names, name, len, &tube->named);
    if (rc == 0) {
        tube->name = tube->named->text;
        tube->name_len = len;
        rc = tube_enlist(tube);
    }
    if (rc != 0) {
        if (tube->named != NULL)
            name_drop(&ledger->names, &tube->named);
        free(tube);
        return rc;
    }
    tube_start(tube);
    *out = tube;
    return 0;
}

HELD static void tube_vanish(struct tube *tube)
{
    struct ledger *ledger = tube->ledger;
    ledger->hooks->tube_gone(tube);
    strmap_remove(&ledger->tubes, tube->name, tube->name_len);
    list_remove(&tube->node);
    queue_core_fini(&tube->ready);
    heap_fini(&tube->delayed);
    heap_fini(&tube->buried);
    name_drop(&ledger->names, &tube->named);
    MAGIC_WIPE(tube);
    free(tube);
}

int tube_need(struct ledger *ledger, const char *name, size_t len, struct tube **out)
{
    struct tube *tube = tube_find(ledger, name, len);
    if (tube == NULL) {
        int rc = tube_make(ledger, name, len, &tube);
        if (rc != 0)
            return rc;
    }
    tube_ref(tube);
    *out = tube;
    return 0;
}

void tube_ref(struct tube *tube)
{
    MAGIC_CHECK(tube, TUBE_MAGIC);
    tube->refs++;
}

void tube_unref(struct tube *tube)
{
    MAGIC_CHECK(tube, TUBE_MAGIC);
    ASSERT(tube->refs > 0);
    if (--tube->refs == 0)
        tube_vanish(tube);
}

/* What is urgent is counted apart. */
static bool is_urgent(const struct job *job, enum job_state state)
{
    return state == JOB_READY && job->pri < URGENT_BELOW;
}

static void count_move(struct job_counts *counts, const struct job *job, enum job_state from,
                       enum job_state to)
{
    counts->count[from]--;
    counts->count[to]++;
    counts->urgent += is_urgent(job, to);
    counts->urgent -= is_urgent(job, from);
}

/* Whether a job of that state has the promise of a slot among the ready ones of its tube. */
static bool state_comes_back(enum job_state state)
{
    return state == JOB_DELAYED || state == JOB_RESERVED;
}

void tube_job_move(struct job *job, enum job_state to)
{
    struct tube *tube = job->tube;
    MAGIC_CHECK(tube, TUBE_MAGIC);
    ASSERT(job->pos == JOB_NOWHERE); /* containers are left before, entered after */
    if (job->state == JOB_DELAYED)
        at_end(job);
    bool had = state_comes_back((enum job_state)job->state), needs = state_comes_back(to);
    if (had && !needs)
        heap_unpromise(&tube->ready.heap);
    else if (!had && needs)
        heap_promise(&tube->ready.heap);
    count_move(&tube->counts, job, (enum job_state)job->state, to);
    count_move(&tube->ledger->counts, job, (enum job_state)job->state, to);
    job_move(job, to);
}

void tube_job_transfer(struct job *job, struct tube *to)
{
    struct tube *from = job->tube;
    ASSERT(job->pos == JOB_NOWHERE);
    if (state_comes_back((enum job_state)job->state)) {
        heap_unpromise(&from->ready.heap);
        heap_promise(&to->ready.heap);
    }
    from->counts.count[job->state]--;
    to->counts.count[job->state]++;
    from->counts.urgent -= is_urgent(job, (enum job_state)job->state);
    to->counts.urgent += is_urgent(job, (enum job_state)job->state);
    from->counts.bytes -= job->body.len;
    to->counts.bytes += job->body.len;
    job->tube = to;
}

int tube_room(struct tube *tube, enum job_state state)
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
    struct tube *tube = job->tube;
    if (job->pos != JOB_NOWHERE)
        return;
    switch (job->state) {
    case JOB_READY:
        MUST(queue_core_insert(&tube->ready, job)); /* whoever waits has it reserved: lease_given */
        break;
    case JOB_DELAYED:
        MUST(heap_insert(&tube->delayed, job));
        tube->ledger->hooks->tube_times(tube);
        break;
    case JOB_RESERVED:
        tube->ledger->hooks->lease_enter(job);
        break;
    default:
        ASSERT(job->state == JOB_BURIED);
        MUST(heap_insert(&tube->buried, job));
        break;
    }
}

struct tube *tube_of_core(struct queue_core *core)
{
    struct tube *tube = CONTAINER_OF(core, struct tube, ready);
    MAGIC_CHECK(tube, TUBE_MAGIC);
    return tube;
}

uint64_t tube_jobs(const struct tube *tube)
{
    const struct job_counts *counts = &tube->counts;
    return counts->count[JOB_READY] + counts->count[JOB_RESERVED] + counts->count[JOB_DELAYED] +
           counts->count[JOB_BURIED];
}

void tube_job_leave(struct job *job)
{
    switch (job_container((enum job_state)job->state)) {
    case JOB_IN_READY:
        queue_core_remove(&job->tube->ready, job->pos);
        break;
    case JOB_IN_DELAYED:
        heap_remove(&job->tube->delayed, job->pos);
        job->tube->ledger->hooks->tube_times(job->tube);
        break;
    case JOB_IN_BURIED:
        heap_remove(&job->tube->buried, job->pos);
        break;
    case JOB_IN_LEASES:
        if (job->extra != NULL && job->extra->token != 0)
            job->tube->ledger->hooks->lease_end(job);
        break;
    case JOB_IN_NONE:
        break;
    }
    ASSERT(job->pos == JOB_NOWHERE);
}
