// SPDX-License-Identifier: MIT
/*
 * The tubes that a connection reserves from: watch, ignore, list-tubes-watched. The order is that
 * of watching; ignore moves the last one into the hole, as beanstalkd does.
 */
#include "front/front_priv.h"

#include <errno.h>

int parse_watch(struct scan *scan, struct command_args *args)
{
    return parse_name(scan, args);
}

void do_watch(struct session *session, const struct command_args *args)
{
    size_t count;
    if (broker_watch(&session->holder, args->name, args->name_len, &count) == 0)
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
    if (broker_ignore(&session->holder, args->name, args->name_len, &count) == EBUSY)
        reply_word(session, "NOT_IGNORED\r\n");
    else
        reply_number(session, "WATCHING", count);
}

int parse_list_tubes_watched(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_list_tubes_watched(struct session *session, const struct command_args *args)
{
    (void)args;
    struct buf yaml = BUF_EMPTY;
    int rc = buf_printf(&yaml, "---\n");
    for (size_t i = 0; rc == 0 && i < broker_watch_count(&session->holder); i++)
        rc = buf_printf(&yaml, "- %s\n", broker_watch_name(&session->holder, i));
    reply_yaml(session, rc, &yaml);
}
