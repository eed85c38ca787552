// SPDX-License-Identifier: MIT
/*
 * Clients, for the broker's own files: connections, their leases, and their waits.
 */
#ifndef BROKER_CLIENT_PRIV_H
#define BROKER_CLIENT_PRIV_H

#include "broker/timer_priv.h"

#define BROKER_CLIENT_MAGIC 0xb40ce401u
#define CLIENT_EXTRA_MAGIC 0xb40ce4a4u

/* What a client has that reserves, or did. */
struct client_extra {
    unsigned magic;
    bool with_token; /* what it waits for */
    struct broker_client *client;
    struct broker_timer timer; /* the earliest of what it has to be told of */
    struct heap leases;        /* the jobs it holds, by the end of their TTR */
    uint32_t link_cap;
    struct queue_link *links; /* as many as are watched, made by the first wait */
    struct queue_link first_link;
    struct broker_reserver *reserver;   /* NULL: it doesn't wait */
    int64_t timeout_ns;                 /* when the wait is over */
    int64_t stands_until_ns;            /* its patience with a busy journal; 0: it didn't stand */
    uint64_t matched_id, matched_token; /* a job that finish has not handed out yet */
    struct job_extra *spare;            /* for the lease of the next match */
};

/* client.c */
void client_start(struct broker_client *client, struct broker *broker) HELD;
/* Makes client->extra if there is none. ENOMEM. */
int client_extra_need(struct broker_client *client) HELD;
void client_timer_update(struct broker_client *client) HELD;
/* It has no leases. */
void client_stop(struct broker_client *client) HELD;

/* Whose heap a lease of that client goes to. */
static inline struct broker_client *client_of_leases(struct broker_client *client, bool with_token)
{
    return with_token ? &client->broker->tokens : client;
}
/* It watches that one no more. */
void client_unwatch(struct broker_client *client, uint32_t index) HELD;

/* reserve.c */
/* The `cancel` of a client that waits, which is how its wait is told from a consumer's. */
bool reserver_cancel(struct later *later);
/* The job is handed to the client that waited. */
void reserver_given(struct queue_wait *wait, struct job *job) HELD;
/* A wait that is over is out of the counts of waiting ones. */
void reserver_unlined(struct broker_client *client) HELD;
bool reserver_lined(const struct broker_client *client);

#endif
