// SPDX-License-Identifier: MIT
/*
 * A window on a file that is read from front to back, in large pieces.
 *
 * The window slides; it holds as much as was asked for at once, so a large record makes it grow.
 * What the disk can't read is filled with zeros, block by block: then checksums say that it is
 * damaged, and what stands beside it is still found.
 */
#include "journal/file_walk_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READER_WINDOW ((size_t)1024 * 1024)
#define READER_BLOCK ((size_t)4096) /* what a disk fails to read at once */

void reader_init(struct reader *reader, const struct journal_sys *sys, int fd, uint64_t size)
{
    *reader = (struct reader){.sys = sys, .fd = fd, .size = size};
}

void reader_fini(struct reader *reader)
{
    free(reader->window);
    reader->window = NULL;
    reader->len = 0;
    reader->cap = 0;
}

/* After a read failed: each block by itself. */
static void read_blocks(struct reader *reader, unsigned char *to, size_t len, uint64_t at)
{
    while (len > 0) {
        size_t piece = READER_BLOCK - (size_t)(at % READER_BLOCK);
        if (piece > len)
            piece = len;
        size_t got = 0;
        if (reader->sys->read(reader->fd, to, piece, at, &got) != 0) {
            got = 0;
            reader->unreadable += piece;
        }
        memset(to + got, 0, piece - got);
        to += piece;
        at += piece;
        len -= piece;
    }
}

static int reader_grow(struct reader *reader, size_t len)
{
    size_t cap = reader->size < READER_WINDOW ? (size_t)reader->size : READER_WINDOW;
    if (cap < len)
        cap = len;
    if (cap <= reader->cap)
        return 0;
    unsigned char *window = malloc(cap);
    if (window == NULL)
        return ENOMEM;
    if (reader->len > 0)
        memcpy(window, reader->window, reader->len);
    free(reader->window);
    reader->window = window;
    reader->cap = cap;
    return 0;
}

int reader_get(struct reader *reader, uint64_t at, size_t len, const unsigned char **bytes)
{
    ASSERT(len <= reader->size && at <= reader->size - len);
    if (at >= reader->start && at + len <= reader->start + reader->len) {
        *bytes = reader->window + (at - reader->start);
        return 0;
    }
    int rc = reader_grow(reader, len);
    if (rc != 0)
        return rc;
    /* Keep what is there already of what is wanted. */
    size_t kept = 0;
    if (at >= reader->start && at < reader->start + reader->len) {
        kept = (size_t)(reader->start + reader->len - at);
        memmove(reader->window, reader->window + (at - reader->start), kept);
    }
    size_t want = reader->cap;
    if (want > reader->size - at)
        want = (size_t)(reader->size - at);
    size_t got = 0;
    if (reader->sys->read(reader->fd, reader->window + kept, want - kept, at + kept, &got) != 0)
        read_blocks(reader, reader->window + kept, want - kept, at + kept);
    else /* shorter than it was: somebody cut the file */
        memset(reader->window + kept + got, 0, want - kept - got);
    reader->start = at;
    reader->len = want;
    *bytes = reader->window;
    return 0;
}
