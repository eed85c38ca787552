// SPDX-License-Identifier: MIT
/*
 * Put: a body becomes a job.
 *
 * Memory is prepared outside the lock, room in every structure is made before anything changes, and
 * from there on nothing can fail: the job has its id, counts as unfinished, and goes to the longest
 * waiting sink or into its container in the same breath.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>

#define TTR_MIN_NS HL_SECOND /* "ttr 0 -> 1" in the protocol */

void job_offer(struct job *job)
{
    tube_job_move(job, JOB_READY);
    job->key_ns = 0;
    MUST(queue_core_insert(&job->tube->ready, job));
    /* Not in the heap: a waiting sink has it. From this moment it is reserved; the sink's thread
     * finds that done when it wakes. */
    if (job->pos == JOB_NOWHERE)
        job_reserve(job);
}

static int limits_check(const struct broker *broker, size_t len)
{
    const struct broker_options *options = &broker->options;
    if (broker->draining)
        return EHOSTDOWN;
    if (options->jobs_max != 0 && broker->jobs.len >= options->jobs_max)
        return ENOBUFS;
    if (options->bytes_max != 0 && (broker->stats.bytes >= options->bytes_max ||
                                    len > options->bytes_max - broker->stats.bytes))
        return ENOBUFS;
    return 0;
}

/* [held] Nothing has changed if it fails. */
static int put_admit(struct broker *broker, struct job *job, bool delayed)
{
    struct broker_tube *tube = job->tube;
    int rc = limits_check(broker, job->body->len);
    if (rc == 0)
        rc = delayed ? delay_room(tube) : queue_core_reserve(&tube->ready, 1);
    if (rc == 0)
        rc = idmap_put(&broker->jobs, broker->last_id + 1, job);
    return rc;
}

/* [held] */
static void put_commit(struct broker *broker, struct job *job, bool delayed)
{
    struct broker_tube *tube = job->tube;
    job->id = ++broker->last_id;
    tube_ref(tube);
    tube->stats.bytes += job->body->len;
    broker->stats.bytes += job->body->len;
    tube->stats.totals.put++;
    broker->stats.totals.put++;
    queue_core_open_task(&tube->ready);
    queue_core_open_task(&broker->all);
    if (delayed)
        delay_insert(job);
    else
        job_offer(job);
}

int broker_put(struct broker *broker, const struct broker_put_spec *spec, struct job_body **body,
               uint64_t *id)
{
    MAGIC_CHECK(spec->tube, BROKER_TUBE_MAGIC);
    ASSERT(spec->tube->broker == broker);
    bool delayed = spec->delay_ns > 0;
    if ((*body)->len > broker->options.body_max)
        return EMSGSIZE;
    struct job *job;
    int rc = job_new(&job, body);
    if (rc != 0)
        return rc;
    job->pri = spec->pri;
    job->ttr_ns = spec->ttr_ns < TTR_MIN_NS ? TTR_MIN_NS : spec->ttr_ns;
    job->tube = spec->tube;
    job->created_ns = clock_now_ns();
    if (delayed) {
        struct job_rare *rare = job_rare_need(job);
        if (rare == NULL)
            rc = ENOMEM;
        else
            rare->delay_ns = spec->delay_ns;
        job->key_ns = clock_deadline(spec->delay_ns);
    }
    if (rc == 0) {
        broker_lock(broker);
        rc = put_admit(broker, job, delayed);
        if (rc == 0) {
            put_commit(broker, job, delayed);
            *id = job->id;
            job = NULL;
        }
        broker_unlock(broker);
    }
    if (rc != 0) {
        *body = job->body;
        job->body = NULL;
        job_free(&job);
    }
    return rc;
}
