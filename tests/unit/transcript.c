// SPDX-License-Identifier: MIT
/*
 * The parser's events as text: see transcript.h. It stands in for a session, so it decides as one
 * where bodies go, and in place of a connection, so it keeps what wasn't used.
 */
#include "transcript.h"

#include "front/front_priv.h"
#include "front/session_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct taker {
    struct parser parser;
    struct command_args args;
    struct buf *out;
    char body[TRANSCRIPT_BODY_MAX];
    size_t body_len;
    size_t then; /* a head is coming, and so many bytes of body behind it */
    bool head;
    bool ended; /* a stranger, or quit */
};

/* As the session does: too much of anything is skipped in one piece. */
static void take_submit(struct taker *taker)
{
    size_t head = taker->args.count, body = taker->args.bytes;
    taker->head = head <= TRANSCRIPT_BODY_MAX && body <= TRANSCRIPT_BODY_MAX;
    taker->then = body;
    taker->body_len = taker->head ? head : 0;
    if (taker->head)
        parser_part(&taker->parser, taker->body, head);
    else
        parser_body(&taker->parser, NULL, head + body);
}

static void take_command(struct taker *taker)
{
    const struct command_args *args = &taker->args;
    enum command_id id = args->command;
    bool put = id == COMMAND_put || id == COMMAND_put_in_tube;
    MUST(buf_printf(taker->out, "%s", commands[id].name));
    if (id == COMMAND_put_in_tube)
        MUST(buf_printf(taker->out, " %.*s", (int)args->name_len, args->name));
    if (put)
        MUST(buf_printf(taker->out, " pri %u delay %u ttr %u bytes %u%s", args->pri, args->delay,
                        args->ttr, args->bytes, args->junk ? " junk" : ""));
    else if (id == COMMAND_submit)
        MUST(buf_printf(taker->out, " head %u bytes %u", args->count, args->bytes));
    else if (id == COMMAND_call)
        MUST(
            buf_printf(taker->out, " %.*s bytes %u", (int)args->name_len, args->name, args->bytes));
    else if (args->name_len > 0)
        MUST(buf_printf(taker->out, " %.*s", (int)args->name_len, args->name));
    else if (args->token > 0)
        MUST(buf_printf(taker->out, " %" PRIu64 " %" PRIu64, args->id, args->token));
    else if (id == COMMAND_reserve_batch)
        MUST(buf_printf(taker->out, " %u %u", args->count, args->timeout));
    else if (id != COMMAND_quit)
        MUST(buf_printf(taker->out, " %" PRIu64, args->id));
    MUST(buf_append_str(taker->out, "\n"));
    taker->ended = id == COMMAND_quit;
    if (id == COMMAND_submit)
        take_submit(taker);
    if (!put && id != COMMAND_call)
        return;
    bool fits = args->bytes <= TRANSCRIPT_BODY_MAX;
    if (fits && args->junk)
        return;
    taker->body_len = fits ? args->bytes : 0;
    parser_body(&taker->parser, fits ? taker->body : NULL, args->bytes);
}

static void take_event(struct taker *taker, enum parser_event event)
{
    switch (event) {
    case PARSER_MORE:
        return;
    case PARSER_COMMAND:
        take_command(taker);
        return;
    case PARSER_BAD_FORMAT:
        MUST(buf_append_str(taker->out, "bad format\n"));
        return;
    case PARSER_UNKNOWN:
        MUST(buf_append_str(taker->out, "unknown\n"));
        return;
    case PARSER_STRANGER:
        MUST(buf_append_str(taker->out, "stranger\n"));
        taker->ended = true;
        return;
    case PARSER_BODY:
        MUST(buf_append_str(taker->out, taker->head ? "head " : "body "));
        MUST(buf_append(taker->out, taker->body, taker->body_len));
        MUST(buf_append_str(taker->out, "\n"));
        if (taker->head) {
            taker->head = false;
            taker->body_len = taker->then;
            parser_body(&taker->parser, taker->body, taker->then);
        }
        return;
    case PARSER_BODY_BAD:
        MUST(buf_append_str(taker->out, "bad body\n"));
        return;
    }
}

void transcript(struct buf *out, const char *data, size_t len, size_t (*piece)(void *arg),
                void *arg)
{
    struct taker taker = {.out = out};
    taker.parser.args = &taker.args;
    size_t used = 0, seen = 0;
    while (seen < len && !taker.ended) {
        size_t more = piece != NULL ? piece(arg) : len;
        seen = more < len - seen ? seen + more : len;
        /* a copy of its own, so that a sanitizer sees what is read beyond */
        char *copy = malloc(seen - used);
        ASSERT(copy != NULL);
        memcpy(copy, data + used, seen - used);

        size_t at = 0, step = 0;
        enum parser_event event;
        do {
            event = parser_next(&taker.parser, copy + at, seen - used - at, &step);
            at += step;
            ASSERT(at <= seen - used);
            take_event(&taker, event);
        } while (event != PARSER_MORE && !taker.ended);
        used += at;
        free(copy);
        ASSERT(taker.ended || seen - used < FRONT_ADDED_LINE_MAX);
    }
    MUST(buf_append_str(out, ""));
}
