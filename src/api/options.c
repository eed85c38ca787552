// SPDX-License-Identifier: MIT
/*
 * What was asked for with a job, as JSON: the same members that the head of a `submit` has, as far
 * as they were given. Texts by which people find jobs stand with the job itself.
 */
#include "api/api_priv.h"

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

static void number(struct out out, const struct job_rules *rules, uint32_t bit, const char *name,
                   uint32_t value)
{
    if ((rules->set & bit) != 0)
        out_u64(out, name, value);
}

static void seconds(struct out out, uint32_t set, uint32_t bit, const char *name, int64_t value_ns)
{
    if ((set & bit) != 0)
        out_seconds(out, name, value_ns);
}

static void out_backoff(struct out out, const struct job_rules *rules)
{
    const uint32_t bits =
        JOB_RULE_BACKOFF_KIND | JOB_RULE_BACKOFF | JOB_RULE_BACKOFF_CAP | JOB_RULE_JITTER;
    if ((rules->set & bits) == 0)
        return;
    struct out backoff = out_object(out, "backoff");
    if ((rules->set & JOB_RULE_BACKOFF_KIND) != 0)
        out_str(backoff, "kind", job_backoff_word(rules->backoff_kind));
    seconds(backoff, rules->set, JOB_RULE_BACKOFF, "base", rules->backoff_ns);
    seconds(backoff, rules->set, JOB_RULE_BACKOFF_CAP, "cap", rules->backoff_cap_ns);
    number(backoff, rules, JOB_RULE_JITTER, "jitter", rules->jitter);
}

void out_options(struct out job, const struct job_view *view)
{
    const struct job_rules *rules = &view->rules;
    if ((view->set & ~(uint32_t)JOB_OPTION_VOUCHED) == 0 && rules->set == 0)
        return;
    struct out options = out_object(job, "options");
    number(options, rules, JOB_RULE_ATTEMPTS, "attempts", rules->attempts);
    number(options, rules, JOB_RULE_CRASHES, "crashes", rules->crashes);
    number(options, rules, JOB_RULE_TIMEOUTS, "timeouts", rules->timeouts);
    number(options, rules, JOB_RULE_LOSSES, "losses", rules->losses);
    out_backoff(options, rules);
    seconds(options, rules->set, JOB_RULE_TIMEOUT, "timeout", rules->timeout_ns);
    seconds(options, view->set, JOB_OPTION_RETENTION, "retention", view->retention_ns);
    seconds(options, view->set, JOB_OPTION_AT, "at", view->at_wall_ns);
}
