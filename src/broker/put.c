// SPDX-License-Identifier: MIT
/*
 * Put: a body becomes a job.
 *
 * Memory is prepared outside the lock (broker_op_put), room in every structure is made before
 * anything changes, and from there on nothing can fail: the job has its id, counts as unfinished,
 * and goes to the longest waiting consumer or into its container in the same breath.
 */
#include "base/clock.h"
#include "broker/groups_priv.h"
#include "broker/limits_priv.h"
#include "broker/line_priv.h"
#include "broker/make_priv.h"
#include "broker/put_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>

uint64_t broker_take_id(struct broker *broker)
{
    broker_lock(broker);
    uint64_t id = ++broker->ledger.last_id;
    broker_unlock(broker);
    return id;
}

HELD static int put_admit(struct broker *broker, const struct change *change)
{
    struct job *job = change->job;
    if (broker->draining)
        return EHOSTDOWN;
    if (broker_is_full(broker, job->body.len))
        return EXFULL;
    if (tube_is_full(job->tube, job->body.len))
        return ENOBUFS;
    int rc = store_admit_put(job->tube, job);
    if (rc == 0)
        rc = group_admit_put(job);
    return rc == 0 ? put_room(change) : rc;
}

int put_try(struct broker *broker, struct job *job, int64_t delay_ns)
{
    uint64_t first = key_owner(job);
    if (first != 0) {
        job->id = first;
        store_told_all(&broker->ledger); /* the answer tells of its put */
        return EEXIST;
    }
    bool timed = at_is_ahead(job), delayed = timed || delay_ns > 0;
    if (job->id == 0)
        job->id =
            ++broker->ledger.last_id; /* used up also when the put is refused, as in beanstalkd */
    struct change change = {.type = JOB_ENTRY_PUT,
                            .from = JOB_NEW,
                            .to = delayed ? JOB_DELAYED : JOB_READY,
                            .job = job,
                            .flags = timed ? CHANGE_BY_WALL : 0,
                            .key_ns = timed     ? at_key(job)
                                      : delayed ? clock_deadline(delay_ns)
                                                : 0};
    int rc = put_admit(broker, &change);
    if (rc != 0)
        return rc;
    make_put(&change);
    return 0;
}

/* The side record with what few puts ask for. ENOMEM. */
static int put_extra(struct job *job, const struct broker_put_spec *spec)
{
    bool plain = spec->options == NULL || job_options_are_empty(spec->options);
    if (plain && spec->delay_ns <= 0 && !spec->awaited)
        return 0;
    struct job_extra *extra = job_extra_need(job);
    if (extra == NULL)
        return ENOMEM;
    extra->delay_ns = spec->delay_ns > 0 ? spec->delay_ns : 0;
    extra->awaited = spec->awaited;
    return plain ? 0 : job_options_copy(&extra->options, spec->options);
}

/* Puts it, or says where it stands. */
int decide_put(struct broker *broker, struct broker_op *op)
{
    struct job *job = op->put.job;
    bool waits = broker->options.put_waits && (op->flags & OP_MAY_WAIT) != 0;
    struct list *line = waits ? put_line(op) : NULL;
    int rc = EAGAIN;
    op->line = line;
    if (op->put.asks)
        return rc;
    if (line == NULL)
        rc = put_try(broker, job, op->put.delay_ns);
    if (rc == EAGAIN)
        return rc;
    op->id = job->id;
    if (op->put.watch != NULL)
        key_unwatch(broker, &op->put.watch);
    if (rc == 0)
        op->put.job = NULL;
    return rc;
}

/* A job of the body; nulls *body. NULL: out of memory, the body stays. */
static struct job *put_job(const struct broker_put_spec *spec, struct job_body **body)
{
    struct job *job = job_from_body(body);
    job->id = spec->id;
    job->pri = spec->pri;
    job_ttr_set(job, spec->ttr_ns);
    job->tube = spec->tube;
    job->created_us = clock_now_ns() / 1000 & JOB_CREATED_US_MAX;
    if (put_extra(job, spec) == 0 && submitter_put(spec->tube->ledger, job, spec->submitter) == 0)
        return job;
    *body = job_to_body(&job);
    return NULL;
}

int broker_op_put(struct broker_op *op, struct broker *broker, const struct broker_put_spec *spec,
                  struct job_body **body)
{
    MAGIC_CHECK(spec->tube, TUBE_MAGIC);
    ASSERT(broker_of(spec->tube) == broker);
    if ((*body)->len > broker->options.body_max)
        return EMSGSIZE;
    struct job *job = put_job(spec, body);
    if (job == NULL)
        return ENOMEM;
    broker_op_init(op, BROKER_PUT, spec->id, 0);
    op->broker = broker;
    op->client = spec->client;
    op->put.job = job;
    op->put.tube = spec->tube;
    op->put.delay_ns = spec->delay_ns;
    op->put.watch = NULL;
    op->put.asks = false;
    op->put.question = NULL;
    int rc = spec->options != NULL ? put_ask_first(op) : 0;
    if (rc != 0)
        broker_op_unput(op, body);
    return rc;
}

void broker_op_number(struct broker *broker, struct broker_op *op)
{
    if (op->verb == BROKER_PUT && op->put.job != NULL && op->put.job->id == 0)
        op->put.job->id = broker_take_id(broker);
}

/* Not under the lock. */
static void put_unwatch(struct broker_op *op)
{
    if (op->put.watch == NULL)
        return;
    broker_lock(op->broker);
    if (op->put.asks)
        key_learn(op->put.job, op->put.watch, 0);
    op->put.asks = false;
    key_unwatch(op->broker, &op->put.watch);
    broker_unlock(op->broker);
}

void put_drop(struct broker_op *op)
{
    put_unwatch(op);
    job_free(&op->put.job);
}

void broker_op_unput(struct broker_op *op, struct job_body **body)
{
    put_unwatch(op);
    put_question_free(op);
    *body = job_to_body(&op->put.job);
}
