// SPDX-License-Identifier: MIT
/*
 * What may be asked for with a job: the options of put that become the head of a `submit`. Without
 * any of them a job is put as ever, which every daemon of the protocol understands.
 *
 * The daemon checks the values; here only what the command line itself says is.
 */

#include "client/tool_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"
#include "base/when.h"

#include <errno.h>
#include <string.h>

static uint64_t percent_option(const char *arg, struct argp_state *state)
{
    uint64_t number = 0;
    if (json_parse_u64(arg, &number) != 0 || number > 100)
        argp_error(state, "--jitter wants a number from 0 to 100, not \"%s\"", arg);
    return number;
}

static int64_t losses_option(const char *arg, struct argp_state *state)
{
    uint64_t number = 0;
    if (json_parse_u64(arg, &number) != 0 || number > UINT32_MAX)
        argp_error(state, "--losses wants a whole number, 0 for no limit, not \"%s\"", arg);
    return (int64_t)number;
}

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
    case ASKED_ATTEMPTS:
        asked->attempts = number_option("attempts", arg, state);
        break;
    case ASKED_CRASHES:
        asked->crashes = number_option("crashes", arg, state);
        break;
    case ASKED_TIMEOUTS:
        asked->timeouts = number_option("timeouts", arg, state);
        break;
    case ASKED_LOSSES:
        asked->losses = losses_option(arg, state);
        break;
    case ASKED_TIMEOUT:
        asked->timeout_ns = duration_option("timeout", arg, state);
        break;
    case ASKED_RETENTION:
        asked->retention_ns = duration_option("retention", arg, state);
        break;
    case ASKED_BACKOFF:
        asked->backoff_ns = duration_option("backoff", arg, state);
        break;
    case ASKED_BACKOFF_CAP:
        asked->backoff_cap_ns = duration_option("backoff-cap", arg, state);
        break;
    case ASKED_KIND:
        if (strcmp(arg, "fixed") != 0 && strcmp(arg, "exponential") != 0)
            argp_error(state, "--backoff-kind wants fixed or exponential, not \"%s\"", arg);
        asked->kind = arg;
        break;
    case ASKED_JITTER:
        asked->jitter = (int)percent_option(arg, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    asked->any = true;
    return 0;
}

void asked_init(struct asked *asked)
{
    *asked = (struct asked){.timeout_ns = HL_FOREVER,
                            .retention_ns = HL_FOREVER,
                            .backoff_ns = HL_FOREVER,
                            .backoff_cap_ns = HL_FOREVER,
                            .losses = -1,
                            .jitter = -1};
}

/* ---- the head ---- */

static int add_text(cJSON *head, const char *name, const char *text)
{
    return text != NULL ? jsonobj_add_str(head, name, text) : 0;
}

static int add_seconds(cJSON *head, const char *name, int64_t ns)
{
    return ns != HL_FOREVER ? jsonobj_add_seconds(head, name, ns) : 0;
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

static int add_backoff(cJSON *head, const struct asked *asked)
{
    if (asked->backoff_ns == HL_FOREVER && asked->backoff_cap_ns == HL_FOREVER &&
        asked->kind == NULL && asked->jitter < 0)
        return 0;
    cJSON *backoff = cJSON_CreateObject();
    int rc = backoff != NULL ? add_text(backoff, "kind", asked->kind) : ENOMEM;
    if (rc == 0)
        rc = add_seconds(backoff, "base", asked->backoff_ns);
    if (rc == 0)
        rc = add_seconds(backoff, "cap", asked->backoff_cap_ns);
    if (rc == 0 && asked->jitter >= 0)
        rc = jsonobj_add_u64(backoff, "jitter", (uint64_t)asked->jitter);
    if (rc == 0)
        return jsonobj_add_item(head, "backoff", backoff);
    cJSON_Delete(backoff);
    return rc;
}

/* How much of which trouble is too much. */
static int add_limits(cJSON *head, const struct asked *asked)
{
    int rc = 0;
    if (asked->attempts > 0)
        rc = jsonobj_add_u64(head, "attempts", asked->attempts);
    if (rc == 0 && asked->crashes > 0)
        rc = jsonobj_add_u64(head, "crashes", asked->crashes);
    if (rc == 0 && asked->timeouts > 0)
        rc = jsonobj_add_u64(head, "timeouts", asked->timeouts);
    if (rc == 0 && asked->losses >= 0)
        rc = jsonobj_add_u64(head, "losses", (uint64_t)asked->losses);
    return rc;
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
        rc = add_limits(head, asked);
    if (rc == 0)
        rc = add_seconds(head, "timeout", asked->timeout_ns);
    if (rc == 0)
        rc = add_seconds(head, "retention", asked->retention_ns);
    return rc == 0 ? add_backoff(head, asked) : rc;
}

char *asked_head(const struct asked *asked, const struct hl_client_put *put)
{
    cJSON *head = cJSON_CreateObject();
    int rc = head != NULL ? add_all(head, asked, put) : ENOMEM;
    char *json = rc == 0 ? cJSON_PrintUnformatted(head) : NULL;
    cJSON_Delete(head);
    return json;
}
