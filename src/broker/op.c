// SPDX-License-Identifier: MIT
/*
 * Operations: see op.h. What a verb does is in the file of its family (decide_NAME); where an
 * operation waits is line.c's.
 */
#include "base/clock.h"
#include "broker/finish_priv.h"
#include "broker/line_priv.h"
#include "broker/put_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>

/* Inline, since each command goes through it. */
HELD __attribute__((always_inline)) static inline int decide(struct broker *broker,
                                                             struct broker_op *op)
{
    int rc = EINVAL;
    ASSERT(op->verb < BROKER_VERB_COUNT);
    switch ((enum broker_verb)op->verb) {
#define BROKER_VERB(NAME, name, line, what)                                                        \
    case BROKER_##NAME:                                                                            \
        rc = decide_##name(broker, op);                                                            \
        break;
#include "broker/verbs.def"
#undef BROKER_VERB
    case BROKER_VERB_COUNT:
        break;
    }
    return rc;
}

int op_decide(struct broker *broker, struct broker_op *op)
{
    struct ticket *before = broker->ledger.teller; /* of an operation that let this one in */
    broker->ledger.teller = &op->ticket;
    int rc = decide(broker, op);
    broker->ledger.teller = before;
    return rc;
}

/* For the first time: behind those who stand. */
HELD __attribute__((always_inline)) static inline int decide_first(struct broker *broker,
                                                                   struct broker_op *op)
{
    op->broker = broker;
    op->line = NULL;
    broker_tell(broker, &op->ticket);
    if (broker->standing == 0)
        return decide(broker, op);
    store_turn(broker->ledger.store, STORE_TURN_FIRST);
    int rc = decide(broker, op);
    store_turn(broker->ledger.store, STORE_TURN_NONE);
    return rc;
}

static bool ends_jobs(const struct broker_op *op)
{
    return op->verb == BROKER_BURY || op->verb == BROKER_SETTLE;
}

int broker_run(struct broker *broker, struct broker_op *op)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    if (ends_jobs(op))
        broker_lock_to_finish(broker, 1);
    else
        broker_lock(broker);
    int rc = decide_first(broker, op);
    bool asks = false;
    if (rc == EAGAIN && (op->flags & OP_STANDS) != 0) {
        op_stand(op);
        asks = put_asks(op);
        rc = EINPROGRESS;
    }
    broker_unlock(broker);
    if (asks)
        put_ask(op);
    else if (rc == EINPROGRESS)
        store_want_room(broker->ledger.store);
    return rc;
}

size_t broker_run_some(struct broker *broker, struct broker_op *const *ops, size_t count)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    ASSERT(count <= BROKER_RUN_MAX);
    size_t ends = 0, done = 0;
    for (size_t i = 0; i < count; i++)
        ends += ends_jobs(ops[i]);
    if (ends > 0)
        broker_lock_to_finish(broker, ends);
    else
        broker_lock(broker);
    while (done < count) {
        struct broker_op *op = ops[done];
        op->rc = decide_first(broker, op);
        if (op->rc == EAGAIN)
            break;
        done++;
    }
    broker_unlock(broker);
    return done;
}

int broker_run_blocking(struct broker *broker, struct broker_op *op)
{
    ASSERT((op->flags & OP_MAY_WAIT) == 0); /* nobody here would see to that */
    int rc = broker_run(broker, op);
    if (rc == EAGAIN && put_asks(op)) {
        put_ask_blocking(op);
        rc = broker_run(broker, op);
    }
    if (rc != EAGAIN)
        return rc;
    op->flags |= OP_STANDS;
    op->later = (struct later){.fire = later_wake};
    rc = broker_run(broker, op);
    if (rc != EINPROGRESS)
        return rc;
    do
        (void)store_make_room(
            broker->ledger.store); /* or sleeps a moment: its line looks after the rest */
    while (lines_look(broker, op));
    (void)later_block(&op->later, CLOCK_NEVER, "broker", "room");
    return op->later.result;
}

bool op_cancel(struct later *later)
{
    struct broker_op *op = CONTAINER_OF(later, struct broker_op, later);
    struct broker *broker = op->broker;
    if (op->verb == BROKER_PUT)
        put_unask(op);
    broker_lock(broker);
    bool cancelled = later->state == LATER_WAITS && !put_asks(op);
    if (cancelled) {
        op_leave(op);
        if (op->verb == BROKER_PUT) {
            waiting_puts_serve(op->put.tube); /* who stood behind may be smaller */
            put_stands(op, false);
        }
    }
    broker_unlock(broker);
    return cancelled;
}

bool broker_op_hurry(struct broker_op *op)
{
    broker_lock(op->broker);
    bool comes = op->later.state == LATER_WAITS && (put_asks(op) || op_waits_for_journal(op));
    if (comes)
        op->flags &= (uint8_t)~OP_MAY_WAIT;
    broker_unlock(op->broker);
    return comes;
}

void broker_op_free(struct broker_op *op)
{
    if (op->gone != NULL)
        job_free(&op->gone);
    if (op->verb != BROKER_PUT)
        return;
    if (op->put.job != NULL)
        put_drop(op);
    put_question_free(op);
}

/* ---- the verb that needs nothing but room ---- */

int decide_room(struct broker *broker, struct broker_op *op)
{
    (void)op;
    return broker->ledger.store != NULL ? store_admit_any(broker->ledger.store) : 0;
}
