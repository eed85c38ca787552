// SPDX-License-Identifier: MIT
/* hilera stats: the daemon's counters, section by section as the daemon orders them. */

#include "client/tool_field_priv.h"
#include "client/tool_priv.h"

static enum exit_code stats_show(const cJSON *answer)
{
    if (field_print(answer, 0) == 0)
        return EXIT_CODE_OK;
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

enum exit_code command_stats(struct tool *tool, int argc, char **argv)
{
    command_parse(tool, "stats", NULL, command_no_arguments, NULL,
                  "For programs there is --json, whose numbers are exact and whose names stay.",
                  argc, argv);
    return link_show(tool, "stats", NULL, stats_show);
}
