// SPDX-License-Identifier: MIT
/*
 * hilera show: all that is known of a job; or, with --body, its body.
 *
 * The body is raw where a program reads it and made printable on a terminal, because whoever puts a
 * job should not be able to send escape sequences to whoever looks at it. It is there until the job
 * is finished.
 */

#include "client/tool_field_priv.h"
#include "client/tool_output_priv.h"
#include "client/tool_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>

struct show_options {
    uint64_t id;
    bool body, raw;
};

enum { SHOW_RAW = 1000 };

static const struct argp_option show_argp_options[] = {
    {"body", 'b', NULL, 0, "Print the job's body and nothing else", 0},
    {"raw", SHOW_RAW, NULL, 0, "With --body: as it is to a terminal, too", 0},
    {0}};

static error_t show_parse(int key, char *arg, struct argp_state *state)
{
    struct show_options *show = state->input;
    switch (key) {
    case 'b':
        show->body = true;
        return 0;
    case SHOW_RAW:
        show->raw = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one job only, but there is also \"%s\"", arg);
        if (json_parse_u64(arg, &show->id) != 0 || show->id == 0)
            argp_error(state, "\"%s\" is no job's id; ids are whole numbers from 1", arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants the id of a job");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum exit_code show_job(const cJSON *answer)
{
    const cJSON *job = cJSON_GetObjectItemCaseSensitive(answer, "job");
    if (!cJSON_IsObject(job)) {
        say("the daemon's answer has no job in it");
        return EXIT_CODE_OUTPUT;
    }
    if (field_print(job, 0) == 0)
        return EXIT_CODE_OK;
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

static enum exit_code show_body(const struct tool *tool, uint64_t id, bool raw)
{
    hl_client *client = NULL;
    struct screen screen;
    const char *body;
    size_t len;
    char doing[32];
    snprintf(doing, sizeof(doing), "job %" PRIu64, id);
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = link_failed(client, hl_client_peek(client, id, LINK_ANSWER_NS, &body, &len), doing);
    screen_begin(&screen, stdout, "the body", raw);
    if (code == EXIT_CODE_OK &&
        (screen_write(&screen, body, len) != 0 || screen_end(&screen) != 0)) {
        say("not enough memory");
        code = EXIT_CODE_FAILED;
    }
    if (screen.filtered && screen.open_line)
        out_write("\n", 1);
    hl_client_free(&client);
    return code;
}

enum exit_code command_show(struct tool *tool, int argc, char **argv)
{
    struct show_options show = {0};
    command_parse(tool, "show", show_argp_options, show_parse, &show,
                  "A finished job is known until the daemon's retention ends; its body is gone. "
                  "With --body a terminal shows control characters as \\xNN, and of what is no "
                  "text the size; a file or pipe gets the bytes as they are.",
                  argc, argv);
    if (show.body && tool->json) {
        say("--body prints bytes, not JSON; leave out one of --body and --json");
        return EXIT_CODE_USAGE;
    }
    if (show.body)
        return show_body(tool, show.id, show.raw);
    cJSON *params = cJSON_CreateObject();
    if (!params || jsonobj_add_u64(params, "id", show.id) != 0) {
        cJSON_Delete(params);
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    return link_show(tool, "show", params, show_job);
}
