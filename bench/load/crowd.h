// SPDX-License-Identifier: MIT
/*
 * Connections that make life hard for a server while something else is measured:
 *
 *   idle    they are open and say nothing
 *   churn   one after the other is closed and replaced by a new one that asks one thing
 *   slow    each sends a put whose body comes byte by byte and never ends
 *   unread  each asks for a large body, again and again, and reads nothing of it
 *   asks    each asks for the statistics 300 times at once and reads none; one after the other is
 *           replaced by a new one that does the same
 */
#ifndef LOAD_CROWD_H
#define LOAD_CROWD_H

#include "load/run.h"

struct crowd;

/* Opens --connections connections of the kind --crowd, and starts to act in a thread of its own.
 * Returns when all are open. */
struct crowd *crowd_start(struct run *run);

/* Ends the thread, closes the connections, takes its job out again. Returns how often something was
 * done: connections replaced, bytes sent, questions asked. */
uint64_t crowd_stop(struct crowd **crowd);

#endif
