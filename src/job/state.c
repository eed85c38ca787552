// SPDX-License-Identifier: MIT
/*
 * The states of a job, from two tables: where a job of a state is kept, and which state may follow
 * which. All functions are pure; job_move in job.c is where a state changes.
 */
#include "job/job.h"

static const struct {
    enum job_container container;
    const char *word;
} states[JOB_STATE_COUNT] = {
#define JOB_STATE(name, container, word, what) {JOB_IN_##container, word},
#include "job/job_states.def"
#undef JOB_STATE
};

/* [from][to] */
static const bool moves[JOB_STATE_COUNT][JOB_STATE_COUNT] = {
#define JOB_MOVE(from, to, by) [JOB_##from][JOB_##to] = true,
#include "job/job_moves.def"
#undef JOB_MOVE
};

/* job.state is a bit field of four bits. */
_Static_assert(JOB_STATE_COUNT <= 16, "job.state has room for 16 states");

enum job_container job_container(enum job_state state)
{
    ASSERT(state < JOB_STATE_COUNT);
    return states[state].container;
}

const char *job_state_word(enum job_state state)
{
    ASSERT(state < JOB_STATE_COUNT);
    return states[state].word;
}

bool job_may_move(enum job_state from, enum job_state to)
{
    ASSERT(from < JOB_STATE_COUNT && to < JOB_STATE_COUNT);
    return moves[from][to];
}
