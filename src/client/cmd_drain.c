// SPDX-License-Identifier: MIT
/* hilera drain, hilera undrain: the daemon takes no new jobs, and takes them again. */

#include "client/tool_priv.h"

#include <inttypes.h>

static enum exit_code drain_show(const cJSON *answer)
{
    uint64_t left = field_u64(answer, "unfinished");
    out_printf("draining: new jobs are refused, %" PRIu64 " job%s unfinished\n", left,
               left == 1 ? " is" : "s are");
    return EXIT_CODE_OK;
}

static enum exit_code undrain_show(const cJSON *answer)
{
    (void)answer;
    out_printf("not draining: new jobs are taken\n");
    return EXIT_CODE_OK;
}

enum exit_code command_drain(struct tool *tool, int argc, char **argv)
{
    command_parse(tool, "drain", NULL, command_no_arguments, NULL,
                  "Everything but putting goes on, so that the queue runs empty; \"hilera join\" "
                  "waits for that. \"hilera undrain\" takes it back. The signal SIGUSR1 does the "
                  "same.",
                  argc, argv);
    return link_show(tool, "drain", NULL, drain_show);
}

enum exit_code command_undrain(struct tool *tool, int argc, char **argv)
{
    command_parse(tool, "undrain", NULL, command_no_arguments, NULL,
                  "Ends what \"hilera drain\" or the signal SIGUSR1 began. A daemon that is "
                  "stopping can't be told so.",
                  argc, argv);
    return link_show(tool, "undrain", NULL, undrain_show);
}
