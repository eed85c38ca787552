// SPDX-License-Identifier: MIT
/*
 * quit: closes the connection without an answer, once the answers before it are out. Whatever
 * stands behind the word doesn't matter, as in beanstalkd.
 */
#include "front/front_priv.h"

#include <errno.h>
#include <string.h>

int parse_quit(struct scan *scan, struct command_args *args)
{
    (void)args;
    size_t rest = (size_t)(scan->end - scan->at);
    return memchr(scan->at, '\0', rest) == NULL && memchr(scan->at, '\r', rest) == NULL ? 0
                                                                                        : EINVAL;
}

void run_quit(struct session *session, const struct command_args *args)
{
    (void)args;
    conn_finish(session->conn);
}
