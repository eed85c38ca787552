// SPDX-License-Identifier: MIT
/*
 * The domain's inside: its lock, and the waits that became ready while it was held.
 */
#ifndef THR_QUEUE_DOMAIN_PRIV_H
#define THR_QUEUE_DOMAIN_PRIV_H

#include "thr/lock_priv.h"

#include "base/list.h"
#include "thr/later.h"

#include <hilera/queue.h>

#define QUEUE_DOMAIN_MAGIC 0x71646f6du

struct hl_queue_domain {
    unsigned magic;
    hl_lock lock;
    struct list ready; /* of later.node, in the order of becoming ready; covered by lock */
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

static inline void domain_release(hl_queue_domain *domain)
{
    struct list_node *first = later_take(&domain->ready);
    MUST(lock_release(&domain->lock));
    if (first != NULL)
        later_fire_taken(first);
}

#endif
