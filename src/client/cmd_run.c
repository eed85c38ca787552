// SPDX-License-Identifier: MIT
/*
 * hilera run: puts a command, for a pool with the handler command, and, with --wait, becomes what
 * the command was: its output, with --follow as it comes, and its exit status.
 */

#include "client/tool_output_priv.h"
#include "client/tool_priv.h"
#include "client/tool_put_priv.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_TUBE "run"
#define RUN_PRIORITY 1024
#define RUN_TTR_NS (60 * HL_SECOND)
#define SIGNALLED 128 /* as a shell tells it: this and the signal's number */

struct run_options {
    const char *tube;
    bool wait, follow, raw;
    struct asked asked;
    struct run_command command;
};

enum { RUN_RAW = 1000 };

static const struct argp_option run_argp_options[] = {
    {"wait", 'w', NULL, 0, "Wait for its end; print what it wrote, and end with its exit status",
     0},
    {"follow", 'f', NULL, 0, "The same, but print what it writes as it comes", 0},
    {"tube", 't', "TUBE", 0, "The tube to put it into (default: run)", 0},
    {"env", 'e', "NAME[=VALUE]", 0, "Set this variable, or take it along; may be repeated", 0},
    {"raw", RUN_RAW, NULL, 0, "What it writes goes to a terminal as it is", 0},
    ASKED_OPTIONS,
#define RULE(...) ASKED_RULE_OPTION(__VA_ARGS__),
#include "client/rules.def"
#undef RULE
    {0}};

static const char run_doc[] =
    "The command runs in this directory, as the daemon's user, without a shell. A -- in front "
    "keeps "
    "its options apart from those of hilera. Of the environment PATH, HOME, USER, LOGNAME, SHELL, "
    "TMPDIR, TZ, TERM, PWD and the language go along.\n\n"
    "  hilera run -- make -j4\n"
    "  hilera run --wait -- sh -c 'echo hello; exit 3'\n"
    "  hilera run --follow -- make\n\n"
    "Ctrl-C while it waits at a terminal asks whether to cancel the command; elsewhere it leaves, "
    "and "
    "the command goes on.\n\n"
    "Exit status with --wait and --follow: the command's; 128 and the signal's number if a signal "
    "ended it; "
    "else "
    "as hilera help exit-codes says, which is 1 if it could not be started.";

static error_t run_parse(int key, char *arg, struct argp_state *state)
{
    struct run_options *run = state->input;
    if (asked_parse(&run->asked, key, arg, state) == 0)
        return 0;
    switch (key) {
    case 'f':
        run->follow = true;
        run->wait = true;
        return 0;
    case 'w':
        run->wait = true;
        return 0;
    case RUN_RAW:
        run->raw = true;
        return 0;
    case 't':
        run->tube = tube_option(arg, state);
        return 0;
    case 'e':
        if (arg[0] == '\0' || arg[0] == '=')
            argp_error(state, "--env wants NAME=VALUE, or the NAME of a variable that is set");
        if (strchr(arg, '=') == NULL && getenv(arg) == NULL)
            argp_error(state, "--env %s: there is no such variable; --env %s=VALUE sets one", arg,
                       arg);
        run->command.env[run->command.env_count++] = arg;
        return 0;
    case ARGP_KEY_INIT:
        run->command.env = calloc((size_t)state->argc + 1, sizeof(*run->command.env));
        return run->command.env ? 0 : ENOMEM;
    case ARGP_KEY_ARGS:
        run->command.argv = state->argv + state->next;
        if (run->command.argv[0][0] == '\0')
            argp_error(state, "the program's name is empty");
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants a program to run, such as: hilera run -- ls -l");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- its end ---- */

/* The command's own, where it has one. */
static enum exit_code status_of(const cJSON *answer, bool *own)
{
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(answer, "job");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(job, "result");
    uint64_t status;
    *own = true;
    if (jsonobj_get_u64(result, "exit_status", &status) == 0 && status <= 255)
        return (enum exit_code)status;
    *own = false;
    if (jsonobj_get_u64(result, "signal", &status) == 0 && status > 0 && status < SIGNALLED)
        return (enum exit_code)(SIGNALLED + status);
    return ended_code(ended_outcome(answer));
}

static enum exit_code end_show(const struct tool *tool, const struct run_options *run, uint64_t id,
                               const char *text, size_t len)
{
    cJSON *answer = NULL;
    bool own;
    enum exit_code code = link_parse(text, len, &answer);
    if (code != EXIT_CODE_OK)
        return code;
    code = status_of(answer, &own);
    if (tool->json) {
        enum exit_code printed = out_json(text, len);
        code = printed != EXIT_CODE_OK ? printed : code;
    } else {
        struct buf line = BUF_EMPTY;
        enum exit_code printed = run->follow ? EXIT_CODE_OK : ended_print(answer, id, run->raw);
        if (!own && ended_line(&line, id, answer) == 0)
            say("%s", line.data);
        buf_fini(&line);
        if (printed != EXIT_CODE_OK)
            code = printed;
    }
    cJSON_Delete(answer);
    return code;
}

/* ---- Ctrl-C ---- */

/* Whether somebody is there to be asked. */
static bool at_terminal(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* Another Ctrl-C ends the program, and so leaves the command alone. */
static bool cancel_wanted(uint64_t id)
{
    char answer[8];
    fprintf(stderr, "\nhilera: cancel job %" PRIu64 "? [y/N] ", id);
    fflush(stderr);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* The connection still waits for the job, and what is asked on it would stand behind that. */
static enum exit_code client_renew(const struct tool *tool, hl_client **client)
{
    hl_client_free(client);
    return link_open(tool, client);
}

static enum exit_code run_cancel(hl_client *client, uint64_t id)
{
    const char *text;
    size_t len;
    cJSON *params = cJSON_CreateObject();
    if (params == NULL || jsonobj_add_u64(params, "id", id) != 0) {
        cJSON_Delete(params);
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    return link_call(client, "cancel", params, LINK_ANSWER_NS, &text, &len);
}

/* Until the job has ended, or Ctrl-C. */
static enum exit_code await_once(const struct tool *tool, hl_client *client, struct follow *follow,
                                 bool following, const char **text, size_t *len)
{
    enum exit_code code = following ? follow_job(tool, client, follow) : EXIT_CODE_OK;
    if (follow->finished && out_is_broken())
        code = EXIT_CODE_OK; /* how it ended is known all the same */
    return code == EXIT_CODE_OK ? ended_await(client, follow->id, CLOCK_NEVER, text, len) : code;
}

/* Waits until the job has ended; *cancelled: Ctrl-C was answered by yes. */
static enum exit_code await(const struct tool *tool, hl_client **client,
                            const struct run_options *run, uint64_t id, const char **text,
                            size_t *len, bool *cancelled)
{
    struct follow follow = {.id = id, .out = true, .err = true, .raw = run->raw, .attempt = 1};
    enum exit_code code = await_once(tool, *client, &follow, run->follow, text, len);
    while (code == EXIT_CODE_INTERRUPTED && !*cancelled && at_terminal()) {
        *cancelled = cancel_wanted(id);
        interrupt_forget();
        if (!*cancelled)
            say("job %" PRIu64 " goes on", id); /* from here on Ctrl-C asks again */
        code = client_renew(tool, client);
        if (code == EXIT_CODE_OK && *cancelled) {
            code = run_cancel(*client, id);
            if (code == EXIT_CODE_NOT_FOUND)
                code = EXIT_CODE_OK; /* it has ended meanwhile */
        }
        if (code == EXIT_CODE_OK)
            code = await_once(tool, *client, &follow, run->follow, text, len);
    }
    return code;
}

static enum exit_code run_await(const struct tool *tool, hl_client **client,
                                const struct run_options *run, uint64_t id)
{
    const char *text;
    size_t len;
    bool cancelled = false;
    enum exit_code code = await(tool, client, run, id, &text, &len, &cancelled);
    if (code == EXIT_CODE_OK) {
        code = end_show(tool, run, id, text, len);
        return cancelled ? EXIT_CODE_INTERRUPTED : code;
    }
    say("job %" PRIu64 " goes on; hilera %s %" PRIu64 " tells how it ends", id,
        run->follow ? "logs --follow" : "wait --output", id);
    return code;
}

static enum exit_code run_put(hl_client *client, const struct run_options *run, const char *body,
                              uint64_t *id)
{
    struct hl_client_put put = {.tube = run->tube,
                                .priority = RUN_PRIORITY,
                                .ttr_ns = RUN_TTR_NS,
                                .body = body,
                                .len = strlen(body)};
    /* A submit, since a put that is refused is not told why. */
    char *head = asked_head(&run->asked, &put);
    if (head == NULL) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    put.head = head;
    /* Ctrl-C has to wait for the id: a command that runs, and nobody knows which, is no help. */
    hl_client_set_interrupt(client, -1);
    enum exit_code code =
        link_failed(client, hl_client_put(client, &put, LINK_ANSWER_NS, id), NULL);
    hl_client_set_interrupt(client, interrupt_fd());
    cJSON_free(head);
    return code;
}

enum exit_code command_run(struct tool *tool, int argc, char **argv)
{
    struct run_options run = {.tube = RUN_TUBE};
    hl_client *client = NULL;
    uint64_t id = 0;
    asked_init(&run.asked);
    command_parse(tool, "run", run_argp_options, run_parse, &run, run_doc, argc, argv);
    run.asked.awaited = run.wait;
    char *body = run_body_make(&run.command);
    enum exit_code code = body != NULL ? link_open(tool, &client) : EXIT_CODE_FAILED;
    if (code == EXIT_CODE_OK)
        code = run_put(client, &run, body, &id);
    if (code == EXIT_CODE_OK && run.wait)
        code = run_await(tool, &client, &run, id);
    else if (code == EXIT_CODE_OK)
        out_printf(tool->json ? "{\"id\":%llu}\n" : "%llu\n", (unsigned long long)id);
    hl_client_free(&client);
    cJSON_free(body);
    free(run.command.env);
    return code;
}
