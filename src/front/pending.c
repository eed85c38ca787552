// SPDX-License-Identifier: MIT
/*
 * Answers that come later: of a reserve, an operation that stands in line, a join, a call, a body
 * that is read back.
 *
 * The connection is paused meanwhile, so there is one at a time and nothing behind it is executed.
 * What ends the wait runs on any thread and sends a message to the connection's loop, which is held
 * so that it can't be gone. The time, or the other side's hanging up, ends it only if a cancel
 * comes in time; otherwise the message is on its way, and has the answer. A connection that goes
 * then leaves the memory behind, to be freed when it arrives. What waits for nothing but a disk
 * isn't ended by a client that sends no more: who has asked is answered.
 */
#include "front/batch_priv.h"
#include "front/pending_priv.h"

#include "base/clock.h"

static void pending_deliver(struct loop_message *message, void *memory);

void pending_begin(struct session *session, struct pending *pending)
{
    pending->message =
        (struct loop_message){.to = conn_get_handle(session->conn), .deliver = pending_deliver};
    loop_hold(pending->message.to);
}

void pending_drop(struct pending *pending)
{
    loop_drop(pending->message.to);
}

void pending_wait(struct session *session, struct pending *pending, int64_t deadline_ns)
{
    ASSERT(session->pending == NULL);
    session->pending = pending;
    conn_pause(session->conn);
    conn_timer_set(session->conn, deadline_ns);
}

void pending_fire(struct pending *pending)
{
    loop_post(&pending->message);
}

/* Back to reading commands, if that was all. */
static void pending_over(struct session *session, int why)
{
    struct pending *pending = session->pending;
    session->pending = NULL;
    conn_timer_set(session->conn, CLOCK_NEVER);
    pending_drop(pending);
    pending->answer(session, pending, why);
    if (session->pending == NULL)
        batch_go_on(session);
    session_hold(session);
    if (session->pending == NULL)
        conn_resume(session->conn);
}

/* Its session is gone. */
static void pending_lose(struct pending *pending)
{
    pending_drop(pending);
    pending->release(pending);
}

static void pending_deliver(struct loop_message *message, void *memory)
{
    struct pending *pending = CONTAINER_OF(message, struct pending, message);
    struct session *session = memory;
    if (session == NULL) {
        pending_lose(pending);
        return;
    }
    MAGIC_CHECK(session, SESSION_MAGIC);
    ASSERT(session->pending == pending);
    pending_over(session, 0);
}

void pending_end(struct session *session, int why)
{
    struct pending *pending = session->pending;
    if (pending == NULL || (pending->endures != NULL && pending->endures(pending, why)))
        return;
    if (later_cancel(pending->later))
        pending_over(session, why);
}

void pending_abandon(struct session *session)
{
    struct pending *pending = session->pending;
    session->pending = NULL;
    if (pending != NULL && later_cancel(pending->later))
        pending_lose(pending); /* else pending_deliver does it */
}
