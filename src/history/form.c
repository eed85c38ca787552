// SPDX-License-Identifier: MIT
/*
 * The form of the database: its tables and indexes, what makes an older form the present one, and
 * whether a file has exactly that.
 *
 * `user_version` says which form a file has. Its schema is compared word for word with the one that
 * this program makes, in memory, for that form (or has made of an older one): a file that came from
 * elsewhere could have views, triggers or expressions in place of our tables, and SQLite would run
 * them when it is read. So tables may not be changed by hand; indexes of one's own belong into a
 * copy. What differs counts as damage.
 *
 * To change the form: the text of the new one, a step from the one before, the rows of `later` that
 * take back what is new, and one more in DATABASE_FORM.
 */
#include "base/assert.h"
#include "base/log.h"
#include "history/database_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE_APPLICATION 0x68696c68 /* "hilh" */
#define DATABASE_FORM 4
#define FREE_PAGES_SLICE 1024 /* that are given back at a time */

/* ---- texts ---- */

#define TEXT_OF(number) #number
#define TEXT_OF_VALUE(macro) TEXT_OF(macro)

static const struct {
    const char *name, *text;
} insertions[] = {
#define COLUMN(name, declaration, kind, field) ", " #name
    {
        "{names}",
#include "history/columns.def"
    },
#undef COLUMN
#define COLUMN(name, declaration, kind, field) ", ?"
    {
        "{marks}",
#include "history/columns.def"
    },
#undef COLUMN
#define COLUMN(name, declaration, kind, field) ", " #name " " declaration
    {
        "{columns}",
#include "history/columns.def"
    },
#undef COLUMN
    {"{earlier}", TEXT_OF_VALUE(JOB_EARLIER_MAX)},
    {"{application}", TEXT_OF_VALUE(DATABASE_APPLICATION)},
    {"{form}", TEXT_OF_VALUE(DATABASE_FORM)},
    {"{slice}", TEXT_OF_VALUE(FREE_PAGES_SLICE)},
};

/* The key of a submit finds its record. In forms 2 and 3 it was anybody's. */
#define KEYED_INDEX                                                                                \
    "CREATE INDEX job_keyed ON job (tube, job_key, submitter, number) WHERE job_key <> '';"
#define KEYED_INDEX_2 "CREATE INDEX job_keyed ON job (tube, job_key, number) WHERE job_key <> '';"

static const char form_text[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE job (number INTEGER PRIMARY KEY{columns});"
    "CREATE INDEX job_tube ON job (tube, number);"
    "CREATE INDEX job_outcome ON job (outcome, number);"
    "CREATE INDEX job_grouped ON job (job_group, number) WHERE job_group <> '';" KEYED_INDEX
    "CREATE INDEX job_aged ON job (ended) WHERE retention < 0;"
    "CREATE INDEX job_expired ON job (ended + retention) WHERE retention >= 0;"
    "CREATE TABLE attempt (id INTEGER, started INTEGER, ended INTEGER NOT NULL,"
    " outcome TEXT NOT NULL, exit_status INTEGER NOT NULL, signal INTEGER NOT NULL,"
    " reason TEXT NOT NULL, PRIMARY KEY (id, started)) WITHOUT ROWID;"
    "CREATE TABLE total (count INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " last INTEGER NOT NULL);"
    "INSERT INTO total VALUES (0, 0, 0);"
    "PRAGMA application_id = {application};"
    "PRAGMA user_version = {form};"
    "COMMIT";

/*
 * What makes of each older form the next one. A row that is there already gets what is added; where
 * a column stands in the table doesn't matter, since statements name them. The last step may grow
 * until the form it makes has been in a release.
 */
static const char *const steps[DATABASE_FORM] = {
    [1] = "ALTER TABLE job ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE job ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE job ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;" KEYED_INDEX_2,
    [2] = "ALTER TABLE total ADD COLUMN last INTEGER NOT NULL DEFAULT 0;"
          "UPDATE total SET last = (SELECT coalesce(max(number), 0) FROM job);",
    [3] = "ALTER TABLE job ADD COLUMN submitter INTEGER NOT NULL DEFAULT 4294967295;"
          "DROP INDEX job_keyed;" KEYED_INDEX};

/* What a form has that those before it have not, and what they have in its place: put in, an older
 * one is left. One after the other, from the newest on where they are about the same thing. */
static const struct {
    int since;
    const char *text, *before;
} later[] = {
    {4, ", submitter INTEGER NOT NULL", ""}, {4, KEYED_INDEX, KEYED_INDEX_2},
    {3, ", last INTEGER NOT NULL", ""},      {3, "INSERT INTO total VALUES (0, 0, 0);", ""},
    {2, ", failures INTEGER NOT NULL", ""},  {2, ", crashes INTEGER NOT NULL", ""},
    {2, ", losses INTEGER NOT NULL", ""},    {2, KEYED_INDEX_2, ""},
};

/* The text with everything in braces put in. */
int form_expand(struct buf *out, const char *text)
{
    int rc = 0;
    while (rc == 0 && *text != '\0') {
        size_t plain = strcspn(text, "{");
        rc = buf_append(out, text, plain);
        text += plain;
        for (size_t i = 0; rc == 0 && i < sizeof(insertions) / sizeof(insertions[0]); i++) {
            size_t len = strlen(insertions[i].name);
            if (strncmp(text, insertions[i].name, len) == 0) {
                rc = buf_append_str(out, insertions[i].text);
                text += len;
                break;
            }
        }
    }
    return rc;
}

int form_run(sqlite3 *connection, const char *text)
{
    struct buf sql = BUF_EMPTY;
    int rc = form_expand(&sql, text);
    if (rc == 0)
        rc = connection_errno(connection, sqlite3_exec(connection, sql.data, NULL, NULL, NULL));
    buf_fini(&sql);
    return rc;
}

/* The first column of the first row. */
int form_ask(sqlite3 *connection, const char *text, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(connection, text, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    int error = rc == SQLITE_DONE ? EBADMSG : connection_errno(connection, rc);
    sqlite3_finalize(statement);
    return error;
}

/* ---- the schema ---- */

/* All that a file says it has, in order of names; what ANALYZE left is not part of it. */
static int schema_read(sqlite3 *connection, struct buf *out)
{
    static const char text[] = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema "
                               "WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY name";
    sqlite3_stmt *statement = NULL;
    buf_clear(out);
    int rc =
        connection_errno(connection, sqlite3_prepare_v2(connection, text, -1, &statement, NULL));
    int step = SQLITE_DONE;
    while (rc == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; rc == 0 && i < 4; i++) {
            const char *word = (const char *)sqlite3_column_text(statement, i);
            int len = sqlite3_column_bytes(statement, i); /* NULs included */
            rc = word == NULL ? ENOMEM : buf_append(out, word, (size_t)len);
            if (rc == 0)
                rc = buf_append_char(out, '\n');
        }
    }
    rc = rc != 0 ? rc : connection_errno(connection, step);
    sqlite3_finalize(statement);
    return rc;
}

/* `before` isn't longer. */
static void text_turn_back(char *text, const char *part, const char *before)
{
    char *at = strstr(text, part);
    size_t len = strlen(part), left = strlen(before);
    ASSERT(at != NULL && left <= len);
    memcpy(at, before, left);
    memmove(at + left, at + len, strlen(at + len) + 1);
}

/* An empty database that was begun with the form `first` and raised to `form`. */
static int model_make(sqlite3 *connection, int first, int form)
{
    struct buf sql = BUF_EMPTY;
    int rc = form_expand(&sql, form_text);
    if (rc == 0)
        rc = buf_append_char(&sql, '\0');
    for (size_t i = 0; rc == 0 && i < sizeof(later) / sizeof(later[0]); i++)
        if (later[i].since > first)
            text_turn_back(sql.data, later[i].text, later[i].before);
    if (rc == 0)
        rc = database_errno(sqlite3_exec(connection, sql.data, NULL, NULL, NULL));
    buf_fini(&sql);
    for (; rc == 0 && first < form; first++)
        rc = form_run(connection, steps[first]);
    return rc;
}

/* 0: just so. EBADMSG: another. */
static int model_compare(const struct buf *schema, int first, int form)
{
    sqlite3 *connection = NULL;
    struct buf model = BUF_EMPTY;
    int rc = database_errno(
        sqlite3_open_v2(":memory:", &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, NULL));
    if (rc == 0)
        rc = model_make(connection, first, form);
    if (rc == 0)
        rc = schema_read(connection, &model);
    (void)sqlite3_close(connection);
    if (rc == 0 && (model.len != schema->len || memcmp(model.data, schema->data, model.len) != 0))
        rc = EBADMSG;
    buf_fini(&model);
    return rc;
}

/* EBADMSG: it is none that any hilera has made. */
static int schema_check(sqlite3 *connection, int form)
{
    struct buf schema = BUF_EMPTY;
    int rc = schema_read(connection, &schema);
    bool read = rc == 0;
    for (int first = form; read && first >= 1; first--) {
        rc = model_compare(&schema, first, form);
        if (rc != EBADMSG)
            break;
    }
    buf_fini(&schema);
    return rc;
}

/* ---- of a file ---- */

/* What kind of file it is. A new one has no page yet. */
int form_check(const struct database *database, struct history_error *error)
{
    int64_t application = 0, form = 0, tables = 0;
    int rc = form_ask(database->writer, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc == 0)
        rc = form_ask(database->writer, "PRAGMA application_id", &application);
    if (rc == 0)
        rc = form_ask(database->writer, "PRAGMA user_version", &form);
    if (rc != 0)
        return database_fail(database, rc, sqlite3_errmsg(database->writer), error);
    if (tables == 0 && application == 0 && form == 0)
        return 0;
    if (application != DATABASE_APPLICATION) {
        snprintf(error->text, sizeof(error->text),
                 "%s is not a history of hilera but another program's database; move it away, or "
                 "name another data directory",
                 database->path);
        return EINVAL;
    }
    if (form > DATABASE_FORM) {
        snprintf(error->text, sizeof(error->text),
                 "%s was written by a newer hilera (its form is %lld, this program knows %d); "
                 "start that one, or move the file away",
                 database->path, (long long)form, DATABASE_FORM);
        return EOPNOTSUPP;
    }
    if (form < 1)
        return database_fail(database, EBADMSG, "it has no form that there ever was", error);
    rc = schema_check(database->writer, (int)form);
    return rc == EBADMSG
               ? database_fail(database, rc, "its tables aren't those that hilera makes", error)
               : database_fail(database, rc, sqlite3_errmsg(database->writer), error);
}

/* All steps in one transaction: it has the old form, or ours. */
static int form_raise(const struct database *database, int64_t form)
{
    log_notice("history: %s has the form %lld of an older hilera; it gets the form %d",
               database->path, (long long)form, DATABASE_FORM);
    int rc = form_run(database->writer, "BEGIN IMMEDIATE");
    for (; rc == 0 && form < DATABASE_FORM; form++)
        rc = form_run(database->writer, steps[form]);
    return rc == 0 ? form_run(database->writer, "PRAGMA user_version = {form}; COMMIT") : rc;
}

int form_make(const struct database *database)
{
    int64_t form = 0;
    int rc = form_ask(database->writer, "PRAGMA user_version", &form);
    /* Before there is a page, or it has no effect. */
    if (rc == 0 && form == 0)
        rc = form_run(database->writer, "PRAGMA auto_vacuum = INCREMENTAL");
    if (rc == 0)
        rc = form_run(database->writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                        "PRAGMA wal_autocheckpoint = 1000;"
                                        "PRAGMA journal_size_limit = 4194304");
    if (rc == 0 && form == 0)
        rc = form_run(database->writer, form_text);
    else if (rc == 0 && form < DATABASE_FORM)
        rc = form_raise(database, form);
    return rc;
}
