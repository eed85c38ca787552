// SPDX-License-Identifier: MIT
/*
 * The role: one thread at a time takes what is pending, appends it, and tells how far it got.
 *
 * A round: the wants are read and reset; the pending batch is taken under the owner's lock; its
 * changes become frames; the last one is synced if somebody wants that or the time has come; the
 * places of jobs and then the numbers are published. Wants that come meanwhile are seen after the
 * round, or, if they come when the role was just given up, by the check that follows: the one who
 * wants sets the flag and then looks whether the role is free, the one who leads frees the role and
 * then looks at the flags, so one of both sees the other.
 *
 * No space: the batch stays taken and is gone on with at the next try; nothing of it was written
 * twice. Broken: the batch is dropped and nothing is ever published again.
 */
#include "base/clock.h"
#include "base/log.h"
#include "journal/commit_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool commit_wanted(const struct commit *commit)
{
    return atomic_load(&commit->trim_wanted) != 0 || atomic_load(&commit->wanted[COMMIT_WRITTEN]) ||
           atomic_load(&commit->wanted[COMMIT_DURABLE]);
}

bool commit_is_due(const struct commit *commit)
{
    int64_t due = commit_due_ns(commit);
    return due != CLOCK_NEVER && due <= clock_now_ns();
}

void commit_want(struct commit *commit, enum commit_want want)
{
    /* Set already: whoever takes the flag away will see what was added before now, too. */
    if (!atomic_load(&commit->wanted[want]))
        atomic_store(&commit->wanted[want], true);
}

/* ---- one frame ---- */

struct frame_wait {
    struct journal_append append;
    _Atomic uint32_t done;
};

static void frame_done(struct journal_append *append)
{
    struct frame_wait *wait = append->arg;
    atomic_store(&wait->done, 1);
    park_wake(&wait->done, 1);
}

static int records_reserve(struct commit *commit, size_t count)
{
    if (count <= commit->records_cap)
        return 0;
    size_t cap = commit->records_cap > 0 ? commit->records_cap : 256;
    while (cap < count)
        cap *= 2;
    struct journal_record *records = realloc(commit->records, cap * sizeof(*records));
    if (records != NULL)
        commit->records = records;
    struct slot **slots = realloc(commit->record_slots, cap * sizeof(struct slot *));
    if (slots != NULL)
        commit->record_slots = slots;
    if (records == NULL || slots == NULL)
        return ENOMEM;
    commit->records_cap = cap;
    return 0;
}

static int placed_reserve(struct commit *commit, size_t more)
{
    if (commit->placed_cap - commit->placed_count >= more)
        return 0;
    size_t cap = commit->placed_cap > 0 ? commit->placed_cap : 256;
    while (cap - commit->placed_count < more)
        cap *= 2;
    struct commit_placed *placed = realloc(commit->placed, cap * sizeof(*placed));
    if (placed == NULL)
        return ENOMEM;
    commit->placed = placed;
    commit->placed_cap = cap;
    return 0;
}

/* Its bytes are made now, if they weren't before. ENOMEM: nothing changed. */
static int slot_ready(const struct commit *commit, struct slot *slot)
{
    struct job_body *body;
    if (!slot->is_late)
        return 0;
    int rc = commit->options.make(slot->late, &body);
    if (rc != 0)
        return rc;
    batch_release(&commit->taken, slot);
    slot->body = body;
    return 0;
}

/* The changes from taken_next on that make one frame. *next: the slot after them; *count: records.
 */
static int frame_gather(struct commit *commit, size_t *next, size_t *count)
{
    struct batch *taken = &commit->taken;
    struct journal_room room;
    journal_room(commit->options.journal, &room);
    const size_t most =
        room.frame < commit->options.frame_max ? room.frame : commit->options.frame_max;
    size_t bytes = 0;
    *count = 0;
    for (*next = commit->taken_next; *next < taken->count; (*next)++) {
        struct slot *slot = &taken->slot[*next];
        if (slot->gone)
            continue;
        int rc = slot_ready(commit, slot);
        if (rc != 0)
            return rc;
        size_t body = slot->body != NULL ? slot->body->len : 0;
        size_t more = JOURNAL_RECORD_HEAD + slot->head_len + body;
        if (*count > 0 && bytes + more > most)
            break;
        rc = records_reserve(commit, *count + 1);
        if (rc != 0)
            return rc;
        bytes += more;
        commit->record_slots[*count] = slot;
        commit->records[(*count)++] =
            (struct journal_record){.head = taken->heads.data + slot->head_at,
                                    .head_len = slot->head_len,
                                    .body = slot->body != NULL ? slot->body->bytes : NULL,
                                    .body_len = (uint32_t)body};
    }
    return placed_reserve(commit, *count);
}

/* Bodies that are written aren't needed any more: their owner may be waiting to free them. */
static void frame_place(struct commit *commit, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = commit->record_slots[i];
        batch_release(&commit->taken, slot);
        if (slot->type == JOB_ENTRY_PUT)
            commit->placed[commit->placed_count++] = (struct commit_placed){
                .id = slot->id,
                .ticket = commit->taken.base + (uint64_t)(slot - commit->taken.slot),
                .locator = commit->records[i].locator};
    }
}

static void frame_figures(struct commit *commit, size_t count)
{
    counter_add(&commit->commits, 1);
    counter_add(&commit->changes, count);
    counter_add(&commit->batch_log2[journal_log2(count)], 1);
    if (count > counter_get(&commit->batch_max))
        counter_add(&commit->batch_max, count - counter_get(&commit->batch_max));
}

/* Appends one frame of what is taken. `sync`: if it is the last of the batch. */
static int frame_append(struct commit *commit, bool sync)
{
    size_t next, count;
    int rc = frame_gather(commit, &next, &count);
    if (rc != 0)
        return rc;
    if (count == 0) { /* all cancelled */
        commit->taken_next = next;
        return 0;
    }
    struct frame_wait wait = {
        .append = {.records = commit->records,
                   .count = count,
                   .class = commit->taken.copies ? JOURNAL_COMPACT : JOURNAL_STATE,
                   .sync = sync && next == commit->taken.count,
                   .expected = commit->sequence,
                   .done = frame_done}};
    wait.append.arg = &wait;
    journal_append(commit->options.journal, &wait.append);
    while (atomic_load(&wait.done) == 0)
        (void)park_wait(&wait.done, 0, CLOCK_NEVER);
    if (wait.append.result != 0)
        return wait.append.result;
    commit->sequence = wait.append.sequence;
    commit->unsynced_frame = !wait.append.sync;
    commit->taken_next = next;
    frame_place(commit, count);
    frame_figures(commit, count);
    return 0;
}

/* ---- a round ---- */

static void batch_take(struct commit *commit)
{
    const struct commit_options *options = &commit->options;
    options->lock(options->arg);
    struct batch empty = commit->taken;
    commit->taken = commit->pending;
    empty.base = commit->last + 1;
    commit->pending = empty;
    int64_t due = atomic_load(&commit->pending_due_ns);
    if (due < atomic_load(&commit->taken_due_ns))
        atomic_store(&commit->taken_due_ns, due);
    atomic_store(&commit->pending_due_ns, CLOCK_NEVER);
    atomic_store(&commit->taken_bytes, commit->taken.bytes);
    atomic_store(&commit->pending_bytes, 0);
    options->unlock(options->arg);
    commit->taken_next = 0;
}

/* A round and a flush may both have something to say. */
static void durable_raise(struct commit *commit, uint64_t ticket)
{
    uint64_t now = atomic_load(&commit->reached[COMMIT_DURABLE]);
    while (now < ticket &&
           !atomic_compare_exchange_weak(&commit->reached[COMMIT_DURABLE], &now, ticket)) {
    }
}

static void published_tell(const struct commit *commit)
{
    if (commit->options.published != NULL)
        commit->options.published(commit->options.arg);
}

static void publish(struct commit *commit, bool durable)
{
    struct batch *taken = &commit->taken;
    uint64_t last = taken->base + taken->count - 1;
    counter_add(&commit->cancelled, taken->gone);
    if (commit->placed_count > 0 && commit->options.placed != NULL)
        commit->options.placed(commit->options.arg, commit->placed, commit->placed_count);
    commit->placed_count = 0;
    atomic_store(&commit->reached[COMMIT_WRITTEN], last);
    if (durable) {
        atomic_store(&commit->taken_due_ns, CLOCK_NEVER);
        durable_raise(commit, last);
    }
    batch_clear(taken);
    atomic_store(&commit->taken_bytes, 0);
    commit->taken_next = 0;
    published_tell(commit);
}

static int fail(struct commit *commit, int rc)
{
    atomic_store(&commit->failed, rc);
    batch_clear(&commit->taken);
    commit->taken_next = 0;
    atomic_store(&commit->taken_bytes, 0);
    commit->placed_count = 0;
    if (commit->options.failed != NULL)
        commit->options.failed(commit->options.arg, rc);
    return EIO;
}

static int round_append(struct commit *commit, bool sync)
{
    int rc = 0;
    int64_t begun = sync ? clock_now_ns() : 0;
    while (rc == 0 && commit->taken_next < commit->taken.count)
        rc = frame_append(commit, sync);
    /* The last change may have been a cancelled one, and its frame gone out without sync. */
    if (rc == 0 && sync && commit->unsynced_frame) {
        rc = journal_sync(commit->options.journal);
        commit->unsynced_frame = rc != 0;
    }
    if (rc == 0 && sync)
        brief_measure(commit, commit->taken.bytes, clock_now_ns() - begun);
    return rc;
}

static int trim(struct commit *commit, uint64_t before)
{
    if (atomic_load(&commit->failed) != 0)
        return EIO;
    int rc = journal_trim(commit->options.journal, before, &commit->sequence);
    return rc == EIO || rc == ESTALE ? fail(commit, rc) : rc;
}

/* For who found the role taken. What else it says, he hears when he asks again. */
static void trim_posted(struct commit *commit)
{
    uint64_t before = atomic_exchange(&commit->trim_wanted, 0);
    if (before != 0 && trim(commit, before) == 0)
        published_tell(commit);
}

/* What is pending is written, and synced or not. */
static int batch_commit(struct commit *commit, bool sync)
{
    bool left = commit->taken.count > 0; /* by a try without space */
    if (!left)
        batch_take(commit);
    int rc = round_append(commit, sync);
    atomic_store(&commit->stuck, rc == ENOSPC || rc == ENOMEM);
    if (rc != 0 && rc != ENOSPC && rc != ENOMEM)
        return fail(commit, rc);
    if (rc != 0 || left) /* what was wanted may be pending yet */
        atomic_store(&commit->wanted[sync ? COMMIT_DURABLE : COMMIT_WRITTEN], true);
    if (rc != 0)
        return ENOSPC;
    publish(commit, sync || !commit->unsynced_frame);
    return 0;
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
    commit_thread_arm(commit, commit_due_ns(commit));
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

int commit_lead(struct commit *commit)
{
    MAGIC_CHECK(commit, COMMIT_MAGIC);
    int rc;
    do {
        while ((rc = commit_round(commit, true)) == 0) {
        }
    } while (rc == ENODATA && (commit_wanted(commit) || commit_is_due(commit)));
    return rc == ENODATA ? 0 : rc;
}

/* ---- a sync beside the role ---- */

/* Writes what is pending. ENODATA: then there is nothing to sync. *upto: what the sync is for. */
static int flush_begin(struct commit *commit, struct journal_syncing *syncing, uint64_t *upto)
{
    trim_posted(commit);
    atomic_store(&commit->wanted[COMMIT_WRITTEN], false);
    int rc = atomic_load(&commit->failed) != 0 ? EIO : batch_commit(commit, false);
    if (rc == 0)
        rc = journal_sync_begin(commit->options.journal, syncing);
    *upto = atomic_load(&commit->reached[COMMIT_WRITTEN]);
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
        return commit_lead(commit);
    }
    if (begun == 0 || begun == ENODATA) {
        durable_raise(commit, upto);
        published_tell(commit);
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
    int led = rc == 0 && commit_wanted(commit) ? commit_lead(commit) : 0;
    (void)led; /* the next who asks hears of it */
    return rc;
}
