// SPDX-License-Identifier: MIT
/*
 * What makes a broker durable: its journal. Part of broker/broker.h.
 *
 * Without broker_recover everything is in memory, and nothing here costs more than a look at a null
 * pointer. With it, each change of a job in a tube of level COMMIT or INTERVAL is added to the
 * pending changes of a commit (journal/commit.h) under the broker's lock, and gets a ticket. The
 * change is visible at once; whoever is told of it (INSERTED, DELETED ...) must wait until its
 * ticket is reached. Each call says where its ticket goes:
 *
 *     rc = broker_run(broker, &op);                      op.ticket: what its answer has to wait for
 *     ... keep the answer back until broker_ticket_reached says so (net's gate does that), or
 *     broker_ticket_wait(broker, &op.ticket, HL_FOREVER);   for threads that may block
 *
 * So it is for walks, filters and waits; what a client reserved goes to the client's.
 *
 * Handing out a job, and a lease that ends by time, are recorded and not waited for; but a lease
 * under a token is, like any other change, and broker_take waits until its leases are written.
 *
 * A job is in the journal from its put on, or from a move into a tube that has a level; it stays
 * there until it is finished, also when it is moved to a tube without.
 *
 * Boot: broker_new, broker_tube_durability, journal_open, journal_acquire, broker_recover,
 * broker_take_over; then put threads to work. Stop: everybody who uses the broker, net last (its
 * loops still lead commits); broker_stop; broker_free; journal_close.
 */
#ifndef BROKER_DURABLE_H
#define BROKER_DURABLE_H

#include "job/job.h"
#include "store/stats.h"
#include "thr/thr.h"
#include "trust/trust.h"

struct broker;
struct journal_error;
struct store_options;
struct store_recovered;

/*
 * The durability of a tube, now and whenever it is made again; for tubes without,
 * options.durability counts. interval_ns: of INTERVAL, otherwise not looked at. EINVAL,
 * ENAMETOOLONG: the name. ENOMEM.
 */
int broker_tube_durability(struct broker *broker, const char *name, size_t len,
                           enum durability durability, int64_t interval_ns);

/* ---- life ---- */

/*
 * Replays the journal into the empty broker, and from then on records in it. Once, before anybody
 * else uses the broker. EOPNOTSUPP: an entry of a newer hilera. ENOSPC: no room for the first
 * record. What journal_replay and commit_new say. *error tells more; the broker can only be freed
 * then.
 */
int broker_recover(struct broker *broker, const struct store_options *options,
                   struct store_recovered *recovered, struct journal_error *error);

/* How the end of a process is charged to jobs that its workers had. */
struct broker_charge {
    /* Those of the pool that serves the tube; NULL: none. Called without the lock. */
    const struct job_rules *(*rules)(const char *tube, void *arg);
    void *arg;
};

struct broker_taken {
    uint64_t tokens;   /* jobs that are reserved under a token still */
    uint64_t returned; /* jobs of workers that went back as if nothing had been */
    uint64_t charged;  /* jobs of workers of which an attempt crashed */
    uint64_t buried;   /* of these: it was one too many */
};

/*
 * After broker_recover, before anybody else uses the broker: jobs that workers of the process
 * before had, and that are reserved therefore, go back by changes like any other. With `charge`
 * each had an attempt that CRASHED: it may be what ended the process, and is buried by its rules if
 * that comes again and again. NULL: the process was told to end, or the machine went down. EIO,
 * ETIMEDOUT, ENOSPC: not all of that is durable, so the process's own end must not be charged.
 */
int broker_take_over(struct broker *broker, const struct broker_charge *charge,
                     struct broker_taken *taken);

/*
 * The clean end: a last commit with the exact counters. Nobody changes anything any more. EIO:
 * something isn't durable. Without a journal: 0. Afterwards only broker_free.
 */
int broker_stop(struct broker *broker);

/* All records up to this number are durable where they are kept, or lost for good: the journal
 * needs them no more. Any thread; without a journal nothing happens. */
void broker_results_durable(struct broker *broker, uint64_t number);

/* Whether it has a journal. */
bool broker_is_durable(const struct broker *broker);

/*
 * What a restart would bring back, as one number: brokers of the same number have the same jobs in
 * the same states, the same pauses and the same counts of groups. For tests: it looks at everything
 * under one hold of the lock. visit (NULL: nobody) gets each part of it, as an entry without body.
 */
uint64_t broker_digest(struct broker *broker,
                       void (*visit)(const void *bytes, size_t len, void *arg), void *arg);

/* ---- tickets ---- */

/* Of all that anybody has to wait for now. */
struct ticket broker_ticket_wanted(struct broker *broker);
/* How far it is. Any thread, no lock. EIO: nothing that isn't reached now ever will be. */
int broker_ticket_reached(struct broker *broker, struct ticket *reached);
/* The same of one. 0: it is reached. EINPROGRESS: not yet. EIO: never will be. */
int broker_ticket_state(const struct broker *broker, const struct ticket *ticket);
/* Blocks until it is reached, leading commits itself. EIO: never will be. ETIMEDOUT. */
int broker_ticket_wait(struct broker *broker, const struct ticket *ticket, int64_t timeout_ns);

/*
 * For a loop at the end of its turn: somebody waits for that ticket. Makes sure that it will be
 * reached: leads a commit itself, and blocks for the disk, unless a thread does
 * (it was left to the thread, or somebody leads just now); then `published` tells. false: nothing
 * was done, for the ticket needs a sync, and one that more answers wait for would be worth more;
 * `more`: whether it may say so. Then the loop looks for more to do and calls again.
 */
bool broker_lead(struct broker *broker, const struct ticket *ticket, bool more);
/* The same by another thread, for who may not block: others are served beside. */
void broker_lead_elsewhere(struct broker *broker, const struct ticket *ticket);

/* ---- bodies that are not in memory ---- */

/* A lease of a job whose body is in the journal only comes without a body and with its place
 * (struct job_place), which stays readable until broker_fetch or broker_place_drop. (broker_take
 * reads it itself.) */

/* After a peek that found a job and gave no body. ENOENT: the job is gone, or its body is back.
 * EACCES: as of that peek. */
int broker_place_get(struct broker *broker, const struct trust_view *asker, uint64_t id,
                     struct job_place *place);

/*
 * Reads it; blocks for the disk. In every case the place is dropped. EBADMSG: it is damaged (also:
 * another job is there). EIO, ENOMEM.
 */
int broker_fetch(struct job_place *place, struct job_body **body);
/* None: nothing happens. */
void broker_place_drop(struct job_place *place);

/*
 * The same by the thread "fetch", for those who may not block. It can't be cancelled: a read comes
 * to its end. It fires on that thread, or inside the call if there is none.
 */
struct broker_fetch {
    struct later later; /* result: as broker_fetch */
    struct job_place place;
    struct job_body *body; /* 0: a reference */
};
void broker_fetch_start(struct broker_fetch *fetch);

/* What to do with a leased job whose body is damaged: it is buried, with that reason. As
 * broker_settle. */
int broker_bury_damaged(struct broker *broker, uint64_t id, uint64_t token);

/* ---- compaction, figures ---- */

/*
 * One slice of compaction if it is due (the hook `compaction_wanted` tells); to be called by one
 * thread, again at once as long as it answers 0. Where it has to wait for a commit it does, for a
 * tenth of a second at most. ENOENT: nothing is due. ENOSPC, EIO, ENOMEM: it can't go on; again
 * later.
 */
int broker_compact(struct broker *broker);

void broker_store_stats(struct broker *broker, struct store_stats *stats);

#endif
