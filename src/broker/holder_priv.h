// SPDX-License-Identifier: MIT
/*
 * Holders, for the broker's own files: connections, their leases, and their waits.
 */
#ifndef BROKER_HOLDER_PRIV_H
#define BROKER_HOLDER_PRIV_H

#include "broker/alarm_priv.h"

#define BROKER_HOLDER_MAGIC 0xb40ce401u
#define HOLDER_RARE_MAGIC 0xb40ce4a4u

/* What a holder has that reserves, or did. */
struct holder_rare {
    unsigned magic;
    bool with_token; /* what it waits for */
    struct broker_holder *holder;
    struct broker_alarm alarm; /* the earliest of what it has to be told of */
    struct heap leases;        /* the jobs it holds, by the end of their TTR */
    uint32_t link_cap;
    struct queue_link *links; /* as many as are watched, made by the first wait */
    struct queue_link first_link;
    struct broker_reserver *reserver;   /* NULL: it doesn't wait */
    int64_t timeout_ns;                 /* when the wait is over */
    int64_t stands_until_ns;            /* its patience with a busy journal; 0: it didn't stand */
    uint64_t matched_id, matched_token; /* a job that finish has not handed out yet */
    struct job_rare *spare;             /* for the lease of the next match */
};

/* holder.c */
void holder_start(struct broker_holder *holder, struct broker *broker) HELD;
/* Makes holder->rare if there is none. ENOMEM. */
int holder_rare_need(struct broker_holder *holder) HELD;
void holder_alarm_update(struct broker_holder *holder) HELD;
/* It has no leases. */
void holder_stop(struct broker_holder *holder) HELD;

/* Whose heap a lease of that holder goes to. */
static inline struct broker_holder *holder_of_leases(struct broker_holder *holder, bool with_token)
{
    return with_token ? &holder->broker->tokens : holder;
}
/* It watches that one no more. */
void holder_unwatch(struct broker_holder *holder, uint32_t index) HELD;

/* reserve.c */
/* The `cancel` of a holder that waits, which is how its wait is told from a sink's. */
bool reserver_cancel(struct later *later);
/* The job is handed to the holder that waited. */
void reserver_given(struct queue_wait *wait, struct job *job) HELD;
/* A wait that is over is out of the counts of waiting ones. */
void reserver_unlined(struct broker_holder *holder) HELD;
bool reserver_lined(const struct broker_holder *holder);

#endif
