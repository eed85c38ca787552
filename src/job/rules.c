// SPDX-License-Identifier: MIT
/*
 * Rules merged, and the pauses that follow from them.
 *
 * An exponential pause doubles with each trouble until it reaches the cap. Chance then takes a part
 * of it away, never adds: so jobs that failed together don't come back together, and a cap is what
 * it says.
 */
#include "job/rules.h"

#include "base/assert.h"

#include <stdbool.h>
#include <stddef.h>

static const struct job_rule_row rows[] = {
#define JOB_RULE(name, bit, tag, form, member, least, most, otherwise, word, flat, ...)            \
    {JOB_RULE_##name, JOB_RULE_FORM_##form, (word), (flat)},
#include "job/rules.def"
#undef JOB_RULE
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct job_rule_row *job_rule_at(size_t i)
{
    return i < ROWS ? &rows[i] : NULL;
}

void job_rules_say(struct job_rules *rules, uint32_t rule, int64_t value)
{
    rules->set |= rule;
    switch (rule) {
#define JOB_RULE(name, bit, tag, form, member, ...)                                                \
    case JOB_RULE_##name:                                                                          \
        rules->member = (JOB_RULE_##form)value;                                                    \
        return;
#include "job/rules.def"
#undef JOB_RULE
    default:
        break;
    }
    ASSERT(rule == 0); /* there is no such rule */
}

void job_rules_merge(struct job_rules *rules, const struct job_rules *below)
{
    if (below == NULL)
        return;
    uint32_t missing = below->set & ~rules->set;
#define JOB_RULE(name, bit, tag, form, member, ...)                                                \
    if ((missing & JOB_RULE_##name) != 0)                                                          \
        rules->member = below->member;
#include "job/rules.def"
#undef JOB_RULE
    rules->set |= missing;
}

int64_t job_rules_value(const struct job_rules *rules, uint32_t rule)
{
    bool said = (rules->set & rule) != 0;
    switch (rule) {
#define JOB_RULE(name, bit, tag, form, member, least, most, otherwise, ...)                        \
    case JOB_RULE_##name:                                                                          \
        return said ? (int64_t)rules->member : (otherwise);
#include "job/rules.def"
#undef JOB_RULE
    default:
        break;
    }
    ASSERT(rule == 0); /* there is no such rule */
    return 0;
}

int64_t job_rules_pause(const struct job_rules *rules, uint32_t count, uint64_t random)
{
    int64_t pause = job_rules_value(rules, JOB_RULE_BACKOFF);
    int64_t cap = job_rules_value(rules, JOB_RULE_BACKOFF_CAP);
    int64_t kind = job_rules_value(rules, JOB_RULE_BACKOFF_KIND);
    int64_t jitter = job_rules_value(rules, JOB_RULE_JITTER);
    if (cap <= 0 || cap > JOB_PAUSE_MAX_NS)
        cap = JOB_PAUSE_MAX_NS;
    if (pause < 0)
        pause = 0;
    if (kind == JOB_BACKOFF_EXPONENTIAL)
        for (uint32_t i = 1; i < count && pause > 0 && pause < cap; i++)
            pause = pause > cap / 2 ? cap : pause * 2;
    if (pause > cap)
        pause = cap;
    /* At most a hundredth of the largest number is left of each percent: no overflow. */
    uint64_t part = (uint64_t)(pause / 100 * jitter + pause % 100 * jitter / 100);
    return pause - (int64_t)(random % (part + 1));
}
