// SPDX-License-Identifier: MIT
/*
 * Random work on a broker with everything that it has: groups, keys, rules, times of the wall
 * clock, levels, consumers and connections, all verbs. Nothing is compared with what should come of
 * it: for tests that compare the broker with itself. The virtual clock is the caller's.
 */
#ifndef CHURN_H
#define CHURN_H

#include "engine.h"
#include "unit_random.h"

enum { CHURN_TUBES = 4, CHURN_CONNS = 4, CHURN_LEASES = 32, CHURN_IDS = 64 };

struct churn_lease {
    uint64_t id, token; // id 0: none
};

struct churn {
    struct broker *broker;
    struct unit_random numbers;
    struct tube *tubes[CHURN_TUBES];
    struct broker_consumer *consumers[CHURN_TUBES];
    struct engine_conn conns[CHURN_CONNS];
    struct engine_conn waiter; // waits for jobs, under tokens
    // Some of what was put and taken, also what is gone meanwhile.
    uint64_t ids[CHURN_IDS];
    struct churn_lease local[CHURN_LEASES], remote[CHURN_LEASES];
    uint64_t records; // that `ended` got
};

// Before broker_new: what the broker is to have.
void churn_options(struct churn *churn, struct broker_options *options);
// A new broker; ids and leases of the one before are kept, as clients would.
void churn_join(struct churn *churn, struct broker *broker);
// One command.
void churn_step(struct churn *churn);
// Takes all hands off it; what is reserved goes back.
void churn_leave(struct churn *churn);

#endif
