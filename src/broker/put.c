// SPDX-License-Identifier: MIT
/*
 * Put: a body becomes a job.
 *
 * Memory is prepared outside the lock, room in every structure is made before anything changes, and
 * from there on nothing can fail: the job has its id, counts as unfinished, and goes to the longest
 * waiting sink or into its container in the same breath.
 */
#include "base/clock.h"
#include "broker/change_priv.h"

#include <errno.h>

/* Whether one more is too many. */
static bool jobs_full(uint64_t max, uint64_t present)
{
    return max != 0 && present >= max;
}

static bool bytes_full(uint64_t max, uint64_t present, size_t len)
{
    return max != 0 && (present >= max || len > max - present);
}

bool tube_is_full(const struct broker_tube *tube, size_t len)
{
    const struct broker_options *options = &tube->broker->options;
    return jobs_full(options->tube_jobs_max, tube_jobs(tube)) ||
           bytes_full(options->tube_bytes_max, tube->stats.bytes, len);
}

bool broker_is_full(const struct broker *broker, size_t len)
{
    const struct broker_options *options = &broker->options;
    return jobs_full(options->jobs_max, broker->jobs.len) ||
           bytes_full(options->bytes_max, broker->stats.bytes, len);
}

HELD static int put_admit(struct broker *broker, const struct change *change)
{
    struct job *job = change->job;
    if (broker->draining)
        return EHOSTDOWN;
    if (broker_is_full(broker, job->body.len) || tube_is_full(job->tube, job->body.len))
        return ENOBUFS;
    int rc = log_admit_put(job->tube, job);
    if (rc == 0)
        rc = group_admit_put(job);
    return rc == 0 ? put_room(change) : rc;
}

int put_try(struct broker *broker, struct job *job, int64_t delay_ns)
{
    uint64_t first = key_holder(job);
    if (first != 0) {
        job->id = first;
        log_told_all(broker); /* the answer tells of its put */
        return EEXIST;
    }
    bool timed = at_is_ahead(job), delayed = timed || delay_ns > 0;
    if (job->id == 0)
        job->id = ++broker->last_id; /* used up also when the put is refused, as in beanstalkd */
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
static int put_rare(struct job *job, const struct broker_put_spec *spec)
{
    bool plain = spec->options == NULL || job_options_are_empty(spec->options);
    if (plain && spec->delay_ns <= 0 && !spec->awaited)
        return 0;
    struct job_rare *rare = job_rare_need(job);
    if (rare == NULL)
        return ENOMEM;
    rare->delay_ns = spec->delay_ns > 0 ? spec->delay_ns : 0;
    rare->awaited = spec->awaited;
    return plain ? 0 : job_options_copy(&rare->options, spec->options);
}

struct job *put_job(const struct broker_put_spec *spec, struct job_body **body)
{
    struct job *job = job_from_body(body);
    job->id = spec->id;
    job->pri = spec->pri;
    job_ttr_set(job, spec->ttr_ns);
    job->tube = spec->tube;
    job->created_us = clock_now_ns() / 1000 & JOB_CREATED_US_MAX;
    if (put_rare(job, spec) != 0 || submitter_put(spec->tube->broker, job, spec->submitter) != 0)
        *body = job_to_body(&job);
    return job;
}

void put_give_up(struct job *job, struct key_watch **watch, struct job_body **body)
{
    if (*watch != NULL) {
        struct broker *broker = job->tube->broker;
        broker_lock(broker);
        key_unwatch(broker, watch);
        broker_unlock(broker);
    }
    *body = job_to_body(&job);
}

int broker_put(struct broker *broker, const struct broker_put_spec *spec, struct job_body **body,
               uint64_t *id)
{
    MAGIC_CHECK(spec->tube, BROKER_TUBE_MAGIC);
    ASSERT(spec->tube->broker == broker);
    if ((*body)->len > broker->options.body_max)
        return EMSGSIZE;
    struct job *job = put_job(spec, body);
    if (job == NULL)
        return ENOMEM;
    struct key_watch *watch;
    int64_t busy_until_ns = 0;
    int rc = key_ask(job, &watch);
    if (rc == 0)
        do {
            broker_lock(broker);
            rc = put_try(broker, job, spec->delay_ns);
            if (rc == 0 || rc == EEXIST)
                *id = job->id;
            if (rc != EAGAIN)
                key_unwatch(broker, &watch);
            broker_unlock(broker);
        } while (rc == EAGAIN && (rc = log_busy(broker, &busy_until_ns)) == 0);
    if (rc != 0)
        put_give_up(job, &watch, body);
    return rc;
}
