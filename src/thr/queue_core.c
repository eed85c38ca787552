// SPDX-License-Identifier: MIT
/*
 * The queue's core: items, and three lines of waiters, without a lock of its own.
 *
 * What always holds between calls (the domain held):
 *  - Nobody waits for an item while there is one, unless the core is held: insert gives an item to
 * the longest waiting getter before it looks at the container. So a wake-up is never lost and
 * nobody is woken in vain.
 *  - Nobody waits to put while there is room: each item that leaves lets the longest waiting putter
 * in.
 *  - unfinished is the number of tasks opened and not closed; joiners wait only while it isn't
 * zero.
 *  - After shutdown there are no putters, and getters only while a held core has items.
 *
 * The order of the items is the container's: a ring for FIFO and LIFO, a heap that knows positions
 * for PRIORITY. A new order is one row in `order_ops`.
 */
#include "thr/queue_domain_priv.h"
#include "thr/queue_wait_priv.h"
#include "thr/ring_priv.h"
#include "thr/thr.h"

#include "base/magic.h"

#include <errno.h>
#include <string.h>

#define QUEUE_CORE_MAGIC 0x71636f72u

/* How one order keeps its items. */
struct order_ops {
    size_t (*len)(const struct queue_core *core);
    int (*reserve)(struct queue_core *core, size_t more);
    int (*push)(struct queue_core *core, void *item);
    void *(*pop)(struct queue_core *core);
    void *(*first)(const struct queue_core *core);
};

static size_t ring_order_len(const struct queue_core *core)
{
    return core->ring.len;
}

static int ring_order_reserve(struct queue_core *core, size_t more)
{
    return ring_reserve(&core->ring, more);
}

static int ring_order_push(struct queue_core *core, void *item)
{
    return ring_push_right(&core->ring, item);
}

static void *fifo_pop(struct queue_core *core)
{
    return ring_pop_left(&core->ring);
}

static void *fifo_first(const struct queue_core *core)
{
    return ring_left(&core->ring);
}

static void *lifo_pop(struct queue_core *core)
{
    return ring_pop_right(&core->ring);
}

static void *lifo_first(const struct queue_core *core)
{
    return ring_right(&core->ring);
}

static size_t heap_order_len(const struct queue_core *core)
{
    return core->heap.len;
}

static int heap_order_reserve(struct queue_core *core, size_t more)
{
    return heap_reserve(&core->heap, more);
}

static int heap_order_push(struct queue_core *core, void *item)
{
    return heap_insert(&core->heap, item);
}

static void *heap_order_pop(struct queue_core *core)
{
    return heap_pop(&core->heap);
}

static void *heap_order_first(const struct queue_core *core)
{
    return heap_first(&core->heap);
}

static const struct order_ops order_ops[] = {
    [HL_QUEUE_FIFO] = {ring_order_len, ring_order_reserve, ring_order_push, fifo_pop, fifo_first},
    [HL_QUEUE_LIFO] = {ring_order_len, ring_order_reserve, ring_order_push, lifo_pop, lifo_first},
    [HL_QUEUE_PRIORITY] = {heap_order_len, heap_order_reserve, heap_order_push, heap_order_pop,
                           heap_order_first},
};

static inline const struct order_ops *ops(const struct queue_core *core)
{
    return &order_ops[core->options.order];
}

/* Of the two containers the order's own; the other stays zero, which is empty and has no memory. */
static void start_empty(struct queue_core *core)
{
    const struct queue_core_options *options = &core->options;
    memset(&core->heap, 0, sizeof(core->heap));
    if (options->order == HL_QUEUE_PRIORITY)
        heap_init(&core->heap, options->less, options->arg, options->moved);
    ring_init(&core->ring);
}

void queue_core_init(struct queue_core *core, hl_queue_domain *domain,
                     const struct queue_core_options *options)
{
    memset(core, 0, sizeof(*core));
    MAGIC_INIT(core, QUEUE_CORE_MAGIC);
    core->domain = domain;
    core->options = *options;
    core->compares = options->order == HL_QUEUE_PRIORITY;
    start_empty(core);
    list_init(&core->getters);
    list_init(&core->putters);
    list_init(&core->joiners);
}

void queue_core_fini(struct queue_core *core)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    ASSERT(list_empty(&core->getters));
    ASSERT(list_empty(&core->putters));
    ASSERT(list_empty(&core->joiners));
    heap_fini(&core->heap);
    ring_fini(&core->ring);
    MAGIC_WIPE(core);
}

size_t queue_core_len(const struct queue_core *core)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    return ops(core)->len(core);
}

static bool is_full(const struct queue_core *core)
{
    return core->options.maxsize > 0 && ops(core)->len(core) >= (size_t)core->options.maxsize;
}

int queue_core_reserve(struct queue_core *core, size_t more)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    return ops(core)->reserve(core, more);
}

int queue_core_insert(struct queue_core *core, void *item)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    domain_assert_held(core->domain);
    if (!core->held && !list_empty(&core->getters)) {
        queue_wait_give(queue_line_first(&core->getters), core, item);
        return 0;
    }
    return ops(core)->push(core, item);
}

void queue_core_open_task(struct queue_core *core)
{
    core->unfinished++;
}

int queue_core_close_task(struct queue_core *core)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    domain_assert_held(core->domain);
    if (core->unfinished == 0)
        return EINVAL;
    if (--core->unfinished == 0)
        queue_line_finish(&core->joiners, core, 0);
    return 0;
}

int queue_core_put(struct queue_core *core, void *item)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    if (core->shut_down)
        return ESHUTDOWN;
    if (is_full(core))
        return EAGAIN;
    int rc = queue_core_insert(core, item);
    if (rc == 0)
        queue_core_open_task(core);
    return rc;
}

void *queue_core_first(const struct queue_core *core)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    return ops(core)->len(core) > 0 ? ops(core)->first(core) : NULL;
}

/* Fills the room that was made with the longest waiting putters' items. They go behind what is
 * inside even if getters wait, as they do while hold lets go: those are served in order from there.
 */
static void let_putters_in(struct queue_core *core)
{
    while (!list_empty(&core->putters) && !is_full(core)) {
        struct queue_wait *wait = queue_line_first(&core->putters);
        /* An item just left: its slot is there. */
        if (ops(core)->len(core) > 0)
            MUST(ops(core)->push(core, wait->item));
        else
            MUST(queue_core_insert(core, wait->item));
        queue_core_open_task(core);
        queue_wait_finish(wait, core, 0);
    }
}

int queue_core_take(struct queue_core *core, void **item)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    domain_assert_held(core->domain);
    if (ops(core)->len(core) == 0)
        return core->shut_down ? ESHUTDOWN : EAGAIN;
    if (core->held)
        return EAGAIN;
    *item = ops(core)->pop(core);
    if (!list_empty(&core->putters))
        let_putters_in(core);
    return 0;
}

/* Getters of a core that will never have an item again: each gives up this line, and the last line
 * decides. */
static void turn_getters_away_if_over(struct queue_core *core)
{
    if (!core->shut_down || ops(core)->len(core) > 0)
        return;
    while (!list_empty(&core->getters))
        queue_wait_leave(list_first(&core->getters));
}

void *queue_core_remove(struct queue_core *core, size_t pos)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    domain_assert_held(core->domain);
    ASSERT(core->options.order == HL_QUEUE_PRIORITY);
    void *item = heap_remove(&core->heap, pos);
    let_putters_in(core);
    turn_getters_away_if_over(core); /* they may have waited for a held item */
    return item;
}

void queue_core_hold(struct queue_core *core, bool held)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    domain_assert_held(core->domain);
    core->held = held;
    while (!core->held && !list_empty(&core->getters) && ops(core)->len(core) > 0) {
        struct queue_wait *wait = queue_line_first(&core->getters);
        queue_wait_give(wait, core, ops(core)->pop(core));
        let_putters_in(core);
    }
    turn_getters_away_if_over(core);
}

void queue_core_shutdown(struct queue_core *core)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    domain_assert_held(core->domain);
    core->shut_down = true;
    queue_line_finish(&core->putters, core, ESHUTDOWN);
    turn_getters_away_if_over(core);
}

void queue_core_detach_items(struct queue_core *core, struct queue_items *items)
{
    MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
    domain_assert_held(core->domain);
    *items =
        (struct queue_items){.order = core->options.order, .heap = core->heap, .ring = core->ring};
    start_empty(core);
    queue_core_hold(core, core->held); /* it is empty: after shutdown nobody waits any more */
}

size_t queue_items_len(const struct queue_items *items)
{
    return items->order == HL_QUEUE_PRIORITY ? items->heap.len : items->ring.len;
}

bool queue_items_pop(struct queue_items *items, void **item)
{
    if (queue_items_len(items) == 0)
        return false;
    if (items->order == HL_QUEUE_PRIORITY)
        *item = heap_pop_any(&items->heap); /* all go */
    else
        *item = ring_pop_left(&items->ring);
    return true;
}

void queue_items_fini(struct queue_items *items)
{
    heap_fini(&items->heap);
    ring_fini(&items->ring);
}

int queue_core_take_any(struct queue_core *const *cores, size_t count, void **item, size_t *which)
{
    bool compare = true, over = true;
    size_t least = count, first = count;
    void *least_item = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct queue_core *core = cores[i];
        MAGIC_CHECK(core, QUEUE_CORE_MAGIC);
        compare = compare && core->compares;
        bool empty = (core->compares ? core->heap.len : core->ring.len) == 0;
        over = over && empty && core->shut_down;
        if (empty || core->held)
            continue;
        if (first == count)
            first = i;
        if (!compare)
            break; /* it is the first one that counts */
        void *its = heap_first(&core->heap);
        if (least == count || core->options.less(its, least_item, core->options.arg)) {
            least = i;
            least_item = its;
        }
    }
    if (first == count)
        return over ? ESHUTDOWN : EAGAIN;
    *which = compare ? least : first;
    return queue_core_take(cores[*which], item);
}
