// SPDX-License-Identifier: MIT
/* hilera bury: jobs are set aside, as failed ones, until somebody kicks or deletes them. With a
 * token, one that was reserved under it. */

#include "client/tool_choose_priv.h"
#include "client/tool_lease_priv.h"
#include "client/tool_priv.h"

#include <inttypes.h>
#include <stdlib.h>

struct bury_options {
    struct bulk bulk;
    uint64_t token; /* 0: none */
};

static const struct argp_option bury_argp_options[] = {
    BULK_OPTIONS("Bury so many jobs at most"),
    {"token", 'K', "TOKEN", 0, "The job is reserved under this token", 0},
    {0}};

static error_t bury_parse(int key, char *arg, struct argp_state *state)
{
    struct bury_options *bury = state->input;
    state->input = &bury->bulk;
    error_t rc = 0;
    if (key == 'K')
        bury->token = number_option("token", arg, state);
    else
        rc = bulk_parse(key, arg, state);
    state->input = bury;
    if (key == ARGP_KEY_END && bury->token != 0 && bury->bulk.count != 1)
        argp_error(state, "--token is for one job, which is named by its id");
    if (key == ARGP_KEY_END && bury->token != 0 && bury->bulk.dry_run)
        argp_error(state, "--token and --dry-run exclude each other");
    return rc;
}

static enum exit_code bury_reserved(const struct tool *tool, struct bury_options *bury)
{
    uint64_t id = bury->bulk.ids[0];
    hl_client *client = NULL;
    char name[40];
    snprintf(name, sizeof(name), "job %" PRIu64, id);
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = link_failed(
            client,
            hl_client_bury(client, id, bury->token, lease_priority(client, id), LINK_ANSWER_NS),
            name);
    hl_client_free(&client);
    free(bury->bulk.ids);
    if (code == EXIT_CODE_OK)
        out_printf(tool->json ? "{\"count\":1}\n" : "buried 1 job\n");
    return code;
}

enum exit_code command_bury(struct tool *tool, int argc, char **argv)
{
    struct bury_options bury = {.bulk = {.method = "bury", .did = "buried", .would = "would bury"}};
    filter_init(&bury.bulk.filter);
    command_parse(tool, "bury", bury_argp_options, bury_parse, &bury,
                  "Ready and delayed jobs are set aside until somebody kicks or deletes them; they "
                  "count as failed. One that is running is its worker's, who has its token.\n\n"
                  "  hilera bury 12\n  hilera bury --tube mail --older 1d\n"
                  "  hilera bury --token $token $id",
                  argc, argv);
    return bury.token != 0 ? bury_reserved(tool, &bury) : bulk_run(tool, &bury.bulk);
}
