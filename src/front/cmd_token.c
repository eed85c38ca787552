// SPDX-License-Identifier: MIT
/*
 * Leases under a fencing token: reserve-token and reserve-job-token give one with the job, and
 * touch-token, delete-token, release-token and bury-token need it, on whatever connection.
 *
 * Such a lease doesn't end with its connection, only when it is settled or its TTR is over. From
 * then on the token is refused with STALE_TOKEN, for good, since each lease has one of its own: a
 * worker that was too slow learns that the job is somebody else's now. The verbs of beanstalkd know
 * nothing of these leases; to them the job is one that somebody else has reserved.
 */
#include "front/batch_priv.h"
#include "front/reply_priv.h"
#include "front/reserve_priv.h"

#include <errno.h>

/* ---- reserving ---- */

int parse_reserve_token(struct scan *scan, struct command_args *args)
{
    return scan_timeout(scan, &args->timeout) == 0 && scan_ended(scan) ? 0 : EINVAL;
}

void do_reserve_token(struct session *session, const struct command_args *args)
{
    reserve_start(session, (int64_t)args->timeout * HL_SECOND, RESERVE_TOKEN, 1);
}

int parse_reserve_job_token(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

static void reserved(struct session *session, struct broker_op *op, int rc)
{
    if (rc == 0)
        bodies_reply(session, BODIES_JOB_TOKEN, op->lease, 1);
    else
        reserve_refuse(session, rc);
}

void do_reserve_job_token(struct session *session, const struct command_args *args)
{
    struct broker_lease lease;
    struct broker_op *op = op_begin(session, BROKER_RESERVE_JOB, args);
    op->flags = OP_TOKEN;
    op->lease = &lease;
    op_run(session, reserved);
}

/* ---- settling ---- */

/* Id and token; 0 is the token of no lease. */
static int scan_lease(struct scan *scan, struct command_args *args)
{
    bool good = scan_u64(scan, &args->id) == 0 && scan_u64(scan, &args->token) == 0;
    return good && args->token != 0 ? 0 : EINVAL;
}

/* `no_memory` is the word that the verb without token has for it. */
static void token_answer(struct session *session, int rc, const char *done, const char *no_memory)
{
    reply_refusal(session, rc, rc == 0 ? done : rc == ESTALE ? "STALE_TOKEN\r\n" : no_memory);
}

int parse_touch_token(struct scan *scan, struct command_args *args)
{
    return scan_lease(scan, args) == 0 && scan_ended(scan) ? 0 : EINVAL;
}

static void touched(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    token_answer(session, rc, "TOUCHED\r\n", "INTERNAL_ERROR\r\n");
}

void do_touch_token(struct session *session, const struct command_args *args)
{
    (void)op_begin(session, BROKER_TOUCH, args);
    op_add(session, touched, NULL);
}

int parse_delete_token(struct scan *scan, struct command_args *args)
{
    return scan_lease(scan, args) == 0 && scan_ended(scan) ? 0 : EINVAL;
}

static void deleted(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    token_answer(session, rc, "DELETED\r\n", "INTERNAL_ERROR\r\n");
}

void do_delete_token(struct session *session, const struct command_args *args)
{
    (void)op_begin(session, BROKER_DELETE, args);
    op_add(session, deleted, NULL);
}

int parse_release_token(struct scan *scan, struct command_args *args)
{
    if (scan_lease(scan, args) != 0 || scan_u32(scan, &args->pri) != 0 ||
        scan_u32(scan, &args->delay) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

static void released(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    token_answer(session, rc, "RELEASED\r\n", "OUT_OF_MEMORY\r\n");
}

void do_release_token(struct session *session, const struct command_args *args)
{
    struct broker_op *op = op_begin(session, BROKER_RELEASE, args);
    op->back.pri = args->pri;
    op->back.delay_ns = (int64_t)args->delay * HL_SECOND;
    op_add(session, released, NULL);
}

int parse_bury_token(struct scan *scan, struct command_args *args)
{
    if (scan_lease(scan, args) != 0 || scan_u32(scan, &args->pri) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

static void buried(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    token_answer(session, rc, "BURIED\r\n", "INTERNAL_ERROR\r\n");
}

void do_bury_token(struct session *session, const struct command_args *args)
{
    struct broker_op *op = op_begin(session, BROKER_BURY, args);
    op->back.pri = args->pri;
    op_add(session, buried, NULL);
}
