// SPDX-License-Identifier: MIT
// Brokers with a journal, for tests; see durable.h.

#include "durable.h"
#include "blocking.h"

#include "base/clock.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void damage_noted(const char *text, void *arg)
{
    struct durable *durable = arg;
    ck_assert_str_ne(text, "");
    durable->damages++;
}

static void failure_noted(int error, void *arg)
{
    struct durable *durable = arg;
    atomic_store(&durable->failed, error);
}

void durable_init(struct durable *durable)
{
    disk_log_drop();
    *durable = (struct durable){.settings = {.directory = "disk",
                                             .segment_size = JOURNAL_SEGMENT_MIN,
                                             .segment_size_max = JOURNAL_SEGMENT_MIN,
                                             .prepare_inline = true,
                                             .sys = &disk_sys},
                                .log = {.damaged = damage_noted, .failed = failure_noted}};
}

int durable_open(struct durable *durable)
{
    durable->damages = 0;
    (void)blocking_told(); // of the broker before
    atomic_store(&durable->failed, 0);
    durable->log.arg = durable;
    int rc = journal_open(&durable->journal, &durable->settings, &durable->error);
    if (rc != 0)
        return rc;
    rc = broker_new(&durable->broker, &durable->options);
    if (rc == 0)
        rc = journal_acquire(durable->journal, &durable->error);
    durable->log.journal = durable->journal;
    if (rc == 0)
        rc = broker_recover(durable->broker, &durable->log, &durable->recovered, &durable->error);
    if (rc == 0 && !durable->left)
        rc = broker_take_over(durable->broker, durable->charge, &durable->taken);
    if (rc != 0) {
        broker_free(&durable->broker);
        (void)journal_close(&durable->journal);
    }
    return rc;
}

int durable_close(struct durable *durable)
{
    int rc = broker_stop(durable->broker);
    broker_free(&durable->broker);
    int closed = journal_close(&durable->journal);
    return rc != 0 ? rc : closed;
}

void durable_kill(struct durable *durable, struct unit_random *random)
{
    disk_dead(true);
    broker_free(&durable->broker);
    (void)journal_close(&durable->journal);
    if (random != NULL)
        disk_power_loss(random);
    else
        disk_kill();
    disk_dead(false);
}

void durable_again(struct durable *durable)
{
    int rc = durable_open(durable);
    if (rc != 0)
        ck_abort_msg("it doesn't start again: %s (%s)", strerror(rc), durable->error.text);
}

void durable_commit(struct durable *durable)
{
    struct ticket ticket = broker_ticket_wanted(durable->broker);
    ck_assert_int_eq(broker_ticket_wait(durable->broker, &ticket, HL_FOREVER), 0);
}

unsigned durable_compact(struct durable *durable)
{
    unsigned steps = 0;
    int rc;
    while ((rc = broker_compact(durable->broker)) == 0 || rc == EAGAIN)
        ck_assert_uint_lt(++steps, 1000000);
    ck_assert_int_eq(rc, ENOENT);
    return steps;
}

void durable_prepare(struct durable *durable, struct engine_records *records)
{
    disk_start();
    clock_virtual_start(1000 * HL_SECOND);
    durable_init(durable);
    if (records == NULL)
        return;
    engine_records_init(records);
    durable->options.ended = engine_records_add;
    durable->options.records_arg = records;
}

void durable_begin(struct durable *durable, struct engine_records *records)
{
    durable_prepare(durable, records);
    durable_again(durable);
}

void durable_end(struct durable *durable, struct engine_records *records)
{
    if (durable->broker != NULL)
        ck_assert_int_eq(durable_close(durable), 0);
    if (records != NULL)
        engine_records_fini(records);
    clock_virtual_stop();
    disk_stop();
}
