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

#endif
