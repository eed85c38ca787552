// SPDX-License-Identifier: MIT
/*
 * hilera list: the jobs that match, in order of id; finished ones, the latest first.
 *
 * The daemon answers a page at a time, and a page may be short or empty without being the last. The
 * rows of pages are brought together for tables of up to LIST_ROWS; --json prints each page as it
 * is. Where it stops before the end it says where to go on: ids stay what they are, so that is a
 * good place however long it takes.
 */

#include "client/tool_choose_priv.h"
#include "client/tool_field_priv.h"
#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LIST_LIMIT_DEFAULT 100
#define LIST_ROWS 500 /* the daemon's limit of a page, too */

struct list_options {
    struct filter filter;
    bool all;
    const char *outcome; /* of finished jobs; NULL: any */
};

static const struct argp_option list_argp_options[] = {
    FILTER_OPTIONS("Show so many jobs at most (default: 100)"),
    {"all", 'a', NULL, 0, "Show all of them", 0},
    {"from", 'f', "ID", 0, "Begin at this id", 0},
    {"outcome", 'O', "OUTCOME", 0, "Finished jobs that are done, failed, deleted ... only", 0},
    {0}};

static error_t list_parse(int key, char *arg, struct argp_state *state)
{
    struct list_options *list = state->input;
    switch (key) {
    case 'S':
        if (strcmp(arg, "finished") != 0)
            return filter_parse(&list->filter, key, arg, state);
        list->filter.state = "finished";
        return 0;
    case 'O':
        list->outcome = arg;
        return 0;
    case 'a':
        list->all = true;
        return 0;
    case 'f':
        list->filter.from = number_option("from", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        return command_no_arguments(key, arg, state);
    case ARGP_KEY_END:
        if (list->all && list->filter.limit != 0)
            argp_error(state, "--all and --limit exclude each other");
        if (list->outcome && !list->filter.state)
            list->filter.state = "finished";
        if (list->outcome && strcmp(list->filter.state, "finished") != 0)
            argp_error(state, "--outcome is for finished jobs, not for those that are %s",
                       list->filter.state);
        return 0;
    default:
        return filter_parse(&list->filter, key, arg, state);
    }
}

/* Prints the rows that have come together, and forgets them. */
static enum exit_code rows_print(cJSON **rows)
{
    int rc = 0;
    if (*rows && (*rows)->child)
        rc = field_print_table(*rows, 0);
    cJSON_Delete(*rows);
    *rows = NULL;
    if (rc != 0)
        say("not enough memory");
    return rc == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

/* Moves the jobs of a page to the rows. */
static enum exit_code rows_add(cJSON **rows, cJSON *answer)
{
    cJSON *jobs = cJSON_GetObjectItemCaseSensitive(answer, "jobs");
    if (!cJSON_IsArray(jobs)) {
        say("the daemon's answer has no list of jobs");
        return EXIT_CODE_OUTPUT;
    }
    enum exit_code code = EXIT_CODE_OK;
    if (*rows && cJSON_GetArraySize(*rows) + cJSON_GetArraySize(jobs) > LIST_ROWS)
        code = rows_print(rows);
    if (!*rows) {
        *rows = cJSON_DetachItemViaPointer(answer, jobs);
        return code;
    }
    while (code == EXIT_CODE_OK && jobs->child)
        if (!cJSON_AddItemToArray(*rows, cJSON_DetachItemViaPointer(jobs, jobs->child)))
            code = EXIT_CODE_FAILED;
    return code;
}

/* One page. *left: how many jobs are still wanted. */
static enum exit_code list_page(const struct tool *tool, hl_client *client,
                                struct list_options *list, uint64_t *left, cJSON **rows)
{
    struct filter *filter = &list->filter;
    cJSON *params = cJSON_CreateObject(), *answer = NULL;
    const char *text;
    size_t len;
    if (!params || filter_add(filter, params) != 0 ||
        (list->outcome && jsonobj_add_str(params, "outcome", list->outcome) != 0) ||
        jsonobj_add_u64(params, "limit", *left < LIST_ROWS ? *left : LIST_ROWS) != 0) {
        cJSON_Delete(params);
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    enum exit_code code = link_call(client, "list", params, LINK_ANSWER_NS, &text, &len);
    if (code == EXIT_CODE_OK)
        code = link_parse(text, len, &answer);
    if (code == EXIT_CODE_OK && tool->json)
        code = out_json(text, len);
    if (code == EXIT_CODE_OK) {
        const cJSON *jobs = cJSON_GetObjectItemCaseSensitive(answer, "jobs");
        uint64_t found = cJSON_IsArray(jobs) ? (uint64_t)cJSON_GetArraySize(jobs) : 0;
        *left -= found < *left ? found : *left;
        if (!tool->json)
            code = rows_add(rows, answer);
        if (code == EXIT_CODE_OK)
            code = filter_next(filter, answer, found);
    }
    cJSON_Delete(answer);
    return code;
}

enum exit_code command_list(struct tool *tool, int argc, char **argv)
{
    struct list_options list = {.all = false};
    hl_client *client = NULL;
    cJSON *rows = NULL;
    filter_init(&list.filter);
    command_parse(tool, "list", list_argp_options, list_parse, &list,
                  "Jobs stand in order of id. What is put while the list is made isn't in it.\n\n"
                  "  hilera list --tube mail --state buried\n"
                  "  hilera list --state ready --older 1h\n"
                  "  hilera list --state finished --outcome failed --younger 1d\n\n"
                  "Finished jobs stand with the latest first, and their age counts from their end.",
                  argc, argv);
    uint64_t left = list.all                 ? UINT64_MAX
                    : list.filter.limit != 0 ? list.filter.limit
                                             : LIST_LIMIT_DEFAULT;
    list.filter.down = list.filter.state && strcmp(list.filter.state, "finished") == 0;
    enum exit_code code = link_open(tool, &client);
    do {
        if (code == EXIT_CODE_OK)
            code = list_page(tool, client, &list, &left, &rows);
        if (code == EXIT_CODE_OK && interrupted())
            code = EXIT_CODE_INTERRUPTED;
    } while (code == EXIT_CODE_OK && list.filter.from != 0 && left > 0 && !out_is_broken());
    enum exit_code printed = rows_print(&rows);
    if (code == EXIT_CODE_OK && list.filter.from != 0 && left == 0 && !tool->json) {
        (void)out_flush();
        say("there may be more: go on with --from %" PRIu64 ", or show --all", list.filter.from);
    }
    hl_client_free(&client);
    return code == EXIT_CODE_OK ? printed : code;
}
