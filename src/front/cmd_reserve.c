// SPDX-License-Identifier: MIT
/*
 * Taking jobs: reserve, reserve-with-timeout, reserve-job. Other forms of reserve (cmd_token.c,
 * cmd_batch.c) wait here, too, and differ in what they answer.
 *
 * A reserve that finds nothing waits in the broker's line (pending.c). Whoever puts the job (or the
 * thread that looks after deadlines) wakes the connection's loop with a message; the job is
 * reserved from the match on, the loop only fetches it.
 *
 * What a wait needs is in one piece of memory, made by the first reserve and kept for the next.
 *
 * "Half-close" is a client that sends no more and still reads: it gets TIMED_OUT, as from
 * beanstalkd, unless its turn has just come. That job goes back when the connection closes.
 */
#include "front/batch_priv.h"
#include "front/pending_priv.h"
#include "front/reply_priv.h"
#include "front/reserve_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define RESERVE_MAGIC 0x4e5e0006u
#define WATCHED_PER_COST 16 /* tubes are looked at in the time of a small command */

struct pending_reserve {
    unsigned magic;
    struct pending pending;
    struct broker_reserver reserver;
    enum reserve_form form;
    uint32_t most; /* of RESERVE_BATCH */
    int64_t deadline_ns;
};

static struct pending_reserve *reserve_of(struct pending *pending)
{
    struct pending_reserve *reserve = CONTAINER_OF(pending, struct pending_reserve, pending);
    MAGIC_CHECK(reserve, RESERVE_MAGIC);
    return reserve;
}

static void reserve_release(struct pending *pending)
{
    struct pending_reserve *reserve = reserve_of(pending);
    MAGIC_WIPE(reserve);
    free(reserve);
}

void reserve_free(struct session *session)
{
    if (session->reserve != NULL)
        reserve_release(&session->reserve->pending);
    session->reserve = NULL;
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
static void reserve_fire(struct later *later)
{
    pending_fire(&CONTAINER_OF(later, struct pending_reserve, reserver.wait.later)->pending);
}

static void reserve_answer(struct session *session, struct pending *pending, int why)
{
    struct broker_lease lease;
    pending_begin(session, pending);
    int rc = why == 0 ? broker_reserve_finish(&session->client, &lease) : ETIMEDOUT;
    if (rc == EINPROGRESS) { /* the lease was over before this: it waits again, and is told again
                              * of a hang-up that came between */
        pending_wait(session, pending, CLOCK_NEVER);
        return;
    }
    pending_drop(pending);
    session->reserve = reserve_of(pending);
    reserve_reply(session, rc, &lease);
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
    reserve->reserver.wait.later.fire = reserve_fire;
    reserve->pending = (struct pending){.later = &reserve->reserver.wait.later,
                                        .answer = reserve_answer,
                                        .release = reserve_release};
    session->reserve = reserve;
    return true;
}

void reserve_start(struct session *session, int64_t timeout_ns, enum reserve_form form,
                   uint32_t most)
{
    conn_asks(session->conn); /* a lease isn't waited for, but its worker waits for the disk */
    struct broker_lease lease;
    if (!reserve_prepare(session)) {
        reserve_refuse(session, ENOMEM);
        return;
    }
    struct pending_reserve *reserve = session->reserve;
    if (session->client.watch_count > WATCHED_PER_COST)
        conn_charge(session->conn, session->client.watch_count / WATCHED_PER_COST);
    reserve->form = form;
    reserve->most = most;
    reserve->deadline_ns = clock_deadline(timeout_ns);
    unsigned flags = form == RESERVE_TOKEN ? BROKER_WITH_TOKEN : 0;
    pending_begin(session, &reserve->pending);
    int rc = broker_reserve(&session->client, &reserve->reserver, timeout_ns, flags, &lease);
    if (rc == EINPROGRESS) { /* the broker looks after its time */
        session->reserve = NULL;
        pending_wait(session, &reserve->pending, CLOCK_NEVER);
        return;
    }
    pending_drop(&reserve->pending);
    reserve_reply(session, rc, &lease);
}

void reserve_restart(struct session *session)
{
    const struct pending_reserve *reserve = session->reserve;
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

static void reserved(struct session *session, struct broker_op *op, int rc)
{
    if (rc == 0)
        bodies_reply(session, BODIES_JOB, op->lease, 1);
    else
        reserve_refuse(session, rc);
}

void do_reserve_job(struct session *session, const struct command_args *args)
{
    struct broker_lease lease;
    conn_asks(session->conn);
    struct broker_op *op = op_begin(session, BROKER_RESERVE_JOB, args);
    op->lease = &lease;
    op_run(session, reserved);
}
