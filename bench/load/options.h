// SPDX-License-Identifier: MIT
/*
 * The command line of hilera-bench.
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include "load/run.h"

/* Reads it, with the mix's defaults for what is not given. Ends the program on --help, --version,
 * and (status FAULT_USAGE) with a message on whatever makes no sense. */
void options_read(struct options *options, int argc, char **argv);

#endif
