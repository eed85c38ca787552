// SPDX-License-Identifier: MIT
/*
 * hilera pool: the pools, and what can be changed of one while the daemon runs. The word behind
 * "pool" chooses a row of the table of verbs; to add one, add a row.
 */

#include "client/tool_priv.h"
#include "client/tool_table_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"
#include "base/nearest.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct pool_options {
    const struct verb *verb; /* NULL: not named yet */
    const char *pool;
    uint64_t workers;
    int64_t timeout_ns;
};

static enum exit_code list_show(const cJSON *answer)
{
    const cJSON *pools = cJSON_GetObjectItemCaseSensitive(answer, "pools");
    if (!cJSON_IsArray(pools)) {
        say("the daemon's answer has no pools");
        return EXIT_CODE_OUTPUT;
    }
    if (!pools->child) {
        out_printf("the daemon has no pools\n");
        return EXIT_CODE_OK;
    }
    if (pools_print(pools) == 0)
        return EXIT_CODE_OK;
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

static enum exit_code pool_show(const cJSON *answer)
{
    uint64_t workers = field_u64(answer, "workers"), leaving = field_u64(answer, "leaving");
    bool paused = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "paused"));
    out_printf("%s has %" PRIu64 " worker%s, %" PRIu64 " busy", field_text(answer, "name"), workers,
               workers == 1 ? "" : "s", field_u64(answer, "busy"));
    if (leaving > 0)
        out_printf(", of whom %" PRIu64 " end with their job", leaving);
    out_printf("%s\n", paused ? "; it is paused and takes nothing" : "");
    return EXIT_CODE_OK;
}

static const struct verb {
    const char *name, *method;
    int arguments; /* behind it: the pool, how many workers */
    bool waits;
    enum exit_code (*show)(const cJSON *answer);
} verbs[] = {
    {"list", "pool_list", 0, false, list_show},   {"resize", "pool_resize", 2, false, pool_show},
    {"pause", "pool_pause", 1, false, pool_show}, {"resume", "pool_resume", 1, false, pool_show},
    {"drain", "pool_drain", 1, true, pool_show},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static const struct argp_option pool_argp_options[] = {
    {"timeout", 'T', "TIME", 0, "drain: wait this long at most, such as 10m", 0}, {0}};

static void verb_choose(struct pool_options *options, const char *arg, struct argp_state *state)
{
    struct nearest nearest;
    nearest_init(&nearest, arg);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, arg) == 0)
            options->verb = &verbs[i];
        nearest_offer(&nearest, verbs[i].name);
    }
    const char *near = nearest_best(&nearest);
    if (!options->verb)
        argp_error(state,
                   "\"%s\" is nothing that can be done with a pool%s%s%s; there are list, "
                   "resize, pause, resume and drain",
                   arg, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void argument_take(struct pool_options *options, unsigned number, const char *arg,
                          struct argp_state *state)
{
    if (number == 0)
        verb_choose(options, arg, state);
    else if ((int)number > options->verb->arguments)
        argp_error(state, "pool %s takes nothing more, but there is \"%s\"", options->verb->name,
                   arg);
    else if (number == 1)
        options->pool = arg;
    else if (json_parse_u64(arg, &options->workers) != 0)
        argp_error(state, "\"%s\" is no number of workers; a whole number from 0 would be", arg);
}

static error_t pool_parse(int key, char *arg, struct argp_state *state)
{
    struct pool_options *options = state->input;
    switch (key) {
    case 'T':
        options->timeout_ns = duration_option("timeout", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        argument_take(options, state->arg_num, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (!options->verb)
            argp_error(state, "it wants to know what: list, resize, pause, resume or drain");
        else if ((int)state->arg_num <= options->verb->arguments)
            argp_error(state, "pool %s wants the name of a pool%s; 'hilera pool list' shows them",
                       options->verb->name,
                       options->verb->arguments > 1 ? " and how many workers" : "");
        else if (options->timeout_ns != HL_FOREVER && !options->verb->waits)
            argp_error(state, "pool %s doesn't wait, so it takes no --timeout",
                       options->verb->name);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

enum exit_code command_pool(struct tool *tool, int argc, char **argv)
{
    struct pool_options options = {.timeout_ns = HL_FOREVER};
    command_parse(tool, "pool", pool_argp_options, pool_parse, &options,
                  "resize: more workers start at once; of fewer, those without a job end first and "
                  "the rest when their job has ended. pause: its workers take nothing, what runs "
                  "goes on, and others take as before. drain: a pause, and waits until none of its "
                  "workers has a job. All of it lasts until the daemon ends.",
                  argc, argv);
    const struct verb *verb = options.verb;
    cJSON *params = cJSON_CreateObject();
    int rc = params ? 0 : ENOMEM;
    if (rc == 0 && options.pool)
        rc = jsonobj_add_str(params, "pool", options.pool);
    if (rc == 0 && verb->arguments > 1)
        rc = jsonobj_add_u64(params, "workers", options.workers);
    if (rc == 0 && options.timeout_ns != HL_FOREVER)
        rc = jsonobj_add_seconds(params, "timeout", options.timeout_ns);
    if (rc == 0)
        return link_show_within(tool, verb->method, params,
                                verb->waits ? HL_FOREVER : LINK_ANSWER_NS, verb->show);
    cJSON_Delete(params);
    say("not enough memory");
    return EXIT_CODE_FAILED;
}
