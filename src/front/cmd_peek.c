// SPDX-License-Identifier: MIT
/*
 * Looking at a job without taking it: peek by its id, in any tube and state; and the next one of a
 * state in the used tube: peek-ready, peek-delayed, peek-buried.
 */
#include "front/front_priv.h"

int parse_peek(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

void do_peek(struct session *session, const struct command_args *args)
{
    struct job_view view;
    struct job_body *body = NULL;
    if (broker_peek(session->front->broker, args->id, &view, &body) == 0)
        reply_job(session, "FOUND", args->id, &body);
    else
        reply_word(session, "NOT_FOUND\r\n");
}

static void peek_first(struct session *session, enum job_state state)
{
    struct job_view view;
    struct job_body *body = NULL;
    if (broker_peek_first(session->front->broker, session->used, state, &view, &body) == 0)
        reply_job(session, "FOUND", view.id, &body);
    else
        reply_word(session, "NOT_FOUND\r\n");
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
