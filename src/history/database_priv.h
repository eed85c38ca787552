// SPDX-License-Identifier: MIT
/*
 * The file of records: connections, its form, and what a full disk does to it; database.c, form.c
 * and full.c have the essays.
 */
#ifndef HISTORY_DATABASE_PRIV_H
#define HISTORY_DATABASE_PRIV_H

#include "history/history.h"
#include "thr/thr.h"

#include <sqlite3.h>

/* The highest that a file or a journal may say: numbers go on from there, and what is given out can
 * always be read again. */
#define HISTORY_NUMBER_MAX (JOB_ID_MAX / 2)

/* database.c */

enum statement {
#define STATEMENT(name, whose, text) STATEMENT_##name,
#include "history/statements.def"
#undef STATEMENT
    STATEMENT_COUNT
};

struct database {
    unsigned magic;
    char *path;
    const char *vfs;    /* of SQLite, static; NULL: its default one */
    sqlite3 *writer;    /* the thread's alone, once it runs */
    hl_lock *read_lock; /* covers the next, and the statements of the reader */
    sqlite3 *reader;    /* NULL for a moment, or for good, after damage was found */
    sqlite3_stmt *statement[STATEMENT_COUNT];
    uint64_t count, bytes; /* of all rows; as the table `total` says; the thread's */
    uint64_t last;         /* the highest number that was ever in it; likewise */
};

/*
 * EBADMSG: damaged. EINVAL, EOPNOTSUPP and others as history_new; the error tells more.
 */
int database_open(struct database **out, const char *path, struct history_error *error);
void database_close(struct database **database);
/* For the thread, after EBADMSG: the damaged file is put aside, and a new one begun in its place.
 * Any errno: there is no connection now; call it again later. */
int database_renew(struct database *database, struct history_error *error);
/* Renames the file and what belongs to it; *aside (of `size` bytes) gets the new name. */
int database_set_aside(const char *path, char *aside, size_t size);
/* "PATH can't be used: ..." unless rc is 0; `said` may be NULL. Returns rc. */
int database_fail(const struct database *database, int rc, const char *said,
                  struct history_error *error);
/* What SQLite said, as an errno value: ENOSPC, EIO, EBADMSG, ENOMEM, E2BIG, EEXIST ... */
int database_errno(int rc);
/* The same of a statement or an open that has just failed on that connection (which may be NULL):
 * where it is that a file can't be opened, what the system says. */
int connection_errno(sqlite3 *connection, int rc);
/* The size of its pages all together, those without use included. */
uint64_t database_file_bytes(struct database *database);
/* Gives a slice of the pages without use back to the file system, if they are many. */
int database_shrink(struct database *database);

/* full.c */

/* Before the first file is opened; once counts. */
void full_begin(void);

/* form.c */

/* The text with everything in braces put in, behind what is in *out. */
int form_expand(struct buf *out, const char *text);
/* Runs it, with braces. */
int form_run(sqlite3 *connection, const char *text);
/* The first column of the first row. EBADMSG: there is none. */
int form_ask(sqlite3 *connection, const char *text, int64_t *number);
/* What kind of file the writer has open; a new one has no page yet. EBADMSG: not as any hilera
 * makes it. EINVAL: somebody else's. EOPNOTSUPP: a newer hilera's. Others as SQLite says. */
int form_check(const struct database *database, struct history_error *error);
/* Makes what is missing: all of it, or what is new since the form that it has. */
int form_make(const struct database *database);

#endif
