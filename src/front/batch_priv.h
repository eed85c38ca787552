// SPDX-License-Identifier: MIT
/*
 * Commands that are one operation of the broker; batch.c and op.c have the essays.
 */
#ifndef FRONT_BATCH_PRIV_H
#define FRONT_BATCH_PRIV_H

#include "front/session_priv.h"

/* Answers, once; `op` is released behind it. rc: what broker_run says. */
typedef void op_answer(struct session *session, struct broker_op *op, int rc);

#define BATCH_MAX BROKER_RUN_MAX

/* One of a batch. */
struct batched {
    const char *said; /* not NULL: no operation, but this answer, with CR LF */
    op_answer *answer;
    struct tube *hold; /* a hold on its tube that ends with it; or NULL */
    struct broker_op op;
};

/* Of one call of session_input; never full. */
struct batch {
    unsigned count;
    struct batched entry[BATCH_MAX];
};

/* The operation of a command, in the session's batch: for the job and the token of the arguments;
 * what else it needs is the caller's to fill in, before one of the next two. */
struct broker_op *op_begin(struct session *session, enum broker_verb verb,
                           const struct command_args *args);
/* The same, not initialized. */
struct broker_op *op_next(struct session *session);
/* It is carried out with its batch, at the latest at the end of the input. The hold is the batch's.
 */
void op_add(struct session *session, op_answer *answer, struct tube *hold);
/* It is carried out now; for what isn't collected. */
void op_run(struct session *session, op_answer *answer);
/* It had to stand: the connection is paused until it has its answer, unless that is there already.
 * It is taken over, and so is *hold. */
void op_wait(struct session *session, struct broker_op *op, op_answer *answer, struct tube **hold);

/* Before a command: whether it may be carried out now, or added. false: what stands before it has
 * to wait, and so has this. */
bool batch_joins(struct session *session, const struct command_args *args);
static inline bool batch_admits(struct session *session, const struct command_args *args)
{
    return session->batch->count == 0 || batch_joins(session, args);
}
/* Carries out and answers what was collected. false: it has to wait. */
bool batch_run(struct session *session);
static inline bool batch_flush(struct session *session)
{
    return session->batch->count == 0 ? session->pending == NULL : batch_run(session);
}
/* Its puts have their ids. */
void batch_number(struct session *session);
/* After a wait: what stood behind it. */
void batch_go_on(struct session *session);
/* The session ends. */
void batch_abandon(struct session *session);
/* Answers with that (static, with CR LF), in its place. */
void session_say(struct session *session, const char *text);

#endif
