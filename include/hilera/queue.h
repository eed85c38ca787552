// SPDX-License-Identifier: MIT
/*
 * Queue: Python's queue.Queue, LifoQueue and PriorityQueue for C.
 *
 * Semantics follow https://docs.python.org/3.13/library/queue.html, odd corners included:
 *   Python             here
 *   queue.Full         EAGAIN from put_nowait, ETIMEDOUT from put with a timeout
 *   queue.Empty        EAGAIN from get_nowait, ETIMEDOUT from get with a timeout
 *   queue.ShutDown     ESHUTDOWN
 *   ValueError         EINVAL (negative timeout; task_done once too often)
 * As in Python, the timeout of a put on a queue without bound is not looked at.
 *
 * Beyond Python: get many at once, get from any of several queues, join with a timeout, a
 * destructor for items dropped by shutdown, and asynchronous waiters: a callback in the place of a
 * blocked thread, so that an event loop and threads wait in one fair line. An item put while
 * somebody waits goes to the longest waiter directly: nobody else is woken, and no latecomer takes
 * it. Waiting putters are let in in their order, too.
 *
 * A domain is the lock behind a queue. Each queue has its own unless several are made in one
 * domain, which is what get_any needs. Items are pointers; a null pointer is an item like any
 * other.
 */
#ifndef HILERA_QUEUE_H
#define HILERA_QUEUE_H

#include <hilera/version.h>

#include <stdbool.h>
#include <stddef.h>

HL_BEGIN_DECLS

typedef struct hl_queue hl_queue;
typedef struct hl_queue_domain hl_queue_domain;

/* Which item leaves first: the oldest, the newest, or the least (equal ones: the oldest of them).
 */
enum hl_queue_order { HL_QUEUE_FIFO = 0, HL_QUEUE_LIFO, HL_QUEUE_PRIORITY };

/* All zero: FIFO, no bound, own domain. */
struct hl_queue_options {
    const char *name; /* copied, shown when a thread waits; NULL: "queue" */
    enum hl_queue_order order;
    int64_t maxsize; /* 0 or less: no bound */
    /* for HL_QUEUE_PRIORITY, and only there: < 0 if a leaves before b. Runs under the domain's
     * lock: short, no calls back. */
    int (*compare)(const void *a, const void *b);
    /* for items dropped by an immediate shutdown or by free; NULL: dropped as they are. Runs
     * without locks. */
    void (*destroy)(void *item);
    hl_queue_domain *domain; /* NULL: one of its own */
};

/* EINVAL: HL_QUEUE_PRIORITY without compare, or compare without it. ENOMEM. */
HL_API int hl_queue_new(hl_queue **out, const struct hl_queue_options *options);

/* Nobody may use it any more or wait in it. Items still inside go to destroy. */
HL_API void hl_queue_free(hl_queue **queue);

/* The shared lock of several queues. A domain is freed after its queues. */
HL_API int hl_queue_domain_new(hl_queue_domain **out, const char *name);
HL_API void hl_queue_domain_free(hl_queue_domain **domain);

/* ESHUTDOWN; ETIMEDOUT: no slot within `timeout_ns` (0: looks once); EINVAL: negative timeout on a
 * bounded queue; ENOMEM. */
HL_API int hl_queue_put(hl_queue *queue, void *item, int64_t timeout_ns);
/* EAGAIN: full. ESHUTDOWN. ENOMEM. */
HL_API int hl_queue_put_nowait(hl_queue *queue, void *item);

/* ESHUTDOWN: shut down and empty. ETIMEDOUT: nothing came. EINVAL: negative timeout. */
HL_API int hl_queue_get(hl_queue *queue, void **item, int64_t timeout_ns);
/* EAGAIN: empty. ESHUTDOWN: shut down and empty. */
HL_API int hl_queue_get_nowait(hl_queue *queue, void **item);

/* Waits for one item as get does, then takes what else is there, up to `max` in all; *count says
 * how many. EINVAL: max is 0. */
HL_API int hl_queue_get_many(hl_queue *queue, void **items, size_t max, size_t *count,
                             int64_t timeout_ns);

/*
 * From any of `count` queues of one domain: the first in the array that has an item, else the first
 * item that comes to any of them; *which is its index. EINVAL: none, more than HL_QUEUE_ANY_MAX,
 * different domains, or a queue twice. ESHUTDOWN: every one of them is shut down and empty.
 * ETIMEDOUT.
 */
#define HL_QUEUE_ANY_MAX 1024
HL_API int hl_queue_get_any(hl_queue *const *queues, size_t count, void **item, size_t *which,
                            int64_t timeout_ns);

/* One item that was got is finished. EINVAL: more often than items were put. */
HL_API int hl_queue_task_done(hl_queue *queue);

/* Until every item put was finished by task_done. At once if nothing was put. ETIMEDOUT (Python has
 * no timeout here). */
HL_API int hl_queue_join(hl_queue *queue, int64_t timeout_ns);

/* At this moment; another thread may change it before the answer is used. */
HL_API size_t hl_queue_qsize(const hl_queue *queue);
HL_API bool hl_queue_empty(const hl_queue *queue);
HL_API bool hl_queue_full(const hl_queue *queue);
HL_API size_t hl_queue_unfinished(const hl_queue *queue);
HL_API bool hl_queue_is_shutdown(const hl_queue *queue);

/*
 * No more puts: blocked and later ones get ESHUTDOWN. Plain: what is inside can still be got, then
 * getters get ESHUTDOWN. Immediate: what is inside is dropped, passed to destroy, and counted as
 * finished; joiners wake if that was all. Can be repeated; an immediate one may follow a plain one.
 */
HL_API void hl_queue_shutdown(hl_queue *queue, bool immediate);

/*
 * An asynchronous waiter stands in the same line as blocked threads. The caller owns the memory,
 * zeroed before first use, and leaves it alone until the callback ran or cancel answered. `done`
 * runs exactly once unless cancelled, on the thread whose call completed it (possibly inside the
 * _async call itself), without any lock; it may use the queue and stand in line again. What a
 * callback makes ready runs after it has returned, or before it blocks in a queue. result: 0 or
 * ESHUTDOWN; item: for get what was got, for a put that was refused what could not be put. There is
 * no timeout: combine with a timer and cancel.
 */
struct hl_queue_waiter {
    void (*done)(struct hl_queue_waiter *waiter, int result, void *item);
    void *arg;              /* the caller's */
    void *private_data[16]; /* the queue's */
};
HL_API int hl_queue_get_async(hl_queue *queue, struct hl_queue_waiter *waiter);
HL_API int hl_queue_put_async(hl_queue *queue, void *item, struct hl_queue_waiter *waiter);
HL_API int hl_queue_join_async(hl_queue *queue, struct hl_queue_waiter *waiter);
/* 0: cancelled, done will not run. EALREADY: already yours: done has run, runs, or is about to. */
HL_API int hl_queue_cancel(hl_queue *queue, struct hl_queue_waiter *waiter);

HL_END_DECLS

#endif
