// SPDX-License-Identifier: MIT
/*
 * Puts whose key may be that of a record in a file: whoever keeps records is asked, and nobody
 * blocks who mustn't.
 *
 * What he knows at once he says before the put is run. Otherwise the put stands, in no line, with
 * its job in no tube and the job's key watched (key_watch.c), and is decided when he has answered,
 * on the thread on which he does. A cancel that comes too late for the question, and a client who
 * sends no more, leave word that it mustn't stand for room in a tube then.
 */
#include "broker/line_priv.h"
#include "broker/put_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* Memory of its own, since few puts need it. */
struct put_question {
    struct broker_key_question asked;
    struct broker_op *op;
};

/* Not held. */
static void learn(struct broker_op *op, uint64_t id)
{
    broker_lock(op->broker);
    op->put.asks = false;
    key_learn(op->put.job, op->put.watch, id);
    broker_unlock(op->broker);
}

/* Of a put with a key: in a frame of its own, as the question is large. */
static int ask_at_once(struct broker_op *op)
{
    struct broker_key_question question = {.later.fire = NULL};
    int rc = key_ask(op->put.job, &question);
    op->put.asks = rc == EAGAIN;
    if (op->put.asks) { /* what it will stand with is made while it can be refused */
        op->put.question = calloc(1, sizeof(*op->put.question));
        return op->put.question != NULL ? 0 : ENOMEM;
    }
    learn(op, question.id);
    return rc;
}

void put_question_free(struct broker_op *op)
{
    free(op->put.question);
    op->put.question = NULL;
}

int put_ask_first(struct broker_op *op)
{
    int rc = key_watch_first(op->put.job, &op->put.watch);
    return rc == EINPROGRESS ? ask_at_once(op) : rc;
}

/* Any thread, not held. */
static void answered(struct later *later)
{
    struct broker_op *op = CONTAINER_OF(later, struct put_question, asked.later)->op;
    struct broker *broker = op->broker;
    broker_lock(broker);
    op->put.asks = false;
    key_learn(op->put.job, op->put.watch, op->put.question->asked.id);
    op_go_on(op);
    bool is_busy = op->later.state == LATER_WAITS && op_waits_for_journal(op);
    broker_unlock(broker);
    if (is_busy)
        store_want_room(broker->ledger.store);
}

void put_ask(struct broker_op *op)
{
    struct put_question *question = op->put.question;
    question->op = op;
    question->asked.later = (struct later){.fire = answered};
    int rc = key_ask(op->put.job, &question->asked);
    if (rc != EINPROGRESS) /* it is known meanwhile, or can't be */
        answered(&question->asked.later);
}

void put_ask_blocking(struct broker_op *op)
{
    struct broker_key_question question = {.later.fire = later_wake};
    if (key_ask(op->put.job, &question) == EINPROGRESS)
        MUST(later_block(&question.later, CLOCK_NEVER, "broker", "key"));
    learn(op, question.id);
}

void put_unask(struct broker_op *op)
{
    broker_lock(op->broker);
    bool asks = op->put.asks;
    if (asks)
        op->flags &= (uint8_t)~OP_MAY_WAIT; /* the client, too, may go now */
    broker_unlock(op->broker);
    if (asks && later_cancel(&op->put.question->asked.later))
        learn(op, 0);
}
