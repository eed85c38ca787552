// SPDX-License-Identifier: MIT
/*
 * Records before they are made: what record.c, its codec and ends share.
 */
#ifndef JOB_RECORD_PRIV_H
#define JOB_RECORD_PRIV_H

#include "job/job.h"

/* A record whose strings are those of a view and an outcome: to be copied, or encoded. */
struct record_draft {
    struct job_record record;
    struct job_attempt earlier[JOB_PAST_MAX];
};

/* Both clocks at one moment: when it ended, unless the outcome says. */
void record_draft_make(struct record_draft *draft, const struct job_view *view,
                       const struct job_outcome *outcome, int64_t now_ns, int64_t wall_ns);

/* What job_record_encode needs at most. */
size_t record_encoded_most(const struct job_record *record);

#endif
