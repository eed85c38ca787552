// SPDX-License-Identifier: MIT
/*
 * The head of a `submit`: what is asked for with a job, as a JSON object. One table of members, in
 * which each has the function that reads it; what isn't in the table is refused by its name, so a
 * misspelt option is never a job without it.
 *
 * Numbers of seconds are as in the methods' parameters. The values' own bounds are those of
 * job/options.def and are checked there.
 */
#include "api/api_priv.h"

#include "base/when.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SUBMIT_PRIORITY_DEFAULT 1024
#define SUBMIT_TTR_DEFAULT_NS (60 * HL_SECOND)
#define SECONDS_MAX ((double)JOB_OPTION_TIME_MAX / (double)HL_SECOND)
#define WALL_SECONDS_MAX 9.2e9 /* the year 2261: what fits into nanoseconds */

struct reading {
    struct api_submit *submit;
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

/* "member is VALUE; it must be RIGHT" */
static int bad(struct reading *reading, const cJSON *value, const char *name, const char *right)
{
    char *printed = cJSON_PrintUnformatted(value);
    int rc =
        refuse(reading, "\"%s\" is %.80s%s; it must be %s", name, printed != NULL ? printed : "?",
               printed != NULL && strlen(printed) > 80 ? "..." : "", right);
    cJSON_free(printed);
    return rc;
}

/* ---- forms of values ---- */

static int read_seconds(struct reading *reading, const cJSON *value, const char *name, int64_t *ns)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > SECONDS_MAX)
        return bad(reading, value, name, "a number of seconds from 0, such as 2.5");
    *ns = (int64_t)(value->valuedouble * (double)HL_SECOND + 0.5);
    return 0;
}

static int read_u32(struct reading *reading, const cJSON *value, const char *name, uint32_t *number)
{
    double given = cJSON_IsNumber(value) ? value->valuedouble : -1;
    if (!(given >= 0) || given > UINT32_MAX || given != (double)(uint32_t)given)
        return bad(reading, value, name, "a whole number from 0 to 4294967295");
    *number = (uint32_t)given;
    return 0;
}

static int read_text(struct reading *reading, const cJSON *value, const char *name,
                     const char **text)
{
    *text = cJSON_GetStringValue(value);
    if (*text == NULL || (*text)[0] == '\0')
        return bad(reading, value, name, "a text of 1 to 200 bytes");
    return 0;
}

/* ---- members ---- */

static int read_tube(struct reading *reading, const cJSON *value)
{
    const char *tube = cJSON_GetStringValue(value);
    char right[512];
    if (tube != NULL && job_tube_name_check(tube, strlen(tube)) == 0) {
        reading->submit->tube = tube;
        return 0;
    }
    snprintf(right, sizeof(right), "the name of a tube: %s", job_tube_name_rule());
    return bad(reading, value, "tube", right);
}

static int read_priority(struct reading *reading, const cJSON *value)
{
    return read_u32(reading, value, "priority", &reading->submit->pri);
}

static int read_delay(struct reading *reading, const cJSON *value)
{
    return read_seconds(reading, value, "delay", &reading->submit->delay_ns);
}

static int read_at(struct reading *reading, const cJSON *value)
{
    struct job_options *options = &reading->submit->options;
    const char *text = cJSON_GetStringValue(value);
    options->set |= JOB_OPTION_AT;
    if (text != NULL && when_parse(text, &options->at_wall_ns) == 0)
        return 0;
    if (cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble < WALL_SECONDS_MAX) {
        options->at_wall_ns = (int64_t)(value->valuedouble * 1e6 + 0.5) * 1000;
        return 0;
    }
    return bad(reading, value, "at",
               "a moment such as \"2026-11-23T08:30:00Z\", or a number of seconds since 1970");
}

static int read_ttr(struct reading *reading, const cJSON *value)
{
    return read_seconds(reading, value, "ttr", &reading->submit->ttr_ns);
}

static int read_retention(struct reading *reading, const cJSON *value)
{
    reading->submit->options.set |= JOB_OPTION_RETENTION;
    return read_seconds(reading, value, "retention", &reading->submit->options.retention_ns);
}

static int read_name(struct reading *reading, const cJSON *value)
{
    return read_text(reading, value, "name", &reading->submit->options.name);
}

static int read_group(struct reading *reading, const cJSON *value)
{
    return read_text(reading, value, "group", &reading->submit->options.group);
}

static int read_key(struct reading *reading, const cJSON *value)
{
    return read_text(reading, value, "key", &reading->submit->options.key);
}

static int read_tags(struct reading *reading, const cJSON *value)
{
    struct api_submit *submit = reading->submit;
    size_t used = 0;
    const cJSON *item;
    if (!cJSON_IsArray(value))
        return bad(reading, value, "tags", "an array of texts");
    cJSON_ArrayForEach(item, value)
    {
        const char *tag = cJSON_GetStringValue(item);
        if (tag == NULL || tag[0] == '\0')
            return bad(reading, item, "tags", "an array of texts that aren't empty");
        size_t size = strlen(tag) + 1;
        if (size > sizeof(submit->tags) - used)
            return refuse(reading,
                          "\"tags\" are too long together: at most %d bytes, with one "
                          "more for each",
                          JOB_TAGS_SIZE);
        if (job_tags_have(submit->tags, used, tag))
            continue;
        memcpy(submit->tags + used, tag, size);
        used += size;
    }
    submit->options.tags = submit->tags;
    submit->options.tags_size = used;
    return 0;
}

/* A member of the rules: sets its bit. */
#define RULE_U32(name, member, bit)                                                                \
    static int read_##member(struct reading *reading, const cJSON *value)                          \
    {                                                                                              \
        reading->submit->options.rules.set |= (bit);                                               \
        return read_u32(reading, value, name, &reading->submit->options.rules.member);             \
    }
RULE_U32("attempts", attempts, JOB_RULE_ATTEMPTS)
RULE_U32("crashes", crashes, JOB_RULE_CRASHES)
RULE_U32("timeouts", timeouts, JOB_RULE_TIMEOUTS)
RULE_U32("losses", losses, JOB_RULE_LOSSES)
RULE_U32("backoff.jitter", jitter, JOB_RULE_JITTER)
#undef RULE_U32

static int read_timeout(struct reading *reading, const cJSON *value)
{
    reading->submit->options.rules.set |= JOB_RULE_TIMEOUT;
    return read_seconds(reading, value, "timeout", &reading->submit->options.rules.timeout_ns);
}

static int read_kind(struct reading *reading, const cJSON *value)
{
    struct job_rules *rules = &reading->submit->options.rules;
    const char *word = cJSON_GetStringValue(value);
    rules->set |= JOB_RULE_BACKOFF_KIND;
    for (uint32_t kind = JOB_BACKOFF_FIXED; word != NULL && kind <= JOB_BACKOFF_EXPONENTIAL; kind++)
        if (strcmp(word, job_backoff_word(kind)) == 0) {
            rules->backoff_kind = kind;
            return 0;
        }
    return bad(reading, value, "backoff.kind", "\"fixed\" or \"exponential\"");
}

static int read_base(struct reading *reading, const cJSON *value)
{
    reading->submit->options.rules.set |= JOB_RULE_BACKOFF;
    return read_seconds(reading, value, "backoff.base", &reading->submit->options.rules.backoff_ns);
}

static int read_cap(struct reading *reading, const cJSON *value)
{
    reading->submit->options.rules.set |= JOB_RULE_BACKOFF_CAP;
    return read_seconds(reading, value, "backoff.cap",
                        &reading->submit->options.rules.backoff_cap_ns);
}

/* ---- objects ---- */

struct member {
    const char *name; /* NULL ends the list */
    int (*read)(struct reading *reading, const cJSON *value);
};

static int unknown_member(struct reading *reading, const struct member *members, const char *name,
                          const char *of)
{
    char known[256] = "";
    size_t len = 0;
    for (const struct member *member = members; member->name != NULL && len < sizeof(known);
         member++)
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s\"%s\"",
                                member == members ? "" : ", ", member->name);
    return refuse(reading, "\"%.80s\" is not a member of %s; they are: %s", name, of, known);
}

static int read_members(struct reading *reading, const struct member *members, const cJSON *object,
                        const char *of)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        const struct member *member = members;
        while (member->name != NULL && strcmp(member->name, item->string) != 0)
            member++;
        if (member->name == NULL)
            return unknown_member(reading, members, item->string, of);
        if (cJSON_GetObjectItemCaseSensitive(object, item->string) != item)
            return refuse(reading, "\"%s\" is there twice; give it once", item->string);
        int rc = cJSON_IsNull(item) ? 0 : member->read(reading, item);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_backoff(struct reading *reading, const cJSON *value)
{
    static const struct member members[] = {{"kind", read_kind},
                                            {"base", read_base},
                                            {"cap", read_cap},
                                            {"jitter", read_jitter},
                                            {NULL, NULL}};
    if (!cJSON_IsObject(value))
        return bad(reading, value, "backoff",
                   "an object of \"kind\", \"base\", \"cap\", \"jitter\"");
    return read_members(reading, members, value, "\"backoff\"");
}

static const struct member head_members[] = {
    {"tube", read_tube},
    {"priority", read_priority},
    {"delay", read_delay},
    {"at", read_at},
    {"ttr", read_ttr},
    {"key", read_key},
    {"attempts", read_attempts},
    {"crashes", read_crashes},
    {"timeouts", read_timeouts},
    {"losses", read_losses},
    {"backoff", read_backoff},
    {"timeout", read_timeout},
    {"retention", read_retention},
    {"name", read_name},
    {"group", read_group},
    {"tags", read_tags},
    {NULL, NULL},
};

static int read_head(struct reading *reading, const cJSON *head)
{
    if (!cJSON_IsObject(head))
        return refuse(reading, "the head of a submit is one JSON object, such as {\"tube\":\"t\"}");
    int rc = read_members(reading, head_members, head, "the head of a submit");
    if (rc == 0 && params_given(head, "delay") && params_given(head, "at"))
        rc = refuse(reading, "\"delay\" and \"at\" exclude each other");
    return rc != 0 ? rc
                   : job_options_check(&reading->submit->options, reading->why, reading->why_size);
}

int api_submit_read(struct api_submit *submit, const char *json, size_t len, char *why,
                    size_t why_size)
{
    size_t where = 0;
    *submit = (struct api_submit){.pri = SUBMIT_PRIORITY_DEFAULT, .ttr_ns = SUBMIT_TTR_DEFAULT_NS};
    struct reading reading = {.submit = submit, .why = why, .why_size = why_size};
    int rc = jsonobj_parse(&submit->json, json, len, &where);
    if (rc == EINVAL)
        return refuse(&reading, "the head of a submit is no JSON: byte %zu is wrong", where);
    if (rc == 0)
        rc = read_head(&reading, submit->json);
    if (rc != 0)
        api_submit_fini(submit);
    return rc;
}

void api_submit_fini(struct api_submit *submit)
{
    cJSON_Delete(submit->json);
    submit->json = NULL;
}
