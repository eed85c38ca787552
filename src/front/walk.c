// SPDX-License-Identifier: MIT
/*
 * Commands that go through as many jobs as a tube has: kick and clear-tube.
 *
 * One that isn't done after a slice of the broker's becomes a task, with a slice in each turn. The
 * answer is about all slices, and waits for all that they changed in the journal. Where the journal
 * is busy it waits for room, and goes on. A client that goes meanwhile ends it: what was done is
 * done.
 */
#include "front/front_priv.h"
#include "front/pending_priv.h"
#include "front/reply_priv.h"
#include "front/task_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define WALK_MAGIC 0x3a1c0009u
#define WALK_COST 64 /* small commands that a slice is worth, at least */

struct pending_walk {
    unsigned magic;
    struct task task;
    struct pending pending; /* while it waits for room, in place of the task */
    bool waits;
    struct broker_op room;
    struct broker_bulk walk;
    const char *word;
};

static struct pending_walk *walk_of(struct task *task)
{
    struct pending_walk *walk = CONTAINER_OF(task, struct pending_walk, task);
    MAGIC_CHECK(walk, WALK_MAGIC);
    return walk;
}

/* What was done when memory or the disk ran out is told; the rest stays as it was. */
static void walk_reply(struct session *session, const char *word, int rc,
                       const struct broker_bulk *walk)
{
    if (rc == 0 || walk->done > 0)
        reply_number(session, word, walk->done);
    else
        reply_refusal(session, rc, "OUT_OF_MEMORY\r\n");
    session_tells(session, &walk->ticket);
}

/* EINPROGRESS: the session waits. 0: there is room. */
static int room_wait(struct session *session, struct pending_walk *walk)
{
    walk->room.verb = BROKER_ROOM;
    walk->room.flags = OP_STANDS;
    pending_begin(session, &walk->pending);
    int rc = broker_run(session->front->broker, &walk->room);
    walk->waits = rc == EINPROGRESS;
    if (walk->waits)
        pending_wait(session, &walk->pending, CLOCK_NEVER);
    else
        pending_drop(&walk->pending);
    return rc;
}

/* As long as it is the connection's turn. EINPROGRESS: that is over, or it waits for room. */
static int walk_turn(struct session *session, struct pending_walk *walk)
{
    int rc;
    do {
        uint64_t done = walk->walk.done;
        rc = broker_bulk_on(&walk->walk);
        conn_charge(session->conn, WALK_COST);
        if (walk->walk.done > done)
            walk->room.until_ns = 0; /* it gets on: its patience begins anew */
        if (rc == EAGAIN && (rc = room_wait(session, walk)) == 0)
            rc = EINPROGRESS;
    } while (rc == EINPROGRESS && !walk->waits && conn_has_turn(session->conn));
    return rc;
}

static bool walk_step(struct session *session, struct task *task)
{
    struct pending_walk *walk = walk_of(task);
    int rc = walk_turn(session, walk);
    if (rc == EINPROGRESS)
        return !walk->waits;
    walk_reply(session, walk->word, rc, &walk->walk);
    return false;
}

static void walk_free(struct pending_walk *walk)
{
    broker_bulk_end(&walk->walk);
    MAGIC_WIPE(walk);
    free(walk);
}

static void walk_release(struct task *task)
{
    struct pending_walk *walk = walk_of(task);
    if (!walk->waits)
        walk_free(walk);
}

/* ---- waiting for room ---- */

static struct pending_walk *waiting_walk(const struct pending *pending)
{
    struct pending_walk *walk = CONTAINER_OF(pending, struct pending_walk, pending);
    MAGIC_CHECK(walk, WALK_MAGIC);
    return walk;
}

/* Any thread. */
static void room_fired(struct later *later)
{
    pending_fire(&CONTAINER_OF(later, struct pending_walk, room.later)->pending);
}

static void room_answer(struct session *session, struct pending *pending, int why)
{
    struct pending_walk *walk = waiting_walk(pending);
    int rc = why == 0 ? walk->room.later.result : why;
    walk->waits = false;
    if (rc == 0) {
        task_start(session, &walk->task);
        return;
    }
    walk_reply(session, walk->word, rc, &walk->walk);
    walk_free(walk);
}

static void room_release(struct pending *pending)
{
    walk_free(waiting_walk(pending));
}

/* Its patience ends. */
static bool room_endures(struct pending *pending, int why)
{
    (void)pending;
    return why == ECANCELED;
}

/* ---- beginning ---- */

static const struct task_kind walk_kind = {.step = walk_step, .release = walk_release};

/* NULL: no memory. */
static struct pending_walk *walk_new(const struct broker_bulk *begun, const char *word)
{
    struct pending_walk *walk = calloc(1, sizeof(*walk));
    if (walk == NULL)
        return NULL;
    MAGIC_INIT(walk, WALK_MAGIC);
    walk->task.kind = &walk_kind;
    walk->room.later.fire = room_fired;
    walk->pending = (struct pending){.later = &walk->room.later,
                                     .answer = room_answer,
                                     .endures = room_endures,
                                     .release = room_release};
    walk->walk = *begun;
    walk->word = word;
    return walk;
}

void walk_start(struct session *session, struct broker_bulk *walk, const char *word)
{
    int rc = broker_bulk_on(walk);
    bool goes_on = rc == EINPROGRESS || rc == EAGAIN;
    struct pending_walk *pending = goes_on ? walk_new(walk, word) : NULL;
    if (pending != NULL) {
        task_start(session, &pending->task);
        return;
    }
    while (rc == EINPROGRESS)
        rc = broker_bulk_on(walk);
    walk_reply(session, word, rc == EAGAIN ? ENOMEM : rc, walk);
    broker_bulk_end(walk);
}
