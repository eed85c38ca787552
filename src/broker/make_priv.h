// SPDX-License-Identifier: MIT
/*
 * Changes made, for the broker's own files; make.c has the essay.
 */
#ifndef BROKER_MAKE_PRIV_H
#define BROKER_MAKE_PRIV_H

#include "broker/state_priv.h"

/* Recorded, carried out, counted; whoever waits for a job is given it. */
void make_put(struct change *change) HELD;
void make_lease(struct change *change) HELD; /* but it is RESERVED, and its lease is the caller's */
void make_back(struct change *change) HELD;
void make_kick(struct change *change) HELD;
void make_bury(struct change *change) HELD;
/* The job is out of everything then, and the caller's, to be freed without the lock. */
void make_delete(struct change *change) HELD;
/* A DELETE of a job that a local worker runs: it stays RESERVED until that has stopped. */
void make_cancel(struct change *change) HELD;
void make_move(struct change *change) HELD; /* the old tube is let go of */
void make_pause(struct change *change) HELD;

#endif
