// SPDX-License-Identifier: MIT
/*
 * The inside of the tool `hilera`: what every command needs, to be one, to ask the daemon and to
 * show the answer. What some of them share besides has a header for each theme.
 *
 *   tool.c      main: global options, finding the command, the end of the program
 *   cmd_*.c     one command each: parse, ask the daemon, show. The table is commands.def
 *   link.c      the connection, and what an error means for the exit status
 *   interrupt.c Ctrl-C
 *   out.c       standard output that notices when it fails; colours; the width of the terminal
 *   duration.c  "10s", "1h30m" in; "1 h 30 min" out
 *
 *   tool_choose_priv.h    which jobs: filter.c, bulk.c
 *   tool_field_priv.h     the daemon's JSON for people: field.c
 *   tool_lease_priv.h     what workers share: tubes.c
 *   tool_output_priv.h    what jobs wrote, and their end: screen.c, output.c, follow.c, ended.c
 *   tool_progress_priv.h  a bar: progress.c
 *   tool_put_priv.h       what is sent with a job: asked.c, run_body.c, feed.c
 *   tool_table_priv.h     columns: table.c, pools.c
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

/* ---- duration.c, filter.c and field.c: what options say, and amounts ---- */

/* "90", "10s", "1.5h", "1h30m", "500ms"; units ms s m h d, a bare number is seconds. EINVAL: isn't
 * one. ERANGE: too long. */
int duration_parse(const char *text, int64_t *ns);
/* "12 ms", "3.20 s", "4 min 05 s", "2 h 05 min", "3 d 04 h". ENOMEM. */
int duration_append(struct buf *out, int64_t ns);
/* For parsers: the option's duration, or argp_error. */
int64_t duration_option(const char *option, const char *text, struct argp_state *state);
/* "1.5 KiB" */
int size_append(struct buf *out, double bytes);
/* For parsers: a whole number from 1, a tube's name; or argp_error. */
uint64_t number_option(const char *option, const char *arg, struct argp_state *state);
const char *tube_option(const char *arg, struct argp_state *state);
/* A pause of this many seconds is one until it is ended: about 31 years, the API's longest. */
#define PAUSE_NO_END_NS (INT64_C(1000000000) * HL_SECOND)

/* ---- field.c: reading an answer ---- */

/* A number of the daemon, 0 if it isn't there. */
uint64_t field_u64(const cJSON *object, const char *key);
/* Seconds of the daemon, in nanoseconds: 0 if there are none, at most FIELD_SECONDS_MAX. */
#define FIELD_SECONDS_MAX INT64_C(9000000000)
int64_t field_seconds(const cJSON *object, const char *key);
/* A text of the daemon, "" if it isn't there. */
const char *field_text(const cJSON *object, const char *key);

#endif
