// SPDX-License-Identifier: MIT
/*
 * The journal: the ordered log of every change, from which the broker's state is made again.
 *
 * A journal is a line of frames; a frame is one group commit, all or nothing in its order, and
 * holds records; a record is bytes to the journal (job/codec.h says which). Places are opaque
 * 64-bit locators, and nothing above knows whether there are files. Two backends: `file`, a
 * directory of segments (file.c, file_format_priv.h), and `memory`, which keeps nothing and calls
 * everything durable.
 *
 * The way of a journal: open, acquire (its only writer, or its only reader), replay (all that is in
 * it, once; this also finds the end), then append, read, pin, scan, trim as needed, close.
 *
 * On top of it, journal/commit.h gathers changes into frames, and journal/compact.h copies the
 * living forward. Both are part of this face.
 *
 * Threads: open, acquire, replay and close by one thread with nobody else inside. append, sync,
 * flush_begin, trim and scan by one thread at a time (the commit role sees to that). flush_run,
 * read, pin, unpin, room and stat by any thread at any time after replay.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/buf.h"
#include "job/job.h"

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
    const char *directory; /* made if it isn't there; NULL: the backend `memory` */
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

struct journal_replayed {
    uint64_t segments, frames, records, bytes; /* that are good */
    uint64_t damages;    /* how often `damaged` was or would have been called */
    uint64_t torn_bytes; /* behind the last frame: a commit that nobody was told of */
    uint64_t last_sequence;
    bool clean; /* the journal was closed, and nothing has been torn */
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

/* ---- append ---- */

/* How deep into the space that is kept back. Each may use what the one before may. */
enum journal_class {
    JOURNAL_PUT = 0, /* leaves three segments */
    JOURNAL_STATE,   /* leaves two: deletes go on when the disk is full */
    JOURNAL_COMPACT  /* takes the last */
};

/* One record is `head` and `body` together. */
struct journal_record {
    const void *head, *body;
    uint32_t head_len, body_len; /* together 1 to JOURNAL_RECORD_MAX */
    uint64_t locator;            /* set by append: where it is now */
};

#define JOURNAL_RECORD_HEAD 8 /* bytes that a record takes in a frame beside its own */
#define JOURNAL_RECORD_MAX ((UINT32_C(1) << 30) + 65536) /* a body of 1 GiB and its head */

/* Memory is the caller's until `done`, which may come before append returns, on any thread. */
struct journal_append {
    struct journal_record *records; /* none: an empty frame */
    size_t count;
    enum journal_class class;
    bool sync;         /* durable when done; else written, for a later sync */
    uint64_t expected; /* the sequence number of the frame before */
    /*
     * result 0: durable (or written). ESTALE: fenced; somebody else has appended. ENOSPC, ENOMEM:
     * nothing was written, and it may be tried again. EMSGSIZE: a record or all of them are too
     * large. EIO: it isn't known what is on the disk; the journal is broken and answers EIO from
     * then on.
     */
    void (*done)(struct journal_append *append);
    int result;
    uint64_t sequence; /* of this frame: expected + 1 */
    void *arg;         /* the caller's */
};

void journal_append(struct journal *journal, struct journal_append *append);

/* Makes durable what was appended without. EIO: as for append. */
int journal_sync(struct journal *journal);

/*
 * The same beside appends: what was appended until `begin` is durable after `run`. begin: by
 * whoever may append; ENODATA: nothing is to be done. run: once after each begin that said 0, by
 * any one thread, while others append on; blocks for the disk. EIO: as for append.
 */
struct journal_flush {
    uint64_t sequence; /* of the last frame that it is for */
    void *inside;      /* the backend's */
};
int journal_flush_begin(struct journal *journal, struct journal_flush *flush);
int journal_flush_run(struct journal *journal, struct journal_flush *flush);

/*
 * Bytes that a put (or another class) can count on right now, without waiting for the disk to give
 * more. An instant's figure, one atomic read. INT64_MAX: no limit is known.
 */
int64_t journal_room(const struct journal *journal, enum journal_class class);
/* Whether a frame with so many bytes of records would begin a segment if it were appended now: that
 * takes more syncs than one, and perhaps a wait. An instant's answer, one atomic read. */
bool journal_begins(const struct journal *journal, size_t bytes);
/*
 * The largest frame that wastes little space now: a part of a segment, or what is left of the one
 * that is written to. Larger ones are possible. With JOURNAL_RECORD_HEAD for each record.
 */
size_t journal_frame_size(const struct journal *journal);
/* Whether the disk had no space when it was last asked for more. */
bool journal_full(const struct journal *journal);

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

#define JOURNAL_LOG2 24

struct journal_stat {
    uint64_t segments, segments_ready; /* in the line; prepared for it */
    uint64_t segment_size;             /* of new ones */
    uint64_t bytes_total;              /* of all files */
    uint64_t bytes_used;               /* written to in segments of the line */
    uint64_t frames, records, bytes;   /* appended since open, headers included */
    uint64_t syncs, sync_ns, sync_max_ns;
    uint64_t
        sync_log2_us[JOURNAL_LOG2]; /* [n]: syncs of less than 2^n microseconds, not of 2^(n-1) */
    uint64_t waits;                 /* appends that waited for a segment to be prepared */
    uint64_t recycled, created, removed; /* segments */
    bool full;                           /* the disk had no space for another segment */
    int broken;                          /* 0, or the error that broke it */
};
void journal_stat(const struct journal *journal, struct journal_stat *stat);

/* The place of a figure in a histogram of powers of two: 0 for 0, n for 2^(n-1) to 2^n - 1. */
unsigned journal_log2(uint64_t figure);

/* ---- offline: check and salvage ---- */

/* What is in a directory, entry by entry. */
struct journal_census {
    struct journal_replayed replayed;
    uint64_t entries[32]; /* by enum job_entry_type; [0]: all others */
    uint64_t unreadable;  /* records that are whole but no entry: damaged when they were written */
    uint64_t newer;       /* entries of a newer hilera */
    uint64_t jobs, jobs_buried; /* that are there at the end */
    uint64_t job_bytes;         /* of their bodies */
    uint64_t last_id;           /* the highest seen */
    uint64_t id_ceiling;        /* of the last record of limits that is there; 0: none */
};

enum journal_verdict {
    JOURNAL_WHOLE = 0, /* exit status 0 */
    JOURNAL_DAMAGED,   /* 1: something that was synced is lost */
    JOURNAL_NOT_READ   /* 2: couldn't be read at all, is in use, or is of a newer hilera */
};

/*
 * Reads all of it and changes nothing. `line` gets each finding as a line of text, without line
 * end, then a summary; may be NULL. The census is valid unless NOT_READ.
 */
enum journal_verdict journal_check(const struct journal_settings *settings,
                                   struct journal_census *census,
                                   void (*line)(void *arg, const char *text), void *arg);

/*
 * Ids that may have been given out behind the highest that is known where something is damaged: a
 * record of their limit may be lost, and with it any number of blocks.
 */
#define JOURNAL_GAP_AFTER_DAMAGE (UINT64_C(1) << 32)

/*
 * Copies every whole record of `from` to a new journal in `to`, a directory that is empty or not
 * there; and if something is damaged, limits behind the gap, since the copy shows no damage.
 * EEXIST: it isn't empty. *copied: records. The lines are those of journal_check.
 */
int journal_salvage(const struct journal_settings *from, const struct journal_settings *to,
                    uint64_t *copied, void (*line)(void *arg, const char *text), void *arg,
                    struct journal_error *error);

/* ---- backends: const tables of methods ---- */

/* Every entry is mandatory; they mean what the functions of that name above say. */
struct journal_backend {
    const char *name;
    int (*acquire)(struct journal *journal, struct journal_error *error);
    int (*replay)(struct journal *journal, const struct journal_visitor *visitor,
                  struct journal_replayed *replayed, struct journal_error *error);
    void (*append)(struct journal *journal, struct journal_append *append);
    int (*sync)(struct journal *journal);
    int (*flush_begin)(struct journal *journal, struct journal_flush *flush);
    int (*flush_run)(struct journal *journal, struct journal_flush *flush);
    int64_t (*room)(const struct journal *journal, enum journal_class class);
    bool (*begins)(const struct journal *journal, size_t bytes);
    size_t (*frame_size)(const struct journal *journal);
    bool (*full)(const struct journal *journal);
    int (*read)(struct journal *journal, uint64_t locator, struct buf *record);
    int (*pin)(struct journal *journal, uint64_t locator);
    void (*unpin)(struct journal *journal, uint64_t locator);
    int (*scan_begin)(struct journal *journal, struct journal_scan *scan);
    int (*scan_next)(struct journal *journal, struct journal_scan *scan,
                     const struct journal_visitor *visitor, size_t records);
    void (*scan_end)(struct journal *journal, struct journal_scan *scan);
    int (*trim)(struct journal *journal, uint64_t before, uint64_t *sequence);
    void (*stat)(const struct journal *journal, struct journal_stat *stat);
    int (*close)(struct journal *journal);
};

/* The beginning of every backend's object. */
struct journal {
    unsigned magic;
    const struct journal_backend *backend;
};

/* ---- the system, replaceable ---- */

/*
 * Every call that touches the disk. They return 0 or an errno value. Directories are descriptors.
 * Tests put a disk in memory here, which fails the n-th call or loses what was not synced.
 */
struct journal_sys {
    /* make: also makes it (0700) if only its last part is missing. */
    int (*open_directory)(const char *path, bool make, int *directory);
    int (*open)(int directory, const char *name, int flags, mode_t mode, int *fd);
    int (*close)(int fd);
    /* *got is less than len only at the end of the file. */
    int (*read)(int fd, void *to, size_t len, uint64_t at, size_t *got);
    /* All of it, or an error. */
    int (*write)(int fd, const void *bytes, size_t len, uint64_t at);
    /* Makes the file so long, with space for each byte. ENOSPC. */
    int (*allocate)(int fd, uint64_t size);
    int (*truncate)(int fd, uint64_t size);
    int (*size)(int fd, uint64_t *size);
    int (*sync_data)(int fd);
    int (*sync)(int fd); /* of a file or a directory */
    int (*rename)(int directory, const char *from, const char *to);
    int (*unlink)(int directory, const char *name);
    /* Every name but . and .. */
    int (*list)(int directory, int (*each)(const char *name, void *arg), void *arg);
    /* A lock of the open file; shared or not. EBUSY: somebody has it. */
    int (*lock)(int fd, bool shared);
};

extern const struct journal_sys journal_sys_real;

#include "journal/commit.h"
#include "journal/compact.h"

#endif
