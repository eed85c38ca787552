// SPDX-License-Identifier: MIT
/*
 * hilera help: the overview, a command's own help, and the exit codes.
 *
 * All of it comes from the tables (commands.def, exit_codes.def) and from the commands' own
 * options: `hilera help put` runs `hilera put --help`.
 */

#include "client/tool_priv.h"

#include "base/jsonobj.h"

#include <errno.h>
#include <string.h>

static const struct exit_row {
    int number;
    const char *meaning;
} exit_rows[] = {
#define EXIT_CODE(name, number, meaning) {number, meaning},
#include "client/exit_codes.def"
#undef EXIT_CODE
};
static const size_t exit_count = sizeof(exit_rows) / sizeof(exit_rows[0]);

static error_t help_parse(int key, char *arg, struct argp_state *state)
{
    const char **topic = state->input;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (state->arg_num > 0)
        argp_error(state, "one command at a time, but there is also \"%s\"", arg);
    *topic = arg;
    return 0;
}

static void help_line(const struct command *command)
{
    out_printf("  ");
    out_style(STYLE_HEAD);
    out_printf("%-8s", command->name);
    out_style(STYLE_PLAIN);
    out_printf(" %s\n", command->summary);
}

static void help_overview(void)
{
    out_printf("hilera puts jobs into the work queue hilerad, waits for them, and shows them.\n\n");
    for (size_t i = 0; i < command_count; i++)
        help_line(&commands[i]);
    out_printf("\n"
               "'hilera help COMMAND' shows its options, 'hilera help exit-codes' what the exit\n"
               "status says. Every command takes --json, --socket PATH and --host HOST[:PORT].\n");
}

static void help_exit_codes(void)
{
    for (size_t i = 0; i < exit_count; i++)
        out_printf("%4d  %s\n", exit_rows[i].number, exit_rows[i].meaning);
}

static int json_command(cJSON *array, const struct command *command)
{
    cJSON *row = cJSON_CreateObject();
    if (row && jsonobj_add_str(row, "name", command->name) == 0 &&
        jsonobj_add_str(row, "arguments", command->arguments) == 0 &&
        jsonobj_add_str(row, "summary", command->summary) == 0 && cJSON_AddItemToArray(array, row))
        return 0;
    cJSON_Delete(row);
    return ENOMEM;
}

static int json_exit_code(cJSON *array, const struct exit_row *exit_row)
{
    cJSON *row = cJSON_CreateObject();
    if (row && jsonobj_add_i64(row, "status", exit_row->number) == 0 &&
        jsonobj_add_str(row, "meaning", exit_row->meaning) == 0 && cJSON_AddItemToArray(array, row))
        return 0;
    cJSON_Delete(row);
    return ENOMEM;
}

static enum exit_code help_json(void)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *list = root ? cJSON_AddArrayToObject(root, "commands") : NULL;
    cJSON *codes = list ? cJSON_AddArrayToObject(root, "exit_codes") : NULL;
    int rc = codes ? 0 : ENOMEM;
    for (size_t i = 0; rc == 0 && i < command_count; i++)
        rc = json_command(list, &commands[i]);
    for (size_t i = 0; rc == 0 && i < exit_count; i++)
        rc = json_exit_code(codes, &exit_rows[i]);
    enum exit_code code = out_object(rc == 0 ? root : NULL);
    cJSON_Delete(root);
    return code;
}

enum exit_code command_help(struct tool *tool, int argc, char **argv)
{
    const char *topic = NULL;
    command_parse(tool, "help", NULL, help_parse, &topic,
                  "With --json: all commands and exit codes as one object.", argc, argv);
    if (tool->json)
        return help_json();
    if (!topic) {
        help_overview();
        return EXIT_CODE_OK;
    }
    if (strcmp(topic, "exit-codes") == 0) {
        help_exit_codes();
        return EXIT_CODE_OK;
    }
    const struct command *command = command_find(topic);
    if (!command)
        return command_unknown(topic);
    char name[] = "hilera", help[] = "--help";
    char *words[] = {name, help, NULL};
    return command->run(tool, 2, words);
}
