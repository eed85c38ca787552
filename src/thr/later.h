// SPDX-License-Identifier: MIT
/*
 * To be told once of something that comes later.
 *
 * An asker embeds a struct later in what it asks with, sets `fire`, and asks; whoever is asked
 * keeps the later in a line of its own until what was asked for has come. Every asynchronous call
 * of hilera that ends elsewhere is one of these, so each of them ends in the same way:
 *
 *     IDLE, READY -> WAITS   later_wait    it was asked
 *     WAITS -> READY         later_ready   it has come (or never will): `result` says which
 *     WAITS -> IDLE          later_leave   cancelled
 *
 * These three are called by whom it waits for, under that one's lock, so each wait is decided once.
 * What became ready is listed, and fired by later_fire when the lock was let go of: fire runs once,
 * without locks, on whatever thread, possibly inside the call that asked. A later that has fired
 * stays READY until it asks again.
 *
 * Memory is the asker's, zeroed before its first use, and left alone until fire ran or later_cancel
 * said true.
 */
#ifndef THR_LATER_H
#define THR_LATER_H

#include "base/list.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum later_state { LATER_IDLE = 0, LATER_WAITS, LATER_READY };

struct later {
    void (*fire)(struct later *later);   /* the asker's; it may ask again with the same memory */
    bool (*cancel)(struct later *later); /* of whom it waits for, or waited for last */
    struct list_node node;               /* in a line of whom it waits for; then to be fired */
    _Atomic uint32_t sleeper;            /* of later_block */
    int result;                          /* before fire: 0 or an errno value */
    uint8_t state;                       /* enum later_state; covered by the lock as above */
};

/* ---- for the asker ---- */

/*
 * Without locks, from any thread, at any time. true: fire will not run, the memory is free. false:
 * fire has run, runs, or is about to; or it never waited.
 */
static inline bool later_cancel(struct later *later)
{
    return later->cancel != NULL && later->cancel(later);
}

/*
 * Blocks the thread that asked with `fire` set to later_wake. 0: fired, see result. ETIMEDOUT: the
 * deadline (clock_now_ns time) has come, and it is cancelled; not if it fires at that moment.
 * `what` and `object` are for hl_thread_enumerate, as of hl_thread_wait_begin.
 */
int later_block(struct later *later, int64_t deadline_ns, const char *what, const char *object);
/* Last of all it does, it lets the thread go on, and with it the memory. */
void later_wake(struct later *later);

/* ---- for whom it waits for ---- */

/* [its lock] It waits, in no line yet: `node` is free for one. */
static inline void later_wait(struct later *later, bool (*cancel)(struct later *later))
{
    ASSERT(later->state == LATER_IDLE ||
           (later->state == LATER_READY && !list_node_linked(&later->node)));
    later->cancel = cancel;
    later->state = LATER_WAITS;
    list_node_init(&later->node);
    atomic_store_explicit(&later->sleeper, 0, memory_order_relaxed);
}

/* [its lock] Leaves its line, and goes to the end of `fire`. */
static inline void later_ready(struct later *later, int result, struct list *fire)
{
    ASSERT(later->state == LATER_WAITS);
    list_remove(&later->node);
    later->state = LATER_READY;
    later->result = result;
    list_append(fire, &later->node);
}

/* [its lock] true: it waited, and has left its line. What a `cancel` does. */
static inline bool later_leave(struct later *later)
{
    if (later->state != LATER_WAITS)
        return false;
    list_remove(&later->node);
    later->state = LATER_IDLE;
    return true;
}

/* The two steps of later_fire, for a list that is covered by a lock: under it, out of the list, as
 * a chain by node.next that nobody else sees any more (NULL: it was empty); and fired, without. */
static inline struct list_node *later_take(struct list *fire)
{
    struct list_node *first = list_first(fire);
    if (first != NULL) {
        fire->head.prev->next = NULL;
        list_init(fire);
    }
    return first;
}
void later_fire_taken(struct list_node *first);

/*
 * No locks. Wakes the threads in the list and fires the others, in order; the list is empty then. A
 * later is its asker's again when its fire is called. Inside of a fire the others are left to the
 * loop that called it, so that one who asks again at once doesn't get ever deeper on the stack:
 * they are fired when it returns, or before it blocks.
 */
static inline void later_fire(struct list *fire)
{
    struct list_node *first = later_take(fire);
    if (first != NULL)
        later_fire_taken(first);
}

/* No locks. For what nobody else decides: ready, and fired at once. */
void later_tell(struct later *later, int result);

#endif
