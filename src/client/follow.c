// SPDX-License-Identifier: MIT
/*
 * Following a job: what it writes, as it comes, until it is finished. For the commands logs and
 * run.
 *
 * Each question says what is known and is answered when there is more, so nothing is asked for in
 * vain and nothing is missed between two questions. What is known is in a struct follow, which
 * outlives the connection: who was interrupted can go on with another one. It ends where nobody
 * reads it any more.
 */

#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <inttypes.h>
#include <stdio.h>

/* The longest that the daemon takes; it is asked again after that. */
#define FOLLOW_WAIT_NS (1000000000 * HL_SECOND)

/* Answers in a row that bring no bytes: a new attempt may be one, and there may be many; an answer
 * that tells nothing new at all should come after the longest wait only, and weighs more. */
#define FOLLOW_IDLE_MAX 100000
#define FOLLOW_NO_NEWS 1000

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

/* No more of the attempt that is shown. */
static void follow_end(struct follow *follow)
{
    for (size_t i = 0; follow->shown > 0 && i < 2; i++)
        if (screen_end(&follow->screen[i]) != 0)
            say("not enough memory");
    (void)out_send();
}

/* A retry begins with a line of its own, once it has written something. */
static void follow_begin(struct follow *follow, uint64_t attempt)
{
    if (attempt == follow->shown)
        return;
    follow_end(follow);
    if (follow->shown > 0 && attempt > follow->shown)
        say("job %" PRIu64 ": attempt %" PRIu64, follow->id, attempt);
    follow->shown = attempt;
    screen_begin(&follow->screen[0], stdout, "stdout", follow->raw);
    screen_begin(&follow->screen[1], stderr, "stderr", follow->raw);
}

static enum exit_code follow_print(struct follow *follow, const cJSON *answer, bool complete)
{
    enum exit_code code = EXIT_CODE_OK;
    if (follow->shown == 0)
        return code;
    if (follow->out)
        code = output_print(answer, "stdout", &follow->screen[0]);
    if (follow->out && !out_send())
        return EXIT_CODE_OUTPUT;
    if (follow->err && code == EXIT_CODE_OK)
        code = output_print(answer, "stderr", &follow->screen[1]);
    if (complete && follow->warned != follow->shown) {
        output_warnings(answer, follow->id, follow->out, follow->err);
        follow->warned = follow->shown;
    }
    return code;
}

/* What an answer says of where the job is. */
struct place {
    uint64_t attempt, out_at, err_at;
    bool ended, more, kept;
};

static enum exit_code place_read(struct follow *follow, const cJSON *answer, struct place *place)
{
    if (jsonobj_get_u64(answer, "attempt", &place->attempt) == 0 &&
        jsonobj_get_u64(answer, "stdout_next", &place->out_at) == 0 &&
        jsonobj_get_u64(answer, "stderr_next", &place->err_at) == 0 &&
        jsonobj_get_bool(answer, "attempt_ended", &place->ended) == 0 &&
        jsonobj_get_bool(answer, "finished", &follow->finished) == 0 &&
        jsonobj_get_bool(answer, "kept", &place->kept) == 0 &&
        jsonobj_get_bool(answer, "more", &place->more) == 0)
        return EXIT_CODE_OK;
    say("the daemon's answer does not say what the job has written");
    return EXIT_CODE_OUTPUT;
}

/* A daemon answers when there is something new; one that has nothing, time and again, would be
 * asked without end. */
static enum exit_code place_check(struct follow *follow, const struct place *place)
{
    bool same = place->attempt == follow->attempt && place->out_at == follow->out_at &&
                place->err_at == follow->err_at && !place->ended && !follow->finished;
    bool back = place->attempt < follow->attempt ||
                (place->attempt == follow->attempt &&
                 (place->out_at < follow->out_at || place->err_at < follow->err_at));
    bool bytes = !back && (place->attempt == follow->attempt
                               ? place->out_at > follow->out_at || place->err_at > follow->err_at
                               : place->out_at > 0 || place->err_at > 0);
    follow->idle = bytes ? 0 : follow->idle + (same || back ? FOLLOW_NO_NEWS : 1);
    if (follow->idle < FOLLOW_IDLE_MAX)
        return EXIT_CODE_OK;
    say("the daemon answers again and again that job %" PRIu64
        " has written nothing more; that is no "
        "answer to what was asked",
        follow->id);
    return EXIT_CODE_OUTPUT;
}

/* Takes one answer in. */
static enum exit_code follow_take(const struct tool *tool, struct follow *follow,
                                  const cJSON *answer)
{
    struct place at = {0};
    enum exit_code code = place_read(follow, answer, &at);
    if (code == EXIT_CODE_OK)
        code = place_check(follow, &at);
    if (code != EXIT_CODE_OK)
        return code;
    if (!tool->json) {
        if (at.out_at + at.err_at > 0)
            follow_begin(follow, at.attempt);
        code = follow_print(follow, answer, at.ended && !at.more);
    }
    bool next = at.ended && !at.more && !follow->finished;
    follow->finished = follow->finished && !at.more;
    follow->lost = follow->finished && !at.kept;
    follow->attempt = next ? at.attempt + 1 : at.attempt;
    follow->out_at = next ? 0 : at.out_at;
    follow->err_at = next ? 0 : at.err_at;
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
        code = out_json(text, len);
        if (!out_send())
            code = EXIT_CODE_OUTPUT;
    }
    if (code == EXIT_CODE_OK)
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
    follow_end(follow);
    return code;
}
