// SPDX-License-Identifier: MIT
/* Commands that were sent, and what their answers, or none, mean for the oracle. */
#ifndef DEEDS_H
#define DEEDS_H

#include "oracle.h"

enum deed {
    DEED_NONE = 0, /* no durable effect */
    DEED_PUT,
    DEED_RESERVE,
    DEED_RESERVE_TOKEN,
    DEED_RESERVE_BATCH, /* RESERVED_BATCH; then it is DEED_RESERVE, `bound` times */
    DEED_RESERVE_JOB,
    DEED_RESERVE_JOB_TOKEN,
    DEED_DELETE,
    DEED_RELEASE,
    DEED_BURY,
    DEED_KICK,
    DEED_KICK_JOB,
    DEED_PAUSE,
    DEED_MOVE,
    DEED_CLEAR,
    DEED_STALE /* with a token that is spent */
};

/* A command that was sent. */
struct op {
    enum deed deed;
    struct job *job; /* whose claim it has; NULL: not about one */
    int tube;        /* PUT, MOVE: where it will be; KICK, PAUSE, CLEAR */
    uint32_t pri, delay, bound;
    uint32_t reserves; /* of the job, that were known when it was sent */
    uint64_t token;    /* of the lease that it ends; 0: none */
    int64_t sent_wall_ns;
};

enum deed_result { DEED_DONE, DEED_REFUSED, DEED_DOUBTFUL };

/* Whether it asks for jobs; of a given one or of any. */
bool deed_reserves(enum deed deed);
/* The answer, a whole line or more. Gives the claim back. */
enum deed_result deed_answered(struct oracle *oracle, const struct op *op, const char *reply);
/* There will be no answer: it may have happened. Commands of one connection in their order. */
void deed_doubt(struct oracle *oracle, const struct op *op);

#endif
