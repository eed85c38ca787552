// SPDX-License-Identifier: MIT
/*
 * The ledger itself: all that is in it, its lock, and who is told. Part of ledger.h.
 */
#ifndef LEDGER_STATE_H
#define LEDGER_STATE_H

#include "base/idtable.h"
#include "base/list.h"
#include "base/map.h"
#include "job/job.h"
#include "ledger/held.h"
#include "ledger/table.h"
#include "thr/thr.h"

struct ledger;
struct store;
struct tube;

/* How many jobs are in each state; NEW, FINISHED: none. */
struct job_counts {
    uint64_t count[JOB_STATE_COUNT];
    uint64_t urgent; /* ready with a priority below 1024 */
    uint64_t bytes;  /* of the bodies */
};

/* What stands above is told so. All are there, and are called with the lock. */
struct ledger_hooks {
    size_t tube_size; /* of the struct that begins with each struct tube; zeroed */
    /* A tube is made; it has its name. ENOMEM: it isn't. */
    int (*tube_made)(struct tube *tube);
    void (*tube_gone)(struct tube *tube); /* about to be freed */
    /* Its first delay, or the end of its pause, may be another one. */
    void (*tube_times)(struct tube *tube);
    /* `given` of the tubes' queue cores: a ready job is reserved for whoever waited. */
    void (*given)(void *job, struct queue_wait *wait);
    /* RESERVED, as a change says it: a lease under a token goes into its container; others are in
     * none. lease_room: for one more of them. ENOMEM. */
    int (*lease_room)(struct ledger *ledger);
    void (*lease_enter)(struct job *job);
    void (*lease_end)(struct job *job); /* the job is in no container then; it stays RESERVED */
};

struct ledger {
    hl_queue_domain *domain;
    const struct ledger_hooks *hooks;
    struct store *store;     /* what records it; NULL: everything is in memory */
    struct ticket *teller;   /* of who makes changes in this hold of the lock; NULL: nobody */
    uint32_t daemon_uid;     /* whose are jobs of a guarded tube of which nobody is said */
    struct idtable jobs;     /* every job */
    struct idtable locators; /* see table.h; empty without a store */
    struct strmap tubes;     /* by name */
    struct list tube_list;   /* in order of creation */
    struct tube_names names;
    struct strmap settings;     /* of struct tube_settings, by name of tube */
    enum durability durability; /* of tubes without their own */
    int64_t interval_ns;        /* likewise */
    struct queue_core all; /* has no items: counts unfinished jobs and has the joiners of all */
    struct job_counts counts;
    struct submitters submitters;
    struct token_store token_store;
    uint64_t last_id;
    uint64_t last_result; /* the number of the last record */
    int64_t last_burial;
    uint64_t pauses_kept;    /* tubes with pause_kept */
    struct strmap groups;    /* of struct job_group, by submitter and name */
    struct list idle_groups; /* those without jobs and joiners, since when they are */
    struct list group_list;  /* all, in order of making */
    uint64_t last_group;     /* number of the last GROUP entry */
    struct strmap keys;      /* of struct job_key, see key.c */
    uint64_t timed;          /* jobs that are delayed by the wall clock */
    int64_t clocks_apart;    /* wall minus monotonic time, as timed jobs are placed by */
};

/* ledger.c */
/* ENOMEM, EAGAIN. */
int ledger_init(struct ledger *ledger, const struct ledger_hooks *hooks);
/* After ledger_empty, without the lock. No tube is left, and nobody reads their names. */
void ledger_fini(struct ledger *ledger);
/* Frees the jobs, and the pauses that keep their tubes. */
void ledger_empty(struct ledger *ledger) HELD;

/* lock.c */
void ledger_lock(struct ledger *ledger) TAKES_LOCK;
void ledger_unlock(struct ledger *ledger) GIVES_LOCK;

/* check.c */
/* Whether every count and every container agrees with the jobs; walks everything. */
bool ledger_valid(const struct ledger *ledger) HELD;
bool ledger_is_large(const struct ledger *ledger) HELD; /* too large for that after each change */

#endif
