// SPDX-License-Identifier: MIT
/*
 * Rules: how often a job is tried, how long one attempt may take, and when the next one begins.
 * Part of job/job.h.
 *
 * The same struct serves all sources of rules (a job's options, its tube, the pool that runs it);
 * `set` says which members a source speaks about, the others mean nothing there. What follows from
 * rules is decided where attempts end.
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

#endif
