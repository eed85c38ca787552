// SPDX-License-Identifier: MIT
/*
 * The parser makes events of bytes and knows nothing else; parser.c.
 */
#ifndef FRONT_PARSER_PRIV_H
#define FRONT_PARSER_PRIV_H

#include "front/command_priv.h"

enum parser_event {
    PARSER_MORE,       /* needs more input */
    PARSER_COMMAND,    /* *parser->args is it */
    PARSER_BAD_FORMAT, /* a line that can't be a command, or has bad arguments */
    PARSER_UNKNOWN,    /* no such command */
    PARSER_STRANGER,   /* it speaks another protocol: no more of it */
    PARSER_BODY,       /* the body of parser_body is there, and its line end; or a part is */
    PARSER_BODY_BAD    /* it is there, but no line end behind it */
};

struct parser {
    enum { PARSE_LINE, PARSE_SKIP_LINE, PARSE_BODY, PARSE_TRAILER } state;
    uint32_t line_max;  /* bytes of a line with CR LF; 0: FRONT_LINE_MAX */
    bool skip_cr;       /* PARSE_SKIP_LINE: the last byte was a CR */
    bool known;         /* there was a good command: it is no stranger */
    uint8_t errors;     /* bad lines before that */
    uint8_t skip_match; /* PARSE_SKIP_LINE: stranger_match's state */
    bool part;          /* PARSE_BODY: more comes right behind it, no line end */
    bool discard;       /* PARSE_BODY: nobody wants it; the line end is part of it, unchecked */
    char *body;         /* where its next byte goes */
    uint64_t left;      /* bytes of it that are missing */
    /* The caller's, written by each parser_next that answers PARSER_COMMAND: a session needs it no
     * longer than for the call. */
    struct command_args *args;
};

/*
 * The next event in `data`, and how many bytes it used up: all bytes before the event's end. After
 * PARSER_MORE what wasn't used must come again, with more behind it: it is less than a line, or the
 * first byte of a line end. args->name points into `data`.
 */
enum parser_event parser_next(struct parser *parser, const char *data, size_t len, size_t *used);
/* After PARSER_COMMAND: `len` bytes of body follow, for `body`; NULL: they are skipped. */
void parser_body(struct parser *parser, char *body, size_t len);
/* After PARSER_COMMAND: the same, but PARSER_BODY comes at once when these bytes are there, and the
 * body proper is behind them. */
void parser_part(struct parser *parser, char *bytes, size_t len);
/* The rest of the body was received behind the parser's back (conn_receive). */
void parser_body_received(struct parser *parser);
static inline bool parser_at_line(const struct parser *parser)
{
    return parser->state == PARSE_LINE;
}

#endif
