// SPDX-License-Identifier: MIT
/*
 * Side records at rest: a lease needs one, and the job it was for leaves soon after, so a few are
 * kept from one to the next instead of going back to the allocator each time.
 */
#include "broker/spare_priv.h"

struct job_extra *spare_take(struct broker *broker)
{
    if (broker->spare_count > 0)
        return broker->spares[--broker->spare_count];
    return job_extra_new();
}

void spare_keep(struct broker *broker, struct job *job)
{
    if (job->extra == NULL || broker->spare_count == BROKER_SPARES_MAX)
        return;
    job_extra_clear(job->extra);
    broker->spares[broker->spare_count++] = job->extra;
    job->extra = NULL;
}

void spares_free(struct broker *broker)
{
    while (broker->spare_count > 0)
        job_extra_free(&broker->spares[--broker->spare_count]);
}
