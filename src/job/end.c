// SPDX-License-Identifier: MIT
/*
 * Ends: made empty, filled in once, then read by whoever has a reference.
 */
#include "job/end.h"

#include "base/clock.h"
#include "base/magic.h"
#include "base/refs.h"
#include "job/record_priv.h"

#include <errno.h>
#include <stdlib.h>

#define JOB_END_MAGIC 0x6a0b4e2du

int job_end_new(struct job_end **out)
{
    struct job_end *end = malloc(sizeof(*end)); /* the view is copied into as a whole */
    if (end == NULL)
        return ENOMEM;
    MAGIC_INIT(end, JOB_END_MAGIC);
    atomic_init(&end->refs, 1);
    list_node_init(&end->node);
    end->number = 0;
    end->ticket = (struct ticket){0};
    job_outcome_init(&end->outcome);
    *out = end;
    return 0;
}

struct job_end *job_end_ref(struct job_end *end)
{
    MAGIC_CHECK(end, JOB_END_MAGIC);
    refs_add(&end->refs);
    return end;
}

void job_end_unref(struct job_end **end)
{
    if (*end == NULL)
        return;
    struct job_end *mine;
    MAGIC_TAKE(mine, end, JOB_END_MAGIC);
    if (!refs_drop(&mine->refs))
        return;
    job_outcome_fini(&mine->outcome);
    MAGIC_WIPE(mine);
    free(mine);
}

void job_end_fill(struct job_end *end, struct job_outcome *outcome)
{
    MAGIC_CHECK(end, JOB_END_MAGIC);
    end->now_ns = clock_now_ns();
    end->wall_ns = clock_wall_ns();
    end->outcome = *outcome;
    end->outcome.rules = end->outcome.otherwise = NULL;
    buf_init(&outcome->out);
    buf_init(&outcome->err);
}

int job_end_record(const struct job_end *end, struct job_record **out)
{
    MAGIC_CHECK(end, JOB_END_MAGIC);
    struct record_draft draft;
    record_draft_make(&draft, &end->view, &end->outcome, end->now_ns, end->wall_ns);
    return job_record_copy(out, &draft.record);
}

int job_end_encode(const struct job_end *end, struct job_body **out)
{
    MAGIC_CHECK(end, JOB_END_MAGIC);
    struct record_draft draft;
    record_draft_make(&draft, &end->view, &end->outcome, end->now_ns, end->wall_ns);
    return job_record_encode(&draft.record, out);
}

size_t job_end_encoded_most(const struct job_end *end)
{
    MAGIC_CHECK(end, JOB_END_MAGIC);
    struct record_draft draft;
    record_draft_make(&draft, &end->view, &end->outcome, end->now_ns, end->wall_ns);
    return record_encoded_most(&draft.record);
}

size_t job_end_memory(const struct job_end *end)
{
    MAGIC_CHECK(end, JOB_END_MAGIC);
    return sizeof(*end) + end->outcome.out.cap + end->outcome.err.cap;
}
