// SPDX-License-Identifier: MIT
// A model of the broker: arrays that are searched from front to back, obviously right, slow. It
// says what the broker must do; test_broker_model.c gives both the same commands and compares.
//
// What is due at the same moment happens in a fixed order: leases under tokens, tubes, connections
// in order of their coming.
#ifndef BROKER_MODEL_H
#define BROKER_MODEL_H

#include "broker/broker.h"

#define MODEL_TUBES 4
#define MODEL_JOBS 48
#define MODEL_CONNS 5
#define MODEL_NOBODY (-1)        // an owner: a sink
#define MODEL_TOKENS MODEL_CONNS // an owner: whoever has the token

struct model_job {
    uint64_t id; // 0: a free place
    int tube;
    uint32_t submitter;
    uint32_t pri;
    enum job_state state;
    int64_t ttr_ns, delay_ns;
    int64_t due_ns;  // delayed: when it is ready; reserved: when its TTR is over
    uint64_t buried; // order of burial
    int owner;       // reserved: a connection, MODEL_TOKENS or MODEL_NOBODY
    int match_of;    // reserved: the connection that was given it and has not fetched it; or -1
    uint64_t token;
    uint32_t reserves, timeouts, releases, buries, kicks, failures, crashes, losses;
    bool cancelled;  // reserved by a sink, and to be stopped
    bool waited_for; // somebody waits for its end
    bool ended;      // ... and it came
};

enum model_wait { MODEL_IDLE, MODEL_WAITS, MODEL_MATCHED, MODEL_ENDED };

struct model_conn {
    int watched[MODEL_TUBES], watch_count;
    enum model_wait wait;
    bool with_token;
    uint64_t turn;      // of waiting ones, the least is served first
    int64_t timeout_ns; // when the wait is over
    uint64_t match_id;
    int end; // MODEL_ENDED: ETIME or ETIMEDOUT
    unsigned fired;
    uint64_t number; // decides between connections to which something happens at the same moment
};

struct model {
    struct model_job job[MODEL_JOBS];
    struct model_conn conn[MODEL_CONNS];
    int64_t pause_end_ns[MODEL_TUBES]; // CLOCK_NEVER: not paused
    uint64_t last_id, last_turn, last_burial, last_number;
    uint64_t put, done, failed, deleted, cancelled, kicked, timeouts, deletes, retries;
};

extern struct model model;

void model_init(void);
void model_connect(int conn);
// It asks for a job, also in vain; who asked first is told first when things happen at the same
// moment.
void model_asks(int conn);
struct model_job *model_free_place(void); // NULL: none

// The job is in no container now: makes it ready, or gives it to who waited longest.
void model_ready(struct model_job *job);
void model_reserve(struct model_job *job, int owner);
// A reserved job: its lease is over and it is ready again.
void model_give_back(struct model_job *job);
void model_bury(struct model_job *job);
// A reserved job that is ready only so much later.
void model_delay(struct model_job *job, int64_t delay_ns);
// What an attempt of a sink follows; a limit for each kind of trouble, and one length of pauses.
extern const struct job_rules model_rules;
void model_attempt_ends(struct model_job *job, enum job_outcome_kind kind);
// It leaves.
void model_remove(struct model_job *job);
void model_resume(int tube);

// The best ready job of tubes that aren't paused; NULL: none.
struct model_job *model_best(const int *tubes, int count);
// What a reserve of that connection does: 0 and *job, ETIME, ETIMEDOUT, EINPROGRESS.
int model_try_reserve(int conn, struct model_job **job);
// The lease of that owner that ends first; NULL: none.
struct model_job *model_first_lease(int owner);
// The one that is first to be ready.
struct model_job *model_best_lease(int owner);
// All that is due; returns when the next thing is.
int64_t model_due(void);
// The first of a tube's jobs of a state, in the order of kick and peek; NULL: none.
struct model_job *model_first(int tube, enum job_state state);

#endif
