// SPDX-License-Identifier: MIT
/*
 * The face of the journal: each function asks the backend's table. Which backend it is, is decided
 * in journal_open and nowhere else; another one is a table of methods and a line there.
 */
#include "journal/backend.h"

#include <errno.h>

int journal_open(struct journal **out, const struct journal_settings *settings,
                 struct journal_error *error)
{
    error->text[0] = '\0';
    if (settings->directory != NULL)
        return file_open(out, settings, error);
    int rc = none_open(out);
    return rc == 0 ? 0 : journal_error_set(error, rc, "there is not enough memory");
}

void journal_facts(const struct journal *journal, struct journal_facts *facts)
{
    journal->backend->facts(journal, facts);
}

int journal_acquire(struct journal *journal, struct journal_error *error)
{
    error->text[0] = '\0';
    return journal->backend->acquire(journal, error);
}

int journal_replay(struct journal *journal, const struct journal_visitor *visitor,
                   struct journal_replayed *replayed, struct journal_error *error)
{
    error->text[0] = '\0';
    return journal->backend->replay(journal, visitor, replayed, error);
}

void journal_append(struct journal *journal, struct journal_append *append)
{
    journal->backend->append(journal, append);
}

int journal_sync_begin(struct journal *journal, struct journal_syncing *syncing)
{
    return journal->backend->sync_begin(journal, syncing);
}

int journal_sync_run(struct journal *journal, struct journal_syncing *syncing)
{
    return journal->backend->sync_run(journal, syncing);
}

int journal_sync(struct journal *journal)
{
    struct journal_syncing syncing;
    int rc = journal_sync_begin(journal, &syncing);
    if (rc == 0)
        return journal_sync_run(journal, &syncing);
    return rc == ENODATA ? 0 : rc;
}

void journal_room(const struct journal *journal, struct journal_room *room)
{
    journal->backend->room(journal, room);
}

int journal_read(struct journal *journal, uint64_t locator, struct buf *record)
{
    return journal->backend->read(journal, locator, record);
}

int journal_pin(struct journal *journal, uint64_t locator)
{
    return journal->backend->pin(journal, locator);
}

void journal_unpin(struct journal *journal, uint64_t locator)
{
    journal->backend->unpin(journal, locator);
}

int journal_scan_begin(struct journal *journal, struct journal_scan *scan)
{
    return journal->backend->scan_begin(journal, scan);
}

int journal_scan_next(struct journal *journal, struct journal_scan *scan,
                      const struct journal_visitor *visitor, size_t records)
{
    return journal->backend->scan_next(journal, scan, visitor, records);
}

void journal_scan_end(struct journal *journal, struct journal_scan *scan)
{
    journal->backend->scan_end(journal, scan);
}

int journal_trim(struct journal *journal, uint64_t before, uint64_t *sequence)
{
    return journal->backend->trim(journal, before, sequence);
}

void journal_stat(const struct journal *journal, struct journal_stat *stat)
{
    journal->backend->stat(journal, stat);
}

int journal_close(struct journal **journal)
{
    struct journal *mine = *journal;
    *journal = NULL;
    return mine->backend->close(mine);
}
