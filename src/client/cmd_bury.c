// SPDX-License-Identifier: MIT
/* hilera bury: jobs are set aside, as failed ones, until somebody kicks or deletes them. */

#include "client/tool_priv.h"

static const struct argp_option bury_argp_options[] = {BULK_OPTIONS("Bury so many jobs at most"),
                                                       {0}};

enum exit_code command_bury(struct tool *tool, int argc, char **argv)
{
    struct bulk bulk = {.method = "bury", .did = "buried", .would = "would bury"};
    filter_init(&bulk.filter);
    command_parse(tool, "bury", bury_argp_options, bulk_parse, &bulk,
                  "Ready and delayed jobs are set aside until somebody kicks or deletes them; they "
                  "count as failed. One that is running is its worker's.\n\n  hilera bury 12\n  "
                  "hilera bury --tube mail --older 1d",
                  argc, argv);
    return bulk_run(tool, &bulk);
}
