// SPDX-License-Identifier: MIT
/*
 * Redis as a work queue, in the form that loses no job when a worker dies: a tube is a list, LPUSH
 * puts, BLMOVE takes the oldest and keeps it in the taker's own list, LREM removes it from there.
 * Each connection has its list of taken jobs, and LREM begins at the end where the longest-held
 * one lies, so that no list is ever walked: the quickest form of it.
 *
 * A list knows bodies, not ids, priorities or delays. A job's id is here the serial number in its
 * body, plus one, so the books find the same mistakes as with ids. The answer to LPUSH is how many
 * jobs the list has; while nothing is taken, that is the job's place in the order of all.
 */
#include "base/assert.h"
#include "load/answer_priv.h"
#include "load/fault.h"
#include "load/pattern.h"
#include "load/protocol.h"
#include "load/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX (RUN_TUBE_MAX + 32)
#define HEAD_MAX 256

/* The beginnings of this link's commands, up to where a body follows. */
struct heads {
    char put[HEAD_MAX], reserve[HEAD_MAX], delete[HEAD_MAX];
    size_t put_len, reserve_len, delete_len;
};

/* The list in which the connection number `index` keeps what it took from the tube. */
static const char *held_name(const char *tube, uint64_t index, char *name)
{
    (void)snprintf(name, HELD_MAX, "%s-held-%" PRIu64, tube, index);
    return name;
}

static size_t head_write(char *head, const char *const *words, size_t words_all)
{
    size_t len = (size_t)snprintf(head, HEAD_MAX, "*%zu\r\n", words_all);
    for (; *words != NULL; words++)
        len +=
            (size_t)snprintf(head + len, HEAD_MAX - len, "$%zu\r\n%s\r\n", strlen(*words), *words);
    ASSERT(len < HEAD_MAX);
    return len;
}

static void redis_join(struct link *link, const char *tube)
{
    char held[HELD_MAX];
    struct heads *heads = need(calloc(1, sizeof(*heads)));
    held_name(tube, link->index, held);
    heads->put_len = head_write(heads->put, (const char *const[]){"LPUSH", tube, NULL}, 3);
    heads->reserve_len = head_write(
        heads->reserve, (const char *const[]){"BLMOVE", tube, held, "RIGHT", "LEFT", "0", NULL}, 6);
    heads->delete_len =
        head_write(heads->delete, (const char *const[]){"LREM", held, "-1", NULL}, 4);
    free(link->names);
    link->names = heads;
    need_done(buf_append_str(&link->out, "PING\r\n"));
    link_sent(link, ASK_USE, 0);
}

static void body_append(struct link *link, const char *head, size_t head_len, uint64_t serial,
                        size_t size)
{
    struct buf *out = &link->out;
    need_done(buf_reserve(out, head_len + size + 32));
    need_done(buf_append(out, head, head_len));
    need_done(buf_append_char(out, '$'));
    need_done(buf_append_u64(out, size));
    need_done(buf_append(out, "\r\n", 2));
    pattern_fill(out->data + out->len, size, serial);
    out->len += size;
    need_done(buf_append(out, "\r\n", 2));
}

static void redis_put(struct link *link, uint64_t serial, uint32_t pri, uint32_t delay_s,
                      uint32_t ttr_s, size_t size)
{
    const struct heads *heads = link->names;
    (void)ttr_s; /* a list has no leases: what is taken stays taken */
    ASSERT(pri == 0 && delay_s == 0);
    body_append(link, heads->put, heads->put_len, serial, size);
    link_sent(link, ASK_PUT, serial);
}

static void redis_reserve(struct link *link)
{
    const struct heads *heads = link->names;
    need_done(buf_append(&link->out, heads->reserve, heads->reserve_len));
    link_sent(link, ASK_RESERVE, 0);
}

static void redis_delete(struct link *link, uint64_t id, uint64_t key)
{
    const struct heads *heads = link->names;
    body_append(link, heads->delete, heads->delete_len, id - 1, link->crew->max_body);
    link_sent(link, ASK_DELETE, key);
}

/* ---- answers ---- */

static const char *const expected[] = {
    [ASK_PUT] = ":<length of the list>",
    [ASK_RESERVE] = "$<size of the body>",
    [ASK_DELETE] = ":1",
    [ASK_USE] = "+PONG",
};

/* The number behind the type in a line that is nothing else. */
static uint64_t number_after(enum ask ask, char type, const char *text, size_t line)
{
    uint64_t number = 0;
    if (text[0] != type || answer_number(text + 1, '\r', &number) != text + line - 1)
        answer_misfit(ask, text, line, expected[ask]);
    return number;
}

static size_t taken_read(const char *text, size_t len, size_t line, size_t max_body,
                         struct reply *reply)
{
    uint64_t size = number_after(ASK_RESERVE, '$', text, line);
    bool whole = size >= PATTERN_SIZE_MIN && len >= line + PATTERN_SIZE_MIN;
    reply->number = whole ? pattern_serial(text + line) + 1 : 0;
    return answer_body(text, len, line, size, max_body, reply);
}

static size_t redis_answer(const struct sent *sent, const char *text, size_t len, size_t max_body,
                           struct reply *reply)
{
    const enum ask ask = sent->ask;
    size_t line = answer_line(ask, text, len, expected[ask]);
    if (line == 0)
        return 0;
    reply->word = WORD_GOOD;
    reply->body = NULL;
    reply->size = 0;
    reply->place = 0;
    uint64_t number;
    switch (ask) {
    case ASK_PUT:
        number = number_after(ask, ':', text, line);
        if (number == 0 || number > UINT32_MAX)
            answer_misfit(ask, text, line, expected[ask]);
        reply->place = (uint32_t)number;
        reply->number = sent->key + 1;
        return line;
    case ASK_RESERVE:
        return taken_read(text, len, line, max_body, reply);
    case ASK_DELETE:
        if (number_after(ask, ':', text, line) != 1)
            answer_misfit(ask, text, line, expected[ask]);
        return line;
    case ASK_USE:
        if (line != 7 || memcmp(text, "+PONG", 5) != 0)
            answer_misfit(ask, text, line, expected[ask]);
        return line;
    default:
        CANT_HAPPEN("a command that this protocol does not send");
    }
}

/* ---- counts ---- */

static uint64_t length(struct run *run, const char *list)
{
    uint64_t number = 0;
    const char *head = control_ask(run->control, NULL, "LLEN %s", list);
    if (head[0] != ':' || answer_number(head + 1, '\0', &number) == NULL)
        wrong("LLEN was answered \"%s\"", head);
    return number;
}

static void redis_count(struct run *run, uint64_t n, struct tube_counts *counts)
{
    char tube[RUN_TUBE_MAX], held[HELD_MAX];
    run_tube(run, n, tube);
    counts->left += length(run, tube);
    for (uint64_t i = n; i < run->options.connections; i += run->options.tubes)
        counts->left += length(run, held_name(tube, i, held));
}

const struct protocol protocol_redis = {
    .name = "redis",
    .server = "Redis",
    .mixes = "put drain cycle resident",
    .text_mark = "$",
    .stats = "INFO server",
    .version_key = "redis_version",
    .pid_key = "process_id",
    .keeps_totals = false,
    .count = redis_count,
    .join = redis_join,
    .put = redis_put,
    .reserve = redis_reserve,
    .delete = redis_delete,
    .answer = redis_answer,
};
