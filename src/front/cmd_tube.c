// SPDX-License-Identifier: MIT
/*
 * Tubes: use, the one that later puts of this connection go to; list-tube-used; and pause-tube.
 *
 * A tube exists as long as somebody uses it; the new one is taken before the old one is let go, so
 * using the same again keeps it.
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"
#include "front/reply_priv.h"
#include "front/rights_priv.h"

#include <errno.h>
#include <string.h>

int parse_use(struct scan *scan, struct command_args *args)
{
    return parse_name(scan, args);
}

void do_use(struct session *session, const struct command_args *args)
{
    struct tube *tube;
    if (broker_use(session->front->broker, args->name, args->name_len, &tube) != 0) {
        reply_word(session, "OUT_OF_MEMORY\r\n");
        return;
    }
    broker_unuse(session->front->broker, &session->used);
    session->used = tube;
    rights_use(session);
    reply_name(session, "USING", args->name, args->name_len);
}

int parse_list_tube_used(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_list_tube_used(struct session *session, const struct command_args *args)
{
    (void)args;
    const char *name = broker_tube_name(session->used);
    reply_name(session, "USING", name, strlen(name));
}

/* ---- pause-tube ---- */

/* No blank is needed between word and name, and several may be there: as beanstalkd reads it. */
int parse_pause_tube(struct scan *scan, struct command_args *args)
{
    while (!scan_ended(scan) && *scan->at == ' ')
        scan->at++;
    if (scan_tube_word(scan, &args->name, &args->name_len) != 0 ||
        scan_u32(scan, &args->delay) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

static void paused(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    if (rc == 0)
        reply_word(session, "PAUSED\r\n");
    else if (rc == ENOENT)
        reply_word(session, "NOT_FOUND\r\n");
    else
        reply_refusal(session, rc, "OUT_OF_MEMORY\r\n");
}

void do_pause_tube(struct session *session, const struct command_args *args)
{
    struct broker_op *op = op_begin(session, BROKER_PAUSE, args);
    op->tube.name = args->name;
    op->tube.len = args->name_len;
    op->tube.pause_ns = (int64_t)args->delay * HL_SECOND;
    op_run(session, paused);
}
