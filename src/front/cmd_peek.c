// SPDX-License-Identifier: MIT
/*
 * Looking at a job without taking it: peek by its id, in any tube and state; and the next one of a
 * state in the used tube: peek-ready, peek-delayed, peek-buried.
 */
#include "front/front_priv.h"
#include "front/reply_priv.h"
#include "front/reserve_priv.h"

int parse_peek(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

static void peek_reply(struct session *session, int rc, uint64_t id, struct job_body **body)
{
    if (rc != 0)
        reply_refusal(session, rc, "NOT_FOUND\r\n");
    else if (*body != NULL)
        reply_job(session, "FOUND", id, body);
    else
        bodies_reply_peek(session, id);
}

void do_peek(struct session *session, const struct command_args *args)
{
    struct job_view view;
    struct job_body *body = NULL;
    int rc = broker_peek(session->front->broker, &session->view, args->id, &view, &body);
    peek_reply(session, rc, args->id, &body);
}

static void peek_first(struct session *session, enum job_state state)
{
    struct job_view view = {.id = 0};
    struct job_body *body = NULL;
    int rc = broker_peek_first(session->front->broker, session->used, state, &view, &body);
    peek_reply(session, rc, view.id, &body);
}

int parse_peek_ready(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_peek_ready(struct session *session, const struct command_args *args)
{
    (void)args;
    peek_first(session, JOB_READY);
}

int parse_peek_delayed(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_peek_delayed(struct session *session, const struct command_args *args)
{
    (void)args;
    peek_first(session, JOB_DELAYED);
}

int parse_peek_buried(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_peek_buried(struct session *session, const struct command_args *args)
{
    (void)args;
    peek_first(session, JOB_BURIED);
}
