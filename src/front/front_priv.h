// SPDX-License-Identifier: MIT
/*
 * The inside of front: what all sessions have together; front.c.
 */
#ifndef FRONT_PRIV_H
#define FRONT_PRIV_H

#include "base/counter.h"
#include "base/magic.h"
#include "front/command_priv.h"

struct peers;

#define FRONT_MAGIC 0xf2077004u

/* What a loop counts: each command by its id, and connections. */
enum { FRONT_OPENED = COMMAND_COUNT, FRONT_CLOSED, FRONT_COUNTERS };

#define FRONT_ID_SIZE 17 /* 16 hexadecimal digits */

struct front {
    unsigned magic;
    struct front_settings settings;
    struct broker *broker;
    struct api *api;
    size_t body_max;
    const struct broker_options *options; /* the broker's */
    int64_t started_ns;                   /* clock_now_ns */
    char id[FRONT_ID_SIZE];               /* names this run of the daemon, in stats */
    /* [loop * FRONT_COUNTERS + what]; each written by its loop only */
    struct counter *counts;
    struct peers *peers; /* NULL: no settings.trust */
};

/* One more of it, counted in the row of the session's loop. */
void front_count(struct session *session, size_t what);
/* Of all loops. */
uint64_t front_counted(const struct front *front, size_t what);

#endif
