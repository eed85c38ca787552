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

#include <stdint.h>

/* Bits of job_rules.set. */
enum {
    JOB_RULE_ATTEMPTS = 1 << 0,
    JOB_RULE_CRASHES = 1 << 1,
    JOB_RULE_TIMEOUTS = 1 << 2,
    JOB_RULE_LOSSES = 1 << 3,
    JOB_RULE_BACKOFF_KIND = 1 << 4,
    JOB_RULE_BACKOFF = 1 << 5,
    JOB_RULE_BACKOFF_CAP = 1 << 6,
    JOB_RULE_JITTER = 1 << 7,
    JOB_RULE_TIMEOUT = 1 << 8
};

/* The numbers stand on disk. */
enum job_backoff_kind { JOB_BACKOFF_FIXED = 0, JOB_BACKOFF_EXPONENTIAL = 1 };

struct job_rules {
    uint32_t set;
    uint32_t attempts;      /* failures in all, 1 and up: after so many the job is buried */
    uint32_t crashes;       /* of its handler, 1 and up */
    uint32_t timeouts;      /* 1 and up */
    uint32_t losses;        /* of the connection that had it; 0: no limit */
    uint32_t backoff_kind;  /* enum job_backoff_kind */
    uint32_t jitter;        /* percent of a pause that chance may take away, 0 to 100 */
    int64_t backoff_ns;     /* the pause after the first failure */
    int64_t backoff_cap_ns; /* the longest pause; 0: no limit of its own */
    int64_t timeout_ns;     /* of one attempt; 0: none */
};

/* What counts where no source says anything. */
#define JOB_ATTEMPTS_DEFAULT 1 /* a failed job is buried */
#define JOB_RETRIES_DEFAULT 10 /* attempts of one that asks for each */
#define JOB_CRASHES_DEFAULT 3
#define JOB_BACKOFF_DEFAULT_NS INT64_C(1000000000)
#define JOB_BACKOFF_CAP_DEFAULT_NS (INT64_C(3600) * 1000000000)
#define JOB_JITTER_DEFAULT 20
/* No pause is longer, whatever the rules say: a hundred years. */
#define JOB_PAUSE_MAX_NS (INT64_C(3155760000) * 1000000000)

/* What `rules` doesn't say it has from `below` (NULL: nothing). */
void job_rules_merge(struct job_rules *rules, const struct job_rules *below);

/* The pause after the `count`th trouble of a kind, from 1. `random`: any number, all 64 bits count;
 * equal ones give equal pauses. */
int64_t job_rules_pause(const struct job_rules *rules, uint32_t count, uint64_t random);

#endif
