// SPDX-License-Identifier: MIT
/*
 * What the tests of events share: a broker with a journal, one listener, and what it was told last.
 * Functions fail the test when something goes wrong.
 */
#ifndef EVENTS_KIT_H
#define EVENTS_KIT_H

#include "blocking.h"
#include "broker/events_priv.h"
#include "durable.h"

#define EVENTS_GOT 64

struct events_kit {
    struct durable durable; // level COMMIT
    struct engine_records records;
    struct broker_listener listener;
    struct broker_event got[EVENTS_GOT];
    bool gap;
};
extern struct events_kit heard;

void events_setup(void);
void events_teardown(void);
// What the commit of all that was added says.
int events_commit(void);
// All that was added is durable, also what nobody waits for.
void events_flush(void);
// As broker_listen; without an asker it is the daemon itself.
int events_listen(struct broker_listener *listener, struct broker_listen what);
void events_listen_all(void);
// Into heard.got and heard.gap; how many. hear: after a flush, of heard.listener.
size_t events_hear_of(struct broker_listener *listener);
size_t events_hear(void);
// Hears one event, of a job (0: none) in the tube "t", and no gap.
const struct broker_event *events_told(enum broker_event_type type, uint64_t id,
                                       enum job_state from, enum job_state to);
// Puts into the tube "t".
uint64_t events_put(int64_t delay_ns);

#endif
