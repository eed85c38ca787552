// SPDX-License-Identifier: MIT
/*
 * The commands that change jobs, each with ids or with a filter: what they share.
 *
 * Ids are sent one by one, and one that can't be changed doesn't keep the others from it: it is
 * named, and the exit status is that of the first such. A filter is sent again and again until the
 * daemon has been through all jobs (it changes about a thousand at a time); an interrupt ends it
 * between two, and what was done until then is told.
 */

#include "client/tool_choose_priv.h"
#include "client/tool_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

error_t bulk_parse(int key, char *arg, struct argp_state *state)
{
    struct bulk *bulk = state->input;
    switch (key) {
    case 'D':
        bulk->dry_run = true;
        return 0;
    case ARGP_KEY_INIT:
        bulk->ids = calloc((size_t)state->argc + 1, sizeof(*bulk->ids));
        return bulk->ids ? 0 : ENOMEM;
    case ARGP_KEY_ARG:
        if (json_parse_u64(arg, &bulk->ids[bulk->count]) != 0 || bulk->ids[bulk->count] == 0)
            argp_error(state, "\"%s\" is no job's id; ids are whole numbers from 1", arg);
        bulk->count++;
        return 0;
    case ARGP_KEY_END:
        if (bulk->count > 0 && (filter_given(&bulk->filter) || bulk->filter.limit != 0))
            argp_error(state, "ids and conditions exclude each other");
        if (bulk->count == 0 && !filter_given(&bulk->filter))
            argp_error(state, "name jobs by id, or choose them with --tube, --state, --older or "
                              "--younger; --dry-run tells how many that are");
        return 0;
    default:
        return filter_parse(&bulk->filter, key, arg, state);
    }
}

/* The parameters that are the same in each call. */
static cJSON *bulk_params(const struct bulk *bulk)
{
    cJSON *params = cJSON_CreateObject();
    int rc = params ? 0 : ENOMEM;
    if (rc == 0 && bulk->to)
        rc = jsonobj_add_str(params, "to", bulk->to);
    if (rc == 0 && bulk->dry_run)
        rc = jsonobj_add_bool(params, "dry_run", true);
    if (rc == 0 && bulk->reset)
        rc = jsonobj_add_bool(params, "reset", true);
    if (rc == 0)
        return params;
    cJSON_Delete(params);
    return NULL;
}

/* One call; adds to *done. */
static enum exit_code bulk_call(hl_client *client, struct bulk *bulk, cJSON *params, bool *more)
{
    const char *text;
    size_t len;
    cJSON *answer = NULL;
    enum exit_code code = link_call(client, bulk->method, params, LINK_ANSWER_NS, &text, &len);
    if (code == EXIT_CODE_OK)
        code = link_parse(text, len, &answer);
    if (code == EXIT_CODE_OK) {
        uint64_t count = field_u64(answer, "count");
        bulk->done += count;
        code = filter_next(&bulk->filter, answer, count);
        *more = bulk->filter.from != 0;
    }
    cJSON_Delete(answer);
    return code;
}

static enum exit_code no_memory(cJSON *params)
{
    cJSON_Delete(params);
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

static enum exit_code bulk_ids(hl_client *client, struct bulk *bulk)
{
    enum exit_code worst = EXIT_CODE_OK;
    for (size_t i = 0; i < bulk->count; i++) {
        bool more;
        cJSON *params = bulk_params(bulk);
        if (!params || jsonobj_add_u64(params, "id", bulk->ids[i]) != 0)
            return no_memory(params);
        enum exit_code code = bulk_call(client, bulk, params, &more);
        if (worst == EXIT_CODE_OK)
            worst = code;
        if (code != EXIT_CODE_OK && code != EXIT_CODE_NOT_FOUND && code != EXIT_CODE_REFUSED)
            return code;
    }
    return worst;
}

static enum exit_code bulk_matching(hl_client *client, struct bulk *bulk)
{
    enum exit_code code = EXIT_CODE_OK;
    bool more = true;
    while (code == EXIT_CODE_OK && more &&
           (bulk->filter.limit == 0 || bulk->done < bulk->filter.limit)) {
        cJSON *params = bulk_params(bulk);
        if (!params || filter_add(&bulk->filter, params) != 0 ||
            (bulk->filter.limit != 0 &&
             jsonobj_add_u64(params, "limit", bulk->filter.limit - bulk->done) != 0))
            return no_memory(params);
        code = bulk_call(client, bulk, params, &more);
        if (code == EXIT_CODE_OK && interrupted())
            code = EXIT_CODE_INTERRUPTED;
    }
    return code;
}

enum exit_code bulk_run(const struct tool *tool, struct bulk *bulk)
{
    hl_client *client = NULL;
    enum exit_code code = link_open(tool, &client);
    bool asked = code == EXIT_CODE_OK;
    if (asked)
        code = bulk->count > 0 ? bulk_ids(client, bulk) : bulk_matching(client, bulk);
    if (asked && tool->json)
        out_printf("{\"count\":%" PRIu64 "}\n", bulk->done);
    else if (asked && (code == EXIT_CODE_OK || bulk->done > 0))
        out_printf("%s %" PRIu64 " job%s\n", bulk->dry_run ? bulk->would : bulk->did, bulk->done,
                   bulk->done == 1 ? "" : "s");
    hl_client_free(&client);
    free(bulk->ids);
    return code;
}
