// SPDX-License-Identifier: MIT
/*
 * Tries: how often what rules limit has happened to a job. Part of job/job.h.
 *
 * Pure functions, any thread.
 */
#ifndef JOB_TRIES_H
#define JOB_TRIES_H

#include <stdint.h>

/* A member for each row of tries.def. They stay at the largest. */
struct job_tries {
#define JOB_TRY(member, ...) uint32_t member;
#include "job/tries.def"
#undef JOB_TRY
};

#endif
