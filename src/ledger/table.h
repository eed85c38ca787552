// SPDX-License-Identifier: MIT
/*
 * What is kept beside the jobs, by id or by number: the jobs themselves, where their puts are in
 * the journal, who put them, and the tokens of their leases. Part of ledger.h.
 */
#ifndef LEDGER_TABLE_H
#define LEDGER_TABLE_H

#include "job/job.h"
#include "ledger/held.h"

#include <stdatomic.h>

struct ledger;

/* table.c */
/* Under its id; before anything else changes. EEXIST, ENOMEM: it isn't in. */
int job_table_add(struct ledger *ledger, struct job *job) HELD;
void job_table_remove(struct ledger *ledger, const struct job *job) HELD;
/* JOB_LOCATOR_...; 0 as long as it isn't set, or without a store. */
uint64_t locator_get(const struct job *job) HELD;
void locator_set(const struct job *job, uint64_t place) HELD;
HELD static inline bool job_is_logged(const struct job *job)
{
    return locator_get(job) != 0;
}

/* submitter.c */
#define SUBMITTERS_MAX 62
_Static_assert(SUBMITTERS_MAX == JOB_SUBMITTER_EXTRA - 1, "each place has its number in a job");
struct submitters {
    _Atomic unsigned count;
    uint32_t uid[SUBMITTERS_MAX];
};
/* The job, of which nobody knows yet, was put by that user; JOB_NOBODY: it stays nobody's. With the
 * lock, and without. ENOMEM. */
int submitter_set(struct ledger *ledger, struct job *job, uint32_t uid) HELD;
int submitter_put(struct ledger *ledger, struct job *job, uint32_t uid);
/* Of a job with its tube. */
uint32_t submitter_of(const struct job *job);

/* token.c */
#define TOKEN_BITS 53
#define TOKENS_STORED 512
struct token_store {
    size_t left;
    uint64_t random[TOKENS_STORED]; /* the first `left` of them */
};
uint64_t token_next(struct ledger *ledger) HELD;

#endif
