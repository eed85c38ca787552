// SPDX-License-Identifier: MIT
/*
 * Random producers and consumers: several connections, each with several commands unanswered.
 */
#ifndef ACTORS_H
#define ACTORS_H

#include "deeds.h"

#include <wire.h>

#define DEPTH_MAX 16
#define OPS_MAX (DEPTH_MAX + 16) /* with those that come in company */
#define HELD_MAX 16
#define SPENT_MAX 8
#define CLAIMS_MAX 4 /* unanswered commands about one job: what it may be doubles with each */
/* Jobs that wait for so many seconds are left alone: they keep their tubes. */
#define STONE_DELAY 100000

struct actor {
    int index;
    struct wire wire; /* fd -1: it has ended */
    struct buf out;   /* made, not sent */
    struct op ops[OPS_MAX];
    unsigned op_count;
    unsigned depth;
    struct ticket held[HELD_MAX]; /* what it has reserved; token 0: without */
    unsigned held_count;
    struct ticket spent[SPENT_MAX]; /* tokens whose lease it has ended, the last ones */
    unsigned spent_count;
};

struct actors {
    struct oracle *oracle;
    struct actor actor[ACTORS];
    uint64_t answers;  /* of commands that matter */
    uint64_t doubtful; /* INTERNAL_ERROR among them */
    uint64_t refused;
    uint64_t live, live_max; /* with more jobs than that they delete more */
};

/* Connects them. false: the daemon has gone; actors_stop all the same. */
bool actors_start(struct actors *actors, struct oracle *oracle, const char *socket);
/*
 * Lets them act until the moment (monotonic), so many answers in all, or the end of a connection.
 * false: the last of these.
 */
bool actors_run(struct actors *actors, int64_t until_ns, uint64_t answers);
/* The daemon is dead: reads what it still said; what is unanswered then may have happened. */
void actors_stop(struct actors *actors);

/* A connection to a Unix socket; -1: nobody is there. */
int line_open(const char *path);
/* Sends all of it; false: the other side has gone. */
bool line_say(int fd, const char *bytes, size_t len);

/* ---- their commands (commands.c) ---- */

/* Makes one more command, or a few that belong together. */
void command_make(struct actors *actors, struct actor *actor);
/* The first commands of a connection. */
void command_begin(struct actors *actors, struct actor *actor);
/* A put of a new job in that tube, appended to `out`; its op in *op. */
void command_put(struct oracle *oracle, struct buf *out, struct op *op, int tube, uint32_t delay);

#endif
