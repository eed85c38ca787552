// SPDX-License-Identifier: MIT
/*
 * Sinks, for the broker's own files: who takes jobs inside of the daemon.
 */
#ifndef BROKER_SINK_PRIV_H
#define BROKER_SINK_PRIV_H

#include "broker/state_priv.h"

#define BROKER_SINK_MAGIC 0xb40ce451u
#define BROKER_SHARES_MAGIC 0xb40ce45au

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
    struct tube **tubes;
    struct queue_core **cores; /* of the tubes, and last the control core */
    struct queue_link *links;  /* as many as cores */
};

/* sink.c: the job is in no container; it gets the sink's spare side record if it has none. */
void sink_begin(struct broker_sink *sink, struct job *job) HELD;

/* stand.c */
void sink_count_lease(struct broker_sink *sink, bool more) HELD; /* one more, or one less */
void hoards_ring(struct broker *broker) HELD; /* somebody without a job lined up */
bool sink_is_about_to_be_rung(const struct broker_sink *sink) HELD;
struct job *
sink_stand_collect(struct broker_sink *sink) HELD; /* what it was given; NULL: nothing */

#endif
