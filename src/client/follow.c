// SPDX-License-Identifier: MIT
/*
 * Following a job: what it writes, as it comes, until it is finished. For the commands logs and
 * run.
 *
 * Each question says what is known and is answered when there is more, so nothing is asked for in
 * vain and nothing is missed between two questions. What is known is in a struct follow, which
 * outlives the connection: who was interrupted can go on with another one.
 */

#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <inttypes.h>
#include <stdio.h>

/* The longest that the daemon takes; it is asked again after that. */
#define FOLLOW_WAIT_NS (1000000000 * HL_SECOND)

static cJSON *follow_params(const struct follow *follow)
{
    cJSON *params = cJSON_CreateObject();
    if (params && jsonobj_add_u64(params, "id", follow->id) == 0 &&
        jsonobj_add_u64(params, "attempt", follow->attempt) == 0 &&
        jsonobj_add_u64(params, "stdout", follow->out_at) == 0 &&
        jsonobj_add_u64(params, "stderr", follow->err_at) == 0 &&
        jsonobj_add_seconds(params, "wait", FOLLOW_WAIT_NS) == 0)
        return params;
    cJSON_Delete(params);
    return NULL;
}

/* A retry begins with a line of its own, once it has written something. */
static void follow_begin(struct follow *follow, uint64_t attempt)
{
    if (follow->shown > 0 && attempt > follow->shown)
        say("job %" PRIu64 ": attempt %" PRIu64, follow->id, attempt);
    follow->shown = attempt;
}

static enum exit_code follow_print(struct follow *follow, const cJSON *answer, bool complete)
{
    enum exit_code code = EXIT_CODE_OK;
    if (follow->out)
        code = output_print(answer, "stdout", stdout);
    if (follow->out)
        (void)fflush(stdout);
    if (follow->err && code == EXIT_CODE_OK)
        code = output_print(answer, "stderr", stderr);
    if (follow->out && complete)
        output_warn(answer, follow->id, "stdout");
    if (follow->err && complete)
        output_warn(answer, follow->id, "stderr");
    return code;
}

/* Takes one answer in. */
static enum exit_code follow_take(const struct tool *tool, struct follow *follow,
                                  const cJSON *answer)
{
    uint64_t attempt, out_at, err_at;
    bool ended, more, kept;
    if (jsonobj_get_u64(answer, "attempt", &attempt) != 0 ||
        jsonobj_get_u64(answer, "stdout_next", &out_at) != 0 ||
        jsonobj_get_u64(answer, "stderr_next", &err_at) != 0 ||
        jsonobj_get_bool(answer, "attempt_ended", &ended) != 0 ||
        jsonobj_get_bool(answer, "finished", &follow->finished) != 0 ||
        jsonobj_get_bool(answer, "kept", &kept) != 0 ||
        jsonobj_get_bool(answer, "more", &more) != 0) {
        say("the daemon's answer does not say what the job has written");
        return EXIT_CODE_OUTPUT;
    }
    enum exit_code code = EXIT_CODE_OK;
    if (!tool->json) {
        if (out_at + err_at > 0)
            follow_begin(follow, attempt);
        code = follow_print(follow, answer, ended && !more);
    }
    bool next = ended && !more && !follow->finished;
    follow->finished = follow->finished && !more;
    follow->lost = follow->finished && !kept;
    follow->attempt = next ? attempt + 1 : attempt;
    follow->out_at = next ? 0 : out_at;
    follow->err_at = next ? 0 : err_at;
    return code;
}

/* One question, and what comes of it. */
static enum exit_code follow_ask(const struct tool *tool, hl_client *client, struct follow *follow)
{
    const char *text;
    size_t len;
    cJSON *answer = NULL, *params = follow_params(follow);
    if (params == NULL) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    enum exit_code code = link_call(client, "output", params, HL_FOREVER, &text, &len);
    if (code != EXIT_CODE_OK)
        return code == EXIT_CODE_TIMED_OUT ? EXIT_CODE_OK : code;
    if (tool->json) {
        out_write(text, len);
        out_write("\n", 1);
        (void)fflush(stdout);
    }
    code = link_parse(text, len, &answer);
    if (code == EXIT_CODE_OK)
        code = follow_take(tool, follow, answer);
    cJSON_Delete(answer);
    return code;
}

enum exit_code follow_job(const struct tool *tool, hl_client *client, struct follow *follow)
{
    enum exit_code code = EXIT_CODE_OK;
    while (code == EXIT_CODE_OK && !follow->finished)
        code = follow_ask(tool, client, follow);
    return code;
}
