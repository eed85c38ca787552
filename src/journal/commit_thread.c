// SPDX-License-Identifier: MIT
/*
 * The thread "commit": leads what was left to it and what is due, and sleeps until then. What is
 * due and nobody waits for is synced beside the role (commit_flush).
 *
 * It says that it sleeps, and until when, before it looks for the last time; what wakes it is the
 * other half of that (commit_bell.c).
 */
#include "base/clock.h"
#include "journal/commit_priv.h"

#include <errno.h>

/* After a try without space. */
#define RETRY_NS INT64_C(1000000000)

/* Whether it should lead now. */
static bool has_work(const struct commit *commit)
{
    if (atomic_load(&commit->failed) != 0)
        return false;
    return (atomic_load(&commit->left) && commit_wanted(commit)) || commit_is_due(commit);
}

/* What commit_lead says. */
static int work(struct commit *commit)
{
    if (!has_work(commit))
        return 0;
    bool left = atomic_exchange(&commit->left, false);
    bool beside = commit_is_due(commit) && !atomic_load(&commit->wanted[COMMIT_DURABLE]);
    int rc = beside ? commit_flush(commit) : commit_rounds(commit);
    if (left && (rc == ENOSPC || rc == EBUSY))
        atomic_store(&commit->left, true);
    return rc;
}

/* Until then, unless there is work, or woken earlier. */
static void thread_sleep(struct commit *commit)
{
    uint32_t seen = atomic_load(&commit->bell);
    int64_t until = atomic_load(&commit->failed) != 0 ? CLOCK_NEVER : commit_due(commit);
    atomic_store(&commit->sleep_until_ns, until);
    atomic_store(&commit->asleep, true);
    if (!has_work(commit) && commit_due(commit) >= until && !atomic_load(&commit->stop)) {
        hl_thread_wait_begin("journal", "changes");
        (void)park_wait(&commit->bell, seen, until);
        hl_thread_wait_end();
    }
    atomic_store(&commit->asleep, false);
}

/* There is work that can't be done now: somebody else has the role, and wakes us when he gives it
 * up, or there is no space. */
static void thread_hold(struct commit *commit, int64_t until, bool while_led)
{
    uint32_t seen = atomic_load(&commit->bell);
    atomic_store(&commit->sleep_until_ns, while_led ? CLOCK_NEVER : 0);
    atomic_store(&commit->asleep, true);
    if ((!while_led || atomic_load(&commit->led)) && !atomic_load(&commit->stop)) {
        hl_thread_wait_begin("journal", while_led ? "role" : "space");
        (void)park_wait(&commit->bell, seen, until);
        hl_thread_wait_end();
    }
    atomic_store(&commit->asleep, false);
}

static void thread_run(void *arg)
{
    struct commit *commit = arg;
    while (!atomic_load(&commit->stop)) {
        int rc = work(commit);
        if (rc == ENOSPC)
            thread_hold(commit, clock_deadline(RETRY_NS), false);
        else if (rc == EBUSY)
            thread_hold(commit, CLOCK_NEVER, true);
        else
            thread_sleep(commit);
    }
}

int commit_thread_start(struct commit *commit)
{
    struct hl_thread_options options = {
        .target = thread_run, .arg = commit, .name = "commit", .daemon = HL_DAEMON_NO};
    int rc = hl_thread_new(&commit->thread, &options);
    if (rc != 0)
        return rc;
    rc = hl_thread_start(commit->thread);
    if (rc != 0)
        hl_thread_free(&commit->thread);
    return rc;
}

void commit_thread_stop(struct commit *commit)
{
    if (commit->thread == NULL)
        return;
    atomic_store(&commit->stop, true);
    atomic_fetch_add(&commit->bell, 1);
    park_wake(&commit->bell, 1);
    MUST(hl_thread_join(commit->thread, HL_FOREVER));
    hl_thread_free(&commit->thread);
}
