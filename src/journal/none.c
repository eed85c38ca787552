// SPDX-License-Identifier: MIT
/*
 * The backend `none`: keeps nothing and calls everything durable at once. It is the null
 * implementation of the table: whatever works with it depends on no file. Used by tests
 * only: a daemon without a data directory has no journal at all.
 */
#include "base/magic.h"
#include "journal/backend.h"

#include <errno.h>
#include <stdlib.h>

#define NONE_JOURNAL_MAGIC 0x70e00000u

struct none_journal {
    struct journal base;
    uint64_t sequence;
    _Atomic uint64_t frames, records;
};

static struct none_journal *none_of(const struct journal *journal)
{
    struct none_journal *none = CONTAINER_OF(journal, struct none_journal, base);
    MAGIC_CHECK(&none->base, NONE_JOURNAL_MAGIC);
    return none;
}

static void none_facts(const struct journal *journal, struct journal_facts *facts)
{
    (void)none_of(journal);
    *facts = (struct journal_facts){.window = 1, .record_max = JOURNAL_RECORD_MAX};
}

static int none_acquire(struct journal *journal, struct journal_error *error)
{
    (void)none_of(journal);
    (void)error;
    return 0;
}

static int none_replay(struct journal *journal, const struct journal_visitor *visitor,
                       struct journal_replayed *replayed, struct journal_error *error)
{
    (void)none_of(journal);
    (void)visitor;
    (void)error;
    *replayed = (struct journal_replayed){.clean = true};
    return 0;
}

static void none_append(struct journal *journal, struct journal_append *append)
{
    struct none_journal *none = none_of(journal);
    for (size_t i = 0; i < append->count; i++)
        append->records[i].locator = 0;
    append->result = append->expected == none->sequence ? 0 : ESTALE;
    if (append->result == 0) {
        none->sequence++;
        atomic_fetch_add(&none->frames, 1);
        atomic_fetch_add(&none->records, append->count);
    }
    append->durable = append->result == 0;
    append->sequence = none->sequence;
    append->done(append);
}

static int none_sync_begin(struct journal *journal, struct journal_syncing *syncing)
{
    (void)none_of(journal);
    (void)syncing;
    return ENODATA;
}

static int none_sync_run(struct journal *journal, struct journal_syncing *syncing)
{
    (void)none_of(journal);
    (void)syncing;
    CANT_HAPPEN("where nothing is kept there is nothing to sync");
}

static void none_room(const struct journal *journal, struct journal_room *room)
{
    (void)none_of(journal);
    *room = (struct journal_room){.put = INT64_MAX,
                                  .change = INT64_MAX,
                                  .last = INT64_MAX,
                                  .copy = INT64_MAX,
                                  .frame = SIZE_MAX};
}

static int none_read(struct journal *journal, uint64_t locator, struct buf *record)
{
    (void)none_of(journal);
    (void)locator;
    buf_clear(record);
    return ENOENT;
}

static int none_pin(struct journal *journal, uint64_t locator)
{
    (void)none_of(journal);
    (void)locator;
    return ENOENT;
}

static void none_unpin(struct journal *journal, uint64_t locator)
{
    (void)none_of(journal);
    (void)locator;
    CANT_HAPPEN("nothing can be pinned where nothing is kept");
}

static int none_scan_begin(struct journal *journal, struct journal_scan *scan)
{
    (void)none_of(journal);
    (void)scan;
    return ENOENT;
}

static int none_scan_next(struct journal *journal, struct journal_scan *scan,
                          const struct journal_visitor *visitor, size_t records)
{
    (void)scan;
    (void)visitor;
    (void)records;
    (void)none_of(journal);
    return ENOENT;
}

static void none_scan_end(struct journal *journal, struct journal_scan *scan)
{
    (void)none_of(journal);
    (void)scan;
}

static int none_trim(struct journal *journal, uint64_t before, uint64_t *sequence)
{
    (void)none_of(journal);
    (void)before;
    (void)sequence;
    return 0;
}

static void none_stat(const struct journal *journal, struct journal_stat *stat)
{
    const struct none_journal *none = none_of(journal);
    *stat = (struct journal_stat){.frames = atomic_load(&none->frames),
                                  .records = atomic_load(&none->records)};
}

static int none_close(struct journal *journal)
{
    struct none_journal *none = none_of(journal);
    MAGIC_WIPE(&none->base);
    free(none);
    return 0;
}

static const struct journal_backend none_backend = {
    .name = "none",
    .facts = none_facts,
    .acquire = none_acquire,
    .replay = none_replay,
    .append = none_append,
    .sync_begin = none_sync_begin,
    .sync_run = none_sync_run,
    .room = none_room,
    .read = none_read,
    .pin = none_pin,
    .unpin = none_unpin,
    .scan_begin = none_scan_begin,
    .scan_next = none_scan_next,
    .scan_end = none_scan_end,
    .trim = none_trim,
    .stat = none_stat,
    .close = none_close,
};

int none_open(struct journal **out)
{
    struct none_journal *none = calloc(1, sizeof(*none)); /* no magic: it is in `base` */
    if (none == NULL)
        return ENOMEM;
    MAGIC_INIT(&none->base, NONE_JOURNAL_MAGIC);
    none->base.backend = &none_backend;
    *out = &none->base;
    return 0;
}
