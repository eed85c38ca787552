// SPDX-License-Identifier: MIT
/* hilera kick: buried jobs become ready again, delayed ones before their time. */

#include "client/tool_choose_priv.h"
#include "client/tool_priv.h"

static const struct argp_option kick_argp_options[] = {
    BULK_OPTIONS("Kick so many jobs at most"),
    {"reset", 'r', NULL, 0, "Let what rules limit begin anew: failures, timeouts, crashes, losses",
     0},
    {0}};

static error_t kick_parse(int key, char *arg, struct argp_state *state)
{
    struct bulk *bulk = state->input;
    if (key != 'r')
        return bulk_parse(key, arg, state);
    bulk->reset = true;
    return 0;
}

enum exit_code command_kick(struct tool *tool, int argc, char **argv)
{
    struct bulk bulk = {.method = "kick", .did = "kicked", .would = "would kick"};
    filter_init(&bulk.filter);
    command_parse(
        tool, "kick", kick_argp_options, kick_parse, &bulk,
        "Buried jobs become ready again, and delayed ones before their time; all others are left "
        "alone. Priorities stay. A job whose attempts were used up gets one more, with --reset all "
        "of them.\n\n  hilera kick 12 13\n  hilera kick --tube mail --state buried",
        argc, argv);
    return bulk_run(tool, &bulk);
}
