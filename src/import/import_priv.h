// SPDX-License-Identifier: MIT
/*
 * What the files of the import share. Order of work: directory.c lists, locks and reads files,
 * import.c makes jobs of their records, write.c writes those to a journal.
 */
#ifndef IMPORT_PRIV_H
#define IMPORT_PRIV_H

#include "base/map.h"
#include "import/binlog.h"
#include "import/import.h"

#define IMPORT_MAGIC 0x1396047eu

/* A name that many jobs share. */
struct import_tube {
    size_t len;
    char name[];
};

/* A job as its last record has it. */
struct import_job {
    uint64_t id;
    uint64_t burial; /* order of burial among all; 0: not buried */
    const struct import_tube *tube;
    size_t file, body_offset, body_len; /* where its body is */
    int64_t delay_ns, created_wall_ns, deadline_wall_ns;
    uint32_t pri, ttr_s;
    uint32_t reserves, timeouts, releases, buries, kicks;
    enum binlog_state state;
};

struct import_file {
    uint64_t number; /* of binlog.N */
    int fd;          /* -1: not open */
    size_t size;
};

struct import {
    unsigned magic;
    int directory, lock; /* -1: not open; lock: also when there is no such file */
    struct import_file *file;
    size_t file_count;
    struct idmap jobs;    /* struct import_job, owned */
    struct idmap orphans; /* ids that were changed before they were put */
    struct strmap tubes;  /* struct import_tube, owned */
    uint64_t last_burial;
    struct import_census census;
    void (*line)(void *arg, const char *text); /* during import_open */
    void *arg;
    char *path;
};

void import_tell(const struct import *import, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- directory.c ---- */

/* Opens the directory, takes its lock, opens its files in their order. As import_open. */
int import_files_open(struct import *import, struct journal_error *error);
void import_files_close(struct import *import);
/* For the reader of its records, as long as it is open. */
struct binlog_source import_file_source(const struct import_file *file);
/* `len` bytes of it from `at` on. EIO: it is shorter. */
int import_file_read_at(const struct import_file *file, void *to, size_t len, size_t at);

#endif
