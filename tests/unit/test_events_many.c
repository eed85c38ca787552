// SPDX-License-Identifier: MIT
// Many listeners on several threads, while jobs come and go on others: who keeps up misses nothing,
// who doesn't is told so, and listeners come and go meanwhile.

#include "blocking.h"
#include "broker/events_priv.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { PUTTERS = 2, READERS = 3, TUBES = 3, FEW = 8 };

static struct broker *broker;
static uint64_t rounds; // jobs that each putter puts
static _Atomic bool over;
static const char *const tubes[TUBES] = {"a", "b", "c"};

static void setup(void)
{
    rounds = (uint64_t)unit_rounds(20000);
    atomic_store(&over, false);
    ck_assert_int_eq(broker_new(&broker, &(struct broker_options){.durability = DURABILITY_MEMORY}),
                     0);
}

static void teardown(void)
{
    broker_free(&broker);
}

// Puts and deletes in a tube that is gone in between.
static void put_many(void *arg)
{
    const char *tube = arg;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t id = engine_put(broker, tube, 5, 0, "");
        ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    }
}

// ---- listeners that keep up ----

struct reader {
    const char *tube; // NULL: all
    struct broker_listener listener;
    uint64_t puts, finishes, last;
    bool gap, patient;
    uint64_t open; // a job that was put and isn't deleted yet; of a tube with one putter
};

static void reader_take(struct reader *reader, const struct broker_event *event)
{
    ck_assert_uint_gt(event->number, reader->last);
    reader->last = event->number;
    if (reader->tube != NULL)
        ck_assert_str_eq(event->tube, reader->tube);
    ck_assert_uint_ne(event->id, 0);
    if (event->type == BROKER_EVENT_PUT) {
        ck_assert_int_eq(event->to, JOB_READY);
        reader->puts++;
        reader->open = event->id;
        return;
    }
    ck_assert_int_eq(event->type, BROKER_EVENT_FINISH);
    ck_assert_int_eq(event->from, JOB_READY);
    ck_assert_int_eq(event->outcome, JOB_OUTCOME_DELETED);
    if (reader->tube != NULL && !reader->gap)
        ck_assert_uint_eq(reader->open, event->id);
    reader->finishes++;
}

// Whether there were any.
static bool reader_read(struct reader *reader)
{
    struct broker_event events[FEW];
    size_t count;
    bool gap;
    ck_assert_int_eq(broker_events_read(&reader->listener, events, FEW, &count, &gap), 0);
    if (gap)
        reader->gap = true;
    for (size_t i = 0; i < count; i++)
        reader_take(reader, &events[i]);
    return count > 0;
}

// Until the putters are over, and all is read.
static void reader_follow(struct reader *reader)
{
    for (;;) {
        bool last = atomic_load(&over);
        while (reader_read(reader)) {
        }
        if (last)
            return;
        if (broker_events_wait(&reader->listener) == EINPROGRESS)
            (void)later_block(&reader->listener.later, clock_deadline(HL_SECOND / 100), "test",
                              "events");
    }
}

static void listen_as(struct reader *reader)
{
    const struct broker_listen what = {.tube = reader->tube, .asker = &trust_all};
    reader->listener.later.fire = later_wake;
    ck_assert_int_eq(broker_listen(broker, &what, &reader->listener), 0);
}

static void follow(void *arg)
{
    struct reader *reader = arg;
    reader_follow(reader);
    broker_unlisten(&reader->listener);
}

START_TEST(each_is_told_of_all_that_is_its_own)
{
    struct reader readers[READERS] = {{.tube = "a"}, {.tube = "b"}, {.tube = NULL}};
    hl_thread *threads[READERS], *putters[PUTTERS];
    for (int i = 0; i < READERS; i++) {
        listen_as(&readers[i]);
        threads[i] = engine_thread(follow, &readers[i]);
    }
    for (int i = 0; i < PUTTERS; i++)
        putters[i] = engine_thread(put_many, (void *)tubes[i]);
    for (int i = 0; i < PUTTERS; i++)
        engine_thread_join(&putters[i]);
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++)
        engine_thread_join(&threads[i]);
    for (int i = 0; i < READERS; i++) {
        uint64_t all = readers[i].tube != NULL ? rounds : PUTTERS * rounds;
        printf("# reader %d: %" PRIu64 " of %" PRIu64 "%s\n", i, readers[i].puts, all,
               readers[i].gap ? ", gap" : "");
        ck_assert_uint_le(readers[i].puts, all);
        if (!readers[i].gap) {
            ck_assert_uint_eq(readers[i].puts, all);
            ck_assert_uint_eq(readers[i].finishes, all);
        }
    }
}
END_TEST

// ---- a slot that is read while it is written ----

static struct event_ring ring;

static void ring_write(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 100 * rounds; i++) {
        uint64_t number = event_ring_last(&ring) + 1;
        struct event event = {.wall_ns = (int64_t)number,
                              .id = 3 * number,
                              .ticket = ~number,
                              .waited_us = number & EVENT_SPAN_MAX,
                              .ran_us = ~number & EVENT_SPAN_MAX};
        event_ring_put(&ring, &event);
    }
    atomic_store(&over, true);
}

// The slots that are written next are those of the oldest events.
START_TEST(an_event_is_read_as_a_whole_or_not)
{
    uint64_t whole = 0, lost = 0;
    ck_assert_int_eq(event_ring_init(&ring), 0);
    uint64_t first = event_ring_last(&ring) + 1;
    hl_thread *writer = engine_thread(ring_write, NULL);
    for (uint64_t i = 0; !atomic_load(&over); i++) {
        uint64_t number = event_ring_last(&ring) + 1 - BROKER_EVENTS_KEPT + i % 4;
        struct event event;
        if (number < first)
            continue;
        if (event_ring_get(&ring, number, &event) != 0) {
            lost++;
            continue;
        }
        whole++;
        ck_assert_uint_eq(event.number, number);
        ck_assert_int_eq(event.wall_ns, (int64_t)number);
        ck_assert_uint_eq(event.id, 3 * number);
        ck_assert_uint_eq(event.ticket, ~number);
        ck_assert_uint_eq(event.waited_us, number & EVENT_SPAN_MAX);
        ck_assert_uint_eq(event.ran_us, ~number & EVENT_SPAN_MAX);
    }
    engine_thread_join(&writer);
    printf("# %" PRIu64 " whole, %" PRIu64 " lost\n", whole, lost);
    event_ring_fini(&ring);
}
END_TEST

// ---- a reader that the putter waits for ----

static _Atomic uint64_t seen; // finishes that the reader has read

static void put_paced(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < rounds; i++) {
        while (i - atomic_load(&seen) > BROKER_EVENTS_KEPT / 4)
            (void)sched_yield();
        uint64_t id = engine_put(broker, "a", 5, 0, "");
        ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    }
}

START_TEST(who_keeps_up_misses_none)
{
    struct reader reader = {.tube = "a"};
    atomic_store(&seen, 0);
    listen_as(&reader);
    hl_thread *putter = engine_thread(put_paced, NULL);
    while (reader.finishes < rounds) {
        while (reader_read(&reader))
            atomic_store(&seen, reader.finishes);
        if (reader.finishes < rounds && broker_events_wait(&reader.listener) == EINPROGRESS)
            ck_assert_int_eq(later_block(&reader.listener.later, CLOCK_NEVER, "test", "events"), 0);
    }
    engine_thread_join(&putter);
    ck_assert(!reader.gap);
    ck_assert_uint_eq(reader.puts, rounds);
    broker_unlisten(&reader.listener);
}
END_TEST

// ---- coming and going ----

static void come_and_go(void *arg)
{
    const char *tube = arg;
    uint64_t after = 0;
    for (unsigned i = 0; !atomic_load(&over); i++) {
        struct reader reader = {.tube = tube, .gap = true};
        const struct broker_listen what = {
            .tube = reader.tube, .asker = &trust_all, .after = i % 2 == 0 ? after : 0};
        reader.listener.later.fire = later_wake;
        ck_assert_int_eq(broker_listen(broker, &what, &reader.listener), 0);
        (void)reader_read(&reader);
        bool waits = broker_events_wait(&reader.listener) == EINPROGRESS;
        if (waits && !later_cancel(&reader.listener.later))
            (void)later_block(&reader.listener.later, CLOCK_NEVER, "test", "events");
        (void)reader_read(&reader);
        after = broker_events_seen(&reader.listener);
        broker_unlisten(&reader.listener);
    }
}

START_TEST(listeners_come_and_go)
{
    hl_thread *threads[READERS], *putters[PUTTERS];
    const char *const listened[READERS] = {"a", "b", NULL};
    for (int i = 0; i < READERS; i++)
        threads[i] = engine_thread(come_and_go, (void *)listened[i]);
    for (int i = 0; i < PUTTERS; i++)
        putters[i] = engine_thread(put_many, (void *)tubes[i]);
    for (int i = 0; i < PUTTERS; i++)
        engine_thread_join(&putters[i]);
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++)
        engine_thread_join(&threads[i]);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("events_many");
    TCase *tcase = tcase_create("threads");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, each_is_told_of_all_that_is_its_own);
    tcase_add_test(tcase, an_event_is_read_as_a_whole_or_not);
    tcase_add_test(tcase, who_keeps_up_misses_none);
    tcase_add_test(tcase, listeners_come_and_go);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
