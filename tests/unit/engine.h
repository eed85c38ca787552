// SPDX-License-Identifier: MIT
// What the tests around the broker share: jobs in one line, and a place where finished ones go.
//
// Every function fails the test itself when something that must succeed doesn't.
#ifndef ENGINE_H
#define ENGINE_H

#include "broker/broker.h"
#include "unit.h"

// Turns expensive assertions on; first thing in main.
void engine_init(void);

struct job_body *engine_body(const char *text);

// Puts a body of text into a tube; returns the id.
uint64_t engine_put(struct broker *broker, const char *tube, uint32_t pri, int64_t delay_ns,
                    const char *text);
// The result of such a put, for those that are refused.
int engine_put_rc(struct broker *broker, const char *tube, const char *text);

struct broker_consumer *engine_consumer(struct broker *broker, const char *tube);

// Takes without waiting: its id, or 0 when nothing was ready. `lease` may be NULL: dropped.
uint64_t engine_take(struct broker_consumer *consumer, struct broker_lease *lease);

// Settles with an outcome of that kind, without anything else, and drops the lease.
int engine_settle(struct broker *broker, struct broker_lease *lease, enum job_outcome_kind kind);

struct broker_stats engine_stats(struct broker *broker);
struct broker_stats engine_tube_stats(struct broker *broker, const char *tube);
struct job_view engine_view(struct broker *broker, uint64_t id);

// A connection: a client, and a reserver that notes when it fires.
struct engine_conn {
    struct broker_client client;
    struct broker_reserver reserver;
    _Atomic unsigned fired;
};
void engine_conn_init(struct engine_conn *conn, struct broker *broker);
// Leaves as a lost connection does. Says whether the reserver would have been free at once.
bool engine_conn_fini(struct engine_conn *conn);
// Watches that tube and no other.
void engine_watch_only(struct engine_conn *conn, const char *tube);
// Reserves without waiting; 0 when nothing was ready.
uint64_t engine_reserve(struct engine_conn *conn);
// With a token: id and token of a ready job, which must be there.
uint64_t engine_reserve_token(struct engine_conn *conn, uint64_t *token);
// What a reserve answers (its lease is dropped; *id, if not NULL, gets the id or 0).
int engine_reserve_rc(struct engine_conn *conn, int64_t timeout_ns, uint64_t *id);
// The end of a wait: the result, and the id or 0.
int engine_finish(struct engine_conn *conn, uint64_t *id);

// Until as many consumers wait for a job.
void engine_await_waiting(struct broker *broker, uint64_t count);

// Starts a thread that isn't a daemon.
hl_thread *engine_thread(hl_thread_target target, void *arg);
void engine_thread_join(hl_thread **thread);

// A `finished` hook that keeps the records in order of arrival. Guarded by a lock of its own.
// For hooks `ended` of tests: the next of the list, which is the caller's then; NULL: none.
struct job_end *engine_end_pop(struct list *ends);

// The hook `ended` of who wants none of them.
void engine_ends_drop(struct list *ends, void *arg);

struct engine_records {
    hl_lock *lock;
    hl_event *arrived; // set with each record
    size_t count;
    struct job_record *record[64];
};
void engine_records_init(struct engine_records *records);
void engine_records_fini(struct engine_records *records);
// The hook `ended`: keeps the records of them.
void engine_records_add(struct list *ends, void *records);
// Waits until there are as many.
void engine_records_await(struct engine_records *records, size_t count);

// A number from the environment, for tests whose size can be changed.
uint64_t engine_env(const char *name, uint64_t otherwise);

#endif
