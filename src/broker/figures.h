// SPDX-License-Identifier: MIT
/*
 * Statistics: copies of what is counted, and what keeps a job from running. Part of broker.h.
 */
#ifndef BROKER_FIGURES_H
#define BROKER_FIGURES_H

#include "broker/ending.h"
#include "job/job.h"
#include "trust/trust.h"

struct broker;

struct broker_stats {
    uint64_t count[JOB_STATE_COUNT]; /* of jobs by state; NEW, FINISHED: nothing */
    uint64_t urgent;                 /* ready with a priority below 1024 */
    uint64_t unfinished;
    uint64_t bytes;             /* of the bodies */
    uint64_t waiting;           /* consumers and clients that wait for a job (all: counted once) */
    uint64_t waiting_consumers; /* of these, the consumers */
    uint64_t putting;           /* puts that wait for room */
    uint64_t using, watching;
    uint64_t deletes;  /* successful delete calls, of buried jobs, too */
    uint64_t timeouts; /* leases that ended because their TTR was over */
    uint64_t retries;  /* attempts that ended in trouble and were followed by another */
    uint64_t pauses;   /* calls of broker_pause */
    int64_t pause_ns, pause_left_ns; /* a tube: 0 while not paused */
    uint64_t producers, workers;     /* all: clients */
    struct broker_totals totals;
    uint64_t tubes;      /* all: how many there are */
    uint64_t unrecorded; /* all: finished jobs without a record for want of memory */
};

void broker_stats(struct broker *broker, struct broker_stats *stats);
/*
 * Whether the memory of jobs fell by half and by BROKER_FELL_MIN bytes at least since this was true
 * the last time: worth giving the allocator's free pages back to the system.
 */
#define BROKER_FELL_MIN ((uint64_t)32 << 20)
bool broker_memory_fell(struct broker *broker);
/* ENOENT: no such tube. */
int broker_tube_stats(struct broker *broker, const char *name, size_t len,
                      struct broker_stats *stats);

/* What keeps a job from running. */
struct broker_why {
    struct job_view job;
    struct broker_stats tube; /* its tube's */
    uint64_t ahead;           /* READY: jobs of its tube that go first */
    bool ahead_is_exact;      /* false: at least so many, and one at least */
    size_t examined;          /* jobs looked at for that */
};
/* At most, and about as many again; a hundred microseconds under the lock. */
#define BROKER_WHY_EXAMINED_MAX 512
/* ENOENT: no such job (any more), or the asker may not see it. */
int broker_why(struct broker *broker, const struct trust_view *asker, uint64_t id,
               struct broker_why *why);

#endif
