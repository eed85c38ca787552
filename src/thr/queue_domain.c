// SPDX-License-Identifier: MIT
/*
 * The domain: one lock for a set of queues.
 *
 * What happens to one queue may finish the waits of others, and their callbacks may use any queue
 * again, so nothing is called while the lock is held: waits that become ready are listed, and
 * whoever releases the domain wakes the threads among them and runs the callbacks right after, in
 * that order. A callback therefore sees the domain free, and its wait already decided.
 */
#include "thr/queue_domain_priv.h"
#include "thr/queue_wait_priv.h"
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

/*
 * Callbacks that this thread has still to run, the next one first; NULL outside of callbacks. What
 * is released inside of a callback adds to them: a callback that stands in line again while there
 * are items, or feeds the next one, is called in a loop and not ever deeper on the stack.
 */
static _Thread_local struct list *to_run;

static void run_callbacks(struct list *waits)
{
    struct list_node *node;
    while ((node = list_pop(waits)) != NULL) {
        /* The wait is its owner's again once its callback is called. */
        struct queue_wait *wait = CONTAINER_OF(node, struct queue_wait, ready_node);
        wait->fire(wait);
    }
}

/* Fires the waits of a chain that nobody else can see any more: threads are woken, callbacks are
 * run or listed. */
void queue_domain_fire(struct list_node *first)
{
    struct list own;
    list_init(&own);
    struct list *callbacks = to_run != NULL ? to_run : &own;
    while (first != NULL) {
        struct queue_wait *wait = CONTAINER_OF(first, struct queue_wait, ready_node);
        first = wait->ready_node.next;
        if (wait->fire == queue_wait_wake_thread) {
            queue_wait_wake_thread(wait);
        } else {
            list_node_init(&wait->ready_node);
            list_append(callbacks, &wait->ready_node);
        }
    }
    if (to_run != NULL || list_empty(&own))
        return; /* in a callback: whoever called it runs these after it */
    to_run = &own;
    run_callbacks(&own);
    to_run = NULL;
}

void queue_domain_run_callbacks(void)
{
    if (to_run != NULL)
        run_callbacks(to_run);
}

void queue_domain_release(hl_queue_domain *domain)
{
    domain_release(domain);
}

void queue_domain_assert_held(const hl_queue_domain *domain)
{
    domain_assert_held(domain);
}
