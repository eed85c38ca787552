// SPDX-License-Identifier: MIT
/*
 * hilera: the command line tool. main, the global options, and the way to a command.
 *
 * The command line is read twice: first up to the command's name, with the global options only;
 * then the command reads the rest with its own options and the global ones together, so `hilera
 * --json stats` and `hilera stats --json` are the same.
 *
 * Order of the end: the command returns its exit code, atexit handlers write out what is buffered,
 * and if that fails the exit status becomes EXIT_CODE_OUTPUT, whatever it was.
 *
 * To add a command see commands.def.
 */

#include "client/tool_priv.h"

#include "base/assert.h"
#include "base/nearest.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Visible, because the C library looks for it. */
HL_API const char *argp_program_version = "hilera " HL_VERSION;

const struct command commands[] = {
#define COMMAND(name, arguments, summary) {#name, arguments, summary, command_##name},
#include "client/commands.def"
#undef COMMAND
};
const size_t command_count = sizeof(commands) / sizeof(commands[0]);

static const struct argp_option global_options[] = {
    {NULL, 0, NULL, 0, "Options of every command:", -1},
    {"json", 'j', NULL, 0, "Print the daemon's JSON as it is, ids exact", -1},
    {"socket", 's', "PATH", 0, "The daemon's Unix socket (also $HILERA_SOCKET)", -1},
    {"host", 'H', "HOST[:PORT]", 0, "A daemon reached by TCP, by default at port 11300", -1},
    {0}};

static error_t global_parse(int key, char *arg, struct argp_state *state)
{
    struct tool *tool = state->input;
    switch (key) {
    case 'j':
        tool->json = true;
        return 0;
    case 's':
        if (arg[0] == '\0')
            argp_error(state, "--socket needs a path");
        tool->socket = arg;
        return 0;
    case 'H':
        if (arg[0] == '\0')
            argp_error(state, "--host needs a host");
        tool->host = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp global_argp = {.options = global_options, .parser = global_parse};

/* ---- a command's own line ---- */

struct parse_inputs {
    void *own;
    struct tool *tool;
};

static error_t inputs_parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    const struct parse_inputs *inputs = state->input;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = inputs->own;
    state->child_inputs[1] = inputs->tool;
    return 0;
}

void command_parse(struct tool *tool, const char *name, const struct argp_option *options,
                   argp_parser_t parser, void *input, const char *doc, int argc, char **argv)
{
    const struct command *command = command_find(name);
    ASSERT(command != NULL); /* commands name themselves */
    struct parse_inputs inputs = {input, tool};
    struct buf title = BUF_EMPTY, text = BUF_EMPTY;
    const struct argp own = {.options = options, .parser = parser};
    const struct argp_child children[] = {{&own, 0, NULL, 0}, {&global_argp, 0, NULL, 0}, {0}};
    if (buf_printf(&title, "hilera %s", name) != 0 ||
        buf_printf(&text, "%c%s.\v%s", command->summary[0] - 'a' + 'A', command->summary + 1,
                   doc) != 0) {
        say("not enough memory");
        exit(EXIT_CODE_FAILED);
    }
    const struct argp argp = {.parser = inputs_parse,
                              .args_doc = command->arguments,
                              .doc = text.data,
                              .children = children};
    argv[0] = title.data;
    error_t rc = argp_parse(&argp, argc, argv, 0, NULL, &inputs);
    argv[0] = program_invocation_short_name;
    buf_fini(&title);
    buf_fini(&text);
    if (rc != 0) {
        say("the command line can't be read: %s", strerrordesc_np(rc));
        exit(EXIT_CODE_FAILED);
    }
}

error_t command_no_arguments(int key, char *arg, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "it takes no arguments, but there is \"%s\"", arg);
    return EINVAL;
}

/* ---- the command's name ---- */

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

enum exit_code command_unknown(const char *name)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < command_count; i++)
        nearest_offer(&nearest, commands[i].name);
    const char *best = nearest_best(&nearest);
    if (best)
        say("there is no command \"%s\"; did you mean \"%s\"? ('hilera help' shows all)", name,
            best);
    else
        say("there is no command \"%s\"; 'hilera help' shows which there are", name);
    return EXIT_CODE_USAGE;
}

struct first_words {
    struct tool *tool;
    int command; /* index in argv; 0: none */
};

static error_t first_parse(int key, char *arg, struct argp_state *state)
{
    struct first_words *first = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = first->tool;
        return 0;
    case ARGP_KEY_ARG:
        first->command = state->next - 1;
        state->next = state->argc;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The overview below the options of `hilera --help`. */
static char *first_help(int key, const char *text, void *input)
{
    (void)input;
    struct buf out = BUF_EMPTY;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    int rc = buf_append_str(&out, "Commands:\n");
    for (size_t i = 0; rc == 0 && i < command_count; i++)
        rc = buf_printf(&out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    if (rc == 0)
        rc = buf_append_str(&out, "\n'hilera help COMMAND' tells more of one.");
    if (rc != 0)
        buf_fini(&out);
    return rc == 0 ? buf_detach(&out, NULL) : (char *)text;
}

static const struct argp_child first_children[] = {{&global_argp, 0, NULL, 0}, {0}};
static const struct argp first_argp = {
    .parser = first_parse,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "The client of hilerad, the work queue: puts jobs, waits for them, shows them.\v.",
    .children = first_children,
    .help_filter = first_help};

int main(int argc, char **argv)
{
    struct tool tool = {0};
    struct first_words first = {&tool, 0};
    static char name[] = "hilera";
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    out_begin();
    argp_err_exit_status = EXIT_CODE_USAGE;
    /* Leaves out a note that every GNU user knows and that is longer than most of our helps. */
    setenv("ARGP_HELP_FMT", "no-dup-args-note", 0);
    if (argc > 0)
        argv[0] = program_invocation_short_name = name;
    if (argp_parse(&first_argp, argc, argv, ARGP_IN_ORDER, NULL, &first) != 0)
        return EXIT_CODE_FAILED;
    if (first.command == 0) {
        say("name a command, such as 'hilera stats'; 'hilera help' shows which there are");
        return EXIT_CODE_USAGE;
    }
    const struct command *command = command_find(argv[first.command]);
    if (!command)
        return command_unknown(argv[first.command]);
    return (int)command->run(&tool, argc - first.command, argv + first.command);
}
