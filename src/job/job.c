// SPDX-License-Identifier: MIT
/*
 * The header of a job: making and freeing it, its one way of changing state, and the orders in
 * which containers keep jobs.
 *
 * A million of them may wait, so the header is small and what few jobs need is in a side record
 * (job_rare) that is made when it is first needed.
 */
#include "job/job.h"
#include "base/magic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define JOB_MAGIC 0x6a0b0000u
#define JOB_RARE_MAGIC 0x6a0b0a0eu

_Static_assert(sizeof(struct job) <= 80, "the header of a job has grown");

int job_new(struct job **out, struct job_body **body)
{
    ASSERT(body != NULL && *body != NULL);
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return ENOMEM;
    MAGIC_INIT(job, JOB_MAGIC);
    job->state = JOB_NEW;
    job->pos = JOB_NOWHERE;
    job->body = *body;
    *body = NULL;
    *out = job;
    return 0;
}

void job_free(struct job **job)
{
    struct job *mine;
    MAGIC_TAKE(mine, job, JOB_MAGIC);
    ASSERT(mine->pos == JOB_NOWHERE);
    if (mine->rare != NULL) {
        MAGIC_CHECK(mine->rare, JOB_RARE_MAGIC);
        ASSERT(list_empty(&mine->rare->waiters));
        free(mine->rare->reason);
        MAGIC_WIPE(mine->rare);
        free(mine->rare);
    }
    job_body_unref(&mine->body);
    MAGIC_WIPE(mine);
    free(mine);
}

struct job_rare *job_rare_need(struct job *job)
{
    MAGIC_CHECK(job, JOB_MAGIC);
    if (job->rare != NULL)
        return job->rare;
    struct job_rare *rare = calloc(1, sizeof(*rare));
    if (rare == NULL)
        return NULL;
    MAGIC_INIT(rare, JOB_RARE_MAGIC);
    list_init(&rare->waiters);
    job->rare = rare;
    return rare;
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
    job->state = to & 15U;
}

bool job_ready_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    const struct job *one = a, *two = b;
    if (one->pri != two->pri)
        return one->pri < two->pri;
    return one->id < two->id;
}

bool job_key_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    const struct job *one = a, *two = b;
    if (one->key_ns != two->key_ns)
        return one->key_ns < two->key_ns;
    return one->id < two->id;
}

void job_moved(void *item, size_t pos)
{
    struct job *job = item;
    ASSERT(pos == HEAP_NOWHERE || pos < JOB_NOWHERE);
    job->pos = pos == HEAP_NOWHERE ? JOB_NOWHERE : (uint32_t)pos;
}
