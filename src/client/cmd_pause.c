// SPDX-License-Identifier: MIT
/* hilera pause, hilera resume: nothing is taken from a tube for a while, and is taken again. */

#include "client/tool_priv.h"

#include "base/buf.h"
#include "base/jsonobj.h"

#include <errno.h>

struct pause_options {
    const char *tube;
    int64_t time_ns;
};

static const struct argp_option pause_argp_options[] = {
    {"time", 'T', "TIME", 0, "For this long only, such as 10m; else until it is resumed", 0}, {0}};

static error_t pause_parse(int key, char *arg, struct argp_state *state)
{
    struct pause_options *pause = state->input;
    switch (key) {
    case 'T':
        pause->time_ns = duration_option("time", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one tube only, but there is also \"%s\"", arg);
        pause->tube = tube_option(arg, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants the name of a tube; 'hilera status' shows them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum exit_code pause_show(const cJSON *answer)
{
    int64_t left_ns = field_seconds(answer, "pause_left");
    struct buf time = BUF_EMPTY;
    if (left_ns > 0 && duration_append(&time, left_ns) != 0) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    if (left_ns > PAUSE_NO_END_NS / 2)
        out_printf("paused: nothing is taken from %s until it is resumed\n",
                   field_text(answer, "tube"));
    else if (left_ns > 0)
        out_printf("paused: nothing is taken from %s for %s\n", field_text(answer, "tube"),
                   time.data);
    else
        out_printf("not paused: jobs are taken from %s\n", field_text(answer, "tube"));
    buf_fini(&time);
    return EXIT_CODE_OK;
}

static enum exit_code pause_call(const struct tool *tool, const char *method,
                                 const struct pause_options *pause)
{
    cJSON *params = cJSON_CreateObject();
    int rc = params ? jsonobj_add_str(params, "tube", pause->tube) : ENOMEM;
    if (rc == 0 && pause->time_ns != HL_FOREVER)
        rc = jsonobj_add_seconds(params, "time", pause->time_ns);
    if (rc == 0)
        return link_show(tool, method, params, pause_show);
    cJSON_Delete(params);
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

enum exit_code command_pause(struct tool *tool, int argc, char **argv)
{
    struct pause_options pause = {.time_ns = HL_FOREVER};
    command_parse(tool, "pause", pause_argp_options, pause_parse, &pause,
                  "Jobs may still be put, and what is running goes on. A new pause replaces the "
                  "one before.",
                  argc, argv);
    return pause_call(tool, "pause", &pause);
}

enum exit_code command_resume(struct tool *tool, int argc, char **argv)
{
    struct pause_options pause = {.time_ns = HL_FOREVER};
    static const struct argp_option none[] = {{0}};
    command_parse(tool, "resume", none, pause_parse, &pause,
                  "Ends a pause before its time; a tube that isn't paused stays as it is.", argc,
                  argv);
    return pause_call(tool, "resume", &pause);
}
