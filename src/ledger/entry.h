// SPDX-License-Identifier: MIT
/*
 * What is true as entries of the journal. Part of ledger.h; entry.c has the essay.
 */
#ifndef LEDGER_ENTRY_H
#define LEDGER_ENTRY_H

#include "ledger/change.h"

/* An entry points into what it tells of. The whole job, as if it were in that state. */
struct job_entry entry_of_job_in(const struct job *job, enum job_state state, int64_t key_ns,
                                 bool by_wall) HELD;
/* What is true now: of a job (reserved: as if it were ready), of the pause of a tube, of a group.
 */
struct job_entry entry_of_job(const struct job *job) HELD;
struct job_entry entry_of_pause(const struct tube *tube) HELD;
struct job_entry entry_of_group(const struct job_group *group) HELD;
/* The same with a new number: the entry that holds from now on. */
struct job_entry entry_next_of_group(struct job_group *group) HELD;
/* What the change counts as for the job's group. */
void entry_count(struct job_entry *entry, const struct job *job, enum job_fate_count count) HELD;
/* To disk, the inverse of change_resolve: what there is of an entry but the job's group. It points
 * into job and tube. Not of a PUT or DELETE. */
void change_entry(const struct change *change, struct job_entry *entry) HELD;

/* digest.c */
/* What a restart would bring back, as one number; see broker_digest. */
uint64_t ledger_digest(struct ledger *ledger,
                       void (*visit)(const void *bytes, size_t len, void *arg), void *arg) HELD;

#endif
