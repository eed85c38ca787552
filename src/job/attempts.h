// SPDX-License-Identifier: MIT
/*
 * Past attempts of a job that isn't finished: how each ended, the latest JOB_PAST_MAX of them. Part
 * of job/job.h. They hang on the job's side record, the oldest first, travel with the job through
 * the journal, and become the earlier attempts of its record.
 */
#ifndef JOB_ATTEMPTS_H
#define JOB_ATTEMPTS_H

#include <stddef.h>
#include <stdint.h>

struct job_outcome;
struct job_extra;
struct job_entry;

#define JOB_PAST_MAX 8
#define JOB_PAST_REASON_MAX 121 /* bytes with the NUL; longer ones are cut */

struct job_attempts {
    unsigned magic;
    int kind;                               /* enum job_outcome_kind */
    struct job_attempts *next;              /* the one after it */
    int exit_status, signal;                /* as in an outcome */
    int64_t started_wall_ns, ended_wall_ns; /* since 1970, in whole milliseconds; 0: not known */
    char reason[];
};

/* Of an attempt that ends now; in no list. ENOMEM. */
int job_attempts_new(struct job_attempts **out, const struct job_outcome *outcome);
/* Behind those of the list; takes *past, one or several, over (NULL: nothing), and drops the oldest
 * if there are too many. */
void job_attempts_append(struct job_attempts **list, struct job_attempts **past);
/* The whole list; NULL: nothing. */
void job_attempts_free(struct job_attempts **past);
/* About the bytes that the list takes in an entry. */
size_t job_attempts_size(const struct job_attempts *past);
/* Appends those of an entry that was decoded. ENOMEM: some of them, or none. */
int job_attempts_of_entry(struct job_attempts **list, const struct job_entry *entry);

#endif
