// SPDX-License-Identifier: MIT
/*
 * The inner face of the threading library: what hilera's own folders use beyond the installed
 * headers.
 *
 * Three layers, each small:
 *   park      a futex with deadlines on base/clock; every blocking call of the library ends here
 *   domain    one lock for a set of queues, and the list of callbacks to run once it is released
 *   core      an unlocked queue in a domain: container, line of waiting getters, line of waiting
 *             putters, joiners, unfinished count. hl_queue is a core with a domain of its own; the
 *             broker's tubes are cores that share one.
 */
#ifndef THR_THR_H
#define THR_THR_H

#include "base/heap.h"
#include "base/list.h"
#include "thr/later.h"

#include <hilera/deque.h>
#include <hilera/event.h>
#include <hilera/lock.h>
#include <hilera/queue.h>
#include <hilera/thread.h>
#include <hilera/timer.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- lock classes of hilera itself: one table, lock_classes.def ---- */

enum lock_class_id {
#define LOCK_CLASS(name, rank, what) LOCK_CLASS_##name,
#include "thr/lock_classes.def"
#undef LOCK_CLASS
    LOCK_CLASS_COUNT
};

/* The registered class of a row of the table; never NULL. */
const hl_lock_class *lock_class(enum lock_class_id id);

/* Stops the program unless the calling thread has it. */
void lock_assert_held(const hl_lock *lock);

/* ---- park ---- */

/*
 * Sleeps while *word == expected, until woken, the deadline (clock_now_ns time, CLOCK_NEVER), or
 * for no reason: callers loop. ETIMEDOUT: the deadline has passed. 0 otherwise.
 */
int park_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);
/* Wakes up to `count` sleepers of the word; it need not exist any more. */
void park_wake(_Atomic uint32_t *word, int count);

/*
 * Tests: blocks until at least `count` threads sleep in park_wait with a deadline, so that the
 * virtual clock can be moved knowing that they wait. Only under the virtual clock.
 */
void park_await_sleepers(unsigned count);

/* ---- domain ---- */

/* hl_queue_domain_new with a class of the table. */
int queue_domain_new(hl_queue_domain **out, const char *name,
                     const hl_lock_class *lock_class_or_null);
/* Acquire; release runs, after unlocking and in order, what the calls in between made ready. */
#define queue_domain_acquire(domain) queue_domain_acquire_at((domain), HL_HERE)
void queue_domain_acquire_at(hl_queue_domain *domain, const char *place);
void queue_domain_release(hl_queue_domain *domain);
void queue_domain_assert_held(const hl_queue_domain *domain);
/* later_ready for what a layer above lines up under the domain: fired when that is released, among
 * the waits of its queues. */
void queue_domain_ready(hl_queue_domain *domain, struct later *later, int result);

/* A growing ring of pointers (ring.c). */
struct ring {
    void **slot; /* cap slots; NULL while cap is 0 */
    size_t head; /* the leftmost item's slot */
    size_t len;
    size_t cap; /* a power of two, or 0 */
};

/* ---- core; every function below needs the domain held ---- */

struct queue_core;

/* A place in a line: a later, decided under the domain, and fired when that was released. */
struct queue_wait {
    struct later later;       /* result: 0, ESHUTDOWN */
    void *item;               /* put: what to put; get: what was got */
    struct queue_core *from;  /* which core made it ready */
    struct queue_link *links; /* the core's */
    uint32_t link_count;      /* likewise */
    bool last;                /* get: stands behind all who don't say so, whenever they come */
};

/* One stand in one core's line; a waiter for several cores needs one for each. Zeroed before first
 * use. */
struct queue_link {
    struct list_node node;
    struct queue_wait *wait;
    struct queue_core *core;
    bool counted; /* in core->getting */
};

/* A pluggable order for items that must be found again (a tube's ready jobs); see queue_core.c for
 * the others. */
struct queue_core_options {
    const char *name; /* must live as long as the core */
    enum hl_queue_order order;
    int64_t maxsize; /* 0 or less: no bound */
    /* HL_QUEUE_PRIORITY: a total order; the core does not add order of arrival to it */
    bool (*less)(const void *a, const void *b, const void *arg);
    const void *arg;
    /* The part of that order in which weights have no say, less is better; NULL: no weights */
    uint64_t (*rank)(const void *item);
    void (*moved)(void *item,
                  size_t pos); /* tells an item its position, or HEAP_NOWHERE; may be NULL */
    /* Under the domain, when an item goes to somebody who waited for it; may be NULL. */
    void (*given)(void *item, struct queue_wait *wait);
};

struct queue_core {
    /* What a getter looks at in each of the many cores it may wait for stands in the first 64
     * bytes: one cache line. */
    unsigned magic;
    bool shut_down;
    bool held;        /* paused: items stay, getters wait; put works */
    bool compares;    /* its order is HL_QUEUE_PRIORITY */
    uint32_t getting; /* how many stand in `getters` */
    hl_queue_domain *domain;
    struct list getters; /* of queue_link, the longest waiting first, as are the other lines */
    uint64_t unfinished;
    struct heap heap; /* HL_QUEUE_PRIORITY */
    struct ring ring; /* the other orders */
    struct list putters, joiners;
    struct queue_core_options options;
};

void queue_core_init(struct queue_core *core, hl_queue_domain *domain,
                     const struct queue_core_options *options);
/* Nobody waits in it any more; items left inside are the caller's. */
void queue_core_fini(struct queue_core *core);

/*
 * put is open_task + insert. They are separate because a job that comes back (retry, expired lease,
 * delay over) is inserted again without being a new task, and a delayed job is a task before it is
 * in the queue.
 */
/* EAGAIN: full (maxsize). ESHUTDOWN. ENOMEM. */
int queue_core_put(struct queue_core *core, void *item);
/* Counts one unfinished task. */
void queue_core_open_task(struct queue_core *core);
/* task_done: counts one less; at zero the joiners become ready. EINVAL: there was none. */
int queue_core_close_task(struct queue_core *core);
/* To the longest waiting getter, or else into the container, bound or no bound. ENOMEM. */
int queue_core_insert(struct queue_core *core, void *item);
/* Room for `more` inserts, which then can't fail. ENOMEM. */
int queue_core_reserve(struct queue_core *core, size_t more);

/* The item that would leave next, or NULL if empty (HL_QUEUE_PRIORITY with a null item: use len).
 */
void *queue_core_first(const struct queue_core *core);
size_t queue_core_len(const struct queue_core *core);
/* Takes it; lets a waiting putter in. EAGAIN: empty or held. ESHUTDOWN: empty and shut down. */
int queue_core_take(struct queue_core *core, void **item);
/* HL_QUEUE_PRIORITY: takes the item at that position, as told by `moved`; lets a waiting putter in.
 */
void *queue_core_remove(struct queue_core *core, size_t pos);
/* A held core keeps its items and lets getters wait. Letting go hands items to waiting getters. */
void queue_core_hold(struct queue_core *core, bool held);
void queue_core_shutdown(struct queue_core *core);

/*
 * Everything at once, to be dropped one by one after the domain was released. Opened tasks stay
 * open, and waiting putters waiting: for a core that is shut down or goes away. pop: false when
 * none is left.
 */
struct queue_items {
    enum hl_queue_order order;
    struct heap heap;
    struct ring ring;
};
void queue_core_detach_items(struct queue_core *core, struct queue_items *items);
size_t queue_items_len(const struct queue_items *items);
bool queue_items_pop(struct queue_items *items, void **item);
void queue_items_fini(struct queue_items *items);

/*
 * Get from any of `count` cores: the best first item by `less` of the first core if all have
 * HL_QUEUE_PRIORITY, else of the first core in the array that has one. *which: its index. EAGAIN:
 * none. ESHUTDOWN: all empty and shut down.
 */
int queue_core_take_any(struct queue_core *const *cores, size_t count, void **item, size_t *which);

/*
 * The same by weight (queue_share.c), for cores of HL_QUEUE_PRIORITY that have `rank`: among the
 * first items of the best rank, each core gets its share of the choices. `shares` has `count`
 * entries, `now` belongs to them; all zero but the weights at first. EAGAIN: none.
 */
#define QUEUE_SHARE_WEIGHT_MAX 1000
struct queue_share {
    uint32_t weight; /* 1 to QUEUE_SHARE_WEIGHT_MAX */
    uint64_t pass;   /* when its next choice is due, in the virtual time of `now` */
};
int queue_core_take_shared(struct queue_core *const *cores, struct queue_share *shares,
                           size_t count, uint64_t *now, void **item, size_t *which);

/* Gets into line in each of the cores at once; `links` has `count` entries. Fires when one has an
 * item for it, or all are shut down. */
void queue_wait_get(struct queue_wait *wait, struct queue_core *const *cores,
                    struct queue_link *links, size_t count);
void queue_wait_put(struct queue_wait *wait, struct queue_core *core, struct queue_link *link);
/* Fires when nothing is unfinished; only to be called while something is. */
void queue_wait_join(struct queue_wait *wait, struct queue_core *core, struct queue_link *link);
/* later_cancel for who has the domain already. */
bool queue_wait_cancel(struct queue_wait *wait);

/*
 * For waits that a layer above lines up in lists of its own (a job's waiters): takes the wait as
 * lined, and later makes it ready, so that it fires, after the domain is released, among the
 * others. cancel works between the two, but takes it out of no list but the core's own.
 */
void queue_wait_line_up(struct queue_wait *wait, bool (*cancel)(struct later *later));
void queue_wait_make_ready(hl_queue_domain *domain, struct queue_wait *wait, int result);

/*
 * later_block for the wait, which one of the three above has lined up with `fire` left NULL. Called
 * with the domain held, which it releases while it sleeps; holds it again when it returns.
 */
int queue_wait_block(struct queue_wait *wait, hl_queue_domain *domain, int64_t deadline_ns,
                     const char *what, const char *object);
/* The same, but the domain stays released when it returns: one critical section less for who needs
 * no more than the item. */
int queue_wait_sleep(struct queue_wait *wait, hl_queue_domain *domain, int64_t deadline_ns,
                     const char *what, const char *object);

#endif
