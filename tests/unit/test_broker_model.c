// SPDX-License-Identifier: MIT
// The broker against a model of it: random commands under the virtual clock, and after each one
// both must say the same. The model is an array that is searched from front to back, obviously
// right. Expensive assertions are on, so the broker also checks itself each time it lets go of its
// lock.
//
// HILERA_MODEL_STEPS and HILERA_MODEL_SEED change length and seed; a failure names both.

#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TUBES 4
#define JOBS_MAX 64

static const char *const tube_names[TUBES] = {"default", "a", "b", "long/name.of;a$tube_(4)"};

struct model_job {
    uint64_t id; // 0: a free place
    int tube;
    uint32_t pri;
    enum job_state state;
    int64_t due_ns;
    uint64_t token;
    uint32_t reserves, buries;
};

struct model {
    uint64_t state, seed, step; // of the random numbers
    struct model_job job[JOBS_MAX];
    uint64_t last_id;
    uint64_t put, done, failed, deleted;
    int waits[JOBS_MAX]; // 1: a wait is in line for this job, and may fire when it ends
};

static struct broker *broker;
static struct broker_tube *tubes[TUBES];
static struct broker_sink *sinks[TUBES + 1]; // the last one takes from all tubes
static struct model model;
static struct broker_waiter waiters[JOBS_MAX];
static bool fired[JOBS_MAX];

static void same(uint64_t actual, uint64_t expected, const char *what)
{
    ck_assert_msg(actual == expected, "%s is %llu, not %llu (seed %llu, step %llu)", what,
                  (unsigned long long)actual, (unsigned long long)expected,
                  (unsigned long long)model.seed, (unsigned long long)model.step);
}

#define SAME(actual, expected) same((uint64_t)(actual), (uint64_t)(expected), #actual)

// xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators,
// scrambled".
static uint64_t random_below(uint64_t bound)
{
    model.state ^= model.state >> 12;
    model.state ^= model.state << 25;
    model.state ^= model.state >> 27;
    return (model.state * UINT64_C(2685821657736338717) >> 33) % bound;
}

static struct model_job *free_place(void)
{
    for (int i = 0; i < JOBS_MAX; i++)
        if (model.job[i].id == 0)
            return &model.job[i];
    return NULL;
}

// Any place, also a free one.
static struct model_job *any_place(void)
{
    return &model.job[random_below(JOBS_MAX)];
}

static void model_due(void)
{
    for (int i = 0; i < JOBS_MAX; i++) {
        struct model_job *job = &model.job[i];
        if (job->id != 0 && job->state == JOB_DELAYED && job->due_ns <= clock_now_ns())
            job->state = JOB_READY;
    }
}

static struct model_job *model_best(int tube)
{
    struct model_job *best = NULL;
    for (int i = 0; i < JOBS_MAX; i++) {
        struct model_job *job = &model.job[i];
        if (job->id == 0 || job->state != JOB_READY || (tube < TUBES && job->tube != tube))
            continue;
        if (best == NULL || job->pri < best->pri || (job->pri == best->pri && job->id < best->id))
            best = job;
    }
    return best;
}

// ---- commands ----

static void fire(struct broker_waiter *waiter)
{
    fired[waiter - waiters] = true;
}

static void waits_end(struct model_job *job)
{
    size_t place = (size_t)(job - model.job);
    SAME(fired[place], model.waits[place]);
    fired[place] = false;
    model.waits[place] = 0;
}

static void do_put(void)
{
    struct model_job *job = free_place();
    if (job == NULL)
        return;
    int tube = (int)random_below(TUBES);
    int64_t delay_ns = random_below(3) == 0 ? (int64_t)random_below(1000) : 0;
    struct broker_put_spec spec = {
        .tube = tubes[tube], .pri = (uint32_t)random_below(4) * 700, .delay_ns = delay_ns};
    struct job_body *body = engine_body("body");
    uint64_t id;
    SAME(broker_put(broker, &spec, &body, &id), 0);
    SAME(id, ++model.last_id);
    *job = (struct model_job){.id = id,
                              .tube = tube,
                              .pri = spec.pri,
                              .state = delay_ns > 0 ? JOB_DELAYED : JOB_READY,
                              .due_ns = clock_now_ns() + delay_ns};
    model.put++;
}

static void do_delete(void)
{
    struct model_job *job = any_place();
    int expected = job->id == 0 || job->state == JOB_RESERVED ? ENOENT : 0;
    SAME(broker_delete(broker, job->id), expected);
    if (expected != 0)
        return;
    if (job->state != JOB_BURIED)
        model.deleted++;
    waits_end(job);
    job->id = 0;
}

static void do_take(void)
{
    int which = (int)random_below(TUBES + 1);
    struct model_job *job = model_best(which);
    struct broker_lease lease;
    int rc = broker_take(sinks[which], &lease, 0);
    SAME(rc, job != NULL ? 0 : ETIMEDOUT);
    if (rc != 0)
        return;
    SAME(lease.id, job->id);
    SAME(lease.attempt, ++job->reserves);
    SAME(lease.pri, job->pri);
    SAME(strcmp(lease.tube, tube_names[job->tube]), 0);
    job->token = lease.token;
    job->state = JOB_RESERVED;
    broker_lease_fini(&lease);
}

static void do_settle(void)
{
    struct model_job *job = any_place();
    bool right = random_below(4) != 0;
    uint64_t token = right ? job->token : job->token + random_below(3) - 1;
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = (enum job_outcome_kind)random_below(JOB_OUTCOME_COUNT);
    if (random_below(2) == 0)
        job_outcome_reason(&outcome, "reason %d", (int)random_below(10));
    bool good = job->id != 0 && job->state == JOB_RESERVED && token == job->token;
    SAME(broker_settle(broker, job->id, token, &outcome), good ? 0 : ESTALE);
    job_outcome_fini(&outcome);
    if (!good)
        return;
    job->token = 0;
    switch (outcome.kind) {
    case JOB_OUTCOME_RETURNED:
        job->state = JOB_READY;
        return;
    case JOB_OUTCOME_FAILED:
        job->state = JOB_BURIED;
        job->buries++;
        model.failed++;
        waits_end(job);
        return;
    case JOB_OUTCOME_DONE:
        model.done++;
        break;
    default:
        model.deleted++;
    }
    waits_end(job);
    job->id = 0;
}

static void do_time(void)
{
    clock_virtual_advance((int64_t)random_below(200));
    int64_t next = broker_due(broker), expected = CLOCK_NEVER;
    model_due();
    for (int i = 0; i < JOBS_MAX; i++)
        if (model.job[i].id != 0 && model.job[i].state == JOB_DELAYED &&
            model.job[i].due_ns < expected)
            expected = model.job[i].due_ns;
    SAME(next, expected);
}

static void do_wait(void)
{
    struct model_job *job = any_place();
    size_t place = (size_t)(job - model.job);
    if (model.waits[place]) {
        SAME(broker_cancel(&waiters[place]), true);
        model.waits[place] = 0;
        return;
    }
    waiters[place].fire = fire;
    int rc = broker_wait_async(broker, job->id, &waiters[place]);
    SAME(rc, job->id == 0 ? ENOENT : 0);
    if (rc == 0 && job->state == JOB_BURIED) {
        SAME(fired[place], true);
        fired[place] = false;
    } else if (rc == 0)
        model.waits[place] = 1;
}

// ---- comparing ----

static void check_job(const struct model_job *job)
{
    struct job_view view;
    int rc = broker_peek(broker, job->id, &view, NULL);
    SAME(rc, job->id != 0 ? 0 : ENOENT);
    if (rc != 0)
        return;
    SAME(view.state, job->state);
    SAME(view.pri, job->pri);
    SAME(view.reserves, job->reserves);
    SAME(view.buries, job->buries);
    SAME(strcmp(view.tube, tube_names[job->tube]), 0);
    if (job->state == JOB_DELAYED)
        SAME(view.time_left_ns, job->due_ns - clock_now_ns());
}

static void check_counts(void)
{
    uint64_t count[JOB_STATE_COUNT] = {0};
    for (int i = 0; i < JOBS_MAX; i++)
        if (model.job[i].id != 0)
            count[model.job[i].state]++;
    struct broker_stats stats = engine_stats(broker);
    SAME(stats.ready, count[JOB_READY]);
    SAME(stats.delayed, count[JOB_DELAYED]);
    SAME(stats.reserved, count[JOB_RESERVED]);
    SAME(stats.buried, count[JOB_BURIED]);
    SAME(stats.totals.put, model.put);
    SAME(stats.totals.done, model.done);
    SAME(stats.totals.failed, model.failed);
    SAME(stats.totals.deleted, model.deleted);
    SAME(stats.unfinished, count[JOB_READY] + count[JOB_DELAYED] + count[JOB_RESERVED]);
    SAME(broker_join(broker, NULL, 0, NULL), stats.unfinished == 0 ? 0 : ETIMEDOUT);
}

static void drop_record(struct job_record **record, void *arg)
{
    (void)arg;
    job_record_unref(record);
}

static void model_start(uint64_t seed)
{
    clock_virtual_start(1000);
    struct broker_options options = {.finished = seed % 2 == 0 ? drop_record : NULL};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    memset(&model, 0, sizeof(model));
    model.seed = model.state = seed;
    for (int i = 0; i < TUBES; i++) {
        ck_assert_int_eq(broker_use(broker, tube_names[i], strlen(tube_names[i]), &tubes[i]), 0);
        sinks[i] = engine_sink(broker, tube_names[i]);
    }
    ck_assert_int_eq(broker_sink_new(&sinks[TUBES], broker, "all", tube_names, TUBES), 0);
}

static void model_end(void)
{
    for (int i = 0; i < JOBS_MAX; i++)
        if (model.waits[i])
            SAME(broker_cancel(&waiters[i]), true);
    for (int i = 0; i <= TUBES; i++)
        broker_sink_free(&sinks[i]);
    for (int i = 0; i < TUBES; i++)
        broker_unuse(broker, &tubes[i]);
    broker_free(&broker);
    clock_virtual_stop();
}

static void model_run(uint64_t seed, uint64_t steps)
{
    // Puts and deletes balance, so that the places are sometimes all taken and sometimes all free.
    static void (*const commands[])(void) = {do_put,    do_put,  do_put,    do_put,    do_delete,
                                             do_take,   do_take, do_settle, do_settle, do_settle,
                                             do_settle, do_time, do_wait};
    model_start(seed);
    for (model.step = 0; model.step < steps; model.step++) {
        commands[random_below(sizeof(commands) / sizeof(commands[0]))]();
        check_job(any_place());
        check_counts();
    }
    model_end();
}

START_TEST(random_commands)
{
    uint64_t steps = engine_env("HILERA_MODEL_STEPS", 1500);
    uint64_t seed = engine_env("HILERA_MODEL_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)_i);
    model_run(seed == 0 ? 1 : seed, steps);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_model");
    TCase *random = tcase_create("random");
    tcase_add_loop_test(random, random_commands, 0, 4);
    suite_add_tcase(suite, random);
    return unit_main(suite);
}
