// SPDX-License-Identifier: MIT
/*
 * Commands that go through as many jobs as a tube has: kick and clear-tube.
 *
 * One that isn't done after a slice of the broker's goes on by messages that it posts to its own
 * loop, one for each slice. Messages are delivered one turn after another and between the events of
 * a turn, so the other connections of the loop are served in between, while this one is paused. The
 * answer is about all slices, and waits for all that they changed in the journal.
 *
 * A client that goes meanwhile ends it: what was done is done. One that merely sends no more gets
 * its answer.
 */
#include "front/front_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define WALK_MAGIC 0x3a1c0009u

struct pending_walk {
    unsigned magic;
    struct later later;
    struct broker_walk walk;
    const char *word;
    struct broker_ticket ticket; /* of all slices but the first, which was the session's turn */
    int rc;                      /* of the last one */
};

static struct pending_walk *walk_of(struct later *later)
{
    struct pending_walk *walk = CONTAINER_OF(later, struct pending_walk, later);
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

/* Its message is always on its way. */
static bool walk_cancel(struct later *later)
{
    (void)later;
    return false;
}

static bool walk_goes_on(struct session *session, struct later *later)
{
    struct pending_walk *walk = walk_of(later);
    walk->rc = broker_walk_on(&walk->walk);
    struct broker_ticket ticket = broker_ticket_take(session->front->broker);
    broker_ticket_add(&walk->ticket, &ticket);
    return walk->rc == EINPROGRESS;
}

static void walk_answer(struct session *session, struct later *later, int why)
{
    const struct pending_walk *walk = walk_of(later);
    (void)why; /* it can't be cancelled, so this is the end of it */
    walk_reply(session, walk->word, walk->rc, walk->walk.done);
    session_hold_until(session, &walk->ticket);
}

static void walk_release(struct later *later)
{
    struct pending_walk *walk = walk_of(later);
    broker_walk_end(&walk->walk);
    MAGIC_WIPE(walk);
    free(walk);
}

static const struct later_kind walk_kind = {
    .cancel = walk_cancel, .goes_on = walk_goes_on, .answer = walk_answer, .release = walk_release};

/* false: no memory for that. */
static bool walk_later(struct session *session, const struct broker_walk *begun, const char *word)
{
    struct pending_walk *walk = calloc(1, sizeof(*walk));
    if (walk == NULL)
        return false;
    MAGIC_INIT(walk, WALK_MAGIC);
    walk->walk = *begun;
    walk->word = word;
    later_prepare(session, &walk->later, &walk_kind);
    later_wait(session, &walk->later, CLOCK_NEVER);
    later_fire(&walk->later);
    return true;
}

void walk_start(struct session *session, struct broker_walk *walk, const char *word)
{
    int rc = broker_walk_on(walk);
    if (rc == EINPROGRESS && walk_later(session, walk, word))
        return;
    while (rc == EINPROGRESS)
        rc = broker_walk_on(walk);
    walk_reply(session, word, rc, walk->done);
    broker_walk_end(walk);
}
