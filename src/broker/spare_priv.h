// SPDX-License-Identifier: MIT
/*
 * Memory at rest, for the broker's own files; spare.c has the essay.
 */
#ifndef BROKER_SPARE_PRIV_H
#define BROKER_SPARE_PRIV_H

#include "broker/state_priv.h"

/* spare.c */
/* A cleared side record. NULL: out of memory. */
struct job_extra *spare_take(struct broker *broker) HELD;
/* That of a job which leaves and has no waiters; the job is without one then, or keeps it. */
void spare_keep(struct broker *broker, struct job *job) HELD;
void spares_free(struct broker *broker);

#endif
