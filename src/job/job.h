// SPDX-License-Identifier: MIT
/*
 * What a job is: its header, its body, the states it moves through, how an attempt ended, and the
 * record that outlives it.
 *
 * Nothing here locks. A job belongs to the broker and is covered by the broker's domain; bodies and
 * records are immutable once shared and counted with atomic references, so they pass between
 * threads freely.
 *
 * Memory: a job and its body are one piece, 56 bytes and the body's. What few jobs need (a lease, a
 * delay, counters, a reason, waiters) is in a side record, job_extra, made on demand.
 */
#ifndef JOB_JOB_H
#define JOB_JOB_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/attempts.h"   /* attempts that are over; likewise */
#include "job/durability.h" /* what is promised of a change; part of this face */
#include "job/names.h"      /* lists of the names of tubes; likewise */
#include "job/options.h"    /* what may be asked for with a job; likewise */
#include "job/submitter.h"  /* who put it; likewise */
#include "job/tries.h"      /* what rules limit; likewise */

/* ---- tube names ---- */

#define JOB_TUBE_NAME_MAX 200 /* bytes; the beanstalk protocol's limit */
#define JOB_TUBE_DEFAULT "default"

/*
 * 1 to 200 bytes of A-Z a-z 0-9 - + / ; . $ _ ( ), the first one not '-'. EINVAL: empty, or a byte
 * that isn't allowed. ENAMETOOLONG. `name` need not be terminated.
 */
int job_tube_name_check(const char *name, size_t len);
/* The rule as half a sentence, for messages: "a tube's name is 1 to 200 bytes of ..."; static. */
const char *job_tube_name_rule(void);

/* ---- states ---- */

enum job_state {
#define JOB_STATE(name, container, word, what) JOB_##name,
#include "job/job_states.def"
#undef JOB_STATE
    JOB_STATE_COUNT
};

/* Where the broker keeps a job. */
enum job_container {
    JOB_IN_NONE = 0,
    JOB_IN_READY,
    JOB_IN_DELAYED,
    JOB_IN_BURIED,
    JOB_IN_LEASES /* of whoever has it; a local worker's lease is in none */
};

/* Pure: the container of every job in that state. */
enum job_container job_container(enum job_state state);
/* "ready", ...; static. */
const char *job_state_word(enum job_state state);
/* Whether the table job_moves.def has that move. */
bool job_may_move(enum job_state from, enum job_state to);

/* ---- body ---- */

/*
 * The bytes of a job. Whoever receives a job makes the body, fills `bytes` while it is the only
 * client, and hands it over; from then on nobody writes to it. The body is the end of a struct job,
 * which is allocated with it; a reference keeps the whole.
 */
struct job_body {
    _Atomic uint32_t refs;
    uint32_t len;
    char bytes[];
};

#define JOB_BODY_MAX UINT32_MAX

/* With one reference; `bytes` is not initialised. ENOMEM (also above JOB_BODY_MAX). */
int job_body_new(struct job_body **out, size_t len);
/* Makes it longer, while its maker is the only client; it may move. ENOMEM: nothing changed. */
int job_body_grow(struct job_body **body, size_t len);
struct job_body *job_body_ref(struct job_body *body);
/* Drops the caller's reference and nulls *body (which may be NULL already). */
void job_body_unref(struct job_body **body);

/* ---- the job ---- */

#define JOB_REASON_MAX 256 /* bytes of a reason with its NUL; longer ones are cut */

struct tube;
struct broker_client;
struct broker_consumer;

/* How a job is out, as far as that outlives the process: in a worker of the daemon, or under a
 * token. NOT: nobody has it, or a connection, which ends with the process. */
enum job_out { JOB_OUT_NOT = 0, JOB_OUT_LOCAL, JOB_OUT_TOKEN };

/* What few jobs have. Every delayed, buried or leased one does. */
struct job_extra {
    unsigned magic;
    uint32_t reserves, releases, buries, kicks; /* they stay at the largest */
    struct job_tries tries;
    int64_t delay_ns; /* as asked for by put (or by release) */
    /* delayed: when it becomes ready; leased: when its TTR is over; buried: order of burial */
    int64_t key_ns;
    uint64_t token;               /* of the present lease (token_is_key: its key); 0: none */
    uint64_t ticket;              /* of its last change in the journal, the put not counted; 0 */
    struct broker_client *client; /* whose lease it is; NULL: none, or a local worker's */
    struct broker_consumer *consumer; /* that worker's, if it wants to hear of a cancel */
    bool cancelled;                   /* reserved by a local worker, and cancelled meanwhile */
    bool awaited;                     /* who put it will ask how it ends */
    bool token_is_key;                /* the journal told of the lease: it doesn't know the token */
    uint8_t out;                      /* enum job_out, as it was recorded last */
    uint8_t pins;                     /* operations that stand and are about its lease */
    struct list waiters;              /* the broker's: who waits for the end of this job */
    char *reason;                     /* why it was buried; NULL: none */
    struct job_options *options;      /* what was asked for with the put; its own; NULL: nothing */
    struct job_attempts *past;        /* attempts that are over, the oldest first; its own */
    uint32_t submitter;               /* if job->submitter is JOB_SUBMITTER_EXTRA */
    bool by_wall; /* delayed until options->at_wall_ns of the wall clock, see ledger/wallclock.c */
};

/* Covered by the broker's domain, all but the body and `magic`, which don't change. */
struct job {
    unsigned magic;
    uint32_t pri; /* 0 is the most urgent */
    uint64_t id;
    uint32_t pos;      /* in its container's heap; JOB_NOWHERE: in none */
    uint32_t ttr_s;    /* whole seconds, as the protocol has them */
    struct tube *tube; /* the job holds a reference on it */
    /* clock_now_ns at put, in microseconds: enough for 71 years, also before this machine's start
     */
    int64_t created_us : 52;
    uint64_t state : 4;      /* enum job_state */
    uint64_t evicted : 1;    /* its body is in the journal only: no bytes follow */
    uint64_t submitter : 6;  /* who put it: a place in the broker's table, or one of the next two */
    struct job_extra *extra; /* NULL: nothing of it is needed */
    struct job_body body;    /* the last: its bytes follow, unless evicted; `len` always holds */
};

#define JOB_NOWHERE UINT32_MAX
#define JOB_CREATED_US_MAX ((INT64_C(1) << 51) - 1)
#define JOB_SUBMITTER_NOBODY 0
#define JOB_SUBMITTER_EXTRA 63 /* it is in the side record */
#define JOB_TTR_MAX_S UINT32_MAX

/*
 * What a disk may say of numbers that are counted on, of durations and of times of day: far more
 * than there ever is, and so little that sums of them fit. What is above was not written by us.
 */
#define JOB_ID_MAX (UINT64_C(1) << 62)
#define JOB_COUNT_MAX (UINT64_C(1) << 60)
#define JOB_SPAN_MAX_NS (INT64_C(1) << 62)
#define JOB_WALL_MAX_NS (INT64_MAX - (INT64_C(1) << 60)) /* in the year 2225 */

/* A number that is counted on from one that a disk said: it stays one that can be read again. */
static inline uint64_t job_serial_add(uint64_t serial, uint64_t more)
{
    uint64_t sum;
    return __builtin_add_overflow(serial, more, &sum) || sum > JOB_ID_MAX ? JOB_ID_MAX : sum;
}

/* Where the put of a job is (the broker keeps it, by id): 0: not in the journal. With this bit:
 * pending, the rest is the ticket of its put. Else a locator; KEPT: the journal keeps it, but not
 * in a place that can be read. */
#define JOB_LOCATOR_PENDING (UINT64_C(1) << 63)
#define JOB_LOCATOR_KEPT (JOB_LOCATOR_PENDING - 1)

/* The job, of state NEW, that the body is the end of; takes the reference over and nulls *body.
 * Nobody else may have one yet. */
struct job *job_from_body(struct job_body **body);
/* The way back, for a job that wasn't put after all. */
struct job_body *job_to_body(struct job **job);
/* Drops the side record and the job's reference on the body; other references keep the memory. */
void job_free(struct job **job);

/*
 * The same job without its body's bytes, in memory of its own: takes *job's side record and place
 * over, drops its reference on the body, nulls *job. Whoever knows the old pointer must learn of
 * the new one. NULL: out of memory, nothing changed.
 */
struct job *job_evict(struct job **job);

int64_t job_ttr_ns(const struct job *job);
/* Rounded up to whole seconds; at least one, at most JOB_TTR_MAX_S. */
void job_ttr_set(struct job *job, int64_t ttr_ns);
int64_t job_created_ns(const struct job *job);
/* One more, if it isn't at the largest. */
void job_count(uint32_t *counter);

/* The side record, made if there is none. NULL: out of memory. */
struct job_extra *job_extra_need(struct job *job);
/* One for a job to come; free takes NULL, too. */
struct job_extra *job_extra_new(void);
void job_extra_free(struct job_extra **extra);
/* As new; it has no waiters. */
void job_extra_clear(struct job_extra *extra);
/* Changes the state; a move that isn't in the table stops the program and names the job. */
void job_move(struct job *job, enum job_state to);

/* Orders for heaps: priority then id; key then id (both have a side record). `arg` isn't used. */
bool job_ready_less(const void *a, const void *b, const void *arg);
bool job_key_less(const void *a, const void *b, const void *arg);
/* The priority alone. */
uint64_t job_ready_rank(const void *job);
/* `moved` for heaps: writes job->pos. */
void job_moved(void *job, size_t pos);

/* ---- outcome: how an attempt ended ---- */

enum job_outcome_kind {
#define JOB_OUTCOME(name, word, letter, fate) JOB_OUTCOME_##name,
#include "job/job_outcomes.def"
#undef JOB_OUTCOME
    JOB_OUTCOME_COUNT
};

/* "done", ...; static. */
const char *job_outcome_word(enum job_outcome_kind kind);

/* What becomes of a job whose attempt ended so (job_outcomes.def). */
enum job_fate { JOB_FATE_LEAVES, JOB_FATE_BURIED, JOB_FATE_RULED, JOB_FATE_RETURNED };
enum job_fate job_outcome_fate(enum job_outcome_kind kind);

/* The row of tries.def that counts attempts which end so (a kind whose fate is RULED): its counter,
 * the rule that limits it, and the limit where no rule says one; 0: none. */
uint32_t *job_tries_of(struct job_tries *tries, enum job_outcome_kind kind);
uint32_t job_tries_rule(enum job_outcome_kind kind);
uint32_t job_tries_limit(enum job_outcome_kind kind, bool remote);
/* Each is at least what the other one says. */
void job_tries_raise(struct job_tries *tries, const struct job_tries *least);
/* One after the other: the word, static, and the count; NULL: that was the last. *cursor 0: the
 * first. */
const char *job_tries_next(const struct job_tries *tries, size_t *cursor, uint32_t *count);

/* What the processes of an attempt used, as wait4(2) tells it: the child and those it waited for.
 */
struct job_usage {
    int64_t user_ns, system_ns; /* of processor time; -1: there was no process */
    uint64_t max_rss;           /* bytes, of the largest of them */
};

#define JOB_PROGRESS_MAX 128 /* bytes of its text with the NUL; longer ones are cut */

struct job_outcome {
    enum job_outcome_kind kind;
    int exit_status;             /* of a process that exited; -1: none */
    int signal;                  /* that ended the process; 0: none */
    char reason[JOB_REASON_MAX]; /* "": none */
    struct buf out, err;         /* captured, possibly cut */
    bool out_truncated, err_truncated;
    /* RETRY: the pause it asked for; -1: as the rules say. RETURNED: ready again only so much
     * later; 0 and less: at once. */
    int64_t retry_ns;
    int64_t started_ns, ended_ns; /* clock_now_ns */
    /* Of the pool that ran it, and what counts where neither that nor job and tube say it; NULL:
     * none. Not its own. */
    const struct job_rules *rules, *otherwise;
    struct job_usage usage;
    int progress;                         /* the last it told, in percent; -1: none */
    char progress_text[JOB_PROGRESS_MAX]; /* told with it; "": none */
};

/* DONE, without exit status, reason, output, usage or progress. */
void job_outcome_init(struct job_outcome *outcome);
/* Frees the captured output. */
void job_outcome_fini(struct job_outcome *outcome);
void job_outcome_reason(struct job_outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A reason is what we say, ": ", and what the program said; nothing stands before the ": " of one
 * that is the program's alone. Who may not read what a job wrote may know our part.
 */
#define JOB_REASON_SAID ": "
/* The whole of it, for people. */
const char *job_reason_text(const char *reason);
/* How many bytes our part has. */
size_t job_reason_ours(const char *reason);

/* ---- view: a job copied out of the broker ---- */

struct job_view {
    uint64_t id;
    char tube[JOB_TUBE_NAME_MAX + 1];
    enum job_state state;
    uint32_t pri;
    uint32_t submitter; /* JOB_NOBODY */
    int64_t delay_ns, ttr_ns;
    int64_t created_ns;   /* clock_now_ns time */
    int64_t age_ns;       /* since put */
    int64_t time_left_ns; /* reserved: of its TTR, may be negative; delayed: until ready; else 0 */
    bool local;           /* reserved by a worker of the daemon: its TTR doesn't end */
    size_t size;          /* of the body */
    uint32_t reserves, releases, buries, kicks;
    struct job_tries tries;
    char reason[JOB_REASON_MAX]; /* why it is buried; "": none */
    size_t past_count;
    struct job_attempts_copy {
        enum job_outcome_kind kind;
        int exit_status, signal;
        int64_t started_wall_ns, ended_wall_ns;
        char reason[JOB_PAST_REASON_MAX];
    } past[JOB_PAST_MAX]; /* the oldest first */
    /* of its options; "": none. The others mean nothing unless their bits in `set` and rules.set
     * are there. */
    char name[JOB_TEXT_MAX + 1], group[JOB_TEXT_MAX + 1], key[JOB_TEXT_MAX + 1];
    char tags[JOB_TAGS_SIZE]; /* see job_tags_next */
    size_t tags_size;
    uint32_t set; /* as job_options.set */
    struct job_rules rules;
    int64_t retention_ns, at_wall_ns;
};

/* ---- record: what is kept of a finished job ---- */

/* An attempt before the last one. */
struct job_attempt {
    enum job_outcome_kind kind;
    int exit_status, signal;                /* as in a record */
    int64_t started_wall_ns, ended_wall_ns; /* since 1970 */
    const char *reason;                     /* "": none */
};

#define JOB_EARLIER_MAX 32 /* attempts kept beside the last: the latest of them */

/* Immutable, counted, one piece of memory. Strings are NUL-terminated. */
struct job_record {
    unsigned magic;
    _Atomic uint32_t refs;
    uint64_t id;
    enum job_outcome_kind kind;
    int exit_status; /* -1: none */
    int signal;      /* 0: none */
    uint32_t pri;
    uint32_t submitter; /* JOB_NOBODY */
    uint32_t reserves, releases, buries, kicks;
    struct job_tries tries;
    int64_t delay_ns, ttr_ns;
    size_t size;             /* of the body */
    int64_t finished_ns;     /* clock_now_ns time; retention counts from here */
    int64_t created_wall_ns; /* since 1970 */
    int64_t started_wall_ns; /* of the last attempt; 0: there was none */
    int64_t ended_wall_ns;
    int64_t waited_ns;   /* from put to the start of the last attempt (or to the deletion) */
    int64_t duration_ns; /* of the last attempt */
    const char *tube;
    const char *reason;             /* "": none */
    const char *name, *group, *key; /* "": none; in what is copied from, NULL too */
    const char *tags;               /* see job_tags_next */
    size_t tags_size;
    int64_t retention_ns; /* asked for with the job; -1: it wasn't */
    const char *out, *err;
    size_t out_len, err_len;
    bool out_truncated, err_truncated;
    struct job_usage usage;
    int progress; /* in percent; -1: none */
    const char *progress_text;
    const struct job_attempt *earlier; /* the oldest first */
    size_t earlier_count;              /* JOB_EARLIER_MAX at most */
    size_t memory;                     /* bytes of the whole record */
};

/*
 * From one whose strings and attempts are anywhere, and may go afterwards; of more than
 * JOB_EARLIER_MAX attempts the latest are kept. magic, refs and memory of `like` aren't looked at.
 * ENOMEM.
 */
int job_record_copy(struct job_record **out, const struct job_record *like);
/* Whether one that was read from a disk may be shown and counted with: times and numbers in their
 * ranges, a tube's name that can be, texts that aren't too long. Of its attempts, too; or of one.
 */
bool job_record_is_right(const struct job_record *record);
bool job_attempt_is_right(const struct job_attempt *attempt);
/*
 * As bytes, for the journal (record_codec.c), without the id: in a body of its own. ENOMEM,
 * EMSGSIZE. And back: EBADMSG: these bytes are none. EOPNOTSUPP: of a newer hilera. ENOMEM.
 */
int job_record_encode(const struct job_record *record, struct job_body **out);
int job_record_decode(struct job_record **out, uint64_t id, const void *bytes, size_t len);
struct job_record *job_record_ref(struct job_record *record);
void job_record_unref(struct job_record **record);

#include "job/codec.h" /* entries of the journal; part of this face */
#include "job/end.h"   /* that a job is over; likewise */

#endif
