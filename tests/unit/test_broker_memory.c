// SPDX-License-Identifier: MIT
// The broker when memory runs out: one session of every verb, run again and again, in which the
// first, the second, the third ... allocation fails. Each call must then succeed or answer ENOMEM
// and have changed nothing; the broker checks itself after each (expensive assertions are on), goes
// on working when there is memory again, and loses nothing (the sanitizers see that).
//
// The program is linked with --wrap for the allocators, so the broker's own calls come here.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"
#include "journal/journal.h"
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static long countdown; // allocations until the one that fails; 0: none fails
static bool failed;
static _Atomic bool no_leases; // every allocation of a side record fails
static bool counting;          // not while Check allocates for itself

static bool fails(void)
{
    if (!counting || countdown == 0 || --countdown > 0)
        return false;
    failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (no_leases && size == sizeof(struct job_extra))
        return NULL;
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

static struct broker *broker;
static struct journal *journal;
static size_t recorded;

static void count_records(struct list *ends, void *arg)
{
    struct job_end *end;
    (void)arg;
    for (; (end = engine_end_pop(ends)) != NULL; job_end_unref(&end))
        recorded++;
}

static void count_on(void)
{
    counting = true;
}

static int count_off(int rc)
{
    counting = false;
    return rc;
}

// A call in which allocations count; its result.
#define CALL(call) (count_on(), count_off(call))

// Whether it worked; if not, it must be for the allocation that failed.
static bool worked(int rc)
{
    if (rc == 0)
        return true;
    ck_assert_int_eq(rc, ENOMEM);
    ck_assert(failed);
    return false;
}

static void fire_nothing(struct later *later)
{
    (void)later;
}

static void put(int64_t delay_ns)
{
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .delay_ns = delay_ns};
    if (!worked(CALL(broker_use(broker, "t", 1, &spec.tube))))
        return;
    struct job_body *body = NULL;
    uint64_t id;
    if (worked(CALL(job_body_new(&body, 10)))) {
        memset(body->bytes, 'x', 10);
        if (worked(CALL(broker_put(broker, &spec, &body, &id))))
            ck_assert_ptr_null(body);
        else
            ck_assert_uint_eq(body->len, 10); // still ours
        job_body_unref(&body);
    }
    broker_unuse(broker, &spec.tube);
}

// A settle that found no memory has left the lease good: the second try works.
static void take_and_settle(struct broker_consumer *consumer, enum job_outcome_kind kind)
{
    struct broker_lease lease;
    int rc = CALL(broker_take(consumer, &lease, 0));
    if (rc == ETIMEDOUT || !worked(rc))
        return;
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = kind;
    job_outcome_reason(&outcome, "a reason");
    if (!worked(CALL(broker_settle(broker, lease.id, lease.token, &outcome))))
        ck_assert_int_eq(broker_settle(broker, lease.id, lease.token, &outcome), 0);
    ck_assert_int_eq(broker_settle(broker, lease.id, lease.token, &outcome), ESTALE);
    job_outcome_fini(&outcome);
    broker_lease_fini(&lease);
}

// The same for the leases of a connection; most calls may fail once and then work.
static void hold(struct engine_conn *conn)
{
    struct broker_client *client = &conn->client;
    size_t count;
    worked(CALL(broker_watch(client, "t", 1, &count)));
    worked(CALL(broker_watch(client, "u", 1, &count)));
    ck_assert_uint_eq(count, broker_watch_count(client));
    for (int i = 0; i < 4; i++) {
        struct broker_lease lease;
        int rc = CALL(broker_reserve(client, &conn->reserver, 0, i % 2, &lease));
        if (rc == ETIMEDOUT || !worked(rc))
            continue;
        uint64_t id = lease.id, token = i % 2 ? lease.token : 0;
        broker_lease_fini(&lease);
        ck_assert_int_eq(CALL(broker_touch(client, &trust_all, id, token)), 0); // needs no memory
        if (i < 2)
            worked(CALL(broker_release(client, &trust_all, id, token, 1, i == 0 ? HL_SECOND : 0)));
        else if (worked(CALL(broker_bury(client, &trust_all, id, token, 1))))
            worked(CALL(broker_kick_job(broker, &trust_all, id)));
        int moved = CALL(broker_move(broker, &trust_all, id, "u", 1));
        if (moved != ENOENT) // still reserved
            worked(moved);
    }
    struct broker_lease lease;
    int rc = CALL(broker_reserve(client, &conn->reserver, HL_FOREVER, 0, &lease));
    if (rc == 0)
        broker_lease_fini(&lease);
    else if (rc == EINPROGRESS) { // with all it needs: being given a job can't fail
        put(0);
        if (!later_cancel(&conn->reserver.wait.later)) {
            ck_assert_int_eq(CALL(broker_reserve_finish(client, &lease)), 0);
            broker_lease_fini(&lease);
        }
    } else
        worked(rc);
}

static void connection(void)
{
    struct engine_conn conn = {.fired = 0};
    conn.reserver.wait.later.fire = fire_nothing;
    if (!worked(CALL(broker_client_init(&conn.client, broker))))
        return;
    hold(&conn);
    count_on(); // leaving needs no memory, and so loses nothing
    (void)broker_client_fini(&conn.client);
    (void)count_off(0);
}

static void never(struct later *waiter)
{
    (void)waiter;
    ck_abort_msg("a cancelled wait fired");
}

static void wait_and_cancel(uint64_t id)
{
    struct broker_waiter waiter = {.later.fire = never};
    int rc = CALL(broker_wait_async(broker, &trust_all, id, &waiter));
    if (rc != ENOENT && worked(rc))
        ck_assert(later_cancel(&waiter.later));
    struct broker_waiter joiner = {.later.fire = never};
    if (engine_stats(broker).unfinished > 0 &&
        worked(CALL(broker_join_async(broker, NULL, &joiner))))
        ck_assert(later_cancel(&joiner.later));
}

static bool go_on(const char *name, const struct broker_stats *stats, void *arg)
{
    (void)name;
    (void)stats;
    (void)arg;
    return true;
}

static void session(void)
{
    struct broker_consumer *consumer = NULL;
    for (int i = 0; i < 5; i++)
        put(0);
    for (int i = 0; i < 3; i++)
        put(HL_SECOND);
    wait_and_cancel(1);
    const char *tube = "t";
    if (worked(CALL(broker_consumer_new(&consumer, broker, "consumer", &tube, 1)))) {
        take_and_settle(consumer, JOB_OUTCOME_RETURNED);
        take_and_settle(consumer, JOB_OUTCOME_FAILED);
        take_and_settle(consumer, JOB_OUTCOME_DONE);
        broker_consumer_free(&consumer);
    }
    connection();
    clock_virtual_advance(60 * HL_SECOND);
    count_on();
    int64_t next = broker_due(broker);
    (void)count_off(0);
    ck_assert(next == CLOCK_NEVER || failed);
    worked(CALL(broker_each_tube(broker, go_on, NULL)));
    for (uint64_t id = 1; id <= 8; id += 2) {
        int rc = CALL(broker_delete(broker, &trust_all, id));
        ck_assert(rc == 0 || rc == ENOENT);
    }
}

// With a journal, which keeps nothing: its memory fails, too.
static void journal_up(const struct broker_options *options)
{
    const struct journal_settings settings = {.directory = NULL};
    struct journal_error error;
    struct store_recovered recovered;
    int rc;
    do {
        ck_assert_int_eq(journal_open(&journal, &settings, &error), 0);
        ck_assert_int_eq(journal_acquire(journal, &error), 0);
        const struct store_options log = {.journal = journal};
        rc = CALL(broker_recover(broker, &log, &recovered, &error));
        if (!worked(rc)) { // once: the allocation that fails has failed
            broker_free(&broker);
            ck_assert_int_eq(journal_close(&journal), 0);
            ck_assert_int_eq(broker_new(&broker, options), 0);
        }
    } while (rc != 0);
}

// One more than there were: the session in which nothing fails, which ends the series.
START_TEST(each_allocation_fails_once)
{
    long n = 0;
    do {
        clock_virtual_start(1000 * HL_SECOND);
        struct broker_options options = {.ended = count_records};
        recorded = 0;
        failed = false;
        countdown = ++n;
        while (!worked(CALL(broker_new(&broker, &options))))
            ck_assert_ptr_null(broker);
        if (_i == 1)
            journal_up(&options);
        session();
        countdown = 0;
        struct broker_stats stats = engine_stats(broker);
        const struct broker_totals *totals = &stats.totals;
        // a delete leaves a record only if somebody waits
        ck_assert_uint_ge(recorded + stats.unrecorded, totals->done + totals->failed);
        ck_assert_uint_le(recorded + stats.unrecorded,
                          totals->done + totals->failed + totals->deleted);
        ck_assert_uint_eq(totals->put + totals->kicked,
                          stats.unfinished + totals->done + totals->failed + totals->deleted);
        engine_put(broker, "t", 0, 0, "there is memory again");
        if (_i == 1)
            ck_assert_int_eq(broker_stop(broker), 0);
        broker_free(&broker);
        if (_i == 1)
            ck_assert_int_eq(journal_close(&journal), 0);
        clock_virtual_stop();
    } while (failed);
    ck_assert_int_gt(n, 30); // the wrapping works
}
END_TEST

static void take_patiently(void *arg)
{
    struct broker_lease lease;
    ck_assert_int_eq(broker_take(arg, &lease, HL_FOREVER), 0);
    ck_assert_int_eq(engine_settle(broker, &lease, JOB_OUTCOME_DONE), 0);
}

// A worker that waits does so for memory, too.
START_TEST(a_worker_waits_for_memory)
{
    clock_virtual_start(1000 * HL_SECOND);
    ck_assert_int_eq(broker_new(&broker, NULL), 0);
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    engine_put(broker, "t", 0, 0, "x");
    no_leases = true;
    struct broker_lease lease;
    ck_assert_int_eq(broker_take(consumer, &lease, 0), ENOMEM);
    hl_thread *thread = engine_thread(take_patiently, consumer);
    park_await_sleepers(1);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
    no_leases = false;
    clock_virtual_advance(HL_SECOND);
    engine_thread_join(&thread);
    ck_assert_uint_eq(engine_stats(broker).totals.done, 1);
    broker_consumer_free(&consumer);
    broker_free(&broker);
    clock_virtual_stop();
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_memory");
    TCase *memory = tcase_create("memory");
    tcase_add_loop_test(memory, each_allocation_fails_once, 0, 2); // without and with a journal
    tcase_add_test(memory, a_worker_waits_for_memory);
    suite_add_tcase(suite, memory);
    return unit_main(suite);
}
