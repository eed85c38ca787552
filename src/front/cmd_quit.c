// SPDX-License-Identifier: MIT
/*
 * quit: closes the connection without an answer, once the answers before it are out. Whatever
 * stands behind the word doesn't matter, as in beanstalkd.
 */
#include "front/session_priv.h"

int parse_quit(struct scan *scan, struct command_args *args)
{
    (void)args;
    return scan_rest(scan);
}

void do_quit(struct session *session, const struct command_args *args)
{
    (void)args;
    conn_finish(session->conn);
}
