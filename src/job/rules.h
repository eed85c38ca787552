// SPDX-License-Identifier: MIT
/*
 * Rules: how often a job is tried, how long one attempt may take, and when the next one begins.
 * Part of job/job.h.
 *
 * The same struct serves all sources of rules (a job's options, its tube, the pool that runs it);
 * `set` says which members a source speaks about, the others mean nothing there. Sources are merged
 * member by member: what the job says goes before its tube, the tube before the pool, and what
 * nobody says has the value that is named here.
 *
 * Four kinds of trouble are counted apart, each against a limit of its own: the job failed (or
 * asked to be tried again), it took too long, its handler crashed, the connection that had it was
 * lost. When a limit is reached the job is buried; until then it waits and is tried again.
 *
 * Pure functions, any thread.
 */
#ifndef JOB_RULES_H
#define JOB_RULES_H

#include <stddef.h>
#include <stdint.h>

/* Bits of job_rules.set. */
enum {
#define JOB_RULE(name, bit, ...) JOB_RULE_##name = 1 << (bit),
#include "job/rules.def"
#undef JOB_RULE
};

/* The numbers stand on disk. */
enum job_backoff_kind { JOB_BACKOFF_FIXED = 0, JOB_BACKOFF_EXPONENTIAL = 1 };

/* A member for each row of rules.def, which says what it means. */
struct job_rules {
    uint32_t set;
#define JOB_RULE_NUMBER uint32_t
#define JOB_RULE_KIND uint32_t
#define JOB_RULE_TIME int64_t
#define JOB_RULE(name, bit, tag, form, member, ...) JOB_RULE_##form member;
#include "job/rules.def"
#undef JOB_RULE
};

/* What counts where no source says anything; the rest stands in rules.def. */
#define JOB_ATTEMPTS_DEFAULT 1 /* a failed job is buried */
#define JOB_RETRIES_DEFAULT 10 /* attempts of one that asks for each */
#define JOB_CRASHES_DEFAULT 3
#define JOB_BACKOFF_DEFAULT_NS INT64_C(1000000000)
#define JOB_BACKOFF_CAP_DEFAULT_NS (INT64_C(3600) * 1000000000)
#define JOB_JITTER_DEFAULT 20
/* No pause is longer, whatever the rules say: a hundred years. */
#define JOB_PAUSE_MAX_NS (INT64_C(3155760000) * 1000000000)

/* ---- the rows of rules.def, for those who read rules or tell them ---- */

enum job_rule_form {
    JOB_RULE_FORM_NUMBER,
    JOB_RULE_FORM_KIND, /* an enum job_backoff_kind; to people the word of it */
    JOB_RULE_FORM_TIME  /* nanoseconds */
};

struct job_rule_row {
    uint32_t bit; /* in job_rules.set */
    enum job_rule_form form;
    const char *word; /* in JSON; with a point in it: "OBJECT.MEMBER" */
    const char *flat; /* where there are no objects */
};

/* The rows in their order, those of an object together; static. NULL: behind the last. */
const struct job_rule_row *job_rule_at(size_t i);
/* They say that about the rule of that bit; of a value so much as its member has room for. */
void job_rules_say(struct job_rules *rules, uint32_t rule, int64_t value);

/* ---- what rules say ---- */

/* What they say about the rule of that bit, or what counts where nobody says anything. */
int64_t job_rules_value(const struct job_rules *rules, uint32_t rule);

/* What `rules` doesn't say it has from `below` (NULL: nothing). */
void job_rules_merge(struct job_rules *rules, const struct job_rules *below);

/* The pause after the `count`th trouble of a kind, from 1. `random`: any number, all 64 bits count;
 * equal ones give equal pauses. */
int64_t job_rules_pause(const struct job_rules *rules, uint32_t count, uint64_t random);

#endif
