// SPDX-License-Identifier: MIT
/*
 * hilera complete: the names that may stand in a command line, one a line, for the completion of
 * shells.
 *
 * A shell may run what it is offered: bash expands $(...) in the words of `compgen -W`, and whoever
 * can put a job can name a tube so. Therefore only names of plain characters are printed, which
 * mean themselves to every shell; what would have to be quoted isn't offered. That goes for names
 * of our own, too, so that nobody has to know which are whose.
 */

#include "client/tool_priv.h"

#include <errno.h>
#include <string.h>

#define COMPLETE_MOST 1000                 /* names; nobody reads more at a prompt */
#define COMPLETE_ANSWER_NS (2 * HL_SECOND) /* somebody waits with a hand on the keys */

struct complete {
    const struct complete_kind *kind;
    const char *begin; /* what the names must begin with */
    cJSON *names;
};

/* What names there are: of the tool itself (`fill`), or the rows of a member of the daemon's
 * stats. */
struct complete_kind {
    const char *name;
    int (*fill)(struct complete *complete);
    const char *member;
};

/* Not at the beginning: an option, or what a shell does with "+" there. */
static bool is_inner(char c)
{
    return c == '-' || c == '+';
}

static bool is_plain(const char *name)
{
    for (const char *at = name; *at != '\0'; at++)
        if (!(*at >= 'a' && *at <= 'z') && !(*at >= 'A' && *at <= 'Z') &&
            !(*at >= '0' && *at <= '9') && strchr("._/", *at) == NULL &&
            !(at > name && is_inner(*at)))
            return false;
    return name[0] != '\0';
}

static int offer(struct complete *complete, const char *name)
{
    if (!is_plain(name) || strncmp(name, complete->begin, strlen(complete->begin)) != 0 ||
        cJSON_GetArraySize(complete->names) >= COMPLETE_MOST)
        return 0;
    cJSON *item = cJSON_CreateString(name);
    if (item != NULL && cJSON_AddItemToArray(complete->names, item))
        return 0;
    cJSON_Delete(item);
    return ENOMEM;
}

static int fill_commands(struct complete *complete)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < command_count; i++)
        rc = offer(complete, commands[i].name);
    return rc;
}

static int fill_states(struct complete *complete)
{
    static const char *const states[] = {"ready", "delayed", "reserved", "buried"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(states) / sizeof(states[0]); i++)
        rc = offer(complete, states[i]);
    return rc;
}

static const struct complete_kind kinds[] = {{"commands", fill_commands, NULL},
                                             {"states", fill_states, NULL},
                                             {"tubes", NULL, "tubes"},
                                             {"pools", NULL, "pools"}};

static error_t complete_parse(int key, char *arg, struct argp_state *state)
{
    struct complete *complete = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "one beginning only, but there is also \"%s\"", arg);
        if (state->arg_num == 1) {
            complete->begin = arg;
            return 0;
        }
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            if (strcmp(kinds[i].name, arg) == 0)
                complete->kind = &kinds[i];
        if (complete->kind == NULL)
            argp_error(state,
                       "there are no names of \"%s\"; it knows commands, states, tubes and "
                       "pools",
                       arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "it wants to know which names: commands, states, tubes or pools");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum exit_code complete_ask(const struct tool *tool, struct complete *complete)
{
    hl_client *client = NULL;
    cJSON *answer = NULL;
    const cJSON *row;
    const char *text;
    size_t len;
    int rc = 0;
    enum exit_code code = link_open(tool, &client);
    if (code == EXIT_CODE_OK)
        code = link_call(client, "stats", NULL, COMPLETE_ANSWER_NS, &text, &len);
    if (code == EXIT_CODE_OK)
        code = link_parse(text, len, &answer);
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(answer, complete->kind->member))
    {
        if (rc == 0)
            rc = offer(complete, field_text(row, "name"));
    }
    cJSON_Delete(answer);
    hl_client_free(&client);
    if (rc == 0)
        return code;
    say("not enough memory");
    return EXIT_CODE_FAILED;
}

static enum exit_code complete_show(const struct tool *tool, struct complete *complete)
{
    const cJSON *name;
    if (!tool->json) {
        cJSON_ArrayForEach(name, complete->names)
        {
            out_printf("%s\n", name->valuestring);
        }
        return EXIT_CODE_OK;
    }
    return out_object(complete->names);
}

enum exit_code command_complete(struct tool *tool, int argc, char **argv)
{
    struct complete complete = {.begin = ""};
    command_parse(
        tool, "complete", NULL, complete_parse, &complete,
        "Names are commands, states, tubes or pools; one is printed a line, of those that "
        "begin so. A name that a shell could take for something else (with $, ;, quotes "
        "or the like in it) is left out. With --json: an array.",
        argc, argv);
    enum exit_code code = EXIT_CODE_OK;
    complete.names = cJSON_CreateArray();
    if (complete.names == NULL) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    if (complete.kind->fill == NULL)
        code = complete_ask(tool, &complete);
    else if (complete.kind->fill(&complete) != 0)
        code = EXIT_CODE_FAILED;
    if (code == EXIT_CODE_OK)
        code = complete_show(tool, &complete);
    cJSON_Delete(complete.names);
    return code;
}
