// SPDX-License-Identifier: MIT
/* Commands that were sent, and what their answers, or none, mean for the oracle. */
#ifndef DEEDS_H
#define DEEDS_H

#include "oracle.h"

enum deed {
    DEED_NONE = 0, /* no durable effect */
    DEED_PUT,
    DEED_RESERVE,
    DEED_RESERVE_JOB,
    DEED_DELETE,
    DEED_RELEASE,
    DEED_BURY,
    DEED_KICK,
    DEED_KICK_JOB,
    DEED_PAUSE
};

/* A command that was sent. */
struct op {
    enum deed deed;
    struct job *job; /* whose claim it has; NULL: not about one */
    int tube;        /* KICK, PAUSE */
    uint32_t pri, delay, bound;
    int64_t sent_wall_ns;
};

enum deed_result { DEED_DONE, DEED_REFUSED, DEED_DOUBTFUL };

/* The answer, a whole line or more. Gives the claim back. */
enum deed_result deed_answered(struct oracle *oracle, const struct op *op, const char *reply);
/* There will be no answer: it may have happened. Commands of one connection in their order. */
void deed_doubt(struct oracle *oracle, const struct op *op);

#endif
