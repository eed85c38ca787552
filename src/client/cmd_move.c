// SPDX-License-Identifier: MIT
/* hilera move: jobs change their tube, and nothing else. */

#include "client/tool_choose_priv.h"
#include "client/tool_priv.h"

static const struct argp_option move_argp_options[] = {
    {"to", 'T', "TUBE", 0, "The tube to move them to; made if there is none", 0},
    BULK_OPTIONS("Move so many jobs at most"),
    {0}};

static error_t move_parse(int key, char *arg, struct argp_state *state)
{
    struct bulk *bulk = state->input;
    if (key == 'T') {
        bulk->to = tube_option(arg, state);
        return 0;
    }
    if (key == ARGP_KEY_END && !bulk->to)
        argp_error(state, "where to? Name the tube with --to TUBE");
    return bulk_parse(key, arg, state);
}

enum exit_code command_move(struct tool *tool, int argc, char **argv)
{
    struct bulk bulk = {.method = "move", .did = "moved", .would = "would move"};
    filter_init(&bulk.filter);
    command_parse(
        tool, "move", move_argp_options, move_parse, &bulk,
        "A job keeps its id, priority, state and counters. One that is running is left alone.\n\n  "
        "hilera move --to urgent 12\n  hilera move --to later --tube mail --state ready",
        argc, argv);
    return bulk_run(tool, &bulk);
}
