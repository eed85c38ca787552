// SPDX-License-Identifier: MIT
/* hilera clear: a tube without jobs, but for those that are running. */

#include "client/tool_choose_priv.h"
#include "client/tool_priv.h"

static const struct argp_option clear_argp_options[] = {
    {"dry-run", 'D', NULL, 0, "Only tell how many jobs it would be", 0}, {0}};

static error_t clear_parse(int key, char *arg, struct argp_state *state)
{
    struct bulk *bulk = state->input;
    switch (key) {
    case 'D':
        bulk->dry_run = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one tube only, but there is also \"%s\"", arg);
        bulk->filter.tube = tube_option(arg, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants the name of a tube; 'hilera status' shows them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

enum exit_code command_clear(struct tool *tool, int argc, char **argv)
{
    struct bulk bulk = {.method = "clear", .did = "deleted", .would = "would delete"};
    filter_init(&bulk.filter);
    command_parse(tool, "clear", clear_argp_options, clear_parse, &bulk,
                  "Deletes every job that the tube has when it begins, buried ones, too. What is "
                  "running goes on. \"hilera delete\" chooses more finely.",
                  argc, argv);
    return bulk_run(tool, &bulk);
}
