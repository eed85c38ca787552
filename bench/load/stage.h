// SPDX-License-Identifier: MIT
/*
 * One measured stage of a mix: when its warm-up is over, and when it ends.
 */
#ifndef LOAD_STAGE_H
#define LOAD_STAGE_H

#include "load/run.h"

/* A stage of `ops` commands, of which the first tenth is the warm-up; or, with 0, one that takes
 * --seconds after a warm-up of a tenth of that: then run->until_ns is set. own_times: see meter.h.
 */
void stage_open(struct run *run, const char *name, uint64_t ops, bool own_times);

/* The stage is over; the server's resident memory is read. */
void stage_close(struct run *run, const struct crew *crew);

#endif
