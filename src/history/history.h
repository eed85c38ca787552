// SPDX-License-Identifier: MIT
/*
 * History: the records of finished jobs, by id, for a time.
 *
 * Records are bounded by age, number and bytes; past a bound the oldest go, in small slices. A
 * record may ask for an age of its own; number and bytes bound all of them together. With
 * the path of a file they are kept in an SQLite database and outlive the daemon; without, they are
 * kept in memory and end with it. If a bound is 0 history is off: no record is wanted, no file is
 * opened, no thread runs.
 *
 * With a file, records wait in a bounded queue until the thread "history" writes them, many in one
 * transaction, each transaction synced. Reads see the queue and the file as one. Nobody who adds
 * ever waits. When the queue is full history asks for rest (history_wants_rest): who makes records
 * should pause until half of it is written. It asks for HISTORY_REST_NS at most without a
 * transaction; after that, and past twice the queue, new records are lost, and counted. A disk that
 * is full, fails or hangs costs records (counted, and logged when it begins and ends), never a job.
 *
 * Every record has a number; numbers rise in the order in which records come. That of a record is
 * *durable* when its transaction is synced: what must not be forgotten before (a journal's entries
 * of a finished job) can be let go then. A record of which the journal may take the end back is not
 * written, nor is one with a higher number, so what is durable has no gaps.
 *
 * Who ends a job under a lock of his own hands its end over as a pointer (history_offer); a record
 * is made of it right after (history_take_in), by any thread. Whoever reads sees what was offered.
 *
 * Who asks for records is answered at once out of memory, or later out of the file, which the
 * thread "records" alone reads (history_ask).
 *
 * Thread-safe. One lock of class history, held briefly, and never while the file is used.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include "job/job.h"
#include "thr/thr.h"

struct history;

struct history_settings {
    int64_t keep_ns;     /* age past which a record goes (of the time of day it ended at, with a
                            file) that asks for no retention_ns of its own; 0 or less: off */
    uint64_t keep_count; /* records; 0: off */
    uint64_t keep_bytes; /* of all records together, as they are in memory; 0: off */
    const char *path;    /* of the database; copied; NULL: in memory */
    size_t queue_bytes;  /* of records not yet written; 0: HISTORY_QUEUE_BYTES */
    int64_t linger_ns;   /* how long a record may wait for others; 0: HISTORY_LINGER_NS */
    /* The thread tells, without locks, that all records up to this number are durable or lost for
     * good. Rising; NULL: nobody wants to know. */
    void (*durable)(uint64_t number, void *arg);
    /*
     * A record isn't written before the journal has reached the ticket of its end. reached: 0: it
     * has. EINPROGRESS: not yet, history_reached tells. EIO: it never will. Called under history's
     * lock, so it may take none. want: somebody waits for that ticket; called by the thread,
     * without locks. NULL, both: every end has happened for good.
     */
    int (*reached)(const struct ticket *ticket, void *arg);
    void (*want)(const struct ticket *ticket, void *arg);
    /* history_wants_rest may say something else now. Without locks, on any thread that adds or
     * purges, or history's own; several at once perhaps: who acts on it asks under a lock of his
     * own. NULL: nobody rests. */
    void (*rest)(void *arg);
    void *arg;
};

#define HISTORY_QUEUE_BYTES ((size_t)16 << 20)
/* Long enough that a busy daemon pays for a few syncs a second, whatever it finishes. */
#define HISTORY_LINGER_NS (HL_SECOND / 5)
/* Longer than a batch takes where the disk is slow but works: who finishes jobs faster than results
 * can be written is slowed down to that, and loses none. Where it hangs, jobs go on after that. */
#define HISTORY_REST_NS (5 * HL_SECOND)

struct history_error {
    char text[512]; /* a whole sentence, without a full stop */
};

/*
 * Opens (or makes) the file and starts the thread. A damaged file is renamed and a new one begun,
 * which is logged. EINVAL: the file is somebody else's. EOPNOTSUPP: a newer hilera's. ENOMEM, and
 * what the system says (EACCES, ENOSPC ...). The error tells more.
 */
int history_new(struct history **out, const struct history_settings *settings,
                struct history_error *error);
/* Writes what is still to be written, if that can be done. Nobody adds or asks any more; who waits
 * for an answer is told that it won't come. *history is NULL when no hook is called any more, not
 * before. */
void history_free(struct history **history);

/* false: it is off, and adding to it is in vain. */
bool history_is_on(const struct history *history);

/*
 * Takes the ends of jobs over: a list of struct job_end by their `node`, each with a number that is
 * higher than that of all before. Appends the list to another one, no more, so it may be called
 * under a lock (of a lower rank than the class `ends`). It must be on.
 */
void history_offer(struct history *history, struct list *ends);
/* After history_offer, without locks: makes records of what was offered by anybody. Waits neither
 * for the disk nor for another thread. */
void history_take_in(struct history *history);

/* The journal has reached more tickets. Any thread; takes no lock. */
void history_reached(struct history *history);

/*
 * Takes the record over, in every case, and nulls *record. A record of the same id is replaced (a
 * job that was kicked finishes again) and its attempt becomes an earlier one of the new record.
 * *number: the one that it has, higher than those of all before; 0: the next one, which it says
 * then. ENOMEM, ENOBUFS (the queue is full): it is lost, and counted.
 */
int history_add(struct history *history, struct job_record **record, uint64_t *number);

/* Whether who makes records should pause, since they can't be written as fast. */
bool history_wants_rest(struct history *history);

/* The highest number that the file says was durable, when it was opened; 0: none, or no file. */
uint64_t history_last(const struct history *history);

/*
 * With a file: a record that was added under that number before a crash which the file has missed.
 * In rising order, each higher than history_last; before anything else is added. Takes the record
 * over and nulls it. Waits for room as long as writing gets on. EINVAL: not in order, or off.
 * ENOMEM, ENOBUFS: lost, and counted.
 */
int history_restore(struct history *history, uint64_t number, struct job_record **record);

/* All records up to this number are durable, or lost for good. In memory: all that came. */
uint64_t history_durable(struct history *history);

/* What is past its age goes: at once from memory, soon from a file; and a rest that was in vain
 * ends. To be called every second or so. */
void history_purge(struct history *history);

/* ---- looking through them ---- */

struct history_query {
    const char *tube, *group;   /* NULL: any */
    const char *name, *tag;     /* NULL: any; no index finds these */
    bool any_kind;              /* else only `kind` */
    enum job_outcome_kind kind; /* how they ended */
    int64_t since_ns, until_ns; /* the time of day they ended at: since <= it < until; 0: any */
    uint64_t before;            /* go on there: *next of the page before; 0: from the newest */
    /* Others are as if they weren't there; NULL: all. It may not block. */
    bool (*may)(const struct job_record *record, void *arg);
    void *arg;
};

#define HISTORY_PAGE_MAX 1000
/* Records looked at for one page, so that a rare one among many doesn't hold anybody up. */
#define HISTORY_EXAMINED_MAX 4000

/* ---- asking ---- */

enum history_asks { HISTORY_ASK_RECORD, HISTORY_ASK_PAGE, HISTORY_ASK_KEY };

/*
 * Memory is the asker's, and that of all that it points to: left alone until later.fire ran, or
 * later_cancel said true. A cancel says false while the file is read for it.
 */
struct history_question {
    struct later later; /* `fire` is the asker's; result: what history_ask would have said */
    enum history_asks asks;
    union {
        /* RECORD: a reference on the record; drop it with job_record_unref. ENOENT: none, or no
         * longer. EIO: the file can't be read. ENOMEM. */
        struct {
            uint64_t id;
            struct job_record *record;
        } record;
        /*
         * PAGE: the newest records first, in the order in which they came: `max` (1 to
         * HISTORY_PAGE_MAX) of them at most, perhaps fewer, even none, though there are more:
         * `next` tells (0: that was the end). Their out and err may be empty: ask for a record by
         * its id for these. The references are the asker's. Records that come, go or are replaced
         * meanwhile may be in it or not, but none twice in a page. One that is damaged in the file
         * is left out, which is logged. EIO, ENOMEM: nothing was given.
         */
        struct {
            struct history_query query; /* `may` is called on any thread */
            size_t max;
            struct job_record **records; /* of `max` */
            size_t count;
            uint64_t next;
            size_t examined; /* history's */
        } page;
        /* KEY: the id of the latest record of a job that had this key in this tube; 0: there is
         * none. EIO: the file can't be read, which is logged. ENOMEM. */
        struct {
            const char *tube, *key;
            uint32_t submitter;
            uint64_t id;
        } key;
    };
    struct history *history; /* history's, as the next one */
    bool is_read;            /* the thread has it */
};

/*
 * Answers now, out of memory: 0 or an error as above. Else EINPROGRESS, and the question's later
 * fires when the file was read, with ECANCELED if history is freed before; or, where later.fire is
 * NULL, EAGAIN, and nothing is on its way. Never waits for the disk.
 */
int history_ask(struct history *history, struct history_question *question);

/* The same for threads that may block: they wait for the answer. */
int history_get(struct history *history, uint64_t id, struct job_record **record);
int history_list(struct history *history, const struct history_query *query, size_t max,
                 struct job_record **records, size_t *count, uint64_t *next);
/* 0: there is none, or it can't be found out. */
uint64_t history_key(struct history *history, const char *tube, uint32_t submitter,
                     const char *key);

/* ---- figures ---- */

struct history_stats {
    uint64_t count, bytes; /* records kept now, those that wait to be written included */
    uint64_t added;        /* since the start */
    uint64_t dropped;      /* by age, number or bytes */
    uint64_t lost;         /* for want of memory, of room in the queue, or of a disk */
    bool file;             /* the rest only then: */
    bool healthy;          /* the last transaction was synced, and none takes too long */
    bool resting;          /* history_wants_rest */
    uint64_t pending;      /* records that wait to be written */
    uint64_t batches;      /* transactions that wrote records */
    uint64_t batch_max;    /* records in the largest */
    int64_t write_ns;      /* spent in them */
    uint64_t file_bytes;   /* of the database, without what waits in its log */
};
void history_stats(struct history *history, struct history_stats *stats);

#endif
