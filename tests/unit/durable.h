// SPDX-License-Identifier: MIT
/*
 * A broker with a journal on the disk in memory, that can be stopped, killed and started again.
 * Functions without a result fail the test when something goes wrong.
 */
#ifndef DURABLE_H
#define DURABLE_H

#include "engine.h"
#include "journal/journal.h"
#include "journal_disk.h"
#include "store/store.h"

struct durable {
    struct broker_options options;
    struct store_options log;
    struct journal_settings settings;
    struct broker *broker; // NULL: down
    struct journal *journal;
    struct store_recovered recovered;
    const struct broker_charge *charge; // for broker_take_over
    bool left;                          // it isn't called: what local workers had is still theirs
    struct broker_taken taken;
    struct journal_error error;
    unsigned damages;
    _Atomic int failed; // what the hook was told
};

// Small segments, no threads, level COMMIT. The disk is the caller's (disk_start).
void durable_init(struct durable *durable);
// The usual beginning and end of a test: the disk, a virtual clock at 1000 s, a broker whose
// finished jobs go to `records`, unless that is NULL; with whatever is up closed.
void durable_begin(struct durable *durable, struct engine_records *records);
void durable_end(struct durable *durable, struct engine_records *records);
// As durable_begin, for who has more to set before durable_again.
void durable_prepare(struct durable *durable, struct engine_records *records);
// What the step says that fails; the broker is down then.
int durable_open(struct durable *durable);
// As a daemon that is told to end. What broker_stop said.
int durable_close(struct durable *durable);
// The process is killed, or (random not NULL) power fails.
void durable_kill(struct durable *durable, struct unit_random *random);
void durable_again(struct durable *durable);

// All that was done so far is durable.
void durable_commit(struct durable *durable);
// Compacts until nothing is due; the steps that took.
unsigned durable_compact(struct durable *durable);

#endif
