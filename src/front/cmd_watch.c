// SPDX-License-Identifier: MIT
/*
 * The tubes that a connection reserves from: watch, ignore. The order is that of watching; ignore
 * moves the last one into the hole, as beanstalkd does.
 */
#include "front/reply_priv.h"

#include <errno.h>

#define WATCHED_PER_COST 256 /* names are compared in the time of a small command */

int parse_watch(struct scan *scan, struct command_args *args)
{
    return parse_name(scan, args);
}

void do_watch(struct session *session, const struct command_args *args)
{
    size_t count;
    int rc = broker_watch(&session->client, args->name, args->name_len, &count);
    conn_charge(session->conn, count / WATCHED_PER_COST);
    if (rc == 0)
        reply_number(session, "WATCHING", count);
    else
        reply_word(session, "OUT_OF_MEMORY\r\n");
}

int parse_ignore(struct scan *scan, struct command_args *args)
{
    return parse_name(scan, args);
}

void do_ignore(struct session *session, const struct command_args *args)
{
    size_t count;
    int rc = broker_ignore(&session->client, args->name, args->name_len, &count);
    conn_charge(session->conn, count / WATCHED_PER_COST);
    if (rc == EBUSY)
        reply_word(session, "NOT_IGNORED\r\n");
    else
        reply_number(session, "WATCHING", count);
}
