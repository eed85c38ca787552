// SPDX-License-Identifier: MIT
/*
 * Lines of operations that wait for room, for the broker's own files; line.c has the essay.
 */
#ifndef BROKER_LINE_PRIV_H
#define BROKER_LINE_PRIV_H

#include "broker/op.h"
#include "broker/state_priv.h"

/* op.c: what struct line_calls has of operations. */
int op_decide(struct broker *broker, struct broker_op *op) HELD;
bool op_cancel(struct later *later);

/* line.c */
/* Who stands looks again so often, at the latest. */
#define LINE_LOOK_NS (HL_SECOND / 10)
/* ENOMEM. */
int lines_init(struct broker *broker) HELD;
void lines_fini(struct broker *broker) HELD;
/* There may be room in the journal. */
void lines_serve(struct broker *broker) HELD;
/* It stands, at the end of its line, as op->line says. */
void op_stand(struct broker_op *op) HELD;
/* It is over; its later will be fired. */
void op_end(struct broker_op *op, int result) HELD;
/* It leaves its line and is nobody's: after a cancel. */
void op_leave(struct broker_op *op) HELD;
/* What it stood for has come: it is decided, and stands where it has to, or is over. */
void op_go_on(struct broker_op *op) HELD;
/* From one line to the end of another; NULL: one of the journal. */
void op_move(struct broker_op *op, struct list *line) HELD;
/* The put begins to stand, or stops. */
void put_stands(struct broker_op *op, bool stands) HELD;
bool op_waits_for_journal(const struct broker_op *op) HELD;
/* Not held: serves the lines of the journal; whether the operation still stands. */
bool lines_look(struct broker *broker, const struct broker_op *op);

/* put_line.c: in what line a put that may wait has to stand for room in its tube or the broker;
 * NULL: in none. */
struct list *put_line(const struct broker_op *op) HELD;
/* put_ask.c */
void put_question_free(struct broker_op *op);
/* put.c: not held. What is left of one that wasn't put. */
void put_drop(struct broker_op *op);

/* put_ask.c */
/* Whether it stands, or has to, for an answer about its key. */
static inline bool put_asks(const struct broker_op *op)
{
    return op->verb == BROKER_PUT && op->put.asks;
}
/* Not held: before it is run. 0, also if it has to wait for the answer (put_asks). ENOMEM. */
int put_ask_first(struct broker_op *op);
/* Not held: it stands, in no line. It is decided with the answer. */
void put_ask(struct broker_op *op);
/* Not held: the thread waits; then it can be run. */
void put_ask_blocking(struct broker_op *op);
/* Not held: a cancel. It asks no more, unless the answer is about to come. */
void put_unask(struct broker_op *op);

/* reserve.c: a reserve that stands in the line of changes. */
bool reserver_line_cancel(struct later *later);
/* What struct line_calls has of it. */
int reserver_again(struct later *later) HELD;
/* At the end of the line of changes. */
void line_stand_reserver(struct broker *broker, struct later *later, int64_t *until_ns) HELD;
/* It leaves that line; its later is IDLE. */
void line_leave_reserver(struct broker *broker, struct later *later) HELD;
int64_t reserver_until(const struct later *later) HELD;
void reserver_refused(struct later *later, int result) HELD;

#endif
