// SPDX-License-Identifier: MIT
/*
 * Past attempts of a job that isn't finished: how each ended, the latest JOB_PAST_MAX of them. Part
 * of job/job.h. They hang on the job's side record, the oldest first, travel with the job through
 * the journal, and become the earlier attempts of its record.
 */
#ifndef JOB_PAST_H
#define JOB_PAST_H

#include <stddef.h>
#include <stdint.h>

struct job_outcome;
struct job_rare;
struct job_entry;

#define JOB_PAST_MAX 8
#define JOB_PAST_REASON_MAX 121 /* bytes with the NUL; longer ones are cut */

struct job_past {
    unsigned magic;
    int kind;                               /* enum job_outcome_kind */
    struct job_past *next;                  /* the one after it */
    int exit_status, signal;                /* as in an outcome */
    int64_t started_wall_ns, ended_wall_ns; /* since 1970, in whole milliseconds; 0: not known */
    char reason[];
};

/* Of an attempt that ends now; in no list. ENOMEM. */
int job_past_new(struct job_past **out, const struct job_outcome *outcome);
/* Behind those of the list; takes *past, one or several, over (NULL: nothing), and drops the oldest
 * if there are too many. */
void job_past_append(struct job_past **list, struct job_past **past);
/* The whole list; NULL: nothing. */
void job_past_free(struct job_past **past);
/* About the bytes that the list takes in an entry. */
size_t job_past_size(const struct job_past *past);
/* Appends those of an entry that was decoded. ENOMEM: some of them, or none. */
int job_past_of_entry(struct job_past **list, const struct job_entry *entry);

#endif
