// SPDX-License-Identifier: MIT
/*
 * Compaction: the living records of the oldest segment are added again as ordinary changes; once
 * they are durable, the segment is dead and its space is used again. Part of journal/journal.h.
 *
 * Segments go strictly oldest first, so a put never outlives its delete: whatever follows a record
 * is still there. A delete, and any other change of a job whose PUT lies further back, is dead as
 * soon as the segment is the oldest one: the PUT it belongs to was in this segment or an earlier
 * one, and is gone or was copied with all that had happened.
 *
 * Arrows: this includes commit.h, which knows nothing of it.
 *
 * The work is done in slices, each bounded, by whoever calls compact_step: a housekeeping thread,
 * or the one that leads commits. One compaction at a time for a journal.
 */
#ifndef JOURNAL_COMPACT_H
#define JOURNAL_COMPACT_H

#include "journal/commit.h"

struct compact;

struct compact_options {
    struct journal *journal;
    struct commit *commit;
    size_t slice; /* records looked at in one step; 0: 256 */
    /*
     * Asked for each record of the oldest segment, without locks. If the record at that place is
     * what counts for its job, tube or ceilings, the owner admits (JOURNAL_COMPACT) and adds it
     * again, as it is now. 0: done, or it is dead. EAGAIN, ENOSPC: can't be added now, ask again
     * with the next step; the same record is then seen again.
     */
    int (*record)(void *arg, uint64_t locator, const void *bytes, size_t len);
    void *arg;
};

int compact_new(struct compact **out, const struct compact_options *options);
void compact_free(struct compact **compact);

/*
 * Whether there is enough that is dead: used bytes of the journal are more than twice `live_bytes`
 * (of records that count, as the owner knows them) and some units of room, or the disk is full:
 * then the owner decides how much must have died.
 */
bool compact_is_due(const struct compact *compact, uint64_t live_bytes);
/* The same of a look that one has taken. */
bool compact_is_due_with(const struct journal_room *room, uint64_t live_bytes);

/*
 * One slice. 0: there is more to do at once. EAGAIN: waits for copies to become durable (it has
 * said commit_want) or for the role; call again soon. ENOENT: a segment was retired with this step,
 * or there is none; ask compact_is_due again. ENOSPC, EIO, ENOMEM.
 */
int compact_step(struct compact *compact);

void compact_stat(const struct compact *compact, struct compact_stat *stat);

#endif
