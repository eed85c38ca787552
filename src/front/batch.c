// SPDX-License-Identifier: MIT
/*
 * Batches: the operations of one read, carried out in one hold of the broker's lock.
 *
 * A session reads its input as far as it goes, and who has sent one command is answered at once.
 * Commands that are one operation and say nothing but a word or a number are not run one by one:
 * they are collected, run together, and answered in their order. A batch ends with the input, when
 * it is full, and before any other command, which may look at what they change. Reading, memory and
 * answers are outside of the lock.
 *
 * An operation that has to wait (op.c) ends its batch early. Those behind it have left the input
 * and are not run: they are kept as the session's rest, and are the next batch when the answer is
 * there. The words of a command that can't be one operation (its line was bad, its body too long)
 * stand in the batch, too, so that they come in their place.
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REST_MAGIC 0x4e570009u

/* What is left of a batch. */
struct batch_rest {
    unsigned magic;
    unsigned count;
    struct batched entry[];
};

/* Answers with a word, and looks at nothing that another one changes. */
static bool batches(enum command_id command)
{
    switch (command) {
    case COMMAND_put:
    case COMMAND_put_in_tube:
    case COMMAND_delete:
    case COMMAND_release:
    case COMMAND_bury:
    case COMMAND_touch:
    case COMMAND_kick_job:
    case COMMAND_delete_token:
    case COMMAND_release_token:
    case COMMAND_bury_token:
    case COMMAND_touch_token:
        return true;
    default:
        return false;
    }
}

bool batch_joins(struct session *session, const struct command_args *args)
{
    trust_rights need = commands[args->command].right;
    bool joins = batches(args->command) && (session->everywhere & need) == need &&
                 (!args->has_body || (!args->junk && args->bytes <= session->front->body_max));
    return joins || batch_flush(session);
}

/* ---- running ---- */

static inline void entry_fini(struct session *session, struct batched *entry)
{
    if (entry->said != NULL)
        return;
    broker_op_fini(&entry->op);
    if (entry->hold != NULL)
        broker_unuse(session->front->broker, &entry->hold);
}

static inline void entry_answer(struct session *session, struct batched *entry)
{
    if (entry->said != NULL) {
        conn_write(session->conn, entry->said, strlen(entry->said));
        return;
    }
    session_tells(session, &entry->op.ticket);
    entry->answer(session, &entry->op, entry->op.rc);
    entry_fini(session, entry);
}

/* Ids are in the order of the puts' lines, whenever they are carried out. */
static void number(struct session *session, struct batched *entry, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (entry[i].said == NULL)
            broker_op_number(session->front->broker, &entry[i].op);
}

void batch_number(struct session *session)
{
    number(session, session->batch->entry, session->batch->count);
}

/* false: no memory; the connection is closed, since what it has asked for can't be kept. */
static bool rest_keep(struct session *session, struct batched *entry, unsigned count)
{
    if (count == 0)
        return true;
    struct batch_rest *rest = malloc(sizeof(*rest) + count * sizeof(rest->entry[0]));
    if (rest == NULL) {
        for (unsigned i = 0; i < count; i++)
            entry_fini(session, &entry[i]);
        conn_finish(session->conn);
        return false;
    }
    MAGIC_INIT(rest, REST_MAGIC);
    rest->count = count;
    number(session, entry, count);
    memcpy(rest->entry, entry, count * sizeof(rest->entry[0]));
    session->rest = rest;
    return true;
}

/* As run_some, of one: who asks and waits for the answer has no more. */
static inline unsigned run_one(struct session *session, struct batched *entry)
{
    entry->op.rc = broker_run(session->front->broker, &entry->op);
    if (entry->op.rc == EAGAIN)
        return 0;
    entry_answer(session, entry);
    return 1;
}

/* As many as can be carried out now, and their answers. How many. */
static unsigned run_some(struct session *session, struct batched *entry, unsigned count)
{
    struct broker_op *ops[BATCH_MAX];
    unsigned op_count = 0, at = 0;
    while (op_count < count && entry[op_count].said == NULL) {
        ops[op_count] = &entry[op_count].op;
        op_count++;
    }
    size_t ran = broker_run_some(session->front->broker, ops, op_count);
    for (; at < ran; at++)
        entry_answer(session, &entry[at]);
    for (; at == op_count && op_count < count && entry[at].said != NULL; op_count++)
        entry_answer(session, &entry[at++]);
    return at;
}

/* The first of them has to wait; those behind it are kept. */
static void stop(struct session *session, struct batched *entry, unsigned count)
{
    if (!rest_keep(session, entry + 1, count - 1)) {
        entry_fini(session, entry);
        return;
    }
    op_wait(session, &entry->op, entry->answer, &entry->hold);
}

/* All of it, as far as it goes without waiting. */
static void run_all(struct session *session, struct batched *entry, unsigned count)
{
    unsigned at = 0;
    while (at < count) {
        bool one = at + 1 == count && entry[at].said == NULL;
        unsigned ran =
            one ? run_one(session, entry + at) : run_some(session, entry + at, count - at);
        at += ran;
        if (ran == 0) {
            stop(session, entry + at, count - at);
            return;
        }
    }
}

/* What was kept, until it has to wait again. */
void batch_go_on(struct session *session)
{
    while (session->rest != NULL && session->pending == NULL) {
        struct batch_rest *rest;
        MAGIC_TAKE(rest, &session->rest, REST_MAGIC);
        run_all(session, rest->entry, rest->count);
        MAGIC_WIPE(rest);
        free(rest);
    }
}

bool batch_run(struct session *session)
{
    struct batch *batch = session->batch;
    unsigned count = batch->count;
    session->batch = NULL; /* answers are written now */
    batch->count = 0;
    run_all(session, batch->entry, count);
    batch_go_on(session);
    session->batch = batch;
    return session->pending == NULL;
}

void batch_abandon(struct session *session)
{
    if (session->rest == NULL)
        return;
    struct batch_rest *rest;
    MAGIC_TAKE(rest, &session->rest, REST_MAGIC);
    for (unsigned i = 0; i < rest->count; i++)
        entry_fini(session, &rest->entry[i]);
    MAGIC_WIPE(rest);
    free(rest);
}

/* ---- collecting ---- */

/* There is room for another one in each case. */
static void batch_added(struct session *session)
{
    if (++session->batch->count == BATCH_MAX)
        (void)batch_run(session);
}

void session_say(struct session *session, const char *text)
{
    struct batch *batch = session->batch;
    if (batch == NULL || batch->count == 0) {
        conn_write(session->conn, text, strlen(text));
        return;
    }
    batch->entry[batch->count].said = text;
    batch_added(session);
}

struct broker_op *op_begin(struct session *session, enum broker_verb verb,
                           const struct command_args *args)
{
    struct broker_op *op = op_next(session);
    broker_op_init(op, verb, args->id, args->token);
    op->client = &session->client;
    op->asker = &session->view;
    return op;
}

struct broker_op *op_next(struct session *session)
{
    struct batched *entry = &session->batch->entry[session->batch->count];
    entry->said = NULL;
    entry->hold = NULL;
    return &entry->op;
}

void op_add(struct session *session, op_answer *answer, struct tube *hold)
{
    struct batched *entry = &session->batch->entry[session->batch->count];
    entry->answer = answer;
    entry->hold = hold;
    if (session->behind > 0 || session->batch->count > 0)
        batch_added(session);
    else if (run_one(session, entry) == 0)
        op_wait(session, &entry->op, answer, &entry->hold);
}

void op_run(struct session *session, op_answer *answer)
{
    op_add(session, answer, NULL);
    (void)batch_flush(session);
}
