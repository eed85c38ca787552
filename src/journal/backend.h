// SPDX-License-Identifier: MIT
/*
 * What keeps a journal's frames: a const table of methods, which journal.c asks. Another backend is
 * such a table, and a line in journal_open.
 *
 * An append only begins: `done` may come while others are under way, in any order and on any
 * thread, but without a lock. What finds no room wasn't done, and neither is what follows it, which
 * expects a frame that isn't there. Everything above relies on nothing else, so a backend that
 * answers before append returns and one that asks other machines are served by the same code.
 *
 * Arrows: backends and journal.c include this, which includes frames.h; commit and compaction know
 * only that.
 */
#ifndef JOURNAL_BACKEND_H
#define JOURNAL_BACKEND_H

#include "journal/frames.h"

/* Every entry is mandatory; they mean what the functions of that name in frames.h say. */
struct journal_backend {
    const char *name;
    void (*facts)(const struct journal *journal, struct journal_facts *facts);
    int (*acquire)(struct journal *journal, struct journal_error *error);
    int (*replay)(struct journal *journal, const struct journal_visitor *visitor,
                  struct journal_replayed *replayed, struct journal_error *error);
    void (*append)(struct journal *journal, struct journal_append *append);
    int (*sync_begin)(struct journal *journal, struct journal_syncing *syncing);
    int (*sync_run)(struct journal *journal, struct journal_syncing *syncing);
    void (*room)(const struct journal *journal, struct journal_room *room);
    int (*read)(struct journal *journal, uint64_t locator, struct buf *record);
    int (*pin)(struct journal *journal, uint64_t locator);
    void (*unpin)(struct journal *journal, uint64_t locator);
    int (*scan_begin)(struct journal *journal, struct journal_scan *scan);
    int (*scan_next)(struct journal *journal, struct journal_scan *scan,
                     const struct journal_visitor *visitor, size_t records);
    void (*scan_end)(struct journal *journal, struct journal_scan *scan);
    int (*trim)(struct journal *journal, uint64_t before, uint64_t *sequence);
    void (*stat)(const struct journal *journal, struct journal_stat *stat);
    int (*close)(struct journal *journal);
};

/* The beginning of every backend's object. */
struct journal {
    unsigned magic;
    const struct journal_backend *backend;
};

/* Each makes one. file.c: of settings with a directory. none.c: ENOMEM. */
int file_open(struct journal **out, const struct journal_settings *settings,
              struct journal_error *error);
int none_open(struct journal **out);

#endif
