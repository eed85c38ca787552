// SPDX-License-Identifier: MIT
/*
 * Commands that go through as many jobs as a tube has: kick and clear-tube.
 *
 * One that isn't done after a slice of the broker's becomes a task, with a slice in each turn. The
 * answer is about all slices, and waits for all that they changed in the journal. A client that
 * goes meanwhile ends it: what was done is done.
 */
#include "front/front_priv.h"

#include <errno.h>
#include <stdlib.h>

#define WALK_MAGIC 0x3a1c0009u
#define WALK_COST 64 /* small commands that a slice is worth, at least */

struct pending_walk {
    unsigned magic;
    struct task task;
    struct broker_walk walk;
    const char *word;
    struct broker_ticket ticket; /* of all slices but the first, which was the session's turn */
};

static struct pending_walk *walk_of(struct task *task)
{
    struct pending_walk *walk = CONTAINER_OF(task, struct pending_walk, task);
    MAGIC_CHECK(walk, WALK_MAGIC);
    return walk;
}

/* What was done when memory or the disk ran out is told; the rest stays as it was. */
static void walk_reply(struct session *session, const char *word, int rc, uint64_t done)
{
    if (rc == 0 || done > 0)
        reply_number(session, word, done);
    else
        reply_refusal(session, rc, "OUT_OF_MEMORY\r\n");
}

static bool walk_step(struct session *session, struct task *task)
{
    struct pending_walk *walk = walk_of(task);
    int rc;
    do {
        rc = broker_walk_on(&walk->walk);
        conn_charge(session->conn, WALK_COST);
    } while (rc == EINPROGRESS && conn_has_turn(session->conn));
    struct broker_ticket ticket = broker_ticket_take(session->front->broker);
    broker_ticket_add(&walk->ticket, &ticket);
    if (rc == EINPROGRESS)
        return true;
    walk_reply(session, walk->word, rc, walk->walk.done);
    session_hold_until(session, &walk->ticket);
    return false;
}

static void walk_release(struct task *task)
{
    struct pending_walk *walk = walk_of(task);
    broker_walk_end(&walk->walk);
    MAGIC_WIPE(walk);
    free(walk);
}

static const struct task_kind walk_kind = {.step = walk_step, .release = walk_release};

/* NULL: no memory. */
static struct pending_walk *walk_new(const struct broker_walk *begun, const char *word)
{
    struct pending_walk *walk = calloc(1, sizeof(*walk));
    if (walk == NULL)
        return NULL;
    MAGIC_INIT(walk, WALK_MAGIC);
    walk->task.kind = &walk_kind;
    walk->walk = *begun;
    walk->word = word;
    return walk;
}

void walk_start(struct session *session, struct broker_walk *walk, const char *word)
{
    int rc = broker_walk_on(walk);
    struct pending_walk *pending = rc == EINPROGRESS ? walk_new(walk, word) : NULL;
    if (pending != NULL) {
        task_start(session, &pending->task);
        return;
    }
    while (rc == EINPROGRESS)
        rc = broker_walk_on(walk);
    walk_reply(session, word, rc, walk->done);
    broker_walk_end(walk);
}
