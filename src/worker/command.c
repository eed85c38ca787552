// SPDX-License-Identifier: MIT
/*
 * A job that is a command: its body is a JSON object, as `hilera run` sends it.
 *
 *     {"argv":["gzip","-c"],"cwd":"/data","env":{"PATH":"/usr/bin:/bin"},"umask":"022","stdin":"x"}
 *
 * Only argv must be there. No shell reads it. A member that isn't known is refused, so that a
 * misspelt one is never a command without it. One table has the members; to add one: a row and its
 * function.
 *
 * JSON has texts, and programs take bytes. So {"base64":TEXT} may stand for any text (but the
 * umask), and env may be an array of "NAME=VALUE", for names that aren't UTF-8.
 */
#include "worker/command_priv.h"
#include "worker/programs_priv.h"

#include "base/arguments.h"
#include "base/assert.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/jsonobj.h"

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

/* ---- words ---- */

/*
 * Texts as programs get them: any bytes but NUL. They are collected one after the other, each with
 * its NUL, and become a list when all are there.
 */
struct words {
    struct buf bytes;
    size_t count;
};

/* Appends a text, or the bytes of {"base64":TEXT}. EINVAL: it is neither. ENOMEM. */
static int bytes_append(struct buf *to, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    if (text != NULL)
        return buf_append_str(to, text);
    const cJSON *only = cJSON_IsObject(value) ? value->child : NULL;
    if (only == NULL || only->next != NULL || strcmp(only->string, "base64") != 0)
        return EINVAL;
    text = cJSON_GetStringValue(only);
    return text != NULL ? base64_decode(to, text) : EINVAL;
}

/* One more word, behind `head` if that isn't NULL. As bytes_append; EINVAL: it has a NUL, too. */
static int words_add(struct words *words, const char *head, const cJSON *value)
{
    size_t from = words->bytes.len;
    int rc = head != NULL ? buf_append_str(&words->bytes, head) : 0;
    if (rc == 0)
        rc = bytes_append(&words->bytes, value);
    if (rc == 0 && words->bytes.len > from &&
        memchr(words->bytes.data + from, '\0', words->bytes.len - from) != NULL)
        rc = EINVAL;
    if (rc == 0)
        rc = buf_append_char(&words->bytes, '\0');
    words->count += rc == 0;
    return rc;
}

/* Freed by one free. NULL: out of memory. */
static char **words_list(const struct words *words)
{
    char **list = malloc((words->count + 1) * sizeof(char *) + words->bytes.len);
    if (list == NULL)
        return NULL;
    char *text = (char *)(list + words->count + 1);
    if (words->bytes.len > 0)
        memcpy(text, words->bytes.data, words->bytes.len);
    for (size_t i = 0; i < words->count; i++) {
        list[i] = text;
        text += strlen(text) + 1;
    }
    list[words->count] = NULL;
    return list;
}

/* ---- members ---- */

static int read_argv(struct reading *reading, const cJSON *value)
{
    struct words words = {.count = 0};
    int rc = 0, count = cJSON_IsArray(value) ? cJSON_GetArraySize(value) : 0;
    if (count < 1 || count > WORDS_MAX)
        return refuse(reading,
                      "\"argv\" must be an array of 1 to %d texts, such as [\"ls\",\"-l\"]",
                      WORDS_MAX);
    const cJSON *item;
    cJSON_ArrayForEach(item, value)
    {
        rc = words_add(&words, NULL, item);
        if (rc != 0)
            break;
    }
    ASSERT(rc != 0 || words.bytes.data != NULL); /* each text has at least its end */
    if (rc == 0 && words.bytes.data[0] == '\0')
        rc = EINVAL;
    if (rc == 0) {
        reading->command->argv = words_list(&words);
        rc = reading->command->argv != NULL ? 0 : ENOMEM;
    }
    buf_fini(&words.bytes);
    return rc != EINVAL
               ? rc
               : refuse(reading, "\"argv\" must have texts only, or {\"base64\":TEXT} without a "
                                 "NUL, the first of them not empty");
}

static int read_directory(struct reading *reading, const cJSON *value)
{
    struct words words = {.count = 0};
    int rc = words_add(&words, NULL, value);
    ASSERT(rc != 0 || words.bytes.data != NULL); /* each text has at least its end */
    if (rc == 0 && words.bytes.data[0] != '/')
        rc = EINVAL;
    if (rc == 0) {
        reading->command->directory = buf_detach(&words.bytes, NULL);
        rc = reading->command->directory != NULL ? 0 : ENOMEM;
    }
    buf_fini(&words.bytes);
    return rc != EINVAL ? rc : refuse(reading, "\"cwd\" must be the absolute path of a directory");
}

static int read_input(struct reading *reading, const cJSON *value)
{
    struct buf bytes = BUF_EMPTY;
    int rc = bytes_append(&bytes, value);
    if (rc == 0) {
        reading->command->input = buf_detach(&bytes, &reading->command->input_len);
        rc = reading->command->input != NULL ? 0 : ENOMEM;
    }
    buf_fini(&bytes);
    return rc != EINVAL ? rc : refuse(reading, "\"stdin\" must be a text, or {\"base64\":TEXT}");
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

/* A member of the object form. */
static int variable_add(struct words *words, const cJSON *item)
{
    struct buf head = BUF_EMPTY;
    if (item->string[0] == '\0' || strchr(item->string, '=') != NULL)
        return EINVAL;
    int rc = buf_printf(&head, "%s=", item->string);
    if (rc == 0)
        rc = words_add(words, head.data, item);
    buf_fini(&head);
    return rc;
}

/* One of the array form, "NAME=VALUE". */
static int assignment_add(struct words *words, const cJSON *item)
{
    size_t from = words->bytes.len;
    int rc = words_add(words, NULL, item);
    if (rc != 0)
        return rc;
    const char *equals = strchr(words->bytes.data + from, '=');
    return equals != NULL && equals != words->bytes.data + from ? 0 : EINVAL;
}

static int no_variable(struct reading *reading, const cJSON *item)
{
    return item->string != NULL
               ? refuse(reading,
                        "\"env\": \"%.80s\" is no variable; a name without = and a text as its "
                        "value would be right",
                        item->string)
               : refuse(reading, "\"env\": a member of the array is no variable; \"NAME=VALUE\" "
                                 "would be right");
}

/* What a run sets itself isn't the job's to say. */
static void env_take(struct command *command, char **list)
{
    for (size_t i = 0; list[i] != NULL; i++)
        if (!environment_is_own(list[i]))
            list[command->env_count++] = list[i];
    list[command->env_count] = NULL;
    command->env = list;
}

static int read_env(struct reading *reading, const cJSON *value)
{
    struct words words = {.count = 0};
    bool named = cJSON_IsObject(value);
    int rc = 0, count = cJSON_GetArraySize(value);
    if (!named && !cJSON_IsArray(value))
        return refuse(reading, "\"env\" must be an object such as {\"LANG\":\"C\"}, or an array "
                               "such as [\"LANG=C\"]");
    if (count > WORDS_MAX)
        return refuse(reading, "\"env\" has %d variables, and may have %d", count, WORDS_MAX);
    const cJSON *item;
    cJSON_ArrayForEach(item, value)
    {
        rc = named ? variable_add(&words, item) : assignment_add(&words, item);
        if (rc != 0) {
            rc = rc == EINVAL ? no_variable(reading, item) : rc;
            break;
        }
    }
    char **list = rc == 0 ? words_list(&words) : NULL;
    buf_fini(&words.bytes);
    if (list == NULL)
        return rc != 0 ? rc : ENOMEM;
    env_take(reading->command, list);
    return 0;
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

static int read_object(struct reading *reading, const cJSON *object)
{
    if (!cJSON_IsObject(object))
        return refuse(reading, "it is JSON, but not an object; {\"argv\":[\"ls\",\"-l\"]} would be "
                               "right");
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        int rc = read_member(reading, object, item);
        if (rc != 0)
            return rc;
    }
    return reading->command->argv != NULL
               ? 0
               : refuse(reading,
                        "it has no \"argv\"; an array such as [\"ls\",\"-l\"] would be right");
}

int command_read(struct command *command, const char *bytes, size_t len, char *why, size_t why_size)
{
    struct reading reading = {.command = command, .why = why, .why_size = why_size};
    size_t where = 0;
    cJSON *json = NULL;
    *command = (struct command){.argv = NULL};
    int rc = jsonobj_parse(&json, bytes, len, &where);
    if (rc == EINVAL)
        return refuse(&reading,
                      "it is not JSON, from byte %zu of %zu on; an object such as "
                      "{\"argv\":[\"ls\",\"-l\"]} would be right",
                      where, len);
    if (rc != 0)
        return rc;
    rc = read_object(&reading, json);
    cJSON_Delete(json);
    if (rc != 0)
        command_fini(command);
    return rc;
}

int command_weigh(const struct command *command, char *why, size_t why_size)
{
    return arguments_check(command->argv, command->env, why, why_size);
}

void command_fini(struct command *command)
{
    free(command->argv);
    free(command->env);
    free(command->directory);
    free(command->input);
    *command = (struct command){.argv = NULL};
}
