// SPDX-License-Identifier: MIT
/*
 * The database of finished jobs: its file, its form, its two connections.
 *
 * One connection writes and is the thread's alone; one reads, under a lock. In WAL mode neither
 * waits for the other. Transactions are synced (synchronous = FULL): they are few, since many
 * records share one, and "durable" then means what it says, without asking SQLite when it synced
 * its log. A log that grew is folded into the file by the writer (at 1000 pages), so it stays small
 * too.
 *
 * The file is made here with mode 0600, since what jobs print is nobody else's business; SQLite
 * gives its log the same mode. It tells by its application id that it is ours, and by user_version
 * which form it has. Pages that became free are used again, or given back in slices (auto_vacuum),
 * so the file follows what is in it.
 *
 * A database that is damaged is renamed, never removed, and a new one begun: history is not worth a
 * daemon that doesn't start, and what can be saved of it is still there. One that is somebody
 * else's, or newer than this program, is refused.
 */
#include "base/log.h"
#include "base/magic.h"
#include "history/history_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DATABASE_MAGIC 0x41570db1u

#define DATABASE_APPLICATION 0x68696c68 /* "hilh" */
#define DATABASE_FORM 4

#define WRITER_BUSY_MS 1000 /* somebody looks at the file with other tools */
/* Pages without use that are left for later records, and pages given back at a time. */
#define FREE_PAGES_MIN 256
#define FREE_PAGES_SLICE 1024

/* ---- what is said to SQLite ---- */

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
};

static const struct {
    bool reads;
    const char *text;
} statements[STATEMENT_COUNT] = {
#define WRITER false
#define READER true
#define STATEMENT(name, whose, text) {whose, text},
#include "history/statements.def"
#undef STATEMENT
#undef WRITER
#undef READER
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

/* The text with everything in braces put in. */
static int text_expand(struct buf *out, const char *text)
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

int database_errno(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return EBADMSG;
    case SQLITE_CONSTRAINT:
        return EEXIST;
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_TOOBIG:
        return E2BIG;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        return EACCES;
    default:
        return EIO;
    }
}

static int failed(const struct database *database, int rc, const char *said,
                  struct history_error *error)
{
    if (rc != 0)
        snprintf(error->text, sizeof(error->text), "%s can't be used: %s%s%s", database->path,
                 strerrordesc_np(rc), said != NULL ? ", " : "", said != NULL ? said : "");
    return rc;
}

static int run(sqlite3 *connection, const char *text)
{
    struct buf sql = BUF_EMPTY;
    int rc = text_expand(&sql, text);
    if (rc == 0)
        rc = database_errno(sqlite3_exec(connection, sql.data, NULL, NULL, NULL));
    buf_fini(&sql);
    return rc;
}

/* The first column of the first row. */
static int ask(sqlite3 *connection, const char *text, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(connection, text, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? EBADMSG : database_errno(rc);
}

/* ---- opening ---- */

/* A new file, for us alone, and its name on the disk: SQLite syncs what is in it. */
static int file_make(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    char *directory = strdup(path);
    if (directory == NULL)
        return ENOMEM;
    char *slash = strrchr(directory, '/');
    if (slash != NULL)
        slash[slash == directory ? 1 : 0] = '\0';
    fd = open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    free(directory);
    return rc;
}

static int connect_to(const char *path, sqlite3 **connection)
{
    int rc = sqlite3_open_v2(path, connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(*connection, 1);
    return rc == SQLITE_OK
               ? run(*connection, "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -2048")
               : database_errno(rc);
}

/* What kind of file it is. A new one has no page yet. */
static int form_check(const struct database *database, struct history_error *error)
{
    int64_t application = 0, form = 0, tables = 0;
    int rc = ask(database->writer, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc == 0)
        rc = ask(database->writer, "PRAGMA application_id", &application);
    if (rc == 0)
        rc = ask(database->writer, "PRAGMA user_version", &form);
    if (rc != 0)
        return failed(database, rc, sqlite3_errmsg(database->writer), error);
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
    return form > 0 ? 0 : failed(database, EBADMSG, "it has no form that there ever was", error);
}

/* All steps in one transaction: it has the old form, or ours. */
static int form_raise(const struct database *database, int64_t form)
{
    log_notice("history: %s has the form %lld of an older hilera; it gets the form %d",
               database->path, (long long)form, DATABASE_FORM);
    int rc = run(database->writer, "BEGIN IMMEDIATE");
    for (; rc == 0 && form < DATABASE_FORM; form++)
        rc = run(database->writer, steps[form]);
    return rc == 0 ? run(database->writer, "PRAGMA user_version = {form}; COMMIT") : rc;
}

static int form_make(const struct database *database)
{
    int64_t form = 0;
    int rc = ask(database->writer, "PRAGMA user_version", &form);
    /* Before there is a page, or it has no effect. */
    if (rc == 0 && form == 0)
        rc = run(database->writer, "PRAGMA auto_vacuum = INCREMENTAL");
    if (rc == 0)
        rc = run(database->writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                   "PRAGMA wal_autocheckpoint = 1000;"
                                   "PRAGMA journal_size_limit = 4194304");
    if (rc == 0 && form == 0)
        rc = run(database->writer, form_text);
    else if (rc == 0 && form < DATABASE_FORM)
        rc = form_raise(database, form);
    return rc;
}

static int totals_read(struct database *database)
{
    int64_t count = 0, bytes = 0, last = 0;
    int rc = ask(database->writer, "SELECT count FROM total", &count);
    if (rc == 0)
        rc = ask(database->writer, "SELECT bytes FROM total", &bytes);
    if (rc == 0)
        rc = ask(database->writer, "SELECT last FROM total", &last);
    if (rc != 0)
        return rc;
    database->count = (uint64_t)count;
    database->bytes = (uint64_t)bytes;
    database->last = (uint64_t)last;
    return count >= 0 && bytes >= 0 && last >= 0 ? 0 : EBADMSG;
}

static int statements_prepare(struct database *database)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < STATEMENT_COUNT; i++) {
        sqlite3 *connection = statements[i].reads ? database->reader : database->writer;
        struct buf sql = BUF_EMPTY;
        rc = text_expand(&sql, statements[i].text);
        if (rc == 0)
            rc = database_errno(sqlite3_prepare_v3(connection, sql.data, -1,
                                                   SQLITE_PREPARE_PERSISTENT,
                                                   &database->statement[i], NULL));
        buf_fini(&sql);
    }
    return rc;
}

static void disconnect(struct database *database)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(database->statement[i]);
        database->statement[i] = NULL;
    }
    (void)sqlite3_close(database->reader);
    (void)sqlite3_close(database->writer);
    database->reader = database->writer = NULL;
}

/* Both connections; on failure there is none. Who calls it has the reader's lock, if anybody else
 * could want it. */
static int connect_both(struct database *database, struct history_error *error)
{
    int rc = failed(database, file_make(database->path), NULL, error);
    if (rc != 0)
        return rc;
    rc = connect_to(database->path, &database->writer);
    if (rc == 0)
        rc = database_errno(sqlite3_busy_timeout(database->writer, WRITER_BUSY_MS));
    if (rc == 0) {
        rc = form_check(database, error);
        if (rc != 0) {
            disconnect(database);
            return rc;
        }
        rc = form_make(database);
    }
    if (rc == 0)
        rc = totals_read(database);
    if (rc == 0)
        rc = connect_to(database->path, &database->reader);
    if (rc == 0)
        rc = statements_prepare(database);
    if (rc != 0) {
        rc = failed(database, rc, sqlite3_errmsg(database->writer), error);
        disconnect(database);
    }
    return rc;
}

int database_open(struct database **out, const char *path, struct history_error *error)
{
    struct database *database = calloc(1, sizeof(*database));
    if (database != NULL) {
        MAGIC_INIT(database, DATABASE_MAGIC);
        database->path = strdup(path);
    }
    int rc = ENOMEM;
    if (database != NULL && database->path != NULL)
        rc = hl_lock_new(&database->read_lock, "records", lock_class(LOCK_CLASS_records));
    if (rc != 0)
        snprintf(error->text, sizeof(error->text), "%s can't be opened: %s", path,
                 strerrordesc_np(rc));
    else
        rc = connect_both(database, error);
    if (rc != 0)
        database_close(&database);
    *out = database;
    return rc;
}

void database_close(struct database **database)
{
    if (*database == NULL)
        return;
    struct database *mine;
    MAGIC_TAKE(mine, database, DATABASE_MAGIC);
    disconnect(mine);
    hl_lock_free(&mine->read_lock);
    free(mine->path);
    MAGIC_WIPE(mine);
    free(mine);
}

/* ---- damage ---- */

int database_set_aside(const char *path, char *aside, size_t size)
{
    static const char *const parts[] = {"-wal", "-shm", ""};
    struct tm when;
    time_t now = time(NULL);
    char stamp[32] = "";
    if (gmtime_r(&now, &when) != NULL)
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &when);
    struct stat status;
    int rc = EEXIST;
    for (int i = 0; i < 100 && rc == EEXIST; i++) {
        if (snprintf(aside, size, "%s.damaged-%s-%d", path, stamp, i) >= (int)size)
            return ENAMETOOLONG;
        rc = lstat(aside, &status) == 0 ? EEXIST : 0;
    }
    /* The file itself last: if the first two are gone and it isn't, it is tried again. */
    for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        char from[4096], to[4096];
        if (snprintf(from, sizeof(from), "%s%s", path, parts[i]) >= (int)sizeof(from) ||
            snprintf(to, sizeof(to), "%s%s", aside, parts[i]) >= (int)sizeof(to))
            return ENAMETOOLONG;
        if (rename(from, to) != 0 && errno != ENOENT)
            rc = errno;
    }
    return rc;
}

int database_renew(struct database *database, struct history_error *error)
{
    MAGIC_CHECK(database, DATABASE_MAGIC);
    char aside[4096];
    HL_LOCK_SCOPE(database->read_lock);
    bool had_one = database->writer != NULL;
    disconnect(database);
    int rc = had_one ? database_set_aside(database->path, aside, sizeof(aside)) : 0;
    if (rc != 0)
        return failed(database, rc, "renaming it", error);
    if (had_one)
        log_error("history: %s is damaged; it is now %s, and a new one is begun", database->path,
                  aside);
    return connect_both(database, error);
}

/* ---- size ---- */

/* A pragma's number; the statement is the writer's. */
static int pragma(const struct database *database, enum statement id, uint64_t *number)
{
    sqlite3_stmt *statement = database->statement[id];
    int rc = sqlite3_step(statement);
    *number = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement);
    return database_errno(rc);
}

uint64_t database_file_bytes(struct database *database)
{
    MAGIC_CHECK(database, DATABASE_MAGIC);
    struct stat status;
    return stat(database->path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

int database_shrink(struct database *database)
{
    MAGIC_CHECK(database, DATABASE_MAGIC);
    uint64_t unused = 0, all = 0;
    int rc = pragma(database, STATEMENT_FREE_PAGES, &unused);
    if (rc == 0)
        rc = pragma(database, STATEMENT_PAGES, &all);
    if (rc != 0 || unused < FREE_PAGES_MIN || unused < all / 4)
        return rc;
    return run(database->writer, "PRAGMA incremental_vacuum(" TEXT_OF_VALUE(FREE_PAGES_SLICE) ")");
}
