// SPDX-License-Identifier: MIT
/*
 * Clients: connections that reserve. Part of broker.h.
 */
#ifndef BROKER_CLIENT_H
#define BROKER_CLIENT_H

#include "broker/lease.h"
#include "thr/thr.h"

struct broker;
struct client_extra;

/*
 * A client is the broker's view of a connection: which tubes it watches, which jobs it holds,
 * whether it waits for one. Its memory is the connection's. Calls with one client are made by one
 * thread at a time.
 *
 * A plain lease belongs to the client: only that client may release, bury, touch or delete the job,
 * and when it goes (broker_client_fini) the job is ready again at once. A lease taken with a token
 * (BROKER_WITH_TOKEN) belongs to whoever shows the token, on any connection; it stays until it is
 * settled or its TTR is over, also over a restart (the TTR goes on by the wall clock), and so it is
 * recorded: ENOSPC, EIO: the journal has no room for that. Either one ends when its TTR is over:
 * the job is ready again, without delay, and timeouts counts one more.
 *
 * Waiting: broker_reserve answers EINPROGRESS when nothing is ready, and the client then stands in
 * one line with the waiting consumers. When its turn comes (or its time is over) the reserver's
 * later fires, which touches nothing but *reserver; the connection's own thread then asks
 * broker_reserve_finish for the result. The job is reserved from the moment it was matched.
 */

#define BROKER_MARGIN_NS HL_SECOND /* "deadline soon" begins so long before a lease ends */

enum { BROKER_WITH_TOKEN = 1 }; /* flags of the reserving calls */

/* One waiting reserve. broker_client_fini cancels it, too. */
struct broker_reserver {
    struct queue_wait wait; /* its later is the caller's */
    struct broker_client *client;
};

struct broker_client {
    unsigned magic;
    bool producer, worker; /* it did put; it did reserve */
    struct broker *broker;
    uint32_t watch_count, watch_cap;
    struct queue_core **watched; /* the tubes' cores, in order of watching */
    struct queue_core *first_watched;
    struct client_extra *extra; /* its leases and its wait; NULL: it never reserved */
    /* What has to be reached before anybody is told what it has reserved; the caller's to take. */
    struct ticket ticket;
};

/* Watches the tube "default". ENOMEM. */
int broker_client_init(struct broker_client *client, struct broker *broker);
/*
 * The connection is gone: its wait ends, its plain leases go back (lock released every few
 * hundred). true: the reserver, if there was one, is the caller's again. false: its fire has run,
 * runs, or is about to.
 */
bool broker_client_fini(struct broker_client *client);

/* Counts it as a producer from now on (statistics; broker_reserve... counts it as a worker). */
void broker_client_produces(struct broker_client *client);

/* Watching again changes nothing. *count: tubes watched now. EINVAL, ENAMETOOLONG, ENOMEM. ENOBUFS:
 * BROKER_WATCHED_MAX already. */
int broker_watch(struct broker_client *client, const char *name, size_t len, size_t *count);
/* The last tube moves into the place of the one that goes. One that isn't watched is no error.
 * EBUSY: it is the only one. */
int broker_ignore(struct broker_client *client, const char *name, size_t len, size_t *count);
/* Watches nothing from now on; before its first reserve, for who may not take from "default". */
void broker_watch_none(struct broker_client *client);
/* Names of the watched tubes; `index` counts from 0 in order of watching; valid until ignored. */
size_t broker_watch_count(const struct broker_client *client);
const char *broker_watch_name(const struct broker_client *client, size_t index);

/*
 * The best ready job of the watched tubes, reserved. 0: *lease is the caller's. With none ready:
 * ETIME ("deadline soon"): a plain lease of this client has a second or less left.
 * ETIMEDOUT: timeout_ns is 0 or less. EINPROGRESS: it waits (see above); *reserver is in use.
 * ENOMEM. EDQUOT: it holds held_max jobs already. With a token: ENOSPC, EIO.
 */
int broker_reserve(struct broker_client *client, struct broker_reserver *reserver,
                   int64_t timeout_ns, unsigned flags, struct broker_lease *lease);
/*
 * The result of a wait, after fire: 0, ETIMEDOUT, ETIME, or the journal's refusal as above.
 * EINPROGRESS: the lease was over before this was called (and the job went elsewhere), it waits
 * again with the same reserver.
 */
int broker_reserve_finish(struct broker_client *client, struct broker_lease *lease);
bool broker_is_reserving(const struct broker_client *client);

/* Takes up to `max` jobs that are ready now, best first; never waits. *count: how many; 0 also for
 * want of memory. EDQUOT: it holds held_max jobs already. ETIME, ETIMEDOUT: none, as above. With a
 * token also ENOSPC, EIO, and EAGAIN: the journal is busy. */
int broker_reserve_batch(struct broker_client *client, size_t max, unsigned flags,
                         struct broker_lease *leases, size_t *count);

#endif
