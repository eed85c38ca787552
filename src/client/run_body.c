// SPDX-License-Identifier: MIT
/*
 * The body of a job that is a command, from what stands on the command line of hilera run.
 *
 * What goes along: the arguments, this directory, the umask, and those few variables that a command
 * needs to find its files and speak the user's language. Not the whole environment: a job can be
 * looked at by whoever may talk to the daemon, and environments hold secrets.
 *
 * All of these are bytes, and JSON has texts: what isn't UTF-8 goes as {"base64":TEXT}. A
 * variable's name can't, so where one isn't UTF-8 the environment is an array of "NAME=VALUE".
 */

#include "client/tool_priv.h"
#include "client/tool_put_priv.h"

#include "base/arguments.h"
#include "base/assert.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE_COUNT (sizeof(variables) / sizeof(variables[0]))

/* Taken along if they are set. */
static const char *const variables[] = {"PATH",   "HOME", "USER",     "LOGNAME",     "SHELL",
                                        "TMPDIR", "TZ",   "LANG",     "LANGUAGE",    "LC_ALL",
                                        "TERM",   "PWD",  "LC_CTYPE", "LC_MESSAGES", "LC_TIME"};

/* ---- words ---- */

/* NULL: no memory. */
static cJSON *bytes_make(const char *text)
{
    struct buf encoded = BUF_EMPTY;
    cJSON *object = cJSON_CreateObject();
    int rc = object != NULL ? base64_encode(&encoded, text, strlen(text)) : ENOMEM;
    if (rc == 0)
        rc = jsonobj_add_str(object, "base64", encoded.data);
    buf_fini(&encoded);
    if (rc == 0)
        return object;
    cJSON_Delete(object);
    return NULL;
}

static cJSON *word_make(const char *text)
{
    return json_is_utf8(text, strlen(text)) ? cJSON_CreateString(text) : bytes_make(text);
}

static int word_append(cJSON *array, const char *text)
{
    cJSON *word = word_make(text);
    if (word != NULL && cJSON_AddItemToArray(array, word))
        return 0;
    cJSON_Delete(word);
    return ENOMEM;
}

/* ---- the environment ---- */

/* Variables as a program gets them, "NAME=VALUE", in memory of their own; NULL at the end. */
struct vars {
    char **list;
    size_t count;
    bool text; /* all names are UTF-8 */
};

static int var_add(struct vars *vars, const char *name, size_t name_len, const char *value)
{
    char **text = &vars->list[vars->count];
    if (asprintf(text, "%.*s=%s", (int)name_len, name, value) < 0) {
        *text = NULL;
        return ENOMEM;
    }
    vars->text = vars->text && json_is_utf8(name, name_len);
    vars->count++;
    return 0;
}

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

/* Whether --env names it, from its entry `from` on: a later one is meant. */
static bool is_named(const struct run_command *command, size_t from, const char *name, size_t len)
{
    for (size_t i = from; i < command->env_count; i++)
        if (name_length(command->env[i]) == len && memcmp(command->env[i], name, len) == 0)
            return true;
    return false;
}

static int vars_fill(struct vars *vars, const struct run_command *command)
{
    int rc = 0;
    vars->list = calloc(VARIABLE_COUNT + command->env_count + 1, sizeof(*vars->list));
    if (vars->list == NULL)
        return ENOMEM;
    for (size_t i = 0; rc == 0 && i < VARIABLE_COUNT; i++) {
        const char *value = getenv(variables[i]);
        size_t len = strlen(variables[i]);
        if (value != NULL && !is_named(command, 0, variables[i], len))
            rc = var_add(vars, variables[i], len, value);
    }
    for (size_t i = 0; rc == 0 && i < command->env_count; i++) {
        const char *given = command->env[i];
        size_t len = name_length(given);
        if (!is_named(command, i + 1, given, len))
            rc = var_add(vars, given, len, given[len] == '=' ? given + len + 1 : getenv(given));
    }
    return rc;
}

static void vars_fini(struct vars *vars)
{
    for (size_t i = 0; i < vars->count; i++)
        free(vars->list[i]);
    free(vars->list);
}

/* As a member of an object; the '=' is gone from `variable` afterwards. */
static int var_put(cJSON *object, char *variable)
{
    char *equals = strchr(variable, '=');
    ASSERT(equals != NULL); /* var_add has put it there */
    *equals = '\0';
    return jsonobj_add_item(object, variable, word_make(equals + 1));
}

static int add_env(cJSON *body, struct vars *vars)
{
    cJSON *env = vars->text ? cJSON_CreateObject() : cJSON_CreateArray();
    int rc = jsonobj_add_item(body, "env", env);
    for (size_t i = 0; rc == 0 && i < vars->count; i++)
        rc = vars->text ? var_put(env, vars->list[i]) : word_append(env, vars->list[i]);
    return rc;
}

/* ---- the rest ---- */

static int add_argv(cJSON *body, char *const *argv)
{
    cJSON *list = cJSON_CreateArray();
    int rc = jsonobj_add_item(body, "argv", list);
    for (size_t i = 0; rc == 0 && argv[i] != NULL; i++)
        rc = word_append(list, argv[i]);
    return rc;
}

/* EINVAL: it was said why not. */
static int add_place(cJSON *body)
{
    char text[8];
    mode_t mask = umask(0);
    (void)umask(mask);
    snprintf(text, sizeof(text), "%03o", (unsigned)mask & 0777);
    int rc = jsonobj_add_str(body, "umask", text);
    char *here = rc == 0 ? getcwd(NULL, 0) : NULL;
    if (rc == 0 && here == NULL) {
        say("this directory can't be told: %s", strerrordesc_np(errno));
        return EINVAL;
    }
    if (rc == 0)
        rc = jsonobj_add_item(body, "cwd", word_make(here));
    free(here);
    return rc;
}

/* EINVAL: it was said why not. */
static int check_size(char *const *argv, char *const *env)
{
    char why[256];
    if (arguments_check(argv, env, why, sizeof(why)) == 0)
        return 0;
    say("it can't be run: %s", why);
    return EINVAL;
}

char *run_body_make(const struct run_command *command)
{
    struct vars vars = {.text = true};
    cJSON *body = cJSON_CreateObject();
    int rc = body != NULL ? vars_fill(&vars, command) : ENOMEM;
    if (rc == 0)
        rc = check_size(command->argv, vars.list);
    if (rc == 0)
        rc = add_argv(body, command->argv);
    if (rc == 0)
        rc = add_place(body);
    if (rc == 0)
        rc = add_env(body, &vars);
    char *text = rc == 0 ? cJSON_PrintUnformatted(body) : NULL;
    vars_fini(&vars);
    cJSON_Delete(body);
    if (text == NULL && rc != EINVAL)
        say("not enough memory");
    return text;
}
