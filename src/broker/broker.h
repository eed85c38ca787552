// SPDX-License-Identifier: MIT
/*
 * The broker: every job that isn't gone, in tubes, and who waits for them.
 *
 * Tubes are queue cores in one domain (thr/thr.h), so one lock covers all of it and a consumer can
 * take from several tubes at once. Each call takes that lock briefly; under it there is no I/O, no
 * log message, no memory for bodies; long walks let go of it every few hundred jobs. All calls may
 * come from any thread that doesn't hold the domain.
 *
 * What is promised:
 *   - Among the ready jobs of the tubes a consumer takes from, the least priority number goes
 *     first, then the least id. Waiting consumers are served in the order in which they came.
 *   - A job is handed to one consumer at a time, under a token that nobody can guess; only that
 *     token settles it.
 *   - The end of a job is in the hands of the `ended` hook before anybody can see that the job
 *     left, and before anybody who waits for it (wait, join) hears of it: who asks the broker first
 *     and history second always finds it.
 *
 * A tube exists as long as something refers to it: a job, a user (broker_use), a consumer, somebody
 * who joins it. The tube "default" always exists.
 *
 * Rights: whoever names a job by its id, or chooses jobs, says who asks (trust/trust.h; &trust_all:
 * the daemon itself). EACCES: he may know of the job, and not do that. A job that he may not see is
 * ENOENT, as one that never was. What names a tube is asked for by the doors, before they call;
 * broker_settle and its like show the token of a lease that is the caller's own.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "job/job.h"
#include "thr/thr.h"
#include "trust/trust.h"

struct broker;

#include "broker/client.h"   /* connections that reserve; part of this face */
#include "broker/consumer.h" /* who takes jobs inside of the daemon; part of this face, too */
#include "broker/durable.h"  /* the journal's side; likewise */
#include "broker/ending.h"   /* waiting for the end; likewise */
#include "broker/events.h"   /* being told of changes; likewise */
#include "broker/figures.h"  /* statistics; likewise */
#include "broker/filter.h"   /* choosing jobs; likewise */
#include "broker/keeping.h"  /* keys of jobs that are gone; likewise */
#include "broker/lease.h"    /* what who has a job was told of it; likewise */
#include "broker/names.h"    /* lists of tubes; likewise */
#include "broker/op.h"       /* verbs that change something; likewise */

struct tube;
struct job_group;
struct broker_consumer;
struct broker_client;
struct key_watch;

/* ---- life ---- */

struct broker_options {
    size_t body_max;         /* bytes of one body; 0: BROKER_BODY_MAX_DEFAULT */
    uint64_t jobs_max;       /* in all tubes together; 0: no limit */
    uint64_t bytes_max;      /* of bodies, in all tubes together; 0: no limit */
    uint64_t tube_jobs_max;  /* in one tube; 0: no limit */
    uint64_t tube_bytes_max; /* of bodies in one tube; 0: no limit */
    bool put_waits;          /* a put waits at a limit (OP_MAY_WAIT), instead of ENOBUFS */
    enum durability
        durability;      /* of tubes without one of their own; see durable.h. Without a journal
                                all are DURABILITY_MEMORY */
    int64_t interval_ns; /* of DURABILITY_INTERVAL */
    uint64_t held_max;   /* jobs that one client may have reserved (without token); 0: no limit */
    /*
     * Takes over the ends of jobs that leave a record: done, failed and cancelled ones; what is
     * deleted, by whoever holds it too, only if somebody waits for it. `ends` is a list of struct
     * job_end by their `node`, each numbered, one above the one before. Called with the lock,
     * before anybody hears of them: it may append the list to another one, no more. NULL: no
     * records are made. An end for which there is no memory is left out and counted.
     */
    void (*ended)(struct list *ends, void *arg);
    /* Straight after, without the lock, on the same thread: what takes longer. May be NULL. */
    void (*ended_after)(void *arg);
    void *records_arg;
    uint64_t last_result;      /* numbers of records go on from there */
    const struct trust *trust; /* who may what; outlives the broker. NULL: there is no table, and
                                  every view but trust_all may nothing */
    uint32_t daemon_uid;       /* that user, and root, may move any job into a guarded tube */
    /* Known at a time, see BROKER_PUT; a sixteenth of it, or 16, more for root and daemon_uid. 0:
     * no limit. */
    uint64_t groups_max;
    int64_t group_keep_ns; /* for how long a group without jobs and joiners is known; 0: a day */
    /* Asked for each put with a key that no job here has; with records_arg. What `ended` was given
     * must be found from then on. NULL: a key ends with its job. */
    broker_key_ask *key_kept;
};

#define BROKER_BODY_MAX_DEFAULT 65535 /* as beanstalkd's -z */

int broker_new(struct broker **out, const struct broker_options *options);
/* Frees all jobs. No users, consumers or waiters are left and no other thread is inside. */
void broker_free(struct broker **broker);

size_t broker_body_max(const struct broker *broker);
/* What it was made with, body_max filled in; valid as long as the broker. */
const struct broker_options *broker_get_options(const struct broker *broker);

/*
 * The rules of a tube (job/rules.h), now and whenever it is made again; those of a job go before
 * them. EINVAL, ENAMETOOLONG: the name. ENOMEM.
 */
int broker_tube_rules(struct broker *broker, const char *name, size_t len,
                      const struct job_rules *rules);
/* Where chance in pauses begins: for tests, which want the same pauses each time. */
void broker_chance(struct broker *broker, uint64_t seed);

/* While draining, puts are refused with EHOSTDOWN. Everything else goes on. */
void broker_drain(struct broker *broker, bool draining);
bool broker_is_draining(struct broker *broker);

/*
 * Takes the next id, for a put whose body is still to come (broker_put_spec.id): as in beanstalkd,
 * jobs are numbered in the order in which their puts began. An id is used up, whatever becomes of
 * the put: so is the one that a put takes by itself.
 */
uint64_t broker_take_id(struct broker *broker);

/* ---- using tubes ---- */

/*
 * A user's hold on a tube, made if there is none; what put takes. EINVAL, ENAMETOOLONG: the name
 * (job_tube_name_check). ENOMEM.
 */
int broker_use(struct broker *broker, const char *name, size_t len, struct tube **tube);
void broker_unuse(struct broker *broker, struct tube **tube);
/* Valid as long as the hold. */
const char *broker_tube_name(const struct tube *tube);
/* trust_tube_class of its name. */
uint16_t broker_tube_class(const struct tube *tube);

/* ---- put, look, delete ---- */

struct broker_put_spec {
    struct tube *tube; /* from broker_use */
    uint64_t id;       /* from broker_take_id; 0: the next one */
    uint32_t pri;
    int64_t delay_ns;             /* 0 or less: ready at once */
    struct broker_client *client; /* of the connection that puts; or NULL */
    int64_t ttr_ns;               /* less than a second counts as one second, as in the protocol */
    uint32_t submitter;           /* who puts: a uid, JOB_NOBODY */
    const struct job_options *options; /* job_options_check likes them; copied; NULL: none */
    bool awaited; /* somebody will ask how it ends; as if he waited already. Not over a restart */
};

/*
 * Copies the job out; with body_or_null also gives a reference on its body, for who may read.
 * ENOENT: there is none (any more). EACCES.
 */
int broker_peek(struct broker *broker, const struct trust_view *asker, uint64_t id,
                struct job_view *view, struct job_body **body_or_null);

/* Whether there was, or is, a job with that id (ids that a refused put used up count, too). Ids
 * rise one by one, so that is no secret. */
bool broker_had(struct broker *broker, uint64_t id);

/*
 * The job of the tube that comes next among those of a state: READY: the one a reserve would get
 * (also while the tube is paused); DELAYED: the one due first; BURIED: the one buried first.
 * ENOENT: there is none.
 */
int broker_peek_first(struct broker *broker, struct tube *tube, enum job_state state,
                      struct job_view *view, struct job_body **body_or_null);

/* ---- many jobs, tubes ---- */

/*
 * Walks, for who has others to serve meanwhile: after broker_..._begin (0), broker_bulk_on does a
 * few hundred jobs each time. EINPROGRESS: there are more. EAGAIN: the journal is busy, to be
 * called again when there is room (BROKER_ROOM). Others: it is over, `done` is how many. ENOMEM,
 * ENOSPC, EIO: not all of them. broker_bulk_end in any case, early too. The walk keeps the tube;
 * each call may come from another thread.
 *
 *   kick   makes up to `count` buried jobs of the tube ready, those buried first first; or, if none
 *          is buried when it begins, delayed ones, the soonest first; and no more than there are
 *          when it begins. Priorities stay.
 *   clear  deletes ready, delayed and buried jobs of the tube, as many as it has when it begins.
 *          ENOENT: no such tube.
 */
struct broker_bulk {
    uint64_t done;        /* jobs */
    struct ticket ticket; /* to be reached before anybody is told */
    /* the broker's */
    struct tube *tube;
    uint64_t left;                                            /* jobs at most */
    int (*step)(struct broker_bulk *walk, struct job **gone); /* does one; see bulk.c */
};
void broker_kick_begin(struct broker *broker, struct tube *tube, uint64_t count,
                       struct broker_bulk *walk);
int broker_clear_begin(struct broker *broker, const char *name, size_t len,
                       struct broker_bulk *walk);
int broker_bulk_on(struct broker_bulk *walk);
void broker_bulk_end(struct broker_bulk *walk);

/* ---- deadlines ---- */

/*
 * Does what is due at clock_now_ns: delays, pauses and leases end, waiting clients are told.
 * Returns when to come again, CLOCK_NEVER: nothing is pending.
 */
int64_t broker_due(struct broker *broker);
/*
 * Whether the wall clock was set since the last time: then jobs that wait for a time of it get
 * their places anew. To be called every second or so.
 */
void broker_clock_look(struct broker *broker);
/* What who keeps the house wants to be told. Each may be NULL. They are called without the lock,
 * from any thread. */
struct broker_hooks {
    void (*sooner)(void *arg); /* the earliest deadline became earlier than it was */
    /*
     * broker_compact is due and nobody is at it. With this hook, puts wait for compaction that
     * can't keep up. A disk that became full isn't told: ask once a second, too.
     */
    void (*compaction_wanted)(void *arg);
};
/* `hooks` stays the caller's, and valid. NULL: none any more; a call may still be running when this
 * returns, so first stop those who put or change jobs. */
void broker_set_hooks(struct broker *broker, const struct broker_hooks *hooks, void *arg);

#endif
