// SPDX-License-Identifier: MIT
/*
 * What is wanted, what is due and what is reached: a commit's numbers that any thread reads or sets
 * without a lock. Who leads takes wants away (commit_round.c); who lands raises what is reached
 * (flight.c).
 */
#include "base/clock.h"
#include "journal/commit_priv.h"

void commit_want(struct commit *commit, enum commit_want want)
{
    /* Set already: whoever takes the flag away will see what was added before now, too. */
    if (!atomic_load(&commit->wanted[want]))
        atomic_store(&commit->wanted[want], true);
}

bool commit_wanted(const struct commit *commit)
{
    return atomic_load(&commit->trim_wanted) != 0 || atomic_load(&commit->wanted[COMMIT_WRITTEN]) ||
           atomic_load(&commit->wanted[COMMIT_DURABLE]);
}

int64_t commit_due_ns(const struct commit *commit)
{
    int64_t pending = atomic_load(&commit->pending_due_ns);
    int64_t taken = atomic_load(&commit->taken_due_ns);
    return pending < taken ? pending : taken;
}

bool commit_is_due(const struct commit *commit)
{
    int64_t due = commit_due_ns(commit);
    return due != CLOCK_NEVER && due <= clock_now_ns();
}

uint64_t commit_reached(const struct commit *commit, enum commit_want want)
{
    return atomic_load(&commit->reached[want]);
}

int commit_failed(const struct commit *commit)
{
    return atomic_load(&commit->failed);
}
