// SPDX-License-Identifier: MIT
/*
 * The inside of the broker, for its own files.
 *
 * Everything in these structs is covered by the broker's domain, but what is set once in
 * broker_new. Functions marked HELD need the domain held (held.h). A public call is: prepare
 * memory, broker_lock, a few of those, broker_unlock, free what came loose.
 *
 * One object, one container: job_container(state) says where a job is kept, and every container is
 * a heap that writes the job's place into job->pos:
 *
 *   ready     tube->ready (a queue core)  by priority, id
 *   delayed   tube->delayed               by deadline
 *   buried    tube->buried                by order of burial
 *   reserved  holder->rare->leases        by the end of its TTR; those under a token in
 *                                         broker->tokens; those of sinks in none
 *
 * One heap of deadlines: each tube and each holder has one alarm, set to the earliest thing that
 * will happen to it, and the alarms are in broker->due.
 *
 * Coming back never fails: each delayed or reserved job has the promise of a slot in its tube's
 * ready heap (base/heap.h), kept by tube_job_move. So leases, delays and connections can end
 * without memory.
 */
#ifndef BROKER_BROKER_PRIV_H
#define BROKER_BROKER_PRIV_H

#include "base/heap.h"
#include "base/idtable.h"
#include "base/list.h"
#include "base/magic.h"
#include "base/map.h"
#include "broker/broker.h"
#include "broker/group_priv.h"
#include "broker/held.h"
#include "broker/key_priv.h"
#include "broker/names_priv.h"
#include "broker/result_priv.h"
#include "broker/who_priv.h"

#define BROKER_MAGIC 0xb40ce400u
#define BROKER_TUBE_MAGIC 0xb40ce47bu
#define BROKER_SINK_MAGIC 0xb40ce451u
#define BROKER_SHARES_MAGIC 0xb40ce45au
#define BROKER_HOLDER_MAGIC 0xb40ce401u
#define HOLDER_RARE_MAGIC 0xb40ce4a4u

/* Jobs a walk handles before it lets others have the lock: about 50 microseconds of work. */
#define BROKER_WALK_MAX 256

#define BROKER_SPARES_MAX 64 /* about 7 KiB */

/* An entry of the broker's only heap of deadlines; see alarm.c. */
struct broker_alarm {
    int64_t at_ns;   /* CLOCK_NEVER: not in the heap */
    uint64_t number; /* in order of making; decides between equal times */
    size_t pos;
    int kind;
};

/* What a holder has that reserves, or did. */
struct holder_rare {
    unsigned magic;
    bool with_token; /* what it waits for */
    struct broker_holder *holder;
    struct broker_alarm alarm; /* the earliest of what it has to be told of */
    struct heap leases;        /* the jobs it holds, by the end of their TTR */
    uint32_t link_cap;
    struct queue_link *links; /* as many as are watched, made by the first wait */
    struct queue_link first_link;
    struct broker_reserver *reserver;   /* NULL: it doesn't wait */
    int64_t timeout_ns;                 /* when the wait is over */
    int64_t stands_until_ns;            /* its patience with a busy journal; 0: it didn't stand */
    uint64_t matched_id, matched_token; /* a job that finish has not handed out yet */
    struct job_rare *spare;             /* for the lease of the next match */
};

enum { ALARM_TUBE, ALARM_HOLDER, ALARM_LINE };

enum unlock_tell {
    UNLOCK_SOONER = 1 << 0, /* an alarm was set before told_ns */
    UNLOCK_ENDED = 1 << 1,  /* there are ends for history */
    UNLOCK_TOLD = 1 << 2    /* a listener waits for a ticket that nobody else may want */
};

struct broker_tube {
    unsigned magic;
    struct broker *broker;
    struct list_node node;   /* broker->tube_list */
    struct queue_core ready; /* counts the tube's unfinished jobs, too, and has its joiners */
    struct heap delayed;
    struct heap buried;
    struct list putters;       /* of struct broker_op: puts that wait for room in this tube */
    struct broker_alarm alarm; /* the first delay or the pause is over */
    int64_t pause_end_ns;      /* CLOCK_NEVER: not paused */
    bool pause_kept;           /* the pause is in the journal, and has a reference */
    uint16_t trust_class;      /* of its name; set when it is made */
    enum broker_level level;
    int64_t within_ns;      /* of the level; 0: as soon as anybody waits */
    struct job_rules rules; /* of its setting; none: set is 0 */
    uint64_t refs;          /* jobs, users, sinks, holders, joiners, walks, a kept pause */
    struct broker_stats stats;
    struct event_name *event_name;  /* in the ring of events; NULL: nothing there is of it */
    struct events_target *listened; /* NULL: nobody listens to it */
    struct tube_name *named;
    size_t name_len;
    const char *name; /* named->text */
};

struct broker {
    unsigned magic;
    hl_queue_domain *domain;
    struct broker_options options;
    struct idtable jobs;   /* every job */
    struct idtable wheres; /* see where.c; empty without a journal */
    struct strmap tubes;   /* by name */
    struct list tube_list; /* in order of creation */
    struct tube_names names;
    struct broker_tube *fallback; /* "default" */
    struct queue_core all; /* has no items: counts unfinished jobs and has the joiners of all */
    struct list putters;   /* of struct broker_op: puts that wait for room in all */
    struct list hoards;    /* of struct broker_sink: have two jobs or more, and a ring */
    struct list sinks;     /* all of struct broker_sink */
    bool resting;          /* they take nothing */
    struct heap due;       /* of struct broker_alarm */
    uint64_t last_alarm;
    int64_t told_ns;             /* when broker_due will be called again at the latest */
    struct broker_holder tokens; /* has the leases that belong to a token */
    uint64_t memory_peak;        /* of broker_memory, since it fell */
    uint64_t last_id;
    struct token_store token_store;
    struct submitters submitters;
    int64_t last_burial;
    struct broker_stats stats;
    uint64_t pauses_kept;    /* tubes with pause_kept */
    struct strmap groups;    /* of struct broker_group, by submitter and name */
    struct list idle_groups; /* those without jobs and joiners, since when they are */
    struct list group_list;  /* all, in order of making */
    uint64_t last_group;     /* number of the last GROUP entry */
    struct strmap keys;      /* of struct broker_key, see key.c */
    struct strmap key_watches;
    uint64_t timed;         /* jobs that are delayed by the wall clock */
    int64_t clocks_apart;   /* wall minus monotonic time, as timed jobs are placed by */
    struct broker_log *log; /* NULL: everything is in memory */
    struct strmap levels;   /* of struct tube_level, by name of tube */
    size_t spare_count;
    struct job_rare *spares[BROKER_SPARES_MAX]; /* see spare.c */
    struct list ends; /* of struct job_end: that happened in this hold of the lock */
    struct lingering {
        struct list ends; /* of struct job_end, the latest first; see linger.c */
        size_t count, bytes;
    } lingering;
    uint64_t last_result;            /* the number of the last record */
    struct list spare_ends;          /* of struct job_end, not filled in; see finish.c */
    _Atomic size_t spare_ends_count; /* written under the lock */
    uint64_t chance;                 /* see retry.c; never 0 */
    bool draining;
    struct broker_ticket *teller; /* of who makes changes in this hold of the lock; NULL: nobody */
    uint32_t observed;            /* types of changes that somebody watches; see watch_priv.h */
    struct list watches;          /* of struct change_watch */
    struct broker_events *events; /* NULL: nobody has listened yet */
    unsigned unlock_tells; /* bits of enum unlock_tell: what this hold of the lock has brought */
    const struct broker_hooks *hooks; /* never NULL */
    void *hooks_arg;
};

struct broker_shares {
    unsigned magic;
    uint64_t now; /* see queue_core_take_shared */
    size_t count;
    struct queue_share share[];
};

/* The waits of sinks and holders differ in how they fire. */
struct sink_wait {
    struct queue_wait wait;
    struct broker_sink *sink;
};

struct broker_sink {
    unsigned magic;
    struct broker *broker;
    char name[HL_THREAD_NAME_MAX];
    bool stopped, paused, waiting;
    bool harmless;
    struct queue_core control;             /* gets one item to wake a waiting broker_take */
    struct broker_shares *shares;          /* NULL: tubes have no weights */
    struct job_rare *spare;                /* for the lease of the next match */
    const struct broker_sink_hooks *hooks; /* never NULL; without ring it never stands */
    void *hooks_arg;
    size_t leases; /* in force; counted where there is a hook `cancel` */
    struct sink_wait stand;
    bool standing, fired;   /* `stand` is in use; it has fired */
    struct list_node hoard; /* broker->hoards */
    struct list_node node;  /* broker->sinks */
    size_t tube_count;
    struct broker_tube **tubes;
    struct queue_core **cores; /* of the tubes, and last the control core */
    struct queue_link *links;  /* as many as cores */
};

/* ---- the journal's side ---- */

#define BROKER_LOG_MAGIC 0xb40ce106u
#define BROKER_LEVEL_MAGIC 0xb40ce1e0u

struct tube_level {
    unsigned magic;
    enum broker_level level;
    int64_t interval_ns;
    struct job_rules rules;
    size_t name_len;
    char name[];
};

/* Lines of a busy journal, see line.c. */
enum log_line { LOG_LINE_PUTS, LOG_LINE_CHANGES, LOG_LINE_COUNT };
struct log_line_of {
    struct list standing; /* of struct later by node: operations and reserves */
    struct broker_alarm alarm;
};

/* FIRST: for the first time while somebody stands, and who stands goes before it. LINE: it may have
 * stood. NONE: nobody stands, or it changes nothing that needs room. */
enum log_turn { LOG_TURN_NONE, LOG_TURN_FIRST, LOG_TURN_LINE };

/* Covered by the domain, but what is atomic or set once. */
struct broker_log {
    unsigned magic;
    struct broker *broker;
    struct broker_log_options options;
    struct journal *journal;
    struct commit *commit;
    struct compact *compact;
    uint64_t id_ceiling; /* ids below it may be issued once the record that says so is durable */
    uint64_t id_safe;
    uint64_t limits_ticket;      /* of that record; 0: it is durable */
    struct broker_ticket wanted; /* the last that anybody has to wait for */
    uint64_t live_bytes;
    uint64_t died_bytes; /* of records, about, since the beginning */
    uint64_t copied;     /* records that compaction added again */
    uint64_t evicted_jobs, evicted_bytes;
    struct log_results results;
    struct log_line_of lines[LOG_LINE_COUNT];
    unsigned lines_made;
    size_t standing;    /* in both lines */
    uint64_t impatient; /* refused, since the journal was busy for too long */
    enum log_turn turn; /* of what is being decided now */
    bool stopped;

    /* space.c; covered by the lock: */
    uint64_t ceiling;       /* bytes of the journal beyond which puts wait; 0: not known yet */
    bool compact_stuck;     /* it gained nothing when it was tried last */
    _Atomic bool puts_wait; /* written under the lock */
    uint64_t pass_left, pass_died; /* trims of the pass that are left; died_bytes at its begin */
    /* of the thread that compacts: */
    _Atomic bool compacting;
    uint64_t retired; /* trims that gave something back */

    _Atomic uint32_t published; /* counts; threads park on it */
    _Atomic uint32_t parked;    /* how many */
    _Atomic uint64_t fetches, fetch_failures;

    /* the thread "fetch" */
    hl_thread *fetch_thread;
    _Atomic(struct list_node *) fetch_inbox; /* of broker_fetch.later.node, by next */
    _Atomic uint32_t fetch_bell;
    _Atomic bool fetch_stop;
};

/* where.c */
/* Under its id; before anything else changes. EEXIST, ENOMEM: it isn't in. */
int job_table_add(struct broker *broker, struct job *job) HELD;
void job_table_remove(struct broker *broker, const struct job *job) HELD;
/* JOB_WHERE_...; 0 as long as it isn't set, or without a journal. */
uint64_t where_get(const struct job *job) HELD;
void where_set(const struct job *job, uint64_t where) HELD;

/* level.c */
/* Sets what a new tube has. */
void level_apply(struct broker_tube *tube) HELD;
void levels_free(struct broker *broker);
static inline bool tube_is_logged(const struct broker_tube *tube)
{
    return tube->broker->log != NULL && tube->level != BROKER_MEMORY;
}
HELD static inline bool job_is_logged(const struct job *job)
{
    return job->tube->broker->log != NULL && where_get(job) != 0;
}

/* log.c */
void log_free(struct broker_log **log);
/* Whether that id may be told to anybody, and sees to it that others follow. EAGAIN: not
 * now, a commit brings it. ENOSPC, ENOMEM: no commit does. EIO. ENOTRECOVERABLE: there are no ids
 * left. */
int log_id_admit(struct broker *broker, uint64_t id) HELD;
/* Without the lock, after EAGAIN: does what has to be done, and blocks for the disk, until it is
 * worth trying again. ENOSPC, EIO, ENOMEM: it isn't. */
int log_make_room(struct broker *broker);
/* Without the lock: sees to it that it is done, and doesn't block where there is a thread. */
void log_want_room(struct broker *broker);
/* Sleeps until something was published after `seen`, for a short time. */
void log_park(struct broker_log *log, uint32_t seen);
/* The caller, and broker->teller, must wait for that ticket. */
void log_told(struct broker_log *log, enum broker_level level, uint64_t ticket) HELD;
/* broker->teller tells of something that others did, perhaps only now. */
void log_told_all(struct broker *broker) HELD;
/* Until the end of this hold of the lock, what is changed is that one's to tell. */
HELD static inline void broker_tell(struct broker *broker, struct broker_ticket *ticket)
{
    broker->teller = ticket;
}
/* The hook of commit_options. */
void log_published(void *arg);

/* line.c */
/* Who stands looks again so often, at the latest. */
#define LINE_LOOK_NS (HL_SECOND / 10)
int lines_init(struct broker *broker, struct broker_log *log) HELD;
void lines_fini(struct broker *broker, struct broker_log *log) HELD;
/* There may be room. */
void lines_serve(struct broker_log *log) HELD;
void line_due(struct broker *broker, struct broker_alarm *alarm, int64_t now_ns) HELD;

/* space.c */
/* After each commit: who has to wait, and whether whoever compacts is to be called. */
void space_look(struct broker_log *log, bool *due) HELD;
/* Whether a put has to wait for compaction; by the last commit. */
HELD static inline bool space_puts_wait(const struct broker_log *log)
{
    return atomic_load(&log->puts_wait);
}
/* The same for one of many that come in at once: what isn't written yet counts, too. */
bool space_line_waits(const struct broker_log *log) HELD;
/* There is no space for a change; whether compaction is making some, or is about to. */
bool space_may_come(struct broker_log *log) HELD;
bool space_is_full(const struct broker_log *log) HELD;

/* entry.c: admit before anything changes, then the change, in one hold of the lock.
 * What isn't in the journal costs nothing and is always admitted. */
/* For a job that comes into that tube: a put, or (with an id already) a move out of one that isn't
 * in the journal. ENOSPC, EAGAIN, EIO, EMSGSIZE, ENOMEM. */
int log_admit_put(const struct broker_tube *tube, const struct job *job) HELD;
/* For one more change of a job that is there. ENOSPC, EIO, ENOMEM; EAGAIN: not now (line.c). */
int log_admit(const struct job *job) HELD;
/* For a change of any job. */
int log_admit_any(struct broker_log *log) HELD;
/* For its last one, a DELETE: there is room for it when there is none for other changes. */
int log_admit_final(const struct job *job) HELD;
/* by_wall: until its time of the wall clock. */
void log_put(struct job *job, enum job_state state, int64_t key_ns, bool by_wall) HELD;
int log_admit_pause(const struct broker_tube *tube) HELD;
/* Adds the ceiling as it is in `log`. After log_admit_limits. */
int log_admit_limits(struct broker_log *log) HELD;
uint64_t log_limits(struct broker_log *log) HELD;
/* The job as it is now, again. 0: added. EAGAIN, ENOSPC, EIO, ENOMEM. body: its bytes. */
int log_copy(struct job *job, struct job_body *body) HELD;
int log_copy_pause(struct broker_tube *tube) HELD;
int log_copy_group(struct broker_group *group) HELD;
int log_copy_limits(struct broker_log *log) HELD;
/* What is true now: of a job (reserved: as if it were ready), of the pause of a tube, of a group.
 */
struct job_entry entry_of_job(const struct job *job) HELD;
struct job_entry entry_of_pause(const struct broker_tube *tube) HELD;
struct job_entry entry_of_group(const struct broker_group *group) HELD;
/* About what its put takes in the journal. */
uint64_t log_cost(const struct job *job) HELD;

/* evict.c */
/* The hook of commit_options. */
void log_placed(void *arg, const struct commit_placed *placed, size_t count);
/* Whether so many more bytes of bodies are too many. */
bool cache_is_over(const struct broker *broker, size_t more) HELD;

/* living.c: the hook of compact_options. */
int log_living(void *arg, uint64_t locator, const void *bytes, size_t len);

/* fetch.c */
/* The place of an evicted job, pinned. */
struct broker_place place_of(const struct job *job) HELD;
int fetch_start(struct broker_log *log);
void fetch_stop(struct broker_log *log);

/* spare.c */
/* A cleared side record. NULL: out of memory. */
struct job_rare *spare_take(struct broker *broker) HELD;
/* That of a job which leaves and has no waiters; the job is without one then, or keeps it. */
void spare_keep(struct broker *broker, struct job *job) HELD;
void spares_free(struct broker *broker);

/* broker.c */
/* About what all jobs take: header, body, place in a heap and in the table. */
uint64_t broker_memory(const struct broker *broker) HELD;
void broker_lock(struct broker *broker) TAKES_LOCK;
/* Lets go, runs what became ready, and the sooner hook if that is wanted. */
void broker_unlock(struct broker *broker) GIVES_LOCK;

/* tube.c */
/* Finds or makes it, and takes a reference. ENOMEM. */
int tube_need(struct broker *broker, const char *name, size_t len, struct broker_tube **out) HELD;
/* NULL: none. No reference. */
struct broker_tube *tube_find(struct broker *broker, const char *name, size_t len) HELD;
struct broker_tube *tube_of_core(struct queue_core *core);
void tube_ref(struct broker_tube *tube) HELD;
/* The last one makes the tube go. */
void tube_unref(struct broker_tube *tube) HELD;
uint64_t tube_jobs(const struct broker_tube *tube) HELD;
/* Changes the job's state, every count that depends on it, and its promise of a ready slot: into
 * DELAYED or RESERVED from a state without one needs room there. */
void tube_job_move(struct job *job, enum job_state to) HELD;
/* Takes the job out of the container it is in, if it is in one; the state stays. */
void tube_job_leave(struct job *job) HELD;
/* Room for the next state: in the heap of READY, DELAYED or BURIED. ENOMEM. */
int tube_room(struct broker_tube *tube, enum job_state state) HELD;
/* Into the container of its state, if it is in none; READY: or at once to the longest waiting sink.
 * Needs room, or the promise. */
void tube_job_contain(struct job *job) HELD;
/* In no container: into that of its new state (READY: or at once to the longest waiting sink).
 * Needs room, or the promise. key_ns: of DELAYED and BURIED. */
void tube_job_enter(struct job *job, enum job_state state, int64_t key_ns) HELD;
/* The counts of a job go from its tube to that one; it is in no container. */
void tube_job_transfer(struct job *job, struct broker_tube *to) HELD;

/* alarm.c */
/* Keeps room for it in the heap of deadlines. ENOMEM. */
int alarm_init(struct broker *broker, struct broker_alarm *alarm, int kind) HELD;
void alarm_fini(struct broker *broker, struct broker_alarm *alarm) HELD;
void alarm_set(struct broker *broker, struct broker_alarm *alarm, int64_t at_ns) HELD;
/* For heap_init of broker->due. */
bool alarm_less(const void *a, const void *b, const void *arg);
void alarm_moved(void *alarm, size_t pos);

/* delay.c and pause.c */
/* Sets the tube's alarm after a change. */
void tube_alarm_update(struct broker_tube *tube) HELD;
/* Does one thing that is due now. */
void tube_due(struct broker_tube *tube, int64_t now_ns) HELD;
/* Items flow again, at once to those who wait. */
void tube_resume(struct broker_tube *tube) HELD;
/* Paused until then. kept: it is in the journal. */
void tube_pause(struct broker_tube *tube, int64_t pause_ns, int64_t end_ns, bool kept) HELD;

/* sink.c: the job is in no container; it gets the sink's spare side record if it has none. */
void sink_begin(struct broker_sink *sink, struct job *job) HELD;
/* lease.c */
/* `given` of the tubes' cores: the job is reserved for whoever waited. */
void lease_given(void *job, struct queue_wait *wait) HELD;
/* The job is in no container and has its side record (and a slot promised in its tube); holder
 * NULL: a local sink's. Needs room in the holder's heap. Where it can't be recorded it isn't
 * counted. */
void lease_begin(struct job *job, struct broker_holder *holder, enum job_out out) HELD;
/* RESERVED, as a change says it: the lease of a token into its container; others are in none. */
void lease_contain(struct job *job) HELD;
/* Whether that is the token of its lease; has_key: of one that the replay told of. */
bool lease_has_key(const struct job *job, uint64_t token) __attribute__((cold)) HELD;
HELD static inline bool lease_has_token(const struct job *job, uint64_t token)
{
    if (token == 0)
        return false;
    return job->rare->token_is_key ? lease_has_key(job, token) : job->rare->token == token;
}
/* Its token is spent; the job stays RESERVED, in no container. */
void lease_end(struct job *job) HELD;
/* Ready again, in its old place, and one more of that trouble, if there is room to record it. */
void lease_trouble(struct job *job, enum job_outcome_kind kind) HELD;
/* RESERVED, not under a lease: ready again, in its old place. */
void lease_give_back(struct job *job) HELD;
/* Ends a lease, which counts as nothing: ready again in its old place, or released with a delay, or
 * without it where that can't be recorded. ENOMEM, or EAGAIN (not now, see line.c): nothing
 * changed; so ENOSPC and EIO for the lease of a token. */
int lease_return(struct job *job, int64_t delay_ns) HELD;
/* The job that holder or token have. token 0: ENOENT, else ESTALE. */
int lease_find(const struct broker_holder *holder, uint64_t id, uint64_t token,
               struct job **job) HELD;
void lease_fill(struct job *job, struct broker_lease *lease) HELD;

/* stand.c */
void sink_count_lease(struct broker_sink *sink, bool more) HELD; /* one more, or one less */
void hoards_ring(struct broker *broker) HELD; /* somebody without a job lined up */
bool sink_is_about_to_be_rung(const struct broker_sink *sink) HELD;
struct job *
sink_stand_collect(struct broker_sink *sink) HELD; /* what it was given; NULL: nothing */
/* reserve.c */
/* The `cancel` of a holder that waits, which is how its wait is told from a sink's. */
bool reserver_cancel(struct later *later);
/* The job is handed to the holder that waited. */
void reserver_given(struct queue_wait *wait, struct job *job) HELD;
/* A wait that is over is out of the counts of waiting ones. */
void reserver_unlined(struct broker_holder *holder) HELD;
bool reserver_lined(const struct broker_holder *holder);

/* holder.c */
void holder_start(struct broker_holder *holder, struct broker *broker) HELD;
/* Makes holder->rare if there is none. ENOMEM. */
int holder_rare_need(struct broker_holder *holder) HELD;
static inline bool holder_holds(const struct broker_holder *holder)
{
    return holder->rare != NULL && holder->rare->leases.len > 0;
}
void holder_alarm_update(struct broker_holder *holder) HELD;
/* Does one thing that is due now. */
void holder_due(struct broker_holder *holder, int64_t now_ns) HELD;
/* It has no leases. */
void holder_stop(struct broker_holder *holder) HELD;

/* settle.c */
#define SETTLE_CANCELLED "cancelled by request"
/* What an end takes with it, made without the lock: the reason of a burial, and the attempt that
 * ended. Both may be NULL. What isn't used is its maker's. */
struct last_words {
    char *reason;
    struct job_past *past;
};
/* For an outcome that may bury, or be tried again. ENOMEM: nothing is in it. */
int last_words_make(struct last_words *words, const struct job_outcome *outcome);
void last_words_free(struct last_words *words);
/* ENOSPC, EIO, ENOMEM, EAGAIN (not now, see line.c): nothing changed. *gone: the job, if it left,
 * to be freed without the lock; else NULL. */
/* Cancels a job that isn't buried. */
int settle_cancel(struct broker *broker, struct job *job, const char *reason,
                  struct job **gone) HELD;
/* Deletes a job that is reserved by nobody. */
int settle_delete_idle(struct broker *broker, struct job *job, struct job **gone) HELD;
/* Buries a ready or delayed one. */
int settle_bury_idle(struct broker *broker, struct job *job, const char *reason) HELD;

/* retry.c */
struct verdict {
    enum job_state state; /* FINISHED, BURIED, or READY or DELAYED for another attempt */
    bool again;           /* it counts, and is in the journal; else READY: it goes back */
    int64_t pause_ns;
};
/* A RESERVED job under a lease. */
struct verdict retry_judge(struct job *job, const struct job_outcome *outcome) HELD;
/* Whether by the rules of job and tube it may be buried when its connection is lost now. */
bool retry_minds_loss(const struct job *job) HELD;
/* The time limit of job and tube; 0: none; -1: they say nothing. */
int64_t retry_timeout(const struct job *job) HELD;

/* kick.c */
/* A job of state BURIED or DELAYED. reset: what rules limit begins anew. ENOMEM, ENOSPC,
 * EIO: nothing changed. */
int kick_job(struct job *job, bool reset) HELD;

/* move.c */
/* A job that nobody has reserved, to a tube of a good name. ENOBUFS, ENOMEM, ENOSPC, EIO,
 * EAGAIN: nothing changed. */
int move_job(struct job *job, const char *name, size_t len) HELD;

/* at.c */
void at_start(struct broker *broker) HELD;
/* Whether it asks for a time that hasn't come. */
bool at_is_ahead(const struct job *job) HELD;
/* The key of one that is delayed until then. */
int64_t at_key(const struct job *job) HELD;
/* It is about to be delayed so. */
void at_begin(struct job *job) HELD;
/* It isn't delayed any more. */
void at_end(struct job *job) HELD;
/* A delayed job is due by its key. true: it isn't by the wall clock, and has another place. */
bool at_put_off(struct job *job) HELD;

/* walk.c */
/* Does one job. 0: it did. ENOENT: there is none left. Others end the walk. *gone: the job, if it
 * left, to be freed without the lock; it is NULL before. */
typedef int walk_step(struct broker_walk *walk, struct job **gone);
void walk_begin(struct broker_walk *walk, struct broker_tube *tube, walk_step *step,
                uint64_t count) HELD;

/* put.c */
/* Whether one more job fits into the tube. */
bool tube_is_full(const struct broker_tube *tube, size_t len) HELD;
/* Whether one more job fits into the broker. */
bool broker_is_full(const struct broker *broker, size_t len) HELD;
/* Puts it. If that fails, nothing has changed but an id that is used up while draining. */
int put_try(struct broker *broker, struct job *job, int64_t delay_ns) HELD;

/* putter.c */
/* A job left the tube: those who wait for room come in. */
void putters_serve(struct broker_tube *tube) HELD;
/* All waiting puts end with that result. */
void putters_refuse(struct broker *broker, int result) HELD;

/* wait.c */
/* All who wait for this job get ready; those who want to know how it ended get references on the
 * end (NULL: there was no memory for one). */
void wait_finish(struct job *job, struct job_end *end) HELD;

/* view.c */
void view_copy(const struct job *job, struct job_view *view) HELD;
void tube_stats_copy(const struct broker_tube *tube, struct broker_stats *stats) HELD;

/* check.c */
/* Whether every count and every container agrees with the jobs; walks everything. */
bool broker_valid(const struct broker *broker) HELD;

#endif
