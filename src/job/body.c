// SPDX-License-Identifier: MIT
/*
 * Bodies: bytes with a count of holders, in one piece of memory.
 *
 * The count is what makes a peek and a delete at the same moment both right: each holds the body as
 * long as it needs it, whoever lets go last frees it. The bytes are written before the body is
 * shared and never after, so readers need no lock.
 */
#include "base/magic.h"
#include "job/job.h"

#include <errno.h>
#include <stdlib.h>

#define JOB_BODY_MAGIC 0x6a0b0d01u

int job_body_new(struct job_body **out, size_t len)
{
    if (len > SIZE_MAX - sizeof(struct job_body))
        return ENOMEM;
    struct job_body *body = malloc(sizeof(*body) + len);
    if (body == NULL)
        return ENOMEM;
    MAGIC_INIT(body, JOB_BODY_MAGIC);
    atomic_init(&body->refs, 1);
    body->len = len;
    *out = body;
    return 0;
}

struct job_body *job_body_ref(struct job_body *body)
{
    MAGIC_CHECK(body, JOB_BODY_MAGIC);
    uint32_t before = atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return body;
}

void job_body_unref(struct job_body **body)
{
    if (*body == NULL)
        return;
    struct job_body *mine;
    MAGIC_TAKE(mine, body, JOB_BODY_MAGIC);
    /* Release: what this holder read happened before the free; acquire: the free comes after that
     * of all others. */
    uint32_t before = atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    MAGIC_WIPE(mine);
    free(mine);
}
