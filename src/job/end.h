// SPDX-License-Identifier: MIT
/*
 * Ends: that a job is over, or buried, as one value. Part of job/job.h.
 *
 * Who ends a job fills one in at that moment: the job as it was, how its last attempt ended with
 * what it wrote, and both clocks. That copies a few hundred bytes and allocates nothing, so it can
 * be done under a lock; what costs (copying the output, encoding it) is done later, by who needs
 * the bytes. From then on it is never written to, so it passes between threads freely.
 *
 * An end may still be taken back: a process that is killed before the journal has the change finds
 * the job there again. Its ticket says what the journal has to reach first. A file that outlives
 * the process must not have the end before.
 */
#ifndef JOB_END_H
#define JOB_END_H

#include "job/job.h"

struct job_end {
    unsigned magic;
    _Atomic uint32_t refs;
    struct list_node node; /* of the one list that it is in; covered by whose list that is */
    uint64_t number;       /* of its record among all; 0: it leaves none */
    int64_t now_ns;        /* clock_now_ns of its end */
    int64_t wall_ns;       /* the time of day at the same moment */
    struct job_view view;
    struct job_outcome outcome; /* its own; it points at no rules */
    struct ticket ticket;       /* of its change */
};

/* One that isn't filled in. ENOMEM. */
int job_end_new(struct job_end **out);
struct job_end *job_end_ref(struct job_end *end);
/* Drops the caller's reference and nulls *end (which may be NULL already). */
void job_end_unref(struct job_end **end);

/* After view: fills in the rest. Takes the output of the outcome over. */
void job_end_fill(struct job_end *end, struct job_outcome *outcome);

/* The record of it. ENOMEM. */
int job_end_record(const struct job_end *end, struct job_record **out);
/* The same as bytes, as job_record_encode gives them: job_end_encoded_most bytes at most. ENOMEM,
 * EMSGSIZE. */
int job_end_encode(const struct job_end *end, struct job_body **out);
size_t job_end_encoded_most(const struct job_end *end);
/* Bytes that it takes, with its output. */
size_t job_end_memory(const struct job_end *end);

#endif
