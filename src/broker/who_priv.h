// SPDX-License-Identifier: MIT
/*
 * Who put a job, who asks for it, and who has it: for the broker's own files; submitter.c, ask.c
 * and token.c have the essays.
 */
#ifndef BROKER_WHO_PRIV_H
#define BROKER_WHO_PRIV_H

#include "broker/broker.h"
#include "broker/held.h"

#include <stdatomic.h>

/* ---- submitters ---- */

#define SUBMITTERS_MAX 62
_Static_assert(SUBMITTERS_MAX == JOB_SUBMITTER_RARE - 1, "each place has its number in a job");
struct submitters {
    _Atomic unsigned count;
    uint32_t uid[SUBMITTERS_MAX];
};

/* The job, of which nobody knows yet, was put by that user; JOB_NOBODY: it stays nobody's. With the
 * lock, and without. ENOMEM. */
int submitter_set(struct broker *broker, struct job *job, uint32_t uid) HELD;
int submitter_put(struct broker *broker, struct job *job, uint32_t uid);
/* Of a job with its tube. */
uint32_t submitter_of(const struct job *job);

/* ---- askers ---- */

/* Whether the asker may all of that with the job. EACCES; ENOENT: he may not see it. */
int job_ask(const struct trust_view *asker, const struct job *job, trust_rights need) HELD;
/* Root and the daemon's own user. */
bool uid_is_owner(const struct broker *broker, uint32_t uid);
/* They, and the daemon itself. */
bool asker_is_owner(const struct broker *broker, const struct trust_view *asker);
/* To move it into that tube; likewise. */
int job_ask_move(const struct trust_view *asker, const struct job *job, const char *name,
                 size_t len) HELD;

/* ---- tokens ---- */

#define TOKEN_BITS 53
#define TOKENS_STORED 512
struct token_store {
    size_t left;
    uint64_t random[TOKENS_STORED]; /* the first `left` of them */
};

uint64_t token_next(struct broker *broker) HELD;

#endif
