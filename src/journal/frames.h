// SPDX-License-Identifier: MIT
/*
 * The frames of a journal: opened, replayed, appended, read back, trimmed. Part of
 * journal/journal.h, whose other parts stand on it.
 *
 * A journal is a line of frames; a frame is one group commit, all or nothing in its order, and
 * holds records; a record is bytes to the journal (job/codec.h says which). Places are opaque
 * 64-bit locators, and nothing above knows whether there are files. What keeps the frames is a
 * backend (journal/backend.h): `file`, a directory of segments (file.c, file_format_priv.h), or
 * `none`, for tests.
 *
 * The way of a journal: open, acquire (its only writer, or its only reader), replay (all that is in
 * it, once; this also finds the end), then append, read, pin, scan, trim as needed, close.
 *
 * Threads: open, acquire, replay and close by one thread with nobody else inside. append, sync,
 * sync_begin, trim and scan by one thread at a time (the commit role sees to that). sync_run, read,
 * pin, unpin, room and stat by any thread at any time after replay.
 *
 * Arrows: this includes job and base, and nothing of the folder. Backends include it by backend.h;
 * it knows none of them.
 */
#ifndef JOURNAL_FRAMES_H
#define JOURNAL_FRAMES_H

#include "base/buf.h"
#include "job/job.h"
#include "journal/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct journal;
struct journal_sys;

/* A sentence for people: what is wrong, where, and what would help. "" after success. */
struct journal_error {
    char text[512];
};

/* Makes it; returns rc. For who works on a journal and shows the same kind of error. */
int journal_error_set(struct journal_error *error, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- opening ---- */

#define JOURNAL_SEGMENT_MIN UINT32_C(0x10000)      /* 64 KiB */
#define JOURNAL_SEGMENT_MAX UINT32_C(0x40000000)   /* 1 GiB */
#define JOURNAL_SEGMENT_DEFAULT UINT32_C(0x200000) /* 2 MiB */
#define JOURNAL_SEGMENT_LARGE UINT32_C(0x2000000)  /* 32 MiB */

struct journal_settings {
    const char *directory; /* made if it isn't there; NULL: the backend `none` */
    int held; /* a descriptor of that directory, which is used in place of the name and stays the
                 caller's; 0: none */
    bool read_only; /* for check and salvage: nothing is written, not even the directory */
    /*
     * Bytes of a segment of an empty journal, and of a large one: segments grow with what is in the
     * journal, a 64th of it each. 0: the defaults. Six segments are there at least, so an empty
     * directory takes 12 MiB by default. EINVAL outside of JOURNAL_SEGMENT_MIN and _MAX, or if the
     * second is less than the first. A record that is too large for a segment gets one of its own.
     */
    uint32_t segment_size, segment_size_max;
    /* Segments are prepared by the thread "prepare"; true: by append, when it needs one, for tests
     * that must not depend on the order of threads. */
    bool prepare_inline;
    const struct journal_sys *sys; /* NULL: the system's calls. Tests have their own disk */
};

/*
 * Neither locks nor reads yet. EINVAL: the settings. ENOENT, ENOTDIR, EACCES ...: the directory.
 * ENOMEM. *error always tells more.
 */
int journal_open(struct journal **out, const struct journal_settings *settings,
                 struct journal_error *error);

/*
 * Locks the directory, as the only writer or (read_only) as one of several readers, for as long as
 * the journal is open, and finds its segments. EBUSY: a daemon has it; the error names its pid.
 * EEXIST: it holds something else (beanstalkd's binlog: the error names the import) or segments of
 * another journal. EOPNOTSUPP: made by a newer hilera. EIO and others as from the system.
 */
int journal_acquire(struct journal *journal, struct journal_error *error);

/* Syncs, marks a clean end, unlocks, frees; the memory is gone in every case. EIO: it could not be
 * synced, or had failed before. */
int journal_close(struct journal **journal);

/* ---- replay ---- */

enum journal_damage_kind {
    JOURNAL_DAMAGE_FRAME = 0, /* bytes that are no frame, between good ones; or parts of one */
    JOURNAL_DAMAGE_SEGMENT,   /* a file, or the beginning of one, is missing or unreadable */
};

/* Something that was synced once and is not right any more. */
struct journal_damage {
    enum journal_damage_kind kind;
    const char *file;      /* valid during the call */
    uint64_t offset, size; /* bytes of the file that are lost or in doubt */
    uint64_t kept;         /* records of the damaged frame that are good by their own checksum */
    const char *text;      /* a sentence */
};

struct journal_visitor {
    /* Each record, oldest first. `bytes` is valid during the call. Not 0: the walk ends with it. */
    int (*record)(void *arg, uint64_t locator, const void *bytes, size_t len);
    /* May be NULL. */
    void (*damaged)(void *arg, const struct journal_damage *damage);
    void *arg;
};

/*
 * Once, after acquire and before everything below. Frames are accepted in unbroken order only. A
 * bad one that the journal knows to have been synced (a later frame says so) is damage: it is
 * reported, and those of its records that are whole are visited all the same. Otherwise it is the
 * torn tail, which ends the journal. What `record` said, with the text that it put into *error, or
 * EIO, ENOMEM.
 *
 * After damage a record of ceilings may have been lost: whoever issues ids should leave a wide gap.
 */
int journal_replay(struct journal *journal, const struct journal_visitor *visitor,
                   struct journal_replayed *replayed, struct journal_error *error);

/* ---- what the backend is like, and how much room there is ---- */

/* The same for as long as the journal is open. */
struct journal_facts {
    unsigned window;   /* appends that may be under way at a time; at least 1 */
    bool distant;      /* an append waits for other machines: nobody else waits for who leads one */
    size_t record_max; /* bytes of a record */
};
void journal_facts(const struct journal *journal, struct journal_facts *facts);

/*
 * One look. An instant's figures, without a lock, each of which may be a moment older than the
 * next. Bytes, of records with JOURNAL_RECORD_HEAD for each, that a change of a class can count on
 * without waiting for the disk to give more; INT64_MAX: no limit is known.
 */
struct journal_room {
    int64_t put, change, last, copy; /* by enum journal_class */
    size_t frame;   /* the largest frame that wastes little now; larger ones are possible */
    bool slow_next; /* the next append waits for more than one sync, and perhaps for space */
    bool full;      /* there was no space when it was last asked for more */
    uint64_t used;  /* of the whole */
    uint64_t unit;  /* of that, what a trim gives back at a time, in the mean; 0: nothing is used */
};
void journal_room(const struct journal *journal, struct journal_room *room);

/* ---- append ---- */

/* What a change is to the room that is kept back. Each may use what the one before may. */
enum journal_class {
    JOURNAL_PUT = 0, /* refused first */
    JOURNAL_STATE,   /* a change of a job */
    JOURNAL_LAST,    /* the end of a job, or what says as much: deletes go on on a full disk */
    JOURNAL_COMPACT  /* a copy, which makes room in the end: takes the last */
};

static inline int64_t journal_room_of(const struct journal_room *room, enum journal_class class)
{
    return class == JOURNAL_PUT     ? room->put
           : class == JOURNAL_STATE ? room->change
           : class == JOURNAL_LAST  ? room->last
                                    : room->copy;
}

/* One record is `head` and `body` together. */
struct journal_record {
    const void *head, *body;
    uint32_t head_len, body_len; /* together 1 to facts.record_max */
    uint64_t locator;            /* set by append: where it is now */
};

#define JOURNAL_RECORD_HEAD 8 /* bytes that a record takes in a frame beside its own */
#define JOURNAL_RECORD_MAX ((UINT32_C(1) << 30) + 65536) /* a body of 1 GiB and its head */

/*
 * One frame. Memory is the caller's until `done`, which comes once: before journal_append returns
 * or later, on any thread, without a lock. Up to facts.window of them may be under way, begun in
 * the order of their numbers; `done` may come in any.
 */
struct journal_append {
    struct journal_record *records; /* none: an empty frame */
    size_t count;
    enum journal_class class;
    bool sync;         /* durable when done; else written, for a later sync */
    uint64_t expected; /* the sequence number of the frame before, be it done or not */
    void (*done)(struct journal_append *append);
    void *arg; /* the caller's */
    /*
     * Counts: 0; it is durable or written, and so is every frame before it. Fenced: ESTALE;
     * somebody else has appended, and counts. No room: ENOSPC, ENOMEM; nothing was done, and it may
     * be begun again. Where the window is more than one, what expects a frame that isn't there
     * finds no room either: nothing gets ahead of what has to be begun again. Failed: EIO; what is
     * there isn't known, for good, and all that follow answer the same. The caller's fault:
     * EMSGSIZE; the records are too large.
     */
    int result;
    bool durable;      /* if it counts: power loss keeps it; also if that wasn't asked for */
    uint64_t sequence; /* the last frame that counts: expected + 1, if it is this one */
};

void journal_append(struct journal *journal, struct journal_append *append);

/*
 * Makes durable what was appended without, beside appends: what was done when `begin` was called is
 * durable after `run`. begin: by whoever may append; ENODATA: nothing is to be done. run: once
 * after each begin that said 0, by any one thread, while others append on; blocks for the disk.
 * EIO: as for append.
 */
struct journal_syncing {
    uint64_t sequence; /* of the last frame that it is for */
    void *inside;      /* the backend's */
};
int journal_sync_begin(struct journal *journal, struct journal_syncing *syncing);
int journal_sync_run(struct journal *journal, struct journal_syncing *syncing);
/* Both. 0: all is durable. */
int journal_sync(struct journal *journal);

/* ---- reading back ---- */

/*
 * One record, to be kept in *record (cleared first). Checksum and place are verified. ENOENT: that
 * place is trimmed. EBADMSG: what is there is damaged. EIO, ENOMEM.
 */
int journal_read(struct journal *journal, uint64_t locator, struct buf *record);

/*
 * A place that is pinned stays readable although it is trimmed. Counted; short, no I/O: may be
 * called under the owner's lock. ENOENT: it is trimmed already.
 */
int journal_pin(struct journal *journal, uint64_t locator);
void journal_unpin(struct journal *journal, uint64_t locator);

/* ---- making room ---- */

/*
 * Walks the oldest segment that isn't written to any more, in slices, for compaction. begin:
 * ENOENT: there is none. next: visits up to `records` more (damaged ones were reported by replay
 * and are passed over) and says EAGAIN while there are more, 0 at the end; everything before
 * scan->end may be trimmed as soon as copies of what is alive in it are durable. end may come at
 * any time.
 */
struct journal_scan {
    uint64_t end;   /* locator */
    uint64_t bytes; /* of the segment's file */
    void *inside;   /* the backend's */
};
int journal_scan_begin(struct journal *journal, struct journal_scan *scan);
int journal_scan_next(struct journal *journal, struct journal_scan *scan,
                      const struct journal_visitor *visitor, size_t records);
void journal_scan_end(struct journal *journal, struct journal_scan *scan);

/*
 * Everything before the locator is dead. Appends an empty frame that says so, which is durable when
 * it returns 0; *sequence: the last frame's number, as `expected` of an append, and then the new
 * one. Space that isn't pinned is used again after that. ENOSPC, ENOMEM: not done; ESTALE; EIO.
 */
int journal_trim(struct journal *journal, uint64_t before, uint64_t *sequence);

/* ---- figures ---- */

void journal_stat(const struct journal *journal, struct journal_stat *stat);

/* The place of a figure in a histogram of powers of two: 0 for 0, n for 2^(n-1) to 2^n - 1. */
static inline unsigned journal_log2(uint64_t figure)
{
    unsigned bits = figure == 0 ? 0 : 64 - (unsigned)__builtin_clzll(figure);
    return bits < JOURNAL_LOG2 ? bits : JOURNAL_LOG2 - 1;
}

#endif
