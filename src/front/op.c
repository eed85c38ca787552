// SPDX-License-Identifier: MIT
/*
 * Operations of the broker (broker/op.h) that can't be carried out at once, as commands' are as a
 * rule (batch.c). Where the journal is busy, or a put waits for room in its tube, it stands in
 * line, the connection is paused, and the answer comes later (pending.c).
 *
 * A client that sends no more still gets the answer of one that stands for the journal, which has a
 * patience of its own, or for what is known of its key. A put that waits for room in its tube ends
 * then.
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"
#include "front/pending_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OP_MAGIC 0x0b5e0008u

struct pending_op {
    unsigned magic;
    struct pending pending;
    struct broker_op op;
    op_answer *answer;
    struct tube *hold;         /* until it is over; or NULL */
    struct broker_lease lease; /* of RESERVE_JOB, until it is answered with */
    char name[JOB_TUBE_NAME_MAX];
};

static struct pending_op *waiting_of(struct pending *pending)
{
    struct pending_op *waiting = CONTAINER_OF(pending, struct pending_op, pending);
    MAGIC_CHECK(waiting, OP_MAGIC);
    return waiting;
}

static void waiting_release(struct pending *pending)
{
    struct pending_op *waiting = waiting_of(pending);
    struct broker_op *op = &waiting->op;
    if (op->verb == BROKER_RESERVE_JOB && waiting->lease.id != 0) { /* nobody hears of it */
        broker_return(op->broker, waiting->lease.id, waiting->lease.token);
        broker_lease_fini(&waiting->lease);
    }
    broker_op_fini(op);
    if (waiting->hold != NULL)
        broker_unuse(op->broker, &waiting->hold);
    MAGIC_WIPE(waiting);
    free(waiting);
}

static void waiting_answer(struct session *session, struct pending_op *waiting, int rc)
{
    waiting->answer(session, &waiting->op, rc);
    waiting->lease.id = 0; /* the lease is handed on */
    waiting_release(&waiting->pending);
}

/* ---- later ---- */

/* Any thread. */
static void op_fired(struct later *later)
{
    pending_fire(&CONTAINER_OF(later, struct pending_op, op.later)->pending);
}

static void op_answered(struct session *session, struct pending *pending, int why)
{
    struct pending_op *waiting = waiting_of(pending);
    session_tells(session, &waiting->op.ticket);
    /* why: or the client hung up, before there was room */
    waiting_answer(session, waiting, why == 0 ? waiting->op.later.result : ENOBUFS);
}

static bool op_endures(struct pending *pending, int why)
{
    return why == ECANCELED && broker_op_hurry(&waiting_of(pending)->op);
}

/* What it points to in the memory of its command. */
static void op_keep(struct pending_op *waiting)
{
    struct broker_op *op = &waiting->op;
    if (op->verb == BROKER_RESERVE_JOB)
        op->lease = &waiting->lease;
    if (op->verb == BROKER_MOVE || op->verb == BROKER_PAUSE) {
        ASSERT(op->tube.len <= sizeof(waiting->name));
        memcpy(waiting->name, op->tube.name, op->tube.len);
        op->tube.name = waiting->name;
    }
}

void op_wait(struct session *session, struct broker_op *op, op_answer *answer, struct tube **hold)
{
    struct pending_op *waiting = calloc(1, sizeof(*waiting));
    if (waiting == NULL) {
        answer(session, op, ENOMEM);
        broker_op_fini(op);
        if (*hold != NULL)
            broker_unuse(session->front->broker, hold);
        return;
    }
    MAGIC_INIT(waiting, OP_MAGIC);
    waiting->op = *op;
    waiting->op.flags |= OP_STANDS;
    waiting->op.later = (struct later){.fire = op_fired};
    waiting->answer = answer;
    waiting->hold = *hold;
    *hold = NULL;
    op_keep(waiting);
    waiting->pending = (struct pending){.later = &waiting->op.later,
                                        .answer = op_answered,
                                        .endures = op_endures,
                                        .release = waiting_release};
    pending_begin(session, &waiting->pending);
    int rc = broker_run(session->front->broker, &waiting->op);
    if (rc == EINPROGRESS) {
        pending_wait(session, &waiting->pending, CLOCK_NEVER);
        return;
    }
    pending_drop(&waiting->pending);
    session_tells(session, &waiting->op.ticket);
    waiting_answer(session, waiting, rc);
}
