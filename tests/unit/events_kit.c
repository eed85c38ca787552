// SPDX-License-Identifier: MIT
// What the tests of events share; see events_kit.h.

#include "events_kit.h"

#include "base/clock.h"
#include "store/store_priv.h"

#include <string.h>

struct events_kit heard;

void events_setup(void)
{
    durable_begin(&heard.durable, &heard.records);
    heard.listener = (struct broker_listener){.broker = NULL};
}

void events_teardown(void)
{
    broker_unlisten(&heard.listener);
    durable_end(&heard.durable, &heard.records);
}

int events_commit(void)
{
    struct commit *commit = heard.durable.broker->ledger.store->commit;
    commit_want(commit, COMMIT_DURABLE);
    return commit_lead(commit);
}

void events_flush(void)
{
    ck_assert_int_eq(events_commit(), 0);
}

int events_listen(struct broker_listener *listener, struct broker_listen what)
{
    if (what.asker == NULL)
        what.asker = &trust_all;
    return broker_listen(heard.durable.broker, &what, listener);
}

void events_listen_all(void)
{
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.after = 0}), 0);
}

size_t events_hear_of(struct broker_listener *listener)
{
    size_t count;
    ck_assert_int_eq(broker_events_read(listener, heard.got, EVENTS_GOT, &count, &heard.gap), 0);
    return count;
}

size_t events_hear(void)
{
    events_flush();
    return events_hear_of(&heard.listener);
}

const struct broker_event *events_told(enum broker_event_type type, uint64_t id,
                                       enum job_state from, enum job_state to)
{
    size_t count = events_hear();
    const struct broker_event *event = &heard.got[0];
    ck_assert_msg(count == 1, "%zu events, the first is %s", count,
                  count > 0 ? broker_event_word(event->type) : "none");
    ck_assert(!heard.gap);
    ck_assert_str_eq(broker_event_word(event->type), broker_event_word(type));
    ck_assert_uint_eq(event->id, id);
    ck_assert_int_eq(event->from, from);
    ck_assert_int_eq(event->to, to);
    ck_assert_str_eq(event->tube, "t");
    ck_assert_str_eq(event->from_tube, "");
    return event;
}

uint64_t events_put(int64_t delay_ns)
{
    return engine_put(heard.durable.broker, "t", 5, delay_ns, "body");
}
