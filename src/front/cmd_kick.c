// SPDX-License-Identifier: MIT
/*
 * Making jobs ready before their time: kick, for the used tube, and kick-job, for one job of any.
 *
 * The number of `kick` is read as beanstalkd reads it (scan_lax_u32): clients exist that say -1 for
 * "all".
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"
#include "front/reply_priv.h"
#include "front/task_priv.h"

#include <errno.h>

int parse_kick(struct scan *scan, struct command_args *args)
{
    return scan_lax_u32(scan, &args->count) == 0 ? scan_rest(scan) : EINVAL;
}

void do_kick(struct session *session, const struct command_args *args)
{
    struct broker_bulk walk;
    broker_kick_begin(session->front->broker, session->used, args->count, &walk);
    walk_start(session, &walk, "KICKED");
}

int parse_kick_job(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

static void kicked(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    if (rc == 0)
        reply_word(session, "KICKED\r\n");
    else if (rc == ENOENT)
        reply_word(session, "NOT_FOUND\r\n");
    else
        reply_refusal(session, rc, "INTERNAL_ERROR\r\n");
}

void do_kick_job(struct session *session, const struct command_args *args)
{
    (void)op_begin(session, BROKER_KICK, args);
    op_add(session, kicked, NULL);
}
