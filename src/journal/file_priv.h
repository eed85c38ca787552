// SPDX-License-Identifier: MIT
/*
 * The inside of the backend `file`: a directory of segments.
 *
 * A segment is a file "segment-NNNNNN", made whole (allocated, filled with zeros, synced, renamed
 * into place, directory synced) before it is first written to. Each is in one of three places:
 *
 *   the line    begun: generations `oldest` to `newest`, one after the other; only the newest is
 *               written
 *   ready       prepared, or trimmed and no longer pinned: will be begun with the next generation
 *   retired     trimmed, but still pinned
 *
 * Arrows: the files of this backend include this; it includes backend.h and the
 * headers of its format and of the system. Nothing of commit is known here.
 *
 * Locks: `lock` (class segments) covers the three places, pins and the counts that go with them,
 * for short times without I/O. What append owns belongs to the thread that has the right to append.
 */
#ifndef JOURNAL_FILE_PRIV_H
#define JOURNAL_FILE_PRIV_H

#include "base/list.h"
#include "base/magic.h"
#include "base/map.h"
#include "journal/backend.h"
#include "journal/file_format_priv.h"
#include "journal/file_sys.h"
#include "thr/thr.h"

#include <stdatomic.h>

#define FILE_JOURNAL_MAGIC 0x70f11e00u
#define SEGMENT_MAGIC 0x705e6e00u

#define SEGMENT_NAME_MAX 32
#define SEGMENTS_KEPT_BACK 3 /* one for state changes, two for compaction; see file_prepare.c */
#define SEGMENTS_AHEAD 2     /* ready beyond those */
#define SEGMENTS_GROWTH                                                                            \
    64 /* a segment is at most this part of the journal, from the second size on */
#define SEGMENT_SIZE_MAX ((uint64_t)UINT32_MAX) /* a place in it is a number of 32 bits */
#define SEGMENTS_MAX 60000                      /* in the line: FORMAT_BACK_MAX counts them */

struct segment {
    unsigned magic;
    struct list_node node; /* ready, retired */
    uint32_t number;       /* in its name */
    int fd;
    uint64_t size;           /* of the file */
    uint32_t generation;     /* 0: not begun */
    uint64_t first_sequence; /* of its first frame */
    uint64_t end;            /* behind its last frame */
    unsigned pins;
    bool retired;
    bool header_lost; /* both headers are damaged; the generation was found out by trying */
    struct format_key key;
};

struct file_journal {
    struct journal base;
    struct journal_settings settings; /* directory isn't valid after open */
    const struct journal_sys *sys;
    int directory, lock_fd; /* -1: not open */
    char *path;             /* of the directory, for messages */
    uint64_t id;            /* 0: not known yet */
    bool acquired, replayed;

    hl_lock *lock;     /* covers from here to `stat` */
    struct idmap line; /* by generation */
    uint32_t oldest;   /* newest + 1 if the line is empty; generations may be missing, of damage */
    uint32_t newest;   /* 0: none was ever begun */
    uint64_t synced;   /* frames up to this one were synced before this start; for replay */
    struct list ready; /* the first will be used first */
    struct list retired;
    struct list strays; /* files that can't be read as segments and are left alone */
    size_t ready_count;
    uint32_t next_number;
    uint64_t bytes_total, bytes_used;
    struct journal_stat stat; /* counts that are kept as they are reported; see file.c */

    /* Written under the lock, read by journal_room. */
    _Atomic int64_t room_ready[JOURNAL_COMPACT + 1];
    _Atomic int64_t room_active;
    _Atomic uint64_t used, unit; /* bytes_used; a segment's, in the mean */
    _Atomic bool full;

    /* The thread "prepare". */
    hl_thread *preparer; /* NULL: none */
    _Atomic uint32_t preparer_bell, prepared;
    _Atomic bool preparer_stop;

    /* Owned by whoever may append. */
    struct segment *active; /* NULL: the next append begins one */
    uint64_t sequence;      /* of the last frame */
    unsigned char *frame;   /* where frames are put together */
    size_t frame_cap;

    hl_lock *sync_lock;         /* whoever syncs */
    _Atomic uint64_t synced_to; /* the last frame that is durable; rises under sync_lock */
    _Atomic int broken;         /* 0, or the first error; set once */
};

static inline struct file_journal *file_journal_of(const struct journal *journal)
{
    struct file_journal *file = CONTAINER_OF(journal, struct file_journal, base);
    MAGIC_CHECK(&file->base, FILE_JOURNAL_MAGIC);
    return file;
}

/* file_sync.c */
/* It isn't known what is on the disk: nothing goes on. `what` failed; logged once. Returns EIO. */
int file_break(struct file_journal *file, int rc, const char *what);
/* By whoever may append: the active segment, in any case or if anything of it isn't synced. */
int active_write_out(struct file_journal *file);
int active_sync(struct file_journal *file);
/* How many of its frames aren't known to be durable. */
uint64_t active_unsynced(const struct file_journal *file);

/* file_segment.c */
/* "segment-000007" */
void segment_name(uint32_t number, char name[SEGMENT_NAME_MAX]);
/* The way back. false: it is none. */
bool segment_number(const char *name, uint32_t *number);
/* A whole new file of that size, not in any place yet. ENOSPC, EIO, ... nothing is left of it. */
int segment_create(struct file_journal *file, uint32_t number, uint64_t size, bool zeroed,
                   struct segment **out);
/* Closes and frees; the file stays. */
void segment_free(struct file_journal *file, struct segment **segment);
/* Closes, frees, and takes the file away; the directory isn't synced. */
int segment_remove(struct file_journal *file, struct segment **segment);
struct segment *segment_new(uint32_t number, int fd, uint64_t size);

/* file_prepare.c */
/* What size the next new segment should have. [lock] */
uint64_t prepare_size(const struct file_journal *file);
/* A segment for at least `size` bytes of frames, taken out of `ready`; waits while the disk can
 * give one. ENOSPC. Who may append. */
int prepare_take(struct file_journal *file, enum journal_class class, uint64_t size,
                 struct segment **out);
/* Puts one that isn't needed any more to the ready ones. [lock] */
void prepare_give(struct file_journal *file, struct segment *segment);
/* The room figures anew: of ready segments, and of the line. [lock] */
void prepare_count(struct file_journal *file);
void line_count(struct file_journal *file);
/* Makes what is kept back, as far as the disk has space; starts the thread. EAGAIN. */
int prepare_start(struct file_journal *file);
void prepare_stop(struct file_journal *file);
void prepare_wake(struct file_journal *file);

/* file_directory.c */
int directory_acquire(struct journal *journal, struct journal_error *error);

/* file_replay.c, file_read.c, file_scan.c */
int file_replay(struct journal *journal, const struct journal_visitor *visitor,
                struct journal_replayed *replayed, struct journal_error *error);
int file_read(struct journal *journal, uint64_t locator, struct buf *record);
int file_pin(struct journal *journal, uint64_t locator);
void file_unpin(struct journal *journal, uint64_t locator);
int file_scan_begin(struct journal *journal, struct journal_scan *scan);
int file_scan_next(struct journal *journal, struct journal_scan *scan,
                   const struct journal_visitor *visitor, size_t records);
void file_scan_end(struct journal *journal, struct journal_scan *scan);

/* file_append.c */
void file_append(struct journal *journal, struct journal_append *append);
int file_sync_begin(struct journal *journal, struct journal_syncing *syncing);
int file_sync_run(struct journal *journal, struct journal_syncing *syncing);
int file_trim(struct journal *journal, uint64_t before, uint64_t *sequence);
int file_finish(struct file_journal *file);

#endif
