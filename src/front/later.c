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

static void later_deliver(struct loop_message *message, void *memory);

void later_prepare(struct session *session, struct later *later, const struct later_kind *kind)
{
    later->kind = kind;
    later->message =
        (struct loop_message){.to = conn_get_handle(session->conn), .deliver = later_deliver};
    loop_hold(later->message.to);
}

void later_drop(struct later *later)
{
    loop_drop(later->message.to);
    later->kind->release(later);
}

void later_wait(struct session *session, struct later *later, int64_t deadline_ns)
{
    ASSERT(session->later == NULL);
    session->later = later;
    conn_pause(session->conn);
    conn_timer_set(session->conn, deadline_ns);
}

void later_fire(struct later *later)
{
    loop_post(&later->message);
}

/* Back to reading commands. */
static void later_end(struct session *session, int why)
{
    struct later *later = session->later;
    session->later = NULL;
    conn_timer_set(session->conn, CLOCK_NEVER);
    later->kind->answer(session, later, why);
    later_drop(later);
    session_hold(session);
    if (session->later == NULL && !reserve_waits(session)) /* the answer may wait for more */
        conn_resume(session->conn);
}

static void later_deliver(struct loop_message *message, void *memory)
{
    struct later *later = CONTAINER_OF(message, struct later, message);
    struct session *session = memory;
    if (session == NULL) {
        later_drop(later);
        return;
    }
    MAGIC_CHECK(session, SESSION_MAGIC);
    ASSERT(session->later == later);
    later_end(session, 0);
}

static void later_give_up(struct session *session, int why)
{
    struct later *later = session->later;
    if (later != NULL && later->kind->cancel(later))
        later_end(session, why);
}

void later_hangup(struct session *session)
{
    later_give_up(session, ECANCELED);
}

void later_time_out(struct session *session)
{
    later_give_up(session, ETIMEDOUT);
}

void later_abandon(struct session *session)
{
    struct later *later = session->later;
    session->later = NULL;
    if (later != NULL && later->kind->cancel(later))
        later_drop(later); /* else later_deliver does it */
}
