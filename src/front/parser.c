// SPDX-License-Identifier: MIT
/*
 * The beanstalk protocol's framing: events out of bytes. No memory, no connection, no broker: the
 * same bytes give the same events however they are cut into pieces.
 *
 * A line ends with CR LF and nothing else, and has at most line_max bytes with it (those of added
 * commands FRONT_ADDED_LINE_MAX at least, or a long name would find no room in them). Two quirks
 * of beanstalkd are not copied. There a CR without LF stalls the connection; here it is a byte like
 * another, which makes the line a bad one. And there a line that is too long by one byte swallows
 * the next; here every overlong line is skipped to its own end and gets one BAD_FORMAT.
 *
 * A line is looked through for bytes that no command may have (CR, NUL) only if it isn't a good
 * command: what parses well was looked at byte by byte already.
 *
 * Until the first good command the lines are also looked at for signs of another protocol
 * (stranger.c), which end the connection.
 */
#include "front/parser_priv.h"
#include "front/stranger_priv.h"

#include <string.h>

const struct command commands[COMMAND_COUNT] = {
#define COMMAND(id, text, prefix, whose, needs, where)                                             \
    [COMMAND_##id] = {.name = (text),                                                              \
                      .word = (prefix),                                                            \
                      .word_len = sizeof(prefix) - 1,                                              \
                      .origin = ORIGIN_##whose,                                                    \
                      .right = (needs),                                                            \
                      .scope = SCOPE_##where,                                                      \
                      .parse = parse_##id,                                                         \
                      .run = do_##id},
#include "front/commands.def"
#undef COMMAND
};

/* ---- lines ---- */

/* The CR of the first CR LF, or NULL. */
static const char *find_line_end(const char *data, size_t len)
{
    const char *at = data, *end = data + len;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (at > data && at[-1] == '\r')
            return at - 1;
        at++;
    }
    return NULL;
}

/* Of each word: which of them a line may begin with is seen without a look at the rows. */
static const char first_letters[COMMAND_COUNT] = {
#define COMMAND(id, text, prefix, whose, needs, where) [COMMAND_##id] = (prefix)[0],
#include "front/commands.def"
#undef COMMAND
};

/* The one whose word the line begins with, or NULL. */
static const struct command *command_of(const char *line, size_t len)
{
    for (size_t id = 0; len > 0 && id < COMMAND_COUNT; id++) {
        if (first_letters[id] != line[0])
            continue;
        const struct command *command = &commands[id];
        if (len >= command->word_len && memcmp(line, command->word, command->word_len) == 0)
            return command;
    }
    return NULL;
}

/* Whether a line that is too long already may be longer: see FRONT_ADDED_LINE_MAX. */
static bool added_line(const char *line, size_t len)
{
    const struct command *command = len < FRONT_ADDED_LINE_MAX ? command_of(line, len) : NULL;
    return command != NULL && command->origin == ORIGIN_HILERA;
}

/* A line that is none: an error, or, before the first good command, perhaps one too many. */
static enum parser_event bad_line(struct parser *parser, enum parser_event event)
{
    if (!parser->known && ++parser->errors == STRANGER_ERRORS)
        return PARSER_STRANGER;
    return event;
}

static enum parser_event parse_line(struct parser *parser, const char *line, size_t len)
{
    const struct command *command = command_of(line, len);
    if (!parser->known && stranger_begins(line, len))
        return PARSER_STRANGER;
    if (command != NULL) {
        struct scan scan = {.at = line + command->word_len, .end = line + len};
        *parser->args = (struct command_args){.command = (enum command_id)(command - commands)};
        if (command->parse(&scan, parser->args) == 0) {
            parser->known = true;
            return PARSER_COMMAND;
        }
    }
    if (!parser->known && stranger_line(line, len))
        return PARSER_STRANGER;
    bool bad =
        command != NULL || memchr(line, '\r', len) != NULL || memchr(line, '\0', len) != NULL;
    return bad_line(parser, bad ? PARSER_BAD_FORMAT : PARSER_UNKNOWN);
}

/* Of a line whose end hasn't come: `data` is all that there is of it, or all that is kept. */
static enum parser_event unfinished_line(struct parser *parser, const char *data, size_t len,
                                         bool overlong)
{
    if (!parser->known && (stranger_begins(data, len) || (overlong && stranger_line(data, len))))
        return PARSER_STRANGER;
    return PARSER_MORE;
}

static enum parser_event next_line(struct parser *parser, const char *data, size_t len,
                                   size_t *used)
{
    size_t line_max = parser->line_max != 0 ? parser->line_max : FRONT_LINE_MAX;
    size_t window = len < line_max ? len : line_max;
    const char *cr = find_line_end(data, window);
    if (cr == NULL && len >= line_max && added_line(data, line_max)) {
        line_max = FRONT_ADDED_LINE_MAX;
        window = len < line_max ? len : line_max;
        cr = find_line_end(data, window);
    }
    if (cr != NULL) {
        *used = (size_t)(cr - data) + 2;
        return parse_line(parser, data, (size_t)(cr - data));
    }
    *used = 0;
    if (len < line_max)
        return unfinished_line(parser, data, len, false);
    *used = window;
    enum parser_event event = unfinished_line(parser, data, window, true);
    if (event != PARSER_MORE)
        return event;
    parser->state = PARSE_SKIP_LINE;
    parser->skip_match = (uint8_t)stranger_match(0, data, window);
    parser->skip_cr = data[window - 1] == '\r';
    return PARSER_MORE;
}

/* Of the rest of an overlong line, in pieces. */
static enum parser_event skip_looked_at(struct parser *parser, const char *data, size_t len)
{
    if (parser->known)
        return PARSER_MORE;
    parser->skip_match = (uint8_t)stranger_match(parser->skip_match, data, len);
    if (parser->skip_match < STRANGER_MATCHED && !stranger_bytes(data, len))
        return PARSER_MORE;
    parser->state = PARSE_LINE;
    return PARSER_STRANGER;
}

static enum parser_event next_skip(struct parser *parser, const char *data, size_t len,
                                   size_t *used)
{
    const char *end = NULL;
    if (parser->skip_cr && len > 0 && data[0] == '\n') {
        *used = 1;
    } else if ((end = find_line_end(data, len)) != NULL) {
        *used = (size_t)(end - data) + 2;
    } else {
        *used = len;
        if (len > 0)
            parser->skip_cr = data[len - 1] == '\r';
        return skip_looked_at(parser, data, len);
    }
    if (skip_looked_at(parser, data, *used) == PARSER_STRANGER)
        return PARSER_STRANGER;
    parser->state = PARSE_LINE;
    return bad_line(parser, PARSER_BAD_FORMAT);
}

/* ---- bodies ---- */

void parser_body(struct parser *parser, char *body, size_t len)
{
    ASSERT(parser->state == PARSE_LINE);
    parser->state = PARSE_BODY;
    parser->part = false;
    parser->discard = body == NULL;
    parser->body = body;
    parser->left = parser->discard ? (uint64_t)len + 2 : len;
}

void parser_part(struct parser *parser, char *bytes, size_t len)
{
    parser_body(parser, bytes, len);
    parser->part = true;
}

void parser_body_received(struct parser *parser)
{
    ASSERT(parser->state == PARSE_BODY && !parser->discard);
    parser->body += parser->left;
    parser->left = 0;
}

static enum parser_event next_body(struct parser *parser, const char *data, size_t len,
                                   size_t *used)
{
    size_t take = len < parser->left ? len : (size_t)parser->left;
    if (!parser->discard && take > 0) {
        memcpy(parser->body, data, take);
        parser->body += take;
    }
    parser->left -= take;
    *used = take;
    if (parser->left > 0)
        return PARSER_MORE;
    bool over = parser->discard || parser->part;
    parser->state = over ? PARSE_LINE : PARSE_TRAILER;
    return over ? PARSER_BODY : PARSER_MORE;
}

static enum parser_event next_trailer(struct parser *parser, const char *data, size_t len,
                                      size_t *used)
{
    *used = 0;
    if (len < 2)
        return PARSER_MORE;
    *used = 2;
    parser->state = PARSE_LINE;
    return data[0] == '\r' && data[1] == '\n' ? PARSER_BODY : PARSER_BODY_BAD;
}

enum parser_event parser_next(struct parser *parser, const char *data, size_t len, size_t *used)
{
    size_t at = 0, step = 0;
    enum parser_event event = PARSER_MORE;
    switch (parser->state) {
    case PARSE_LINE:
        event = next_line(parser, data, len, &step);
        at += step;
        if (parser->state != PARSE_SKIP_LINE)
            break;
        event = next_skip(parser, data + at, len - at, &step);
        at += step;
        break;
    case PARSE_SKIP_LINE:
        event = next_skip(parser, data, len, &at);
        break;
    case PARSE_BODY:
        event = next_body(parser, data, len, &at);
        if (parser->state != PARSE_TRAILER)
            break;
        event = next_trailer(parser, data + at, len - at, &step);
        at += step;
        break;
    case PARSE_TRAILER:
        event = next_trailer(parser, data, len, &at);
        break;
    }
    *used = at;
    return event;
}
