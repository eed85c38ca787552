// SPDX-License-Identifier: MIT
/*
 * Fields of the snapshot, reached through the table: parameter id -> offset and type -> value.
 *
 * The one place where a value is checked against its row. The file, the defaults and the command
 * line all come through settings_set, so all of them are held to the same rules and get the same
 * messages.
 */
#include "config/config_priv.h"

#include "base/assert.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STRUCT_DAEMON struct config
#define STRUCT_POOL struct config_pool
#define STRUCT_TUBE struct config_tube
#define STRUCT_ACL struct config_acl

static const struct config_param params[] = {
#define PARAM(scope, name, type, initial, least, most, help)                                       \
    {CONFIG_SCOPE_##scope,                                                                         \
     CONFIG_TYPE_##type,                                                                           \
     #name,                                                                                        \
     initial,                                                                                      \
     least,                                                                                        \
     most,                                                                                         \
     offsetof(STRUCT_##scope, name),                                                               \
     help},
#include "config/parameters.def"
#undef PARAM
};

/* The table's type and the field's must agree, or an offset would write over its neighbour. */
#define FIELD_INT int64_t
#define FIELD_SIZE int64_t
#define FIELD_DURATION int64_t
#define FIELD_MODE int64_t
#define FIELD_SOCKET_MODE int64_t
#define FIELD_LEVEL int64_t
#define FIELD_COUNT int64_t
#define FIELD_AT_LIMIT int64_t
#define FIELD_DURABILITY int64_t
#define FIELD_YES_NO int64_t
#define FIELD_ACCESS int64_t
#define FIELD_BACKOFF int64_t
#define FIELD_LEFTOVERS int64_t
#define FIELD_PLACE char *
#define FIELD_WORD char *
#define FIELD_LIST struct config_list
#define FIELD_LISTEN struct config_list
#define PARAM(scope, name, type, initial, least, most, help)                                       \
    _Static_assert(_Generic(((STRUCT_##scope *)0)->name, FIELD_##type : 1, default : 0),           \
                   "the field " #name " has the type of its row");
#include "config/parameters.def"
#undef PARAM

const struct config_param *config_param(enum config_id id)
{
    ASSERT(id < CONFIG_ID_COUNT);
    return &params[id];
}

int config_param_range(const struct config_param *param, struct buf *out)
{
    if (param->least == 0 && param->most == 0)
        return 0;
    bool automatic = param->type == CONFIG_TYPE_COUNT && param->least == 0;
    int rc =
        automatic ? buf_append_str(out, "auto, 1") : value_print(param->type, param->least, out);
    if (param->most == INT64_MAX)
        return rc != 0 ? rc : buf_append_str(out, " or more");
    if (rc == 0)
        rc = buf_append_str(out, " to ");
    if (rc == 0)
        rc = value_print(param->type, param->most, out);
    if (rc == 0 && type_is_list(param->type))
        rc = buf_append_str(out, " entries");
    return rc;
}

enum config_id config_find(enum config_scope scope, const char *name)
{
    unsigned id = 0;
    while (id < CONFIG_ID_COUNT &&
           (params[id].scope != scope || strcmp(params[id].name, name) != 0))
        id++;
    return (enum config_id)id;
}

static const char *const words[] = {
    [CONFIG_SCOPE_POOL] = "pool", [CONFIG_SCOPE_TUBE] = "tube", [CONFIG_SCOPE_ACL] = "acl"};

const char *settings_word(enum config_scope scope)
{
    return words[scope];
}

const char *settings_nearest(enum config_scope scope, const char *name)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (unsigned id = 0; id < CONFIG_ID_COUNT; id++)
        if (params[id].scope == scope)
            nearest_offer(&nearest, params[id].name);
    if (scope == CONFIG_SCOPE_DAEMON)
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (words[i] != NULL)
                nearest_offer(&nearest, words[i]);
    return nearest_best(&nearest);
}

static void *field_of(void *base, const struct config_param *param)
{
    return (char *)base + param->offset;
}

/* "pool "gzip": workers" or "grace": what a message is about. */
static void param_error(struct config_errors *errors, const struct config_place *place,
                        const struct config_param *param, const char *said, const char *should)
{
    if (place->word != NULL)
        config_error(errors, place->file, place->line, "%s \"%s\": %s %s; %s", place->word,
                     place->name, param->name, said, should);
    else
        config_error(errors, place->file, place->line, "%s %s; %s", param->name, said, should);
}

/* Reports a value that is not what the row allows. ENOMEM. */
static int value_error(struct config_errors *errors, const struct config_place *place,
                       const struct config_param *param, const char *text)
{
    struct buf said = BUF_EMPTY, should = BUF_EMPTY;
    int rc = buf_printf(&said, "= \"%s\"", text);
    if (rc == 0)
        rc = buf_printf(&should, "it must be %s", value_form(param->type));
    if (rc == 0 && (param->least != 0 || param->most != 0))
        rc = buf_append_str(&should, ": ");
    if (rc == 0)
        rc = config_param_range(param, &should);
    if (rc == 0)
        param_error(errors, place, param, said.data, should.data);
    buf_fini(&said);
    buf_fini(&should);
    return rc;
}

static int number_set(void *field, const struct config_param *param, const char *text,
                      const struct config_place *place, struct config_errors *errors)
{
    int64_t value = 0;
    int rc = value_parse(param->type, text, &value);
    bool automatic = param->type == CONFIG_TYPE_SOCKET_MODE && value == CONFIG_MODE_AUTO;
    bool ranged = !automatic && (param->least != 0 || param->most != 0);
    if (rc != 0 || (ranged && (value < param->least || value > param->most)))
        return value_error(errors, place, param, text);
    *(int64_t *)field = value;
    return 0;
}

static int word_set(void *field, const struct config_param *param, const char *text,
                    const struct config_place *place, struct config_errors *errors)
{
    if (text[0] == '\0') {
        param_error(errors, place, param, "is empty", "leave it out to get its default");
        return 0;
    }
    if (param->type == CONFIG_TYPE_PLACE && text[0] != '/' &&
        strcmp(text, CONFIG_PLACE_AUTO) != 0 && strcmp(text, CONFIG_PLACE_NONE) != 0)
        return value_error(errors, place, param, text);
    char *copy = strdup(text);
    if (copy == NULL)
        return ENOMEM;
    char **word = field;
    free(*word);
    *word = copy;
    return 0;
}

/* Says of each address what is wrong with it; true if nothing is. */
static bool addresses_good(const struct config_param *param, char *const *text, size_t count,
                           const struct config_place *place, struct config_errors *errors)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        struct config_address address;
        const char *why;
        if (config_address_parse(text[i], &address, &why) == 0)
            continue;
        config_error(errors, place->file, place->line, "%s \"%s\": %s", param->name, text[i], why);
        good = false;
    }
    return good;
}

static int list_set(void *field, const struct config_param *param, char *const *text, size_t count,
                    const struct config_place *place, struct config_errors *errors)
{
    struct buf should = BUF_EMPTY;
    if (count < (size_t)param->least || count > (size_t)param->most) {
        int rc = buf_append_str(&should, "it takes ");
        if (rc == 0)
            rc = config_param_range(param, &should);
        if (rc == 0)
            param_error(errors, place, param, count == 0 ? "is empty" : "has too many entries",
                        should.data);
        buf_fini(&should);
        return rc;
    }
    if (param->type == CONFIG_TYPE_LISTEN && !addresses_good(param, text, count, place, errors))
        return 0;
    struct config_list fresh = {NULL, 0};
    int rc = list_add(&fresh, NULL);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = list_add(&fresh, text[i]);
    if (rc != 0) {
        list_clear(&fresh);
        return rc;
    }
    list_clear(field);
    *(struct config_list *)field = fresh;
    return 0;
}

int settings_set(void *base, enum config_id id, char *const *text, size_t count,
                 const struct config_place *place, struct config_errors *errors)
{
    const struct config_param *param = config_param(id);
    void *field = field_of(base, param);
    if (type_is_list(param->type))
        return list_set(field, param, text, count, place, errors);
    ASSERT(count == 1);
    if (type_is_text(param->type))
        return word_set(field, param, text[0], place, errors);
    return number_set(field, param, text[0], place, errors);
}

/* The table's "{a, b}", taken apart. Modifies `text`. */
static int list_default(struct config_list *list, char *text)
{
    int rc = list_add(list, NULL);
    char *rest = NULL;
    for (char *item = strtok_r(text, "{}, ", &rest); rc == 0 && item != NULL;
         item = strtok_r(NULL, "{}, ", &rest))
        rc = list_add(list, item);
    return rc;
}

int settings_defaults(void *base, enum config_scope scope)
{
    for (unsigned id = 0; id < CONFIG_ID_COUNT; id++) {
        const struct config_param *param = &params[id];
        if (param->scope != scope)
            continue;
        void *field = field_of(base, param);
        char *text = strdup(param->initial);
        if (text == NULL)
            return ENOMEM;
        int rc = 0;
        if (type_is_list(param->type))
            rc = list_default(field, text);
        else if (type_is_text(param->type))
            rc = (*(char **)field = strdup(text)) == NULL ? ENOMEM : 0;
        else if (text[0] == '\0')
            *(int64_t *)field = 0;
        else
            MUST(value_parse(param->type, text, field));
        free(text);
        if (rc != 0)
            return rc;
    }
    return 0;
}

void settings_fini(void *base, enum config_scope scope)
{
    for (unsigned id = 0; id < CONFIG_ID_COUNT; id++) {
        const struct config_param *param = &params[id];
        if (param->scope != scope)
            continue;
        void *field = field_of(base, param);
        if (type_is_list(param->type)) {
            list_clear(field);
        } else if (type_is_text(param->type)) {
            free(*(char **)field);
            *(char **)field = NULL;
        }
    }
}
