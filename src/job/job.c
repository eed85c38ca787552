// SPDX-License-Identifier: MIT
/*
 * The header of a job: making and freeing it, its one way of changing state, and the orders in
 * which containers keep jobs.
 *
 * A million of them may wait, so the header is small and what few jobs need is in a side record
 * (job_extra) that is made when it is first needed.
 */
#include "base/magic.h"
#include "job/job_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB_EXTRA_MAGIC 0x6a0b0a0eu
#define NS_PER_S INT64_C(1000000000)

_Static_assert(offsetof(struct job, body.bytes) == 56, "the header of a job has changed its size");

struct job *job_from_body(struct job_body **body)
{
    ASSERT(body != NULL && *body != NULL);
    struct job *job = CONTAINER_OF(*body, struct job, body);
    MAGIC_CHECK(job, JOB_MAGIC);
    ASSERT(atomic_load_explicit(&job->body.refs, memory_order_relaxed) == 1);
    *body = NULL;
    job->pri = 0;
    job->id = 0;
    job->pos = JOB_NOWHERE;
    job->ttr_s = 1;
    job->tube = NULL;
    job->created_us = 0;
    job->state = JOB_NEW;
    job->evicted = 0;
    job->submitter = JOB_SUBMITTER_NOBODY;
    job->extra = NULL;
    return job;
}

struct job_body *job_to_body(struct job **job)
{
    struct job *mine;
    MAGIC_TAKE(mine, job, JOB_MAGIC);
    ASSERT(mine->pos == JOB_NOWHERE);
    job_extra_free(&mine->extra);
    return &mine->body;
}

void job_free(struct job **job)
{
    struct job_body *body = job_to_body(job);
    job_body_unref(&body);
}

struct job *job_evict(struct job **old)
{
    MAGIC_CHECK(*old, JOB_MAGIC);
    struct job *less = malloc(sizeof(*less));
    if (less == NULL)
        return NULL;
    MAGIC_INIT(less, JOB_MAGIC);
    less->pri = (*old)->pri;
    less->id = (*old)->id;
    less->pos = (*old)->pos;
    less->ttr_s = (*old)->ttr_s;
    less->tube = (*old)->tube;
    less->created_us = (*old)->created_us;
    less->state = (*old)->state;
    less->evicted = 1;
    less->submitter = (*old)->submitter;
    less->extra = (*old)->extra;
    atomic_init(&less->body.refs, 1);
    less->body.len = (*old)->body.len;
    (*old)->extra = NULL;
    struct job_body *body = &(*old)->body;
    *old = NULL;
    job_body_unref(&body);
    return less;
}

int64_t job_ttr_ns(const struct job *job)
{
    return (int64_t)job->ttr_s * NS_PER_S;
}

void job_ttr_set(struct job *job, int64_t ttr_ns)
{
    if (ttr_ns <= NS_PER_S)
        job->ttr_s = 1;
    else if (ttr_ns > (int64_t)JOB_TTR_MAX_S * NS_PER_S)
        job->ttr_s = JOB_TTR_MAX_S;
    else
        job->ttr_s = (uint32_t)((ttr_ns + NS_PER_S - 1) / NS_PER_S);
}

int64_t job_created_ns(const struct job *job)
{
    return (int64_t)job->created_us * 1000;
}

void job_count(uint32_t *counter)
{
    if (*counter < UINT32_MAX)
        (*counter)++;
}

struct job_extra *job_extra_new(void)
{
    struct job_extra *extra = calloc(1, sizeof(*extra));
    if (extra == NULL)
        return NULL;
    MAGIC_INIT(extra, JOB_EXTRA_MAGIC);
    list_init(&extra->waiters);
    return extra;
}

void job_extra_clear(struct job_extra *extra)
{
    MAGIC_CHECK(extra, JOB_EXTRA_MAGIC);
    ASSERT(list_empty(&extra->waiters));
    free(extra->reason);
    job_options_free(&extra->options);
    job_attempts_free(&extra->past);
    memset(extra, 0, sizeof(*extra));
    MAGIC_INIT(extra, JOB_EXTRA_MAGIC);
    list_init(&extra->waiters);
}

void job_extra_free(struct job_extra **extra)
{
    if (*extra == NULL)
        return;
    struct job_extra *mine;
    MAGIC_TAKE(mine, extra, JOB_EXTRA_MAGIC);
    ASSERT(list_empty(&mine->waiters));
    free(mine->reason);
    job_options_free(&mine->options);
    job_attempts_free(&mine->past);
    MAGIC_WIPE(mine);
    free(mine);
}

struct job_extra *job_extra_need(struct job *job)
{
    MAGIC_CHECK(job, JOB_MAGIC);
    if (job->extra == NULL)
        job->extra = job_extra_new();
    return job->extra;
}

void job_move(struct job *job, enum job_state to)
{
    MAGIC_CHECK(job, JOB_MAGIC);
    enum job_state from = (enum job_state)job->state;
    if (!job_may_move(from, to)) {
        char what[128];
        snprintf(what, sizeof(what), "job %" PRIu64 " moves from %s to %s", job->id,
                 job_state_word(from), job_state_word(to));
        CANT_HAPPEN(what);
    }
    job->state = (unsigned)to & 15U;
}

bool job_ready_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    const struct job *one = a, *two = b;
    if (one->pri != two->pri)
        return one->pri < two->pri;
    return one->id < two->id;
}

uint64_t job_ready_rank(const void *item)
{
    const struct job *job = item;
    return job->pri;
}

bool job_key_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    const struct job *one = a, *two = b;
    if (one->extra->key_ns != two->extra->key_ns)
        return one->extra->key_ns < two->extra->key_ns;
    return one->id < two->id;
}

void job_moved(void *item, size_t pos)
{
    struct job *job = item;
    ASSERT(pos == HEAP_NOWHERE || pos < JOB_NOWHERE);
    job->pos = pos == HEAP_NOWHERE ? JOB_NOWHERE : (uint32_t)pos;
}
