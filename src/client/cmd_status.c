// SPDX-License-Identifier: MIT
/*
 * hilera status: what there is to do and who does it, on one screen: a line about the daemon, a
 * table of tubes, a table of pools. `hilera stats` has every counter; this has what one looks for.
 */

#include "client/tool_priv.h"
#include "client/tool_table_priv.h"

#include "base/buf.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct count tube_counts[] = {
    {"ready", "ready", false},   {"delayed", "delayed", false},   {"reserved", "reserved", false},
    {"buried", "buried", false}, {"waiting", "waiting", false},   {"done", "done", false},
    {"failed", "failed", true},  {"cancelled", "cancelled", true}};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* "paused, 4 min 05 s left", or nothing. */
static int cell_pause(struct table *table, const cJSON *row)
{
    int64_t left_ns = field_seconds(row, "pause_left");
    struct buf text = BUF_EMPTY;
    int rc = 0;
    if (left_ns > PAUSE_NO_END_NS / 2)
        rc = buf_append_str(&text, "paused");
    else if (left_ns > 0) {
        rc = buf_append_str(&text, "paused, ");
        if (rc == 0)
            rc = duration_append(&text, left_ns);
        if (rc == 0)
            rc = buf_append_str(&text, " left");
    }
    if (rc == 0)
        rc = table_text(table, text.data ? text.data : "");
    buf_fini(&text);
    return rc;
}

static int tubes_print(const cJSON *tubes)
{
    struct table table;
    struct count counts[COUNTS_MAX];
    const cJSON *row;
    size_t count = counts_choose(tube_counts, COUNT_OF(tube_counts), tubes, counts);
    int rc = table_init(&table, count + 2);
    for (size_t i = 0; rc == 0 && i < count; i++)
        table_align_right(&table, i + 1);
    if (rc == 0)
        rc = table_text(&table, "tube");
    if (rc == 0)
        rc = table_counts(&table, counts, count, NULL);
    if (rc == 0)
        rc = table_text(&table, "");
    cJSON_ArrayForEach(row, tubes)
    {
        if (rc == 0)
            rc = table_text(&table, field_text(row, "name"));
        if (rc == 0)
            rc = table_counts(&table, counts, count, row);
        if (rc == 0)
            rc = cell_pause(&table, row);
    }
    if (rc == 0)
        rc = table_print(&table, out_width(), 0);
    table_fini(&table);
    return rc;
}

static int daemon_print(const cJSON *daemon, const cJSON *jobs)
{
    struct buf line = BUF_EMPTY;
    uint64_t left = field_u64(jobs, "unfinished");
    int rc = buf_printf(&line, "hilerad %s, pid %" PRIu64 ", up ", field_text(daemon, "version"),
                        field_u64(daemon, "pid"));
    if (rc == 0)
        rc = duration_append(&line, field_seconds(daemon, "uptime"));
    if (rc == 0)
        rc = buf_printf(&line, "; %" PRIu64 " job%s", left,
                        left == 1 ? " is unfinished" : "s are unfinished");
    if (rc == 0)
        out_text(STYLE_PLAIN, line.data);
    if (rc == 0 && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(daemon, "draining"))) {
        out_printf("; ");
        out_text(STYLE_BAD, "draining");
    }
    out_printf("\n");
    buf_fini(&line);
    return rc;
}

static enum exit_code status_show(const cJSON *answer)
{
    const cJSON *tubes = cJSON_GetObjectItemCaseSensitive(answer, "tubes");
    const cJSON *pools = cJSON_GetObjectItemCaseSensitive(answer, "pools");
    if (!cJSON_IsArray(tubes) || !cJSON_IsArray(pools)) {
        say("the daemon's answer has no tubes or pools");
        return EXIT_CODE_OUTPUT;
    }
    int rc = daemon_print(cJSON_GetObjectItemCaseSensitive(answer, "daemon"),
                          cJSON_GetObjectItemCaseSensitive(answer, "jobs"));
    out_printf("\n");
    if (rc == 0)
        rc = tubes_print(tubes);
    if (rc == 0 && pools->child) {
        out_printf("\n");
        rc = pools_print(pools);
    }
    if (rc == 0)
        return EXIT_CODE_OK;
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

enum exit_code command_status(struct tool *tool, int argc, char **argv)
{
    command_parse(
        tool, "status", NULL, command_no_arguments, NULL,
        "\"waiting\" is how many workers and connections wait for a job of the tube, "
        "\"done\" counts since the tube exists, and so do \"failed\" and \"cancelled\", which "
        "are shown where there are any. --json answers as \"hilera stats\" does.",
        argc, argv);
    return link_show(tool, "stats", NULL, status_show);
}
