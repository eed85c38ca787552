// SPDX-License-Identifier: MIT
/*
 * Syncs: of what was appended, as part of an append, or beside appends by another thread.
 *
 * The latter makes durable what was appended until it began, while others append on: who waits for
 * a write only isn't kept by a sync that is due. It holds a pin on its segment; should another one
 * be begun meanwhile, that begins with a sync of the old one, as ever.
 *
 * One at a time: the kernel tells an error once to each open file, so of two syncs of a file at the
 * same time one might be told that all is well. Who comes second looks first whether the one before
 * him failed.
 */
#include "base/clock.h"
#include "base/log.h"
#include "journal/file_priv.h"

#include <errno.h>
#include <string.h>

int file_break(struct file_journal *file, int rc, const char *what)
{
    int none = 0;
    if (atomic_compare_exchange_strong(&file->broken, &none, rc))
        log_error("journal: %s in %s failed (%s): nothing is durable any more", what, file->path,
                  strerrordesc_np(rc));
    return EIO;
}

static void sync_count(struct file_journal *file, uint64_t took_ns)
{
    hl_lock_acquire(file->lock);
    file->stat.syncs++;
    file->stat.sync_ns += took_ns;
    if (took_ns > file->stat.sync_max_ns)
        file->stat.sync_max_ns = took_ns;
    file->stat.sync_log2_us[journal_log2(took_ns / 1000)]++;
    hl_lock_release(file->lock);
}

/* Frames up to `upto` are durable after it. */
static int segment_sync(struct file_journal *file, const struct segment *segment, uint64_t upto)
{
    hl_lock_acquire(file->sync_lock);
    int64_t begun_ns = clock_now_ns();
    bool broken = atomic_load(&file->broken) != 0;
    int rc = broken ? EIO : file->sys->sync_data(segment->fd);
    if (rc != 0)
        rc = file_break(file, rc, "a sync");
    else if (upto > atomic_load(&file->synced_to))
        atomic_store(&file->synced_to, upto);
    uint64_t took_ns = (uint64_t)(clock_now_ns() - begun_ns);
    hl_lock_release(file->sync_lock);
    if (rc == 0)
        sync_count(file, took_ns);
    return rc;
}

int active_write_out(struct file_journal *file)
{
    return segment_sync(file, file->active, file->sequence);
}

uint64_t active_unsynced(const struct file_journal *file)
{
    return file->sequence - atomic_load(&file->synced_to);
}

int active_sync(struct file_journal *file)
{
    return active_unsynced(file) == 0 ? 0 : active_write_out(file);
}

int file_sync_begin(struct journal *journal, struct journal_syncing *syncing)
{
    struct file_journal *file = file_journal_of(journal);
    if (atomic_load(&file->broken) != 0)
        return EIO;
    if (active_unsynced(file) == 0)
        return ENODATA;
    struct segment *segment = file->active;
    MUST(file_pin(journal, format_locator(segment->generation, 0)));
    *syncing = (struct journal_syncing){.sequence = file->sequence, .inside = segment};
    return 0;
}

int file_sync_run(struct journal *journal, struct journal_syncing *syncing)
{
    struct segment *segment = syncing->inside;
    MAGIC_CHECK(segment, SEGMENT_MAGIC);
    int rc = segment_sync(file_journal_of(journal), segment, syncing->sequence);
    file_unpin(journal, format_locator(segment->generation, 0));
    syncing->inside = NULL;
    return rc;
}
