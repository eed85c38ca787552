// SPDX-License-Identifier: MIT
/*
 * Records as rows: written many in a transaction, read one by one or as pages, removed oldest
 * first.
 *
 * What is past its age is found by an index for records that asked for a time of their own, and one
 * for the others; what is too much, by number.
 *
 * A record is one row of `job`. Nearly always its id is new, so it is just inserted; only if SQLite
 * says that there is one already, that one's attempt goes to the table `attempt`, its row goes, and
 * the insert is done again. The counts of all rows and bytes change in the same transaction as the
 * rows, so nobody ever has to count them.
 *
 * What is read may be by anybody's hand: a word that means nothing is damage, and only an error.
 */
#include "base/log.h"
#include "base/magic.h"
#include "history/rows_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- a record and its columns ---- */

#define PUT_INT(statement, at, record, field)                                                      \
    sqlite3_bind_int64(statement, at, (sqlite3_int64)(record)->field)
#define PUT_TEXT(statement, at, record, field)                                                     \
    sqlite3_bind_text(statement, at, (record)->field, -1, SQLITE_STATIC)
#define PUT_BLOB(statement, at, record, field)                                                     \
    sqlite3_bind_blob64(statement, at, (record)->field, (record)->field##_len, SQLITE_STATIC)
#define PUT_TAGS(statement, at, record, field)                                                     \
    sqlite3_bind_blob64(statement, at, (record)->field, (record)->field##_size, SQLITE_STATIC)
#define PUT_KIND(statement, at, record, field)                                                     \
    sqlite3_bind_text(statement, at, job_outcome_word((record)->field), -1, SQLITE_STATIC)

static int row_bind(sqlite3_stmt *statement, const struct numbered *row)
{
    int at = 1;
    int rc = sqlite3_bind_int64(statement, at++, (sqlite3_int64)row->number);
#define COLUMN(name, declaration, kind, field)                                                     \
    if (rc == SQLITE_OK)                                                                           \
        rc = PUT_##kind(statement, at++, row->record, field);
#include "history/columns.def"
#undef COLUMN
    return database_errno(rc);
}

/* What SQLite gives no text of. */
static int no_text(sqlite3_stmt *statement)
{
    bool memory = sqlite3_errcode(sqlite3_db_handle(statement)) == SQLITE_NOMEM;
    return memory ? ENOMEM : EBADMSG;
}

static int kind_read(sqlite3_stmt *statement, int at, enum job_outcome_kind *kind)
{
    const char *word = (const char *)sqlite3_column_text(statement, at);
    if (word == NULL)
        return no_text(statement);
    for (int i = 0; i < JOB_OUTCOME_COUNT; i++)
        if (strcmp(word, job_outcome_word((enum job_outcome_kind)i)) == 0) {
            *kind = (enum job_outcome_kind)i;
            return 0;
        }
    return EBADMSG;
}

static int text_read(sqlite3_stmt *statement, int at, const char **text)
{
    *text = (const char *)sqlite3_column_text(statement, at);
    return *text != NULL ? 0 : no_text(statement);
}

/* Not looked at unless wanted: SQLite would have to read all of it. */
static int blob_read(sqlite3_stmt *statement, int at, bool wanted, const char **bytes, size_t *len)
{
    if (!wanted)
        return 0;
    *bytes = sqlite3_column_blob(statement, at);
    *len = (size_t)sqlite3_column_bytes(statement, at);
    return *bytes != NULL || *len == 0 ? 0 : ENOMEM;
}

/* Texts one behind the other, each with its NUL. */
static int tags_read(sqlite3_stmt *statement, int at, const char **tags, size_t *size)
{
    *tags = sqlite3_column_blob(statement, at);
    *size = (size_t)sqlite3_column_bytes(statement, at);
    bool right = *size == 0 || (*size <= JOB_TAGS_SIZE && *tags != NULL && (*tags)[*size - 1] == 0);
    return right ? 0 : EBADMSG;
}

/* A number that its field can't hold is damage. */
#define GET_INT(statement, at, record, field)                                                      \
    ((record)->field = (__typeof__((record)->field))sqlite3_column_int64(statement, at),           \
     (int64_t)(record)->field == sqlite3_column_int64(statement, at) ? 0 : EBADMSG)
#define GET_TEXT(statement, at, record, field) text_read(statement, at, &(record)->field)
#define GET_BLOB(statement, at, record, field)                                                     \
    blob_read(statement, at, output, &(record)->field, &(record)->field##_len)
#define GET_TAGS(statement, at, record, field)                                                     \
    tags_read(statement, at, &(record)->field, &(record)->field##_size)
#define GET_KIND(statement, at, record, field) kind_read(statement, at, &(record)->field)

static bool number_is_right(sqlite3_int64 number)
{
    return number > 0 && number <= (sqlite3_int64)JOB_ID_MAX;
}

/* Texts are SQLite's until the statement is stepped or reset. `output`: that is wanted, too. */
static int row_read(sqlite3_stmt *statement, bool output, struct job_record *record)
{
    int rc = 0, at = 1;
    *record = (struct job_record){.out = NULL};
#define COLUMN(name, declaration, kind, field)                                                     \
    if (rc == 0)                                                                                   \
        rc = GET_##kind(statement, at, record, field);                                             \
    at++;
#include "history/columns.def"
#undef COLUMN
    if (rc == 0 &&
        (!number_is_right(sqlite3_column_int64(statement, 0)) || !job_record_is_right(record)))
        rc = EBADMSG;
    return rc;
}

/* ---- writing ---- */

static int statement_end(sqlite3_stmt *statement, int rc)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return rc;
}

/* Runs a statement of which no row is wanted. */
static int statement_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    while (rc == SQLITE_ROW)
        rc = sqlite3_step(statement);
    return statement_end(statement, database_errno(rc));
}

static int row_insert(struct database *database, const struct numbered *row)
{
    sqlite3_stmt *statement = database->statement[STATEMENT_INSERT];
    int rc = row_bind(statement, row);
    return rc == 0 ? statement_run(statement) : statement_end(statement, rc);
}

/* Attempts that began since then the record knows itself, this row's perhaps among them; its times
 * were computed apart from the row's, so they differ by a little. */
static sqlite3_int64 known_since(const struct job_record *record)
{
    return record->earlier_count > 0 ? record->earlier[0].started_wall_ns - HL_SECOND / 1000
                                     : INT64_MAX;
}

static uint64_t bytes_read(sqlite3_stmt *statement, int at)
{
    sqlite3_int64 bytes = sqlite3_column_int64(statement, at);
    return bytes < 0 ? 0 : bytes > (sqlite3_int64)JOB_COUNT_MAX ? JOB_COUNT_MAX : (uint64_t)bytes;
}

static uint64_t rest(uint64_t of, uint64_t without)
{
    return without < of ? of - without : 0;
}
static void totals_less(struct database *database, uint64_t count, uint64_t bytes)
{
    database->count = rest(database->count, count);
    database->bytes = rest(database->bytes, bytes);
}

/* The row that has the id: its attempt is kept, and it goes. */
static int row_replace(struct database *database, const struct numbered *row)
{
    sqlite3_stmt *carry = database->statement[STATEMENT_CARRY];
    sqlite3_stmt *remove = database->statement[STATEMENT_REMOVE];
    sqlite3_int64 id = (sqlite3_int64)row->record->id;
    MUST(sqlite3_bind_int64(carry, 1, id));
    MUST(sqlite3_bind_int64(carry, 2, row->record->started_wall_ns));
    MUST(sqlite3_bind_int64(carry, 3, known_since(row->record)));
    int rc = statement_run(carry);
    if (rc != 0)
        return rc;
    MUST(sqlite3_bind_int64(remove, 1, id));
    int step = sqlite3_step(remove);
    if (step == SQLITE_ROW) {
        totals_less(database, 1, bytes_read(remove, 0));
        step = sqlite3_step(remove);
    }
    return statement_end(remove, database_errno(step));
}

static int attempts_write(struct database *database, const struct job_record *record)
{
    sqlite3_stmt *statement = database->statement[STATEMENT_ATTEMPT];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < record->earlier_count; i++) {
        const struct job_attempt *attempt = &record->earlier[i];
        MUST(sqlite3_bind_int64(statement, 1, (sqlite3_int64)record->id));
        MUST(sqlite3_bind_int64(statement, 2, attempt->started_wall_ns));
        MUST(sqlite3_bind_int64(statement, 3, attempt->ended_wall_ns));
        MUST(sqlite3_bind_text(statement, 4, job_outcome_word(attempt->kind), -1, SQLITE_STATIC));
        MUST(sqlite3_bind_int(statement, 5, attempt->exit_status));
        MUST(sqlite3_bind_int(statement, 6, attempt->signal));
        MUST(sqlite3_bind_text(statement, 7, attempt->reason, -1, SQLITE_STATIC));
        rc = statement_run(statement);
    }
    return rc;
}

static int row_write(struct database *database, const struct numbered *row)
{
    int rc = row_insert(database, row);
    if (rc == EEXIST) {
        rc = row_replace(database, row);
        if (rc == 0)
            rc = row_insert(database, row);
    }
    if (rc == 0)
        rc = attempts_write(database, row->record);
    if (rc != 0)
        return rc;
    database->count++;
    database->bytes += row->record->memory;
    return 0;
}

static int totals_write(struct database *database)
{
    sqlite3_stmt *statement = database->statement[STATEMENT_TOTAL];
    MUST(sqlite3_bind_int64(statement, 1, (sqlite3_int64)database->count));
    MUST(sqlite3_bind_int64(statement, 2, (sqlite3_int64)database->bytes));
    MUST(sqlite3_bind_int64(statement, 3, (sqlite3_int64)database->last));
    return statement_run(statement);
}

struct totals {
    uint64_t count, bytes, last;
};

static struct totals totals_of(const struct database *database)
{
    return (struct totals){database->count, database->bytes, database->last};
}

/* What the transaction did is kept, synced; or nothing of it, if `rc` says that it failed. */
static int transaction_end(struct database *database, int rc, const struct totals *before)
{
    if (rc == 0)
        rc = totals_write(database);
    if (rc == 0)
        rc = statement_run(database->statement[STATEMENT_COMMIT]);
    if (rc == 0)
        return 0;
    /* Some failures have ended it already. */
    if (sqlite3_get_autocommit(database->writer) == 0)
        (void)statement_run(database->statement[STATEMENT_ROLLBACK]);
    database->count = before->count;
    database->bytes = before->bytes;
    database->last = before->last;
    return rc;
}

int rows_write(struct database *database, const struct numbered *rows, size_t count,
               size_t *refused)
{
    const struct totals before = totals_of(database);
    *refused = 0;
    int rc = statement_run(database->statement[STATEMENT_BEGIN]);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = row_write(database, &rows[i]);
        if (rc == E2BIG || rc == EEXIST) {
            (*refused)++;
            rc = 0;
        }
    }
    /* It outlives the row: what is durable once is never wanted from elsewhere again. */
    if (count > 0 && rows[count - 1].number > database->last)
        database->last = rows[count - 1].number;
    return transaction_end(database, rc, &before);
}

/* ---- removing ---- */

/* Those that go: which, how many, how many of them with a key, and what they take. */
struct cut {
    uint64_t *numbers;
    size_t count, keyed;
    uint64_t bytes;
};

/* What `find` finds; a slice, or fewer: those that are too much, if `find` tells only the order. */
static int cut_find(struct database *database, enum statement find, int64_t before_ns,
                    const struct retention *retention, struct cut *cut)
{
    sqlite3_stmt *statement = database->statement[find];
    MUST(sqlite3_bind_int(statement, 1, ROWS_SLICE));
    if (find != STATEMENT_OLDEST)
        MUST(sqlite3_bind_int64(statement, 2, before_ns));
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (find == STATEMENT_OLDEST && rest(database->count, cut->count) <= retention->count &&
            rest(database->bytes, cut->bytes) <= retention->bytes)
            break;
        cut->numbers[cut->count++] = (uint64_t)sqlite3_column_int64(statement, 0);
        cut->bytes += bytes_read(statement, 1);
        cut->keyed += sqlite3_column_int(statement, 2) != 0;
    }
    return statement_end(statement, database_errno(rc));
}

/* One kind a time; who asks again gets the next. */
static int cut_any(struct database *database, const struct retention *retention, struct cut *cut)
{
    int rc = 0;
    if (database->count > retention->count || database->bytes > retention->bytes)
        rc = cut_find(database, STATEMENT_OLDEST, 0, retention, cut);
    if (rc == 0 && cut->count == 0)
        rc = cut_find(database, STATEMENT_AGED, retention->oldest_wall_ns, retention, cut);
    if (rc == 0 && cut->count == 0)
        rc = cut_find(database, STATEMENT_EXPIRED, retention->now_wall_ns, retention, cut);
    return rc;
}

static int row_forget(struct database *database, uint64_t number)
{
    static const enum statement steps[] = {STATEMENT_FORGET_ATTEMPTS, STATEMENT_FORGET};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
        sqlite3_stmt *statement = database->statement[steps[i]];
        MUST(sqlite3_bind_int64(statement, 1, (sqlite3_int64)number));
        rc = statement_run(statement);
    }
    return rc;
}

int rows_forget(struct database *database, const struct retention *retention, uint64_t *numbers,
                size_t *forgotten, size_t *keyed)
{
    const struct totals before = totals_of(database);
    struct cut cut = {.numbers = numbers};
    *forgotten = *keyed = 0;
    int rc = cut_any(database, retention, &cut);
    if (rc != 0 || cut.count == 0)
        return rc;
    rc = statement_run(database->statement[STATEMENT_BEGIN]);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < cut.count; i++)
        rc = row_forget(database, numbers[i]);
    totals_less(database, cut.count, cut.bytes);
    rc = transaction_end(database, rc, &before);
    if (rc == 0) {
        *forgotten = cut.count;
        *keyed = cut.keyed;
    }
    return rc;
}

/* ---- reading ---- */

struct attempts {
    struct job_attempt attempt[JOB_EARLIER_MAX];
    char reason[JOB_EARLIER_MAX][JOB_REASON_MAX];
};

static int attempt_read(sqlite3_stmt *statement, struct job_attempt *attempt, char *reason)
{
    const char *text;
    int rc = kind_read(statement, 0, &attempt->kind);
    if (rc == 0)
        rc = text_read(statement, 5, &text);
    if (rc != 0)
        return rc;
    attempt->exit_status = sqlite3_column_int(statement, 1);
    attempt->signal = sqlite3_column_int(statement, 2);
    attempt->started_wall_ns = sqlite3_column_int64(statement, 3);
    attempt->ended_wall_ns = sqlite3_column_int64(statement, 4);
    snprintf(reason, JOB_REASON_MAX, "%s", text);
    attempt->reason = reason;
    return job_attempt_is_right(attempt) ? 0 : EBADMSG;
}

/* They come with the latest first, and stand in a record with the oldest first. */
static int attempts_read(struct database *database, struct job_record *record,
                         struct attempts *attempts)
{
    sqlite3_stmt *statement = database->statement[STATEMENT_EARLIER];
    size_t at = JOB_EARLIER_MAX;
    MUST(sqlite3_bind_int64(statement, 1, (sqlite3_int64)record->id));
    int rc = 0, step = SQLITE_DONE;
    while (rc == 0 && at > 0 && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        at--;
        rc = attempt_read(statement, &attempts->attempt[at], attempts->reason[at]);
    }
    record->earlier = &attempts->attempt[at];
    record->earlier_count = JOB_EARLIER_MAX - at;
    return statement_end(statement, rc != 0 ? rc : database_errno(step));
}

/* What doesn't come from a good file is an error of reading, to whoever asked. */
static int reading(int rc)
{
    return rc == 0 || rc == ENOENT || rc == ENOMEM ? rc : EIO;
}

int rows_get(struct database *database, uint64_t id, struct job_record **record)
{
    HL_LOCK_SCOPE(database->read_lock);
    if (database->reader == NULL)
        return EIO;
    sqlite3_stmt *statement = database->statement[STATEMENT_BY_ID];
    struct job_record like;
    struct attempts attempts;
    MUST(sqlite3_bind_int64(statement, 1, (sqlite3_int64)id));
    int step = sqlite3_step(statement);
    int rc = step == SQLITE_DONE ? ENOENT : database_errno(step);
    if (rc == 0)
        rc = row_read(statement, true, &like);
    if (rc == 0)
        rc = attempts_read(database, &like, &attempts);
    if (rc == 0)
        rc = job_record_copy(record, &like);
    return reading(statement_end(statement, rc));
}

int rows_by_key(struct database *database, const char *tube, uint32_t submitter, const char *key,
                uint64_t *id)
{
    HL_LOCK_SCOPE(database->read_lock);
    if (database->reader == NULL)
        return EIO;
    sqlite3_stmt *statement = database->statement[STATEMENT_BY_KEY];
    MUST(sqlite3_bind_text(statement, 1, tube, -1, SQLITE_STATIC));
    MUST(sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC));
    MUST(sqlite3_bind_int64(statement, 3, submitter));
    int step = sqlite3_step(statement);
    int rc = step == SQLITE_DONE ? ENOENT : database_errno(step);
    if (rc == 0 && !number_is_right(sqlite3_column_int64(statement, 0)))
        rc = EBADMSG;
    if (rc == 0)
        *id = (uint64_t)sqlite3_column_int64(statement, 0);
    return reading(statement_end(statement, rc));
}

/* A text that can be a whole one; false: it is nobody's. */
static bool cursor_take(sqlite3_stmt *statement, int at, char *to, size_t size)
{
    const char *text = sqlite3_column_type(statement, at) == SQLITE_TEXT
                           ? (const char *)sqlite3_column_text(statement, at)
                           : NULL;
    if (text == NULL || strlen(text) != (size_t)sqlite3_column_bytes(statement, at) ||
        strlen(text) >= size)
        return false;
    memcpy(to, text, strlen(text) + 1);
    return true;
}

/* The row is where the cursor is then. */
static int cursor_move(sqlite3_stmt *statement, struct rows_cursor *cursor)
{
    if (sqlite3_column_type(statement, 2) != SQLITE_INTEGER ||
        !cursor_take(statement, 0, cursor->tube, sizeof(cursor->tube)) ||
        !cursor_take(statement, 1, cursor->key, sizeof(cursor->key)))
        return EBADMSG;
    cursor->submitter = sqlite3_column_int64(statement, 2);
    cursor->number = sqlite3_column_int64(statement, 3);
    return 0;
}

int rows_keys(struct database *database, struct rows_cursor *cursor, size_t max,
              void (*visit)(const char *tube, uint32_t submitter, const char *key, void *arg),
              void *arg, size_t *count)
{
    HL_LOCK_SCOPE(database->read_lock);
    *count = 0;
    if (database->reader == NULL)
        return EIO;
    const struct rows_cursor from = *cursor;
    sqlite3_stmt *statement = database->statement[STATEMENT_KEYS];
    MUST(sqlite3_bind_text(statement, 1, from.tube, -1, SQLITE_STATIC));
    MUST(sqlite3_bind_text(statement, 2, from.key, -1, SQLITE_STATIC));
    MUST(sqlite3_bind_int64(statement, 3, from.submitter));
    MUST(sqlite3_bind_int64(statement, 4, from.number));
    MUST(sqlite3_bind_int64(statement, 5, (sqlite3_int64)max));
    int rc = 0, step = SQLITE_DONE;
    while (rc == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        rc = cursor_move(statement, cursor);
        if (rc == 0)
            visit(cursor->tube, (uint32_t)cursor->submitter, cursor->key, arg);
        (*count)++;
    }
    rc = reading(statement_end(statement, rc != 0 ? rc : database_errno(step)));
    if (rc != 0)
        *cursor = from;
    return rc;
}

bool query_matches(const struct history_query *query, const struct job_record *record)
{
    int64_t ended = record->ended_wall_ns;
    return (query->tube == NULL || strcmp(query->tube, record->tube) == 0) &&
           (query->group == NULL || strcmp(query->group, record->group) == 0) &&
           (query->name == NULL || strcmp(query->name, record->name) == 0) &&
           (query->tag == NULL || job_tags_have(record->tags, record->tags_size, query->tag)) &&
           (query->any_kind || query->kind == record->kind) &&
           (query->since_ns == 0 || ended >= query->since_ns) &&
           (query->until_ns == 0 || ended < query->until_ns) &&
           (query->may == NULL || query->may(record, query->arg));
}

/* The statement that looks at the fewest rows, bound. */
static sqlite3_stmt *page_statement(struct database *database, const struct history_query *query,
                                    uint64_t before)
{
    enum statement id = query->group != NULL  ? STATEMENT_PAGE_GROUP
                        : query->tube != NULL ? STATEMENT_PAGE_TUBE
                        : query->any_kind     ? STATEMENT_PAGE
                                              : STATEMENT_PAGE_OUTCOME;
    const char *word = query->group != NULL  ? query->group
                       : query->tube != NULL ? query->tube
                       : query->any_kind     ? ""
                                             : job_outcome_word(query->kind);
    sqlite3_stmt *statement = database->statement[id];
    MUST(sqlite3_bind_int64(statement, 1, before < INT64_MAX ? (sqlite3_int64)before : INT64_MAX));
    if (id != STATEMENT_PAGE)
        MUST(sqlite3_bind_text(statement, 2, word, -1, SQLITE_STATIC));
    return statement;
}

static int record_give(const struct job_record *like, struct job_record **records, size_t *count)
{
    int rc = job_record_copy(&records[*count], like);
    if (rc == 0)
        (*count)++;
    return rc;
}

static void row_left_out(const struct database *database, sqlite3_stmt *statement)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_ERROR,
                "history: the record %lld of %s can't be read and is left out of lists",
                (long long)sqlite3_column_int64(statement, 0), database->path);
}

int rows_list(struct database *database, const struct history_query *query, uint64_t before,
              size_t max, struct job_record **records, size_t *count, size_t *examined,
              uint64_t *next)
{
    HL_LOCK_SCOPE(database->read_lock);
    if (database->reader == NULL)
        return EIO;
    sqlite3_stmt *statement = page_statement(database, query, before);
    int rc = 0, step = SQLITE_ROW;
    *next = before;
    while (rc == 0 && *count < max && *examined < HISTORY_EXAMINED_MAX &&
           (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct job_record like;
        int damage = row_read(statement, false, &like);
        if (damage == ENOMEM)
            rc = ENOMEM;
        else if (damage != 0)
            row_left_out(database, statement);
        else if (query_matches(query, &like))
            rc = record_give(&like, records, count);
        sqlite3_int64 number = sqlite3_column_int64(statement, 0);
        *next = number > 0 ? (uint64_t)number : 0;
        (*examined)++;
        if (number <= 0) /* none of ours, and none below it is */
            break;
    }
    if (step == SQLITE_DONE)
        *next = 0;
    return reading(statement_end(statement, rc != 0 ? rc : database_errno(step)));
}
