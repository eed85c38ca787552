// SPDX-License-Identifier: MIT
/*
 * hilera logs: what a job wrote, each stream to its own, as bytes: of a finished one, which the
 * daemon keeps with its result, or, with --follow, as it comes.
 */

#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct logs_options {
    uint64_t id;
    bool out, err; /* neither: both */
    bool follow, raw;
};

enum { LOGS_STDOUT = 1000, LOGS_STDERR, LOGS_RAW };

static const struct argp_option logs_argp_options[] = {
    {"follow", 'f', NULL, 0, "Also of a job that isn't finished: as it comes, until it is", 0},
    {"stdout", LOGS_STDOUT, NULL, 0, "Only what it wrote to standard output", 0},
    {"stderr", LOGS_STDERR, NULL, 0, "Only what it wrote to standard error", 0},
    {"raw", LOGS_RAW, NULL, 0, "As it wrote it to a terminal, too", 0},
    {0}};

static error_t logs_parse(int key, char *arg, struct argp_state *state)
{
    struct logs_options *logs = state->input;
    switch (key) {
    case 'f':
        logs->follow = true;
        return 0;
    case LOGS_STDOUT:
        logs->out = true;
        return 0;
    case LOGS_STDERR:
        logs->err = true;
        return 0;
    case LOGS_RAW:
        logs->raw = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one job only, but there is also \"%s\"", arg);
        if (json_parse_u64(arg, &logs->id) != 0 || logs->id == 0)
            argp_error(state, "\"%s\" is no job's id; ids are whole numbers from 1", arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants the id of a job");
        return EINVAL;
    case ARGP_KEY_END:
        if (!logs->out && !logs->err)
            logs->out = logs->err = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum exit_code logs_lost(uint64_t id)
{
    say("job %" PRIu64 " is finished, but the daemon does not keep what it wrote", id);
    return EXIT_CODE_NOT_FOUND;
}

/* Why there is nothing to show. */
static enum exit_code logs_missing(const cJSON *job, uint64_t id)
{
    const char *state = field_text(job, "state");
    if (strcmp(state, "finished") == 0)
        return logs_lost(id);
    say("job %" PRIu64 " is not finished but %s; \"hilera logs --follow %" PRIu64
        "\" shows what it writes as it comes",
        id, state[0] != '\0' ? state : "unknown", id);
    return EXIT_CODE_FAILED;
}

/* Copies the members of a stream. */
static int stream_copy(cJSON *to, const cJSON *result, const char *name)
{
    static const char *const ends[] = {"", "_base64", "_truncated"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char key[32];
        snprintf(key, sizeof(key), "%s%s", name, ends[i]);
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(result, key);
        cJSON *copy = member != NULL ? cJSON_Duplicate(member, true) : NULL;
        if (member != NULL && (copy == NULL || !cJSON_AddItemToObject(to, key, copy))) {
            cJSON_Delete(copy);
            return ENOMEM;
        }
    }
    return 0;
}

static enum exit_code logs_json(const struct logs_options *logs, const cJSON *result)
{
    cJSON *object = cJSON_CreateObject();
    int rc = object != NULL ? jsonobj_add_u64(object, "id", logs->id) : ENOMEM;
    if (rc == 0 && logs->out)
        rc = stream_copy(object, result, "stdout");
    if (rc == 0 && logs->err)
        rc = stream_copy(object, result, "stderr");
    enum exit_code code = out_object(rc == 0 ? object : NULL);
    cJSON_Delete(object);
    return code;
}

static enum exit_code logs_print(const struct logs_options *logs, const cJSON *result)
{
    return output_print_all(result, logs->id, logs->out, logs->err, logs->raw);
}

static enum exit_code logs_show(const struct tool *tool, const struct logs_options *logs,
                                const cJSON *answer)
{
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(answer, "job");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(job, "result");
    if (!cJSON_IsObject(job)) {
        say("the daemon's answer has no job in it");
        return EXIT_CODE_OUTPUT;
    }
    if (!cJSON_IsObject(result))
        return logs_missing(job, logs->id);
    return tool->json ? logs_json(logs, result) : logs_print(logs, result);
}

static enum exit_code logs_follow(const struct tool *tool, hl_client *client,
                                  const struct logs_options *logs)
{
    struct follow follow = {.id = logs->id, .out = logs->out, .err = logs->err, .raw = logs->raw};
    enum exit_code code = follow_job(tool, client, &follow);
    return code == EXIT_CODE_OK && follow.lost ? logs_lost(logs->id) : code;
}

static enum exit_code logs_once(const struct tool *tool, hl_client *client,
                                const struct logs_options *logs)
{
    cJSON *answer = NULL, *params = cJSON_CreateObject();
    const char *text;
    size_t len;
    if (!params || jsonobj_add_u64(params, "id", logs->id) != 0) {
        cJSON_Delete(params);
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    enum exit_code code = link_call(client, "show", params, LINK_ANSWER_NS, &text, &len);
    if (code == EXIT_CODE_OK)
        code = link_parse(text, len, &answer);
    if (code == EXIT_CODE_OK)
        code = logs_show(tool, logs, answer);
    cJSON_Delete(answer);
    return code;
}

enum exit_code command_logs(struct tool *tool, int argc, char **argv)
{
    struct logs_options logs = {0};
    hl_client *client = NULL;
    command_parse(tool, "logs", logs_argp_options, logs_parse, &logs,
                  "What the job wrote goes to standard output and standard error, as it wrote it, "
                  "as long as the daemon keeps its result. A terminal gets control characters as "
                  "\\xNN, and of what is no text the size. With --json it is one object; when it "
                  "follows, one for each piece.",
                  argc, argv);
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = logs.follow ? logs_follow(tool, client, &logs) : logs_once(tool, client, &logs);
    hl_client_free(&client);
    return code;
}
