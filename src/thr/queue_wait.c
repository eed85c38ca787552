// SPDX-License-Identifier: MIT
/*
 * Waiting in line, for threads and callbacks alike: a queue_wait is a later (later.h) that the
 * domain decides. A getter may stand in the lines of many cores, with one link in each; becoming
 * ready takes it out of all of them in the same critical section, so it never gets two items.
 */
#include "thr/queue_domain_priv.h"
#include "thr/queue_wait_priv.h"
#include "thr/thr.h"

#include <errno.h>

struct queue_wait *queue_line_first(const struct list *line)
{
    struct list_node *first = list_first(line);
    ASSERT(first != NULL);
    return CONTAINER_OF(first, struct queue_link, node)->wait;
}

/* The `cancel` of who stands in the lines of cores. */
static bool lines_cancel(struct later *later)
{
    struct queue_wait *wait = CONTAINER_OF(later, struct queue_wait, later);
    hl_queue_domain *domain = wait->links[0].core->domain;
    domain_acquire(domain, HL_HERE);
    bool cancelled = queue_wait_cancel(wait);
    domain_release(domain);
    return cancelled;
}

void queue_wait_line_up(struct queue_wait *wait, bool (*cancel)(struct later *later))
{
    later_wait(&wait->later, cancel);
    wait->from = NULL;
    wait->link_count = 0;
}

/* It waits in `links`, whose cores and places in line come next. */
static void line_up(struct queue_wait *wait, struct queue_link *links, size_t count)
{
    queue_wait_line_up(wait, lines_cancel);
    wait->links = links;
    wait->link_count = (uint32_t)count;
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

void queue_wait_make_ready(hl_queue_domain *domain, struct queue_wait *wait, int result)
{
    domain_assert_held(domain);
    leave_lines(wait);
    later_ready(&wait->later, result, &domain->ready);
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
    if (!later_leave(&wait->later))
        return false;
    leave_lines(wait);
    return true;
}

/* ---- a blocked thread ---- */

int queue_wait_sleep(struct queue_wait *wait, hl_queue_domain *domain, int64_t deadline_ns,
                     const char *what, const char *object)
{
    domain_assert_held(domain);
    ASSERT(wait->later.state != LATER_IDLE);
    wait->later.fire = later_wake;
    domain_release(domain);
    return later_block(&wait->later, deadline_ns, what, object);
}

int queue_wait_block(struct queue_wait *wait, hl_queue_domain *domain, int64_t deadline_ns,
                     const char *what, const char *object)
{
    int rc = queue_wait_sleep(wait, domain, deadline_ns, what, object);
    domain_acquire(domain, HL_HERE);
    return rc;
}
