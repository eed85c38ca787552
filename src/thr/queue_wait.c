// SPDX-License-Identifier: MIT
/*
 * Waiting in line, for threads and callbacks alike.
 *
 * A wait is lined -> ready -> fired, or lined -> cancelled (idle again). The decision is made under
 * the domain, once; the callback runs after the domain was released. A getter may stand in the
 * lines of many cores, with one link in each; becoming ready takes it out of all of them in the
 * same critical section, so it never gets two items.
 *
 * A blocked thread is a wait whose callback sets a word and wakes the thread. If its time runs out
 * it takes the domain again and cancels. When the cancel comes too late the item is already its
 * own: it waits for the callback, which is on its way, and succeeds.
 */
#include "thr/park_priv.h"
#include "thr/queue_domain_priv.h"
#include "thr/queue_wait_priv.h"
#include "thr/thr.h"

#include "base/clock.h"

#include <errno.h>

/*
 * Looks at the word before the thread sleeps: about two microseconds. A partner that runs on the
 * other processor answers within that, and both are spared the sleep and the wake, which cost
 * several times more.
 */
#define BLOCK_SPINS 60

struct queue_wait *queue_line_first(const struct list *line)
{
    struct list_node *first = list_first(line);
    ASSERT(first != NULL);
    return CONTAINER_OF(first, struct queue_link, node)->wait;
}

/* From nowhere into the lines `links`, each of which already knows its core. */
static void line_up(struct queue_wait *wait, struct queue_link *links, size_t count)
{
    ASSERT(wait->state == QUEUE_WAIT_IDLE);
    wait->state = QUEUE_WAIT_LINED;
    wait->links = links;
    wait->link_count = count;
    wait->from = NULL;
    atomic_store_explicit(&wait->fired, 0, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        links[i].wait = wait;
        links[i].counted = false;
        list_node_init(&links[i].node);
    }
}

static void leave_line(struct queue_link *link)
{
    if (link->counted)
        link->core->getting--;
    link->counted = false;
    list_remove(&link->node);
}

static void leave_lines(struct queue_wait *wait)
{
    for (size_t i = 0; i < wait->link_count; i++)
        leave_line(&wait->links[i]);
}

static bool stands_last(const struct list_node *node)
{
    return CONTAINER_OF(node, struct queue_link, node)->wait->last;
}

/* Behind the last of its kind: those who stand last are few, and together. */
static void getter_enter(struct list *line, struct queue_link *link)
{
    struct list_node *place = &line->head;
    while (!link->wait->last && place->prev != &line->head && stands_last(place->prev))
        place = place->prev;
    list_insert_before(place, &link->node);
}

void queue_wait_get(struct queue_wait *wait, struct queue_core *const *cores,
                    struct queue_link *links, size_t count)
{
    line_up(wait, links, count);
    for (size_t i = 0; i < count; i++) {
        links[i].core = cores[i];
        if (cores[i]->shut_down && queue_core_len(cores[i]) == 0)
            continue;
        getter_enter(&cores[i]->getters, &links[i]);
        links[i].counted = true;
        cores[i]->getting++;
    }
}

void queue_wait_put(struct queue_wait *wait, struct queue_core *core, struct queue_link *link)
{
    line_up(wait, link, 1);
    link->core = core;
    list_append(&core->putters, &link->node);
}

void queue_wait_join(struct queue_wait *wait, struct queue_core *core, struct queue_link *link)
{
    ASSERT(core->unfinished > 0);
    line_up(wait, link, 1);
    link->core = core;
    list_append(&core->joiners, &link->node);
}

void queue_wait_line_up(struct queue_wait *wait)
{
    line_up(wait, NULL, 0);
}

void queue_wait_make_ready(hl_queue_domain *domain, struct queue_wait *wait, int result)
{
    domain_assert_held(domain);
    ASSERT(wait->state == QUEUE_WAIT_LINED);
    leave_lines(wait);
    wait->state = QUEUE_WAIT_READY;
    wait->result = result;
    list_node_init(&wait->ready_node);
    list_append(&domain->ready, &wait->ready_node);
}

void queue_wait_finish(struct queue_wait *wait, struct queue_core *core, int result)
{
    wait->from = core;
    queue_wait_make_ready(core->domain, wait, result);
}

void queue_wait_give(struct queue_wait *wait, struct queue_core *core, void *item)
{
    wait->item = item;
    queue_wait_finish(wait, core, 0);
    if (core->options.given != NULL)
        core->options.given(item, wait);
}

void queue_wait_leave(struct list_node *link_node)
{
    struct queue_link *link = CONTAINER_OF(link_node, struct queue_link, node);
    struct queue_wait *wait = link->wait;
    leave_line(link);
    for (size_t i = 0; i < wait->link_count; i++)
        if (list_node_linked(&wait->links[i].node))
            return;
    queue_wait_finish(wait, link->core, ESHUTDOWN);
}

void queue_line_finish(struct list *line, struct queue_core *core, int result)
{
    while (!list_empty(line))
        queue_wait_finish(queue_line_first(line), core, result);
}

bool queue_wait_cancel(struct queue_wait *wait)
{
    if (wait->state != QUEUE_WAIT_LINED)
        return false;
    leave_lines(wait);
    wait->state = QUEUE_WAIT_IDLE;
    return true;
}

/* ---- a blocked thread ---- */

void queue_wait_wake_thread(struct queue_wait *wait)
{
    /* Once the word is written the thread may return and take the wait's memory with it. */
    _Atomic uint32_t *word = &wait->fired;
    if (atomic_exchange_explicit(word, QUEUE_FIRED, memory_order_release) == QUEUE_ASLEEP)
        park_wake(word, 1);
}

static bool has_fired(struct queue_wait *wait)
{
    return atomic_load_explicit(&wait->fired, memory_order_acquire) == QUEUE_FIRED;
}

static bool spin_until_fired(struct queue_wait *wait)
{
    for (int i = 0; i < BLOCK_SPINS; i++) {
        if (has_fired(wait))
            return true;
        park_relax();
    }
    return has_fired(wait);
}

/* ETIMEDOUT, or 0 once the callback ran. */
static int sleep_until_fired(struct queue_wait *wait, int64_t deadline_ns)
{
    uint32_t expected = QUEUE_AWAKE;
    (void)atomic_compare_exchange_strong(&wait->fired, &expected, QUEUE_ASLEEP);
    while (!has_fired(wait))
        if (park_wait(&wait->fired, QUEUE_ASLEEP, deadline_ns) == ETIMEDOUT && !has_fired(wait))
            return ETIMEDOUT;
    return 0;
}

int queue_wait_sleep(struct queue_wait *wait, hl_queue_domain *domain, int64_t deadline_ns,
                     const char *what, const char *object)
{
    domain_assert_held(domain);
    ASSERT(wait->state != QUEUE_WAIT_IDLE);
    wait->fire = queue_wait_wake_thread;
    domain_release(domain);
    if (!spin_until_fired(wait)) {
        queue_domain_run_callbacks();
        hl_thread_wait_begin(what, object);
        int rc = sleep_until_fired(wait, deadline_ns);
        if (rc != 0) {
            domain_acquire(domain, HL_HERE);
            bool cancelled = queue_wait_cancel(wait);
            domain_release(domain);
            /* Too late to cancel: whoever made it ready is between releasing the domain and the
             * callback. */
            if (!cancelled)
                rc = sleep_until_fired(wait, CLOCK_NEVER);
        }
        hl_thread_wait_end();
        if (rc != 0)
            return rc;
    }
    wait->state = QUEUE_WAIT_IDLE;
    return 0;
}

int queue_wait_block(struct queue_wait *wait, hl_queue_domain *domain, int64_t deadline_ns,
                     const char *what, const char *object)
{
    int rc = queue_wait_sleep(wait, domain, deadline_ns, what, object);
    domain_acquire(domain, HL_HERE);
    return rc;
}
