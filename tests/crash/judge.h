// SPDX-License-Identifier: MIT
/* Compares what a daemon has after a restart with what the oracle says it must have. */
#ifndef JUDGE_H
#define JUDGE_H

#include "oracle.h"

/*
 * While nobody else is connected. Every job that was ever put is looked at, the deleted ones too,
 * and every id near those of the last life. Faults are printed; the first ends the program when all
 * have been found. What was in doubt is settled then: the oracle has one fate for each job.
 */
void judge(struct oracle *oracle, const char *socket);

/*
 * Begins a life: puts the jobs that keep tubes where they are missing, and one whose id says where
 * the ids of this life begin. false: refused, or the daemon has gone.
 */
bool judge_begin(struct oracle *oracle, const char *socket);

#endif
