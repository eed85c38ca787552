// SPDX-License-Identifier: MIT
/*
 * Consumers, for the broker's own files: who takes jobs inside of the daemon.
 */
#ifndef BROKER_CONSUMER_PRIV_H
#define BROKER_CONSUMER_PRIV_H

#include "broker/state_priv.h"

#define BROKER_CONSUMER_MAGIC 0xb40ce451u
#define BROKER_SHARES_MAGIC 0xb40ce45au

struct broker_shares {
    unsigned magic;
    uint64_t now; /* see queue_core_take_shared */
    size_t count;
    struct queue_share share[];
};

/* The waits of consumers and clients differ in how they fire. */
struct consumer_wait {
    struct queue_wait wait;
    struct broker_consumer *consumer;
};

struct broker_consumer {
    unsigned magic;
    struct broker *broker;
    char name[HL_THREAD_NAME_MAX];
    bool stopped, paused, waiting;
    bool harmless;
    struct queue_core control;                 /* gets one item to wake a waiting broker_take */
    struct broker_shares *shares;              /* NULL: tubes have no weights */
    struct job_extra *spare;                   /* for the lease of the next match */
    const struct broker_consumer_hooks *hooks; /* never NULL; without ring it never stands */
    void *hooks_arg;
    size_t leases; /* in force; counted where there is a hook `cancel` */
    struct consumer_wait stand;
    bool standing, fired;        /* `stand` is in use; it has fired */
    struct list_node prefetcher; /* broker->prefetchers */
    struct list_node node;       /* broker->consumers */
    size_t tube_count;
    struct tube **tubes;
    struct queue_core **cores; /* of the tubes, and last the control core */
    struct queue_link *links;  /* as many as cores */
};

/* consumer.c: the job is in no container; it gets the consumer's spare side record if it has none.
 */
void consumer_begin(struct broker_consumer *consumer, struct job *job) HELD;

/* prefetch.c */
void consumer_count_lease(struct broker_consumer *consumer,
                          bool more) HELD;         /* one more, or one less */
void prefetchers_ring(struct broker *broker) HELD; /* somebody without a job lined up */
bool consumer_is_about_to_be_rung(const struct broker_consumer *consumer) HELD;
struct job *consumer_stand_collect(
    struct broker_consumer *consumer) HELD; /* what it was given; NULL: nothing */

#endif
