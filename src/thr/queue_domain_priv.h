// SPDX-License-Identifier: MIT
/*
 * The domain's inside: its lock, and the waits that became ready while it was held.
 */
#ifndef THR_QUEUE_DOMAIN_PRIV_H
#define THR_QUEUE_DOMAIN_PRIV_H

#include "thr/lock_priv.h"

#include "base/list.h"

#include <hilera/queue.h>

#define QUEUE_DOMAIN_MAGIC 0x71646f6du

struct hl_queue_domain {
    unsigned magic;
    hl_lock lock;
    struct list
        ready; /* of queue_wait.ready_node, in the order of becoming ready; covered by lock */
};

/* In place, for the domain embedded in a queue of its own. */
void queue_domain_init(hl_queue_domain *domain, const char *name, const hl_lock_class *lock_class);
void queue_domain_fini(hl_queue_domain *domain);

/* The calls of thr.h, inline. */
static inline void domain_acquire(hl_queue_domain *domain, const char *place)
{
    MAGIC_CHECK(domain, QUEUE_DOMAIN_MAGIC);
    lock_acquire(&domain->lock, place);
}

static inline void domain_assert_held(const hl_queue_domain *domain)
{
    ASSERT(lock_owned_by(&domain->lock, thread_self()));
}

/* Wakes the threads and runs the callbacks of a chain that nobody else can see any more. */
void queue_domain_fire(struct list_node *first);

static inline void domain_release(hl_queue_domain *domain)
{
    struct list_node *first = list_first(&domain->ready);
    if (first != NULL) {
        domain->ready.head.prev->next = NULL; /* a chain from now on */
        list_init(&domain->ready);
    }
    MUST(lock_release(&domain->lock));
    if (first != NULL)
        queue_domain_fire(first);
}

/* Before a thread blocks: if it is inside of a callback, runs those that wait for that one to
 * return, since what it is going to wait for may be their doing. */
void queue_domain_run_callbacks(void);

#endif
