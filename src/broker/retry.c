// SPDX-License-Identifier: MIT
/*
 * What becomes of an attempt that ended: the rules of the job, its tube and the pool that ran it,
 * and what was counted so far, say whether the job goes, is buried, or is tried again, and when.
 *
 * Trouble is counted by kind (job/rules.h), each against its own limit; the counter that reaches it
 * buries, and so does any trouble of a job that is older than it may become. Where nobody says
 * anything a local worker's job has one attempt, one that asks for another gets it a few times, a
 * crash of the handler is forgiven twice; and what time or a lost connection does to a remote
 * worker's job is forgiven always, as in beanstalkd.
 *
 * A local job that is tried again pauses first. A remote one doesn't: its worker is at fault, and
 * another one may have it at once.
 */
#include "base/clock.h"
#include "broker/settle_priv.h"

/* The job's own, its tube's, then those of who ran it. */
static struct job_rules rules_of(const struct job *job, const struct job_rules *below)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    struct job_rules rules = {.set = 0};
    job_rules_merge(&rules, options != NULL ? &options->rules : NULL);
    job_rules_merge(&rules, &job->tube->rules);
    job_rules_merge(&rules, below);
    return rules;
}

int64_t retry_timeout(const struct job *job)
{
    const struct job_rules rules = rules_of(job, NULL);
    return (rules.set & JOB_RULE_TIMEOUT) != 0 ? rules.timeout_ns : -1;
}

/* 0: none. What takes too long has failed, where nobody says how often it may. */
static uint32_t limit_of(const struct job_rules *rules, enum job_outcome_kind kind, bool remote)
{
    uint32_t rule = job_tries_rule(kind);
    if (kind == JOB_OUTCOME_TIMEOUT && (rules->set & rule) == 0)
        rule = JOB_RULE_ATTEMPTS;
    return (rules->set & rule) != 0 ? (uint32_t)job_rules_value(rules, rule)
                                    : job_tries_limit(kind, remote);
}

/* An attempt that ends in trouble is the last of a job that is so old; the time since its put
 * counts, whatever it has done with it. */
static bool is_too_old(const struct job *job, const struct job_rules *rules)
{
    int64_t most_ns = job_rules_value(rules, JOB_RULE_MAX_AGE);
    return most_ns > 0 && clock_now_ns() - job_created_ns(job) > most_ns;
}

bool retry_minds_loss(const struct job *job)
{
    const struct job_rules rules = rules_of(job, NULL);
    return limit_of(&rules, JOB_OUTCOME_LOST, true) != 0 || is_too_old(job, &rules);
}

/* xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators,
 * scrambled" (2016). Chance among pauses needs no more. */
static uint64_t chance(struct broker *broker)
{
    uint64_t x = broker->chance;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    broker->chance = x;
    return x * UINT64_C(2685821657736338717);
}

void broker_chance(struct broker *broker, uint64_t seed)
{
    broker_lock(broker);
    broker->chance = seed != 0 ? seed : 1;
    broker_unlock(broker);
}

struct verdict retry_judge(struct job *job, const struct job_outcome *outcome)
{
    enum job_fate fate = job_outcome_fate(outcome->kind);
    if (fate != JOB_FATE_RULED)
        return (struct verdict){.state = fate == JOB_FATE_LEAVES   ? JOB_FINISHED
                                         : fate == JOB_FATE_BURIED ? JOB_BURIED
                                                                   : JOB_READY};
    bool remote = job->extra->client != NULL;
    struct job_rules rules = rules_of(job, outcome->rules);
    job_rules_merge(&rules, outcome->otherwise);
    uint32_t limit = limit_of(&rules, outcome->kind, remote);
    uint32_t before = *job_tries_of(&job->extra->tries, outcome->kind);
    uint32_t count = before < UINT32_MAX ? before + 1 : before;
    if ((limit != 0 && count >= limit) || is_too_old(job, &rules))
        return (struct verdict){.state = JOB_BURIED};
    int64_t pause_ns = 0;
    if (outcome->kind == JOB_OUTCOME_RETRY && outcome->retry_ns >= 0)
        pause_ns = outcome->retry_ns < JOB_PAUSE_MAX_NS ? outcome->retry_ns : JOB_PAUSE_MAX_NS;
    else if (!remote)
        pause_ns = job_rules_pause(&rules, count, chance(broker_of(job->tube)));
    return (struct verdict){
        .state = pause_ns > 0 ? JOB_DELAYED : JOB_READY, .again = true, .pause_ns = pause_ns};
}
