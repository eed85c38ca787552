// SPDX-License-Identifier: MIT
/*
 * How a segment is read from front to back: a window on its file (file_reader.c), and the frames in
 * it, whole or damaged (file_walk.c).
 *
 * Arrows: who replays, scans or looks at a segment's edges includes this; it includes the format,
 * and knows of the backend only that there is one.
 */
#ifndef JOURNAL_FILE_WALK_PRIV_H
#define JOURNAL_FILE_WALK_PRIV_H

#include "journal/file_format_priv.h"
#include "journal/file_sys.h"
#include "journal/frames.h"

struct file_journal;
struct segment;

/* ---- file_reader.c: a window on a file ---- */

struct reader {
    const struct journal_sys *sys;
    int fd;
    uint64_t size; /* of the file */
    unsigned char *window;
    size_t cap;
    uint64_t start; /* place in the file of the window's first byte */
    size_t len;
    uint64_t unreadable; /* bytes that the disk could not read and are zero here */
};
void reader_init(struct reader *reader, const struct journal_sys *sys, int fd, uint64_t size);
void reader_fini(struct reader *reader);
/* Bytes at..at+len, which must be inside of the file; valid until the next call. ENOMEM. */
int reader_get(struct reader *reader, uint64_t at, size_t len, const unsigned char **bytes);

/* ---- file_walk.c: the frames of one segment, in order ---- */

struct walk {
    struct reader reader;
    struct format_key key;
    uint32_t generation;
    uint64_t at;       /* where the next frame should be */
    uint64_t next;     /* where it is instead, behind damage; 0: no damage */
    uint64_t expected; /* its sequence number */
    uint64_t synced;   /* frames up to this were synced once */
    uint64_t limit;    /* the last that this segment may have; UINT64_MAX: not known */
    uint64_t file_size;
    const char *name;
    struct format_frame frame;    /* the one that walk_next found */
    const unsigned char *records; /* of it; valid until the next call */
    uint64_t records_at;          /* their place */
};
void walk_init(struct walk *walk, const struct file_journal *file, const struct segment *segment,
               const char *name);
void walk_fini(struct walk *walk);
/* 0: walk->frame and records. ENODATA: no more frames here. EBADMSG: bytes from walk->at to
 * *damage_end are damaged; the next call goes on behind them. ENOMEM. */
int walk_next(struct walk *walk, uint64_t *damage_end);
/* A run of records to be visited: those of walk->frame, or what is left in damaged bytes. */
struct walk_span {
    uint64_t at, end; /* what is to be done */
    bool whole;    /* all of it is known to be good; else each record is looked for and verified */
    bool over;     /* the rest is none */
    uint64_t seen; /* records visited */
    uint64_t budget;
};
struct walk_span walk_frame_span(const struct walk *walk);
struct walk_span walk_damage_span(const struct walk *walk, uint64_t end);
/* Visits at most *records (counted down) of the span. 0: all done. EAGAIN: that many were. What
 * `record` said: it will be visited again. ENOMEM. */
int walk_records(struct walk *walk, struct walk_span *span, const struct journal_visitor *visitor,
                 size_t *records);
/* The first and the last good frame of the segment, whatever is between. ENODATA: none. */
int walk_edges(struct walk *walk, struct format_frame *first, struct format_frame *last);
/* At the end: whether a frame was begun there. *bytes: how much of it there can be. */
bool walk_torn(struct walk *walk, uint64_t *bytes);

#endif
