// SPDX-License-Identifier: MIT
/*
 * How a job ends, for the broker's own files; finish.c has the essay. It stands above changes and
 * results, and below the verbs.
 */
#ifndef BROKER_FINISH_PRIV_H
#define BROKER_FINISH_PRIV_H

#include "broker/state_priv.h"

struct finish {
    struct job *job; /* not BURIED */
    /* What its kind says happens: the job is buried, or leaves. The output is taken over where
     * somebody will hear of it. */
    struct job_outcome *outcome;
    struct attempt_end *last; /* of a burial: taken over; NULL: none */
    bool counts;              /* that burial is one trouble more of that kind (tries.def) */
    /* It is a delete call, also by who has the job and is done with it: it leaves a record only if
     * somebody waits. So is every outcome DELETED. */
    bool deletes;
};

/*
 * Ends the job for good. *gone: the job, if it left, to be freed without the lock; else
 * NULL. ENOMEM, ENOSPC, EIO, EAGAIN (not now, see line.c): nothing changed then.
 */
int finish_job(struct broker *broker, const struct finish *finish, struct job **gone) HELD;
/* Deletes one that is buried: it was finished, recorded and counted when it failed. */
int finish_buried(struct broker *broker, struct job *job, struct job **gone) HELD;

/* As broker_lock, with memory for the ends of so many jobs, if there is any. */
void broker_lock_to_finish(struct broker *broker, size_t count) TAKES_LOCK;
void ends_free(struct broker *broker);

/* linger.c */
/* It left no record, and somebody will ask for it. Takes the reference over. */
void linger_begin(struct broker *broker, struct job_end **end) HELD;
void linger_end_all(struct broker *broker) HELD;

#endif
