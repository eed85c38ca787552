// SPDX-License-Identifier: MIT
/*
 * Changes: admitting, adding, cancelling them, under the owner's lock. Who commits them is in
 * commit_round.c.
 *
 * Tickets are numbers of slots: the pending batch begins with ticket `base`, so whether a ticket is
 * still pending is one comparison, and its change is one index away. A taken batch can't be found
 * by ticket any more: what it holds will be written.
 */
#include "base/clock.h"
#include "journal/commit_priv.h"

#include <errno.h>
#include <stdlib.h>

static size_t frame_default(const struct journal *journal)
{
    struct journal_room room;
    journal_room(journal, &room);
    return room.frame < COMMIT_FRAME_DEFAULT ? room.frame : COMMIT_FRAME_DEFAULT;
}

int commit_new(struct commit **out, const struct commit_options *options)
{
    ASSERT(options->journal != NULL && options->lock != NULL && options->unlock != NULL);
    struct commit *commit = calloc(1, sizeof(*commit));
    if (commit == NULL)
        return ENOMEM;
    MAGIC_INIT(commit, COMMIT_MAGIC);
    commit->options = *options;
    if (commit->options.pending_max == 0)
        commit->options.pending_max = COMMIT_PENDING_DEFAULT;
    if (commit->options.frame_max == 0)
        commit->options.frame_max = frame_default(options->journal);
    commit->sequence = options->last_sequence;
    atomic_store(&commit->counts, options->last_sequence);
    journal_facts(options->journal, &commit->facts);
    batch_init(&commit->pending, options->drop);
    atomic_store(&commit->pending_due_ns, CLOCK_NEVER);
    atomic_store(&commit->taken_due_ns, CLOCK_NEVER);
    int rc = flights_init(commit);
    if (rc == 0 && options->thread)
        rc = commit_thread_start(commit);
    if (rc == 0)
        *out = commit;
    else
        commit_free(&commit);
    return rc;
}

int commit_stop(struct commit *commit)
{
    MAGIC_CHECK(commit, COMMIT_MAGIC);
    if (commit->stopped)
        return atomic_load(&commit->failed);
    commit_thread_stop(commit);
    commit->stopped = true;
    commit_want(commit, COMMIT_DURABLE);
    return commit_lead(commit);
}

void commit_free(struct commit **commit)
{
    if (*commit == NULL)
        return;
    struct commit *mine;
    MAGIC_TAKE(mine, commit, COMMIT_MAGIC);
    commit_thread_stop(mine);
    if (mine->flights != NULL)
        flights_await(mine);
    batch_fini(&mine->pending);
    flights_fini(mine);
    MAGIC_WIPE(mine);
    free(mine);
}

size_t commit_unwritten(const struct commit *commit)
{
    return commit->pending.bytes + atomic_load(&commit->taken_bytes);
}

int commit_admit(struct commit *commit, enum journal_class class, size_t changes, size_t bytes)
{
    if (atomic_load(&commit->failed) != 0)
        return EIO;
    if (bytes > commit->facts.record_max)
        return EMSGSIZE;
    size_t unwritten = commit_unwritten(commit);
    size_t more = bytes + changes * COMMIT_RECORD_OVERHEAD;
    bool waits = unwritten > 0 && (class == JOURNAL_PUT || class == JOURNAL_COMPACT);
    if (waits && unwritten + more > commit->options.pending_max)
        return EAGAIN;
    struct journal_room room;
    journal_room(commit->options.journal, &room);
    if (journal_room_of(&room, class) < (int64_t)(unwritten + more)) {
        /* What is pending is guessed upwards: copies of many small jobs take half of that. */
        if (waits && class == JOURNAL_COMPACT)
            return EAGAIN;
        if (room.full)
            return ENOSPC;
        /* Being prepared. Alone, this change could only wait for itself: the append will wait. */
        if (waits)
            return EAGAIN;
    }
    return batch_reserve(&commit->pending, changes);
}

/* [owner] */
static uint64_t ticket_give(struct commit *commit, int64_t within_ns)
{
    struct batch *pending = &commit->pending;
    if (within_ns <= 0)
        within_ns = COMMIT_WITHIN_LAZY;
    /* One look at the clock for a batch, as a rule: who came first is due first. */
    if (within_ns < pending->within_ns) {
        pending->within_ns = within_ns;
        int64_t due = clock_deadline(within_ns);
        if (due < atomic_load_explicit(&commit->pending_due_ns, memory_order_relaxed)) {
            atomic_store(&commit->pending_due_ns, due);
            commit_thread_arm(commit, due);
        }
    }
    atomic_store_explicit(&commit->pending_bytes, pending->bytes, memory_order_relaxed);
    return ++commit->last;
}

uint64_t commit_add(struct commit *commit, const struct commit_change *change)
{
    struct batch *pending = &commit->pending;
    const struct slot *older = batch_find(pending, change->older);
    bool first = older != NULL && older->first;
    struct slot *slot = batch_add(pending, change->entry);
    slot->older = change->older;
    slot->copies = change->class == JOURNAL_COMPACT;
    slot->first = first || (slot->type == JOB_ENTRY_PUT && !slot->copies);
    if (change->body != NULL)
        slot->body = job_body_ref(change->body);
    else if (change->late != NULL) {
        slot->late = change->late;
        slot->is_late = true;
    }
    pending->copies = pending->copies || slot->copies;
    pending->bytes += COMMIT_RECORD_OVERHEAD + slot->head_len +
                      (change->body != NULL ? change->body->len : change->late_most);
    return ticket_give(commit, change->within_ns);
}

uint64_t commit_finish(struct commit *commit, uint64_t id, uint64_t older, int64_t within_ns,
                       const struct job_entry *last_entry, bool *cancelled)
{
    struct batch *pending = &commit->pending;
    struct slot *last = batch_find(pending, older);
    bool first = last != NULL && last->first;
    for (struct slot *slot = last; slot != NULL; slot = batch_find(pending, slot->older)) {
        ASSERT(slot->id == id);
        if (!slot->stays)
            batch_cancel(pending, slot);
    }
    const struct job_entry plain = {.type = JOB_ENTRY_DELETE, .id = id};
    ASSERT(last_entry == NULL || (last_entry->type == JOB_ENTRY_DELETE && last_entry->id == id));
    struct slot *slot = batch_add(pending, last_entry != NULL ? last_entry : &plain);
    pending->bytes += COMMIT_RECORD_OVERHEAD + slot->head_len;
    if (first && last_entry == NULL)
        batch_cancel(pending, slot); /* its ticket stays, and is reached in its turn */
    if (cancelled != NULL)
        *cancelled = first;
    return ticket_give(commit, within_ns);
}

uint64_t commit_last(const struct commit *commit)
{
    return commit->last;
}

void commit_stat(struct commit *commit, struct commit_stat *stat)
{
    MAGIC_CHECK(commit, COMMIT_MAGIC);
    *stat = (struct commit_stat){.commits = counter_get(&commit->commits),
                                 .changes = counter_get(&commit->changes),
                                 .cancelled = counter_get(&commit->cancelled),
                                 .batch_max = counter_get(&commit->batch_max),
                                 .led_inline = counter_get(&commit->led_inline),
                                 .written = commit_reached(commit, COMMIT_WRITTEN),
                                 .durable = commit_reached(commit, COMMIT_DURABLE),
                                 .failed = atomic_load(&commit->failed)};
    for (unsigned i = 0; i < JOURNAL_LOG2; i++)
        stat->batch_log2[i] = counter_get(&commit->batch_log2[i]);
    commit->options.lock(commit->options.arg);
    stat->last = commit->last;
    stat->pending_bytes = commit->pending.bytes + atomic_load(&commit->taken_bytes);
    commit->options.unlock(commit->options.arg);
    stat->pending = stat->last > stat->written ? stat->last - stat->written : 0;
}
