// SPDX-License-Identifier: MIT
/*
 * The broker itself, for its own files: what it has beside the ledger. All of these include it; the
 * other private headers have a theme each.
 *
 * Everything here is covered by the ledger's lock, but what is set once in broker_new. A public
 * call is: prepare memory, broker_lock, a few functions marked HELD, broker_unlock, free what came
 * loose.
 *
 * One heap of deadlines: each tube and each client has one timer, set to the earliest thing that
 * will happen to it, and the timers are in broker->due.
 *
 * Who has a reserved job is no part of the ledger: plain leases are in client->extra->leases by the
 * end of their TTR, those under a token in broker->tokens; those of consumers are in none.
 */
#ifndef BROKER_STATE_PRIV_H
#define BROKER_STATE_PRIV_H

#include "base/assert.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/magic.h"
#include "base/map.h"
#include "broker/broker.h"
#include "store/store.h"

#define BROKER_MAGIC 0xb40ce400u

/* Jobs a walk handles before it lets others have the lock: about 50 microseconds of work. */
#define BROKER_SLICE_MAX 256

#define BROKER_SPARES_MAX 64 /* about 7 KiB */

/* An entry of the broker's only heap of deadlines; see timer.c. */
struct broker_timer {
    int64_t at_ns;   /* CLOCK_NEVER: not in the heap */
    uint64_t number; /* in order of making; decides between equal times */
    size_t pos;
    int kind;
};

enum { TIMER_TUBE, TIMER_CLIENT, TIMER_LINE };

enum unlock_tell {
    UNLOCK_SOONER = 1 << 0, /* an timer was set before told_ns */
    UNLOCK_ENDED = 1 << 1,  /* there are ends for history */
    UNLOCK_TOLD = 1 << 2    /* a listener waits for a ticket that nobody else may want */
};

/* The broker's view of a tube. */
struct broker_tube {
    struct tube tube;
    struct list waiting_puts;       /* of struct broker_op: puts that wait for room in this tube */
    struct broker_timer timer;      /* the first delay or the pause is over */
    struct broker_stats stats;      /* but what the ledger counts */
    struct event_name *event_name;  /* in the ring of events; NULL: nothing there is of it */
    struct events_target *listened; /* NULL: nobody listens to it */
};

/* Lines of a busy journal, see line.c. */
struct broker_line {
    struct list standing; /* of struct later by node: operations and reserves */
    struct broker_timer timer;
};

/* The thread "fetch". */
struct fetcher {
    hl_thread *thread;                 /* NULL: there is none */
    _Atomic(struct list_node *) inbox; /* of broker_fetch.later.node, by next */
    _Atomic uint32_t bell;
    _Atomic bool stop;
};

/* What lines do with those who stand in them; handed down by broker.c. */
struct line_calls {
    /* Carries an operation out. EAGAIN: op->line says where it has to stand; NULL: in a line of the
     * journal. */
    int (*decide)(struct broker *broker, struct broker_op *op);
    bool (*cancel)(struct later *later); /* of operations, by which they are known */
    /* A reserve that stands in the line of changes is tried again. EAGAIN: it stands where it was.
     * Else it has left the line. */
    int (*reserve_again)(struct later *later);
    void (*reserve_refused)(struct later *later, int result);
    int64_t (*reserve_until)(const struct later *later);
    bool (*reserve_cancel)(struct later *later); /* of those that stand for tubes */
};

struct broker {
    unsigned magic;
    struct ledger ledger;
    struct broker_options options;
    struct tube *fallback;    /* "default" */
    struct list waiting_puts; /* of struct broker_op: puts that wait for room in all */
    struct broker_line lines[STORE_LINE_COUNT];
    unsigned lines_made;
    size_t standing;         /* in both lines */
    uint64_t impatient;      /* refused, since the journal was busy for too long */
    struct list prefetchers; /* of struct broker_consumer: have two jobs or more, and a ring */
    struct list consumers;   /* all of struct broker_consumer */
    bool resting;            /* they take nothing */
    struct heap due;         /* of struct broker_timer */
    uint64_t last_timer;
    int64_t told_ns;             /* when broker_due will be called again at the latest */
    struct broker_client tokens; /* has the leases that belong to a token */
    uint64_t memory_peak;        /* of broker_memory, since it fell */
    struct broker_stats stats;   /* but what the ledger counts */
    struct strmap key_watches;   /* of struct key_watch, see key_watch.c */
    struct fetcher fetcher;      /* see fetch.c */
    size_t spare_count;
    struct job_extra *spares[BROKER_SPARES_MAX]; /* see spare.c */
    struct list ends; /* of struct job_end: that happened in this hold of the lock */
    struct lingering {
        struct list ends; /* of struct job_end, the latest first; see linger.c */
        size_t count, bytes;
    } lingering;
    struct list spare_ends;          /* of struct job_end, not filled in; see finish.c */
    _Atomic size_t spare_ends_count; /* written under the lock */
    uint64_t chance;                 /* see retry.c; never 0 */
    bool draining;
    uint32_t observed;            /* types of changes that somebody watches; see watch_priv.h */
    struct list watches;          /* of struct change_watch */
    struct broker_events *events; /* NULL: nobody has listened yet */
    unsigned unlock_tells; /* bits of enum unlock_tell: what this hold of the lock has brought */
    const struct line_calls *calls;
    const struct broker_hooks *hooks; /* never NULL */
    void *hooks_arg;
};

static inline struct broker *broker_of_ledger(const struct ledger *ledger)
{
    return CONTAINER_OF((struct ledger *)(uintptr_t)ledger, struct broker, ledger);
}
static inline struct broker *broker_of(const struct tube *tube)
{
    return broker_of_ledger(tube->ledger);
}
static inline struct broker_tube *broker_tube(const struct tube *tube)
{
    return CONTAINER_OF((struct tube *)(uintptr_t)tube, struct broker_tube, tube);
}

/* memory.c */
/* About what all jobs take: header, body, place in a heap and in the table. */
uint64_t broker_memory(const struct broker *broker) HELD;

/* overlay.c */
extern const struct ledger_hooks overlay;

/* lock.c */
void broker_lock(struct broker *broker) TAKES_LOCK;
/* Lets go, runs what became ready, and the sooner hook if that is wanted. */
void broker_unlock(struct broker *broker) GIVES_LOCK;
/* Until the end of this hold of the lock, what is changed is that one's to tell. */
HELD static inline void broker_tell(struct broker *broker, struct ticket *ticket)
{
    broker->ledger.teller = ticket;
}

/* client.c: whether it has jobs; then it may not wait for room. */
bool client_holds(const struct broker_client *client) HELD;

/* wait.c */
/* All who wait for this job get ready; those who want to know how it ended get references on the
 * end (NULL: there was no memory for one). */
void wait_finish(struct job *job, struct job_end *end) HELD;

/* fetch.c */
/* The thread. ENOMEM, EAGAIN. */
int fetch_start(struct broker *broker);
void fetch_stop(struct broker *broker);

/* check.c */
/* Whether every count and every container agrees with the jobs; walks everything. */
bool broker_valid(const struct broker *broker) HELD;

#endif
