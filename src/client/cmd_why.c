// SPDX-License-Identifier: MIT
/* hilera why: what keeps a job from running, a line for each reason. */

#include "client/tool_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>

static error_t why_parse(int key, char *arg, struct argp_state *state)
{
    uint64_t *id = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one job only, but there is also \"%s\"", arg);
        if (json_parse_u64(arg, id) != 0 || *id == 0)
            argp_error(state, "\"%s\" is no job's id; ids are whole numbers from 1", arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants the id of a job");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum exit_code why_show(const cJSON *answer)
{
    const cJSON *reasons = cJSON_GetObjectItemCaseSensitive(answer, "reasons"), *reason;
    if (!cJSON_IsArray(reasons)) {
        say("the daemon's answer has no reasons");
        return EXIT_CODE_OUTPUT;
    }
    cJSON_ArrayForEach(reason, reasons)
    {
        if (reason == reasons->child)
            out_printf("job %" PRIu64 " is %s: ", field_u64(answer, "id"),
                       field_text(answer, "state"));
        else
            out_printf("  and ");
        out_text(STYLE_PLAIN, field_text(reason, "message"));
        out_printf("\n");
    }
    return EXIT_CODE_OK;
}

enum exit_code command_why(struct tool *tool, int argc, char **argv)
{
    uint64_t id = 0;
    command_parse(tool, "why", NULL, why_parse, &id,
                  "A pause, a delay, no worker, busy workers, or jobs that go first. With many "
                  "thousands of jobs, how many go first is a lower bound.",
                  argc, argv);
    cJSON *params = cJSON_CreateObject();
    if (!params || jsonobj_add_u64(params, "id", id) != 0) {
        cJSON_Delete(params);
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    return link_show(tool, "why", params, why_show);
}
