// SPDX-License-Identifier: MIT
/*
 * What a run found, for people or as one JSON object.
 */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "load/run.h"

/* Everything at once, to standard output. */
void report_print(const struct run *run);

#endif
