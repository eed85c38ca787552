// SPDX-License-Identifier: MIT
/*
 * hilera wait: until jobs are finished; tells how each one ended, and with --output prints what it
 * wrote.
 *
 * Jobs are waited for one after another, in the order given, with one deadline over all: which of
 * them finishes first makes no difference to when the last one has. When they ended differently the
 * exit status tells the worst of it: a job that is not known, then one that did not finish in time,
 * then one that failed.
 */

#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct wait_options {
    uint64_t *ids;
    size_t count;
    int64_t timeout_ns;
    bool output, raw;
};

enum { WAIT_RAW = 1000 };

static const struct argp_option wait_argp_options[] = {
    {"timeout", 'T', "TIME", 0, "Give up after this time, such as 10s or 5m", 0},
    {"output", 'o', NULL, 0, "Print what the jobs wrote, each stream to its own", 0},
    {"raw", WAIT_RAW, NULL, 0, "With --output: as it is to a terminal, too", 0},
    {0}};

static error_t wait_parse(int key, char *arg, struct argp_state *state)
{
    struct wait_options *wait = state->input;
    switch (key) {
    case 'T':
        wait->timeout_ns = duration_option("timeout", arg, state);
        return 0;
    case 'o':
        wait->output = true;
        return 0;
    case WAIT_RAW:
        wait->raw = true;
        return 0;
    case ARGP_KEY_INIT:
        wait->ids = calloc((size_t)state->argc + 1, sizeof(*wait->ids));
        return wait->ids ? 0 : ENOMEM;
    case ARGP_KEY_ARG:
        if (json_parse_u64(arg, &wait->ids[wait->count]) != 0 || wait->ids[wait->count] == 0)
            argp_error(state, "\"%s\" is no job's id; ids are whole numbers from 1", arg);
        wait->count++;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants the ids of jobs, as hilera put prints them");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- how a job ended ---- */

static enum exit_code ended_show(const struct wait_options *wait, uint64_t id, const cJSON *answer)
{
    const char *outcome = ended_outcome(answer);
    enum exit_code code = ended_code(outcome), streams = EXIT_CODE_OK;
    if (outcome[0] == '\0') {
        say("the daemon's answer does not say how job %" PRIu64 " ended", id);
        return EXIT_CODE_OUTPUT;
    }
    if (code == EXIT_CODE_NOT_FOUND) {
        say("job %" PRIu64 " is finished, but the daemon does not keep how it ended", id);
        return code;
    }
    if (wait->output)
        streams = ended_print(answer, id, wait->raw);
    struct buf line = BUF_EMPTY;
    if (ended_line(&line, id, answer) != 0) {
        say("not enough memory");
    } else if (!wait->output) {
        out_text(code == EXIT_CODE_OK ? STYLE_GOOD : STYLE_BAD, line.data);
        out_printf("\n");
    } else if (code != EXIT_CODE_OK) {
        say("%s", line.data);
    }
    buf_fini(&line);
    return streams != EXIT_CODE_OK ? streams : code;
}

/* ---- waiting ---- */

static enum exit_code wait_one(const struct tool *tool, hl_client *client,
                               const struct wait_options *wait, uint64_t id, int64_t deadline_ns)
{
    const char *text;
    size_t len;
    cJSON *answer = NULL;
    enum exit_code code = ended_await(client, id, deadline_ns, &text, &len);
    if (code != EXIT_CODE_OK)
        return code;
    code = link_parse(text, len, &answer);
    if (code == EXIT_CODE_OK && tool->json) {
        code = out_json(text, len);
        if (code == EXIT_CODE_OK)
            code = ended_code(ended_outcome(answer));
    } else if (code == EXIT_CODE_OK) {
        code = ended_show(wait, id, answer);
    }
    cJSON_Delete(answer);
    return code;
}

/* The one of two that a caller must know first. */
static enum exit_code worse(enum exit_code a, enum exit_code b)
{
    static const enum exit_code order[] = {
        EXIT_CODE_INTERRUPTED, EXIT_CODE_NO_DAEMON, EXIT_CODE_OUTPUT,    EXIT_CODE_REFUSED,
        EXIT_CODE_USAGE,       EXIT_CODE_NOT_FOUND, EXIT_CODE_TIMED_OUT, EXIT_CODE_FAILED};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return EXIT_CODE_OK;
}

enum exit_code command_wait(struct tool *tool, int argc, char **argv)
{
    struct wait_options wait = {.timeout_ns = HL_FOREVER};
    hl_client *client = NULL;
    command_parse(tool, "wait", wait_argp_options, wait_parse, &wait,
                  "Exit status 0: every job is done; 1: one failed, or was deleted or cancelled; "
                  "5: one did not "
                  "finish in time; 4: one is not known (a daemon forgets finished jobs after its "
                  "retention). The highest of these in the order 4, 5, 1, 0 is told.",
                  argc, argv);
    int64_t deadline_ns = clock_deadline(wait.timeout_ns);
    enum exit_code code = link_open(tool, &client);
    for (size_t i = 0;
         i < wait.count &&
         (i == 0 ? code == EXIT_CODE_OK : hl_client_is_connected(client) && !interrupted());
         i++) {
        code = worse(code, wait_one(tool, client, &wait, wait.ids[i], deadline_ns));
        if (out_flush() != EXIT_CODE_OK)
            break;
    }
    hl_client_free(&client);
    free(wait.ids);
    return code;
}
