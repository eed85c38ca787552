// SPDX-License-Identifier: MIT
/*
 * hilerad's command line, with argp.
 *
 * The options are few: what the daemon does stands in the configuration file, and --listen and
 * --log-level are here only because they are wanted in a hurry. --help lists the file's parameters
 * too, from the same table as everything else.
 */
#include "daemon/daemon_priv.h"

#include <hilera/version.h>

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C library looks it up by name. */
HL_API const char *argp_program_version = "hilerad " HL_VERSION;

enum { KEY_READY_FD = 256, KEY_CHECK };

static const struct argp_option rows[] = {
    {"config", 'c', "FILE", 0, "Read this configuration file", 0},
    {"check-config", KEY_CHECK, NULL, 0, "Check the configuration, say what is wrong, and end", 0},
    {"listen", 'l', "ADDRESS", 0,
     "Listen here, in place of the file's addresses: unix, unix:PATH or tcp:ADDRESS:PORT; may be "
     "given several times",
     0},
    {"log-level", 'L', "LEVEL", 0,
     "Log error, warning, notice, info or debug messages and those before it in this list", 0},
    {"ready-fd", KEY_READY_FD, "FD", 0,
     "When connections are accepted, write the addresses to this inherited descriptor, a line "
     "each, and close it",
     0},
    {NULL, 0, NULL, 0, NULL, 0}};

static const char doc[] =
    "The daemon of hilera: takes jobs over sockets and feeds them to pools of worker threads. It "
    "stays in the foreground and logs to standard error.\v";

static int listen_add(struct options *options, char *address)
{
    char **grown =
        reallocarray(options->listen, options->listen_count + 1, sizeof(*options->listen));
    if (grown == NULL)
        return ENOMEM;
    options->listen = grown;
    options->listen[options->listen_count++] = address;
    return 0;
}

static void ready_fd_set(struct argp_state *state, const char *text)
{
    struct options *options = state->input;
    char *end;
    errno = 0;
    long fd = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || fd < 0 || fd > INT32_MAX ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
        argp_error(state, "--ready-fd %s: not the number of an open descriptor", text);
    else
        options->ready_fd = (int)fd;
}

static error_t option_parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'c':
        options->config_file = arg;
        return 0;
    case KEY_CHECK:
        options->check_config = true;
        return 0;
    case 'l':
        return listen_add(options, arg);
    case 'L':
        options->log_level = arg;
        return 0;
    case KEY_READY_FD:
        ready_fd_set(state, arg);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\": there are no arguments besides the options", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Two lines, for argp breaks long ones: "  io_threads = 1" and what it is, with its range. */
static int parameter_help(const struct config_param *param, struct buf *out)
{
    const char *initial = param->initial[0] != '\0' ? param->initial : "{...}";
    int rc = buf_printf(out, "  %s = %s\n      %s", param->name, initial, param->help);
    struct buf range = BUF_EMPTY;
    if (rc == 0)
        rc = config_param_range(param, &range);
    if (rc == 0 && range.len > 0)
        rc = buf_printf(out, " (%s)", range.data);
    buf_fini(&range);
    return rc != 0 ? rc : buf_append_char(out, '\n');
}

static int parameters_help(struct buf *out)
{
    int rc =
        buf_append_str(out, "Parameters of the file and their defaults; see hilerad.conf(5):\n");
    enum config_scope scope = CONFIG_SCOPE_DAEMON;
    for (unsigned id = 0; rc == 0 && id < CONFIG_ID_COUNT; id++) {
        const struct config_param *param = config_param((enum config_id)id);
        if (param->scope != scope)
            rc = buf_append_str(out, "and in each pool \"NAME\" { ... }:\n");
        scope = param->scope;
        if (rc == 0)
            rc = parameter_help(param, out);
    }
    return rc;
}

/* argp's hook for texts made at run time; it frees what is returned. */
static char *help_filter(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    struct buf out = BUF_EMPTY;
    char *whole = parameters_help(&out) == 0 ? buf_detach(&out, NULL) : NULL;
    buf_fini(&out);
    return whole;
}

int options_parse(struct options *options, int argc, char **argv)
{
    static const struct argp argp = {rows, option_parse, NULL, doc, NULL, help_filter, NULL};
    *options = (struct options){.ready_fd = -1};
    return argp_parse(&argp, argc, argv, 0, NULL, options);
}

void options_fini(struct options *options)
{
    free(options->listen);
    options->listen = NULL;
    options->listen_count = 0;
}
