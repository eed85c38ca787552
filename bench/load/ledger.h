// SPDX-License-Identifier: MIT
/*
 * What became of every job of the run. Each step of a job's life is entered here when its answer
 * comes, and a step that can't be (reserved twice, another id than at the put, deleted and back)
 * ends the run.
 *
 * A job is known by its serial number, which stands in its body; serial numbers are 0, 1, 2, ... .
 */
#ifndef LOAD_LEDGER_H
#define LOAD_LEDGER_H

#include <stdint.h>

struct ledger;

struct entry {
    uint64_t id;      /* the server's; 0: not told yet */
    int64_t at_ns;    /* when its put was sent; a mix may enter something later */
    int64_t due_ns;   /* not before this may it be reserved; 0: any time */
    uint32_t pri;     /* as put */
    uint16_t owner;   /* the link that put it */
    uint8_t steps;    /* the ledger's */
    uint8_t reserves; /* how often it was reserved; 255: that often or more */
};

struct ledger_counts {
    uint64_t put, inserted, reserved, released, deleted;
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger **ledger);

/* A new job, its put just sent. Returns its serial number; the entry is the caller's to fill. */
uint64_t ledger_put(struct ledger *ledger, struct entry **entry);

/* The entry of a serial number; ends the run if there is no such job. */
struct entry *ledger_entry(struct ledger *ledger, uint64_t serial);

/* INSERTED id. */
void ledger_inserted(struct ledger *ledger, uint64_t serial, uint64_t id);
/* RESERVED id, and the body was that of `serial`; `now_ns` against its delay. */
struct entry *ledger_reserved(struct ledger *ledger, uint64_t serial, uint64_t id, int64_t now_ns);
/* It went back: RELEASED, its lease ran out, or its client hung up. */
void ledger_released(struct ledger *ledger, uint64_t serial);
/* DELETED. */
void ledger_deleted(struct ledger *ledger, uint64_t serial);

const struct ledger_counts *ledger_counts(const struct ledger *ledger);

/* How many were put and not deleted. */
uint64_t ledger_left(const struct ledger *ledger);

/* At the end: every job was inserted, reserved and deleted, or the run ends with the first that
 * was not. */
void ledger_all_deleted(const struct ledger *ledger);

#endif
