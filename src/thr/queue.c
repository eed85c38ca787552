// SPDX-License-Identifier: MIT
/*
 * The public queue: a core, and a domain of its own unless it shares one. What is here is Python's
 * surface: which argument is looked at when, which error comes, who waits how long. All waiting is
 * queue_wait.c, all moving of items queue_core.c.
 *
 * A priority queue keeps its items in entries numbered by arrival, so that equal items leave oldest
 * first; the other orders keep the items themselves.
 */
#include "thr/queue_domain_priv.h"
#include "thr/queue_wait_priv.h"
#include "thr/thr.h"

#include "base/clock.h"
#include "base/magic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAGIC 0x71756575u

struct hl_queue {
    unsigned magic;
    hl_queue_domain *domain; /* own_domain, or a shared one */
    struct queue_core core;
    int (*compare)(const void *a, const void *b);
    void (*destroy)(void *item);
    uint64_t arrivals; /* numbers entries; covered by the domain */
    char name[HL_THREAD_NAME_MAX];
    hl_queue_domain own_domain;
};

/* An item of a priority queue. */
struct entry {
    void *item;
    uint64_t arrival;
};

static bool entry_less(const void *a, const void *b, const void *arg)
{
    const hl_queue *queue = arg;
    const struct entry *left = a;
    const struct entry *right = b;
    int order = queue->compare(left->item, right->item);
    return order < 0 || (order == 0 && left->arrival < right->arrival);
}

/* What the core keeps for an item. ENOMEM. */
static int wrap(hl_queue *queue, void *item, void **kept)
{
    *kept = item;
    if (queue->compare == NULL)
        return 0;
    struct entry *entry = malloc(sizeof(*entry)); /* no magic: two words, one for each item */
    if (entry == NULL)
        return ENOMEM;
    entry->item = item;
    *kept = entry;
    return 0;
}

/* With the domain held, when it is the item's turn to be put. */
static void number(hl_queue *queue, void *kept)
{
    if (queue->compare != NULL)
        ((struct entry *)kept)->arrival = queue->arrivals++;
}

static void *unwrap(const hl_queue *queue, void *kept)
{
    if (queue->compare == NULL)
        return kept;
    struct entry *entry = kept;
    void *item = entry->item;
    free(entry);
    return item;
}

int hl_queue_new(hl_queue **out, const struct hl_queue_options *options)
{
    if ((options->order == HL_QUEUE_PRIORITY) != (options->compare != NULL) ||
        (unsigned)options->order > HL_QUEUE_PRIORITY)
        return EINVAL;
    hl_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL)
        return ENOMEM;
    MAGIC_INIT(queue, QUEUE_MAGIC);
    const char *name = options->name != NULL ? options->name : "queue";
    memcpy(queue->name, name, strnlen(name, sizeof(queue->name) - 1));
    queue->compare = options->compare;
    queue->destroy = options->destroy;
    queue->domain = options->domain;
    if (queue->domain == NULL) {
        queue->domain = &queue->own_domain;
        queue_domain_init(queue->domain, queue->name, lock_class(LOCK_CLASS_queue));
    }
    struct queue_core_options core_options = {.name = queue->name,
                                              .order = options->order,
                                              .maxsize = options->maxsize,
                                              .less = entry_less,
                                              .arg = queue};
    queue_core_init(&queue->core, queue->domain, &core_options);
    *out = queue;
    return 0;
}

/* Without locks: what was taken out whole goes to the destructor. */
static void drop_items(hl_queue *queue, struct queue_items *items)
{
    void *kept;
    while (queue_items_pop(items, &kept)) {
        void *item = unwrap(queue, kept);
        if (queue->destroy != NULL)
            queue->destroy(item);
    }
    queue_items_fini(items);
}

void hl_queue_free(hl_queue **queue_ptr)
{
    if (*queue_ptr == NULL)
        return;
    hl_queue *queue;
    MAGIC_TAKE(queue, queue_ptr, QUEUE_MAGIC);
    struct queue_items items;
    domain_acquire(queue->domain, HL_HERE);
    queue_core_detach_items(&queue->core, &items);
    domain_release(queue->domain);
    drop_items(queue, &items);
    queue_core_fini(&queue->core);
    if (queue->domain == &queue->own_domain)
        queue_domain_fini(queue->domain);
    MAGIC_WIPE(queue);
    free(queue);
}

/* ---- put ---- */

/* As put with the domain held and the item wrapped; releases the domain. */
static int put_kept(hl_queue *queue, void *kept, int64_t timeout_ns)
{
    number(queue, kept);
    int rc = queue_core_put(&queue->core, kept);
    if (rc != EAGAIN || timeout_ns == 0) {
        domain_release(queue->domain);
        return rc == EAGAIN ? ETIMEDOUT : rc;
    }
    struct queue_wait wait = {.item = kept};
    struct queue_link link = {0};
    queue_wait_put(&wait, &queue->core, &link);
    rc = queue_wait_sleep(&wait, queue->domain, clock_deadline(timeout_ns), "queue put",
                          queue->name);
    return rc != 0 ? rc : wait.later.result;
}

int hl_queue_put(hl_queue *queue, void *item, int64_t timeout_ns)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    void *kept;
    int rc = wrap(queue, item, &kept);
    if (rc != 0)
        return rc;
    domain_acquire(queue->domain, HL_HERE);
    /* A bounded queue refuses a negative timeout even when there is room; one that is shut down
     * says that first. */
    bool bad = timeout_ns < 0 && queue->core.options.maxsize > 0 && !queue->core.shut_down;
    if (bad) {
        domain_release(queue->domain);
        rc = EINVAL;
    } else {
        rc = put_kept(queue, kept, timeout_ns);
    }
    if (rc != 0)
        (void)unwrap(queue, kept);
    return rc;
}

int hl_queue_put_nowait(hl_queue *queue, void *item)
{
    int rc = hl_queue_put(queue, item, 0);
    return rc == ETIMEDOUT ? EAGAIN : rc;
}

/* ---- get ---- */

/* As get with the domain held, which it releases. */
static int get_kept(hl_queue *queue, void **kept, int64_t timeout_ns)
{
    int rc = queue_core_take(&queue->core, kept);
    if (rc != EAGAIN || timeout_ns == 0) {
        domain_release(queue->domain);
        return rc == EAGAIN ? ETIMEDOUT : rc;
    }
    struct queue_wait wait = {0};
    struct queue_link link = {0};
    struct queue_core *core = &queue->core;
    queue_wait_get(&wait, &core, &link, 1);
    rc = queue_wait_sleep(&wait, queue->domain, clock_deadline(timeout_ns), "queue get",
                          queue->name);
    if (rc == 0)
        rc = wait.later.result;
    if (rc == 0)
        *kept = wait.item;
    return rc;
}

int hl_queue_get(hl_queue *queue, void **item, int64_t timeout_ns)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    domain_acquire(queue->domain, HL_HERE);
    if (timeout_ns < 0) {
        bool over = queue->core.shut_down && queue_core_len(&queue->core) == 0;
        domain_release(queue->domain);
        return over ? ESHUTDOWN : EINVAL;
    }
    void *kept;
    int rc = get_kept(queue, &kept, timeout_ns);
    if (rc == 0)
        *item = unwrap(queue, kept);
    return rc;
}

int hl_queue_get_nowait(hl_queue *queue, void **item)
{
    int rc = hl_queue_get(queue, item, 0);
    return rc == ETIMEDOUT ? EAGAIN : rc;
}

int hl_queue_get_many(hl_queue *queue, void **items, size_t max, size_t *count, int64_t timeout_ns)
{
    if (max == 0)
        return EINVAL;
    int rc = hl_queue_get(queue, &items[0], timeout_ns);
    if (rc != 0)
        return rc;
    size_t got = 1;
    domain_acquire(queue->domain, HL_HERE);
    while (got < max && queue_core_take(&queue->core, &items[got]) == 0)
        got++;
    domain_release(queue->domain);
    for (size_t i = 1; i < got; i++)
        items[i] = unwrap(queue, items[i]);
    *count = got;
    return 0;
}

/* ---- get from any ---- */

#define ANY_ON_STACK 16

static int check_any(hl_queue *const *queues, size_t count)
{
    if (count == 0 || count > HL_QUEUE_ANY_MAX)
        return EINVAL;
    for (size_t i = 0; i < count; i++) {
        MAGIC_CHECK(queues[i], QUEUE_MAGIC);
        if (queues[i]->domain != queues[0]->domain)
            return EINVAL;
        for (size_t j = 0; j < i; j++)
            if (queues[j] == queues[i])
                return EINVAL;
    }
    return 0;
}

/* The first queue in the array that has an item; unlike the broker's tubes, the queues' items need
 * not compare. */
static int take_first(hl_queue *const *queues, size_t count, void **kept, size_t *which)
{
    int rc = ESHUTDOWN;
    for (size_t i = 0; i < count; i++) {
        int one = queue_core_take(&queues[i]->core, kept);
        if (one == 0) {
            *which = i;
            return 0;
        }
        if (one == EAGAIN)
            rc = EAGAIN;
    }
    return rc;
}

static int wait_any(hl_queue *const *queues, size_t count, struct queue_core **cores,
                    struct queue_link *links, void **kept, size_t *which, int64_t timeout_ns)
{
    struct queue_wait wait = {0};
    for (size_t i = 0; i < count; i++)
        cores[i] = &queues[i]->core;
    queue_wait_get(&wait, cores, links, count);
    int rc = queue_wait_sleep(&wait, queues[0]->domain, clock_deadline(timeout_ns), "queue get",
                              count == 1 ? queues[0]->name : "any of several");
    if (rc == 0)
        rc = wait.later.result;
    if (rc != 0)
        return rc;
    *kept = wait.item;
    for (*which = 0; cores[*which] != wait.from;)
        ++*which;
    return 0;
}

int hl_queue_get_any(hl_queue *const *queues, size_t count, void **item, size_t *which,
                     int64_t timeout_ns)
{
    int rc = check_any(queues, count);
    if (rc != 0)
        return rc;
    if (timeout_ns < 0)
        return EINVAL;
    struct queue_core *stack_cores[ANY_ON_STACK];
    struct queue_link stack_links[ANY_ON_STACK] = {0};
    bool heap = count > ANY_ON_STACK;
    struct queue_core **cores = heap ? calloc(count, sizeof(struct queue_core *)) : stack_cores;
    struct queue_link *links = heap ? calloc(count, sizeof(*links)) : stack_links;
    size_t from = 0;
    void *kept = NULL;
    if (cores == NULL || links == NULL) {
        rc = ENOMEM;
    } else {
        domain_acquire(queues[0]->domain, HL_HERE);
        rc = take_first(queues, count, &kept, &from);
        if (rc == EAGAIN && timeout_ns > 0) {
            rc = wait_any(queues, count, cores, links, &kept, &from, timeout_ns);
        } else {
            domain_release(queues[0]->domain);
            if (rc == EAGAIN)
                rc = ETIMEDOUT;
        }
    }
    if (heap) {
        free(cores);
        free(links);
    }
    if (rc != 0)
        return rc;
    *item = unwrap(queues[from], kept);
    *which = from;
    return 0;
}

/* ---- task_done and join ---- */

int hl_queue_task_done(hl_queue *queue)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    domain_acquire(queue->domain, HL_HERE);
    int rc = queue_core_close_task(&queue->core);
    domain_release(queue->domain);
    return rc;
}

int hl_queue_join(hl_queue *queue, int64_t timeout_ns)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    domain_acquire(queue->domain, HL_HERE);
    if (queue->core.unfinished == 0 || timeout_ns <= 0) {
        int rc = queue->core.unfinished == 0 ? 0 : ETIMEDOUT;
        domain_release(queue->domain);
        return rc;
    }
    struct queue_wait wait = {0};
    struct queue_link link = {0};
    queue_wait_join(&wait, &queue->core, &link);
    return queue_wait_sleep(&wait, queue->domain, clock_deadline(timeout_ns), "queue join",
                            queue->name);
}

/* ---- looking, and the end ---- */

/* Looking locks, and changes nothing that shows. */
static hl_queue *looked_at(const hl_queue *queue)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    domain_acquire(queue->domain, HL_HERE);
    return (hl_queue *)queue;
}

size_t hl_queue_qsize(const hl_queue *queue)
{
    hl_queue *locked = looked_at(queue);
    size_t len = queue_core_len(&locked->core);
    domain_release(locked->domain);
    return len;
}

bool hl_queue_empty(const hl_queue *queue)
{
    return hl_queue_qsize(queue) == 0;
}

bool hl_queue_full(const hl_queue *queue)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    int64_t maxsize = queue->core.options.maxsize; /* never changes */
    return maxsize > 0 && hl_queue_qsize(queue) >= (size_t)maxsize;
}

size_t hl_queue_unfinished(const hl_queue *queue)
{
    hl_queue *locked = looked_at(queue);
    size_t unfinished = locked->core.unfinished;
    domain_release(locked->domain);
    return unfinished;
}

bool hl_queue_is_shutdown(const hl_queue *queue)
{
    hl_queue *locked = looked_at(queue);
    bool shut_down = locked->core.shut_down;
    domain_release(locked->domain);
    return shut_down;
}

/* Takes everything out and counts it as finished, but never below zero: somebody may have called
 * task_done early. */
static void abandon_items(hl_queue *queue, struct queue_items *items)
{
    queue_core_detach_items(&queue->core, items);
    for (size_t left = queue_items_len(items); left > 0 && queue->core.unfinished > 0; left--)
        MUST(queue_core_close_task(&queue->core));
}

void hl_queue_shutdown(hl_queue *queue, bool immediate)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    domain_acquire(queue->domain, HL_HERE);
    struct queue_items items;
    queue_core_shutdown(&queue->core);
    if (immediate)
        abandon_items(queue, &items);
    domain_release(queue->domain);
    if (immediate)
        drop_items(queue, &items);
}

/* ---- asynchronous waiters ---- */

struct async {
    struct queue_wait wait;
    struct queue_link link;
    hl_queue *queue;
};

_Static_assert(sizeof(struct async) <= sizeof(((struct hl_queue_waiter *)0)->private_data),
               "hl_queue_waiter's private part is too small");

static struct async *async_of(struct hl_queue_waiter *waiter)
{
    return (struct async *)(void *)waiter->private_data;
}

static void async_tell(struct async *async, int result, void *item)
{
    struct hl_queue_waiter *waiter =
        CONTAINER_OF((void *)async, struct hl_queue_waiter, private_data);
    waiter->done(waiter, result, item);
}

/* A get was told, with its item. */
static void async_got(struct later *later)
{
    struct async *async = CONTAINER_OF(later, struct async, wait.later);
    int result = later->result;
    async_tell(async, result, result == 0 ? unwrap(async->queue, async->wait.item) : NULL);
}

/* A put, whose item comes back if it was refused, or a join, which has none. */
static void async_put(struct later *later)
{
    struct async *async = CONTAINER_OF(later, struct async, wait.later);
    int result = later->result;
    bool comes = result != 0 && async->wait.item != NULL;
    async_tell(async, result, comes ? unwrap(async->queue, async->wait.item) : NULL);
}

/* With the domain held: an idle waiter, ready to be lined up. */
static struct async *async_begin(hl_queue *queue, struct hl_queue_waiter *waiter,
                                 void (*fire)(struct later *later))
{
    struct async *async = async_of(waiter);
    ASSERT(async->wait.later.state != LATER_WAITS);
    memset(async, 0, sizeof(*async));
    async->wait.later.fire = fire;
    async->queue = queue;
    return async;
}

/* Decided at once: fires with the others when the domain is released. */
static void async_decided(hl_queue *queue, struct async *async, int result)
{
    queue_wait_line_up(&async->wait, NULL);
    queue_wait_make_ready(queue->domain, &async->wait, result);
}

int hl_queue_get_async(hl_queue *queue, struct hl_queue_waiter *waiter)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    domain_acquire(queue->domain, HL_HERE);
    struct async *async = async_begin(queue, waiter, async_got);
    struct queue_core *core = &queue->core;
    int rc = queue_core_take(core, &async->wait.item);
    if (rc == EAGAIN)
        queue_wait_get(&async->wait, &core, &async->link, 1);
    else
        async_decided(queue, async, rc);
    domain_release(queue->domain);
    return 0;
}

int hl_queue_put_async(hl_queue *queue, void *item, struct hl_queue_waiter *waiter)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    void *kept;
    int rc = wrap(queue, item, &kept);
    if (rc != 0)
        return rc;
    domain_acquire(queue->domain, HL_HERE);
    struct async *async = async_begin(queue, waiter, async_put);
    number(queue, kept);
    rc = queue_core_put(&queue->core, kept);
    if (rc == ENOMEM) {
        domain_release(queue->domain);
        (void)unwrap(queue, kept);
        return rc;
    }
    async->wait.item = kept;
    if (rc == EAGAIN) {
        queue_wait_put(&async->wait, &queue->core, &async->link);
    } else {
        async_decided(queue, async, rc);
    }
    domain_release(queue->domain);
    return 0;
}

int hl_queue_join_async(hl_queue *queue, struct hl_queue_waiter *waiter)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    domain_acquire(queue->domain, HL_HERE);
    struct async *async = async_begin(queue, waiter, async_put);
    if (queue->core.unfinished > 0)
        queue_wait_join(&async->wait, &queue->core, &async->link);
    else
        async_decided(queue, async, 0);
    domain_release(queue->domain);
    return 0;
}

int hl_queue_cancel(hl_queue *queue, struct hl_queue_waiter *waiter)
{
    MAGIC_CHECK(queue, QUEUE_MAGIC);
    struct async *async = async_of(waiter);
    domain_acquire(queue->domain, HL_HERE);
    bool cancelled = queue_wait_cancel(&async->wait);
    domain_release(queue->domain);
    if (!cancelled)
        return EALREADY;
    if (async->wait.later.fire == async_put && async->wait.item != NULL)
        (void)unwrap(queue, async->wait.item); /* the item stays the caller's */
    return 0;
}
