// SPDX-License-Identifier: MIT
/*
 * The role: one thread at a time takes what is pending and sends it out.
 *
 * A round: the wants are read and reset; the pending batch is taken under the owner's lock; its
 * changes become frames (flight.c); the last one is synced if somebody wants that or the time has
 * come; the places of jobs and then the numbers are published when it has landed. Where the journal
 * has a window of one append the round waits for that, else the next may begin meanwhile. Wants
 * that come meanwhile are seen after the round, or, if they come when the role was just given up,
 * by the check that follows: the one who wants sets the flag and then looks whether the role is
 * free, the one who leads frees the role and then looks at the flags, so one of both sees the
 * other.
 *
 * A trim and a sync of what was written wait until nothing is out, since both are about all that
 * was appended before them.
 */
#include "base/clock.h"
#include "journal/commit_priv.h"

#include <errno.h>

/* ---- a round ---- */

/* EIO, ENOSPC, ENOMEM: not done. */
static int trim(struct commit *commit, uint64_t before)
{
    flights_quiet(commit);
    if (atomic_load(&commit->failed) != 0)
        return EIO;
    int rc = journal_trim(commit->options.journal, before, &commit->sequence);
    atomic_store(&commit->counts, commit->sequence);
    return rc == EIO || rc == ESTALE ? flights_fail(commit, rc) : rc;
}

/* For who found the role taken. What else it says, he hears when he asks again. */
static void trim_posted(struct commit *commit)
{
    uint64_t before = atomic_exchange(&commit->trim_wanted, 0);
    if (before != 0 && trim(commit, before) == 0)
        commit_published(commit);
}

/* What is pending is taken, and goes out. */
static void batch_begin(struct commit *commit, bool sync)
{
    struct flight *flight = flight_load(commit);
    if (sync) /* if it finds no room that is wanted again */
        atomic_store(&commit->taken_due_ns, CLOCK_NEVER);
    flight_begin(commit, flight, sync);
}

/* What is pending is on its way, to be synced or not; with a window of one it is there. ENOSPC: it
 * is kept, and wanted again. */
static int batch_commit(struct commit *commit, bool sync)
{
    if (!flights_have_free(commit))
        flights_await_free(commit);
    bool held = flights_held(commit); /* by a try without room */
    if (held)
        flights_again(commit, sync);
    else
        batch_begin(commit, sync);
    if (commit->facts.window == 1 && !flights_have_free(commit))
        flights_await(commit);
    if (atomic_load(&commit->failed) != 0)
        return EIO;
    if (held) /* what was wanted may be pending yet */
        atomic_store(&commit->wanted[sync ? COMMIT_DURABLE : COMMIT_WRITTEN], true);
    return flights_held(commit) ? ENOSPC : 0;
}

/* ENODATA: nothing was to be done. */
static int lead_round(struct commit *commit, bool due)
{
    trim_posted(commit);
    bool sync =
        atomic_exchange(&commit->wanted[COMMIT_DURABLE], false) || (due && commit_is_due(commit));
    bool write = atomic_exchange(&commit->wanted[COMMIT_WRITTEN], false);
    if (atomic_load(&commit->failed) != 0)
        return EIO;
    return sync || write ? batch_commit(commit, sync) : ENODATA;
}

/* The thread sleeps longer than it should if it found the role taken. */
static void role_leave(struct commit *commit)
{
    atomic_store(&commit->led, false);
    commit_thread_arm(commit, commit_due(commit));
}

int commit_round(struct commit *commit, bool due)
{
    if (atomic_exchange(&commit->led, true))
        return EBUSY;
    int rc = lead_round(commit, due);
    if (rc == 0 && (commit->thread == NULL || hl_thread_current() != commit->thread))
        counter_add(&commit->led_inline, 1);
    role_leave(commit);
    return rc;
}

int commit_rounds(struct commit *commit)
{
    int rc;
    do {
        while ((rc = commit_round(commit, true)) == 0) {
        }
    } while (rc == ENODATA && (commit_wanted(commit) || commit_is_due(commit)));
    return rc == ENODATA ? 0 : rc;
}

int commit_lead(struct commit *commit)
{
    MAGIC_CHECK(commit, COMMIT_MAGIC);
    int rc;
    do {
        rc = commit_rounds(commit);
        if (rc == 0)
            flights_await(commit); /* what finds no room is wanted again then */
    } while (rc == 0 && (commit_wanted(commit) || commit_is_due(commit)));
    return rc == 0 && atomic_load(&commit->failed) != 0 ? EIO : rc;
}

/* ---- a sync beside the role ---- */

/* Writes what is pending. ENODATA: then there is nothing to sync. *upto: what the sync is for. */
static int flush_begin(struct commit *commit, struct journal_syncing *syncing, uint64_t *upto)
{
    trim_posted(commit);
    atomic_store(&commit->wanted[COMMIT_WRITTEN], false);
    int rc = atomic_load(&commit->failed) != 0 ? EIO : batch_commit(commit, false);
    flights_await(commit);
    if (rc == 0 && flights_held(commit))
        rc = ENOSPC;
    if (rc == 0)
        rc = journal_sync_begin(commit->options.journal, syncing);
    *upto = commit_reached(commit, COMMIT_WRITTEN);
    if (rc == 0 || rc == ENODATA)
        atomic_store(&commit->taken_due_ns, CLOCK_NEVER);
    if (rc == ENODATA)
        commit->unsynced_frame = false;
    return rc;
}

int commit_flush(struct commit *commit)
{
    struct journal_syncing syncing;
    uint64_t upto;
    if (atomic_exchange(&commit->led, true))
        return EBUSY;
    int begun = flush_begin(commit, &syncing, &upto);
    role_leave(commit);
    /* Who found the role taken is served before the sync; also who found it taken by a round that
     * had nothing to do, because another leader was faster. */
    int rc = 0;
    while ((rc == 0 || rc == ENODATA) && commit_wanted(commit))
        rc = commit_round(commit, false);
    int synced = begun == 0 ? journal_sync_run(commit->options.journal, &syncing) : 0;
    if (synced != 0) {
        atomic_store(&commit->wanted[COMMIT_DURABLE], true); /* the next round finds it broken */
        return commit_rounds(commit);
    }
    if (begun == 0 || begun == ENODATA) {
        commit_durable(commit, upto);
        commit_published(commit);
    }
    return begun != 0 && begun != ENODATA ? begun : rc == ENODATA || rc == EBUSY ? 0 : rc;
}

int commit_trim(struct commit *commit, uint64_t before)
{
    MAGIC_CHECK(commit, COMMIT_MAGIC);
    if (atomic_exchange(&commit->led, true)) {
        atomic_store(&commit->trim_wanted, before);
        return EBUSY;
    }
    int rc = trim(commit, before); /* done already if it was posted */
    role_leave(commit);
    /* Who wanted something meanwhile found the role taken. */
    int led = rc == 0 && commit_wanted(commit) ? commit_rounds(commit) : 0;
    (void)led; /* the next who asks hears of it */
    return rc;
}
