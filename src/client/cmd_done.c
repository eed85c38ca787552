// SPDX-License-Identifier: MIT
/*
 * hilera done, release, touch: what becomes of a job that `hilera reserve` has reserved. Each takes
 * id and token, as reserve prints them.
 */

#include "client/tool_lease_priv.h"
#include "client/tool_priv.h"

#include "base/json.h"

#include <errno.h>
#include <inttypes.h>

struct lease_options {
    uint64_t id, token;
    uint32_t priority;
    bool priority_given;
    int64_t delay_ns;
};

static const struct argp_option no_options[] = {{0}};
static const struct argp_option release_argp_options[] = {
    {"delay", 'd', "TIME", 0, "Ready only after this time, such as 10s, 5m, 1h30m", 0},
    {"priority", 'p', "NUMBER", 0, "0 is the most urgent (default: as it was)", 0},
    {0}};

static error_t lease_parse(int key, char *arg, struct argp_state *state)
{
    struct lease_options *lease = state->input;
    uint64_t number;
    switch (key) {
    case 'd':
        lease->delay_ns = duration_option("delay", arg, state);
        return 0;
    case 'p':
        if (json_parse_u64(arg, &number) != 0 || number > UINT32_MAX)
            argp_error(state, "--priority wants a number from 0 to %u, not \"%s\"", UINT32_MAX,
                       arg);
        lease->priority = (uint32_t)number;
        lease->priority_given = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            lease->id = number_option("id", arg, state);
        else if (state->arg_num == 1)
            lease->token = number_option("token", arg, state);
        else
            argp_error(state, "one job only, but there is also \"%s\"", arg);
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "it wants id and token of a job, as hilera reserve prints them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

typedef int lease_end(hl_client *client, const struct lease_options *lease);

static int end_done(hl_client *client, const struct lease_options *lease)
{
    return hl_client_done(client, lease->id, lease->token, LINK_ANSWER_NS);
}

static int end_touch(hl_client *client, const struct lease_options *lease)
{
    return hl_client_touch(client, lease->id, lease->token, LINK_ANSWER_NS);
}

static int end_release(hl_client *client, const struct lease_options *lease)
{
    uint32_t priority = lease->priority_given ? lease->priority : lease_priority(client, lease->id);
    return hl_client_release(client, lease->id, lease->token, priority, lease->delay_ns,
                             LINK_ANSWER_NS);
}

static enum exit_code lease_run(const struct tool *tool, const struct lease_options *lease,
                                lease_end *end)
{
    hl_client *client = NULL;
    enum exit_code code = link_open(tool, &client);
    char name[40];
    snprintf(name, sizeof(name), "job %" PRIu64, lease->id);
    if (code == EXIT_CODE_OK)
        code = link_failed(client, end(client, lease), name);
    hl_client_free(&client);
    if (code == EXIT_CODE_OK && tool->json)
        out_printf("{\"id\":%" PRIu64 "}\n", lease->id);
    return code;
}

enum exit_code command_done(struct tool *tool, int argc, char **argv)
{
    struct lease_options lease = {.id = 0};
    command_parse(tool, "done", no_options, lease_parse, &lease, "The job is finished and leaves.",
                  argc, argv);
    return lease_run(tool, &lease, end_done);
}

enum exit_code command_release(struct tool *tool, int argc, char **argv)
{
    struct lease_options lease = {.id = 0};
    command_parse(tool, "release", release_argp_options, lease_parse, &lease,
                  "The job is ready again, at once or after the delay.", argc, argv);
    return lease_run(tool, &lease, end_release);
}

enum exit_code command_touch(struct tool *tool, int argc, char **argv)
{
    struct lease_options lease = {.id = 0};
    command_parse(tool, "touch", no_options, lease_parse, &lease,
                  "Its TTR begins anew. If that is refused as stale, the job is not yours any "
                  "more: stop working at it.",
                  argc, argv);
    return lease_run(tool, &lease, end_touch);
}
