// SPDX-License-Identifier: MIT
/*
 * What is done to jobs that nobody has, one or many, for the broker's own files.
 */
#ifndef BROKER_BULK_PRIV_H
#define BROKER_BULK_PRIV_H

#include "broker/state_priv.h"

/* kick.c */
/* A job of state BURIED or DELAYED. reset: what rules limit begins anew. ENOMEM, ENOSPC,
 * EIO: nothing changed. */
int kick_job(struct job *job, bool reset) HELD;

/* move.c */
/* A job that nobody has reserved, to a tube of a good name. ENOBUFS, ENOMEM, ENOSPC, EIO,
 * EAGAIN: nothing changed. */
int move_job(struct job *job, const char *name, size_t len) HELD;

/* bulk.c */
/* Does one job. 0: it did. ENOENT: there is none left. Others end the walk. *gone: the job, if it
 * left, to be freed without the lock; it is NULL before. */
typedef int walk_step(struct broker_bulk *walk, struct job **gone);
void walk_begin(struct broker_bulk *walk, struct tube *tube, walk_step *step, uint64_t count) HELD;

#endif
