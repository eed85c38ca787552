// SPDX-License-Identifier: MIT
/* hilera cancel: jobs are finished before their time, wherever they are, by id or by filter. */

#include "client/tool_choose_priv.h"
#include "client/tool_priv.h"

static const struct argp_option cancel_argp_options[] = {
    BULK_OPTIONS("Cancel so many jobs at most"), {0}};

enum exit_code command_cancel(struct tool *tool, int argc, char **argv)
{
    struct bulk bulk = {.method = "cancel", .did = "cancelled", .would = "would cancel"};
    filter_init(&bulk.filter);
    command_parse(
        tool, "cancel", cancel_argp_options, bulk_parse, &bulk,
        "Ready and delayed jobs are removed; one that a pool runs is stopped, as its time limit "
        "would; one that a worker elsewhere has is taken from it, which it learns with its next "
        "word about it. Buried jobs are finished already: see delete and kick.\n\n  hilera cancel "
        "12 13\n  hilera cancel --tube thumbnails --older 1h --dry-run",
        argc, argv);
    return bulk_run(tool, &bulk);
}
