// SPDX-License-Identifier: MIT
/*
 * Changes: what happens to a job or a tube, as one value.
 *
 * A verb decides: it refuses, reads clocks, asks who is there, and makes a change on the stack. The
 * change is recorded (by the store, as an entry of entry.c), then carried out (apply.c), and the
 * job goes into the container of its new state. Replay makes the same changes out of entries
 * (resolve.c) and carries them out by the same functions; so what a restart brings back is what was
 * there.
 *
 * How a job is out is part of that (enum job_out): each change of a job says it anew, and what
 * ends a lease clears it. Whose connection has it, and its TTR there, are not: to the journal a
 * job that a connection holds is ready.
 *
 * Carrying out can't fail: room is made before (change_room). It knows no clock, no journal and
 * nobody who asks. What isn't recorded isn't carried out, either: where there is no room for the
 * entry of a lease or of its end by time, that isn't counted.
 */
#ifndef LEDGER_CHANGE_H
#define LEDGER_CHANGE_H

#include "ledger/group.h"
#include "ledger/key.h"
#include "ledger/tube.h"

enum change_flags {
    CHANGE_RESET = 1 << 0,    /* KICK: what rules limit begins anew */
    CHANGE_SOFT = 1 << 1,     /* nobody waits until it is recorded */
    CHANGE_LOGGED = 1 << 2,   /* the job, or the pause, is in the journal: it is recorded */
    CHANGE_BY_WALL = 1 << 3,  /* PUT: delayed until its time of the wall clock (wallclock.c) */
    CHANGE_LEFT_OUT = 1 << 4, /* LEASE: there is no room to record it, so it isn't counted */
    CHANGE_KEYED = 1 << 5,    /* to RESERVED: it is the token's key that is known */
};

struct change {
    uint8_t type;     /* enum job_entry_type: what it is on disk */
    uint8_t from, to; /* enum job_state: before and afterwards */
    uint8_t flags;
    uint8_t out;     /* to RESERVED: enum job_out */
    char count;      /* enum job_fate_count: what it is to the job's group */
    uint8_t kind;    /* RETRY, BURY, DELETE: enum job_outcome_kind, for who watches */
    uint32_t pri;    /* RELEASE, BURY */
    struct job *job; /* PAUSE: NULL */
    /* PAUSE: that tube. MOVE: the new one, with a reference that becomes the job's; afterwards the
     * old one, with that of the job. */
    struct tube *tube;
    /* To DELAYED, RESERVED: until when; PAUSE: its end; BURIED: its order. */
    int64_t key_ns;
    uint64_t token;                /* to RESERVED: of the lease */
    int64_t delay_ns;              /* as asked for: RELEASE, RETRY, PAUSE */
    const struct job_tries *tries; /* RETRY, TIMEOUT, BURY: as they are afterwards */
    struct job_attempts **past; /* RETRY, BURY: the attempt that is over, taken over; NULL: none */
    char **reason;              /* BURY: taken over; NULL: none */
};

/* room.c: room in every container and table that it will need. ENOMEM: nothing changed. */
int change_room(const struct change *change) HELD;
/* The same for a PUT; its key and its id are entered at once. Its group is there. */
int put_room(const struct change *change) HELD;
/* Likewise among the leases under a token, which in life is made for who reserves. */
int out_room(const struct change *change) HELD;

#endif
