// SPDX-License-Identifier: MIT
/*
 * What a connection does with a job that it has reserved: release, bury, touch. Of anybody else's
 * job, and of one whose TTR is over, they say NOT_FOUND. (delete is in cmd_job.c.)
 */
#include "front/batch_priv.h"
#include "front/reply_priv.h"

#include <errno.h>

/* `no_memory` is the word that beanstalkd has for it. */
static void lease_answer(struct session *session, int rc, const char *done, const char *no_memory)
{
    reply_refusal(session, rc, rc == 0 ? done : rc == ENOENT ? "NOT_FOUND\r\n" : no_memory);
}

int parse_release(struct scan *scan, struct command_args *args)
{
    if (scan_u64(scan, &args->id) != 0 || scan_u32(scan, &args->pri) != 0 ||
        scan_u32(scan, &args->delay) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

static void released(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    lease_answer(session, rc, "RELEASED\r\n", "OUT_OF_MEMORY\r\n");
}

void do_release(struct session *session, const struct command_args *args)
{
    struct broker_op *op = op_begin(session, BROKER_RELEASE, args);
    op->back.pri = args->pri;
    op->back.delay_ns = (int64_t)args->delay * HL_SECOND;
    op_add(session, released, NULL);
}

int parse_bury(struct scan *scan, struct command_args *args)
{
    if (scan_u64(scan, &args->id) != 0 || scan_u32(scan, &args->pri) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

static void buried(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    lease_answer(session, rc, "BURIED\r\n", "INTERNAL_ERROR\r\n");
}

void do_bury(struct session *session, const struct command_args *args)
{
    struct broker_op *op = op_begin(session, BROKER_BURY, args);
    op->back.pri = args->pri;
    op_add(session, buried, NULL);
}

int parse_touch(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

static void touched(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    lease_answer(session, rc, "TOUCHED\r\n", "INTERNAL_ERROR\r\n");
}

void do_touch(struct session *session, const struct command_args *args)
{
    (void)op_begin(session, BROKER_TOUCH, args);
    op_add(session, touched, NULL);
}
