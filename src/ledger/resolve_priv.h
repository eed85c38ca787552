// SPDX-License-Identifier: MIT
/*
 * What resolve.c and resolve_put.c share: parts of an entry as parts of a change.
 */
#ifndef LEDGER_RESOLVE_PRIV_H
#define LEDGER_RESOLVE_PRIV_H

#include "ledger/resolve.h"

/* Moments of the wall clock: as monotonic ones, and whether a delay
 * until then is over; replay->tube (ENOMEM). */
int64_t resolve_mono(const struct replay *replay, int64_t wall_ns) HELD;
enum job_state resolve_state(const struct replay *replay, int64_t until_wall_ns) HELD;
int resolve_tube(struct replay *replay, const char *name, size_t len) HELD;
/* How the job is out from then on; to RESERVED, unless it isn't. */
void resolve_out(const struct replay *replay, const struct job_entry *entry,
                 struct change *change) HELD;
/* That order of burial was given. */
void resolve_burial(struct replay *replay, int64_t burial) HELD;

#endif
