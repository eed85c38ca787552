// SPDX-License-Identifier: MIT
/*
 * Everything a client speaks to, in this process: broker, history, api, front and network, wired as
 * the daemon wires them, on a Unix socket and a TCP port of their own. There are no pools; a test
 * takes and settles jobs itself.
 */
#ifndef SERVED_H
#define SERVED_H

#include "api/api.h"
#include "broker/broker.h"
#include "front/front.h"
#include "net/net.h"
#include "peer.h"

struct served {
    struct broker *broker;
    struct history *history;
    struct api *api;
    struct front *front;
    struct net *net;
    char path[PEER_PATH_MAX];
};

extern struct served served;

struct served_options {
    unsigned loops;            /* 0: 1 */
    size_t body_max;           /* 0: the default */
    uint64_t jobs_max;         /* 0: no limit */
    uint64_t tube_jobs_max;    /* 0: no limit */
    uint64_t held_max;         /* 0: no limit */
    bool put_waits;            /* at a limit */
    bool forgets;              /* history keeps nothing */
    bool without_net;          /* only what the api needs */
    const struct trust *trust; /* the broker's; NULL: none */
    /* With a journal: how; its `published` and `arg` are served's. */
    const struct store_options *log;
    enum durability level;
};

void served_up(const struct served_options *options);
void served_down(void);

/* The usual fixtures. Virtual time, from 1000 s on: */
void served_setup_with(const struct served_options *options);
void served_setup(void); /* and one loop */
void served_teardown(void);
/* Three loops, and real time; served_down. */
void served_setup_three(void);

/* ---- a client's side ---- */

/* A new connection to the Unix socket. */
int served_connect(void);
/* Says that, and expects exactly that answer. */
void served_ask(int fd, const char *say, const char *expect);

struct served_exchange {
    const char *say, *expect;
};
/* The exchanges in order on a connection of their own; the bytes one by one if wanted. */
void served_exchange_all(const struct served_exchange *exchanges, size_t count, bool in_bytes);

/* ---- the server's side ---- */

/* Time (the virtual clock) passes, and what is due happens. */
void served_later(int64_t ns);
struct broker_stats served_stats(void);
/* Until that member of the broker's statistics (a uint64_t) has that value. */
#define served_until(member, value)                                                                \
    served_until_stat(offsetof(struct broker_stats, member), (value))
void served_until_stat(size_t offset, uint64_t value);

/* Takes a ready job of the tube and settles it: DONE, FAILED ("because"), DELETED. Its id. */
uint64_t served_work(const char *tube, enum job_outcome_kind kind);
/* Until as many connections are open. */
void served_until_connections(uint64_t count);

#endif
