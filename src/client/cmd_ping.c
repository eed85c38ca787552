// SPDX-License-Identifier: MIT
/* hilera ping: whether a daemon answers, which one, how fast, and whether it is well. */

#include "client/tool_field_priv.h"
#include "client/tool_priv.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

static int64_t ping_started_ns;

static enum exit_code ping_show(const cJSON *answer)
{
    struct buf line = BUF_EMPTY;
    int64_t took_ns = clock_now_ns() - ping_started_ns;
    const cJSON *uptime = cJSON_GetObjectItemCaseSensitive(answer, "uptime");
    int rc = buf_printf(&line, "hilerad %s, pid %" PRIu64, field_text(answer, "version"),
                        field_u64(answer, "pid"));
    if (rc == 0 && uptime) {
        rc = buf_append_str(&line, ", up ");
        if (rc == 0)
            rc = field_append(&line, uptime);
    }
    if (rc == 0)
        rc = buf_append_str(&line, ", answers after ");
    if (rc == 0)
        rc = duration_append(&line, took_ns);
    const char *health = field_text(answer, "health");
    const char *reason = field_text(answer, "health_reason");
    if (rc == 0 && reason[0] != '\0')
        rc = buf_printf(&line, "; health %s: %s", health, reason);
    if (rc == 0) {
        out_text(STYLE_PLAIN, line.data);
        out_printf("\n");
    }
    buf_fini(&line);
    return rc == 0 && strcmp(health, "red") != 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

enum exit_code command_ping(struct tool *tool, int argc, char **argv)
{
    command_parse(tool, "ping", NULL, command_no_arguments, NULL,
                  "The time includes connecting. Exit status 0: it answers; 1: it answers, but "
                  "its health is red; 3: no daemon does.",
                  argc, argv);
    ping_started_ns = clock_now_ns();
    return link_show(tool, "ping", NULL, ping_show);
}
