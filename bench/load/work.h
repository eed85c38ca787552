// SPDX-License-Identifier: MIT
/*
 * The steps of a job's life, as mixes are made of them: each sends one command, or enters an answer
 * into the books after checking all of it.
 */
#ifndef LOAD_WORK_H
#define LOAD_WORK_H

#include "load/run.h"

/* Puts a new job. */
void work_put(struct run *run, struct link *link, uint32_t pri, uint32_t delay_s, uint32_t ttr_s);

/* INSERTED. */
void work_inserted(struct run *run, const struct sent *sent, const struct reply *reply);

/* RESERVED (any other answer ends the run): body, id, fate and, while run->ordered, the order.
 * Returns the job's serial number. */
uint64_t work_reserved(struct run *run, struct link *link, const struct reply *reply);

/* The same, and deletes it. */
void work_finish(struct run *run, struct link *link, const struct reply *reply);

/* DELETED. */
void work_deleted(struct run *run, const struct sent *sent);

/* Each link of the crew puts, reserves and deletes, `depth` times at once: run->to_put jobs in all,
 * or until run->until_ns. */
void work_cycle(struct run *run, struct crew *crew, uint64_t depth);

/* Puts `count` jobs through the crew, `depth` in flight on each link (count 0: until
 * run->until_ns). Priorities are 0 to pri_bound - 1 at random; 0: all the same. */
void work_fill(struct run *run, struct crew *crew, uint64_t count, uint64_t depth,
               uint32_t pri_bound);

/* Reserves and deletes all that is left, which must be ready, and nobody else may take it. */
void work_drain(struct run *run, struct crew *crew, uint64_t depth);

#endif
