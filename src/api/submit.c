// SPDX-License-Identifier: MIT
/*
 * The head of a `submit`: what is asked for with a job, as a JSON object. One table of members, in
 * which each has the function that reads it, and the rows of job/rules.def in the middle of it;
 * what isn't in the table is refused by its name, so a misspelt option is never a job without it.
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

static int read_awaited(struct reading *reading, const cJSON *value)
{
    reading->submit->awaited = cJSON_IsTrue(value);
    return cJSON_IsBool(value) ? 0 : bad(reading, value, "awaited", "true or false");
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

/* ---- rules: the rows of job/rules.def ---- */

static int read_kind(struct reading *reading, const cJSON *value, const char *name, uint32_t *kind)
{
    const char *word = cJSON_GetStringValue(value);
    for (*kind = JOB_BACKOFF_FIXED; *kind <= JOB_BACKOFF_EXPONENTIAL; ++*kind)
        if (word != NULL && strcmp(word, job_backoff_word(*kind)) == 0)
            return 0;
    return bad(reading, value, name, "\"fixed\" or \"exponential\"");
}

static int read_rule(struct reading *reading, const cJSON *value, const struct job_rule_row *row)
{
    uint32_t number = 0;
    int64_t ns = 0;
    int rc = EINVAL;
    switch (row->form) {
    case JOB_RULE_FORM_NUMBER:
        rc = read_u32(reading, value, row->word, &number);
        break;
    case JOB_RULE_FORM_KIND:
        rc = read_kind(reading, value, row->word, &number);
        break;
    case JOB_RULE_FORM_TIME:
        rc = read_seconds(reading, value, row->word, &ns);
        break;
    }
    if (rc == 0)
        job_rules_say(&reading->submit->options.rules, row->bit,
                      row->form == JOB_RULE_FORM_TIME ? ns : (int64_t)number);
    return rc;
}

/* ---- objects ---- */

/* Of one of these is either `read` or, where it comes from rules.def, `rule` there; of an object of
 * rules the first of them. */
struct member {
    const char *name;
    size_t len; /* of the name */
    int (*read)(struct reading *reading, const cJSON *value);
    const struct job_rule_row *rule;
};

#define MEMBER(name, read)                                                                         \
    {                                                                                              \
        (name), sizeof(name) - 1, (read), NULL                                                     \
    }
#define MEMBERS_OF_RULES                                                                           \
    {                                                                                              \
        NULL, 1, NULL, NULL                                                                        \
    } /* all that rules.def has for this object */
#define MEMBERS_END                                                                                \
    {                                                                                              \
        NULL, 0, NULL, NULL                                                                        \
    }

/* An object: its list, and what stands in front of its members in the words of rules. */
struct object {
    const struct member *members;
    const char *prefix;
    size_t prefix_len;
};

struct walk {
    const struct member *next;
    size_t rule;
};

/* Whether that rule is a member of the object, or the first of a member that is an object. */
static bool member_of_rule(const struct object *object, size_t i, struct member *member)
{
    const struct job_rule_row *row = job_rule_at(i), *before = i > 0 ? job_rule_at(i - 1) : NULL;
    if (strncmp(row->word, object->prefix, object->prefix_len) != 0)
        return false;
    const char *name = row->word + object->prefix_len;
    size_t len = strcspn(name, ".");
    if (name[len] == '.' && before != NULL &&
        strncmp(before->word, row->word, object->prefix_len + len + 1) == 0)
        return false;
    *member = (struct member){.name = name, .len = len, .rule = row};
    return true;
}

/* The members of an object one after the other; false: there are no more. */
static bool member_next(const struct object *object, struct walk *walk, struct member *member)
{
    while (walk->next->len > 0) {
        if (walk->next->name != NULL) {
            *member = *walk->next++;
            return true;
        }
        while (job_rule_at(walk->rule) != NULL)
            if (member_of_rule(object, walk->rule++, member))
                return true;
        walk->next++;
    }
    return false;
}

/* "a", "b", "c" */
#define KNOWN_MAX 320
static void members_list(const struct object *object, char known[KNOWN_MAX])
{
    struct walk walk = {object->members, 0};
    struct member member;
    size_t len = 0;
    known[0] = '\0';
    while (len < KNOWN_MAX && member_next(object, &walk, &member))
        len += (size_t)snprintf(known + len, KNOWN_MAX - len, "%s\"%.*s\"", len == 0 ? "" : ", ",
                                (int)member.len, member.name);
}

static int unknown_member(struct reading *reading, const struct object *object, const char *name,
                          const char *of)
{
    char known[KNOWN_MAX];
    members_list(object, known);
    return refuse(reading, "\"%.80s\" is not a member of %s; they are: %s", name, of, known);
}

static int read_member(struct reading *reading, const struct member *member, const cJSON *value);

static int read_members(struct reading *reading, const struct object *object, const cJSON *json,
                        const char *of)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, json)
    {
        struct walk walk = {object->members, 0};
        struct member member;
        bool known;
        do
            known = member_next(object, &walk, &member);
        while (known && (strncmp(member.name, item->string, member.len) != 0 ||
                         item->string[member.len] != '\0'));
        if (!known)
            return unknown_member(reading, object, item->string, of);
        if (cJSON_GetObjectItemCaseSensitive(json, item->string) != item)
            return refuse(reading, "\"%s\" is there twice; give it once", item->string);
        int rc = cJSON_IsNull(item) ? 0 : read_member(reading, &member, item);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* An object that rules.def has all members of; `value` has its name. */
static int read_object(struct reading *reading, const struct member *member, const cJSON *value)
{
    static const struct member of_rules[] = {MEMBERS_OF_RULES, MEMBERS_END};
    const char *prefix = member->rule->word;
    const struct object object = {of_rules, prefix,
                                  (size_t)(member->name - prefix) + member->len + 1};
    char text[KNOWN_MAX + 16] = "an object of ";
    if (cJSON_IsObject(value)) {
        snprintf(text, sizeof(text), "\"%s\"", value->string);
        return read_members(reading, &object, value, text);
    }
    members_list(&object, text + strlen(text));
    return bad(reading, value, value->string, text);
}

static int read_member(struct reading *reading, const struct member *member, const cJSON *value)
{
    if (member->read != NULL)
        return member->read(reading, value);
    return member->name[member->len] == '.' ? read_object(reading, member, value)
                                            : read_rule(reading, value, member->rule);
}

static const struct member head_members[] = {
    MEMBER("tube", read_tube),
    MEMBER("priority", read_priority),
    MEMBER("delay", read_delay),
    MEMBER("at", read_at),
    MEMBER("ttr", read_ttr),
    MEMBER("key", read_key),
    MEMBERS_OF_RULES,
    MEMBER("retention", read_retention),
    MEMBER("awaited", read_awaited),
    MEMBER("name", read_name),
    MEMBER("group", read_group),
    MEMBER("tags", read_tags),
    MEMBERS_END,
};

static int read_head(struct reading *reading, const cJSON *head)
{
    if (!cJSON_IsObject(head))
        return refuse(reading, "the head of a submit is one JSON object, such as {\"tube\":\"t\"}");
    static const struct object object = {head_members, "", 0};
    int rc = read_members(reading, &object, head, "the head of a submit");
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

/* ---- no room ---- */

const char *api_no_room(int rc)
{
    switch (rc) {
    case ENOBUFS:
        return "the tube is full (max_tube_jobs, max_tube_bytes); try again when jobs of it are "
               "finished, or have its limit raised";
    case EXFULL:
        return "all tubes together are full (max_jobs, max_bytes); try again when jobs are "
               "finished, or have the limit raised";
    case ENOSR:
        return "the journal was busy for too long, since the disk doesn't keep up; try again "
               "later";
    case ENOSPC:
        return "the disk that the journal is on is full; try again when there is space";
    case EDQUOT:
        return "as many groups are known as may be, and each has jobs or somebody who joins it; "
               "try again when one is finished";
    default:
        return NULL;
    }
}
