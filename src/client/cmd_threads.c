// SPDX-License-Identifier: MIT
/* hilera threads: every thread of the daemon, and what it waits for. */

#include "client/tool_field_priv.h"
#include "client/tool_priv.h"

static enum exit_code threads_show(const cJSON *answer)
{
    const cJSON *threads = cJSON_GetObjectItemCaseSensitive(answer, "threads");
    if (!cJSON_IsArray(threads)) {
        say("the daemon's answer has no list of threads");
        return EXIT_CODE_OUTPUT;
    }
    if (field_print_table(threads, 0) == 0)
        return EXIT_CODE_OK;
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

enum exit_code command_threads(struct tool *tool, int argc, char **argv)
{
    command_parse(
        tool, "threads", NULL, command_no_arguments, NULL,
        "A thread that waits names the kind of wait and the object; \"waiting\" is for how "
        "long already. The daemon writes the same to its log on SIGQUIT.",
        argc, argv);
    return link_show(tool, "threads", NULL, threads_show);
}
