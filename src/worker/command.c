// SPDX-License-Identifier: MIT
/*
 * A job that is a command: its body is a JSON object, as `hilera run` sends it.
 *
 *     {"argv":["gzip","-c"],"cwd":"/data","env":{"PATH":"/usr/bin:/bin"},"umask":"022","stdin":"x"}
 *
 * Only argv must be there. No shell reads it. A member that isn't known is refused, so that a
 * misspelt one is never a command without it. One table has the members; to add one: a row and its
 * function.
 */
#include "base/jsonobj.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 4096 /* of argv, and variables; the body's size bounds their bytes */
#define UMASK_MAX 0777

struct reading {
    struct command *command;
    char *why;
    size_t why_size;
};

static int refuse(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(struct reading *reading, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reading->why, reading->why_size, format, args);
    va_end(args);
    return EINVAL;
}

/* ---- members ---- */

static int read_argv(struct reading *reading, const cJSON *value)
{
    struct command *command = reading->command;
    int count = cJSON_IsArray(value) ? cJSON_GetArraySize(value) : 0;
    if (count < 1 || count > WORDS_MAX)
        return refuse(reading,
                      "\"argv\" must be an array of 1 to %d texts, such as [\"ls\",\"-l\"]",
                      WORDS_MAX);
    const char **list = calloc((size_t)count, sizeof(*list));
    if (list == NULL)
        return ENOMEM;
    const cJSON *item;
    size_t at = 0;
    bool good = true;
    cJSON_ArrayForEach(item, value)
    {
        list[at] = cJSON_GetStringValue(item);
        good = good && list[at] != NULL;
        at++;
    }
    good = good && list[0][0] != '\0';
    if (good)
        command->argv = strings_copy(list, (size_t)count);
    free(list);
    if (!good)
        return refuse(reading, "\"argv\" must have texts only, the first of them not empty");
    return command->argv != NULL ? 0 : ENOMEM;
}

static int read_directory(struct reading *reading, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    if (text == NULL || text[0] != '/')
        return refuse(reading, "\"cwd\" must be the absolute path of a directory");
    reading->command->directory = text;
    return 0;
}

static int read_input(struct reading *reading, const cJSON *value)
{
    reading->command->input = cJSON_GetStringValue(value);
    return reading->command->input != NULL ? 0 : refuse(reading, "\"stdin\" must be a text");
}

static int read_umask(struct reading *reading, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    char *end = NULL;
    unsigned long mask = 0;
    if (text != NULL && text[0] >= '0' && text[0] <= '7')
        mask = strtoul(text, &end, 8);
    if (end == NULL || *end != '\0' || mask > UMASK_MAX)
        return refuse(reading, "\"umask\" must be a text of octal digits up to \"777\"");
    reading->command->has_umask = true;
    reading->command->umask = (mode_t)mask;
    return 0;
}

/* "NAME=value" of each, in one piece of memory behind the pointers. */
static int env_copy(struct command *command, const cJSON *value, size_t count)
{
    size_t size = (count + 1) * sizeof(char *);
    const cJSON *item;
    cJSON_ArrayForEach(item, value) size += strlen(item->string) + strlen(item->valuestring) + 2;
    char **env = malloc(size);
    if (env == NULL)
        return ENOMEM;
    char *text = (char *)(env + count + 1);
    cJSON_ArrayForEach(item, value)
    {
        char *from = text;
        text = stpcpy(text, item->string);
        *text++ = '=';
        text = stpcpy(text, item->valuestring) + 1;
        if (!environment_is_own(from))
            env[command->env_count++] = from;
    }
    env[command->env_count] = NULL;
    command->env = env;
    return 0;
}

static int read_env(struct reading *reading, const cJSON *value)
{
    const cJSON *item;
    size_t count = 0;
    if (!cJSON_IsObject(value))
        return refuse(reading, "\"env\" must be an object such as {\"LANG\":\"C\"}");
    cJSON_ArrayForEach(item, value)
    {
        if (!cJSON_IsString(item) || item->string[0] == '\0' || strchr(item->string, '=') != NULL)
            return refuse(reading,
                          "\"env\": \"%.80s\" is no variable; a name without = and a text "
                          "as its value would be right",
                          item->string);
        count++;
    }
    if (count > WORDS_MAX)
        return refuse(reading, "\"env\" has %zu variables, and may have %d", count, WORDS_MAX);
    return env_copy(reading->command, value, count);
}

/* ---- the object ---- */

static const struct member {
    const char *name;
    int (*read)(struct reading *reading, const cJSON *value);
} members[] = {{"argv", read_argv},
               {"cwd", read_directory},
               {"env", read_env},
               {"umask", read_umask},
               {"stdin", read_input}};

static int read_member(struct reading *reading, const cJSON *object, const cJSON *item)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(members[i].name, item->string) != 0)
            continue;
        if (cJSON_GetObjectItemCaseSensitive(object, item->string) != item)
            return refuse(reading, "\"%s\" is there twice; give it once", item->string);
        return members[i].read(reading, item);
    }
    return refuse(
        reading, "\"%.80s\" is not a member of a command; they are argv, cwd, env, umask and stdin",
        item->string);
}

int command_read(struct command *command, const char *bytes, size_t len, char *why, size_t why_size)
{
    struct reading reading = {.command = command, .why = why, .why_size = why_size};
    size_t where = 0;
    *command = (struct command){.argv = NULL};
    int rc = jsonobj_parse(&command->json, bytes, len, &where);
    if (rc == EINVAL)
        return refuse(&reading,
                      "it is not JSON, from byte %zu of %zu on; an object such as "
                      "{\"argv\":[\"ls\",\"-l\"]} would be right",
                      where, len);
    if (rc != 0)
        return rc;
    if (!cJSON_IsObject(command->json))
        rc = refuse(&reading, "it is JSON, but not an object; {\"argv\":[\"ls\",\"-l\"]} would be "
                              "right");
    const cJSON *item;
    if (rc == 0)
        cJSON_ArrayForEach(item, command->json)
        {
            rc = read_member(&reading, command->json, item);
            if (rc != 0)
                break;
        }
    if (rc == 0 && command->argv == NULL)
        rc =
            refuse(&reading, "it has no \"argv\"; an array such as [\"ls\",\"-l\"] would be right");
    if (rc != 0)
        command_fini(command);
    return rc;
}

void command_fini(struct command *command)
{
    free(command->argv);
    free(command->env);
    cJSON_Delete(command->json);
    *command = (struct command){.argv = NULL};
}
