// SPDX-License-Identifier: MIT
/*
 * Answers that come later, for commands that wait for the broker and can be given up: join, and a
 * put that waits for room. (call and reserve have more to keep and do the same for themselves.)
 *
 * The connection is paused meanwhile, so there is one at a time and nothing behind it is executed.
 * What ends the wait runs on any thread and sends a message to the connection's loop, which is held
 * so that it can't be gone. The time, or the other side's hanging up, ends it only if the broker
 * agrees that the message isn't on its way; otherwise the message has the answer. A connection that
 * goes while it is under way leaves the memory behind, to be freed when it arrives.
 */
#include "front/front_priv.h"

#include "base/clock.h"

#include <errno.h>

static void pending_deliver(struct loop_message *message, void *memory);

void pending_prepare(struct session *session, struct pending *pending,
                     const struct pending_kind *kind)
{
    pending->kind = kind;
    pending->message =
        (struct loop_message){.to = conn_get_handle(session->conn), .deliver = pending_deliver};
    loop_hold(pending->message.to);
}

void pending_drop(struct pending *pending)
{
    loop_drop(pending->message.to);
    pending->kind->release(pending);
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

/* Back to reading commands. */
static void pending_end(struct session *session, int why)
{
    struct pending *pending = session->pending;
    session->pending = NULL;
    conn_timer_set(session->conn, CLOCK_NEVER);
    pending->kind->answer(session, pending, why);
    pending_drop(pending);
    session_hold(session);
    if (session->pending == NULL && !reserve_waits(session)) /* the answer may wait for more */
        conn_resume(session->conn);
}

static void pending_deliver(struct loop_message *message, void *memory)
{
    struct pending *pending = CONTAINER_OF(message, struct pending, message);
    struct session *session = memory;
    if (session == NULL) {
        pending_drop(pending);
        return;
    }
    MAGIC_CHECK(session, SESSION_MAGIC);
    ASSERT(session->pending == pending);
    pending_end(session, 0);
}

static void pending_give_up(struct session *session, int why)
{
    struct pending *pending = session->pending;
    if (pending != NULL && pending->kind->cancel(pending))
        pending_end(session, why);
}

void pending_hangup(struct session *session)
{
    pending_give_up(session, ECANCELED);
}

void pending_time_out(struct session *session)
{
    pending_give_up(session, ETIMEDOUT);
}

void pending_abandon(struct session *session)
{
    struct pending *pending = session->pending;
    session->pending = NULL;
    if (pending != NULL && pending->kind->cancel(pending))
        pending_drop(pending); /* else pending_deliver does it */
}
