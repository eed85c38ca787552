// SPDX-License-Identifier: MIT
/*
 * Taking jobs: reserve, reserve-with-timeout, reserve-job. Other forms of reserve (cmd_token.c,
 * cmd_batch.c) wait here, too, and differ in what they answer.
 *
 * A reserve that finds nothing waits in the broker's line: the connection is paused, so nothing
 * behind the reserve is executed before its answer. Whoever puts the job (or the thread that looks
 * after deadlines) wakes the connection's loop with a message; the job is reserved from the match
 * on, the loop only fetches it. The loop is held meanwhile, so it can't be gone.
 *
 * What a wait needs is in one piece of memory, made by the first reserve and kept for the next. The
 * broker and the loop's inbox know it, so a connection that goes while the message is on its way
 * leaves it behind, to be freed when the message arrives.
 *
 * "Half-close" is a client that sends no more and still reads: it gets TIMED_OUT, as from
 * beanstalkd, unless its turn has just come. That job goes back when the connection closes.
 */
#include "front/front_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define RESERVE_MAGIC 0x4e5e0006u
#define WATCHED_PER_COST 16 /* tubes are looked at in the time of a small command */

struct pending_reserve {
    unsigned magic;
    struct broker_reserver reserver;
    struct loop_message message;
    bool waiting; /* its answer comes later; the loop is held */
    enum reserve_form form;
    uint32_t most; /* of RESERVE_BATCH */
    int64_t deadline_ns;
};

static void reserve_free(struct pending_reserve **pointer)
{
    struct pending_reserve *reserve;
    MAGIC_TAKE(reserve, pointer, RESERVE_MAGIC);
    MAGIC_WIPE(reserve);
    free(reserve);
}

void reserve_refuse(struct session *session, int rc)
{
    switch (rc) {
    case ETIMEDOUT:
        reply_word(session, "TIMED_OUT\r\n");
        return;
    case ETIME:
        reply_word(session, "DEADLINE_SOON\r\n");
        return;
    case ENOENT:
        reply_word(session, "NOT_FOUND\r\n");
        return;
    default: /* ENOMEM; EDQUOT: it holds as many as a connection may; EACCES */
        reply_refusal(session, rc, "OUT_OF_MEMORY\r\n");
        return;
    }
}

static void reserve_reply(struct session *session, int rc, struct broker_lease *lease)
{
    if (rc != 0) {
        reserve_refuse(session, rc);
        return;
    }
    switch (session->reserve->form) {
    case RESERVE_PLAIN:
        bodies_reply(session, BODIES_PLAIN, lease, 1);
        return;
    case RESERVE_TOKEN:
        bodies_reply(session, BODIES_TOKEN, lease, 1);
        return;
    case RESERVE_BATCH:
        batch_reply(session, session->reserve->most, lease);
        return;
    }
}

/* ---- later ---- */

/* Any thread. */
static void reserve_wake(struct later *later)
{
    loop_post(&CONTAINER_OF(later, struct pending_reserve, reserver.wait.later)->message);
}

/* The wait is over, one way or the other: back to reading commands. */
static void reserve_answer_now(struct session *session, int rc, struct broker_lease *lease)
{
    session->reserve->waiting = false;
    loop_drop(session->reserve->message.to);
    reserve_reply(session, rc, lease);
    session_hold(session);
    if (session->pending == NULL && !reserve_waits(session)) /* bodies.c has more to do */
        conn_resume(session->conn);
}

static void reserve_deliver(struct loop_message *message, void *memory)
{
    struct pending_reserve *reserve = CONTAINER_OF(message, struct pending_reserve, message);
    MAGIC_CHECK(reserve, RESERVE_MAGIC);
    struct session *session = memory;
    if (session == NULL) {
        loop_drop(message->to);
        reserve_free(&reserve);
        return;
    }
    ASSERT(session->reserve == reserve && reserve->waiting);
    struct broker_lease lease;
    int rc = broker_reserve_finish(&session->holder, &lease);
    if (rc == EINPROGRESS)         /* the lease was over before this: it waits again, */
        conn_pause(session->conn); /* and is told again of a hang-up that came between */
    else
        reserve_answer_now(session, rc, &lease);
}

void reserve_hangup(struct session *session)
{
    if (session->reserve != NULL && session->reserve->waiting &&
        later_cancel(&session->reserve->reserver.wait.later))
        reserve_answer_now(session, ETIMEDOUT, NULL);
}

void reserve_abandon(struct session *session)
{
    struct pending_reserve *reserve = session->reserve;
    bool mine = broker_holder_fini(&session->holder);
    session->reserve = NULL;
    if (reserve == NULL || !mine)
        return; /* not mine: reserve_deliver frees it */
    if (reserve->waiting)
        loop_drop(reserve->message.to);
    reserve_free(&reserve);
}

/* ---- now ---- */

/* What a wait needs; false: no memory. */
static bool reserve_prepare(struct session *session)
{
    if (session->reserve != NULL)
        return true;
    struct pending_reserve *reserve = calloc(1, sizeof(*reserve));
    if (reserve == NULL)
        return false;
    MAGIC_INIT(reserve, RESERVE_MAGIC);
    reserve->reserver.wait.later.fire = reserve_wake;
    reserve->message =
        (struct loop_message){.to = conn_get_handle(session->conn), .deliver = reserve_deliver};
    session->reserve = reserve;
    return true;
}

void reserve_start(struct session *session, int64_t timeout_ns, enum reserve_form form,
                   uint32_t most)
{
    struct broker_lease lease;
    if (!reserve_prepare(session)) {
        reserve_refuse(session, ENOMEM);
        return;
    }
    struct pending_reserve *reserve = session->reserve;
    if (session->holder.watch_count > WATCHED_PER_COST)
        conn_charge(session->conn, session->holder.watch_count / WATCHED_PER_COST);
    reserve->form = form;
    reserve->most = most;
    reserve->deadline_ns = clock_deadline(timeout_ns);
    unsigned flags = form == RESERVE_TOKEN ? BROKER_WITH_TOKEN : 0;
    loop_hold(reserve->message.to); /* the message may be posted before broker_reserve returns */
    int rc = broker_reserve(&session->holder, &reserve->reserver, timeout_ns, flags, &lease);
    if (rc == EINPROGRESS) {
        reserve->waiting = true;
        conn_pause(session->conn);
        return;
    }
    loop_drop(reserve->message.to);
    reserve_reply(session, rc, &lease);
}

bool reserve_waits(const struct session *session)
{
    return session->reserve != NULL && session->reserve->waiting;
}

void reserve_restart(struct session *session)
{
    const struct pending_reserve *reserve = session->reserve;
    ASSERT(!reserve->waiting);
    int64_t left_ns = reserve->deadline_ns;
    if (left_ns != CLOCK_NEVER)
        left_ns -= clock_now_ns();
    reserve_start(session, left_ns, reserve->form, reserve->most);
}

int parse_reserve(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_reserve(struct session *session, const struct command_args *args)
{
    (void)args;
    reserve_start(session, HL_FOREVER, RESERVE_PLAIN, 1);
}

/* What stands behind the number doesn't matter, as in beanstalkd. */
int parse_reserve_with_timeout(struct scan *scan, struct command_args *args)
{
    return scan_timeout(scan, &args->timeout) == 0 ? scan_rest(scan) : EINVAL;
}

void do_reserve_with_timeout(struct session *session, const struct command_args *args)
{
    reserve_start(session, (int64_t)args->timeout * HL_SECOND, RESERVE_PLAIN, 1);
}

int parse_reserve_job(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

void do_reserve_job(struct session *session, const struct command_args *args)
{
    struct broker_lease lease;
    int rc = broker_reserve_job(&session->holder, &session->view, args->id, 0, &lease);
    if (rc == 0)
        bodies_reply(session, BODIES_JOB, &lease, 1);
    else
        reserve_refuse(session, rc);
}
