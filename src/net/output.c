// SPDX-License-Identifier: MIT
/*
 * Answers that wait to be written: a list of segments, small answers gathered in segments of one
 * size from the loop's pool, large bodies as references that are written from where they are.
 *
 * Order is the order of appending, always. One system call writes up to OUT_IOV segments. A write
 * that was cut short isn't tried again: the next one would only learn that the socket is full.
 * Usually all is written at the end of the turn and the segments go back to the pool at once, the
 * last one first out again, so that a busy loop works in memory that is still in the cache.
 *
 * A reference ends the segment before it, so between two of them a segment may have a few bytes in
 * it. That is no matter while a turn lasts. What then has to wait for its reader is packed: such
 * segments are replaced by some that fit.
 */
#include "net/output_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define OUT_SEGMENT ((size_t)16 * 1024) /* with the struct */
#define OUT_ROOM (OUT_SEGMENT - sizeof(struct outseg))
#define OUT_POOL_MAX 64 /* kept free in a loop: 1 MiB */
#define OUT_IOV 64
#define OUT_WASTE_MAX ((size_t)32 * 1024) /* memory that isn't worth being packed, */
#define OUT_WASTE_PART 8                  /* and of the bytes: one in so many */
#define OUT_REF_MIN 2048 /* below that a copy is cheaper than another iovec and its bookkeeping */

static struct outseg *segment_get(struct outpool *pool)
{
    struct outseg *seg = pool->free;
    if (seg != NULL) {
        pool->free = seg->next;
        pool->free_count--;
    } else {
        seg = malloc(OUT_SEGMENT);
        if (seg == NULL)
            return NULL;
        seg->cap = OUT_ROOM;
        seg->held = OUT_SEGMENT;
        seg->release = NULL;
    }
    seg->next = NULL;
    seg->data = seg->bytes;
    seg->len = 0;
    return seg;
}

static void segment_put(struct outpool *pool, struct outseg *seg)
{
    if (seg->release != NULL)
        seg->release(seg->arg);
    if (seg->cap == OUT_ROOM && pool->free_count < OUT_POOL_MAX) {
        seg->next = pool->free;
        pool->free = seg;
        pool->free_count++;
        return;
    }
    free(seg);
}

static void queue_push(struct outqueue *queue, struct outseg *seg)
{
    queue->held += seg->held;
    if (queue->tail != NULL)
        queue->tail->next = seg;
    else
        queue->head = seg;
    queue->tail = seg;
}

/* How much the last segment still takes behind what is in it. */
static size_t tail_room(const struct outqueue *queue)
{
    const struct outseg *seg = queue->tail;
    if (seg == NULL || seg->cap == 0)
        return 0;
    return seg->cap - (size_t)(seg->data - seg->bytes) - seg->len;
}

void outpool_fini(struct outpool *pool)
{
    while (pool->free != NULL) {
        struct outseg *seg = pool->free;
        pool->free = seg->next;
        free(seg);
    }
    pool->free_count = 0;
}

char *outqueue_space(struct outqueue *queue, struct outpool *pool, size_t size)
{
    ASSERT(size <= OUT_ROOM);
    if (tail_room(queue) < size) {
        struct outseg *seg = segment_get(pool);
        if (seg == NULL)
            return NULL;
        queue_push(queue, seg);
    }
    struct outseg *seg = queue->tail;
    return seg->bytes + (seg->data - seg->bytes) + seg->len;
}

void outqueue_used(struct outqueue *queue, size_t len)
{
    ASSERT(len <= tail_room(queue));
    queue->tail->len += len;
    queue->bytes += len;
}

int outqueue_append(struct outqueue *queue, struct outpool *pool, const void *bytes, size_t len)
{
    if (len == 0)
        return 0;
    if (len <= OUT_ROOM) {
        char *space = outqueue_space(queue, pool, len);
        if (space == NULL)
            return ENOMEM;
        memcpy(space, bytes, len);
        outqueue_used(queue, len);
        return 0;
    }
    /* no magic: never leaves this file */
    struct outseg *seg = malloc(sizeof(struct outseg) + len);
    if (seg == NULL)
        return ENOMEM;
    memcpy(seg->bytes, bytes, len);
    *seg = (struct outseg){
        .data = seg->bytes, .len = len, .cap = len, .held = sizeof(struct outseg) + len};
    queue_push(queue, seg);
    queue->bytes += len;
    return 0;
}

int outqueue_append_ref(struct outqueue *queue, struct outpool *pool, const void *data, size_t len,
                        void (*release)(void *arg), void *arg)
{
    if (len < OUT_REF_MIN) {
        int rc = outqueue_append(queue, pool, data, len);
        if (rc == 0)
            release(arg);
        return rc;
    }
    struct outseg *seg = malloc(sizeof(*seg)); /* no magic: never leaves this file */
    if (seg == NULL)
        return ENOMEM;
    *seg = (struct outseg){
        .data = data, .len = len, .held = sizeof(*seg) + len, .release = release, .arg = arg};
    queue_push(queue, seg);
    queue->bytes += len;
    return 0;
}

/* Drops the first one. */
static void queue_pop(struct outqueue *queue, struct outpool *pool)
{
    struct outseg *seg = queue->head;
    queue->head = seg->next;
    if (queue->head == NULL)
        queue->tail = NULL;
    queue->held -= seg->held;
    segment_put(pool, seg);
}

/* Drops `len` written bytes from the front. */
static void queue_advance(struct outqueue *queue, struct outpool *pool, size_t len)
{
    queue->bytes -= len;
    while (queue->head != NULL && len >= queue->head->len) {
        len -= queue->head->len;
        queue_pop(queue, pool);
    }
    if (len > 0) {
        ASSERT(queue->head != NULL);
        queue->head->data += len;
        queue->head->len -= len;
    }
}

/* One system call for as much as fits into it. */
static ssize_t queue_send(const struct outqueue *queue, int fd, size_t *wanted)
{
    struct iovec iov[OUT_IOV];
    size_t count = 0;
    *wanted = 0;
    for (const struct outseg *seg = queue->head; seg != NULL && count < OUT_IOV; seg = seg->next) {
        iov[count++] =
            (struct iovec){.iov_base = (void *)(uintptr_t)seg->data, .iov_len = seg->len};
        *wanted += seg->len;
    }
    if (count == 1)
        return send(fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

int outqueue_flush(struct outqueue *queue, struct outpool *pool, int fd, size_t *written)
{
    *written = 0;
    while (queue->bytes > 0) {
        size_t wanted;
        ssize_t n = queue_send(queue, fd, &wanted);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return errno == EWOULDBLOCK ? EAGAIN : errno;
        }
        queue_advance(queue, pool, (size_t)n);
        *written += (size_t)n;
        if ((size_t)n < wanted)
            return EAGAIN;
    }
    /* space that was asked for and not used */
    outqueue_clear(queue, pool);
    return 0;
}

/* A segment with the same bytes and no more room than these; NULL: it would be no better. */
static struct outseg *segment_fit(const struct outseg *seg)
{
    size_t size = sizeof(*seg) + seg->len;
    if (seg->cap == 0 || seg->held - size <= seg->len / OUT_WASTE_PART)
        return NULL;
    struct outseg *fit = malloc(size); /* no magic: never leaves this file */
    if (fit == NULL)
        return NULL;
    *fit = (struct outseg){
        .next = seg->next, .data = fit->bytes, .len = seg->len, .cap = seg->len, .held = size};
    memcpy(fit->bytes, seg->data, seg->len);
    return fit;
}

void outqueue_pack(struct outqueue *queue, struct outpool *pool)
{
    if (queue->held <= queue->bytes + queue->bytes / OUT_WASTE_PART + OUT_WASTE_MAX)
        return;
    for (struct outseg **at = &queue->head; *at != NULL; at = &(*at)->next) {
        struct outseg *seg = *at, *fit = segment_fit(seg);
        if (fit == NULL)
            continue;
        *at = fit;
        if (queue->tail == seg)
            queue->tail = fit;
        queue->held -= seg->held - fit->held;
        segment_put(pool, seg);
    }
}

void outqueue_clear(struct outqueue *queue, struct outpool *pool)
{
    while (queue->head != NULL)
        queue_pop(queue, pool);
    queue->bytes = 0;
}
