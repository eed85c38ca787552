// SPDX-License-Identifier: MIT
/*
 * The database of finished jobs: its file and its two connections; form.c has its tables.
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
#include "history/database_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DATABASE_MAGIC 0x41570db1u

#define WRITER_BUSY_MS 1000 /* somebody looks at the file with other tools */
/* Pages without use that are left for later records. */
#define FREE_PAGES_MIN 256

/* ---- what is said to SQLite ---- */

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

int connection_errno(sqlite3 *connection, int rc)
{
    int system = (rc & 0xff) == SQLITE_CANTOPEN ? sqlite3_system_errno(connection) : 0;
    return system > 0 ? system : database_errno(rc);
}

int database_fail(const struct database *database, int rc, const char *said,
                  struct history_error *error)
{
    if (rc != 0)
        snprintf(error->text, sizeof(error->text), "%s can't be used: %s%s%s", database->path,
                 strerrordesc_np(rc), said != NULL ? ", " : "", said != NULL ? said : "");
    return rc;
}

/* ---- opening ---- */

/* A new file, for us alone, and its name on the disk: SQLite syncs what is in it. */
static int file_make(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return errno;
    int regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    close(fd);
    if (!regular)
        return EINVAL;
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

/* What a file may bring along isn't run, whatever is in it. */
static const struct {
    int what, on;
} switches[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
    {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
    {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
};

static int connect_to(const struct database *database, sqlite3 **connection)
{
    int rc = sqlite3_open_v2(database->path, connection,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, database->vfs);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(*connection, 1);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof(switches) / sizeof(switches[0]); i++)
        rc = sqlite3_db_config(*connection, switches[i].what, switches[i].on, NULL);
    if (rc == SQLITE_OK)
        (void)sqlite3_limit(*connection, SQLITE_LIMIT_ATTACHED, 0);
    return rc == SQLITE_OK
               ? form_run(*connection, "PRAGMA cell_size_check = ON;"
                                       "PRAGMA mmap_size = 0; PRAGMA cache_size = -2048")
               : connection_errno(*connection, rc);
}

/* *said: why it is damaged, where SQLite doesn't know. */
static int totals_read(struct database *database, const char **said)
{
    int64_t count = 0, bytes = 0, last = 0;
    int rc = form_ask(database->writer, "SELECT count FROM total", &count);
    if (rc == 0)
        rc = form_ask(database->writer, "SELECT bytes FROM total", &bytes);
    if (rc == 0)
        rc = form_ask(database->writer, "SELECT last FROM total", &last);
    if (rc != 0)
        return rc;
    database->count = (uint64_t)count;
    database->bytes = (uint64_t)bytes;
    database->last = (uint64_t)last;
    if (count >= 0 && count <= (int64_t)JOB_COUNT_MAX && bytes >= 0 &&
        bytes <= (int64_t)JOB_COUNT_MAX && last >= 0 && last <= (int64_t)HISTORY_NUMBER_MAX)
        return 0;
    *said = "its totals are numbers that can't be";
    return EBADMSG;
}

static int statements_prepare(struct database *database)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < STATEMENT_COUNT; i++) {
        sqlite3 *connection = statements[i].reads ? database->reader : database->writer;
        struct buf sql = BUF_EMPTY;
        rc = form_expand(&sql, statements[i].text);
        if (rc == 0)
            rc = connection_errno(connection, sqlite3_prepare_v3(connection, sql.data, -1,
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

/* Whether it failed since the disk has no room for the index of SQLite's log (the file -shm). */
static bool has_no_room(const struct database *database)
{
    return database->writer != NULL &&
           sqlite3_extended_errcode(database->writer) == SQLITE_IOERR_SHMSIZE;
}

/* What SQLite says about what went wrong: the reader is made last. */
static const char *connect_said(const struct database *database)
{
    bool reader = database->reader != NULL && sqlite3_errcode(database->reader) != SQLITE_OK;
    return sqlite3_errmsg(reader ? database->reader : database->writer);
}

static int connect_by(struct database *database, const char *vfs, struct history_error *error)
{
    const char *said = NULL;
    database->vfs = vfs;
    int rc = connect_to(database, &database->writer);
    if (rc == 0)
        rc = database_errno(sqlite3_busy_timeout(database->writer, WRITER_BUSY_MS));
    if (rc == 0) {
        rc = form_check(database, error);
        if (rc != 0)
            return rc;
        rc = form_make(database);
    }
    if (rc == 0)
        rc = totals_read(database, &said);
    if (rc == 0)
        rc = connect_to(database, &database->reader);
    if (rc == 0)
        rc = statements_prepare(database);
    return database_fail(database, rc, said != NULL ? said : connect_said(database), error);
}

/*
 * Both connections; on failure there is none. Who calls it has the reader's lock, if anybody else
 * could want it.
 *
 * On a full disk the index of the log is kept in memory ("unix-excl"), so that what is in the file
 * can be read, and the daemon starts. Other programs can't look into the file meanwhile.
 */
static int connect_both(struct database *database, struct history_error *error)
{
    int rc = database_fail(database, file_make(database->path), NULL, error);
    if (rc != 0)
        return rc;
    rc = connect_by(database, NULL, error);
    if (rc != 0 && has_no_room(database)) {
        disconnect(database);
        rc = connect_by(database, "unix-excl", error);
        if (rc == 0)
            log_warning("history: the disk is full; until the next start no other program can look "
                        "into %s",
                        database->path);
    }
    if (rc != 0)
        disconnect(database);
    return rc;
}

int database_open(struct database **out, const char *path, struct history_error *error)
{
    full_begin();
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
        return database_fail(database, rc, "renaming it", error);
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
    return form_run(database->writer, "PRAGMA incremental_vacuum({slice})");
}
