// SPDX-License-Identifier: MIT
/*
 * Bodies: the bytes of a job, allocated together with its header.
 *
 * The count of references is what makes a peek and a delete at the same moment both right: each
 * holds the memory as long as it needs it, whoever lets go last frees it. The bytes are written
 * before the body is shared and never after, so readers need no lock; neither is the magic number
 * wiped before the end, because who still reads the body checks it.
 */
#include "base/magic.h"
#include "base/refs.h"
#include "job/job_priv.h"

#include <errno.h>
#include <stdlib.h>

static struct job *body_job(struct job_body *body)
{
    ASSERT(body != NULL);
    struct job *job = CONTAINER_OF(body, struct job, body);
    MAGIC_CHECK(job, JOB_MAGIC);
    return job;
}

int job_body_new(struct job_body **out, size_t len)
{
    if (len > JOB_BODY_MAX)
        return ENOMEM;
    struct job *job = malloc(sizeof(*job) + len);
    if (job == NULL)
        return ENOMEM;
    MAGIC_INIT(job, JOB_MAGIC);
    atomic_init(&job->body.refs, 1);
    job->body.len = (uint32_t)len;
    *out = &job->body;
    return 0;
}

int job_body_grow(struct job_body **body, size_t len)
{
    struct job *job = body_job(*body);
    ASSERT(len >= job->body.len &&
           atomic_load_explicit(&job->body.refs, memory_order_relaxed) == 1);
    if (len > JOB_BODY_MAX)
        return ENOMEM;
    struct job *grown = realloc(job, sizeof(*job) + len);
    if (grown == NULL)
        return ENOMEM;
    grown->body.len = (uint32_t)len;
    *body = &grown->body;
    return 0;
}

struct job_body *job_body_ref(struct job_body *body)
{
    (void)body_job(body);
    refs_add(&body->refs);
    return body;
}

void job_body_unref(struct job_body **body)
{
    if (*body == NULL)
        return;
    struct job *mine = body_job(*body);
    *body = NULL;
    if (!refs_drop(&mine->body.refs))
        return;
    MAGIC_WIPE(mine);
    free(mine);
}
