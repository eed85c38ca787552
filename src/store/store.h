// SPDX-License-Identifier: MIT
/*
 * The store: the ledger on a journal. Each change of a job in a tube that isn't in memory alone is
 * admitted, recorded, and then carried out, all in one hold of the ledger's lock; so a change that
 * can't be recorded doesn't happen, and the order of entries is the order of changes. After a start
 * the same changes are made out of the entries.
 *
 * A job knows two things of the journal. Its place (table.h) is its put: pending (a ticket), then
 * placed (a locator). extra->ticket is its last change after that. Both together make the chain by
 * which a job that is put and finished before the next commit vanishes from it.
 *
 * Leases and their ends by time or by a lost connection happen all the same where there is no room,
 * but aren't counted then. That of a token is refused like any other change: it must be there after
 * a restart.
 *
 * Functions marked HELD need the ledger's lock. Others may be called by any thread that doesn't
 * have it. Where a store may be NULL, everything is in memory, and nothing is refused.
 *
 * Arrows: journal and ledger below; the broker above, which is told by a table of functions.
 */
#ifndef STORE_H
#define STORE_H

#include "ledger/ledger.h"
#include "store/stats.h"

struct commit_placed;
struct journal;
struct journal_error;
struct store;

/* ---- life ---- */

struct store_options {
    struct journal *journal; /* acquired, not replayed; the store's until store_free */
    bool thread;             /* this and the next two: as in commit_options */
    size_t pending_max, frame_max;
    /*
     * Bytes of bodies in memory; beyond it the newest are only in the journal and read back when
     * they are reserved or peeked at. 0: all stay in memory.
     */
    size_t cache_size;
    /*
     * May be NULL; called without locks, from any thread. published: tickets were reached; wake who
     * waits (net_reached). failed: nothing will be durable any more; stop. damaged: replay found
     * something broken; a sentence.
     */
    void (*published)(void *arg);
    void (*failed)(int error, void *arg);
    void (*damaged)(const char *text, void *arg);
    /*
     * Records of finished jobs are kept in a file, which lags: the journal has each of them, too,
     * until broker_results_durable says that the file has it. result_found: after the replay, in
     * order of numbers, those above broker_options.last_result, which the file doesn't have. NULL:
     * the journal keeps none.
     */
    void (*result_found)(uint64_t number, struct job_record **record, void *arg);
    void *arg;
};

struct store_recovered {
    struct journal_replayed replayed;
    uint64_t jobs, ready, delayed, buried;
    uint64_t reserved;   /* under a token, or by workers of the daemon before */
    uint64_t evicted;    /* jobs whose body stayed in the journal */
    uint64_t unreadable; /* whole records that are no entries */
    uint64_t results;    /* records that were handed over */
};

/* Of the ledger, which is told of it. `look` is called without the lock after each commit, and when
 * compaction gave something back: who waits for room looks again. ENOMEM. */
int store_new(struct ledger *ledger, const struct store_options *options,
              void (*look)(struct ledger *ledger));
/* Replays the journal into the empty ledger. *recovery: for store_start. After a failure, too, what
 * is there is counted. */
struct recovery;
int store_replay(struct store *store, struct store_recovered *recovered,
                 struct journal_error *error, struct recovery **recovery) HELD;
/* From now on changes are recorded; the first limit of ids is durable. rc: what was before; if it
 * isn't 0, only *recovery is freed. What commit_new says; ENOSPC. */
int store_start(struct store *store, struct recovery **recovery, int rc);
/* After a start that failed: no thread of it runs any more, and it can only be freed. Idempotent.
 */
void store_end(struct store *store);
/* The last commit, with the exact counters; nobody changes anything any more. EIO: something isn't
 * durable. */
int store_stop(struct store *store);
/* NULL: nothing happens. */
void store_free(struct store **store);

/* ---- admit.c: whether there is room for a change, before anything changes ---- */

/*
 * ENOSPC: none. ENOMEM. EIO: the journal is broken. EAGAIN: not now, and whoever may wait stands in
 * one of two lines, which are the broker's (broker/line.c). What isn't in the journal costs nothing
 * and is always admitted.
 */
enum store_line { STORE_LINE_PUTS, STORE_LINE_CHANGES, STORE_LINE_COUNT };
/* FIRST: for the first time while somebody stands, and who stands goes before it. LINE: it may have
 * stood. NONE: nobody stands, or it changes nothing that needs room. */
enum store_turn { STORE_TURN_NONE, STORE_TURN_FIRST, STORE_TURN_LINE };
/* Of what is asked for from now on. */
void store_turn(struct store *store, enum store_turn turn) HELD;
/* More, or fewer, stand in that line. */
void store_stand(struct store *store, enum store_line line, int by) HELD;

/* For a job that comes into that tube: a put, or (with an id already) a move out of one that isn't
 * in the journal. Also EMSGSIZE. */
int store_admit_put(const struct tube *tube, const struct job *job) HELD;
/* For one more change of a job that is there. */
int store_admit(const struct job *job) HELD;
/* For a change of any job. */
int store_admit_any(struct store *store) HELD;
/* For its last one, a DELETE: there is room for it when there is none for other changes. */
int store_admit_final(const struct job *job) HELD;
int store_admit_pause(const struct tube *tube) HELD;
/* Room in the journal, if the job is there, which the flags say from then on. */
int change_admit(struct change *change) HELD;

/* ---- record.c: into the journal; admitted before ---- */

/* by_wall: until its time of the wall clock. */
void store_put(struct job *job, enum job_state state, int64_t key_ns, bool by_wall) HELD;
void change_record_there(const struct change *change) HELD;
HELD static inline void change_record(const struct change *change)
{
    if ((change->flags & CHANGE_LOGGED) != 0)
        change_record_there(change);
}
/* About what its put takes in the journal; and what has become of that. */
uint64_t store_cost(const struct job *job) HELD;
void store_cost_changed(const struct job *job, uint64_t before) HELD;

/* ---- ticket.c: who is told of a change waits for its ticket ---- */

/* Whoever makes changes now must wait for that ticket. */
void store_told(struct store *store, enum durability durability, uint64_t ticket) HELD;
/* ledger->teller tells of something that others did, perhaps only now. */
void store_told_all(struct ledger *ledger) HELD;
/* The last that anybody has to wait for. */
struct ticket store_wanted(const struct store *store) HELD;
/* That of the last change. */
uint64_t store_last(const struct store *store) HELD;
/* As broker_ticket_reached and the others of their names. */
int store_ticket_reached(const struct store *store, struct ticket *reached);
int store_ticket_state(const struct store *store, const struct ticket *ticket);
int store_ticket_wait(struct store *store, const struct ticket *ticket, int64_t timeout_ns);
bool store_lead(struct store *store, const struct ticket *ticket, bool more);
void store_lead_elsewhere(struct store *store, const struct ticket *ticket);
/* Without the lock, after EAGAIN: does what has to be done, and blocks for the disk, until it is
 * worth trying again. ENOSPC, EIO, ENOMEM: it isn't. */
int store_make_room(struct store *store);
/* Without the lock: sees to it that it is done, and doesn't block where there is a thread. */
void store_want_room(struct store *store);
/* Something was published, or never will be. */
void store_published(struct store *store);

/* ---- pressure.c: the space that the journal takes ---- */

/* Whether somebody compacts when it is due; else puts don't wait for it. */
void store_compacted(struct store *store, bool by_somebody) HELD;
/* After each commit: who has to wait, and (true) whether whoever compacts is to be called. */
bool store_look(struct store *store) HELD;
/* As broker_compact. */
int store_compact(struct store *store);

/* ---- results.c: records of finished jobs ---- */

/* Whether a record of the job that ends now is kept in the journal, too. */
bool result_is_tied(const struct job *job) HELD;
/* Room for that, after the job's own end was admitted. *most: how many bytes it has at most; 0:
 * there is no room, which is counted. EAGAIN, EIO. */
int result_admit(struct store *store, const struct job_end *end, size_t *most) HELD;
/* Adds it, before the entry of the job's end. */
void result_log(struct job *job, struct job_end *end, size_t most) HELD;
/* As broker_results_durable. */
void store_results_durable(struct store *store, uint64_t number);

/* ---- evict.c, body.c: bodies that are in the journal only ---- */

uint64_t store_evicted_bytes(const struct store *store) HELD;
/* The evicted job goes. */
void store_evicted_left(const struct job *job) HELD;
/* The place of an evicted job, pinned. */
struct job_place store_place(const struct job *job) HELD;
/* None: nothing happens. */
void store_place_drop(struct job_place *place);
/* As broker_fetch. */
int store_read(struct job_place *place, struct job_body **body);

struct ledger *store_ledger(const struct store *store);

/* ---- figures, checks ---- */

/* NULL: all is zero. */
void store_stats(struct store *store, struct store_stats *stats);
/* Whether what is counted of the journal is what the jobs say. */
bool store_valid(const struct ledger *ledger) HELD;

#endif
