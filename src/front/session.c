// SPDX-License-Identifier: MIT
/*
 * A session: the beanstalk protocol on one connection. Bytes go through the parser, events become
 * calls of the commands' functions, which answer through the connection.
 *
 * One command at a time, in order. A command whose answer comes later (call, reserve, join, a put
 * that waits for room) pauses the connection and with it everything behind it. A body is copied out
 * of the input as far as it is there and received straight into its memory otherwise, of which a
 * large one has no more than what it needs (incoming.c).
 *
 * To add a command: see commands.def.
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"
#include "front/pending_priv.h"
#include "front/put_priv.h"
#include "front/reserve_priv.h"
#include "front/rights_priv.h"
#include "front/task_priv.h"

#include <errno.h>
#include <string.h>

static int session_open(void *memory, struct conn *conn, void *arg)
{
    struct session *session = memory;
    struct front *front = arg;
    MAGIC_CHECK(front, FRONT_MAGIC);
    MAGIC_INIT(session, SESSION_MAGIC);
    session->front = front;
    session->conn = conn;
    session->parser.line_max = front->settings.line_max;
    int rc =
        broker_use(front->broker, JOB_TUBE_DEFAULT, sizeof(JOB_TUBE_DEFAULT) - 1, &session->used);
    if (rc != 0)
        return rc;
    rc = broker_client_init(&session->client, front->broker);
    if (rc != 0) {
        broker_unuse(front->broker, &session->used);
        return rc;
    }
    front_count(session, FRONT_OPENED);
    peer_open(session);
    return 0;
}

/* ---- bodies ---- */

void session_body(struct session *session, void *memory, size_t len,
                  void (*done)(struct session *session))
{
    session->body_done = done;
    parser_body(&session->parser, memory, len);
}

void session_part(struct session *session, void *memory, size_t len,
                  void (*done)(struct session *session))
{
    session->body_done = done;
    parser_part(&session->parser, memory, len);
}

void session_skip_body(struct session *session, size_t len, void (*done)(struct session *session))
{
    session->body_done = done;
    parser_body(&session->parser, NULL, len);
}

static void refusal_send(struct session *session)
{
    session_say(session, session->refusal);
}

void session_refuse_body(struct session *session, size_t len, const char *reply)
{
    session->refusal = reply;
    session_skip_body(session, len, refusal_send);
}

void session_abandon_body(struct session *session)
{
    put_abandon(session);
    call_abandon(session);
}

static void body_without_end(struct session *session)
{
    batch_number(session);
    put_take_id(session);
    session_abandon_body(session);
    session_say(session, "EXPECTED_CRLF\r\n");
}

/* ---- events ---- */

/* false: it has to wait, and is read again. */
static bool session_command(struct session *session)
{
    const struct parser *parser = &session->parser;
    if (!batch_admits(session, parser->args))
        return false;
    front_count(session, parser->args->command);
    if (rights_admit(session, parser->args))
        commands[parser->args->command].run(session, parser->args);
    return true;
}

/* But PARSER_COMMAND. */
static void session_event(struct session *session, enum parser_event event)
{
    switch (event) {
    case PARSER_MORE:
    case PARSER_COMMAND:
        return;
    case PARSER_BAD_FORMAT:
        session_say(session, "BAD_FORMAT\r\n");
        return;
    case PARSER_UNKNOWN:
        session_say(session, "UNKNOWN_COMMAND\r\n");
        return;
    case PARSER_STRANGER: /* hears nothing: it could be made to believe what it hears */
        (void)batch_flush(session);
        conn_finish(session->conn);
        return;
    case PARSER_BODY:
        session->body_done(session);
        return;
    case PARSER_BODY_BAD:
        body_without_end(session);
        return;
    }
}

/* The rest of the input isn't there yet. */
static void session_input_ends(struct session *session)
{
    const struct parser *parser = &session->parser;
    (void)batch_flush(session);
    put_take_id(session);
    if (parser->state == PARSE_BODY && !parser->discard && parser->left > 0)
        conn_receive(session->conn, parser->body, (size_t)parser->left);
}

static size_t session_input(void *memory, const char *data, size_t len)
{
    struct session *session = memory;
    MAGIC_CHECK(session, SESSION_MAGIC);
    struct parser *parser = &session->parser;
    struct command_args args;
    struct batch batch;
    size_t at = 0;
    batch.count = 0;
    parser->args = &args;
    session->batch = &batch;
    while (!parser_at_line(parser) || conn_may_run(session->conn)) {
        size_t used;
        enum parser_event event = parser_next(parser, data + at, len - at, &used);
        at += used;
        if (event == PARSER_MORE) {
            session_input_ends(session);
            break;
        }
        session->behind = len - at;
        if (event != PARSER_COMMAND)
            session_event(session, event);
        else if (!session_command(session)) {
            at -= used;
            break;
        }
    }
    (void)batch_flush(session);
    parser->args = NULL;
    session->batch = NULL;
    session_hold(session);
    return at;
}

static void session_received(void *memory)
{
    struct session *session = memory;
    MAGIC_CHECK(session, SESSION_MAGIC);
    parser_body_received(&session->parser);
}

static void session_go_on(void *memory)
{
    struct session *session = memory;
    MAGIC_CHECK(session, SESSION_MAGIC);
    task_go_on(session);
    session_hold(session);
}

static void session_hangup(void *memory)
{
    struct session *session = memory;
    MAGIC_CHECK(session, SESSION_MAGIC);
    pending_end(session, ECANCELED);
}

static void session_timeout(void *memory)
{
    struct session *session = memory;
    MAGIC_CHECK(session, SESSION_MAGIC);
    pending_end(session, ETIMEDOUT);
}

static void session_close(void *memory)
{
    struct session *session = memory;
    MAGIC_CHECK(session, SESSION_MAGIC);
    session_abandon_body(session);
    pending_abandon(session);
    task_abandon(session);
    batch_abandon(session);
    (void)broker_client_fini(&session->client);
    reserve_free(session);
    broker_unuse(session->front->broker, &session->used);
    front_count(session, FRONT_CLOSED);
    MAGIC_WIPE(session);
}

const struct net_protocol front_protocol = {
    .name = "beanstalk",
    .refusal = "OUT_OF_MEMORY\r\n",
    .session_size = sizeof(struct session),
    .open = session_open,
    .input = session_input,
    .received = session_received,
    .go_on = session_go_on,
    .hangup = session_hangup,
    .timeout = session_timeout,
    .close = session_close,
};
