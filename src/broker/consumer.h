// SPDX-License-Identifier: MIT
/*
 * Consumers: who takes jobs inside of the daemon. Part of broker.h.
 */
#ifndef BROKER_CONSUMER_H
#define BROKER_CONSUMER_H

#include "broker/lease.h"
#include "thr/thr.h"

struct broker;
struct broker_consumer;

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

#endif
