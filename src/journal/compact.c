// SPDX-License-Identifier: MIT
/*
 * Compaction, slice by slice: look at the oldest segment, let the owner add again what is alive,
 * wait until that is durable, trim.
 *
 * Nothing is held between two slices but the pin of the segment, so it can stop at any place for
 * any time, and a step that can't go on (the pending changes are too many, the role is taken) says
 * so and leaves everything as it is.
 */
#include "journal/compact.h"

#include "journal/commit_priv.h"

#include <errno.h>
#include <stdlib.h>

#define COMPACT_MAGIC 0xc0447ac7u

#define COMPACT_SLICE_DEFAULT 256
/* Beyond twice the living: what so many trims give back may lie about. */
#define COMPACT_SLACK_UNITS 2

struct compact {
    unsigned magic;
    struct compact_options options;
    bool scanning;
    struct journal_scan scan;
    bool copied;     /* everything alive was added again */
    uint64_t ticket; /* of the last change then */
    uint64_t end;    /* what may be trimmed once that is durable */
    int refused;     /* what the owner said last */
    struct counter trims, looked_at, steps;
};

int compact_new(struct compact **out, const struct compact_options *options)
{
    ASSERT(options->journal != NULL && options->commit != NULL && options->record != NULL);
    struct compact *compact = calloc(1, sizeof(*compact));
    if (compact == NULL)
        return ENOMEM;
    MAGIC_INIT(compact, COMPACT_MAGIC);
    compact->options = *options;
    if (compact->options.slice == 0)
        compact->options.slice = COMPACT_SLICE_DEFAULT;
    *out = compact;
    return 0;
}

void compact_free(struct compact **compact)
{
    if (*compact == NULL)
        return;
    struct compact *mine;
    MAGIC_TAKE(mine, compact, COMPACT_MAGIC);
    if (mine->scanning)
        journal_scan_end(mine->options.journal, &mine->scan);
    MAGIC_WIPE(mine);
    free(mine);
}

bool compact_is_due_with(const struct journal_room *room, uint64_t live_bytes)
{
    if (room->used <= room->unit) /* it is all in what is written to */
        return false;
    if (room->full) /* the living are a guess upwards: nothing to go by when every byte counts */
        return true;
    return room->used > 2 * live_bytes + COMPACT_SLACK_UNITS * room->unit;
}

bool compact_is_due(const struct compact *compact, uint64_t live_bytes)
{
    MAGIC_CHECK(compact, COMPACT_MAGIC);
    struct journal_room room;
    journal_room(compact->options.journal, &room);
    return compact_is_due_with(&room, live_bytes);
}

static int look_at(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct compact *compact = arg;
    compact->refused = compact->options.record(compact->options.arg, locator, bytes, len);
    if (compact->refused == 0)
        counter_add(&compact->looked_at, 1);
    return compact->refused;
}

static int copy_slice(struct compact *compact)
{
    const struct journal_visitor visitor = {.record = look_at, .arg = compact};
    compact->refused = 0;
    int rc = journal_scan_next(compact->options.journal, &compact->scan, &visitor,
                               compact->options.slice);
    if (rc == EAGAIN && compact->refused == 0)
        return 0; /* the slice is over */
    if (rc == EAGAIN)
        commit_want(compact->options.commit, COMMIT_WRITTEN);
    if (rc != 0)
        return rc;
    compact->copied = true;
    compact->end = compact->scan.end;
    journal_scan_end(compact->options.journal, &compact->scan);
    const struct commit_options *owner = &compact->options.commit->options;
    owner->lock(owner->arg);
    compact->ticket = commit_last(compact->options.commit);
    owner->unlock(owner->arg);
    return 0;
}

static int retire(struct compact *compact)
{
    struct commit *commit = compact->options.commit;
    if (commit_reached(commit, COMMIT_DURABLE) < compact->ticket) {
        commit_want(commit, COMMIT_DURABLE);
        return atomic_load(&commit->failed) != 0 ? EIO : EAGAIN;
    }
    int rc = commit_trim(commit, compact->end);
    if (rc == EBUSY)
        return EAGAIN;
    if (rc != 0)
        return rc;
    compact->copied = false;
    counter_add(&compact->trims, 1);
    return ENOENT;
}

int compact_step(struct compact *compact)
{
    MAGIC_CHECK(compact, COMPACT_MAGIC);
    counter_add(&compact->steps, 1);
    if (compact->copied)
        return retire(compact);
    if (!compact->scanning) {
        int rc = journal_scan_begin(compact->options.journal, &compact->scan);
        if (rc != 0)
            return rc;
        compact->scanning = true;
    }
    int rc = copy_slice(compact);
    if (compact->copied)
        compact->scanning = false;
    return rc;
}

void compact_stat(const struct compact *compact, struct compact_stat *stat)
{
    MAGIC_CHECK(compact, COMPACT_MAGIC);
    *stat = (struct compact_stat){.trims = counter_get(&compact->trims),
                                  .looked_at = counter_get(&compact->looked_at),
                                  .steps = counter_get(&compact->steps)};
}
