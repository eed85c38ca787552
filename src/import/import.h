// SPDX-License-Identifier: MIT
/*
 * Import: the jobs of a directory that beanstalkd -b has written, taken over into a journal.
 *
 * Ids, priorities, TTRs, delays, counters and the order of buried jobs are kept. As after a restart
 * of beanstalkd, reserved jobs are ready, delayed ones keep the time when they are due, and what
 * was deleted is gone. The directory is only read; its lock is taken, so that no beanstalkd writes
 * meanwhile.
 *
 * The journal may be new, empty, or have jobs, but an id must be free: not there and never given
 * out. A job that is there already, byte for byte as this import would write it, is passed over, so
 * that an import that was interrupted can be started again.
 *
 * In two steps, so that the reader may have other rights than the writer. One thread.
 */
#ifndef IMPORT_H
#define IMPORT_H

#include "journal/journal.h"

struct import;

struct import_census {
    uint64_t files, records;
    uint64_t jobs, ready, delayed, buried; /* that are there at the end */
    uint64_t job_bytes;                    /* of their bodies */
    uint64_t deleted;                      /* records that say so */
    uint64_t last_id;                      /* the highest seen */
    uint64_t damages;                      /* places where something is lost */
    uint64_t lost_bytes;                   /* behind them, to the end of their files */
    /* Written: new ones, and those that were there. */
    uint64_t written, passed_over;
};

/*
 * Opens and reads all of it. `line` gets each damage as a line of text; may be NULL. EBUSY: a
 * beanstalkd runs on it; the error names its process. ENOENT: there is no binlog. EOPNOTSUPP: of
 * another version. Others as from the system. ENOMEM.
 */
int import_open(struct import **out, const char *directory,
                void (*line)(void *arg, const char *text), void *arg, struct journal_error *error);
void import_free(struct import **import);

/*
 * Writes the jobs, and that ids up to the highest are taken; synced when it returns 0. EEXIST: an
 * id isn't free; nothing was written. What opening and appending say; the journal may have a part
 * of the jobs then, and the error says so.
 */
int import_write(struct import *import, const struct journal_settings *settings,
                 struct journal_error *error);

/* How many of the jobs are in tubes that `is` says yes to. */
uint64_t import_count(const struct import *import,
                      bool (*is)(const char *tube, size_t len, const void *arg), const void *arg);

void import_get_census(const struct import *import, struct import_census *census);

#endif
