// SPDX-License-Identifier: MIT
/*
 * What may be asked for with a job: the options of put that become the head of a `submit`. Without
 * any of them a job is put as ever, which every daemon of the protocol understands.
 *
 * The daemon checks the values; here only what the command line itself says is.
 */

#include "client/tool_priv.h"
#include "client/tool_put_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"
#include "base/when.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- rules: the rows of rules.def ---- */

enum form { FORM_NUMBER, FORM_LIMIT, FORM_PERCENT, FORM_TIME, FORM_KIND };

static const struct rule {
    const char *option, *word;
    enum form form;
} rules[ASKED_RULES] = {
#define RULE(name, option, arg, form, word, help) {(option), (word), FORM_##form},
#include "client/rules.def"
#undef RULE
};

static uint64_t percent_option(const char *option, const char *arg, struct argp_state *state)
{
    uint64_t number = 0;
    if (json_parse_u64(arg, &number) != 0 || number > 100)
        argp_error(state, "--%s wants a number from 0 to 100, not \"%s\"", option, arg);
    return number;
}

static uint64_t limit_option(const char *option, const char *arg, struct argp_state *state)
{
    uint64_t number = 0;
    if (json_parse_u64(arg, &number) != 0 || number > UINT32_MAX)
        argp_error(state, "--%s wants a whole number, 0 for no limit, not \"%s\"", option, arg);
    return number;
}

static void rule_option(struct asked *asked, size_t i, const char *arg, struct argp_state *state)
{
    const char *option = rules[i].option;
    asked->rule[i].given = true;
    switch (rules[i].form) {
    case FORM_NUMBER:
        asked->rule[i].number = number_option(option, arg, state);
        break;
    case FORM_LIMIT:
        asked->rule[i].number = limit_option(option, arg, state);
        break;
    case FORM_PERCENT:
        asked->rule[i].number = percent_option(option, arg, state);
        break;
    case FORM_TIME:
        asked->rule[i].time_ns = duration_option(option, arg, state);
        break;
    case FORM_KIND:
        if (strcmp(arg, "fixed") != 0 && strcmp(arg, "exponential") != 0)
            argp_error(state, "--%s wants fixed or exponential, not \"%s\"", option, arg);
        asked->rule[i].kind = arg;
        break;
    }
}

/* Where the member of that word goes: the head, or an object in it, made with its first; *name is
 * what it is called there. NULL: no memory. */
static cJSON *place_of(cJSON *head, const char *word, const char **name)
{
    char object[32];
    size_t len = strcspn(word, ".");
    *name = word;
    if (word[len] == '\0')
        return head;
    *name = word + len + 1;
    snprintf(object, sizeof(object), "%.*s", (int)len, word);
    cJSON *place = cJSON_GetObjectItemCaseSensitive(head, object);
    return place != NULL ? place : cJSON_AddObjectToObject(head, object);
}

static int add_rule(cJSON *head, const struct asked *asked, size_t i)
{
    const char *name;
    cJSON *place = place_of(head, rules[i].word, &name);
    if (place == NULL)
        return ENOMEM;
    if (rules[i].form == FORM_TIME)
        return jsonobj_add_seconds(place, name, asked->rule[i].time_ns);
    if (rules[i].form == FORM_KIND)
        return jsonobj_add_str(place, name, asked->rule[i].kind);
    return jsonobj_add_u64(place, name, asked->rule[i].number);
}

static int add_rules(cJSON *head, const struct asked *asked)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ASKED_RULES; i++)
        if (asked->rule[i].given)
            rc = add_rule(head, asked, i);
    return rc;
}

/* ---- the other options ---- */

static void at_option(struct asked *asked, const char *arg, struct argp_state *state)
{
    int64_t ns;
    uint64_t seconds;
    asked->at = arg;
    asked->at_is_number = json_parse_u64(arg, &seconds) == 0;
    if (!asked->at_is_number && when_parse(arg, &ns) != 0)
        argp_error(state,
                   "--at wants a moment such as 2026-11-23T08:30:00Z, or a number of seconds since "
                   "1970, not \"%s\"",
                   arg);
}

static void tag_option(struct asked *asked, const char *arg, struct argp_state *state)
{
    if (asked->tag_count == ASKED_TAGS_MAX)
        argp_error(state, "more than %d tags", ASKED_TAGS_MAX);
    asked->tags[asked->tag_count++] = arg;
}

error_t asked_parse(struct asked *asked, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case ASKED_AT:
        at_option(asked, arg, state);
        break;
    case ASKED_KEY:
        asked->key = arg;
        break;
    case ASKED_NAME:
        asked->name = arg;
        break;
    case 'g':
        asked->group = arg;
        break;
    case ASKED_TAG:
        tag_option(asked, arg, state);
        break;
    case ASKED_RETENTION:
        asked->retention_ns = duration_option("retention", arg, state);
        break;
    default:
        if (key <= ASKED_RETENTION || key >= ASKED_END)
            return ARGP_ERR_UNKNOWN;
        rule_option(asked, (size_t)(key - ASKED_RETENTION - 1), arg, state);
        break;
    }
    asked->any = true;
    return 0;
}

void asked_init(struct asked *asked)
{
    *asked = (struct asked){.retention_ns = HL_FOREVER};
}

/* ---- the head ---- */

static int add_text(cJSON *head, const char *name, const char *text)
{
    return text != NULL ? jsonobj_add_str(head, name, text) : 0;
}

static int add_at(cJSON *head, const struct asked *asked)
{
    uint64_t seconds;
    if (asked->at == NULL || !asked->at_is_number)
        return add_text(head, "at", asked->at);
    return json_parse_u64(asked->at, &seconds) == 0 ? jsonobj_add_u64(head, "at", seconds) : EINVAL;
}

static int add_tags(cJSON *head, const struct asked *asked)
{
    if (asked->tag_count == 0)
        return 0;
    cJSON *tags = cJSON_CreateStringArray(asked->tags, asked->tag_count);
    return jsonobj_add_item(head, "tags", tags);
}

static int add_all(cJSON *head, const struct asked *asked, const struct hl_client_put *put)
{
    int rc = jsonobj_add_u64(head, "priority", put->priority);
    if (rc == 0)
        rc = jsonobj_add_seconds(head, "ttr", put->ttr_ns);
    if (rc == 0 && put->delay_ns > 0)
        rc = jsonobj_add_seconds(head, "delay", put->delay_ns);
    if (rc == 0)
        rc = add_at(head, asked);
    if (rc == 0)
        rc = add_text(head, "key", asked->key);
    if (rc == 0)
        rc = add_text(head, "name", asked->name);
    if (rc == 0)
        rc = add_text(head, "group", asked->group);
    if (rc == 0)
        rc = add_tags(head, asked);
    if (rc == 0)
        rc = add_rules(head, asked);
    if (rc == 0 && asked->retention_ns != HL_FOREVER)
        rc = jsonobj_add_seconds(head, "retention", asked->retention_ns);
    if (rc == 0 && asked->awaited)
        rc = jsonobj_add_bool(head, "awaited", true);
    return rc;
}

char *asked_head(const struct asked *asked, const struct hl_client_put *put)
{
    cJSON *head = cJSON_CreateObject();
    int rc = head != NULL ? add_all(head, asked, put) : ENOMEM;
    char *json = rc == 0 ? cJSON_PrintUnformatted(head) : NULL;
    cJSON_Delete(head);
    return json;
}
