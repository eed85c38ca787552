// SPDX-License-Identifier: MIT
/*
 * Puts that wait for room: the blocking put of a full queue.Queue, for whoever can't block a
 * thread.
 *
 * Each waiting put stands in the line of what it lacks: its tube's, or the broker's when the limit
 * of all tubes together is reached, or the journal's when that is busy (line.c). When a job leaves
 * a tube, the first of the tube's line comes in, and the next, until one doesn't fit; then the same
 * with the broker's line. Who finds that something else stops him changes the line, at its end. The
 * job is made and owns its body from the start, but is in no tube until it comes in, and has no id
 * unless it brought one; its delay begins then.
 *
 * A wait ends also by draining, and by cancel when its connection goes. A connection that holds
 * jobs may not wait for room in a tube, for nobody else might make it.
 */
#include "broker/limits_priv.h"
#include "broker/line_priv.h"
#include "broker/put_priv.h"

#include <errno.h>

/* In what line a put of that job stands; NULL: none, there is room. */
HELD static struct list *line_for(struct broker *broker, const struct job *job)
{
    if (broker_is_full(broker, job->body.len))
        return &broker->waiting_puts;
    return tube_is_full(job->tube, job->body.len) ? &broker_tube(job->tube)->waiting_puts : NULL;
}

/* The same for one who comes now and respects those who were there before. */
HELD static struct list *line_behind(struct broker *broker, const struct job *job)
{
    if (!list_empty(&broker_tube(job->tube)->waiting_puts))
        return &broker_tube(job->tube)->waiting_puts;
    return !list_empty(&broker->waiting_puts) ? &broker->waiting_puts : line_for(broker, job);
}

struct list *put_line(const struct broker_op *op)
{
    struct broker *broker = op->broker;
    const struct job *job = op->put.job;
    bool may_wait = !broker->draining && (op->client == NULL || !client_holds(op->client));
    if (!may_wait || key_owner(job) != 0)
        return NULL;
    bool stands = op->later.state == LATER_WAITS;
    return stands ? line_for(broker, job) : line_behind(broker, job);
}

/* Lets in who fits, from the front. */
HELD static void line_let_in(struct broker *broker, struct list *line)
{
    struct list_node *node;
    while ((node = list_first(line)) != NULL) {
        struct broker_op *op = CONTAINER_OF(node, struct broker_op, later.node);
        op->line = NULL;
        int rc = broker->calls->decide(broker, op);
        struct list *next = op->line;
        op->line = line;
        if (rc != EAGAIN)
            op_end(op, rc);
        else if (next == line)
            return;
        else
            op_move(op, next);
    }
}

HELD static inline void line_serve(struct broker *broker, struct list *line)
{
    if (!list_empty(line)) /* as nearly always it is */
        line_let_in(broker, line);
}

void waiting_puts_serve(struct tube *tube)
{
    struct broker *broker = broker_of(tube);
    if (!list_empty(&broker_tube(tube)->waiting_puts))
        line_serve(broker, &broker_tube(tube)->waiting_puts);
    if (!list_empty(&broker->waiting_puts))
        line_serve(broker, &broker->waiting_puts);
}

HELD static void line_refuse(struct list *line, int result)
{
    struct list_node *node;
    while ((node = list_first(line)) != NULL)
        op_end(CONTAINER_OF(node, struct broker_op, later.node), result);
}

void waiting_puts_refuse(struct broker *broker, int result)
{
    line_refuse(&broker->waiting_puts, result);
    struct list_node *node =
        broker->stats.putting > 0 ? list_first(&broker->ledger.tube_list) : NULL;
    while (node != NULL) {
        struct tube *tube = CONTAINER_OF(node, struct tube, node);
        tube_ref(tube); /* its waiting_puts may be all that keeps it */
        line_refuse(&broker_tube(tube)->waiting_puts, result);
        node = list_next(&broker->ledger.tube_list, node);
        tube_unref(tube);
    }
}
