// SPDX-License-Identifier: MIT
/*
 * Rules merged, and the pauses that follow from them.
 *
 * An exponential pause doubles with each trouble until it reaches the cap. Chance then takes a part
 * of it away, never adds: so jobs that failed together don't come back together, and a cap is what
 * it says.
 */
#include "job/rules.h"

#include <stddef.h>

#define MERGE(bit, member)                                                                         \
    if ((missing & (bit)) != 0)                                                                    \
        rules->member = below->member;

void job_rules_merge(struct job_rules *rules, const struct job_rules *below)
{
    if (below == NULL)
        return;
    uint32_t missing = below->set & ~rules->set;
    MERGE(JOB_RULE_ATTEMPTS, attempts)
    MERGE(JOB_RULE_CRASHES, crashes)
    MERGE(JOB_RULE_TIMEOUTS, timeouts)
    MERGE(JOB_RULE_LOSSES, losses)
    MERGE(JOB_RULE_BACKOFF_KIND, backoff_kind)
    MERGE(JOB_RULE_BACKOFF, backoff_ns)
    MERGE(JOB_RULE_BACKOFF_CAP, backoff_cap_ns)
    MERGE(JOB_RULE_JITTER, jitter)
    MERGE(JOB_RULE_TIMEOUT, timeout_ns)
    rules->set |= missing;
}

/* The member, or what counts where nobody says anything. */
static int64_t value(const struct job_rules *rules, uint32_t bit, int64_t said, int64_t otherwise)
{
    return (rules->set & bit) != 0 ? said : otherwise;
}

int64_t job_rules_pause(const struct job_rules *rules, uint32_t count, uint64_t random)
{
    int64_t pause = value(rules, JOB_RULE_BACKOFF, rules->backoff_ns, JOB_BACKOFF_DEFAULT_NS);
    int64_t cap =
        value(rules, JOB_RULE_BACKOFF_CAP, rules->backoff_cap_ns, JOB_BACKOFF_CAP_DEFAULT_NS);
    int64_t kind =
        value(rules, JOB_RULE_BACKOFF_KIND, rules->backoff_kind, JOB_BACKOFF_EXPONENTIAL);
    int64_t jitter = value(rules, JOB_RULE_JITTER, rules->jitter, JOB_JITTER_DEFAULT);
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
