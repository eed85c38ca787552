// SPDX-License-Identifier: MIT
/*
 * Recording: the entry of a change into the pending changes of the next commit.
 */
#include "store/store_priv.h"

#include <string.h>

/* What the put of a plain job takes beside tube and body, its part of a frame included. */
#define COST_BYTES 40

/* The ticket of the job's change before; 0: none that could be pending. */
HELD static uint64_t older_of(const struct job *job)
{
    if (job->extra != NULL && job->extra->ticket != 0)
        return job->extra->ticket;
    uint64_t where = locator_get(job);
    return (where & JOB_LOCATOR_PENDING) != 0 ? where & ~JOB_LOCATOR_PENDING : 0;
}

size_t options_size(const struct job *job)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    return options != NULL ? options->encoded : 0;
}

size_t past_size(const struct job *job)
{
    return job->extra != NULL ? job_attempts_size(job->extra->past) : 0;
}

uint64_t store_cost(const struct job *job)
{
    size_t reason =
        job->extra != NULL && job->extra->reason != NULL ? strlen(job->extra->reason) : 0;
    return COST_BYTES + job->tube->name_len + job->body.len + reason + options_size(job) +
           past_size(job);
}

void store_cost_changed(const struct job *job, uint64_t before)
{
    store_of(job)->live_bytes += store_cost(job) - before;
}

/* Admitted with the put that names it first. */
HELD static void record_group(struct store *store, struct job_group *group,
                              enum journal_class class)
{
    const struct job_entry entry = entry_next_of_group(group);
    const struct commit_change change = {.entry = &entry, .class = class};
    (void)commit_add(store->commit, &change);
}

void store_put(struct job *job, enum job_state state, int64_t key_ns, bool by_wall)
{
    struct tube *tube = job->tube;
    if (!tube_is_logged(tube) || job_is_logged(job))
        return;
    struct store *store = tube->ledger->store;
    struct job_group *group = group_of(job);
    bool failed = group != NULL && state == JOB_BURIED; /* and was counted without the journal */
    if (failed)
        group_count(&group->kept, JOB_COUNT_FAILED);
    if (group != NULL && (failed || group->number == 0))
        record_group(store, group, JOURNAL_PUT);
    const struct job_entry entry = entry_of_job_in(job, state, key_ns, by_wall);
    const struct commit_change change = {.entry = &entry,
                                         .body = job->body.len > 0 ? &job->body : NULL,
                                         .within_ns = tube->within_ns,
                                         .class = JOURNAL_PUT};
    uint64_t ticket = commit_add(store->commit, &change);
    locator_set(job, JOB_LOCATOR_PENDING | ticket);
    if (job->extra != NULL)
        job->extra->ticket = ticket;
    store->live_bytes += store_cost(job);
    store_told(store, tube->durability, ticket);
}

/* The job is finished; it isn't in the journal any more. */
HELD static void record_delete(const struct change *change)
{
    struct job *job = change->job;
    const struct tube *tube = job->tube;
    struct store *store = tube->ledger->store;
    struct job_entry last = {.type = JOB_ENTRY_DELETE, .id = job->id};
    entry_count(&last, job, (enum job_fate_count)change->count);
    uint64_t ticket = commit_finish(store->commit, job->id, older_of(job), tube->within_ns,
                                    last.group_count != JOB_COUNT_NONE ? &last : NULL, NULL);
    locator_set(job, 0); /* a copy that is made from now on would outlive it */
    store->live_bytes -= store_cost(job);
    store->died_bytes += store_cost(job);
    store_told(store, tube->durability, ticket);
}

/* ---- changes ---- */

/*
 * A ready job has no side record as a rule: its put is the only link of the chain of its changes
 * then, and a move that is cancelled too late would be an entry of a job that is gone, which is
 * none.
 */
static void ticket_keep(const struct change *change, uint64_t ticket)
{
    struct job *job = change->job;
    if (job == NULL)
        return;
    if (job->extra != NULL)
        job->extra->ticket = ticket;
    if (change->type != JOB_ENTRY_MOVE)
        store_of(job)->died_bytes +=
            COST_BYTES; /* the put has to be written anew with the next copy */
}

void change_record_there(const struct change *change)
{
    struct job *job = change->job;
    if (change->type == JOB_ENTRY_DELETE) {
        record_delete(change);
        return;
    }
    const struct tube *tube = change->tube;
    uint64_t older = 0;
    struct job_entry entry;
    change_entry(change, &entry);
    if (job != NULL) {
        tube = tube != NULL ? tube : job->tube;
        older = older_of(job);
        entry_count(&entry, job, (enum job_fate_count)change->count);
    }
    struct store *store = tube->ledger->store;
    bool soft = (change->flags & CHANGE_SOFT) != 0;
    const struct commit_change commit = {.entry = &entry,
                                         .older = older,
                                         .within_ns = soft ? 0 : tube->within_ns,
                                         .class = JOURNAL_STATE};
    uint64_t ticket = commit_add(store->commit, &commit);
    ticket_keep(change, ticket);
    if (!soft)
        store_told(store, tube->durability, ticket);
}
