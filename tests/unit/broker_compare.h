// SPDX-License-Identifier: MIT
// The broker beside its model (broker_model.h): what test_broker_model.c commands, and the
// comparisons that must hold after each command.
#ifndef BROKER_COMPARE_H
#define BROKER_COMPARE_H

#include "broker_model.h"
#include "engine.h"
#include "unit_random.h"

extern const char *const tube_names[MODEL_TUBES];
extern struct broker *broker;
extern struct tube *tubes[MODEL_TUBES];
extern struct engine_conn conns[MODEL_CONNS];
extern bool fired[MODEL_JOBS]; // by place: the wait for the end of that job
extern uint64_t run_seed, run_step;

#define SAME(actual, expected)                                                                     \
    do {                                                                                           \
        uint64_t is_ = (uint64_t)(actual), be_ = (uint64_t)(expected);                             \
        ck_assert_msg(is_ == be_, "%s is %llu, not %llu (seed %llu, step %llu)", #actual,          \
                      (unsigned long long)is_, (unsigned long long)be_,                            \
                      (unsigned long long)run_seed, (unsigned long long)run_step);                 \
    } while (0)

// One job (or free place), one tube, and all counts.
void compare_job(const struct model_job *job);
void compare_tube(int tube);
void compare_counts(void);

// Many submitters, of whom a few put the most; and nobody.
uint32_t any_submitter(struct unit_random *random);
// The daemon, somebody who may what he wants with his own jobs and no more, or a stranger.
// *expected is what comes of it, if it is 0 by the state of the job.
const struct trust_view *any_asker(struct unit_random *random, const struct model_job *job,
                                   int *expected);

#endif
