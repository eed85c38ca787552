// SPDX-License-Identifier: MIT
/*
 * What the core does with its lines of waiters; the domain is held throughout.
 */
#ifndef THR_QUEUE_WAIT_PRIV_H
#define THR_QUEUE_WAIT_PRIV_H

#include "thr/thr.h"

/* Who has waited longest; the line isn't empty. */
struct queue_wait *queue_line_first(const struct list *line);

/* Leaves all its lines and becomes ready with this result. */
void queue_wait_finish(struct queue_wait *wait, struct queue_core *core, int result);

/* As finish with result 0, with an item. */
void queue_wait_give(struct queue_wait *wait, struct queue_core *core, void *item);

/* Leaves this one line; if it was the last, becomes ready with ESHUTDOWN. */
void queue_wait_leave(struct list_node *link_node);

/* Everybody in the line becomes ready. */
void queue_line_finish(struct list *line, struct queue_core *core, int result);

#endif
