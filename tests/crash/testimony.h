// SPDX-License-Identifier: MIT
/* What a daemon says of a job in answer to stats-job, and whether it fits what must be. */
#ifndef TESTIMONY_H
#define TESTIMONY_H

#include "oracle.h"

/* The daemon tells whole seconds. */
#define ROUNDING_NS (HL_SECOND + HL_SECOND / 2)

struct testimony {
    char state[16], tube[64];
    uint64_t pri, ttr, reserves, timeouts, releases, buries, kicks;
    int64_t left_s;
    bool leased;            /* under a token of an earlier life; the state is "ready" then */
    int64_t from_ns, to_ns; /* when it was said, wall clock */
};

/* The text behind "KEY: " on its line; "" if there is none. */
void stats_text(const struct buf *stats, const char *key, char *to, size_t size);
uint64_t stats_number(const struct buf *stats, const char *key);

/* from_ns: when it was asked for; it is said now. */
void testimony_read(struct testimony *said, const struct buf *stats, int64_t from_ns);
bool testimony_fits(const struct oracle *oracle, const struct testimony *said,
                    const struct fate *fate);
/* Both in words, appended. */
void testimony_say(const struct testimony *said, struct buf *out);
void fate_say(const struct oracle *oracle, const struct fate *fate, int64_t now_ns,
              struct buf *out);

#endif
