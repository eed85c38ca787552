// SPDX-License-Identifier: MIT
/*
 * Waiting for the end: of one job (wait), of all that was put into a tube, into any tube, or into a
 * group (join). Part of broker/broker.h.
 */
#ifndef BROKER_ENDING_H
#define BROKER_ENDING_H

#include "broker/durable.h"
#include "job/job.h"
#include "thr/thr.h"
#include "trust/trust.h"

struct broker;
struct tube;
struct job_group;

/* Counts since the tube, or the broker, exists. */
struct broker_totals {
    uint64_t put, done, failed, deleted, cancelled;
    uint64_t kicked;              /* buried ones that became unfinished again */
    uint64_t moved_in, moved_out; /* unfinished ones, between tubes */
};

/* An asynchronous wait. It may fire inside of the call that asks. */
struct broker_waiter {
    struct later later;
    bool so_far;                 /* join: don't wait for what is put from now on; the caller's */
    bool wants_end;              /* wait: `end` is wanted; the caller's */
    struct broker_totals totals; /* join: of the tube (or of all), set before fire */
    struct ticket ticket;        /* must be reached before anybody is told; set before fire */
    /* wait: how the job ended, a reference of the caller's; NULL: it had ended before, or there was
     * no memory; set before fire */
    struct job_end *end;
    /* the broker's */
    struct broker *broker;
    struct tube *tube;
    struct job_group *group;
    struct queue_wait wait; /* its own: of what the whole takes, one after the other */
    struct queue_link link;
    uint64_t next, until; /* so_far: jobs up to there are still to be looked at; 0: it isn't that */
    bool given_up;        /* likewise: a cancel came too late for a cancel */
};

/* Fires when that job is finished (a buried one is). ENOENT: no such job here: it left, ask
 * history, or never was, or the asker may not see it. ENOMEM. */
int broker_wait_async(struct broker *broker, const struct trust_view *asker, uint64_t id,
                      struct broker_waiter *waiter);

/*
 * Fires when nothing that was put into the tube (NULL: any tube) is unfinished; at once if nothing
 * was put or nobody knows the tube. EINVAL, ENAMETOOLONG: the name. ENOMEM.
 */
int broker_join_async(struct broker *broker, const char *tube, struct broker_waiter *waiter);

/*
 * The same for the jobs of a group, in whatever tubes they are. A group is its submitter's: NAME is
 * the asker's own; who may monitor says UID:NAME, or nobody:NAME, for those of others. Its totals
 * are those of all jobs that were put into it as long as it is known: done, failed (buried) and
 * deleted ones; what is unfinished counts as put only. After a restart they go on. EINVAL: no name
 * of a group.
 */
#define BROKER_GROUP_NAME_MAX (JOB_TEXT_MAX + 11) /* bytes of such a name */
int broker_join_group_async(struct broker *broker, const struct trust_view *asker,
                            const char *group, struct broker_waiter *waiter);
/* How it is now. ENOENT: nobody knows it (any more). */
int broker_group_stats(struct broker *broker, const struct trust_view *asker, const char *group,
                       uint64_t *unfinished, struct broker_totals *totals);
size_t broker_groups(struct broker *broker);
/* Visits copies of those that were made last, BROKER_GROUPS_TOLD at most, of the asker's own and
 * what he may say otherwise, as he would name them; without the lock. ENOMEM. */
#define BROKER_GROUPS_TOLD 256
int broker_each_group(struct broker *broker, const struct trust_view *asker,
                      void (*visit)(const char *name, uint64_t unfinished,
                                    const struct broker_totals *totals, void *arg),
                      void *arg);
/* Forgets those that have been without jobs and joiners for long enough, a few hundred at most. To
 * be called every second or so. */
void broker_forget_groups(struct broker *broker);

/* A reference on how the job ended that left no record, if it ended less than a minute ago, was put
 * with broker_put_spec.awaited, and isn't one of too many; else NULL. Who may know of it is for the
 * caller to ask. */
struct job_end *broker_last_end(struct broker *broker, uint64_t id);
/* Lets go of those that are older. To be called every second or so. */
void broker_forget_ends(struct broker *broker);

/* The same, blocking. ETIMEDOUT. totals may be NULL. */
int broker_wait(struct broker *broker, const struct trust_view *asker, uint64_t id,
                int64_t timeout_ns);
int broker_join(struct broker *broker, const char *tube, int64_t timeout_ns,
                struct broker_totals *totals);

#endif
