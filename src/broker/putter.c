// SPDX-License-Identifier: MIT
/*
 * Puts that wait for room: the blocking put of a full queue.Queue, for whoever can't block a
 * thread.
 *
 * Each waiting put stands in the line of what it lacks: its tube's, or the broker's when the limit
 * of all tubes together is reached. When a job leaves a tube, the first of the tube's line comes
 * in, and the next, until one doesn't fit; then the same with the broker's line. Who finds that the
 * other limit stops him changes the line, at its end. The job is made and owns its body from the
 * start, but is in no tube until it comes in, and has no id unless it brought one; its delay begins
 * then.
 *
 * A wait ends also by draining, and by cancel when its connection goes. A connection that holds
 * jobs may not wait, for nobody else might make the room.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>

/* In what line a put of that job stands; NULL: none, there is room. */
HELD static struct list *line_for(struct broker *broker, const struct job *job)
{
    if (broker_is_full(broker, job->body.len))
        return &broker->putters;
    return tube_is_full(job->tube, job->body.len) ? &job->tube->putters : NULL;
}

/* The same for one who comes now and respects those who were there before. */
HELD static struct list *line_behind(struct broker *broker, const struct job *job)
{
    if (!list_empty(&job->tube->putters))
        return &job->tube->putters;
    return !list_empty(&broker->putters) ? &broker->putters : line_for(broker, job);
}

/* It waits no more; what is left of the job is the caller's. */
HELD static struct job *putter_leave(struct broker_putter *putter)
{
    struct job *job = putter->job;
    key_unwatch(putter->broker, &putter->watch);
    putter->job = NULL;
    putter->broker->stats.putting--;
    return job;
}

/* It came in (result 0), or is refused. */
HELD static void putter_end(struct broker_putter *putter, int result)
{
    struct broker *broker = putter->broker;
    struct job *job = putter_leave(putter);
    struct broker_tube *tube = job->tube;
    putter->id = job->id;
    if (broker->log != NULL)
        putter->ticket = broker->log->wanted;
    queue_domain_ready(broker->domain, &putter->later, result);
    if (result != 0)
        job_free(&job);
    tube_unref(tube); /* the wait's; the job has its own */
}

/* Lets in who fits, from the front. */
HELD static void line_serve(struct broker *broker, struct list *line)
{
    struct list_node *node;
    while ((node = list_first(line)) != NULL) {
        struct broker_putter *putter = CONTAINER_OF(node, struct broker_putter, later.node);
        struct list *other = line_for(broker, putter->job);
        if (other == line)
            return;
        if (other != NULL) {
            list_remove(node);
            list_append(other, node);
            continue;
        }
        int rc = put_try(broker, putter->job, putter->delay_ns);
        if (rc == EAGAIN) { /* log_published comes back */
            broker->log->putters_stuck = true;
            return;
        }
        putter_end(putter, rc);
    }
}

void putters_serve(struct broker_tube *tube)
{
    line_serve(tube->broker, &tube->putters);
    line_serve(tube->broker, &tube->broker->putters);
}

void putters_serve_all(struct broker *broker)
{
    line_serve(broker, &broker->putters);
    struct list_node *node = broker->stats.putting > 0 ? list_first(&broker->tube_list) : NULL;
    while (node != NULL) {
        struct broker_tube *tube = CONTAINER_OF(node, struct broker_tube, node);
        tube_ref(tube); /* its putters may be all that keeps it */
        line_serve(broker, &tube->putters);
        node = list_next(&broker->tube_list, node);
        tube_unref(tube);
    }
}

HELD static void line_refuse(struct list *line, int result)
{
    struct list_node *node;
    while ((node = list_first(line)) != NULL)
        putter_end(CONTAINER_OF(node, struct broker_putter, later.node), result);
}

void putters_refuse(struct broker *broker, int result)
{
    line_refuse(&broker->putters, result);
    struct list_node *node = broker->stats.putting > 0 ? list_first(&broker->tube_list) : NULL;
    while (node != NULL) {
        struct broker_tube *tube = CONTAINER_OF(node, struct broker_tube, node);
        tube_ref(tube); /* its putters may be all that keeps it */
        line_refuse(&tube->putters, result);
        node = list_next(&broker->tube_list, node);
        tube_unref(tube);
    }
}

static bool putter_cancel(struct later *later)
{
    struct broker_putter *putter = CONTAINER_OF(later, struct broker_putter, later);
    struct broker *broker = putter->broker;
    struct job *job = NULL;
    broker_lock(broker);
    bool cancelled = later_leave(later);
    if (cancelled) {
        job = putter_leave(putter);
        struct broker_tube *tube = job->tube;
        putters_serve(tube); /* who stood behind may be smaller */
        tube_unref(tube);
    }
    broker_unlock(broker);
    if (cancelled)
        job_free(&job);
    return cancelled;
}

/* 0: put. EINPROGRESS: in line. */
HELD static int put_or_wait(struct broker *broker, const struct broker_put_spec *spec,
                            struct job *job, struct broker_putter *putter)
{
    bool may_wait = broker->options.put_waits && !broker->draining &&
                    (spec->holder == NULL || !holder_holds(spec->holder));
    struct list *line = may_wait && key_holder(job) == 0 ? line_behind(broker, job) : NULL;
    if (line == NULL) {
        int rc = put_try(broker, job, spec->delay_ns);
        putter->id = job->id;
        return rc;
    }
    tube_ref(job->tube);
    putter->broker = broker;
    putter->job = job;
    putter->delay_ns = spec->delay_ns;
    putter->ticket = (struct broker_ticket){0};
    later_wait(&putter->later, putter_cancel);
    list_append(line, &putter->later.node);
    broker->stats.putting++;
    return EINPROGRESS;
}

int broker_put_wait(struct broker *broker, const struct broker_put_spec *spec,
                    struct job_body **body, struct broker_putter *putter)
{
    MAGIC_CHECK(spec->tube, BROKER_TUBE_MAGIC);
    ASSERT(spec->tube->broker == broker);
    if ((*body)->len > broker->options.body_max)
        return EMSGSIZE;
    struct job *job = put_job(spec, body);
    if (job == NULL)
        return ENOMEM;
    int64_t busy_until_ns = 0;
    int rc = key_ask(job, &putter->watch);
    if (rc == 0)
        do {
            broker_lock(broker);
            rc = put_or_wait(broker, spec, job, putter);
            if (rc != EAGAIN && rc != EINPROGRESS)
                key_unwatch(broker, &putter->watch);
            broker_unlock(broker);
        } while (rc == EAGAIN && (rc = log_busy(broker, &busy_until_ns)) == 0);
    if (rc != 0 && rc != EINPROGRESS)
        put_give_up(job, &putter->watch, body);
    return rc;
}
