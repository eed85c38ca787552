// SPDX-License-Identifier: MIT
/*
 * put <pri> <delay> <ttr> <bytes> CR LF <body> CR LF
 *
 * The order of refusals is beanstalkd's: arguments that are no numbers leave the body where it is,
 * to be read as commands; a body that is too big is skipped, and then refused before anything else
 * is looked at; then what stands behind the last argument; then the line end behind the body; then
 * whether we are draining.
 */
#include "front/front_priv.h"

#include <errno.h>

int parse_put(struct scan *scan, struct command_args *args)
{
    if (scan_u32(scan, &args->pri) != 0 || scan_u32(scan, &args->delay) != 0 ||
        scan_u32(scan, &args->ttr) != 0 || scan_u32(scan, &args->bytes) != 0)
        return EINVAL;
    args->junk = !scan_ended(scan);
    /* a bad byte makes it no line at all, however big the body would be */
    return scan_rest(scan);
}

static void put_body_arrived(struct session *session)
{
    uint64_t id;
    int rc = broker_put(session->front->broker, &session->put, &session->body, &id);
    switch (rc) {
    case 0:
        reply_number(session, "INSERTED", id);
        return;
    case EHOSTDOWN:
        reply_word(session, "DRAINING\r\n");
        break;
    case EMSGSIZE:
        reply_word(session, "JOB_TOO_BIG\r\n");
        break;
    case ENOBUFS:
    case ENOSPC:
    case ENOMEM:
        reply_word(session, "OUT_OF_MEMORY\r\n");
        break;
    default:
        reply_word(session, "INTERNAL_ERROR\r\n");
        break;
    }
    put_abandon(session);
}

void do_put(struct session *session, const struct command_args *args)
{
    if (args->bytes > session->front->body_max) {
        session_refuse_body(session, args->bytes, "JOB_TOO_BIG\r\n");
        return;
    }
    if (args->junk) {
        reply_word(session, "BAD_FORMAT\r\n");
        return;
    }
    broker_holder_produces(&session->holder);
    if (job_body_new(&session->body, args->bytes) != 0) {
        session_refuse_body(session, args->bytes, "OUT_OF_MEMORY\r\n");
        return;
    }
    session->put = (struct broker_put_spec){.tube = session->used,
                                            .pri = args->pri,
                                            .delay_ns = (int64_t)args->delay * HL_SECOND,
                                            .ttr_ns = (int64_t)args->ttr * HL_SECOND};
    session_body(session, session->body->bytes, args->bytes, put_body_arrived);
}

void put_abandon(struct session *session)
{
    job_body_unref(&session->body);
}
