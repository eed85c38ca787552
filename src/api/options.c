// SPDX-License-Identifier: MIT
/*
 * What was asked for with a job, as JSON: the same members that the head of a `submit` has, as far
 * as they were given. Texts by which people find jobs stand with the job itself.
 */
#include "api/api_priv.h"
#include "api/result_priv.h"

#include <stdio.h>
#include <string.h>

static void text(struct out out, const char *name, const char *value)
{
    if (value[0] != '\0')
        out_str(out, name, value);
}

void out_labels(struct out job, const char *name, const char *group, const char *key,
                const char *tags, size_t tags_size)
{
    text(job, "name", name);
    text(job, "group", group);
    text(job, "key", key);
    if (tags_size == 0)
        return;
    struct out array = out_array(job, "tags");
    const char *tag = NULL;
    while ((tag = job_tags_next(tags, tags_size, tag)) != NULL)
        out_array_str(array, tag);
}

/* ---- rules ---- */

static void out_rule(struct out out, const char *name, const struct job_rules *rules,
                     const struct job_rule_row *row)
{
    int64_t value = job_rules_value(rules, row->bit);
    switch (row->form) {
    case JOB_RULE_FORM_NUMBER:
        out_u64(out, name, (uint64_t)value);
        break;
    case JOB_RULE_FORM_KIND:
        out_str(out, name, job_backoff_word((uint32_t)value));
        break;
    case JOB_RULE_FORM_TIME:
        out_seconds(out, name, value);
        break;
    }
}

/* Those that stand in an object stand together, so one is open at a time. */
static void out_rules(struct out options, const struct job_rules *rules)
{
    const struct job_rule_row *row;
    struct out object = options;
    char open[32] = "";
    for (size_t i = 0; (row = job_rule_at(i)) != NULL; i++) {
        if ((rules->set & row->bit) == 0)
            continue;
        size_t len = strcspn(row->word, ".");
        if (row->word[len] == '\0') {
            out_rule(options, row->word, rules, row);
            continue;
        }
        if (strlen(open) != len || memcmp(open, row->word, len) != 0) {
            snprintf(open, sizeof(open), "%.*s", (int)len, row->word);
            object = out_object(options, open);
        }
        out_rule(object, row->word + len + 1, rules, row);
    }
}

static void seconds(struct out out, const struct job_view *view, uint32_t bit, const char *name,
                    int64_t value_ns)
{
    if ((view->set & bit) != 0)
        out_seconds(out, name, value_ns);
}

void out_options(struct out job, const struct job_view *view)
{
    if ((view->set & ~(uint32_t)JOB_OPTION_AUTHORISED) == 0 && view->rules.set == 0)
        return;
    struct out options = out_object(job, "options");
    out_rules(options, &view->rules);
    seconds(options, view, JOB_OPTION_RETENTION, "retention", view->retention_ns);
    seconds(options, view, JOB_OPTION_AT, "at", view->at_wall_ns);
}
