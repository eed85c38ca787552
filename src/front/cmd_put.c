// SPDX-License-Identifier: MIT
/*
 * put <pri> <delay> <ttr> <bytes> CR LF <body> CR LF, into the used tube; and put-in-tube <tube>
 * ..., the same for any tube, without changing the used one.
 *
 * The order of refusals is beanstalkd's: arguments that are no numbers leave the body where it is,
 * to be read as commands; a body that is too big is skipped, and then refused before anything else
 * is looked at; then what stands behind the last argument; then the line end behind the body; then
 * whether a command is more than the system runs, and whether we are draining. Whether the client
 * may put there at all was asked before (rights.c).
 *
 * At a limit a put is refused, or waits for room in the broker's line, as it is configured (op.c).
 * The wait ends also by draining, and when the client sends no more.
 *
 * Ids are in order of the puts' lines, as there. A body that came with its line gets its id with
 * the put; one that is waited for takes it before.
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"
#include "front/incoming_priv.h"
#include "front/put_priv.h"
#include "front/reply_priv.h"
#include "front/rights_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WHY_MAX 512
#define ADMIT_COST_BYTES 64 /* are looked at in the time of a small command */

/* ---- answers ---- */

static void put_reply(struct session *session, int rc, uint64_t id)
{
    switch (rc) {
    case 0:
    case EEXIST: /* of a submit whose key is known */
        reply_number(session, "INSERTED", id);
        return;
    case EHOSTDOWN:
        session_say(session, "DRAINING\r\n");
        return;
    case EMSGSIZE:
        session_say(session, "JOB_TOO_BIG\r\n");
        return;
    case ENOBUFS:
    case EXFULL:
    case ENOSR:
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
        session_say(session, "OUT_OF_MEMORY\r\n");
        return;
    default:
        session_say(session, "INTERNAL_ERROR\r\n");
        return;
    }
}

void put_take_id(struct session *session)
{
    if (session->body != NULL && session->put.id == 0)
        session->put.id = broker_take_id(session->front->broker);
}

void put_abandon(struct session *session)
{
    job_body_unref(&session->body);
    if (session->put_elsewhere)
        broker_unuse(session->front->broker, &session->put.tube);
    session->put_elsewhere = false;
    submit_abandon(session);
}

/* ---- the commands ---- */

/* Whether it could be run where it is going, which is asked of guarded tubes. If not, it is
 * answered: a put has no words for how much is too much, a submit has. */
static bool put_could_run(struct session *session)
{
    const struct job_options *options = session->put.options;
    const struct job_body *body = session->body;
    char why[WHY_MAX];
    if (options == NULL || (options->set & JOB_OPTION_AUTHORISED) == 0)
        return true;
    conn_charge(session->conn, body->len / ADMIT_COST_BYTES);
    int rc = api_admit(session->front->api, broker_tube_name(session->put.tube), body->bytes,
                       body->len, why, sizeof(why));
    if (rc == 0)
        return true;
    if (session->submit != NULL)
        submit_refuse(session, rc, why);
    else
        put_reply(session, rc, 0);
    put_abandon(session);
    return false;
}

static void put_answer(struct session *session, struct broker_op *op, int rc)
{
    put_reply(session, rc, op->id);
}

static void submit_answer(struct session *session, struct broker_op *op, int rc)
{
    if (!submit_no_room(session, rc))
        put_reply(session, rc, op->id);
}

static void put_body_arrived(struct session *session)
{
    if (!put_could_run(session))
        return;
    struct broker_op *op = op_next(session);
    int rc = broker_op_put(op, session->front->broker, &session->put, &session->body);
    if (rc != 0) {
        put_reply(session, rc, 0);
        put_abandon(session);
        return;
    }
    op->flags = OP_MAY_WAIT;
    op_answer *answer = session->submit != NULL ? submit_answer : put_answer;
    struct tube *hold = session->put_elsewhere ? session->put.tube : NULL;
    session->put_elsewhere = false; /* the hold is the operation's */
    if (hold != NULL)
        put_abandon(session);
    op_add(session, answer, hold);
}

/* The numbers behind the tube. */
static int put_scan(struct scan *scan, struct command_args *args)
{
    if (scan_u32(scan, &args->pri) != 0 || scan_u32(scan, &args->delay) != 0 ||
        scan_u32(scan, &args->ttr) != 0 || scan_u32(scan, &args->bytes) != 0)
        return EINVAL;
    args->junk = !scan_ended(scan);
    args->has_body = true;
    /* a bad byte makes it no line at all, however big the body would be */
    return scan_rest(scan);
}

/* false: refused, and answered. */
static bool put_admit(struct session *session, const struct command_args *args)
{
    if (args->bytes > session->front->body_max) {
        session_refuse_body(session, args->bytes, "JOB_TOO_BIG\r\n");
        return false;
    }
    if (args->junk) {
        session_say(session, "BAD_FORMAT\r\n");
        return false;
    }
    broker_client_produces(&session->client);
    return true;
}

static char *put_grow(struct session *session, size_t size)
{
    return job_body_grow(&session->body, size) == 0 ? session->body->bytes : NULL;
}

void put_body(struct session *session, size_t len)
{
    size_t first = incoming_first(session, len);
    if (job_body_new(&session->body, first) != 0) {
        put_abandon(session);
        session_refuse_body(session, len, "OUT_OF_MEMORY\r\n");
        return;
    }
    incoming_begin(session, session->body->bytes, first, len, put_grow, put_body_arrived);
}

/* What a plain put has where it is let into a guarded tube. */
static const struct job_options authorised = {.set = JOB_OPTION_AUTHORISED, .authorised = 1};

/* The body comes next. */
static void put_begin(struct session *session, const struct command_args *args, struct tube *tube)
{
    session->put = (struct broker_put_spec){.tube = tube,
                                            .submitter = session->view.uid,
                                            .pri = args->pri,
                                            .delay_ns = (int64_t)args->delay * HL_SECOND,
                                            .client = &session->client,
                                            .ttr_ns = (int64_t)args->ttr * HL_SECOND};
    if (rights_guarded(session, tube))
        session->put.options = &authorised;
    put_body(session, args->bytes);
}

int parse_put(struct scan *scan, struct command_args *args)
{
    return put_scan(scan, args);
}

void do_put(struct session *session, const struct command_args *args)
{
    if (put_admit(session, args))
        put_begin(session, args, session->used);
}

int parse_put_in_tube(struct scan *scan, struct command_args *args)
{
    int rc = scan_tube_word(scan, &args->name, &args->name_len);
    return rc == 0 ? put_scan(scan, args) : rc;
}

void do_put_in_tube(struct session *session, const struct command_args *args)
{
    if (!put_admit(session, args))
        return;
    struct tube *tube;
    if (broker_use(session->front->broker, args->name, args->name_len, &tube) != 0) {
        session_refuse_body(session, args->bytes, "OUT_OF_MEMORY\r\n");
        return;
    }
    session->put_elsewhere = true;
    put_begin(session, args, tube);
}
