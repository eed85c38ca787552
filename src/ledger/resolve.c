// SPDX-License-Identifier: MIT
/*
 * Entries of the journal as changes: what an entry tells of, on top of what is there now.
 *
 * An entry is right on top of any state that the job may be in, because compaction writes whole
 * jobs anew between the entries of others, and because the journal doesn't say which connection
 * had a job: what one had reserved is ready here. What a worker of the daemon had, or who has a
 * token, is reserved: the token keeps it, and the worker's goes back when all is read.
 * Times of the wall clock become moments of the monotonic one; a delay that is over is none.
 */
#include "ledger/resolve_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A clock that stands in 1970 could be behind the one that counts from the start. */
int64_t resolve_mono(const struct replay *replay, int64_t wall_ns)
{
    int64_t mono_ns;
    bool over = __builtin_sub_overflow(wall_ns, replay->wall_ns - replay->mono_ns, &mono_ns);
    return over || mono_ns == CLOCK_NEVER ? CLOCK_NEVER - 1 : mono_ns;
}

enum job_state resolve_state(const struct replay *replay, int64_t until_wall_ns)
{
    return until_wall_ns > replay->wall_ns ? JOB_DELAYED : JOB_READY;
}

int resolve_tube(struct replay *replay, const char *name, size_t len)
{
    struct tube *tube = replay->tube;
    if (tube != NULL && tube->name_len == len && memcmp(tube->name, name, len) == 0)
        return 0;
    int rc = tube_need(replay->ledger, name, len, &replay->tube);
    if (rc != 0)
        replay->tube = tube;
    else if (tube != NULL)
        tube_unref(tube);
    return rc;
}

void resolve_burial(struct replay *replay, int64_t burial)
{
    if (burial > replay->ledger->last_burial)
        replay->ledger->last_burial = burial;
}

void resolve_out(const struct replay *replay, const struct job_entry *entry, struct change *change)
{
    struct job *job = change->job;
    change->out = (uint8_t)entry->out;
    if (entry->out == JOB_OUT_NOT)
        return;
    change->to = JOB_RESERVED;
    change->token = entry->out_key;
    change->key_ns = resolve_mono(replay, entry->out_until_wall_ns);
    if (entry->out == JOB_OUT_TOKEN) {
        change->flags |= CHANGE_KEYED;
        return;
    }
    change->token = token_next(replay->ledger);
    change->key_ns = replay->mono_ns + job_ttr_ns(job);
}

HELD static int resolve_pause(struct replay *replay, const struct job_entry *entry,
                              struct change *change)
{
    int rc = resolve_tube(replay, entry->tube, entry->tube_len);
    change->tube = replay->tube;
    change->flags = CHANGE_LOGGED;
    change->delay_ns = entry->delay_ns;
    change->key_ns = resolve_mono(replay, entry->until_wall_ns);
    change->to = resolve_state(replay, entry->until_wall_ns);
    return rc;
}

HELD static int resolve_move(struct replay *replay, const struct job_entry *entry,
                             struct change *change)
{
    int rc = resolve_tube(replay, entry->tube, entry->tube_len);
    change->tube = replay->tube;
    /* What is reserved isn't moved: what ended its lease is missing here. */
    change->to = change->from == JOB_RESERVED ? JOB_READY : change->from;
    return rc == 0 && change->tube == change->job->tube ? ENOENT : rc;
}

/* The entry says what became of the attempt. */
HELD static int resolve_back(struct replay *replay, const struct job_entry *entry,
                             struct change *change)
{
    change->pri = entry->pri;
    change->delay_ns = entry->delay_ns;
    change->key_ns = resolve_mono(replay, entry->until_wall_ns);
    change->to = resolve_state(replay, entry->until_wall_ns);
    if (change->job->extra != NULL)
        replay->tries = change->job->extra->tries;
    else
        replay->tries = (struct job_tries){0};
    if (entry->type == JOB_ENTRY_TIMEOUT)
        job_count(job_tries_of(&replay->tries, JOB_OUTCOME_TIMEOUT));
    else
        job_tries_raise(&replay->tries, &entry->tries); /* an older hilera's don't say them */
    resolve_out(replay, entry, change);
    change->tries = &replay->tries;
    change->past = &replay->past;
    return job_attempts_of_entry(&replay->past, entry);
}

HELD static int resolve_bury(struct replay *replay, const struct job_entry *entry,
                             struct change *change)
{
    resolve_burial(replay, (int64_t)entry->burial);
    int rc = resolve_back(replay, entry, change);
    change->to = JOB_BURIED;
    change->key_ns = (int64_t)entry->burial;
    change->reason = &replay->reason;
    if (rc == 0 && entry->reason_len > 0 &&
        (replay->reason = strndup(entry->reason, entry->reason_len)) == NULL)
        rc = ENOMEM;
    return rc;
}

int change_resolve(struct replay *replay, const struct job_entry *entry, struct change *change)
{
    *change = (struct change){.type = (uint8_t)entry->type, .to = JOB_READY};
    if (entry->type == JOB_ENTRY_PAUSE)
        return resolve_pause(replay, entry, change);
    struct job *job = change->job = idtable_get(&replay->ledger->jobs, entry->id);
    if (job == NULL)
        return ENOENT;
    change->from = job->state;
    switch (entry->type) {
    case JOB_ENTRY_RELEASE:
    case JOB_ENTRY_RETRY:
    case JOB_ENTRY_TIMEOUT:
        return resolve_back(replay, entry, change);
    case JOB_ENTRY_BURY:
        return resolve_bury(replay, entry, change);
    case JOB_ENTRY_DELETE:
        change->to = JOB_FINISHED;
        return 0;
    case JOB_ENTRY_MOVE:
        return resolve_move(replay, entry, change);
    case JOB_ENTRY_KICK:
        change->flags = entry->reset ? CHANGE_RESET : 0;
        return 0;
    default:
        ASSERT(entry->type == JOB_ENTRY_LEASE);
        resolve_out(replay, entry, change);
        return 0;
    }
}

void replay_clean(struct replay *replay)
{
    job_attempts_free(&replay->past);
    free(replay->reason);
    replay->reason = NULL;
}

void replay_end(struct replay *replay)
{
    if (replay->tube != NULL)
        tube_unref(replay->tube);
    replay->tube = NULL;
}
