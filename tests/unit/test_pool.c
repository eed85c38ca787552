// SPDX-License-Identifier: MIT
// Pools changed while they run: more workers and fewer under load without losing a job, pauses,
// waiting until a pool is quiet, and the weights of tubes.
//
// HILERA_JOBS changes how many jobs.

#include "worker/worker.h"

#include "base/clock.h"
#include "engine.h"
#include "spawned.h"
#include "unit_random.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct broker *broker;
static struct worker_pool *pool;
static char directory[64], gate[96];

static void setup(void)
{
    ck_assert_int_eq(broker_new(&broker, NULL), 0);
    snprintf(directory, sizeof(directory), "/tmp/hilera-pool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(gate, sizeof(gate), "%s/gate", directory);
    ck_assert_int_eq(mkfifo(gate, 0600), 0);
}

static void teardown(void)
{
    worker_pool_free(&pool);
    spawned_end();
    broker_free(&broker);
    unlink(gate);
    rmdir(directory);
}

static void make(const char *const *tubes, size_t tube_count, unsigned workers, bool gated)
{
    static const char *argv[] = {"sh", "-c", "read word <\"$0\"", gate, NULL};
    struct worker_pool_settings settings = {.name = "p",
                                            .tubes = tubes,
                                            .tube_count = tube_count,
                                            .workers = workers,
                                            .handler = gated ? "exec" : "null",
                                            .handler_settings = {.argv = argv}};
    char why[256] = "";
    spawned_begin(&settings);
    ck_assert_msg(worker_pool_new(&pool, &settings, broker, why, sizeof(why)) == 0, "%s", why);
    ck_assert_int_eq(worker_pool_start(pool), 0);
}

static const char *const one_tube[] = {"t"};

static struct worker_pool_stats stats(void)
{
    struct worker_pool_stats now;
    worker_pool_stats(pool, &now);
    return now;
}

// Opens the gate for the job that stands before it; first, that one stands there.
static int gate_reached(void)
{
    int fd = open(gate, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void gate_open(int fd)
{
    ck_assert_int_eq(write(fd, "go\n", 3), 3);
    close(fd);
}

static void join_all(void)
{
    ck_assert_int_eq(broker_join(broker, NULL, HL_FOREVER, NULL), 0);
}

// ---- size ----

START_TEST(no_workers_and_some_again)
{
    make(one_tube, 1, 3, false);
    ck_assert_int_eq(worker_pool_resize(pool, 0), 0);
    ck_assert_uint_eq(stats().workers, 0);
    for (int i = 0; i < 10; i++)
        engine_put(broker, "t", 0, 0, "x");
    ck_assert_int_eq(worker_pool_resize(pool, WORKER_POOL_MAX + 1), EINVAL);
    ck_assert_int_eq(worker_pool_resize(pool, 2), 0);
    ck_assert_uint_eq(stats().workers, 2);
    join_all();
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_uint_eq(stats().done, 10);
    ck_assert_int_eq(worker_pool_resize(pool, 3), ESHUTDOWN);
}
END_TEST

// Who has a job ends last, and only when the job has ended.
START_TEST(fewer_workers_end_with_their_job)
{
    make(one_tube, 1, 3, true);
    engine_put(broker, "t", 0, 0, "x");
    int fd = gate_reached();
    ck_assert_int_eq(worker_pool_resize(pool, 1), 0);
    ck_assert_uint_eq(stats().workers, 1);
    ck_assert_uint_eq(stats().busy, 1);
    engine_await_waiting(broker, 0);
    ck_assert_int_eq(worker_pool_resize(pool, 0), 0);
    while (stats().leaving > 1) // the others have no job and end on their own
        sched_yield();
    ck_assert_uint_eq(stats().leaving, 1);
    engine_put(broker, "t", 0, 0, "later");
    gate_open(fd);
    while (engine_stats(broker).totals.done < 1) // the gate is nobody's before
        sched_yield();
    ck_assert_int_eq(worker_pool_resize(pool, 1), 0);
    gate_open(gate_reached());
    join_all();
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_uint_eq(stats().done, 2);
    ck_assert_uint_eq(engine_stats(broker).totals.done, 2);
}
END_TEST

static _Atomic unsigned char *finished; // how often, by id
static uint64_t jobs;

static void count_finished(struct list *ends, void *arg)
{
    struct job_end *end;
    (void)arg;
    for (; (end = engine_end_pop(ends)) != NULL; job_end_unref(&end)) {
        ck_assert(end->view.id >= 1 && end->view.id <= jobs);
        atomic_fetch_add_explicit(&finished[end->view.id], 1, memory_order_relaxed);
    }
}

static void producer(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < jobs / 2; i++)
        engine_put(broker, i % 3 == 0 ? "u" : "t", (uint32_t)(i % 2), 0, "x");
}

// Sizes and pauses change all the time, while jobs pour in: each runs once.
START_TEST(resized_and_paused_under_load)
{
    static const char *const tubes[] = {"t:3", "u"};
    jobs = engine_env("HILERA_JOBS", 30000) / 2 * 2;
    finished = calloc(jobs + 1, sizeof(*finished));
    ck_assert_ptr_nonnull(finished);
    broker_free(&broker);
    ck_assert_int_eq(broker_new(&broker, &(struct broker_options){.ended = count_finished}), 0);
    make(tubes, 2, 1, false);
    hl_thread *thread[2];
    for (int i = 0; i < 2; i++)
        thread[i] = engine_thread(producer, NULL);
    struct unit_random random = {.state = (uint64_t)_i + 1};
    while (engine_stats(broker).totals.put < jobs) {
        ck_assert_int_eq(worker_pool_resize(pool, (unsigned)(unit_random_below(&random, 9))), 0);
        worker_pool_pause(pool, unit_random_below(&random, 3) == 0);
    }
    for (int i = 0; i < 2; i++)
        engine_thread_join(&thread[i]);
    ck_assert_int_eq(worker_pool_resize(pool, 2), 0);
    worker_pool_pause(pool, false);
    join_all();
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_uint_eq(stats().done, jobs);
    for (uint64_t id = 1; id <= jobs; id++)
        ck_assert_msg(finished[id] == 1, "job %llu finished %u times", (unsigned long long)id,
                      (unsigned)finished[id]);
    free((void *)finished);
}
END_TEST

// ---- pause ----

struct quiet {
    struct worker_quiet wait;
    hl_event *event;
};

static void quiet_fired(struct later *later)
{
    hl_event_set(CONTAINER_OF(later, struct quiet, wait.later)->event);
}

static void quiet_init(struct quiet *quiet)
{
    memset(quiet, 0, sizeof(*quiet));
    quiet->wait.later.fire = quiet_fired;
    ck_assert_int_eq(hl_event_new(&quiet->event, "quiet"), 0);
}

static void quiet_await(struct quiet *quiet)
{
    hl_event_clear(quiet->event); // it may have been set by an earlier wait
    int rc = worker_pool_quiet_async(pool, &quiet->wait);
    if (rc == EINPROGRESS) {
        ck_assert_int_eq(hl_event_wait(quiet->event, HL_FOREVER), 0);
        rc = quiet->wait.later.result;
    }
    ck_assert_int_eq(rc, 0);
}

START_TEST(paused_pool_takes_nothing)
{
    struct quiet quiet;
    quiet_init(&quiet);
    make(one_tube, 1, 3, false);
    ck_assert_int_eq(worker_pool_quiet_async(pool, &quiet.wait), ECANCELED);
    worker_pool_pause(pool, true);
    worker_pool_pause(pool, true);
    quiet_await(&quiet);
    ck_assert(stats().paused);
    uint64_t id = engine_put(broker, "t", 0, 0, "x");
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
    ck_assert_uint_eq(engine_stats(broker).waiting, 0);
    // Others take as before; and workers that come are paused, too.
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    ck_assert_uint_eq(engine_take(consumer, NULL), id);
    broker_consumer_free(&consumer);
    ck_assert_int_eq(worker_pool_resize(pool, 5), 0);
    quiet_await(&quiet);
    engine_put(broker, "t", 0, 0, "y");
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
    worker_pool_pause(pool, false);
    while (engine_stats(broker).totals.done < 1)
        sched_yield();
    worker_pool_pause(pool, true);
    worker_pool_stop(pool, HL_FOREVER); // a resting worker ends, too
    ck_assert_uint_eq(stats().done, 1);
    hl_event_free(&quiet.event);
}
END_TEST

START_TEST(quiet_when_the_last_job_has_ended)
{
    struct quiet quiet;
    quiet_init(&quiet);
    make(one_tube, 1, 2, true);
    engine_put(broker, "t", 0, 0, "x");
    int fd = gate_reached();
    worker_pool_pause(pool, true);
    ck_assert_int_eq(worker_pool_quiet_async(pool, &quiet.wait), EINPROGRESS);
    ck_assert(later_cancel(&quiet.wait.later));
    ck_assert_int_eq(worker_pool_quiet_async(pool, &quiet.wait), EINPROGRESS);
    ck_assert(!hl_event_is_set(quiet.event));
    worker_pool_pause(pool, false);
    ck_assert_int_eq(hl_event_wait(quiet.event, HL_FOREVER), 0);
    ck_assert_int_eq(quiet.wait.later.result, ECANCELED);
    ck_assert(!later_cancel(&quiet.wait.later));
    hl_event_clear(quiet.event);
    worker_pool_pause(pool, true);
    // It counts, too, while the one with the job is leaving.
    ck_assert_int_eq(worker_pool_resize(pool, 0), 0);
    ck_assert_int_eq(worker_pool_quiet_async(pool, &quiet.wait), EINPROGRESS);
    gate_open(fd);
    ck_assert_int_eq(hl_event_wait(quiet.event, HL_FOREVER), 0);
    ck_assert_int_eq(quiet.wait.later.result, 0);
    ck_assert_uint_eq(engine_stats(broker).totals.done, 1);
    worker_pool_stop(pool, HL_FOREVER);
    hl_event_free(&quiet.event);
}
END_TEST

// ---- weights ----

START_TEST(weights_are_read)
{
    static const char *const wrong[][2] = {
        {"a:0", "from 1 to 1000"}, {"a:", "from 1 to 1000"},  {"a:1001", "from 1 to 1000"},
        {"a:x", "from 1 to 1000"}, {":3", "can't be a tube"}, {"a:99999999999", "\"a:3\""}};
    size_t len;
    uint32_t weight;
    char why[512];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_int_eq(worker_tube_parse(wrong[i][0], &len, &weight, why, sizeof(why)), EINVAL);
        ck_assert_msg(strstr(why, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], why);
    }
    ck_assert_int_eq(worker_tube_parse("ab:1000", &len, &weight, why, sizeof(why)), 0);
    ck_assert_uint_eq(len, 2);
    ck_assert_uint_eq(weight, 1000);
    static const char *const twice[] = {"a:3", "b", "a"};
    ck_assert_int_eq(worker_tubes_check(twice, 3, why, sizeof(why)), EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "\"a\" is named twice"));
    static const char *const some[] = {"a:3", "b"};
    make(some, 2, 1, false);
    struct worker_pool_stats now = stats();
    ck_assert_str_eq(now.tubes[0], "a");
    ck_assert_uint_eq(now.weights[0], 3);
    ck_assert_uint_eq(now.weights[1], 1);
    worker_pool_stop(pool, 0);
}
END_TEST

static const char *const shared[] = {"a", "b", "c"};

// The tube of each of `count` jobs that are taken, as counts; `consumer` and `other` by turns.
static void take_counts(struct broker_consumer *consumer, struct broker_consumer *other, int count,
                        int counts[3])
{
    memset(counts, 0, 3 * sizeof(counts[0]));
    for (int i = 0; i < count; i++) {
        struct broker_lease lease;
        ck_assert_uint_ne(engine_take(i % 2 == 0 ? consumer : other, &lease), 0);
        counts[lease.tube[0] - 'a']++;
        engine_settle(broker, &lease, JOB_OUTCOME_DONE);
    }
}

START_TEST(weights_share_what_is_equal)
{
    static const uint32_t weights[] = {5, 2, 1};
    struct broker_shares *shares = NULL;
    struct broker_consumer *consumer[2] = {NULL, NULL};
    int counts[3];
    ck_assert_int_eq(broker_shares_new(&shares, weights, 3), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(broker_consumer_new(&consumer[i], broker, "s", shared, 3), 0);
        broker_consumer_share(consumer[i], shares);
    }
    // The heavy tube's jobs are the youngest.
    for (int i = 0; i < 300; i++)
        engine_put(broker, "b", 7, 0, "x");
    take_counts(consumer[0], consumer[1], 100, counts); // nothing is saved up while alone
    ck_assert_int_eq(counts[1], 100);
    for (int i = 0; i < 300; i++)
        engine_put(broker, "c", 7, 0, "x");
    for (int i = 0; i < 600; i++)
        engine_put(broker, "a", 7, 0, "x");
    for (int round = 0; round < 9; round++) {
        take_counts(consumer[0], consumer[1], 80, counts);
        ck_assert_msg(abs(counts[0] - 50) <= 1 && abs(counts[1] - 20) <= 1 &&
                          abs(counts[2] - 10) <= 1,
                      "round %d: %d %d %d", round, counts[0], counts[1], counts[2]);
    }
    // A lesser priority number goes first all the same.
    for (int i = 0; i < 20; i++)
        engine_put(broker, "c", 6, 0, "urgent");
    take_counts(consumer[0], consumer[1], 20, counts);
    ck_assert_int_eq(counts[2], 20);
    for (int i = 0; i < 2; i++)
        broker_consumer_free(&consumer[i]);
    broker_shares_free(&shares);
}
END_TEST

// Several at once are chosen as one by one.
START_TEST(many_at_once_keep_the_weights)
{
    static const uint32_t weights[] = {3, 1, 1};
    struct broker_shares *shares = NULL;
    struct broker_consumer *consumer = NULL;
    struct broker_lease lease[40];
    int counts[3] = {0, 0, 0};
    size_t count = 0;
    ck_assert_int_eq(broker_shares_new(&shares, weights, 3), 0);
    ck_assert_int_eq(broker_consumer_new(&consumer, broker, "s", shared, 3), 0);
    broker_consumer_share(consumer, shares);
    ck_assert_int_eq(broker_take_many(consumer, lease, 40, &count, 0), ETIMEDOUT);
    for (int i = 0; i < 100; i++)
        for (int tube = 0; tube < 3; tube++)
            engine_put(broker, shared[tube], 1, 0, "x");
    ck_assert_int_eq(broker_take_many(consumer, lease, 40, &count, 0), 0);
    ck_assert_uint_eq(count, 40);
    for (size_t i = 0; i < count; i++) {
        counts[lease[i].tube[0] - 'a']++;
        for (size_t j = 0; j < i; j++)
            ck_assert(lease[i].token != lease[j].token && lease[i].id != lease[j].id);
    }
    ck_assert_int_eq(counts[0], 24);
    ck_assert_int_eq(counts[1], 8);
    ck_assert_int_eq(counts[2], 8);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_RESERVED], 40);
    for (size_t i = 0; i < count; i++)
        engine_settle(broker, &lease[i], JOB_OUTCOME_DONE);
    broker_consumer_pause(consumer, true);
    ck_assert_int_eq(broker_take_many(consumer, lease, 40, &count, HL_FOREVER), EAGAIN);
    broker_consumer_pause(consumer, false);
    ck_assert_int_eq(broker_take_many(consumer, lease, 1, &count, HL_FOREVER), 0);
    engine_settle(broker, &lease[0], JOB_OUTCOME_RETURNED);
    broker_consumer_free(&consumer);
    broker_shares_free(&shares);
}
END_TEST

// ---- settled together ----

// Each by its own token: what is stale or of another kind holds up no other.
START_TEST(many_are_settled_each_by_itself)
{
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease lease[6];
    struct broker_settlement list[6];
    struct job_outcome done, failed, returned;
    size_t count = 0;
    job_outcome_init(&done);
    job_outcome_init(&failed);
    job_outcome_init(&returned);
    failed.kind = JOB_OUTCOME_FAILED;
    job_outcome_reason(&failed, "as it had to");
    returned.kind = JOB_OUTCOME_RETURNED;
    for (int i = 0; i < 6; i++)
        engine_put(broker, "t", 0, 0, "x");
    ck_assert_int_eq(broker_take_many(consumer, lease, 6, &count, 0), 0);
    ck_assert_uint_eq(count, 6);
    for (size_t i = 0; i < 6; i++)
        list[i] = (struct broker_settlement){
            .id = lease[i].id, .token = lease[i].token, .outcome = &done};
    list[1].outcome = &failed;
    list[2].outcome = &returned;
    list[3].token++;   // nobody's, or of another job
    list[4] = list[0]; // a second time
    broker_settle_many(broker, list, 6);
    static const int expected[] = {0, 0, 0, ESTALE, ESTALE, 0};
    for (size_t i = 0; i < 6; i++)
        ck_assert_msg(list[i].rc == expected[i], "%zu: %d", i, list[i].rc);
    struct broker_stats now = engine_stats(broker);
    ck_assert_uint_eq(now.totals.done, 2);
    ck_assert_uint_eq(now.totals.failed, 1);
    ck_assert_uint_eq(now.count[JOB_BURIED], 1);
    ck_assert_uint_eq(now.count[JOB_READY], 1);
    ck_assert_uint_eq(now.count[JOB_RESERVED], 2);
    ck_assert_str_eq(engine_view(broker, lease[1].id).reason, "as it had to");
    list[3].token--;
    list[4] =
        (struct broker_settlement){.id = lease[4].id, .token = lease[4].token, .outcome = &done};
    broker_settle_many(broker, &list[3], 2);
    ck_assert(list[3].rc == 0 && list[4].rc == 0);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_RESERVED], 0);
    for (size_t i = 0; i < 6; i++)
        broker_lease_fini(&lease[i]);
    broker_consumer_free(&consumer);
}
END_TEST

int main(void)
{
    // The broker's check of itself after each of many operations would be all that is measured.
    setenv("HILERA_EXPENSIVE", "0", 1);
    Suite *suite = suite_create("pool");
    TCase *size = tcase_create("size");
    tcase_add_checked_fixture(size, setup, teardown);
    tcase_add_test(size, no_workers_and_some_again);
    tcase_add_test(size, fewer_workers_end_with_their_job);
    tcase_add_loop_test(size, resized_and_paused_under_load, 0, 3);
    suite_add_tcase(suite, size);

    TCase *pause = tcase_create("pause");
    tcase_add_checked_fixture(pause, setup, teardown);
    tcase_add_test(pause, paused_pool_takes_nothing);
    tcase_add_test(pause, quiet_when_the_last_job_has_ended);
    suite_add_tcase(suite, pause);

    TCase *weight = tcase_create("weights");
    tcase_add_checked_fixture(weight, setup, teardown);
    tcase_add_test(weight, weights_are_read);
    tcase_add_test(weight, weights_share_what_is_equal);
    tcase_add_test(weight, many_at_once_keep_the_weights);
    tcase_add_test(weight, many_are_settled_each_by_itself);
    suite_add_tcase(suite, weight);
    return unit_main(suite);
}
