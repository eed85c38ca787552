// SPDX-License-Identifier: MIT
/*
 * beanstalkd's protocol: how its commands are written, and what its statistics count. The answers
 * are answer.c's.
 *
 * The first three commands are the protocol's methods; the others only some mixes send, and those
 * run with this protocol alone.
 */
#include "load/answer_priv.h"
#include "load/fault.h"
#include "load/pattern.h"
#include "load/protocol.h"
#include "load/run.h"

#include <inttypes.h>
#include <string.h>

static void beanstalk_put(struct link *link, uint64_t serial, uint32_t pri, uint32_t delay_s,
                          uint32_t ttr_s, size_t size)
{
    need_done(buf_reserve(&link->out, size + 64));
    need_done(buf_append(&link->out, "put ", 4));
    need_done(buf_append_u64(&link->out, pri));
    need_done(buf_append_char(&link->out, ' '));
    need_done(buf_append_u64(&link->out, delay_s));
    need_done(buf_append_char(&link->out, ' '));
    need_done(buf_append_u64(&link->out, ttr_s));
    need_done(buf_append_char(&link->out, ' '));
    need_done(buf_append_u64(&link->out, size));
    need_done(buf_append(&link->out, "\r\n", 2));
    pattern_fill(link->out.data + link->out.len, size, serial);
    link->out.len += size;
    need_done(buf_append(&link->out, "\r\n", 2));
    link_sent(link, ASK_PUT, serial);
}

static void beanstalk_reserve(struct link *link)
{
    need_done(buf_append(&link->out, "reserve\r\n", 9));
    link_sent(link, ASK_RESERVE, 0);
}

static void link_id(struct link *link, const char *verb, size_t len, uint64_t id)
{
    need_done(buf_append(&link->out, verb, len));
    need_done(buf_append_u64(&link->out, id));
    need_done(buf_append(&link->out, "\r\n", 2));
}

static void beanstalk_delete(struct link *link, uint64_t id, uint64_t key)
{
    link_id(link, "delete ", 7, id);
    link_sent(link, ASK_DELETE, key);
}

void link_touch(struct link *link, uint64_t id, uint64_t key)
{
    link_id(link, "touch ", 6, id);
    link_sent(link, ASK_TOUCH, key);
}

void link_release(struct link *link, uint64_t id, uint32_t pri, uint32_t delay_s, uint64_t key)
{
    need_done(buf_printf(&link->out, "release %" PRIu64 " %" PRIu32 " %" PRIu32 "\r\n", id, pri,
                         delay_s));
    link_sent(link, ASK_RELEASE, key);
}

void link_use(struct link *link, const char *tube)
{
    need_done(buf_printf(&link->out, "use %s\r\n", tube));
    link_sent(link, ASK_USE, 0);
}

void link_watch(struct link *link, const char *tube)
{
    need_done(buf_printf(&link->out, "watch %s\r\n", tube));
    link_sent(link, ASK_WATCH, 0);
}

void link_ignore(struct link *link, const char *tube)
{
    need_done(buf_printf(&link->out, "ignore %s\r\n", tube));
    link_sent(link, ASK_IGNORE, 0);
}

static void beanstalk_join(struct link *link, const char *tube)
{
    link_use(link, tube);
    link_watch(link, tube);
    link_ignore(link, "default");
}

static void beanstalk_count(struct run *run, uint64_t n, struct tube_counts *counts)
{
    char name[RUN_TUBE_MAX];
    const char *stats = NULL;
    const char *head = control_ask(run->control, &stats, "stats-tube %s", run_tube(run, n, name));
    if (stats == NULL && strcmp(head, "NOT_FOUND") == 0)
        return;
    if (stats == NULL)
        wrong("stats-tube was answered \"%s\"", head);
    counts->total += stats_number(stats, "total-jobs");
    counts->deleted += stats_number(stats, "cmd-delete");
    counts->left +=
        stats_number(stats, "current-jobs-ready") + stats_number(stats, "current-jobs-reserved") +
        stats_number(stats, "current-jobs-delayed") + stats_number(stats, "current-jobs-buried");
}

const struct protocol protocol_beanstalk = {
    .name = "beanstalk",
    .server = "beanstalkd",
    .text_mark = "OK ",
    .stats = "stats",
    .version_key = "version",
    .pid_key = "pid",
    .keeps_totals = true,
    .count = beanstalk_count,
    .join = beanstalk_join,
    .put = beanstalk_put,
    .reserve = beanstalk_reserve,
    .delete = beanstalk_delete,
    .answer = answer_read,
};
