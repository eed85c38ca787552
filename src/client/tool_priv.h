// SPDX-License-Identifier: MIT
/*
 * The inside of the tool `hilera`: what its commands share.
 *
 *   tool.c      main: global options, finding the command, the end of the program
 *   cmd_*.c     one command each: parse, ask the daemon, show. The table is commands.def
 *   link.c      the connection, and what an error means for the exit status
 *   interrupt.c Ctrl-C
 *   out.c       standard output that notices when it fails; colours; the width of the terminal
 *   field.c     the daemon's JSON for people: lists of fields, tables of objects
 *   table.c     columns that fit
 *   progress.c  a bar on a terminal
 *   filter.c    choosing jobs by tube, state, age, name, group and tag
 *   asked.c     what may be asked for with a job
 *   bulk.c      what the commands share that change jobs
 *   duration.c  "10s", "1h30m" in; "1 h 30 min" out
 *   output.c    what jobs wrote
 *   screen.c    the same on a terminal
 *   ended.c     how a job ended: wait and run
 *   feed.c      put's pipeline of many jobs
 *   run_body.c  the command of run as a job's body
 *
 * Everything runs on one thread. A function that returns an exit code has said on standard error
 * what was wrong, if it is not EXIT_CODE_OK.
 */
#ifndef CLIENT_TOOL_PRIV_H
#define CLIENT_TOOL_PRIV_H

#include "base/buf.h"

#include <hilera/client.h>

#include <argp.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum exit_code {
#define EXIT_CODE(name, number, meaning) EXIT_CODE_##name = (number),
#include "client/exit_codes.def"
#undef EXIT_CODE
};

/* What the global options say. */
struct tool {
    bool json;
    const char *socket; /* NULL: not given */
    const char *host;
};

/* ---- tool.c, and the commands ---- */

struct command {
    const char *name, *arguments, *summary;
    enum exit_code (*run)(struct tool *tool, int argc, char **argv);
};
extern const struct command commands[];
extern const size_t command_count;

#define COMMAND(name, arguments, summary)                                                          \
    enum exit_code command_##name(struct tool *tool, int argc, char **argv);
#include "client/commands.def"
#undef COMMAND

/* NULL: there is none. */
const struct command *command_find(const char *name);
/* Says that there is none, and which one may have been meant. */
enum exit_code command_unknown(const char *name);

/*
 * Parses a command's own options (`options`, `parser`, for which state->input is `input`) together
 * with the global ones. `doc` stands in its help below the summary. Ends the program after --help,
 * --usage, --version, and with EXIT_CODE_USAGE on a mistake.
 */
void command_parse(struct tool *tool, const char *name, const struct argp_option *options,
                   argp_parser_t parser, void *input, const char *doc, int argc, char **argv);
/* For parsers: no argument is allowed. */
error_t command_no_arguments(int key, char *arg, struct argp_state *state);

/* ---- link.c ---- */

/* How long an answer that needs no waiting may take, before the daemon counts as hung. */
#define LINK_ANSWER_NS (30 * HL_SECOND)

/* Connects as the global options say. Free with hl_client_free, also when it failed. */
enum exit_code link_open(const struct tool *tool, hl_client **client);
/* The exit code for the client's last error `err`, which is said first, `doing` before it if not
 * NULL. */
enum exit_code link_failed(const hl_client *client, int err, const char *doing);
/* Without saying it. */
enum exit_code link_code(const hl_client *client, int err);
/* Calls a method; `params` may be NULL and is deleted. The answer is valid until the client's next
 * call. */
enum exit_code link_call(hl_client *client, const char *method, cJSON *params, int64_t timeout_ns,
                         const char **text, size_t *len);
/* The answer as an object, which the caller deletes. */
enum exit_code link_parse(const char *text, size_t len, cJSON **object);
/* Opens, calls without parameters, closes: for commands that only show. `show` gets the object, or
 * with --json nothing is shown but the answer. */
enum exit_code link_show(const struct tool *tool, const char *method, cJSON *params,
                         enum exit_code (*show)(const cJSON *answer));

/* The same for a method that may wait: so long for its answer. */
enum exit_code link_show_within(const struct tool *tool, const char *method, cJSON *params,
                                int64_t timeout_ns, enum exit_code (*show)(const cJSON *answer));

/* ---- interrupt.c ---- */

/* From now on Ctrl-C makes the descriptor readable; a second one ends the program at once. */
void interrupt_catch(void);
/* Another signal makes it readable, too; it may come again, and changes nothing then. */
void interrupt_catch_also(int sig);
bool signal_ignored(int sig);
/* It was answered otherwise than by leaving: the next one is a first one again. */
void interrupt_forget(void);
int interrupt_fd(void);
bool interrupted(void);
/* Waits until `fd` is readable. EINTR: Ctrl-C came. */
int interrupt_wait(int fd);

/* ---- out.c ---- */

enum style { STYLE_PLAIN, STYLE_HEAD, STYLE_GOOD, STYLE_BAD };

/* Descriptors 0 to 2 exist, and standard output is checked when the program ends. */
void out_begin(void);
/* One line "hilera: ..." on standard error. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Standard output, bytes as they are. */
void out_write(const void *bytes, size_t len);
/* Formatted text, of which everything may be from outside: made printable, newlines and tabs stay.
 */
void out_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The escape sequence of a style. */
void out_style(enum style style);
/* JSON and a newline; without raw control characters, and meaning the same. */
enum exit_code out_json(const char *text, size_t len);
/* The same of an object, which stays the caller's. EXIT_CODE_FAILED, said: no memory, also if it is
 * NULL. */
enum exit_code out_object(cJSON *object);
/* Bytes from outside in one printable line, in a style. */
void out_text(enum style style, const char *text);
/* What is buffered goes out. false: it can't, for which there will be time at the end. */
bool out_send(void);
/* The same at the end. EXIT_CODE_OUTPUT: can't be written; said if there was somebody to read it.
 */
enum exit_code out_flush(void);
/* Whether nobody reads it any more, or the disk is full. */
bool out_is_broken(void);
/* Whether standard output is a terminal. */
bool out_is_terminal(void);
/* Columns; 0: no limit, since it is no terminal. */
size_t out_width(void);
/* Escape sequence to begin `style` (STYLE_PLAIN: to end one) on that stream; "" without colours. */
const char *style_code(FILE *stream, enum style style);
/* Columns that the text takes on a terminal. */
size_t text_width(const char *text);

/* ---- duration.c ---- */

/* "90", "10s", "1.5h", "1h30m", "500ms"; units ms s m h d, a bare number is seconds. EINVAL: isn't
 * one. ERANGE: too long. */
int duration_parse(const char *text, int64_t *ns);
/* "12 ms", "3.20 s", "4 min 05 s", "2 h 05 min", "3 d 04 h". ENOMEM. */
int duration_append(struct buf *out, int64_t ns);
/* For parsers: the option's duration, or argp_error. */
int64_t duration_option(const char *option, const char *text, struct argp_state *state);

/* ---- filter.c ---- */

struct filter {
    const char *tube, *state; /* NULL: any */
    const char *name, *group, *tag;
    int64_t older_ns, younger_ns; /* HL_FOREVER: any */
    uint64_t limit;               /* 0: not given */
    uint64_t from, until;         /* the page; 0: from the first, to the last */
    bool down;                    /* pages go down: finished jobs */
    unsigned pages, empty;        /* how many there were; of them without a job, in a row */
};

enum { FILTER_NAME = 0x100, FILTER_TAG };

/* Rows of a command's options, for filter_parse. */
#define FILTER_OPTIONS(limit_text)                                                                 \
    {"tube", 't', "TUBE", 0, "Jobs of this tube only", 0},                                         \
        {"state", 'S', "STATE", 0, "Only those that are ready, delayed, reserved or buried", 0},   \
        {"older", 'o', "TIME", 0, "Only those put at least so long ago, such as 10m", 0},          \
        {"younger", 'y', "TIME", 0, "Only those put less than so long ago", 0},                    \
        {"name", FILTER_NAME, "TEXT", 0, "Only those of this name", 0},                            \
        {"group", 'g', "TEXT", 0, "Only those of this group", 0},                                  \
        {"tag", FILTER_TAG, "TEXT", 0, "Only those that have this tag", 0},                        \
    {                                                                                              \
        "limit", 'n', "NUMBER", 0, limit_text, 0                                                   \
    }

void filter_init(struct filter *filter);
/* For parsers: ARGP_ERR_UNKNOWN: no option of a filter. */
error_t filter_parse(struct filter *filter, int key, char *arg, struct argp_state *state);
/* Whether there is any condition. */
bool filter_given(const struct filter *filter);
/* Adds the conditions and the page to a call's parameters. ENOMEM. */
int filter_add(const struct filter *filter, cJSON *params);
/* To the page behind that answer's, which had `found` jobs; filter->from is 0 if that was the last.
 * EXIT_CODE_OUTPUT, said: such pages never end. */
enum exit_code filter_next(struct filter *filter, const cJSON *answer, uint64_t found);
/* For parsers: a whole number from 1, a tube's name; or argp_error. */
uint64_t number_option(const char *option, const char *arg, struct argp_state *state);
const char *tube_option(const char *arg, struct argp_state *state);

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
/* ---- tubes.c: what the commands of workers share ---- */

/* Tubes to take from; "default" unless options name others. */
struct tubes {
    const char **name;
    size_t count;
    bool given;
};
int tubes_init(struct tubes *tubes, const struct argp_state *state);
/* For parsers: one more, or argp_error. */
void tubes_add(struct tubes *tubes, const char *arg, struct argp_state *state);
void tubes_fini(struct tubes *tubes);

/* What a reserve doesn't tell of the job. */
struct lease_facts {
    char tube[HL_CLIENT_TUBE_MAX + 1];
    uint32_t priority;
    uint64_t attempt;
    int64_t ttr_ns;
};
/* Asks for them; in error, what may stand for them. */
int lease_facts(hl_client *client, uint64_t id, struct lease_facts *facts);
uint32_t lease_priority(hl_client *client, uint64_t id);
/* Releases it at once, on a connection of its own. */
int lease_give_back(const struct tool *tool, uint64_t id, uint64_t token);

/* ---- bulk.c ---- */

/* A command that changes jobs; the options fill it. */
struct bulk {
    const char *method, *did, *would; /* "kick", "kicked", "would kick" */
    const char *to;                   /* move's; NULL */
    bool dry_run;
    bool reset; /* kick's */
    struct filter filter;
    uint64_t *ids; /* bulk_run frees them */
    size_t count;
    uint64_t done;
};

/* Rows of its options, for bulk_parse, whose input is a struct bulk. */
#define BULK_OPTIONS(limit_text)                                                                   \
    FILTER_OPTIONS(limit_text),                                                                    \
    {                                                                                              \
        "dry-run", 'D', NULL, 0, "Only tell how many jobs it would be", 0                          \
    }
error_t bulk_parse(int key, char *arg, struct argp_state *state);
enum exit_code bulk_run(const struct tool *tool, struct bulk *bulk);

/* A pause of this many seconds is one until it is ended: about 31 years, the API's longest. */
#define PAUSE_NO_END_NS (INT64_C(1000000000) * HL_SECOND)

/* ---- table.c ---- */

struct table {
    size_t columns;
    char **cell; /* row after row, the first is the head; owned */
    size_t count, cap;
    bool *right; /* by column: aligned to the right */
};
/* ENOMEM everywhere. */
int table_init(struct table *table, size_t columns);
void table_fini(struct table *table);
/* The next cell, copied, made printable. */
int table_add(struct table *table, const char *text, size_t len);
void table_align_right(struct table *table, size_t column);
/* Columns that a line takes if nothing is cut; 0: no memory to tell. */
size_t table_width(const struct table *table);
/* In `width` columns (0: without limit): the widest are cut first. */
int table_print(const struct table *table, size_t width, size_t indent);

/* ---- pools.c ---- */

/* A column of counts: as the daemon calls it and as it is shown. A rare one is left out where all
 * rows have 0 of it. */
struct count {
    const char *key, *head;
    bool rare;
};
#define COUNTS_MAX 16
/* Those to be shown of these rows, to `chosen`; returns how many. */
size_t counts_choose(const struct count *counts, size_t count, const cJSON *rows,
                     struct count chosen[COUNTS_MAX]);
/* ENOMEM everywhere. table_counts: the heads if `row` is NULL, else its counts. */
int table_text(struct table *table, const char *text);
int table_counts(struct table *table, const struct count *counts, size_t count, const cJSON *row);
/* The array of pools, as the daemon's "stats" and "pool_list" have it. */
int pools_print(const cJSON *pools);

/* ---- field.c ---- */

/* The value of a member for people, in one line. */
int field_append(struct buf *out, const cJSON *value);
/* An object as lines "label  value", nested objects indented below their label, arrays of objects
 * as tables. */
int field_print(const cJSON *object, size_t indent);
/* An array of objects, not empty, as a table with the keys of the row that has the most. */
int field_print_table(const cJSON *array, size_t indent);
/* "1.5 KiB" */
int size_append(struct buf *out, double bytes);
/* A number of the daemon, 0 if it isn't there. */
uint64_t field_u64(const cJSON *object, const char *key);
/* Seconds of the daemon, in nanoseconds: 0 if there are none, at most FIELD_SECONDS_MAX. */
#define FIELD_SECONDS_MAX INT64_C(9000000000)
int64_t field_seconds(const cJSON *object, const char *key);
/* A text of the daemon, "" if it isn't there. */
const char *field_text(const cJSON *object, const char *key);

/* ---- screen.c: bodies and output of jobs, which a terminal gets made printable ---- */

struct screen {
    FILE *to;
    const char *what; /* "stdout", "the body": for the line about what is no text */
    bool filtered;    /* it is a terminal's, and not raw */
    bool open_line;   /* the last byte that was shown is no newline */
    uint64_t unshown; /* bytes that are no text */
    char cut[4];      /* the beginning of a character */
    size_t cut_len;
};

void screen_begin(struct screen *screen, FILE *to, const char *what, bool raw);
/* The next piece. ENOMEM. */
int screen_write(struct screen *screen, const void *bytes, size_t len);
/* No more comes: what is left, and the line about what wasn't shown. ENOMEM. */
int screen_end(struct screen *screen);

/* ---- output.c ---- */

/* What a job wrote to "stdout" or "stderr", as the daemon's "result" has it, in bytes. */
enum exit_code output_print(const cJSON *result, const char *name, struct screen *screen);
/* All of these streams of a job, each to its own; says what was cut. */
enum exit_code output_print_all(const cJSON *result, uint64_t id, bool out, bool err, bool raw);
/* Only says what was cut. */
void output_warnings(const cJSON *result, uint64_t id, bool out, bool err);

/* ---- run_body.c ---- */

struct run_command {
    char **argv;
    char **env; /* of --env: NAME, which is set, or NAME=VALUE; whoever made it frees it */
    size_t env_count;
};

/* With what else goes along. NULL: it was said why not. Freed with cJSON_free. */
char *run_body_make(const struct run_command *command);

/* ---- follow.c: what a job writes, as it comes ---- */

/* Before: all zero but id, out and err, and attempt, if it isn't the present one that is to be the
 * first. */
struct follow {
    uint64_t id;
    bool out, err; /* which streams are shown */
    bool raw;      /* on a terminal, too */
    /* What is known: */
    uint64_t attempt, out_at, err_at;
    uint64_t shown;          /* the attempt whose output was shown last; 0: none */
    bool finished;           /* nothing more comes */
    uint64_t warned;         /* the attempt of which was said that it isn't all there; 0: none */
    bool lost;               /* the daemon doesn't keep what it wrote */
    unsigned idle;           /* answers in a row that told nothing new */
    struct screen screen[2]; /* stdout, stderr; of the attempt `shown` */
};

/* Shows what comes until the job is finished; with --json a line for each answer. Interrupted, or
 * after another failure, it can go on, with another connection. */
enum exit_code follow_job(const struct tool *tool, hl_client *client, struct follow *follow);

/* ---- ended.c ---- */

/* Asks until the job is finished or time is over: the answer of "wait", valid until the client's
 * next call. */
enum exit_code ended_await(hl_client *client, uint64_t id, int64_t deadline_ns, const char **text,
                           size_t *len);
/* How it ended, in the daemon's word; "": the answer doesn't say. */
const char *ended_outcome(const cJSON *answer);
enum exit_code ended_code(const char *outcome);
/* What it wrote, each stream to its own; says what was cut. */
enum exit_code ended_print(const cJSON *answer, uint64_t id, bool raw);
/* "job 5 failed: why, ran 1.2 s". ENOMEM. */
int ended_line(struct buf *line, uint64_t id, const cJSON *answer);

/* ---- progress.c ---- */

struct progress {
    bool on; /* standard error is a terminal */
    bool shown;
    int64_t started_ns, next_ns;
};
void progress_begin(struct progress *progress);
/* Draws if it is time. total 0: not known. failed: shown if there are any. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t failed);
/* Takes the bar off the screen; the next update brings it back. */
void progress_hide(struct progress *progress);
/* The bar's line, for tests: at most `width` columns. */
int progress_format(struct buf *out, uint64_t done, uint64_t total, uint64_t failed,
                    int64_t elapsed_ns, size_t width);

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
