// SPDX-License-Identifier: MIT
/*
 * The backend `memory`: keeps nothing and calls everything durable at once. It is what --memory
 * means, and the null implementation of the table: whatever works with it depends on no file.
 */
#include "base/magic.h"
#include "journal/file_priv.h"

#include <errno.h>
#include <stdlib.h>

#define MEMORY_JOURNAL_MAGIC 0x70e00000u

struct memory_journal {
    struct journal base;
    uint64_t sequence;
    _Atomic uint64_t frames, records;
};

static struct memory_journal *memory_of(const struct journal *journal)
{
    struct memory_journal *memory = CONTAINER_OF(journal, struct memory_journal, base);
    MAGIC_CHECK(&memory->base, MEMORY_JOURNAL_MAGIC);
    return memory;
}

static int memory_acquire(struct journal *journal, struct journal_error *error)
{
    (void)memory_of(journal);
    (void)error;
    return 0;
}

static int memory_replay(struct journal *journal, const struct journal_visitor *visitor,
                         struct journal_replayed *replayed, struct journal_error *error)
{
    (void)memory_of(journal);
    (void)visitor;
    (void)error;
    *replayed = (struct journal_replayed){.clean = true};
    return 0;
}

static void memory_append(struct journal *journal, struct journal_append *append)
{
    struct memory_journal *memory = memory_of(journal);
    for (size_t i = 0; i < append->count; i++)
        append->records[i].locator = 0;
    append->result = append->expected == memory->sequence ? 0 : ESTALE;
    if (append->result == 0) {
        memory->sequence++;
        atomic_fetch_add(&memory->frames, 1);
        atomic_fetch_add(&memory->records, append->count);
    }
    append->sequence = memory->sequence;
    append->done(append);
}

static int memory_sync(struct journal *journal)
{
    (void)memory_of(journal);
    return 0;
}

static int memory_flush_begin(struct journal *journal, struct journal_flush *flush)
{
    (void)memory_of(journal);
    (void)flush;
    return ENODATA;
}

static int memory_flush_run(struct journal *journal, struct journal_flush *flush)
{
    (void)memory_of(journal);
    (void)flush;
    CANT_HAPPEN("in memory there is nothing to flush");
}

static int64_t memory_room(const struct journal *journal, enum journal_class class)
{
    (void)memory_of(journal);
    (void)class;
    return INT64_MAX;
}

static bool memory_begins(const struct journal *journal, size_t bytes)
{
    (void)memory_of(journal);
    (void)bytes;
    return false;
}

static size_t memory_frame_size(const struct journal *journal)
{
    (void)memory_of(journal);
    return SIZE_MAX;
}

static bool memory_full(const struct journal *journal)
{
    (void)memory_of(journal);
    return false;
}

static int memory_read(struct journal *journal, uint64_t locator, struct buf *record)
{
    (void)memory_of(journal);
    (void)locator;
    buf_clear(record);
    return ENOENT;
}

static int memory_pin(struct journal *journal, uint64_t locator)
{
    (void)memory_of(journal);
    (void)locator;
    return ENOENT;
}

static void memory_unpin(struct journal *journal, uint64_t locator)
{
    (void)memory_of(journal);
    (void)locator;
    CANT_HAPPEN("nothing can be pinned in memory");
}

static int memory_scan_begin(struct journal *journal, struct journal_scan *scan)
{
    (void)memory_of(journal);
    (void)scan;
    return ENOENT;
}

static int memory_scan_next(struct journal *journal, struct journal_scan *scan,
                            const struct journal_visitor *visitor, size_t records)
{
    (void)scan;
    (void)visitor;
    (void)records;
    (void)memory_of(journal);
    return ENOENT;
}

static void memory_scan_end(struct journal *journal, struct journal_scan *scan)
{
    (void)memory_of(journal);
    (void)scan;
}

static int memory_trim(struct journal *journal, uint64_t before, uint64_t *sequence)
{
    (void)memory_of(journal);
    (void)before;
    (void)sequence;
    return 0;
}

static void memory_stat(const struct journal *journal, struct journal_stat *stat)
{
    const struct memory_journal *memory = memory_of(journal);
    *stat = (struct journal_stat){.frames = atomic_load(&memory->frames),
                                  .records = atomic_load(&memory->records)};
}

static int memory_close(struct journal *journal)
{
    struct memory_journal *memory = memory_of(journal);
    MAGIC_WIPE(&memory->base);
    free(memory);
    return 0;
}

static const struct journal_backend memory_backend = {
    .name = "memory",
    .acquire = memory_acquire,
    .replay = memory_replay,
    .append = memory_append,
    .sync = memory_sync,
    .flush_begin = memory_flush_begin,
    .flush_run = memory_flush_run,
    .room = memory_room,
    .begins = memory_begins,
    .frame_size = memory_frame_size,
    .full = memory_full,
    .read = memory_read,
    .pin = memory_pin,
    .unpin = memory_unpin,
    .scan_begin = memory_scan_begin,
    .scan_next = memory_scan_next,
    .scan_end = memory_scan_end,
    .trim = memory_trim,
    .stat = memory_stat,
    .close = memory_close,
};

int memory_open(struct journal **out)
{
    struct memory_journal *memory = calloc(1, sizeof(*memory)); /* no magic: it is in `base` */
    if (memory == NULL)
        return ENOMEM;
    MAGIC_INIT(&memory->base, MEMORY_JOURNAL_MAGIC);
    memory->base.backend = &memory_backend;
    *out = &memory->base;
    return 0;
}
