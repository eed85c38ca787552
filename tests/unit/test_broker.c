// SPDX-License-Identifier: MIT
// The broker's verbs one by one: put, look, delete, take, settle, tubes and their counts, delays.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct broker *broker;

static void setup(void)
{
    ck_assert_int_eq(broker_new(&broker, NULL), 0);
}

static void teardown(void)
{
    broker_free(&broker);
}

// A broker with other options instead of the fixture's.
static void remake(const struct broker_options *options)
{
    broker_free(&broker);
    ck_assert_int_eq(broker_new(&broker, options), 0);
}

static bool tube_exists(const char *name)
{
    struct broker_stats stats;
    return broker_tube_stats(broker, name, strlen(name), &stats) == 0;
}

START_TEST(put_is_seen)
{
    uint64_t id = engine_put(broker, "t", 7, 0, "hello");
    ck_assert_uint_eq(id, 1);
    struct job_view view;
    struct job_body *body = NULL;
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, &body), 0);
    ck_assert_uint_eq(view.id, 1);
    ck_assert_str_eq(view.tube, "t");
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_uint_eq(view.pri, 7);
    ck_assert_uint_eq(view.size, 5);
    ck_assert_int_eq(view.ttr_ns, 60 * HL_SECOND);
    ck_assert_int_eq(view.time_left_ns, 0);
    ck_assert_str_eq(view.reason, "");
    ck_assert_mem_eq(body->bytes, "hello", 5);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert_mem_eq(body->bytes, "hello", 5); // a peeked body outlives the delete
    job_body_unref(&body);
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), ENOENT);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), ENOENT);
    ck_assert_int_eq(broker_peek(broker, &trust_all, 0, &view, NULL), ENOENT);
    ck_assert_uint_eq(engine_put(broker, "t", 0, 0, ""), 2); // ids don't come again
}
END_TEST

START_TEST(least_priority_then_least_id_first)
{
    engine_put(broker, "t", 5, 0, "1");
    engine_put(broker, "t", 1, 0, "2");
    engine_put(broker, "t", 5, 0, "3");
    engine_put(broker, "t", 0, 0, "4");
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    ck_assert_uint_eq(engine_take(consumer, NULL), 4);
    ck_assert_uint_eq(engine_take(consumer, NULL), 2);
    ck_assert_uint_eq(engine_take(consumer, NULL), 1);
    ck_assert_uint_eq(engine_take(consumer, NULL), 3);
    ck_assert_uint_eq(engine_take(consumer, NULL), 0);
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(consumer_takes_the_best_of_its_tubes)
{
    const char *tubes[] = {"a", "b"};
    struct broker_consumer *consumer;
    ck_assert_int_eq(broker_consumer_new(&consumer, broker, "s", tubes, 2), 0);
    engine_put(broker, "a", 2, 0, "1");
    engine_put(broker, "b", 1, 0, "2");
    engine_put(broker, "c", 0, 0, "3");
    engine_put(broker, "a", 1, 0, "4");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), 2);
    ck_assert_str_eq(lease.tube, "b");
    ck_assert_uint_eq(lease.attempt, 1);
    ck_assert_uint_eq(lease.pri, 1);
    broker_lease_fini(&lease);
    ck_assert_uint_eq(engine_take(consumer, NULL), 4);
    ck_assert_uint_eq(engine_take(consumer, NULL), 1);
    ck_assert_uint_eq(engine_take(consumer, NULL), 0);
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(consumer_refuses_bad_tubes)
{
    struct broker_consumer *consumer = NULL;
    const char *twice[] = {"a", "b", "a"}, *bad[] = {"a", "-b"};
    ck_assert_int_eq(broker_consumer_new(&consumer, broker, "s", twice, 0), EINVAL);
    ck_assert_int_eq(broker_consumer_new(&consumer, broker, "s", twice, 3), EINVAL);
    ck_assert_int_eq(broker_consumer_new(&consumer, broker, "s", bad, 2), EINVAL);
    ck_assert_ptr_null(consumer);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1);
}
END_TEST

START_TEST(only_the_token_settles)
{
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease first, second;
    engine_take(consumer, &first);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), ENOENT); // somebody has it
    struct job_outcome done;
    job_outcome_init(&done);
    ck_assert_int_eq(broker_settle(broker, id, first.token + 1, &done), ESTALE);
    ck_assert_int_eq(broker_settle(broker, id, 0, &done), ESTALE);
    ck_assert_int_eq(broker_settle(broker, id + 1, first.token, &done), ESTALE);
    uint64_t stale = first.token;
    ck_assert_int_eq(engine_settle(broker, &first, JOB_OUTCOME_RETURNED), 0);
    ck_assert_int_eq(broker_settle(broker, id, stale, &done), ESTALE);
    engine_take(consumer, &second);
    ck_assert_uint_eq(second.attempt, 2);
    ck_assert_uint_ne(second.token, stale);
    ck_assert_int_eq(broker_settle(broker, id, stale, &done), ESTALE);
    uint64_t used = second.token;
    ck_assert_int_eq(engine_settle(broker, &second, JOB_OUTCOME_DONE), 0);
    ck_assert_int_eq(broker_settle(broker, id, used, &done), ESTALE);
    ck_assert_uint_eq(engine_stats(broker).totals.done, 1);
    broker_consumer_free(&consumer);
}
END_TEST

// A job that comes back takes its old place, not the last.
START_TEST(returned_job_keeps_its_place)
{
    engine_put(broker, "t", 5, 0, "1");
    engine_put(broker, "t", 5, 0, "2");
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), 1);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 2);
    engine_settle(broker, &lease, JOB_OUTCOME_RETURNED);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 2);
    ck_assert_uint_eq(engine_take(consumer, NULL), 1);
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(failed_job_is_buried_with_its_reason)
{
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease lease;
    engine_take(consumer, &lease);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_FAILED;
    job_outcome_reason(&outcome, "exit status %d", 3);
    ck_assert_int_eq(broker_settle(broker, id, lease.token, &outcome), 0);
    broker_lease_fini(&lease);
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
    ck_assert_int_eq(view.state, JOB_BURIED);
    ck_assert_str_eq(view.reason, "exit status 3");
    ck_assert_uint_eq(view.buries, 1);
    ck_assert_uint_eq(view.reserves, 1);
    struct broker_stats stats = engine_stats(broker);
    ck_assert_uint_eq(stats.count[JOB_BURIED], 1);
    ck_assert_uint_eq(stats.totals.failed, 1);
    ck_assert_uint_eq(stats.unfinished, 0); // finished, though it is still here
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert_uint_eq(engine_stats(broker).totals.deleted, 0); // it was finished before
    broker_consumer_free(&consumer);
    ck_assert(!tube_exists("t"));
}
END_TEST

START_TEST(limits_and_draining)
{
    remake(&(struct broker_options){.body_max = 4, .jobs_max = 2, .bytes_max = 5});
    ck_assert_uint_eq(broker_body_max(broker), 4);
    ck_assert_int_eq(engine_put_rc(broker, "t", "12345"), EMSGSIZE);
    ck_assert_int_eq(engine_put_rc(broker, "t", "1234"), 0);
    ck_assert_int_eq(engine_put_rc(broker, "t", "12"), EXFULL); // bytes
    ck_assert_int_eq(engine_put_rc(broker, "t", "1"), 0);
    ck_assert_int_eq(engine_put_rc(broker, "t", ""), EXFULL); // jobs
    ck_assert_int_eq(broker_delete(broker, &trust_all, 1), 0);
    broker_drain(broker, true);
    ck_assert(broker_is_draining(broker));
    ck_assert_int_eq(engine_put_rc(broker, "t", "x"), EHOSTDOWN);
    broker_drain(broker, false);
    ck_assert_int_eq(engine_put_rc(broker, "t", "x"), 0);
    ck_assert_uint_eq(engine_stats(broker).totals.put, 3);
    ck_assert_uint_eq(engine_stats(broker).bytes, 2);
}
END_TEST

START_TEST(short_ttr_is_a_second)
{
    struct broker_put_spec spec = {.submitter = JOB_NOBODY};
    ck_assert_int_eq(broker_use(broker, "default", 7, &spec.tube), 0);
    struct job_body *body = engine_body("x");
    uint64_t id;
    ck_assert_int_eq(broker_put(broker, &spec, &body, &id), 0);
    broker_unuse(broker, &spec.tube);
    ck_assert_ptr_null(spec.tube);
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
    ck_assert_int_eq(view.ttr_ns, HL_SECOND);
}
END_TEST

// Each kind of reference keeps a tube, and the last takes it along with its counts.
START_TEST(tubes_come_and_go)
{
    ck_assert(tube_exists("default"));
    ck_assert(!tube_exists("t"));
    struct tube *tube;
    ck_assert_int_eq(broker_use(broker, "t", 1, &tube), 0);
    ck_assert_str_eq(broker_tube_name(tube), "t");
    ck_assert(tube_exists("t"));
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    broker_unuse(broker, &tube);
    ck_assert(tube_exists("t")); // the job
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert(tube_exists("t")); // the consumer
    struct broker_stats stats;
    ck_assert_int_eq(broker_tube_stats(broker, "t", 1, &stats), 0);
    ck_assert_uint_eq(stats.totals.put, 1);
    ck_assert_uint_eq(stats.totals.deleted, 1);
    ck_assert_uint_eq(stats.watching, 1);
    ck_assert_uint_eq(stats.using, 0);
    broker_consumer_free(&consumer);
    ck_assert(!tube_exists("t"));
    ck_assert_int_eq(broker_use(broker, "-t", 2, &tube), EINVAL);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1);
}
END_TEST

START_TEST(counts_by_tube_and_in_all)
{
    engine_put(broker, "a", 1023, 0, "12");
    engine_put(broker, "a", 1024, 0, "3");
    engine_put(broker, "b", 0, HL_SECOND, "4");
    struct broker_consumer *consumer = engine_consumer(broker, "a");
    struct broker_lease lease;
    engine_take(consumer, &lease);
    struct broker_stats a, all = engine_stats(broker);
    ck_assert_int_eq(broker_tube_stats(broker, "a", 1, &a), 0);
    ck_assert_uint_eq(a.count[JOB_READY], 1);
    ck_assert_uint_eq(a.urgent, 0);
    ck_assert_uint_eq(a.count[JOB_RESERVED], 1);
    ck_assert_uint_eq(a.unfinished, 2);
    ck_assert_uint_eq(a.bytes, 3);
    ck_assert_uint_eq(all.count[JOB_READY], 1);
    ck_assert_uint_eq(all.count[JOB_DELAYED], 1);
    ck_assert_uint_eq(all.unfinished, 3);
    ck_assert_uint_eq(all.bytes, 4);
    ck_assert_uint_eq(all.tubes, 3);
    engine_settle(broker, &lease, JOB_OUTCOME_RETURNED);
    ck_assert_uint_eq(engine_stats(broker).urgent, 1);
    broker_consumer_free(&consumer);
}
END_TEST

struct walk {
    size_t count, stop_at;
    char last[JOB_TUBE_NAME_MAX + 1];
    struct tube *dropped; // at the first visit; NULL: none
};

static bool walk_visit(const char *name, const struct broker_stats *stats, void *arg)
{
    struct walk *walk = arg;
    (void)stats;
    if (walk->dropped != NULL)
        broker_unuse(broker, &walk->dropped); // the lock isn't held here
    snprintf(walk->last, sizeof(walk->last), "%s", name);
    return ++walk->count != walk->stop_at;
}

// More tubes than one hold of the lock copies, in order of creation.
START_TEST(walk_over_tubes)
{
    struct tube *tube[200];
    for (int i = 0; i < 200; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "tube%d", i);
        ck_assert_int_eq(broker_use(broker, name, (size_t)len, &tube[i]), 0);
    }
    struct walk walk = {0};
    ck_assert_int_eq(broker_each_tube(broker, walk_visit, &walk), 0);
    ck_assert_uint_eq(walk.count, 201);
    ck_assert_str_eq(walk.last, "tube199");
    walk = (struct walk){.stop_at = 70};
    ck_assert_int_eq(broker_each_tube(broker, walk_visit, &walk), 0);
    ck_assert_uint_eq(walk.count, 70);
    ck_assert_str_eq(walk.last, "tube68");
    // The tube at which the walk let go of the lock vanishes meanwhile: place 64 is tube62.
    walk = (struct walk){.dropped = tube[62]};
    tube[62] = NULL;
    ck_assert_int_eq(broker_each_tube(broker, walk_visit, &walk), 0);
    ck_assert_uint_eq(walk.count, 201);
    ck_assert(!tube_exists("tube62"));
    for (int i = 0; i < 200; i++)
        broker_unuse(broker, &tube[i]);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1);
}
END_TEST

// ---- delays, under the virtual clock ----

static int sooner_calls;

static void count_sooner(void *arg)
{
    (void)arg;
    sooner_calls++;
}

static void clock_setup(void)
{
    clock_virtual_start(1000 * HL_SECOND);
    setup();
    sooner_calls = 0;
}

static void clock_teardown(void)
{
    teardown();
    clock_virtual_stop();
}

START_TEST(delay_ends_at_its_time)
{
    uint64_t id = engine_put(broker, "t", 0, 10 * HL_SECOND, "x");
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
    ck_assert_int_eq(view.state, JOB_DELAYED);
    ck_assert_int_eq(view.delay_ns, 10 * HL_SECOND);
    ck_assert_int_eq(view.time_left_ns, 10 * HL_SECOND);
    ck_assert_int_eq(broker_due(broker), 1010 * HL_SECOND);
    clock_virtual_advance(10 * HL_SECOND - 1);
    ck_assert_int_eq(broker_due(broker), 1010 * HL_SECOND);
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    ck_assert_uint_eq(engine_take(consumer, NULL), 0);
    clock_virtual_advance(1);
    ck_assert_int_eq(broker_due(broker), CLOCK_NEVER);
    ck_assert_uint_eq(engine_take(consumer, NULL), id);
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
    ck_assert_int_eq(view.age_ns, 10 * HL_SECOND);
    clock_virtual_advance(HL_SECOND);
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
    ck_assert_int_eq(view.time_left_ns, 59 * HL_SECOND); // of its TTR
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(earlier_deadline_is_told)
{
    static const struct broker_hooks hooks = {.sooner = count_sooner};
    broker_set_hooks(broker, &hooks, NULL);
    engine_put(broker, "a", 0, 10 * HL_SECOND, "x");
    ck_assert_int_eq(sooner_calls, 1);
    engine_put(broker, "a", 0, 11 * HL_SECOND, "x");
    engine_put(broker, "b", 0, 12 * HL_SECOND, "x");
    ck_assert_int_eq(sooner_calls, 1);
    uint64_t id = engine_put(broker, "b", 0, 9 * HL_SECOND, "x");
    ck_assert_int_eq(sooner_calls, 2);
    ck_assert_int_eq(broker_due(broker), 1009 * HL_SECOND);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert_int_eq(broker_due(broker), 1010 * HL_SECOND);
    engine_put(broker, "c", 0, 0, "x"); // not delayed
    ck_assert_int_eq(sooner_calls, 2);
    broker_set_hooks(broker, NULL, NULL);
    engine_put(broker, "c", 0, 1, "x");
    ck_assert_int_eq(sooner_calls, 2);
}
END_TEST

// More than one hold of the lock handles, over several tubes: all of them, each once.
START_TEST(many_delays_end)
{
    enum { JOBS = 2000 };
    static bool seen[JOBS + 1];
    const char *tubes[] = {"a", "b", "c"};
    for (int i = 0; i < JOBS; i++)
        engine_put(broker, tubes[i % 3], 0, (1 + (i * 7919) % JOBS) * HL_MILLISECOND, "x");
    struct broker_consumer *consumer;
    ck_assert_int_eq(broker_consumer_new(&consumer, broker, "s", tubes, 3), 0);
    memset(seen, 0, sizeof(seen));
    int got = 0;
    for (int part = 0; part < 4; part++) {
        clock_virtual_advance(JOBS / 4 * HL_MILLISECOND);
        int64_t next = broker_due(broker);
        ck_assert(part == 3 ? next == CLOCK_NEVER : next == clock_now_ns() + HL_MILLISECOND);
        uint64_t id;
        while ((id = engine_take(consumer, NULL)) != 0) {
            ck_assert(!seen[id]);
            seen[id] = true;
            got++;
        }
        ck_assert_int_eq(got, (part + 1) * JOBS / 4);
    }
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(delay_without_end)
{
    uint64_t id = engine_put(broker, "t", 0, INT64_MAX, "x");
    clock_virtual_advance(HL_FOREVER / 2);
    ck_assert_int_eq(broker_due(broker), CLOCK_NEVER);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_DELAYED], 1);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker");
    TCase *verbs = tcase_create("verbs");
    tcase_add_checked_fixture(verbs, setup, teardown);
    tcase_add_test(verbs, put_is_seen);
    tcase_add_test(verbs, least_priority_then_least_id_first);
    tcase_add_test(verbs, consumer_takes_the_best_of_its_tubes);
    tcase_add_test(verbs, consumer_refuses_bad_tubes);
    tcase_add_test(verbs, only_the_token_settles);
    tcase_add_test(verbs, returned_job_keeps_its_place);
    tcase_add_test(verbs, failed_job_is_buried_with_its_reason);
    tcase_add_test(verbs, limits_and_draining);
    tcase_add_test(verbs, short_ttr_is_a_second);
    suite_add_tcase(suite, verbs);

    TCase *tubes = tcase_create("tubes");
    tcase_add_checked_fixture(tubes, setup, teardown);
    tcase_add_test(tubes, tubes_come_and_go);
    tcase_add_test(tubes, counts_by_tube_and_in_all);
    tcase_add_test(tubes, walk_over_tubes);
    suite_add_tcase(suite, tubes);

    TCase *delays = tcase_create("delays");
    tcase_add_checked_fixture(delays, clock_setup, clock_teardown);
    tcase_add_test(delays, delay_ends_at_its_time);
    tcase_add_test(delays, earlier_deadline_is_told);
    tcase_add_test(delays, many_delays_end);
    tcase_add_test(delays, delay_without_end);
    suite_add_tcase(suite, delays);
    return unit_main(suite);
}
