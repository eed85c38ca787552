// SPDX-License-Identifier: MIT
// Ends of jobs on their way to history: nobody hears of one before history has it, numbers rise in
// the order of ends, and a file that can't be written holds nobody up but those who should rest.

#include "history_kit.h"

#include "base/clock.h"
#include "broker/broker.h"
#include "engine.h"

#include <errno.h>
#include <sched.h>
#include <sqlite3.h>
#include <string.h>

static _Atomic unsigned rests; // how often it was told

static void rest_told(void *arg)
{
    (void)arg;
    atomic_fetch_add(&rests, 1);
}

static int add_one(uint64_t id)
{
    struct job_record *record = db_record(id);
    return history_add(kit.history, &record, &(uint64_t){0});
}

// Adds until it is refused; the id that was.
static uint64_t add_on(uint64_t id)
{
    int rc;
    while ((rc = add_one(id)) == 0)
        id++;
    ck_assert_int_eq(rc, ENOBUFS);
    return id;
}

// Somebody has the file locked, so writing hangs. Who makes records is asked to rest; what comes
// all the same is taken up to twice the queue. After a while nobody rests any more and records are
// lost past the queue. When it writes again all goes on.
START_TEST(a_full_queue_asks_for_rest)
{
    clock_virtual_start(1000 * HL_SECOND);
    kit.settings.queue_bytes = 20000;
    kit.settings.rest = rest_told;
    atomic_store(&rests, 0); // of a test before, where Check does not fork
    db_open();
    uint64_t number = db_add(1);
    clock_virtual_advance(HL_SECOND);
    db_await(number);
    sqlite3 *other = NULL;
    ck_assert_int_eq(sqlite3_open(kit.path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    uint64_t id = 2;
    while (!history_wants_rest(kit.history))
        ck_assert_int_eq(add_one(id++), 0);
    ck_assert_uint_eq(atomic_load(&rests), 1);
    uint64_t first = id;
    id = add_on(id);
    ck_assert_uint_gt(id, first);
    ck_assert_uint_eq(db_stats().lost, 1);
    ck_assert(db_stats().resting);
    clock_virtual_advance(HISTORY_REST_NS - 1);
    history_purge(kit.history);
    ck_assert(history_wants_rest(kit.history) || !db_stats().healthy);
    clock_virtual_advance(1);
    history_purge(kit.history);
    ck_assert(!history_wants_rest(kit.history));
    ck_assert_uint_eq(atomic_load(&rests), 2);
    ck_assert(!db_stats().healthy && !db_stats().resting);
    ck_assert_int_eq(add_one(id), ENOBUFS);
    ck_assert(!history_wants_rest(kit.history));
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    clock_virtual_advance(2 * HL_SECOND); // it is tried again
    db_await_stat(offsetof(struct history_stats, pending), 0);
    for (uint64_t i = 1; i < id; i++)
        ck_assert(db_has(i));
    ck_assert(db_stats().healthy);
    ck_assert_int_eq(add_one(id), 0);
    clock_virtual_stop();
}
END_TEST

// It writes, but slowly: who rests goes on when half is written.
START_TEST(a_rest_ends_with_half_of_the_queue)
{
    clock_virtual_start(1000 * HL_SECOND);
    kit.settings.queue_bytes = 20000;
    kit.settings.rest = rest_told;
    atomic_store(&rests, 0);
    db_open();
    uint64_t id = 1;
    while (!history_wants_rest(kit.history) && atomic_load(&rests) == 0)
        ck_assert_int_eq(add_one(id++), 0);
    clock_virtual_advance(HL_SECOND);
    db_await_stat(offsetof(struct history_stats, pending), 0);
    while (history_wants_rest(kit.history))
        sched_yield();
    ck_assert_uint_eq(db_stats().lost, 0);
    ck_assert(db_stats().healthy);
    clock_virtual_stop();
}
END_TEST

static _Atomic bool resting; // as history said, asked by the pointer that its owner has

static void rest_asked(void *arg)
{
    rest_told(arg);
    atomic_store(&resting, history_wants_rest(kit.history));
}

// What waits still is written at the end, which ends the rest: who is told of that may ask.
START_TEST(a_rest_ends_with_the_history)
{
    clock_virtual_start(1000 * HL_SECOND);
    kit.settings.queue_bytes = 20000;
    kit.settings.rest = rest_asked;
    atomic_store(&rests, 0);
    db_open();
    for (uint64_t id = 1; atomic_load(&rests) == 0; id++)
        ck_assert_int_eq(add_one(id), 0);
    ck_assert(atomic_load(&resting)); // nothing is written until the clock goes on, or at the end
    db_close();
    ck_assert_uint_eq(atomic_load(&rests), 2);
    ck_assert(!atomic_load(&resting));
    clock_virtual_stop();
}
END_TEST

// ---- with a broker ----

static struct broker *broker;
static hl_lock *rest_lock;

// As the daemon has it.
static void consumers_rest(void *arg)
{
    (void)arg;
    atomic_fetch_add(&rests, 1);
    HL_LOCK_SCOPE(rest_lock);
    broker_rest(broker, history_wants_rest(kit.history));
}

static void broker_up(void)
{
    const struct broker_options options = {
        .ended = db_offer, .ended_after = db_take_in, .last_result = history_last(kit.history)};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    ck_assert_int_eq(hl_lock_new(&rest_lock, "rest", lock_class(LOCK_CLASS_rest)), 0);
}

static void broker_down(void)
{
    db_close();
    broker_free(&broker);
    hl_lock_free(&rest_lock);
}

static sqlite3 *file_lock(void)
{
    sqlite3 *other = NULL;
    ck_assert_int_eq(sqlite3_open(kit.path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return other;
}

static void file_unlock(sqlite3 *other)
{
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
}

static void settle(struct broker_lease *lease, const char *output)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.started_ns = lease->reserved_ns;
    ck_assert_int_eq(buf_append_str(&outcome.out, output), 0);
    ck_assert_int_eq(broker_settle(broker, lease->id, lease->token, &outcome), 0);
    job_outcome_fini(&outcome);
    broker_lease_fini(lease);
}

enum { SETTLERS = 8, JOBS = 2000 };

struct watch {
    struct broker_waiter waiter;
    uint64_t id;
};
static struct watch watches[JOBS];
static _Atomic unsigned heard, missing, doubled;
static _Atomic unsigned char number_used[JOBS + 1];

// Without locks, on the thread that ended the job, as soon as anybody can hear of it.
static void hear(struct later *later)
{
    struct watch *watch = CONTAINER_OF(later, struct watch, waiter.later);
    struct job_record *record;
    if (history_get(kit.history, watch->id, &record) != 0)
        atomic_fetch_add(&missing, 1);
    else {
        if (strcmp(record->out, "done") != 0)
            atomic_fetch_add(&missing, 1);
        job_record_unref(&record);
    }
    uint64_t number = watch->waiter.end != NULL ? watch->waiter.end->number : 0;
    if (number == 0 || number > JOBS || atomic_fetch_add(&number_used[number], 1) != 0)
        atomic_fetch_add(&doubled, 1);
    job_end_unref(&watch->waiter.end);
    atomic_fetch_add(&heard, 1);
}

static void settler(void *arg)
{
    struct broker_consumer *consumer = arg;
    struct broker_lease lease;
    while (broker_take(consumer, &lease, 0) == 0)
        settle(&lease, "done");
    broker_consumer_free(&consumer);
}

// Many threads end jobs while others look: each record is there when its end is heard of, and the
// numbers are each job's own. The file is quick, or can't be written at all.
START_TEST(nobody_hears_before_history_has_it)
{
    atomic_store(&heard, 0); // of the run before, where Check does not fork
    for (int i = 0; i <= JOBS; i++)
        atomic_store(&number_used[i], 0);
    db_open();
    broker_up();
    sqlite3 *other = _i == 1 ? file_lock() : NULL;
    for (int i = 0; i < JOBS; i++) {
        watches[i].id = engine_put(broker, "t", 0, 0, "x");
        watches[i].waiter = (struct broker_waiter){.later.fire = hear, .wants_end = true};
        ck_assert_int_eq(broker_wait_async(broker, &trust_all, watches[i].id, &watches[i].waiter),
                         0);
    }
    hl_thread *threads[SETTLERS];
    for (int i = 0; i < SETTLERS; i++)
        threads[i] = engine_thread(settler, engine_consumer(broker, "t"));
    for (int i = 0; i < SETTLERS; i++)
        engine_thread_join(&threads[i]);
    ck_assert_uint_eq(atomic_load(&heard), JOBS);
    ck_assert_uint_eq(atomic_load(&missing), 0);
    ck_assert_uint_eq(atomic_load(&doubled), 0);
    ck_assert_uint_eq(db_stats().added, JOBS);
    ck_assert_uint_eq(engine_stats(broker).unrecorded, 0);
    if (other != NULL)
        file_unlock(other);
    db_await(JOBS);
    broker_down();
}
END_TEST

// The file hangs: consumers rest, others don't. What remote clients end is never held up.
START_TEST(consumers_rest_and_go_on)
{
    kit.settings.queue_bytes = 40000;
    kit.settings.rest = consumers_rest;
    db_open();
    broker_up();
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease lease;
    sqlite3 *other = file_lock();
    static char text[2001];
    memset(text, 'x', sizeof(text) - 1);
    uint64_t ended = 0;
    for (int i = 0; i < 100; i++)
        engine_put(broker, "t", 0, 0, "x");
    while (!broker_is_resting(broker)) {
        ck_assert_int_eq(broker_take(consumer, &lease, 0), 0);
        settle(&lease, text);
        ended++;
    }
    ck_assert_uint_lt(ended, 100);
    ck_assert_int_eq(broker_take(consumer, &lease, 0), ETIMEDOUT); // though there are jobs
    uint64_t other_end = engine_put(broker, "u", 0, 0, "x");
    const struct broker_change bury = {.action = BROKER_DO_BURY, .reason = "by hand"};
    enum job_state state;
    ck_assert_int_eq(broker_apply_job(broker, &trust_all, other_end, &bury, &state, NULL), 0);
    ck_assert(db_stats().lost == 0 && db_stats().added == ended + 1);
    file_unlock(other);
    int woken = broker_take(consumer, &lease, HL_FOREVER);
    ck_assert(woken == EAGAIN || woken == 0); // it was woken, or the rest was over before
    ck_assert(!broker_is_resting(broker));
    if (woken == 0) {
        settle(&lease, "small");
        ended++;
    }
    for (; ended < 100; ended++) {
        int rc;
        while ((rc = broker_take(consumer, &lease, HL_FOREVER)) == EAGAIN)
            ; // it rested again
        ck_assert_int_eq(rc, 0);
        settle(&lease, "small");
    }
    ck_assert_uint_eq(db_stats().lost, 0);
    broker_consumer_free(&consumer);
    broker_down();
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("ends");
    TCase *all = tcase_create("ends");
    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, db_up, db_down);
    tcase_add_test(all, a_full_queue_asks_for_rest);
    tcase_add_test(all, a_rest_ends_with_half_of_the_queue);
    tcase_add_test(all, a_rest_ends_with_the_history);
    tcase_add_loop_test(all, nobody_hears_before_history_has_it, 0, 2);
    tcase_add_test(all, consumers_rest_and_go_on);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
