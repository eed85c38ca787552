// SPDX-License-Identifier: MIT
/*
 * Admission: whether there is room in the journal for a change, before anything changes.
 *
 * A put finds too much pending, no prepared segment, or a journal that compaction has to make
 * smaller first (pressure.c): EAGAIN. So does a change behind those who stand. Whoever stands wants
 * a commit: the thread "commit" leads it, or a thread that may block. Nothing that a commit needs
 * stands, so nothing can wait in a circle.
 */
#include "store/store_priv.h"

#include <errno.h>

void store_turn(struct store *store, enum store_turn turn)
{
    store->turn = turn;
}

void store_stand(struct store *store, enum store_line line, int by)
{
    store->standing[line] += by > 0 ? 1 : SIZE_MAX; /* unsigned arithmetic wraps by definition */
}

/* Somebody stands whose turn comes first. */
HELD static bool stands(const struct store *store, enum store_line line)
{
    return store->turn == STORE_TURN_FIRST && store->standing[line] > 0;
}

/* Not inline, so a put costs no more while nobody stands. */
HELD __attribute__((noinline)) static bool put_waits_in_turn(const struct store *store)
{
    if (store->turn == STORE_TURN_LINE)
        return pressure_line_waits(store);
    return stands(store, STORE_LINE_PUTS) || pressure_puts_wait(store);
}

HELD static bool put_waits(const struct store *store)
{
    return store->turn == STORE_TURN_NONE ? pressure_puts_wait(store) : put_waits_in_turn(store);
}

int store_admit_put(const struct tube *tube, const struct job *job)
{
    if (tube->ledger->store == NULL)
        return 0;
    int rc = job->state == JOB_NEW ? id_admit(tube->ledger->store, job->id) : 0;
    if (rc != 0 || !tube_is_logged(tube))
        return rc;
    if (put_waits(tube->ledger->store))
        return EAGAIN;
    /* And its final record, and its group. */
    size_t bytes = job->body.len + tube->name_len + 3 * options_size(job) + (size_t)3 * ENTRY_BYTES;
    return commit_admit(tube->ledger->store->commit, JOURNAL_PUT, 3, bytes);
}

/* A full disk is waited for as long as compaction gains: what it copies takes, for a moment, what
 * is kept back for changes. */
HELD static int admit_state(struct store *store, enum journal_class class, size_t bytes)
{
    if (class != JOURNAL_LAST && stands(store, STORE_LINE_CHANGES)) /* the last ones make room */
        return EAGAIN;
    int rc = commit_admit(store->commit, class, 1, bytes);
    return rc == ENOSPC && pressure_may_fall(store) ? EAGAIN : rc;
}

HELD static int admit_change(struct store *store)
{
    return admit_state(store, JOURNAL_STATE, JOB_ENTRY_CHANGE_MAX);
}

int store_admit_any(struct store *store)
{
    return admit_change(store);
}

int store_admit(const struct job *job)
{
    return job_is_logged(job) ? admit_change(store_of(job)) : 0;
}

int store_admit_final(const struct job *job)
{
    return job_is_logged(job)
               ? admit_state(store_of(job), JOURNAL_LAST, ENTRY_BYTES + options_size(job))
               : 0;
}

int store_admit_pause(const struct tube *tube)
{
    if (!tube_is_logged(tube))
        return 0;
    return admit_change(tube->ledger->store);
}

int change_admit(struct change *change)
{
    if (!job_is_logged(change->job))
        return 0;
    change->flags |= CHANGE_LOGGED;
    struct store *store = store_of(change->job);
    /* Nobody waits for it, so it has no place in a line: it is recorded if there is room. */
    if ((change->flags & CHANGE_SOFT) != 0)
        return commit_admit(store->commit, JOURNAL_STATE, 1, JOB_ENTRY_CHANGE_MAX);
    return admit_change(store);
}
