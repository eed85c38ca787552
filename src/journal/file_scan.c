// SPDX-License-Identifier: MIT
/*
 * The scan for compaction: every record of the oldest segment, in slices.
 *
 * It is the walk of replay, which stops after so many records and goes on there. What replay found
 * whole in a damaged commit is visited, too, for it may be alive. The segment is pinned meanwhile.
 */
#include "journal/file_priv.h"
#include "journal/file_walk_priv.h"

#include <errno.h>
#include <stdlib.h>

#define SCAN_MAGIC 0x705ca400u

struct scan {
    unsigned magic;
    struct walk walk;
    struct walk_span span; /* what is being visited; empty: the next frame is to be found */
    uint64_t locator;      /* of the segment, for the pin */
};

int file_scan_begin(struct journal *journal, struct journal_scan *out)
{
    struct file_journal *file = file_journal_of(journal);
    hl_lock_acquire(file->lock);
    uint64_t generation = file->oldest, next;
    while (generation < file->newest && idmap_get(&file->line, generation) == NULL)
        generation++;
    struct segment *segment = generation < file->newest ? idmap_get(&file->line, generation) : NULL;
    const struct segment *after = NULL;
    for (next = generation + 1; segment != NULL && after == NULL && next <= file->newest; next++)
        after = idmap_get(&file->line, next);
    if (after == NULL)
        segment = NULL;
    else
        segment->pins++;
    hl_lock_release(file->lock);
    if (segment == NULL)
        return ENOENT;
    struct scan *scan = calloc(1, sizeof(*scan));
    if (scan == NULL) {
        file_unpin(journal, format_locator(segment->generation, 0));
        return ENOMEM;
    }
    MAGIC_INIT(scan, SCAN_MAGIC);
    scan->locator = format_locator(segment->generation, 0);
    walk_init(&scan->walk, file, segment, "");
    scan->walk.limit = after->first_sequence - 1;
    scan->walk.synced = scan->walk.limit;
    *out = (struct journal_scan){
        .end = format_locator(after->generation, 0), .bytes = segment->size, .inside = scan};
    return 0;
}

int file_scan_next(struct journal *journal, struct journal_scan *outer,
                   const struct journal_visitor *visitor, size_t records)
{
    struct scan *scan = outer->inside;
    MAGIC_CHECK(scan, SCAN_MAGIC);
    (void)journal;
    for (;;) {
        int rc = walk_records(&scan->walk, &scan->span, visitor, &records);
        if (rc != 0)
            return rc;
        uint64_t end = 0;
        rc = walk_next(&scan->walk, &end);
        if (rc == 0)
            scan->span = walk_frame_span(&scan->walk);
        else if (rc == EBADMSG)
            scan->span = walk_damage_span(&scan->walk, end);
        else
            return rc == ENODATA ? 0 : rc;
    }
}

void file_scan_end(struct journal *journal, struct journal_scan *outer)
{
    struct scan *scan = outer->inside;
    MAGIC_CHECK(scan, SCAN_MAGIC);
    walk_fini(&scan->walk);
    file_unpin(journal, scan->locator);
    MAGIC_WIPE(scan);
    free(scan);
    outer->inside = NULL;
}
