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

#include "broker/durable.h" /* the journal's side; part of this face */
#include "broker/ending.h"  /* waiting for the end; part of this face, too */
#include "broker/events.h"  /* being told of changes; likewise */
#include "broker/filter.h"  /* choosing jobs; likewise */
#include "broker/keeping.h" /* keys of jobs that are gone; likewise */
#include "broker/names.h"   /* lists of tubes; likewise */
#include "broker/op.h"      /* verbs that change something; likewise */

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
    enum durability level;   /* of tubes without one of their own; see durable.h. Without a journal
                                all are DURABILITY_MEMORY */
    int64_t interval_ns;     /* of DURABILITY_INTERVAL */
    uint64_t held_max; /* jobs that one client may have reserved (without token); 0: no limit */
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
    int (*step)(struct broker_bulk *walk, struct job **gone); /* does one; see walk.c */
};
void broker_kick_begin(struct broker *broker, struct tube *tube, uint64_t count,
                       struct broker_bulk *walk);
int broker_clear_begin(struct broker *broker, const char *name, size_t len,
                       struct broker_bulk *walk);
int broker_bulk_on(struct broker_bulk *walk);
void broker_bulk_end(struct broker_bulk *walk);

/* ---- consumers ---- */

/*
 * One taker, to be used by one thread at a time. `name` (copied) is what hl_thread_enumerate shows.
 * EINVAL: no tubes, a bad name, a tube twice. ENOMEM.
 */
int broker_consumer_new(struct broker_consumer **out, struct broker *broker, const char *name,
                        const char *const *tubes, size_t tube_count);
/* Not while a thread is in broker_take with it. Leases taken through it stay good. */
void broker_consumer_free(struct broker_consumer **consumer);
/* Each may be NULL. They are called under the broker's lock: they may not block, nor call the
 * broker. */
struct broker_consumer_hooks {
    /* A job is cancelled that was taken through this consumer: its attempt should stop. */
    void (*cancel)(uint64_t id, uint64_t token, void *arg);
    /*
     * For a thread with jobs in hand that may take more (broker_consumer_stand): the consumer
     * stands and should take again, or its pause ended. With `wanted`: somebody without a job waits
     * in vain for one of its tubes while it has two leases or more; what hasn't begun should be
     * RETURNED.
     */
    void (*ring)(bool wanted, void *arg);
};
/* Before its first take. `hooks` stays the caller's, and valid. */
void broker_consumer_set_hooks(struct broker_consumer *consumer,
                               const struct broker_consumer_hooks *hooks, void *arg);
/*
 * Before its first take: no job that is taken through it can be the end of this process. Of others
 * the journal knows before they are handed out, so that they are charged for it (broker_take_over);
 * of these it needn't.
 */
void broker_consumer_harmless(struct broker_consumer *consumer);
/* Whether the job of that lease was cancelled: it should not begin. */
bool broker_is_cancelled(struct broker *broker, uint64_t id, uint64_t token);
/* From any thread, for good: its broker_take answers ESHUTDOWN, a blocked one wakes. */
void broker_consumer_stop(struct broker_consumer *consumer);
/* From any thread: as long as it is paused it takes nothing, broker_take answers EAGAIN, and a
 * blocked one wakes. Others take on. */
void broker_consumer_pause(struct broker_consumer *consumer, bool paused);

/*
 * Whether those who run jobs in the daemon rest: all consumers take nothing, broker_take waits
 * until they may again, or its time is over. One that waits already may be given one job more. For
 * whoever can't write records of jobs as fast as they end.
 */
void broker_rest(struct broker *broker, bool resting);
bool broker_is_resting(struct broker *broker);

/*
 * Weights of a consumer's tubes, from 1 to QUEUE_SHARE_WEIGHT_MAX each, one for all consumers that
 * share them (a pool's): among ready jobs of the same priority a tube gets its share of the
 * choices. Without them the least id decides. `weights` is copied. ENOMEM.
 */
struct broker_shares;
int broker_shares_new(struct broker_shares **out, const uint32_t *weights, size_t count);
/* After its consumers. */
void broker_shares_free(struct broker_shares **shares);
/* Before the consumer's first broker_take; as many weights as it has tubes, in their order. */
void broker_consumer_share(struct broker_consumer *consumer, struct broker_shares *shares);

/*
 * With the hook `ring`: gets into line, behind all who have no job; until leave said true its takes
 * are with timeout 0. 0: it stands. EALREADY: there is something to take now. EAGAIN, ESHUTDOWN,
 * ENOMEM: as take.
 */
int broker_consumer_stand(struct broker_consumer *consumer);
/* true: it doesn't stand. false: it was given something: take it; or is about to be rung. */
bool broker_consumer_leave(struct broker_consumer *consumer);

struct broker_lease {
    uint64_t id;
    uint64_t token;
    struct job_body *body; /* a reference of the lease's own; NULL: it is at `place` */
    struct job_place place;
    size_t size;      /* bytes of the body */
    const char *tube; /* of a consumer: valid until the job is settled; of a client: NULL */
    uint32_t pri;
    uint32_t attempt; /* 1 for the first */
    int64_t ttr_ns;
    int64_t timeout_ns;  /* of this attempt, as job or tube say; 0: none; -1: they say nothing */
    int64_t reserved_ns; /* clock_now_ns time */
    int64_t created_ns;  /* likewise; when it was put */
    bool authorised;     /* as of job_options */
    uint32_t submitter;  /* who put it; JOB_NOBODY */
};

/*
 * Waits until a job of the consumer's tubes is ready and reserves it. `timeout_ns` HL_FOREVER; 0 or
 * less: looks once. ETIMEDOUT. ENOMEM (only when it may not wait). ESHUTDOWN: the consumer was
 * stopped. EAGAIN: it is paused, or was a moment ago. (No job is lost by either.) *lease is the
 * caller's; broker_lease_fini drops the body.
 *
 * A lease of a local worker doesn't end by itself when its TTR is over: the worker has the process
 * in hand and settles when that is gone.
 */
int broker_take(struct broker_consumer *consumer, struct broker_lease *lease, int64_t timeout_ns);
/*
 * The same, and with the first job up to `max` that are ready then, under one hold of the lock,
 * each under a lease of its own. For who is done with all of them in no time: what one has, nobody
 * else runs. *count: how many, at least one if the answer is 0.
 */
int broker_take_many(struct broker_consumer *consumer, struct broker_lease *leases, size_t max,
                     size_t *count, int64_t timeout_ns);
void broker_lease_fini(struct broker_lease *lease);

/*
 * Ends the attempt under that token. What follows is a matter of the outcome's kind:
 *   DONE, DELETED, CANCELLED   the job is finished and leaves
 *   BURIED                     buried with the outcome's reason; counts as finished
 *   FAILED, RETRY, TIMEOUT,    counted; the rules of the job, its tube and outcome->rules decide:
 *   CRASHED, LOST              another attempt after a pause, or buried (see retry.c)
 *   RETURNED                   ready again in its old place; not counted, not finished
 * A job that was cancelled meanwhile ends as CANCELLED, unless it is DONE. The outcome stays the
 * caller's, but its output is taken over where somebody wants to have it. ESTALE: the token isn't
 * the one of a present lease; nothing changed. ENOMEM, ENOSPC, EIO: nothing
 * changed, the lease is still good; try again. May block: BROKER_SETTLE of op.h is for who may not.
 */
int broker_settle(struct broker *broker, uint64_t id, uint64_t token, struct job_outcome *outcome);

/* Ends a lease that nobody was told of: the job is ready again in its old place. Never blocks;
 * where the journal can't record that now, the job comes back when its TTR is over. */
void broker_return(struct broker *broker, uint64_t id, uint64_t token);

/* The same for several at once, each by its own token: `rc` says for each what broker_settle would.
 * Those that are done go under one hold of the lock; a stale token holds up no other. */
#define BROKER_SETTLE_MAX 64
struct broker_settlement {
    uint64_t id, token;
    struct job_outcome *outcome;
    int rc;
};
void broker_settle_many(struct broker *broker, struct broker_settlement *list, size_t count);

/* ---- clients: connections that reserve ---- */

/*
 * A client is the broker's view of a connection: which tubes it watches, which jobs it holds,
 * whether it waits for one. Its memory is the connection's. Calls with one client are made by one
 * thread at a time.
 *
 * A plain lease belongs to the client: only that client may release, bury, touch or delete the job,
 * and when it goes (broker_client_fini) the job is ready again at once. A lease taken with a token
 * (BROKER_WITH_TOKEN) belongs to whoever shows the token, on any connection; it stays until it is
 * settled or its TTR is over, also over a restart (the TTR goes on by the wall clock), and so it is
 * recorded: ENOSPC, EIO: the journal has no room for that. Either one ends when its TTR is over:
 * the job is ready again, without delay, and timeouts counts one more.
 *
 * Waiting: broker_reserve answers EINPROGRESS when nothing is ready, and the client then stands in
 * one line with the waiting consumers. When its turn comes (or its time is over) the reserver's
 * later fires, which touches nothing but *reserver; the connection's own thread then asks
 * broker_reserve_finish for the result. The job is reserved from the moment it was matched.
 */

#define BROKER_MARGIN_NS HL_SECOND /* "deadline soon" begins so long before a lease ends */

enum { BROKER_WITH_TOKEN = 1 }; /* flags of the reserving calls */

/* One waiting reserve. broker_client_fini cancels it, too. */
struct broker_reserver {
    struct queue_wait wait; /* its later is the caller's */
    struct broker_client *client;
};

struct broker_client {
    unsigned magic;
    bool producer, worker; /* it did put; it did reserve */
    struct broker *broker;
    uint32_t watch_count, watch_cap;
    struct queue_core **watched; /* the tubes' cores, in order of watching */
    struct queue_core *first_watched;
    struct client_extra *extra; /* its leases and its wait; NULL: it never reserved */
    /* What has to be reached before anybody is told what it has reserved; the caller's to take. */
    struct ticket ticket;
};

/* Watches the tube "default". ENOMEM. */
int broker_client_init(struct broker_client *client, struct broker *broker);
/*
 * The connection is gone: its wait ends, its plain leases go back (lock released every few
 * hundred). true: the reserver, if there was one, is the caller's again. false: its fire has run,
 * runs, or is about to.
 */
bool broker_client_fini(struct broker_client *client);

/* Counts it as a producer from now on (statistics; broker_reserve... counts it as a worker). */
void broker_client_produces(struct broker_client *client);

/* Watching again changes nothing. *count: tubes watched now. EINVAL, ENAMETOOLONG, ENOMEM. ENOBUFS:
 * BROKER_WATCHED_MAX already. */
int broker_watch(struct broker_client *client, const char *name, size_t len, size_t *count);
/* The last tube moves into the place of the one that goes. One that isn't watched is no error.
 * EBUSY: it is the only one. */
int broker_ignore(struct broker_client *client, const char *name, size_t len, size_t *count);
/* Watches nothing from now on; before its first reserve, for who may not take from "default". */
void broker_watch_none(struct broker_client *client);
/* Names of the watched tubes; `index` counts from 0 in order of watching; valid until ignored. */
size_t broker_watch_count(const struct broker_client *client);
const char *broker_watch_name(const struct broker_client *client, size_t index);

/*
 * The best ready job of the watched tubes, reserved. 0: *lease is the caller's. With none ready:
 * ETIME ("deadline soon"): a plain lease of this client has a second or less left.
 * ETIMEDOUT: timeout_ns is 0 or less. EINPROGRESS: it waits (see above); *reserver is in use.
 * ENOMEM. EDQUOT: it holds held_max jobs already. With a token: ENOSPC, EIO.
 */
int broker_reserve(struct broker_client *client, struct broker_reserver *reserver,
                   int64_t timeout_ns, unsigned flags, struct broker_lease *lease);
/*
 * The result of a wait, after fire: 0, ETIMEDOUT, ETIME, or the journal's refusal as above.
 * EINPROGRESS: the lease was over before this was called (and the job went elsewhere), it waits
 * again with the same reserver.
 */
int broker_reserve_finish(struct broker_client *client, struct broker_lease *lease);
bool broker_is_reserving(const struct broker_client *client);

/* Takes up to `max` jobs that are ready now, best first; never waits. *count: how many; 0 also for
 * want of memory. EDQUOT: it holds held_max jobs already. ETIME, ETIMEDOUT: none, as above. With a
 * token also ENOSPC, EIO, and EAGAIN: the journal is busy. */
int broker_reserve_batch(struct broker_client *client, size_t max, unsigned flags,
                         struct broker_lease *leases, size_t *count);

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

/* ---- statistics: copies ---- */

struct broker_stats {
    uint64_t count[JOB_STATE_COUNT]; /* of jobs by state; NEW, FINISHED: nothing */
    uint64_t urgent;                 /* ready with a priority below 1024 */
    uint64_t unfinished;
    uint64_t bytes;             /* of the bodies */
    uint64_t waiting;           /* consumers and clients that wait for a job (all: counted once) */
    uint64_t waiting_consumers; /* of these, the consumers */
    uint64_t putting;           /* puts that wait for room */
    uint64_t using, watching;
    uint64_t deletes;  /* successful delete calls, of buried jobs, too */
    uint64_t timeouts; /* leases that ended because their TTR was over */
    uint64_t retries;  /* attempts that ended in trouble and were followed by another */
    uint64_t pauses;   /* calls of broker_pause */
    int64_t pause_ns, pause_left_ns; /* a tube: 0 while not paused */
    uint64_t producers, workers;     /* all: clients */
    struct broker_totals totals;
    uint64_t tubes;      /* all: how many there are */
    uint64_t unrecorded; /* all: finished jobs without a record for want of memory */
};

void broker_stats(struct broker *broker, struct broker_stats *stats);
/*
 * Whether the memory of jobs fell by half and by BROKER_FELL_MIN bytes at least since this was true
 * the last time: worth giving the allocator's free pages back to the system.
 */
#define BROKER_FELL_MIN ((uint64_t)32 << 20)
bool broker_memory_fell(struct broker *broker);
/* ENOENT: no such tube. */
int broker_tube_stats(struct broker *broker, const char *name, size_t len,
                      struct broker_stats *stats);

/* What keeps a job from running. */
struct broker_why {
    struct job_view job;
    struct broker_stats tube; /* its tube's */
    uint64_t ahead;           /* READY: jobs of its tube that go first */
    bool ahead_is_exact;      /* false: at least so many, and one at least */
    size_t examined;          /* jobs looked at for that */
};
/* At most, and about as many again; a hundred microseconds under the lock. */
#define BROKER_WHY_EXAMINED_MAX 512
/* ENOENT: no such job (any more), or the asker may not see it. */
int broker_why(struct broker *broker, const struct trust_view *asker, uint64_t id,
               struct broker_why *why);

#endif
