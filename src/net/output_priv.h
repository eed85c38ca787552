// SPDX-License-Identifier: MIT
/*
 * Answers that wait to be written: a queue of segments, and the segments that a loop keeps for its
 * connections. output.c does it.
 *
 * Arrows: the loop and the connection include this; it knows neither.
 */
#ifndef NET_OUTPUT_PRIV_H
#define NET_OUTPUT_PRIV_H

#include <stddef.h>

/* One run of bytes: its own (up to cap, behind the struct), or somebody else's with a release. */
struct outseg {
    struct outseg *next;
    const char *data; /* what is not written yet */
    size_t len;
    size_t cap;  /* 0: somebody else's memory */
    size_t held; /* bytes of memory that go when it goes */
    void (*release)(void *arg);
    void *arg;
    char bytes[];
};

/* Segments of the usual size that a loop keeps for its connections. */
struct outpool {
    struct outseg *free;
    size_t free_count;
};

struct outqueue {
    struct outseg *head, *tail;
    size_t bytes; /* that wait, in all segments */
    size_t held;  /* of memory, by all segments */
};

void outpool_fini(struct outpool *pool);
/* All of these: ENOMEM, with nothing added. */
int outqueue_append(struct outqueue *queue, struct outpool *pool, const void *bytes, size_t len);
int outqueue_append_ref(struct outqueue *queue, struct outpool *pool, const void *data, size_t len,
                        void (*release)(void *arg), void *arg);
/* Room for `size` bytes in one piece; NULL: no memory. _used adds what was written there. */
char *outqueue_space(struct outqueue *queue, struct outpool *pool, size_t size);
void outqueue_used(struct outqueue *queue, size_t len);
/* Writes what the socket takes. 0: all of it. EAGAIN: it takes no more now. Others: it is dead. */
int outqueue_flush(struct outqueue *queue, struct outpool *pool, int fd, size_t *written);
/* For who has to wait: what is held becomes about as much as the bytes that wait. */
void outqueue_pack(struct outqueue *queue, struct outpool *pool);
void outqueue_clear(struct outqueue *queue, struct outpool *pool);

#endif
