// SPDX-License-Identifier: MIT
/* hilera delete: jobs that nobody has reserved go for good, by id or by filter. */

#include "client/tool_choose_priv.h"
#include "client/tool_priv.h"

static const struct argp_option delete_argp_options[] = {
    BULK_OPTIONS("Delete so many jobs at most"), {0}};

enum exit_code command_delete(struct tool *tool, int argc, char **argv)
{
    struct bulk bulk = {.method = "delete", .did = "deleted", .would = "would delete"};
    filter_init(&bulk.filter);
    command_parse(
        tool, "delete", delete_argp_options, bulk_parse, &bulk,
        "Jobs that nobody has reserved go for good; one that is running is left alone.\n\n  hilera "
        "delete 12 13\n  hilera delete --state buried --older 7d --dry-run",
        argc, argv);
    return bulk_run(tool, &bulk);
}
