// SPDX-License-Identifier: MIT
/*
 * hilerad's command line, with argp.
 *
 * beanstalkd's own command line is understood, letter by letter, so that a service file or a script
 * that starts beanstalkd can start hilerad. Where a letter has nothing to set here the log says so
 * at the start; what those for durability mean is in options_keep.c.
 *
 * Beyond that the options are few: what the daemon does stands in the configuration file, and what
 * is here of it is wanted in a hurry. Such an option is a row, a case in option_parse, and an
 * override: the value goes the way of the file's values and gets the same checks. An option that is
 * something to do in place of serving is a row here and one in task.c. --help lists the file's
 * parameters too, from the same table as everything else.
 */
#include "daemon/options_priv.h"

#include "base/log.h"
#include "broker/broker.h"
#include "config/config.h"

#include <hilera/version.h>

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT_DEFAULT "11300" /* beanstalkd's */

enum { KEY_READY_FD = 256, KEY_THREADS, KEY_MEMORY, KEY_INSECURE, KEY_USAGE };
enum { GROUP_OWN = 1, GROUP_TASK, GROUP_BEANSTALKD, GROUP_HELP };

static const struct argp_option rows[] = {
    {"config", 'C', "FILE", 0, "Read this configuration file", GROUP_OWN},
    {"log-level", 'L', "LEVEL", 0,
     "Log error, warning, notice, info or debug messages and those before it in this list",
     GROUP_OWN},
    {"insecure", KEY_INSECURE, NULL, 0,
     "Allow TCP addresses that other machines reach, in plain text, as insecure = yes", GROUP_OWN},
    {"memory", KEY_MEMORY, NULL, 0,
     "Keep nothing: jobs are in memory only, as with data_dir = none", GROUP_OWN},
    {"threads", KEY_THREADS, "N", 0,
     "Serve connections with so many threads (auto: half as many as processors)", GROUP_OWN},
    {"ready-fd", KEY_READY_FD, "FD", 0,
     "When connections are accepted, write the addresses to this inherited descriptor, a line "
     "each, and close it",
     GROUP_OWN},
    {NULL, 0, NULL, 0, "In place of serving, once:", GROUP_TASK},
    {"check-config", KEY_TASK_CHECK_CONFIG, NULL, 0,
     "Check the configuration, say what is wrong, and end", GROUP_TASK},
    {"check", KEY_TASK_CHECK, "DIR", 0,
     "Read a data directory, change nothing, and say what is in it and what is damaged",
     GROUP_TASK},
    {"salvage", KEY_TASK_SALVAGE, "DIR", 0,
     "Copy what is whole in a data directory to a new one, which is named behind: --salvage DIR "
     "NEWDIR",
     GROUP_TASK},
    {"import-beanstalkd", KEY_TASK_IMPORT, "DIR", 0,
     "Take over the jobs of a directory that beanstalkd -b has written, ids kept", GROUP_TASK},
    {NULL, 0, NULL, 0, "As beanstalkd:", GROUP_BEANSTALKD},
    {"listen", 'l', "ADDRESS", 0,
     "Listen here, in place of the file's addresses: unix, unix:PATH, tcp:ADDRESS:PORT, or an "
     "ADDRESS with the port of -p; may be given several times",
     GROUP_BEANSTALKD},
    {"port", 'p', "PORT", 0,
     "The TCP port of each ADDRESS that names none (11300); alone: listen on 127.0.0.1 with it",
     GROUP_BEANSTALKD},
    {"max-job-size", 'z', "BYTES", 0, "The largest body of a job, as max_job_size",
     GROUP_BEANSTALKD},
    {"user", 'u', "USER", 0, "Become this user, with its groups, when all is opened",
     GROUP_BEANSTALKD},
    {"verbose", 'V', NULL, 0, "Log one level more; may be given several times", GROUP_BEANSTALKD},
    {"data-dir", 'b', "DIR", 0, "Keep jobs in this directory, as data_dir", GROUP_BEANSTALKD},
    {NULL, 'f', "MS", 0, "Sync so often: durability = interval; -f 0: durability = commit",
     GROUP_BEANSTALKD},
    {NULL, 'F', NULL, 0, "Sync seldom: durability = interval, once a second", GROUP_BEANSTALKD},
    {NULL, 's', "BYTES", 0, "The size of the journal's files, as segment_size", GROUP_BEANSTALKD},
    {NULL, 'n', NULL, 0, "Nothing", GROUP_BEANSTALKD},
    {NULL, 'c', NULL, 0, "Nothing", GROUP_BEANSTALKD},
    {"help", 'h', NULL, 0, "Give this help list", GROUP_HELP},
    {"usage", KEY_USAGE, NULL, 0, "Give a short usage message", GROUP_HELP},
    {"version", 'v', NULL, 0, "Print program version", GROUP_HELP},
    {"help", '?', NULL, OPTION_HIDDEN, NULL, GROUP_HELP},
    {NULL, 0, NULL, 0, NULL, 0}};

/* What the log says of a letter that has nothing to set. */
static const struct legacy {
    int key;
    const char *meaning;
} legacies[] = {
    {'n', "-n: no effect, as in beanstalkd"},
    {'c', "-c: no effect, as in beanstalkd; the configuration file is named with -C or --config"},
};
_Static_assert(sizeof(legacies) / sizeof(legacies[0]) == OPTIONS_LEGACY_COUNT, "one flag each");

static char word_yes[] = "yes";

static const char doc[] =
    "The daemon of hilera: takes jobs over sockets and feeds them to pools of worker threads. It "
    "stays in the foreground and logs to standard error.\v";

/* ---- addresses ---- */

static int text_add(char ***array, size_t *count, char *text)
{
    char **grown = text != NULL ? reallocarray(*array, *count + 1, sizeof(*grown)) : NULL;
    if (grown == NULL)
        return ENOMEM;
    *array = grown;
    grown[(*count)++] = text;
    return 0;
}

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* An argument of -l as the configuration writes it: beanstalkd's paths may be relative, and its
 * addresses stand alone. NULL: no memory, or no working directory. */
static char *address_write(const char *given, const char *port)
{
    char *text = NULL;
    if (strcmp(given, "unix") == 0 || starts(given, "tcp:") || starts(given, "unix:/") ||
        strcmp(given, "unix:") == 0)
        return strdup(given);
    if (starts(given, "unix:")) {
        char *here = getcwd(NULL, 0);
        if (here == NULL || asprintf(&text, "unix:%s/%s", here, given + strlen("unix:")) < 0)
            text = NULL;
        free(here);
        return text;
    }
    bool bare_ipv6 = strchr(given, ':') != NULL && given[0] != '[';
    if (asprintf(&text, bare_ipv6 ? "tcp:[%s]:%s" : "tcp:%s:%s", given, port) < 0)
        return NULL;
    return text;
}

static int listen_add(struct options *options, const char *given)
{
    char *text = address_write(given, options->port != NULL ? options->port : PORT_DEFAULT);
    int rc = text_add(&options->listen, &options->listen_count, text);
    if (rc != 0)
        free(text);
    return rc;
}

/* ---- the end of the line: what was given becomes overrides ---- */

static void override_add(struct options *options, enum config_id id, const char *option,
                         char *const *text, size_t count)
{
    if (count > 0 && text[0] != NULL)
        options->override[options->override_count++] =
            (struct config_override){.id = id, .option = option, .text = text, .count = count};
}

static int options_finish(struct options *options)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < options->address_count; i++)
        rc = listen_add(options, options->address[i]);
    options->port_alone = options->port != NULL && options->address_count == 0;
    if (options->port_alone)
        rc = listen_add(options, "127.0.0.1");
    if (rc != 0)
        return rc;
    override_add(options, CONFIG_DAEMON_listen, "--listen", options->listen, options->listen_count);
    override_add(options, CONFIG_DAEMON_io_threads, "--threads", &options->threads, 1);
    override_add(options, CONFIG_DAEMON_log_level, "--log-level", &options->log_level, 1);
    override_add(options, CONFIG_DAEMON_max_job_size, "-z", &options->size, 1);
    override_add(options, CONFIG_DAEMON_insecure, "--insecure", &options->insecure, 1);
    keep_override(options);
    return 0;
}

/* ---- single options ---- */

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

/* Digits alone, as beanstalkd wants them too; argp_error otherwise. */
static void number_check(struct argp_state *state, int key, const char *text, unsigned long most)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || number > most)
        argp_error(state, "-%c %s: not a number from 0 to %lu", key, text, most);
}

static error_t option_keep(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case KEY_MEMORY:
        options->memory = true;
        return 0;
    case 'b':
        if (arg[0] == '\0')
            argp_error(state, "-b: the directory has no name");
        return keep_directory(&options->keep, arg);
    case 'f':
        number_check(state, key, arg, UINT32_MAX);
        return keep_sync(&options->keep, arg);
    case 'F':
        keep_never(&options->keep);
        return 0;
    case 's':
        number_check(state, key, arg, UINT32_MAX);
        return keep_segment(&options->keep, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Arguments behind the options are a task's. */
static void argument_take(struct options *options, char *arg, struct argp_state *state)
{
    const struct task *task = options->task;
    if (task == NULL || options->task_arguments >= task->arguments)
        argp_error(state, "\"%s\": there are no arguments besides the options", arg);
    else
        options->task_argument[options->task_arguments++] = arg;
}

static void task_take(struct options *options, const struct task *task, char *arg,
                      struct argp_state *state)
{
    if (options->task != NULL)
        argp_error(state, "%s and %s: one at a time", options->task->name, task->name);
    options->task = task;
    options->task_arguments = 0;
    if (arg != NULL)
        argument_take(options, arg, state);
}

/* Whether what was given makes sense together. */
static void options_judge(const struct options *options, struct argp_state *state)
{
    const struct task *task = options->task;
    if (task != NULL && options->task_arguments < task->arguments)
        argp_error(state, "%s needs more: %s", task->name, task->wants);
    if (options->memory && options->keep.directory != NULL)
        argp_error(state, "-b and --memory: jobs can't be kept and not kept; leave one out");
}

static error_t option_beanstalkd(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'l':
        return text_add(&options->address, &options->address_count, arg);
    case 'p':
        number_check(state, key, arg, UINT16_MAX);
        options->port = arg;
        return 0;
    case 'z':
        options->size = arg;
        return 0;
    case 'u':
        options->user = arg;
        return 0;
    case 'V':
        options->verbosity++;
        return 0;
    default:
        break;
    }
    for (size_t i = 0; i < OPTIONS_LEGACY_COUNT; i++) {
        if (legacies[i].key != key)
            continue;
        options->legacy[i] = true;
        return 0;
    }
    return option_keep(key, arg, state);
}

/* What was asked for is on standard output, or it is said that it isn't. */
static _Noreturn void told_exit(void)
{
    exit(task_said(EXIT_SUCCESS) == EXIT_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE);
}

static error_t option_parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    const struct task *task = task_find(key);
    if (task != NULL) {
        task_take(options, task, arg, state);
        return 0;
    }
    switch (key) {
    case 'C':
        options->config_file = arg;
        return 0;
    case 'L':
        options->log_level = arg;
        return 0;
    case KEY_THREADS:
        options->threads = arg;
        return 0;
    case KEY_READY_FD:
        ready_fd_set(state, arg);
        return 0;
    case 'h':
    case '?':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK);
        told_exit();
    case KEY_INSECURE:
        options->insecure = word_yes;
        return 0;
    case KEY_USAGE:
        argp_state_help(state, stdout, ARGP_HELP_USAGE);
        told_exit();
    case 'v':
        puts("hilerad " HL_VERSION);
        told_exit();
    case ARGP_KEY_ARG:
        argument_take(options, arg, state);
        return 0;
    case ARGP_KEY_SUCCESS:
        options_judge(options, state);
        return options_finish(options);
    default:
        return option_beanstalkd(key, arg, state);
    }
}

/* ---- --help ---- */

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
    static const char *const headings[] = {
        [CONFIG_SCOPE_POOL] = "and in each pool \"NAME\" { ... }:\n",
        [CONFIG_SCOPE_TUBE] = "and in each tube \"NAME\" { ... }, else as above:\n",
        [CONFIG_SCOPE_ACL] = "and in each acl \"NAME\" { ... }, see hilera-acl(5):\n"};
    int rc =
        buf_append_str(out, "Parameters of the file and their defaults; see hilerad.conf(5):\n");
    enum config_scope scope = CONFIG_SCOPE_DAEMON;
    for (unsigned id = 0; rc == 0 && id < CONFIG_ID_COUNT; id++) {
        const struct config_param *param = config_param((enum config_id)id);
        if (param->scope != scope)
            rc = buf_append_str(out, headings[param->scope]);
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

/* ---- the object ---- */

int options_parse(struct options *options, int argc, char **argv)
{
    static const struct argp argp = {rows, option_parse, NULL, doc, NULL, help_filter, NULL};
    *options = (struct options){.ready_fd = -1};
    /* argp's own --help and --version have letters that are beanstalkd's for something else. */
    return argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, options);
}

void options_fini(struct options *options)
{
    for (size_t i = 0; i < options->listen_count; i++)
        free(options->listen[i]);
    free(options->listen);
    free(options->address);
    keep_fini(&options->keep);
    *options = (struct options){.ready_fd = -1};
}

void options_log(const struct options *options)
{
    for (size_t i = 0; i < OPTIONS_LEGACY_COUNT; i++)
        if (options->legacy[i])
            log_notice("%s", legacies[i].meaning);
    keep_log(options);
    if (options->port_alone)
        log_notice("-p %s without -l: listens on 127.0.0.1 only; where beanstalkd would listen on "
                   "every address, say -l 0.0.0.0 --insecure",
                   options->port);
}
