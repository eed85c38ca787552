// SPDX-License-Identifier: MIT
/*
 * What is wanted, when it is due and what is reached: a commit's numbers that any thread reads or
 * sets without a lock. Who leads takes wants away (commit_round.c); who lands raises what is
 * reached (flight.c).
 */
#include "journal/commit_priv.h"

int64_t commit_due_ns(const struct commit *commit)
{
    return commit_due(commit);
}

void commit_want(struct commit *commit, enum commit_want want)
{
    /* Set already: whoever takes the flag away will see what was added before now, too. */
    if (!atomic_load(&commit->wanted[want]))
        atomic_store(&commit->wanted[want], true);
}

uint64_t commit_reached(const struct commit *commit, enum commit_want want)
{
    return atomic_load(&commit->reached[want]);
}

int commit_failed(const struct commit *commit)
{
    return atomic_load(&commit->failed);
}
