// SPDX-License-Identifier: MIT
// Pools: what they refuse, their life, and many jobs through put, queue, eight workers and join.
//
// HILERA_JOBS changes how many.

#include "worker/worker.h"

#include "base/clock.h"
#include "blocking.h"
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct broker *broker;
static struct worker_pool *pool;

static const char *const one_tube[] = {"t"};

static struct worker_pool_settings null_settings(unsigned workers)
{
    return (struct worker_pool_settings){
        .name = "p", .tubes = one_tube, .tube_count = 1, .workers = workers, .handler = "null"};
}

static void setup(void)
{
    ck_assert_int_eq(broker_new(&broker, NULL), 0);
}

static void teardown(void)
{
    worker_pool_free(&pool);
    broker_free(&broker);
}

static void make(const struct worker_pool_settings *settings)
{
    char why[256] = "";
    ck_assert_msg(worker_pool_new(&pool, settings, broker, why, sizeof(why)) == 0, "%s", why);
}

static struct worker_pool_stats stats(void)
{
    struct worker_pool_stats now;
    worker_pool_stats(pool, &now);
    return now;
}

// ---- what is refused ----

static void refused(const struct worker_pool_settings *settings, const char *words)
{
    char why[256] = "";
    ck_assert_int_eq(worker_pool_new(&pool, settings, broker, why, sizeof(why)), EINVAL);
    ck_assert_ptr_null(pool);
    ck_assert_msg(strstr(why, words) != NULL, "\"%s\" doesn't say \"%s\"", why, words);
}

START_TEST(bad_settings_are_named)
{
    static const char *const bad[] = {"t", "-x"}, *const twice[] = {"t", "u", "t"};
    static const char *const empty_argv[] = {NULL};
    struct worker_pool_settings settings = null_settings(1);
    settings.workers = 0;
    refused(&settings, "1 to 1024 workers, not 0");
    settings.workers = WORKER_POOL_MAX + 1;
    refused(&settings, "not 1025");
    settings = null_settings(1);
    settings.name = "";
    refused(&settings, "a pool's name");
    settings.name = "a name that has more than thirty-two bytes";
    refused(&settings, "a pool's name");
    settings = null_settings(1);
    settings.tube_count = 0;
    refused(&settings, "at least one tube");
    settings.tubes = bad;
    settings.tube_count = 2;
    refused(&settings, "\"-x\" can't be a tube: a tube's name is");
    settings.tubes = twice;
    settings.tube_count = 3;
    refused(&settings, "\"t\" is named twice");
    settings = null_settings(1);
    settings.handler = "nil";
    refused(&settings,
            "there is no handler \"nil\"; there are: exec command coproc plugin echo null sleep");
    settings.handler = "exec";
    refused(&settings, "needs argv");
    settings.handler_settings.argv = empty_argv;
    refused(&settings, "needs argv");
}
END_TEST

START_TEST(handlers_are_complete)
{
    size_t count = 0;
    const struct handler *handler;
    for (; (handler = handler_at(count)) != NULL; count++) {
        ck_assert_ptr_eq(handler_find(handler->name), handler);
        ck_assert_ptr_nonnull(handler->summary);
        ck_assert(handler->check && handler->open && handler->close &&
                  (handler->run != NULL) != (handler->serve != NULL));
    }
    ck_assert_uint_ge(count, 2);
    ck_assert_ptr_null(handler_find("no such handler"));
}
END_TEST

// ---- life ----

START_TEST(pool_runs_what_is_put)
{
    struct worker_pool_settings settings = null_settings(3);
    make(&settings);
    ck_assert_str_eq(worker_pool_name(pool), "p");
    engine_put(broker, "t", 0, 0, "before the start");
    ck_assert_int_eq(worker_pool_start(pool), 0);
    ck_assert_int_eq(worker_pool_start(pool), EALREADY);
    engine_put(broker, "t", 0, 0, "after");
    struct broker_totals totals;
    ck_assert_int_eq(broker_join(broker, "t", HL_FOREVER, &totals), 0);
    ck_assert_uint_eq(totals.done, 2);
    worker_pool_stop(pool, HL_FOREVER);
    struct worker_pool_stats now = stats();
    ck_assert_uint_eq(now.done, 2);
    ck_assert_uint_eq(now.failed + now.returned + now.busy, 0);
    ck_assert_uint_eq(now.workers, 3);
    ck_assert_str_eq(now.handler, "null");
    ck_assert_uint_eq(now.tube_count, 1);
    ck_assert_str_eq(now.tubes[0], "t");
    worker_pool_stop(pool, 0);
    engine_put(broker, "t", 0, 0, "too late");
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], 1);
}
END_TEST

START_TEST(pool_never_started)
{
    struct worker_pool_settings settings = null_settings(4);
    make(&settings);
    worker_pool_stop(pool, 0);
    ck_assert_uint_eq(engine_stats(broker).watching, 4);
    worker_pool_free(&pool);
    ck_assert_uint_eq(engine_stats(broker).watching, 0);
}
END_TEST

static void find_names(const struct hl_thread_info *info, void *arg)
{
    bool *seen = arg;
    static const char *const names[] = {"p-1", "p-2", "p-3"};
    for (int i = 0; i < 3; i++)
        if (strcmp(info->name, names[i]) == 0) {
            seen[i] = true;
            ck_assert(!info->daemon);
        }
}

START_TEST(threads_have_names)
{
    struct worker_pool_settings settings = null_settings(3);
    make(&settings);
    ck_assert_int_eq(worker_pool_start(pool), 0);
    engine_await_waiting(broker, 3);
    bool seen[3] = {false, false, false};
    ck_assert_int_eq(hl_thread_enumerate(find_names, seen), 0);
    ck_assert(seen[0] && seen[1] && seen[2]);
    worker_pool_stop(pool, 0);
}
END_TEST

// Stopping while jobs pour in: none is lost, none runs twice.
START_TEST(stop_in_the_middle)
{
    enum { JOBS = 200 };
    for (int round = 0; round < unit_rounds(50); round++) {
        struct worker_pool_settings settings = null_settings(4);
        make(&settings);
        ck_assert_int_eq(worker_pool_start(pool), 0);
        uint64_t before = engine_stats(broker).totals.put;
        for (int i = 0; i < JOBS; i++) {
            engine_put(broker, "t", 0, 0, "x");
            if (i == round * 4)
                worker_pool_quiesce(pool);
        }
        worker_pool_stop(pool, HL_FOREVER);
        struct broker_stats now = engine_stats(broker);
        ck_assert_uint_eq(now.totals.put, before + JOBS);
        ck_assert_uint_eq(now.count[JOB_RESERVED], 0);
        ck_assert_uint_eq(now.totals.done + now.count[JOB_READY], now.totals.put);
        worker_pool_free(&pool);
    }
}
END_TEST

// ---- many jobs ----

static _Atomic unsigned char *finished; // how often, by id
static _Atomic uint64_t out_of_range;
static uint64_t jobs;

static void count_finished(struct list *ends, void *arg)
{
    struct job_end *end;
    (void)arg;
    for (; (end = engine_end_pop(ends)) != NULL; job_end_unref(&end)) {
        if (end->view.id >= 1 && end->view.id <= jobs)
            atomic_fetch_add_explicit(&finished[end->view.id], 1, memory_order_relaxed);
        else
            atomic_fetch_add(&out_of_range, 1);
    }
}

static void producer(void *arg)
{
    uint64_t count = *(const uint64_t *)arg;
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .pri = 1};
    ck_assert_int_eq(broker_use(broker, "t", 1, &spec.tube), 0);
    for (uint64_t i = 0; i < count; i++) {
        struct job_body *body = NULL;
        ck_assert_int_eq(job_body_new(&body, 32), 0);
        memset(body->bytes, 'x', 32);
        uint64_t id;
        ck_assert_int_eq(broker_put(broker, &spec, &body, &id), 0);
    }
    broker_unuse(broker, &spec.tube);
}

START_TEST(many_jobs_through_eight_workers)
{
    jobs = engine_env("HILERA_JOBS", (uint64_t)unit_rounds(200000)) / 2 * 2;
    finished = calloc(jobs + 1, sizeof(*finished));
    ck_assert_ptr_nonnull(finished);
    broker_free(&broker);
    struct broker_options options = {.ended = count_finished};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    struct worker_pool_settings settings = null_settings(8);
    make(&settings);
    struct tube *tube; // a hold, so that its counts stay
    ck_assert_int_eq(broker_use(broker, "t", 1, &tube), 0);
    ck_assert_int_eq(worker_pool_start(pool), 0);
    uint64_t half = jobs / 2;
    hl_thread *thread[2];
    for (int i = 0; i < 2; i++)
        thread[i] = engine_thread(producer, &half);
    for (int i = 0; i < 2; i++)
        engine_thread_join(&thread[i]);
    struct broker_totals totals;
    ck_assert_int_eq(broker_join(broker, "t", HL_FOREVER, &totals), 0);
    ck_assert_uint_eq(totals.put, jobs);
    ck_assert_uint_eq(totals.done, jobs);
    for (uint64_t id = 1; id <= jobs; id++)
        ck_assert_msg(finished[id] == 1, "job %llu finished %u times", (unsigned long long)id,
                      (unsigned)finished[id]);
    ck_assert_uint_eq(out_of_range, 0);
    worker_pool_stop(pool, HL_FOREVER);
    ck_assert_uint_eq(stats().done, jobs);
    ck_assert_uint_eq(engine_stats(broker).unfinished, 0);
    broker_unuse(broker, &tube);
    free((void *)finished);
}
END_TEST

int main(void)
{
    // The broker's check of itself after each of a million operations would be all that is
    // measured.
    setenv("HILERA_EXPENSIVE", "0", 1);
    Suite *suite = suite_create("worker");
    TCase *check = tcase_create("check");
    tcase_add_checked_fixture(check, setup, teardown);
    tcase_add_test(check, bad_settings_are_named);
    tcase_add_test(check, handlers_are_complete);
    suite_add_tcase(suite, check);

    TCase *life = tcase_create("life");
    tcase_add_checked_fixture(life, setup, teardown);
    tcase_add_test(life, pool_runs_what_is_put);
    tcase_add_test(life, pool_never_started);
    tcase_add_test(life, threads_have_names);
    tcase_add_test(life, stop_in_the_middle);
    suite_add_tcase(suite, life);

    TCase *many = tcase_create("many");
    tcase_add_checked_fixture(many, setup, teardown);
    tcase_add_test(many, many_jobs_through_eight_workers);
    suite_add_tcase(suite, many);
    return unit_main(suite);
}
