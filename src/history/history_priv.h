// SPDX-License-Identifier: MIT
/*
 * The history itself: all that it has; the other private headers have a theme each.
 */
#ifndef HISTORY_HISTORY_PRIV_H
#define HISTORY_HISTORY_PRIV_H

#include "history/keys_priv.h"
#include "history/recent_priv.h"

#define HISTORY_MAGIC 0x4157047fu

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

/* history.c */

/* As history_add, of an end with that ticket; *tell becomes true if rest_tell is to be called,
 * without any lock. */
int history_keep(struct history *history, struct job_record **record, uint64_t *number,
                 const struct ticket *ticket, bool *tell);

#endif
