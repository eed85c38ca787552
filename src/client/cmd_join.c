// SPDX-License-Identifier: MIT
/*
 * hilera join: until every job of a tube, of a group, or of all tubes, is finished.
 *
 * The daemon does the waiting and answers when it is so. With --progress a second connection asks
 * for the counters a few times a second meanwhile, since answers on the first one stand in line
 * behind the join. The bar counts from the moment the command was started.
 */

#include "client/tool_priv.h"
#include "client/tool_progress_priv.h"

#include "base/clock.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define JOIN_LOOK_NS (200 * HL_MILLISECOND)

struct join_options {
    const char *tube; /* NULL: all */
    const char *group;
    int64_t timeout_ns;
    bool progress, so_far;
};

static const struct argp_option join_argp_options[] = {
    {"timeout", 'T', "TIME", 0, "Give up after this time, such as 10s or 5m", 0},
    {"group", 'g', "GROUP", 0, "Join this group, in whatever tubes its jobs are", 0},
    {"so-far", 'S', NULL, 0, "Don't wait for jobs that are put from now on", 0},
    {"progress", 'P', NULL, 0, "Show a bar meanwhile, if standard error is a terminal", 0},
    {0}};

static error_t join_parse(int key, char *arg, struct argp_state *state)
{
    struct join_options *join = state->input;
    switch (key) {
    case 'T':
        join->timeout_ns = duration_option("timeout", arg, state);
        return 0;
    case 'P':
        join->progress = true;
        return 0;
    case 'S':
        join->so_far = true;
        return 0;
    case 'g':
        join->group = arg;
        return 0;
    case ARGP_KEY_END:
        if (join->group && (join->tube || join->progress))
            argp_error(state, "--group takes neither a tube nor --progress");
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one tube, or none for all, but there is also \"%s\"", arg);
        if (!hl_client_tube_valid(arg))
            argp_error(state, "\"%s\" is no name for a tube", arg);
        join->tube = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the bar ---- */

struct counts {
    uint64_t finished, unfinished, failed;
};

/* Of the tube, or of all jobs. A tube the daemon doesn't know (any more) counts nothing. */
static struct counts counts_read(const cJSON *stats, const char *tube)
{
    const cJSON *at = cJSON_GetObjectItemCaseSensitive(stats, "jobs"), *row;
    if (tube) {
        at = NULL;
        cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(stats, "tubes"))
        {
            if (strcmp(field_text(row, "name"), tube) == 0)
                at = row;
        }
    }
    struct counts counts = {.failed = field_u64(at, "failed")};
    counts.finished = field_u64(at, "done") + field_u64(at, "deleted") +
                      field_u64(at, "cancelled") + counts.failed;
    counts.unfinished = field_u64(at, "unfinished");
    return counts;
}

struct bar {
    hl_client *client; /* its own; NULL: no bar */
    struct progress progress;
    struct counts first;
    bool counted;
};

static void bar_open(struct bar *bar, const struct tool *tool)
{
    progress_begin(&bar->progress);
    if (bar->progress.on && link_open(tool, &bar->client) != EXIT_CODE_OK)
        hl_client_free(&bar->client);
}

/* One look at the counters. A bar that can't be is given up; the join goes on. */
static void bar_look(struct bar *bar, const char *tube)
{
    const char *text;
    size_t len;
    cJSON *stats = NULL;
    if (!bar->client)
        return;
    if (hl_client_call(bar->client, "stats", NULL, LINK_ANSWER_NS, &text, &len) != 0 ||
        jsonobj_parse(&stats, text, len, NULL) != 0) {
        hl_client_free(&bar->client);
        return;
    }
    struct counts now = counts_read(stats, tube);
    cJSON_Delete(stats);
    if (!bar->counted)
        bar->first = now;
    bar->counted = true;
    uint64_t finished = now.finished - bar->first.finished;
    progress_update(&bar->progress, finished, finished + now.unfinished,
                    now.failed - bar->first.failed);
}

static void bar_close(struct bar *bar)
{
    progress_hide(&bar->progress);
    hl_client_free(&bar->client);
}

/* ---- the join ---- */

static char *join_params(const struct join_options *join)
{
    cJSON *params = cJSON_CreateObject();
    int rc = params ? 0 : ENOMEM;
    if (rc == 0 && join->tube)
        rc = jsonobj_add_str(params, "tube", join->tube);
    if (rc == 0 && join->group)
        rc = jsonobj_add_str(params, "group", join->group);
    if (rc == 0 && join->timeout_ns != HL_FOREVER)
        rc = jsonobj_add_seconds(params, "timeout", join->timeout_ns);
    if (rc == 0 && join->so_far)
        rc = jsonobj_add_bool(params, "so_far", true);
    char *json = rc == 0 ? cJSON_PrintUnformatted(params) : NULL;
    cJSON_Delete(params);
    return json;
}

static enum exit_code join_show(const struct tool *tool, const struct join_options *join,
                                const struct hl_client_reply *reply)
{
    cJSON *answer = NULL;
    if (tool->json)
        return out_json(reply->text, reply->len);
    enum exit_code code = link_parse(reply->text, reply->len, &answer);
    if (code == EXIT_CODE_OK) {
        uint64_t cancelled = field_u64(answer, "cancelled");
        out_printf("%s: %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " deleted",
                   join->group  ? join->group
                   : join->tube ? join->tube
                                : "all tubes",
                   field_u64(answer, "done"), field_u64(answer, "failed"),
                   field_u64(answer, "deleted"));
        if (cancelled > 0)
            out_printf(", %" PRIu64 " cancelled", cancelled);
        out_printf("\n");
    }
    cJSON_Delete(answer);
    return code;
}

static enum exit_code join_wait(const struct tool *tool, hl_client *client,
                                const struct join_options *join)
{
    struct hl_client_reply reply = {0};
    struct bar bar = {0};
    /* The daemon's timeout comes first; this one is for a daemon that hangs. */
    int64_t deadline_ns = clock_deadline(join->timeout_ns < HL_FOREVER - LINK_ANSWER_NS
                                             ? join->timeout_ns + LINK_ANSWER_NS
                                             : HL_FOREVER);
    char *json = join_params(join);
    int rc = json ? hl_client_send_call(client, "join", json) : ENOMEM;
    cJSON_free(json);
    if (rc == 0 && join->progress)
        bar_open(&bar, tool);
    while (rc == 0) {
        int64_t look_ns = bar.client                   ? JOIN_LOOK_NS
                          : deadline_ns == CLOCK_NEVER ? HL_FOREVER
                                                       : deadline_ns - clock_now_ns();
        rc = hl_client_receive(client, &reply, look_ns);
        if (rc != ETIMEDOUT || clock_now_ns() >= deadline_ns)
            break;
        rc = 0;
        bar_look(&bar, join->tube);
    }
    bar_close(&bar);
    if (rc == 0)
        rc = reply.result;
    if (rc != 0)
        return link_failed(client, rc, NULL);
    return join_show(tool, join, &reply);
}

enum exit_code command_join(struct tool *tool, int argc, char **argv)
{
    struct join_options join = {.timeout_ns = HL_FOREVER};
    hl_client *client = NULL;
    command_parse(
        tool, "join", join_argp_options, join_parse, &join,
        "A job is finished when it is done, failed, deleted or cancelled. At the end the tube's "
        "counts are printed; they are since the tube exists, which is as long as it has "
        "jobs or somebody uses it. A group's counts are kept for a day (group_keep "
        "in hilerad.conf) after its last job, over restarts of the daemon, too. Exit status 0 also "
        "if jobs failed; 5: not all are "
        "finished in time.",
        argc, argv);
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = join_wait(tool, client, &join);
    hl_client_free(&client);
    return code;
}
