// SPDX-License-Identifier: MIT
/*
 * The domain: one lock for a set of queues.
 *
 * What happens to one queue may finish the waits of others, and their callbacks may use any queue
 * again, so nothing is called while the lock is held: waits that become ready are listed, and
 * whoever releases the domain fires them right after. A callback therefore sees the domain free,
 * and its wait already decided.
 */
#include "thr/queue_domain_priv.h"
#include "thr/thr.h"

#include "base/magic.h"

#include <errno.h>
#include <stdlib.h>

void queue_domain_init(hl_queue_domain *domain, const char *name, const hl_lock_class *lock_class)
{
    MAGIC_INIT(domain, QUEUE_DOMAIN_MAGIC);
    lock_init(&domain->lock, name, lock_class);
    list_init(&domain->ready);
}

void queue_domain_fini(hl_queue_domain *domain)
{
    MAGIC_CHECK(domain, QUEUE_DOMAIN_MAGIC);
    ASSERT(list_empty(&domain->ready));
    lock_fini(&domain->lock);
    MAGIC_WIPE(domain);
}

int queue_domain_new(hl_queue_domain **out, const char *name,
                     const hl_lock_class *lock_class_or_null)
{
    hl_queue_domain *domain = malloc(sizeof(*domain));
    if (domain == NULL)
        return ENOMEM;
    queue_domain_init(domain, name,
                      lock_class_or_null != NULL ? lock_class_or_null
                                                 : lock_class(LOCK_CLASS_queue));
    *out = domain;
    return 0;
}

int hl_queue_domain_new(hl_queue_domain **out, const char *name)
{
    return queue_domain_new(out, name, NULL);
}

void hl_queue_domain_free(hl_queue_domain **domain_ptr)
{
    if (*domain_ptr == NULL)
        return;
    hl_queue_domain *domain;
    MAGIC_TAKE(domain, domain_ptr, QUEUE_DOMAIN_MAGIC);
    queue_domain_fini(domain);
    free(domain);
}

void queue_domain_acquire_at(hl_queue_domain *domain, const char *place)
{
    domain_acquire(domain, place);
}

void queue_domain_release(hl_queue_domain *domain)
{
    domain_release(domain);
}

void queue_domain_assert_held(const hl_queue_domain *domain)
{
    domain_assert_held(domain);
}

void queue_domain_ready(hl_queue_domain *domain, struct later *later, int result)
{
    domain_assert_held(domain);
    later_ready(later, result, &domain->ready);
}
