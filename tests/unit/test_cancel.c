// SPDX-License-Identifier: MIT
// Cancel, in every state of a job; and that no kill brings one back.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

static struct durable durable;
static struct broker_consumer *consumer;
static struct engine_records records;

static void consumer_open(void)
{
    consumer = engine_consumer(durable.broker, "t");
}

static void setup(void)
{
    durable_begin(&durable, &records);
    consumer_open();
}

static void teardown(void)
{
    broker_consumer_free(&consumer);
    durable_end(&durable, &records);
}

static void kill_and_start(void)
{
    durable_commit(&durable);
    broker_consumer_free(&consumer);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    consumer_open();
}

static uint64_t put(void)
{
    return engine_put(durable.broker, "t", 5, 0, "x");
}

static struct job_view view(uint64_t id)
{
    return engine_view(durable.broker, id);
}

static struct engine_conn conn;

static void conn_open(void)
{
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
}

static struct ticket cancelled;

static int cancel(uint64_t id)
{
    const struct broker_change change = {.action = BROKER_DO_CANCEL, .reason = "by a test"};
    enum job_state state = JOB_NEW;
    int rc = broker_apply_job(durable.broker, &trust_all, id, &change, &state, &cancelled);
    ck_assert_int_eq(state, rc == EBUSY ? JOB_BURIED : JOB_NEW);
    return rc;
}

static bool gone(uint64_t id)
{
    struct job_view seen;
    return broker_peek(durable.broker, &trust_all, id, &seen, NULL) == ENOENT;
}

START_TEST(what_waits_is_cancelled)
{
    uint64_t ready = put(), delayed = engine_put(durable.broker, "t", 1, HL_SECOND, "later");
    ck_assert_int_eq(cancel(ready), 0);
    ck_assert_int_eq(cancel(delayed), 0);
    ck_assert(gone(ready) && gone(delayed));
    ck_assert_int_eq(cancel(ready), ENOENT);
    ck_assert_uint_eq(records.count, 2);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_CANCELLED);
    ck_assert_str_eq(records.record[0]->reason, "by a test");
    ck_assert_uint_eq(engine_stats(durable.broker).totals.cancelled, 2);
    ck_assert_uint_eq(engine_tube_stats(durable.broker, "t").unfinished, 0);
    kill_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 0);
}
END_TEST

START_TEST(a_buried_job_is_not_cancelled)
{
    uint64_t id = put();
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_FAILED), 0);
    ck_assert_int_eq(cancel(id), EBUSY);
    ck_assert_int_eq(view(id).state, JOB_BURIED);
}
END_TEST

START_TEST(a_remote_lease_ends_with_the_job)
{
    conn_open();
    uint64_t plain = put(), token, id = put();
    ck_assert_uint_eq(engine_reserve(&conn), plain);
    ck_assert_uint_eq(engine_reserve_token(&conn, &token), id);
    ck_assert_int_eq(cancel(plain), 0);
    ck_assert_int_eq(cancel(id), 0);
    ck_assert_int_eq(broker_touch(&conn.client, &trust_all, plain, 0), ENOENT);
    ck_assert_int_eq(broker_touch(&conn.client, &trust_all, id, token), ESTALE);
    ck_assert_uint_eq(engine_stats(durable.broker).count[JOB_RESERVED], 0);
    (void)engine_conn_fini(&conn);
    kill_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 0);
}
END_TEST

static struct {
    uint64_t id, token;
    unsigned calls;
} told;

static void tell(uint64_t id, uint64_t token, void *arg)
{
    ck_assert_ptr_eq(arg, &told);
    told.id = id;
    told.token = token;
    told.calls++;
}

static const struct broker_consumer_hooks telling = {.cancel = tell};

// Its worker is told; the job is finished for the journal at once, and for the others when it ends.
START_TEST(a_local_job_is_cancelled)
{
    static const enum job_outcome_kind ends[] = {JOB_OUTCOME_RETURNED, JOB_OUTCOME_FAILED,
                                                 JOB_OUTCOME_RETRY, JOB_OUTCOME_DONE};
    enum job_outcome_kind end = ends[_i];
    memset(&told, 0, sizeof(told));
    broker_consumer_set_hooks(consumer, &telling, &told);
    struct broker_lease lease;
    uint64_t id = put();
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert(!broker_is_cancelled(durable.broker, id, lease.token));
    ck_assert_int_eq(cancel(id), 0);
    ck_assert_int_eq(cancel(id), 0);
    ck_assert(broker_is_cancelled(durable.broker, id, lease.token));
    ck_assert_uint_eq(told.calls, 1);
    ck_assert_uint_eq(told.id, id);
    ck_assert_uint_eq(told.token, lease.token);
    ck_assert_int_eq(view(id).state, JOB_RESERVED);
    ck_assert_uint_eq(engine_stats(durable.broker).unfinished, 1);
    (void)durable_compact(&durable);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, end), 0);
    ck_assert(gone(id));
    ck_assert_uint_eq(records.count, 1);
    ck_assert_int_eq(records.record[0]->kind,
                     end == JOB_OUTCOME_DONE ? JOB_OUTCOME_DONE : JOB_OUTCOME_CANCELLED);
    ck_assert_uint_eq(engine_stats(durable.broker).totals.cancelled, end != JOB_OUTCOME_DONE);
    kill_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 0);
}
END_TEST

START_TEST(a_kill_after_a_cancel_does_not_bring_it_back)
{
    broker_consumer_set_hooks(consumer, &telling, &told);
    struct broker_lease lease;
    uint64_t id = put();
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    cancelled = (struct ticket){0};
    ck_assert_int_eq(cancel(id), 0);
    ck_assert(!ticket_is_none(&cancelled));
    ck_assert_int_eq(broker_ticket_wait(durable.broker, &cancelled, HL_FOREVER), 0);
    // to free the consumer; it changes nothing in the journal, which has the end already
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_RETURNED), 0);
    broker_consumer_free(&consumer);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    consumer_open();
    ck_assert_uint_eq(durable.recovered.jobs, 0);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("cancel");
    TCase *cancels = tcase_create("cancel");
    tcase_add_checked_fixture(cancels, setup, teardown);
    tcase_add_test(cancels, what_waits_is_cancelled);
    tcase_add_test(cancels, a_buried_job_is_not_cancelled);
    tcase_add_test(cancels, a_remote_lease_ends_with_the_job);
    tcase_add_loop_test(cancels, a_local_job_is_cancelled, 0, 4);
    tcase_add_test(cancels, a_kill_after_a_cancel_does_not_bring_it_back);
    suite_add_tcase(suite, cancels);
    return unit_main(suite);
}
