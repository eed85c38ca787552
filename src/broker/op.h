// SPDX-License-Identifier: MIT
/*
 * Operations: one face for the verbs that change something (verbs.def), for those who may block and
 * for those who may not. Part of broker.h.
 *
 * An operation is carried out whole or not at all. What can stop it for a while is a journal that
 * is busy (too much of it isn't written yet, or compaction has to make room first) and, for a put
 * that may wait, a tube or broker that is full. Then it can stand in line: it is decided again,
 * from the front of its line, whenever there may be room, and its later tells when it is over. Who
 * comes later stands behind. Each line of a busy journal has a patience: at its end the operation
 * is refused. A lease doesn't run out while an operation stands that settles or prolongs it. A put
 * whose key may be that of a record in a file stands, too, until who keeps records has answered.
 *
 *     broker_op_init        and what else the verb needs
 *     broker_run            0, a refusal, or EAGAIN: it would have to stand
 *     ... with OP_STANDS    EINPROGRESS: it stands; op->later fires, op->later.result is the answer
 *     broker_op_fini        when it was answered, or after a cancel that said true
 *
 * The memory of an operation is the asker's. It may be copied as long as it doesn't stand, so who
 * has to wait rarely makes room for it on the heap only when broker_run has said EAGAIN.
 *
 * Thread-safe; one operation is one thread's at a time.
 */
#ifndef BROKER_OP_H
#define BROKER_OP_H

#include "job/job.h"
#include "thr/thr.h"
#include "trust/trust.h"

struct broker;

#include "broker/durable.h"
#include "broker/keeping.h"

enum broker_verb {
#define BROKER_VERB(NAME, name, line, what) BROKER_##NAME,
#include "broker/verbs.def"
#undef BROKER_VERB
    BROKER_VERB_COUNT
};

enum broker_op_flags {
    OP_STANDS = 1 << 0, /* it may stand in line: `later` has its fire */
    /* PUT: also for room in its tube and in the broker, where options.put_waits says so and
     * `client` has no job, since it might wait for itself; else ENOBUFS. Without a patience. */
    OP_MAY_WAIT = 1 << 1,
    OP_TOKEN = 1 << 2, /* RESERVE_JOB: the lease belongs to who shows its token */
    /* the broker's: */
    OP_PINS = 1 << 3, /* the lease that it is about doesn't run out */
};

struct broker_client;
struct broker_lease;
struct broker_put_spec;
struct key_watch;
struct put_question;
struct attempt_end;

struct broker_op {
    struct later later; /* fire: the asker's, before it stands */
    uint8_t verb;       /* enum broker_verb */
    uint8_t flags;      /* enum broker_op_flags */
    uint64_t id;        /* of the job; of PUT, afterwards: or, EEXIST, of the one with its key */
    uint64_t token;     /* of the lease; 0: a plain one of the client's */
    struct broker *broker;
    struct broker_client *client;   /* of the connection that asks; NULL: none */
    const struct trust_view *asker; /* what it may; outlives the operation */
    union {
        struct {             /* PUT; made by broker_op_put */
            struct job *job; /* NULL: it was put */
            struct tube *tube;
            struct key_watch *watch;
            int64_t delay_ns;
            bool asks; /* who keeps records is to be asked, or is, by `question` */
            struct put_question *question; /* NULL: nobody has to be asked */
        } put;
        struct broker_lease *lease; /* RESERVE_JOB: filled in where the answer is 0 */
        struct {                    /* RELEASE, BURY */
            uint32_t pri;
            int64_t delay_ns; /* RELEASE */
        } back;
        struct { /* SETTLE */
            struct job_outcome *outcome;
            struct attempt_end *last;
        } settle;
        struct { /* MOVE, PAUSE: of the tube */
            const char *name;
            size_t len;
            int64_t pause_ns; /* PAUSE */
        } tube;
    };
    int rc;               /* of broker_run_some: what broker_run would say */
    struct ticket ticket; /* to be reached before anybody is told of its answer */
    /* the broker's */
    struct job *gone;  /* left, and is freed by broker_op_fini */
    struct list *line; /* where it stands; NULL: nowhere */
    int64_t until_ns;  /* the end of its patience; 0: it hasn't stood for the journal yet */
    uint64_t pinned;   /* OP_PINS: the token of that lease, as the job has it */
};

/* Of that job; token 0: under a plain lease, or none. What else the verb needs is set afterwards:
 * client, asker, its part of the union. */
static inline void broker_op_init(struct broker_op *op, enum broker_verb verb, uint64_t id,
                                  uint64_t token)
{
    op->later.state = LATER_IDLE;
    op->verb = (uint8_t)verb;
    op->flags = 0;
    op->id = id;
    op->token = token;
    op->ticket = (struct ticket){0};
    op->gone = NULL;
    op->until_ns = 0;
}

/*
 * PUT of a body, which is taken over and *body nulled; broker_op_fini drops it if it isn't put.
 * Initializes it. Not under a lock. EMSGSIZE, ENOMEM: the body stays the caller's.
 */
int broker_op_put(struct broker_op *op, struct broker *broker, const struct broker_put_spec *spec,
                  struct job_body **body);

/*
 * Carries it out. 0, or as the verb has it:
 *   all            ENOMEM, ENOSPC, EIO: the journal; EAGAIN, with OP_STANDS EINPROGRESS. ENOSR: the
 *                  journal was busy for as long as its line's patience is. Nothing changed then.
 *   PUT            EEXIST: its key is that of a job of this tube and submitter, or of one that is
 *                  gone whose record is kept; op->id is that one. EHOSTDOWN: draining. ENOBUFS: the
 *                  tube is full. EXFULL: all tubes together are. EDQUOT: its group would be one too
 *                  many.
 *   RESERVE_JOB    that job, ready, delayed or buried, of any tube, watched or not, paused or not,
 *                  for who may work there. ENOENT: none, or it is reserved. EACCES. EDQUOT: the
 *                  client has held_max.
 *   RELEASE, BURY, TOUCH, DELETE
 *                  what ends or prolongs a lease. token 0: a plain one of this client; ENOENT: it
 *                  isn't (any more). Else the lease under that token, whoever asks; ESTALE: it
 *                  isn't in force (any more). EACCES: the asker may not work in the job's tube.
 *                  RELEASE: ready, or delayed for delay_ns; takes the priority. BURY: set aside;
 *                  takes the priority; counts as finished (failed). TOUCH: the TTR begins anew.
 *                  DELETE: who has it says that it is done: it is finished so. With token 0 also a
 *                  ready, delayed or buried job that the asker may edit, which counts as deleted;
 *                  without a client EACCES says that he may not, with one ENOENT.
 *   SETTLE         as broker_settle
 *   KICK           ENOENT: no such job, or neither buried nor delayed. EACCES.
 *   MOVE           a ready, delayed or buried job, to a tube that is made if there is none; it
 *                  keeps id, priority, state, counters and submitter. For who may edit here and put
 *                  there; into a guarded tube only what he put himself, or as root or the daemon's
 *                  user. Within one tube: nothing happens. ENOENT: no such job, or it is reserved.
 *                  EACCES. EINVAL, ENAMETOOLONG: the name. ENOBUFS: that tube is full.
 *   PAUSE          for pause_ns nothing is taken from the tube by waiting or asking; everything
 *                  else works. 0 or less: from now on again. Replaces the pause before. ENOENT: no
 *                  such tube. EDQUOT: it has BROKER_PAUSES_MAX pauses, each of which keeps its
 *                  tube; BROKER_PAUSES_SHARE more are for root and the daemon's own user.
 *   ROOM           nothing else
 */
int broker_run(struct broker *broker, struct broker_op *op);

/* Several, none of which OP_STANDS, in order and in one hold of the lock. It stops before the first
 * that would have to stand, which is as if it had not been tried. How many were carried out, or
 * refused: op->rc says what broker_run would have. */
#define BROKER_RUN_MAX 64
size_t broker_run_some(struct broker *broker, struct broker_op *const *ops, size_t count);

/* A PUT that has no id yet takes the next one now, for it is carried out after others that come
 * later. Other operations: nothing happens. */
void broker_op_number(struct broker *broker, struct broker_op *op);

/* The same as broker_run by a thread that may block, until it is over: never EAGAIN, EINPROGRESS.
 * It uses later. A put waits for room only as long as the journal is busy. */
int broker_run_blocking(struct broker *broker, struct broker_op *op);

/* Who asked sends no more. true: it stands for what comes by itself (the journal, for as long as
 * its patience is, or what is known of a key), and will stand for nothing else. false: for room in
 * a tube, or it doesn't stand. */
bool broker_op_hurry(struct broker_op *op);

/* A PUT that wasn't one, and isn't standing: its body is the caller's again, for another try. */
void broker_op_unput(struct broker_op *op, struct job_body **body);

/* What is left of it: a job that left, a put that wasn't one. Idempotent. */
void broker_op_free(struct broker_op *op);
static inline void broker_op_fini(struct broker_op *op)
{
    if (op->gone != NULL ||
        (op->verb == BROKER_PUT && (op->put.job != NULL || op->put.question != NULL)))
        broker_op_free(op);
}

#endif
