// SPDX-License-Identifier: MIT
/*
 * What is sent with a job: what may be asked for with it (asked.c), the command of run as its body
 * (run_body.c), and put's pipeline of many (feed.c).
 */
#ifndef CLIENT_TOOL_PUT_PRIV_H
#define CLIENT_TOOL_PUT_PRIV_H

#include "client/tool_priv.h"

/* ---- asked.c ---- */

#define ASKED_TAGS_MAX 64

enum {
    ASKED_AT = 0x100,
    ASKED_KEY,
    ASKED_NAME,
    ASKED_TAG,
    ASKED_RETENTION,
#define RULE(name, ...) ASKED_##name,
#include "client/rules.def"
#undef RULE
    ASKED_END
};
#define ASKED_RULES (ASKED_END - ASKED_RETENTION - 1)

/* Options of put beside the plain ones. */
struct asked {
    bool any;                            /* one of them was given */
    const char *at, *key, *name, *group; /* NULL: not given */
    bool at_is_number;
    const char *tags[ASKED_TAGS_MAX];
    int tag_count;
    int64_t retention_ns; /* HL_FOREVER: not given */
    bool awaited;         /* the program will wait for it */
    struct {
        bool given;
        uint64_t number;
        int64_t time_ns;
        const char *kind;
    } rule[ASKED_RULES]; /* in the order of rules.def */
};

/* Rows of a command's options, for asked_parse; behind them stand those of rules.def. */
#define ASKED_OPTIONS                                                                              \
    {NULL, 0, NULL, 0, "What may be asked for with a job:", 1},                                    \
        {"at",                                                                                     \
         ASKED_AT,                                                                                 \
         "WHEN",                                                                                   \
         0,                                                                                        \
         "Ready at that moment: 2026-11-23T08:30:00Z, 2026-11-23T09:30:00+01:00, or seconds "      \
         "since 1970",                                                                             \
         1},                                                                                       \
        {"key",                                                                                    \
         ASKED_KEY,                                                                                \
         "TEXT",                                                                                   \
         0,                                                                                        \
         "If the tube has a job of that key, or keeps the record of one, put none and print its "  \
         "id",                                                                                     \
         1},                                                                                       \
        {"name", ASKED_NAME, "TEXT", 0, "A name, for people", 1},                                  \
        {"group", 'g', "TEXT", 0, "A group, which can be joined", 1},                              \
        {"tag", ASKED_TAG, "TEXT", 0, "A tag to choose it by; may be there several times", 1},     \
    {                                                                                              \
        "retention", ASKED_RETENTION, "TIME", 0, "Keep its record for so long; 0: leave none", 1   \
    }
/* And those of a row of rules.def. */
#define ASKED_RULE_OPTION(name, option, arg, form, word, help)                                     \
    {                                                                                              \
        option, ASKED_##name, arg, 0, help, 1                                                      \
    }

void asked_init(struct asked *asked);
/* For parsers: ARGP_ERR_UNKNOWN: none of these options. */
error_t asked_parse(struct asked *asked, int key, char *arg, struct argp_state *state);
/* The head of a submit of it all, priority and times of `put` included. cJSON_free it. NULL: no
 * memory. */
char *asked_head(const struct asked *asked, const struct hl_client_put *put);

/* ---- run_body.c ---- */

struct run_command {
    char **argv;
    char **env; /* of --env: NAME, which is set, or NAME=VALUE; whoever made it frees it */
    size_t env_count;
};

/* With what else goes along. NULL: it was said why not. Freed with cJSON_free. */
char *run_body_make(const struct run_command *command);

/* ---- feed.c ---- */

struct feed;
struct feed_options {
    struct hl_client_put put; /* tube, priority, times */
    bool json, quiet;
    uint64_t total;   /* how many there will be; 0: not known */
    const char *noun; /* "line", for messages */
    char **names;     /* of the inputs, by number - 1; NULL: they have numbers only */
};
enum exit_code feed_new(struct feed **feed, hl_client *client, const struct feed_options *options);
/* Sends one job; `number` names its input, from 1. Anything but OK: stop, the connection is of no
 * use or nobody reads. */
enum exit_code feed_put(struct feed *feed, const void *body, size_t len, uint64_t number);
/* Takes the answers that are still to come, before a wait for more input. */
enum exit_code feed_settle(struct feed *feed);
/* An input that couldn't be read: said, counted. */
void feed_skip(struct feed *feed, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Settles, sums up, frees. `code` is that of the last call; the result says how it went in all. */
enum exit_code feed_end(struct feed **feed, enum exit_code code);

#endif
