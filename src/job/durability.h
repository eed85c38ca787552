// SPDX-License-Identifier: MIT
/*
 * What is promised of a change when its caller is told of it, and how far that is.
 *
 * A tube has a durability. Each change of a job in a tube that has one gets a ticket: its place in
 * the order of all changes. Whoever is told of a change must not tell on before its ticket is
 * reached.
 *
 * Values; nothing here locks.
 */
#ifndef JOB_DURABILITY_H
#define JOB_DURABILITY_H

#include <stdbool.h>
#include <stdint.h>

enum durability {
    DURABILITY_COMMIT = 0, /* it survives power loss */
    DURABILITY_INTERVAL, /* it survives the daemon's death; power loss after the interval at most */
    DURABILITY_MEMORY    /* nothing is recorded */
};

/* What has to be reached: numbers of written and of durable changes; 0: nothing. */
struct ticket {
    uint64_t written, durable;
};

static inline bool ticket_is_none(const struct ticket *ticket)
{
    return (ticket->written | ticket->durable) == 0;
}

/* Of both. */
static inline void ticket_add(struct ticket *ticket, const struct ticket *more)
{
    if (more->written > ticket->written)
        ticket->written = more->written;
    if (more->durable > ticket->durable)
        ticket->durable = more->durable;
}

/* Whether all of it is, where that is reached. */
static inline bool ticket_is_reached(const struct ticket *ticket, const struct ticket *reached)
{
    return reached->written >= ticket->written && reached->durable >= ticket->durable;
}

struct store;

/*
 * Where the body of a job is that is in the journal only. It stays readable until it is read or
 * dropped (broker_fetch, broker_place_drop).
 */
struct job_place {
    struct store *store; /* NULL: none */
    uint64_t id;
    uint64_t locator; /* pinned; 0: it couldn't be, reading answers EBADMSG */
};

#endif
