// SPDX-License-Identifier: MIT
/*
 * Parameters: checked against a method's list before the method runs, in one place, so that every
 * method refuses the same things in the same words: what isn't a parameter of it, what is missing,
 * what has the wrong form. Each message names the parameter, says what was wrong, and what would be
 * right. A null counts as not given.
 *
 * To add a type: a row in enum api_type, its word, its check here.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_MAX 1e9 /* about 31 years; more is a mistake, and fits into nanoseconds */

const char *api_type_word(enum api_type type)
{
    switch (type) {
    case API_ID:
        return "id";
    case API_TUBE:
        return "tube";
    case API_SECONDS:
        return "seconds";
    case API_STATE:
        return "state";
    case API_COUNT:
        return "count";
    case API_OFFSET:
        return "offset";
    case API_BOOL:
        return "boolean";
    case API_POOL:
        return "pool";
    case API_WORKERS:
        return "workers";
    case API_TEXT:
        return "text";
    case API_ANY_STATE:
        return "state";
    case API_OUTCOME:
        return "outcome";
    }
    CANT_HAPPEN("no such type of parameter");
}

/* What was given, short enough for a message; bytes from outside stay escaped, as JSON has them. */
static void value_text(const cJSON *value, char *text, size_t size)
{
    char *printed = cJSON_PrintUnformatted(value);
    snprintf(text, size, "%.80s%s", printed != NULL ? printed : "?",
             printed != NULL && strlen(printed) > 80 ? "..." : "");
    cJSON_free(printed);
}

static int bad_value(struct api_call *call, const char *name, const cJSON *value, const char *right)
{
    char text[96];
    value_text(value, text, sizeof(text));
    return api_fail(call, EINVAL, "parameter \"%s\" is %s; it must be %s", name, text, right);
}

static int check_tube(struct api_call *call, const char *name, const cJSON *value)
{
    const char *tube = cJSON_GetStringValue(value);
    if (tube != NULL && job_tube_name_check(tube, strlen(tube)) == 0)
        return 0;
    char right[512];
    snprintf(right, sizeof(right), "the name of a tube: %s", job_tube_name_rule());
    return bad_value(call, name, value, right);
}

static int check_text(struct api_call *call, const char *name, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    if (text != NULL && text[0] != '\0' && strlen(text) <= JOB_TEXT_MAX)
        return 0;
    return bad_value(call, name, value, "a text of 1 to 200 bytes");
}

/* JOB_STATE_COUNT: none of those in which a job is kept. */
static enum job_state state_of(const char *word)
{
    static const enum job_state states[] = {JOB_READY, JOB_DELAYED, JOB_RESERVED, JOB_BURIED};
    for (size_t i = 0; word != NULL && i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(job_state_word(states[i]), word) == 0)
            return states[i];
    return JOB_STATE_COUNT;
}

static int check_state(struct api_call *call, const struct api_param *param, const cJSON *value)
{
    const char *word = cJSON_GetStringValue(value);
    bool any = param->type == API_ANY_STATE;
    if (state_of(word) != JOB_STATE_COUNT ||
        (any && word != NULL && strcmp(word, job_state_word(JOB_FINISHED)) == 0))
        return 0;
    return bad_value(call, param->name, value,
                     any ? "\"ready\", \"delayed\", \"reserved\", \"buried\" or \"finished\""
                         : "\"ready\", \"delayed\", \"reserved\" or \"buried\"");
}

/* JOB_OUTCOME_COUNT: none. */
static enum job_outcome_kind outcome_of(const char *word)
{
    int kind = 0;
    while (kind < JOB_OUTCOME_COUNT &&
           (word == NULL || strcmp(job_outcome_word((enum job_outcome_kind)kind), word) != 0))
        kind++;
    return (enum job_outcome_kind)kind;
}

static int param_check(struct api_call *call, const struct api_param *param, const cJSON *given)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(given, param->name);
    if (value == NULL || cJSON_IsNull(value)) {
        if (param->required)
            return api_fail(call, EINVAL, "parameter \"%s\" is missing; it is %s", param->name,
                            param->what);
        return 0;
    }
    uint64_t id;
    switch (param->type) {
    case API_ID:
        if (jsonobj_get_u64(given, param->name, &id) != 0 || id == 0)
            return bad_value(call, param->name, value, "the id of a job, a whole number from 1");
        return 0;
    case API_TUBE:
        return check_tube(call, param->name, value);
    case API_SECONDS:
        if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) ||
            value->valuedouble > SECONDS_MAX)
            return bad_value(call, param->name, value,
                             "a number of seconds from 0 to 1000000000, such as 2.5");
        return 0;
    case API_STATE:
    case API_ANY_STATE:
        return check_state(call, param, value);
    case API_OUTCOME:
        if (outcome_of(cJSON_GetStringValue(value)) == JOB_OUTCOME_COUNT)
            return bad_value(call, param->name, value,
                             "the word of an outcome, such as \"done\" or \"failed\"");
        return 0;
    case API_COUNT:
        if (jsonobj_get_u64(given, param->name, &id) != 0 || id == 0)
            return bad_value(call, param->name, value, "a whole number from 1");
        return 0;
    case API_OFFSET:
        if (jsonobj_get_u64(given, param->name, &id) != 0 || id > UINT32_MAX)
            return bad_value(call, param->name, value, "a whole number from 0 to 4294967295");
        return 0;
    case API_BOOL:
        if (!cJSON_IsBool(value))
            return bad_value(call, param->name, value, "true or false");
        return 0;
    case API_POOL:
        if (!cJSON_IsString(value))
            return bad_value(call, param->name, value, "the name of a pool, a text");
        return 0;
    case API_WORKERS:
        if (jsonobj_get_u64(given, param->name, &id) != 0 || id > WORKER_POOL_MAX)
            return bad_value(call, param->name, value, "a whole number from 0 to 1024");
        return 0;
    case API_TEXT:
        return check_text(call, param->name, value);
    }
    CANT_HAPPEN("no such type of parameter");
}

static const struct api_param *param_find(const struct api_param *params, const char *name)
{
    for (; params->name != NULL; params++)
        if (strcmp(params->name, name) == 0)
            return params;
    return NULL;
}

static int unknown_param(struct api_call *call, const struct api_param *params, const char *name)
{
    char known[256] = "";
    size_t len = 0;
    for (const struct api_param *param = params; param->name != NULL && len < sizeof(known);
         param++)
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s\"%s\"",
                                param == params ? "" : ", ", param->name);
    return api_fail(call, EINVAL, "\"%.80s\" is not a parameter of \"%s\"; %s%s", name,
                    call->method->name, params->name == NULL ? "it has none" : "they are: ", known);
}

int params_check(struct api_call *call, const struct api_param *params, const cJSON *given)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, given)
    {
        if (param_find(params, item->string) == NULL)
            return unknown_param(call, params, item->string);
        /* Two of one name: which one counts would be the parser's secret. */
        if (cJSON_GetObjectItemCaseSensitive(given, item->string) != item)
            return api_fail(call, EINVAL, "parameter \"%s\" is there twice; give it once",
                            item->string);
    }
    for (; params->name != NULL; params++) {
        int rc = param_check(call, params, given);
        if (rc != 0)
            return rc;
    }
    return 0;
}

uint64_t params_id(const cJSON *given, const char *name)
{
    uint64_t id = 0;
    MUST(jsonobj_get_u64(given, name, &id));
    return id;
}

const char *params_tube(const cJSON *given, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(given, name));
}

const char *params_text(const cJSON *given, const char *name)
{
    return params_tube(given, name);
}

int64_t params_seconds(const cJSON *given, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(given, name);
    return cJSON_IsNumber(value) ? (int64_t)(value->valuedouble * (double)HL_SECOND) : HL_FOREVER;
}

uint64_t params_u64(const cJSON *given, const char *name, uint64_t otherwise)
{
    uint64_t number;
    return params_given(given, name) && jsonobj_get_u64(given, name, &number) == 0 ? number
                                                                                   : otherwise;
}

bool params_bool(const cJSON *given, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(given, name));
}

bool params_finished(const cJSON *given, const char *name)
{
    const char *word = params_tube(given, name);
    return word != NULL && strcmp(word, job_state_word(JOB_FINISHED)) == 0;
}

enum job_outcome_kind params_outcome(const cJSON *given, const char *name)
{
    return outcome_of(params_tube(given, name));
}

unsigned params_states(const cJSON *given, const char *name)
{
    enum job_state state = state_of(params_tube(given, name));
    return state == JOB_STATE_COUNT ? 0 : BROKER_STATE(state);
}

bool params_given(const cJSON *given, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(given, name);
    return value != NULL && !cJSON_IsNull(value);
}
