// SPDX-License-Identifier: MIT
/*
 * Jobs on their way from producers to consumers that wait for them; what the mixes pingpong,
 * waiters and tubes have in common.
 */
#ifndef LOAD_RELAY_H
#define LOAD_RELAY_H

#include "load/run.h"

/*
 * Runs it for --seconds or --jobs and reports, as the section's times, how long a job took from the
 * put to its RESERVED. Every consumer waits before the first job is put. With more tubes than
 * consumers each consumer watches several, and a producer uses a random one for each put.
 */
void relay_run(struct run *run, const char *name, uint64_t producers, uint64_t consumers,
               uint64_t tubes);

#endif
