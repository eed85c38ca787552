// SPDX-License-Identifier: MIT
/*
 * The bell of the thread "commit": how others leave work to it, or tell it of something that is due
 * earlier.
 *
 * They leave word first and then look whether it sleeps; it says that it sleeps before it looks for
 * the last time (commit_thread.c). So a wake-up isn't lost, and while it works nobody makes a
 * system call for it.
 */
#include "journal/commit_priv.h"

void commit_thread_wake(struct commit *commit)
{
    if (!atomic_load(&commit->asleep) || !atomic_exchange(&commit->asleep, false))
        return;
    atomic_fetch_add(&commit->bell, 1);
    park_wake(&commit->bell, 1);
}

void commit_thread_arm(struct commit *commit, int64_t due_ns)
{
    if (atomic_load(&commit->asleep) && atomic_load(&commit->sleep_until_ns) > due_ns)
        commit_thread_wake(commit);
}

void commit_leave(struct commit *commit)
{
    atomic_store(&commit->left, true);
    commit_thread_wake(commit);
}
