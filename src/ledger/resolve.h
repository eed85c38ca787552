// SPDX-License-Identifier: MIT
/*
 * Entries of the journal as changes. Part of ledger.h; resolve.c has the essay.
 */
#ifndef LEDGER_RESOLVE_H
#define LEDGER_RESOLVE_H

#include "ledger/change.h"

/* Where a replay is. */
struct replay {
    struct ledger *ledger;
    int64_t wall_ns, mono_ns;  /* the same moment */
    struct tube *tube;         /* the last one, with a reference: the next is mostly the same */
    struct job_tries tries;    /* what a change points to */
    struct job_attempts *past; /* likewise; NULL between two entries, as the next one */
    char *reason;
};

/* The change that an entry tells of, now. ENOENT: of a job that isn't there; it means nothing.
 * ENOMEM. replay_clean afterwards. */
int change_resolve(struct replay *replay, const struct job_entry *entry,
                   struct change *change) HELD;
/* What the change has not taken over. */
void replay_clean(struct replay *replay);
/* The change that is a whole job, with the bytes of its body or without; change->job is the
 * caller's until it is carried out. ENOMEM. */
int resolve_put(struct replay *replay, const struct job_entry *entry, bool with_body,
                struct change *change) HELD;
/* At the end. */
void replay_end(struct replay *replay) HELD;

#endif
