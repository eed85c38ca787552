// SPDX-License-Identifier: MIT
/*
 * The inside of the history folder: ends that were offered (ends.c), records in memory (recent.c),
 * the database (database.c, rows.c), the thread between the two (writer.c), and the one that reads
 * (reader.c), with what spares it questions for keys (keys.c, filter.c).
 */
#ifndef HISTORY_HISTORY_PRIV_H
#define HISTORY_HISTORY_PRIV_H

#include "base/hash.h"
#include "base/heap.h"
#include "base/idtable.h"
#include "history/history.h"
#include "thr/thr.h"

#include <sqlite3.h>

#define HISTORY_MAGIC 0x4157047fu

/* The highest that a file or a journal may say: numbers go on from there, and what is given out can
 * always be read again. */
#define HISTORY_NUMBER_MAX (JOB_ID_MAX / 2)

/* ---- filter.c: a set that may say yes in error, never no; not thread-safe ---- */

struct filter;

/* For so many items at least. ENOMEM. */
int filter_new(struct filter **out, uint64_t capacity);
void filter_free(struct filter **filter);
/* Items are known by their hash, all 64 bits of which count. */
void filter_add(struct filter *filter, uint64_t hash);
bool filter_may_have(const struct filter *filter, uint64_t hash);
/* Items that were added, each once; a few may have been taken for others. */
uint64_t filter_count(const struct filter *filter);
/* How many it is for. */
uint64_t filter_capacity(const struct filter *filter);
/* More were added than it is for: it says yes too often. */
bool filter_is_over(const struct filter *filter);

/* ---- recent.c: records in memory, by id, number and key; not thread-safe ---- */

struct entry {
    unsigned magic;
    uint64_t number;
    struct entry *next; /* once it is out, to be freed */
    size_t pos;         /* in recent->aging */
    int64_t until_ns;   /* how long it is kept (clock_now_ns time) */
    struct job_record *record;
    struct ticket ticket; /* to be reached before it is written */
    /* One of the same id came later and may be lost still. Found by number only, to be written. */
    bool replaced;
    size_t key_len;
    char *key; /* in by_key; its own: the tube's name, a NUL, the submitter, the key; NULL: it isn't
                  there */
};

struct recent {
    struct idmap by_id;
    struct idtable by_number;
    struct strmap by_key; /* the latest of each, of those that have one */
    uint64_t first;       /* none has a lower number */
    uint64_t next;        /* the number that the next one gets, 1 at first */
    uint64_t count, bytes;
    /* By until_ns, where records go from here for their age; where there is a file, that says. */
    bool ages;
    int64_t keep_ns; /* of those that asked for no time of their own */
    struct heap aging;
};

#define KEY_TEXT_MAX (JOB_TUBE_NAME_MAX + 1 + sizeof(uint32_t) + JOB_TEXT_MAX)
/* A key as it is looked up: the tube's name, a NUL, the submitter, the key. Returns the length; 0:
 * it is longer than any is. */
size_t key_write(char text[KEY_TEXT_MAX], const char *tube, uint32_t submitter, const char *key);

/* ages: recent_aged is wanted. */
void recent_init(struct recent *recent, bool ages, int64_t keep_ns);
void recent_fini(struct recent *recent);
/*
 * Adds it under the next number. A record of the same id goes to *gone, or (`keep`) stays as a
 * replaced one, and the new one has its attempt among the earlier ones. Takes the reference over
 * and nulls *record. ENOMEM: it is still the caller's, and nothing else has changed.
 */
int recent_add(struct recent *recent, struct job_record **record, const struct ticket *ticket,
               bool keep, struct entry **gone);
/* Out of it, to the front of *gone. */
void recent_take(struct recent *recent, struct entry *entry, struct entry **gone);
/* The one with the least number that is not below *number, which is set to it; NULL: none. */
struct entry *recent_from(struct recent *recent, uint64_t *number);
/* The one with the lowest number; NULL: it is empty. */
struct entry *recent_first(struct recent *recent);
/* The one whose time is over first, if that is before now; NULL: none. */
struct entry *recent_aged(const struct recent *recent, int64_t now_ns);
/* NULL: none. */
struct entry *recent_at(const struct recent *recent, uint64_t number);
struct entry *recent_by_id(const struct recent *recent, uint64_t id);
struct entry *recent_by_key(const struct recent *recent, const char *tube, uint32_t submitter,
                            const char *key);
/* Outside of any lock. */
void entries_free(struct entry **gone);
size_t entry_bytes(const struct entry *entry);

/* ---- database.c ---- */

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

/* ---- full.c ---- */

/* Before the first file is opened; once counts. */
void full_begin(void);

/* ---- form.c ---- */

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

/* ---- rows.c: writing is for the thread ---- */

/* `count` of them in one transaction, synced. *refused gets how many SQLite would never take (too
 * large a text). Any errno: none was written. */
struct numbered {
    uint64_t number;
    struct job_record *record;
};
int rows_write(struct database *database, const struct numbered *rows, size_t count,
               size_t *refused);

struct retention {
    int64_t now_wall_ns;    /* what asked for a time of its own goes when that is over */
    int64_t oldest_wall_ns; /* others go that ended before; INT64_MIN: nothing by age */
    uint64_t count, bytes;
};
#define ROWS_SLICE 1024
/* Removes some that are past a bound: numbers[] (of ROWS_SLICE) gets which, *forgotten how many;
 * 0: none is. *keyed: how many of them had a key. */
int rows_forget(struct database *database, const struct retention *retention, uint64_t *numbers,
                size_t *forgotten, size_t *keyed);

/* Under the lock of the reader, which they take. ENOENT. */
int rows_get(struct database *database, uint64_t id, struct job_record **record);
/* The latest of that tube, submitter and key. ENOENT. */
int rows_by_key(struct database *database, const char *tube, uint32_t submitter, const char *key,
                uint64_t *id);
/* Of rows below `before`. *examined goes up by those looked at, to HISTORY_EXAMINED_MAX at most;
 * *next as history_list. */
int rows_list(struct database *database, const struct history_query *query, uint64_t before,
              size_t max, struct job_record **records, size_t *count, size_t *examined,
              uint64_t *next);
/* Where a walk through all keys is: behind the row of that key and number; zeroed: at the begin. */
struct rows_cursor {
    char tube[JOB_TUBE_NAME_MAX + 1], key[JOB_TEXT_MAX + 1];
    int64_t submitter, number;
};
/* Calls `visit` for the keys of the next rows, `max` at most. *count: how many; fewer than max:
 * those were the last. On an error the cursor is where it was. */
int rows_keys(struct database *database, struct rows_cursor *cursor, size_t max,
              void (*visit)(const char *tube, uint32_t submitter, const char *key, void *arg),
              void *arg, size_t *count);
bool query_matches(const struct history_query *query, const struct job_record *record);

/* ---- the whole ---- */

/* Which keys the file may have; covered by the history's lock but where it says the reader's, who
 * is the thread "records". */
struct keys {
    struct hash_key hash;   /* set once */
    struct filter *now;     /* NULL: none is complete yet, any key may be there */
    struct filter *next;    /* the one that is being filled; the reader's beside; NULL: none is */
    uint64_t stale;         /* keys in `now` whose record is gone */
    uint64_t stale_next;    /* since `next` was begun */
    uint64_t written_first; /* records up to this number were there then */
    uint64_t room;          /* the capacity that the next one has at least, the reader's */
    int64_t retry_ns;       /* not to be filled before, the reader's; 0 */
    struct rows_cursor at;  /* how far `next` is, the reader's */
};

struct history {
    unsigned magic;
    struct history_settings settings; /* without the path */
    bool on;
    struct database *database; /* NULL: in memory only, or off */
    hl_lock *lock;             /* covers all from here to `room` */
    struct recent recent;
    struct history_stats stats; /* count and bytes: of the file, if there is one */
    uint64_t opened_last;       /* of the file; set once */
    uint64_t written;           /* entries up to this number are in the file */
    uint64_t pending_bytes;
    int64_t pending_since_ns;
    int64_t retry_ns; /* not to be written to before; 0 */
    bool purge;       /* is wanted */
    bool rung;        /* the thread was woken and hasn't looked yet */
    /* When who makes records began to rest, or the last batch since; 0: they don't. */
    int64_t rest_since_ns;
    bool hangs; /* no batch was written while they rested: they don't until the next one */
    bool stopping;
    struct offered {            /* by who ended jobs; see ends.c */
        hl_lock *lock;          /* covers the list; nothing is acquired under it */
        struct list ends;       /* of struct job_end, in order of their numbers */
        _Atomic uint64_t count; /* of those that aren't records yet */
        hl_lock *taking;        /* who makes records of them, in order */
    } offered;
    struct keys keys;
    struct list asked;  /* of struct history_question by later.node: those that nobody reads for */
    bool asked_no_more; /* the thread "records" is to end */
    _Atomic uint32_t room; /* rings when there is room in the queue */
    _Atomic uint32_t bell; /* rings for the thread */
    _Atomic bool held;     /* the thread waits for a ticket */
    hl_thread *thread;
    struct numbered *batch;       /* the thread's, of WRITER_BATCH */
    uint64_t *forgotten;          /* the thread's, of ROWS_SLICE */
    _Atomic uint32_t reader_bell; /* rings for the thread "records" */
    hl_thread *reader;
};

/* ---- history.c ---- */

/* As history_add, of an end with that ticket; *tell becomes true if rest_tell is to be called,
 * without any lock. */
int history_keep(struct history *history, struct job_record **record, uint64_t *number,
                 const struct ticket *ticket, bool *tell);

/* What is answered out of the file, on the thread "records"; as history_ask. */
int question_read(struct history *history, struct history_question *question);

/* ---- keys.c ---- */

void keys_init(struct keys *keys);
void keys_fini(struct keys *keys);
/* [held] The record has come. */
void keys_add(struct history *history, const struct job_record *record);
/* [held] So many records with a key went from the file. */
void keys_forgotten(struct history *history, uint64_t count);
/* [held] All that the file had is gone. */
void keys_all_forgotten(struct history *history);
/* [held] false: the file has no record of that key which isn't in memory, too. */
bool keys_may_have(const struct history *history, const char *tube, uint32_t submitter,
                   const char *key);
/* [held] Whether a filter is to be made, or goes on being made. */
bool keys_wanted(const struct history *history);
/* [held] On the thread "records": not before then; CLOCK_NEVER: when more is written. */
int64_t keys_due(const struct history *history);
/* On the thread "records", without locks: a part of that. */
void keys_fill(struct history *history);

/* ---- reader.c ---- */

int reader_start(struct history *history);
/* Who still asks hears ECANCELED. */
void reader_stop(struct history *history);
void reader_wake(struct history *history);

/* ---- ends.c ---- */

int ends_init(struct offered *offered);
void ends_fini(struct history *history);
/* Without locks: what was offered until now is a record when it returns, or lost. */
void ends_settle(struct history *history);

/* ---- rest.c ---- */

/* [held] Whether a record of so many bytes is lost, for want of room. */
bool rest_is_over(const struct history *history, size_t memory);
/* [held] After records came; after a batch was written; after a second. Each: whether
 * history_wants_rest says something else now; then settings.rest is to be called. *hangs: whether
 * it was found just now that nothing is written. */
bool rest_look(struct history *history);
bool rest_written(struct history *history);
bool rest_tick(struct history *history, bool *hangs);
/* Without locks. */
void rest_tell(const struct history *history);

/* ---- writer.c ---- */

#define WRITER_BATCH 4096
#define WRITER_BATCH_BYTES ((size_t)4 << 20)
/* Written records that stay in memory, since who waits for a job asks for its record at once. */
#define WRITER_RECENT_BYTES ((size_t)2 << 20)

int writer_start(struct history *history);
/* After the last add: writes what it can, and ends. */
void writer_stop(struct history *history);
/* [held] Whether it has to be woken for what there is to do; if so, call writer_wake after. */
bool writer_wanted(struct history *history);
void writer_wake(struct history *history);

#endif
