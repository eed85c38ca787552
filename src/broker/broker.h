// SPDX-License-Identifier: MIT
/*
 * The broker: every job that isn't gone, in tubes, and who waits for them.
 *
 * Tubes are queue cores in one domain (thr/thr.h), so one lock covers all of it and a sink can take
 * from several tubes at once. Each call takes that lock briefly; under it there is no I/O, no log
 * message, no memory for bodies; long walks let go of it every few hundred jobs. All calls may come
 * from any thread that doesn't hold the domain.
 *
 * What is promised:
 *   - Among the ready jobs of the tubes a sink takes from, the least priority number goes first,
 *     then the least id. Waiting sinks are served in the order in which they came.
 *   - A job is handed to one sink at a time, under a token that never repeats; only that token
 *     settles it.
 *   - A finished job is in the hands of the `finished` hook before it leaves the broker, and before
 *     anybody who waits for it (wait, join) hears of it: who asks the broker first and history
 *     second always finds it.
 *
 * A tube exists as long as something refers to it: a job, a user (broker_use), a sink, somebody who
 * joins it. The tube "default" always exists.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "job/job.h"
#include "thr/thr.h"

struct broker;
struct broker_tube;
struct broker_sink;

/* ---- life ---- */

struct broker_options {
    size_t body_max;    /* bytes of one body; 0: BROKER_BODY_MAX_DEFAULT */
    uint64_t jobs_max;  /* in all tubes together; 0: no limit */
    uint64_t bytes_max; /* of bodies, in all tubes together; 0: no limit */
    /*
     * Takes over the record of a job that has just finished (done, failed, deleted). Runs without
     * the lock on the thread that finished it; must not settle or delete the same job. NULL: no
     * records are made. When there is no memory for a record it is left out and counted.
     */
    void (*finished)(struct job_record **record, void *arg);
    void *finished_arg;
};

#define BROKER_BODY_MAX_DEFAULT 65535 /* as beanstalkd's -z */

int broker_new(struct broker **out, const struct broker_options *options);
/* Frees all jobs. No users, sinks or waiters are left and no other thread is inside. */
void broker_free(struct broker **broker);

size_t broker_body_max(const struct broker *broker);

/* While draining, puts are refused with EHOSTDOWN. Everything else goes on. */
void broker_drain(struct broker *broker, bool draining);
bool broker_is_draining(struct broker *broker);

/* ---- using tubes ---- */

/*
 * A user's hold on a tube, made if there is none; what put takes. EINVAL, ENAMETOOLONG: the name
 * (job_tube_name_check). ENOMEM.
 */
int broker_use(struct broker *broker, const char *name, size_t len, struct broker_tube **tube);
void broker_unuse(struct broker *broker, struct broker_tube **tube);
/* Valid as long as the hold. */
const char *broker_tube_name(const struct broker_tube *tube);

/* ---- put, look, delete ---- */

struct broker_put_spec {
    struct broker_tube *tube; /* from broker_use */
    uint32_t pri;
    int64_t delay_ns; /* 0 or less: ready at once */
    int64_t ttr_ns;   /* less than a second counts as one second, as in the protocol */
};

/*
 * Takes the body over on success and nulls *body; its id is visible to sinks at once. EMSGSIZE:
 * body over body_max. EHOSTDOWN: draining. ENOBUFS: jobs_max or bytes_max reached. ENOMEM.
 */
int broker_put(struct broker *broker, const struct broker_put_spec *spec, struct job_body **body,
               uint64_t *id);

/*
 * Copies the job out; with body_or_null also gives a reference on its body. ENOENT: there is none
 * (any more).
 */
int broker_peek(struct broker *broker, uint64_t id, struct job_view *view,
                struct job_body **body_or_null);

/* Whoever calls may delete ready, delayed and buried jobs. ENOENT: no such job, or it is reserved.
 */
int broker_delete(struct broker *broker, uint64_t id);

/* ---- sinks ---- */

/*
 * One taker, to be used by one thread at a time. `name` (copied) is what hl_thread_enumerate shows.
 * EINVAL: no tubes, a bad name, a tube twice. ENOMEM.
 */
int broker_sink_new(struct broker_sink **out, struct broker *broker, const char *name,
                    const char *const *tubes, size_t tube_count);
/* Not while a thread is in broker_take with it. Leases taken through it stay good. */
void broker_sink_free(struct broker_sink **sink);
/* From any thread, for good: its broker_take answers ESHUTDOWN, a blocked one wakes. */
void broker_sink_stop(struct broker_sink *sink);

struct broker_lease {
    uint64_t id;
    uint64_t token;
    struct job_body *body; /* a reference of the lease's own */
    const char *tube;      /* valid until the job is settled */
    uint32_t pri;
    uint32_t attempt; /* 1 for the first */
    int64_t ttr_ns;
    int64_t reserved_ns; /* clock_now_ns time */
};

/*
 * Waits until a job of the sink's tubes is ready and reserves it. `timeout_ns` HL_FOREVER; 0 or
 * less: looks once. ETIMEDOUT. ESHUTDOWN: the sink was stopped (no job is lost by that). *lease is
 * the caller's; broker_lease_fini drops the body.
 *
 * A lease of a local worker doesn't end by itself when its TTR is over: the worker has the process
 * in hand and settles when that is gone.
 */
int broker_take(struct broker_sink *sink, struct broker_lease *lease, int64_t timeout_ns);
void broker_lease_fini(struct broker_lease *lease);

/*
 * Ends the attempt under that token:
 *   DONE      the job is finished and leaves
 *   FAILED    buried with the outcome's reason; counts as finished
 *   DELETED   finished and leaves, counted as deleted by its holder
 *   RETURNED  ready again in its old place; not finished
 * The outcome stays the caller's. ESTALE: the token isn't the one of a present lease; nothing
 * changed. ENOMEM (FAILED, RETURNED): nothing changed, the lease is still good; try again (once in
 * a long while the `finished` hook has seen a record already, and gets it anew).
 */
int broker_settle(struct broker *broker, uint64_t id, uint64_t token,
                  const struct job_outcome *outcome);

/* ---- delays ---- */

/*
 * Makes ready what is due at clock_now_ns. Returns when the next one is due, CLOCK_NEVER: none is
 * waiting.
 */
int64_t broker_due(struct broker *broker);
/*
 * Called, without the lock, whenever the earliest deadline became earlier than it was. NULL: not
 * any more; a call may still be running when this returns, so first stop those who put.
 */
void broker_on_sooner(struct broker *broker, void (*sooner)(void *arg), void *arg);

/* ---- waiting for the end ---- */

/* Counts since the tube, or the broker, exists. */
struct broker_totals {
    uint64_t put, done, failed, deleted;
};

/*
 * An asynchronous wait. Memory is the caller's, zeroed before first use, left alone until fire ran
 * or cancel said true. fire runs once, without locks, on the thread whose call ended the wait,
 * possibly inside the _async call; it may start another wait with the same memory.
 */
struct broker_waiter {
    void (*fire)(struct broker_waiter *waiter);
    void *arg;                   /* the caller's */
    struct broker_totals totals; /* join: of the tube (or of all), set before fire */
    /* the broker's */
    struct broker *broker;
    struct broker_tube *tube;
    struct queue_wait wait;
    struct queue_link link;
    struct list_node node;
};

/* Fires when that job is finished (a buried one is). ENOENT: no such job here: it left, ask
 * history, or never was. ENOMEM. */
int broker_wait_async(struct broker *broker, uint64_t id, struct broker_waiter *waiter);

/*
 * Fires when nothing that was put into the tube (NULL: any tube) is unfinished; at once if nothing
 * was put or nobody knows the tube. EINVAL, ENAMETOOLONG: the name. ENOMEM.
 */
int broker_join_async(struct broker *broker, const char *tube, struct broker_waiter *waiter);

/* true: fire will not run. false: it has run, runs, or is about to. */
bool broker_cancel(struct broker_waiter *waiter);

/* The same, blocking. ETIMEDOUT. totals may be NULL. */
int broker_wait(struct broker *broker, uint64_t id, int64_t timeout_ns);
int broker_join(struct broker *broker, const char *tube, int64_t timeout_ns,
                struct broker_totals *totals);

/* ---- statistics: copies ---- */

struct broker_stats {
    uint64_t ready, urgent, reserved, delayed,
        buried; /* urgent: ready with a priority below 1024 */
    uint64_t unfinished;
    uint64_t bytes;   /* of the bodies */
    uint64_t waiting; /* sinks that wait for a job (all: counted once) */
    uint64_t using, watching;
    struct broker_totals totals;
    uint64_t tubes;      /* all: how many there are */
    uint64_t unrecorded; /* all: finished jobs without a record for want of memory */
};

void broker_stats(struct broker *broker, struct broker_stats *stats);
/* ENOENT: no such tube. */
int broker_tube_stats(struct broker *broker, const char *name, size_t len,
                      struct broker_stats *stats);

/* Visits the tubes in order of creation with copies, without the lock; the walk lets go of it in
 * between, so tubes made or gone meanwhile may be seen or not. false from visit ends it. ENOMEM. */
int broker_each_tube(struct broker *broker,
                     bool (*visit)(const char *name, const struct broker_stats *stats, void *arg),
                     void *arg);

#endif
