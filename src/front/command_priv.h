// SPDX-License-Identifier: MIT
/*
 * A command: its arguments, and its row (commands.def).
 *
 * Its functions read its arguments (parse_) and carry it out (do_).
 */
#ifndef FRONT_COMMAND_PRIV_H
#define FRONT_COMMAND_PRIV_H

#include "front/scan_priv.h"

struct session;

enum command_id {
#define COMMAND(id, name, word, whose, right, scope) COMMAND_##id,
#include "front/commands.def"
#undef COMMAND
    COMMAND_COUNT
};

struct command_args {
    enum command_id command;
    uint64_t id, token;
    uint32_t pri, delay, ttr; /* seconds */
    uint32_t bytes;           /* of the body that follows */
    uint32_t count;           /* of jobs */
    uint32_t timeout;         /* seconds */
    bool junk;                /* something stands behind the last argument, which may not */
    bool has_body;            /* `bytes` of a job's body follow, whatever becomes of the command */
    const char *name;         /* tube or method, in the line; copied by who needs it later */
    size_t name_len;
};

/* Reads a line's arguments; every byte of them was looked at when it answers 0. EINVAL. */
typedef int command_parse(struct scan *scan, struct command_args *args);
/*
 * Carries it out. A command with a body is run twice: when its line is there, to say where the body
 * goes (session_body), and, by session_body's function, when the body is.
 */
typedef void command_run(struct session *session, const struct command_args *args);

enum command_origin { ORIGIN_BEANSTALKD, ORIGIN_HILERA };

/* In which tube the right of a row is needed; commands.def says what each means. */
enum command_scope {
    SCOPE_NONE,
    SCOPE_USED,
    SCOPE_NAMED,
    SCOPE_ANY_OF_NAMED,
    SCOPE_WATCHED,
    SCOPE_JOB,
    SCOPE_JOB_TO,
    SCOPE_ITS_OWN,
    SCOPE_SEEN
};

struct command {
    const char *name;
    const char *word;
    size_t word_len;
    enum command_origin origin;
    trust_rights right;
    enum command_scope scope;
    command_parse *parse;
    command_run *run;
};

extern const struct command commands[COMMAND_COUNT];

#define COMMAND(id, name, word, whose, right, scope)                                               \
    command_parse parse_##id;                                                                      \
    command_run do_##id;
#include "front/commands.def"
#undef COMMAND

/* Several commands have an id and nothing else, a tube's name, or no arguments. */
command_parse parse_id;
command_parse parse_name;
command_parse parse_nothing;

#endif
