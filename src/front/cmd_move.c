// SPDX-License-Identifier: MIT
/*
 * Jobs that nobody has reserved, from tube to tube and out of one: move, clear-tube.
 *
 * Both leave reserved jobs alone: what becomes of these is decided by whoever holds them.
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"
#include "front/reply_priv.h"
#include "front/task_priv.h"

#include <errno.h>

int parse_move(struct scan *scan, struct command_args *args)
{
    if (scan_u64(scan, &args->id) != 0 || scan_ended(scan) || *scan->at != ' ')
        return EINVAL;
    scan->at++;
    return scan_tube(scan, &args->name, &args->name_len);
}

static void moved(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    if (rc == 0)
        reply_word(session, "MOVED\r\n");
    else if (rc == ENOENT)
        reply_word(session, "NOT_FOUND\r\n");
    else /* ENOBUFS: that tube is full; ENOMEM */
        reply_refusal(session, rc, "OUT_OF_MEMORY\r\n");
}

void do_move(struct session *session, const struct command_args *args)
{
    struct broker_op *op = op_begin(session, BROKER_MOVE, args);
    op->tube.name = args->name;
    op->tube.len = args->name_len;
    op_run(session, moved);
}

int parse_clear_tube(struct scan *scan, struct command_args *args)
{
    return parse_name(scan, args);
}

void do_clear_tube(struct session *session, const struct command_args *args)
{
    struct broker_bulk walk;
    if (broker_clear_begin(session->front->broker, args->name, args->name_len, &walk) == 0)
        walk_start(session, &walk, "CLEARED");
    else
        reply_word(session, "NOT_FOUND\r\n");
}
