// SPDX-License-Identifier: MIT
// The house under the virtual clock: delays end through its due thread, its timer purges and gives
// memory back, its stats thread takes samples.

#include "house/house.h"

#include "base/clock.h"
#include "blocking.h"
#include "durable.h"
#include "history/history.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <string.h>

static struct broker *broker;
static struct history *history;
static struct house *house;
static _Atomic unsigned trims, purges;

// With nothing delayed two of its threads wait with a deadline: housekeeping and stats.
#define SLEEPERS 2

// In place of the C library's: the house alone calls it.
int malloc_trim(size_t pad)
{
    (void)pad;
    atomic_fetch_add(&trims, 1);
    return 1;
}

static void offer(struct list *ends, void *arg)
{
    (void)arg;
    history_offer(history, ends);
}

static void take_in(void *arg)
{
    (void)arg;
    history_take_in(history);
}

static void purge(void *arg)
{
    history_purge(arg);
    atomic_fetch_add(&purges, 1);
}

static void setup(void)
{
    clock_virtual_start(1000 * HL_SECOND);
    struct history_settings kept = {
        .keep_ns = 10 * HL_SECOND, .keep_count = 100, .keep_bytes = 100000};
    struct history_error error;
    ck_assert_int_eq(history_new(&history, &kept, &error), 0);
    struct broker_options options = {.ended = offer, .ended_after = take_in};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    struct house_settings settings = {
        .broker = broker, .purge = purge, .purge_arg = history, .purge_interval_ns = 5 * HL_SECOND};
    ck_assert_int_eq(house_new(&house, &settings), 0);
}

static void teardown(void)
{
    house_stop(house);
    house_free(&house);
    broker_free(&broker);
    history_free(&history);
    clock_virtual_stop();
}

// A second passes, and all has happened that it brings: a thread whose time has come is no sleeper
// any more when the clock has moved, until it sleeps for the next second.
static void advance_second(void)
{
    park_await_sleepers(SLEEPERS);
    clock_virtual_advance(HL_SECOND);
    park_await_sleepers(SLEEPERS);
}

START_TEST(purges_come_in_time)
{
    ck_assert_int_eq(house_start(house), 0);
    ck_assert_int_eq(house_start(house), EALREADY);
    for (unsigned second = 1; second <= 11; second++) {
        advance_second();
        ck_assert_uint_eq(atomic_load(&purges), second / 5);
    }
}
END_TEST

struct taker {
    struct broker_consumer *consumer;
    struct broker_lease lease;
};

static void take(void *arg)
{
    struct taker *taker = arg;
    ck_assert_int_eq(broker_take(taker->consumer, &taker->lease, HL_FOREVER), 0);
}

// Nobody asks the broker but the due thread. The second delay is earlier than the one it sleeps
// for.
START_TEST(delays_end_by_themselves)
{
    ck_assert_int_eq(house_start(house), 0);
    park_await_sleepers(SLEEPERS);
    engine_put(broker, "t", 0, 3600 * HL_SECOND, "late");
    park_await_sleepers(SLEEPERS + 1);
    uint64_t id = engine_put(broker, "t", 0, HL_SECOND / 2, "soon");
    struct taker taker = {.consumer = engine_consumer(broker, "t")};
    hl_thread *thread = engine_thread(take, &taker);
    engine_await_waiting(broker, 1);
    park_await_sleepers(SLEEPERS + 1);
    clock_virtual_advance(HL_SECOND / 2);
    engine_thread_join(&thread);
    ck_assert_uint_eq(taker.lease.id, id);
    ck_assert_int_eq(engine_settle(broker, &taker.lease, JOB_OUTCOME_DONE), 0);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_DELAYED], 1);
    broker_consumer_free(&taker.consumer);
}
END_TEST

// A connection says nothing more; the due thread alone ends its lease, for the worker that waits.
START_TEST(leases_end_by_themselves)
{
    struct engine_conn silent;
    ck_assert_int_eq(house_start(house), 0);
    engine_conn_init(&silent, broker);
    uint64_t id = engine_put(broker, "default", 0, 0, "x");
    ck_assert_uint_eq(engine_reserve(&silent), id);
    struct taker taker = {.consumer = engine_consumer(broker, "default")};
    hl_thread *thread = engine_thread(take, &taker);
    engine_await_waiting(broker, 1);
    park_await_sleepers(SLEEPERS + 1);
    clock_virtual_advance(60 * HL_SECOND);
    engine_thread_join(&thread);
    ck_assert_uint_eq(taker.lease.id, id);
    ck_assert_uint_eq(engine_stats(broker).timeouts, 1);
    ck_assert_int_eq(engine_settle(broker, &taker.lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&taker.consumer);
    (void)engine_conn_fini(&silent);
}
END_TEST

// 45 MB of jobs come and go.
START_TEST(memory_goes_back_after_a_drain)
{
    uint64_t cleared;
    static char text[60001];
    memset(text, 'x', sizeof(text) - 1);
    ck_assert_int_eq(house_start(house), 0);
    for (int i = 0; i < 750; i++)
        engine_put(broker, "t", 0, 0, text);
    advance_second();
    ck_assert_uint_eq(atomic_load(&trims), 0);
    ck_assert_int_eq(broker_clear(broker, "t", 1, &cleared), 0);
    ck_assert_uint_eq(cleared, 750);
    advance_second();
    ck_assert_uint_eq(atomic_load(&trims), 1);
    advance_second(); // once is enough
    ck_assert_uint_eq(atomic_load(&trims), 1);
}
END_TEST

START_TEST(purge_keeps_retention)
{
    ck_assert_int_eq(house_start(house), 0);
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_int_eq(engine_settle(broker, &lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&consumer);
    struct job_record *record = NULL;
    for (int second = 0; second < 14; second++)
        advance_second();
    ck_assert_int_eq(history_get(history, id, &record), 0); // purged at 5, 10 and 15
    job_record_unref(&record);
    advance_second();
    ck_assert_int_eq(history_get(history, id, &record), ENOENT);
    ck_assert_ptr_null(record);
}
END_TEST

static struct house_sample *await_sample(uint64_t number)
{
    for (;;) {
        struct house_sample *sample = house_sample_ref(house);
        if (sample != NULL && sample->number >= number) {
            ck_assert_uint_eq(sample->number, number);
            return sample;
        }
        house_sample_unref(&sample);
        sched_yield();
    }
}

START_TEST(samples_tell_rates)
{
    ck_assert_ptr_null(house_sample_ref(house));
    ck_assert_int_eq(house_start(house), 0);
    struct house_sample *first = await_sample(1);
    ck_assert_int_eq(first->taken_ns, 1000 * HL_SECOND);
    ck_assert_uint_eq(first->stats.totals.put, 0);
    ck_assert(first->put_rate < 0.5 && first->finished_rate < 0.5);
    for (int i = 0; i < 6; i++)
        engine_put(broker, "t", 0, 0, "x");
    ck_assert_int_eq(broker_delete(broker, &trust_all, 2), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 4), 0);
    advance_second();
    struct house_sample *second = await_sample(2);
    ck_assert_int_eq(second->taken_ns, 1001 * HL_SECOND);
    ck_assert_uint_eq(second->stats.count[JOB_READY], 4);
    ck_assert(second->put_rate > 5.99 && second->put_rate < 6.01);
    ck_assert(second->finished_rate > 1.99 && second->finished_rate < 2.01);
    ck_assert_uint_eq(first->stats.totals.put, 0); // a sample stays as it was
    house_sample_unref(&first);
    house_sample_unref(&second);
}
END_TEST

static void find_daemons(const struct hl_thread_info *info, void *arg)
{
    char *found = arg;
    if (strcmp(info->name, "stats") == 0)
        found[0] = info->daemon ? 'd' : 'n';
    if (strcmp(info->name, "due") == 0)
        found[1] = info->daemon ? 'd' : 'n';
}

START_TEST(stats_thread_is_a_daemon)
{
    ck_assert_int_eq(house_start(house), 0);
    char found[3] = "--";
    ck_assert_int_eq(hl_thread_enumerate(find_daemons, found), 0);
    ck_assert_str_eq(found, "dn");
}
END_TEST

// Stopped at once, in every phase of starting up, and again.
START_TEST(start_and_stop)
{
    house_free(&house); // never started
    for (int i = 0; i < 100; i++) {
        struct house_settings settings = {.broker = broker};
        ck_assert_int_eq(house_new(&house, &settings), 0);
        ck_assert_int_eq(house_start(house), 0);
        if (i % 2 == 0)
            engine_put(broker, "t", 0, HL_SECOND, "x");
        house_stop(house);
        house_stop(house);
        if (i < 99)
            house_free(&house);
    }
}
END_TEST

// Its compact thread keeps the journal small, though nobody else looks after it.
START_TEST(the_journal_stays_small)
{
    struct durable durable;
    disk_start();
    durable_init(&durable);
    durable.log.thread = true;
    durable_again(&durable);
    struct house_settings settings = {.broker = durable.broker};
    struct house *of_durable = NULL;
    ck_assert_int_eq(house_new(&of_durable, &settings), 0);
    ck_assert_int_eq(house_start(of_durable), 0);
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    uint64_t kept = engine_put(durable.broker, "t", 0, 0, "kept");
    struct store_stats stats = {.on = false};
    for (int i = 0; stats.compact.trims < 3; i++) {
        ck_assert_int_lt(i, 1000000);
        uint64_t id = engine_put(durable.broker, "t", 0, 0, text);
        durable_commit(&durable);
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
        durable_commit(&durable);
        clock_virtual_advance(HL_SECOND / 10);
        broker_store_stats(durable.broker, &stats);
    }
    house_stop(of_durable);
    house_free(&of_durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    ck_assert_uint_eq(durable.recovered.jobs, 1);
    ck_assert_uint_eq(engine_view(durable.broker, kept).size, 4);
    ck_assert_int_eq(durable_close(&durable), 0);
    disk_stop();
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("house");
    TCase *all = tcase_create("house");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, purges_come_in_time);
    tcase_add_test(all, delays_end_by_themselves);
    tcase_add_test(all, leases_end_by_themselves);
    tcase_add_test(all, memory_goes_back_after_a_drain);
    tcase_add_test(all, purge_keeps_retention);
    tcase_add_test(all, samples_tell_rates);
    tcase_add_test(all, stats_thread_is_a_daemon);
    tcase_add_test(all, start_and_stop);
    tcase_add_test(all, the_journal_stays_small);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
