// SPDX-License-Identifier: MIT
// The broker against a model of it (broker_model.h): random commands of five connections and four
// consumers under the virtual clock, and after each one both must say the same. Expensive
// assertions are on, so the broker also checks itself each time it lets go of its lock. Two of the
// runs are without a journal, one with one that keeps nothing, and one with a disk and hardly any
// cache: the answers are the same.
//
// HILERA_MODEL_STEPS (of each of four runs) and HILERA_MODEL_SEED change length and run_seed; a
// failure names both.

#include "blocking.h"
#include "broker_compare.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS 50000 // 200,000 in all

const char *const tube_names[MODEL_TUBES] = {"default", "a", "b", "long/name.of;a$tube_(4)"};
struct broker *broker;
struct tube *tubes[MODEL_TUBES];
struct engine_conn conns[MODEL_CONNS];
bool fired[MODEL_JOBS];
uint64_t run_seed, run_step;

static struct broker_consumer *consumers[MODEL_TUBES];
static struct broker_waiter waiters[MODEL_JOBS];
static struct unit_random numbers;

static uint64_t random_below(uint64_t limit)
{
    return unit_random_below(&numbers, limit);
}

// Any place, also a free one.
static struct model_job *any_place(void)
{
    return &model.job[random_below(MODEL_JOBS)];
}

static int any_tube(void)
{
    return (int)random_below(MODEL_TUBES);
}

static uint32_t any_pri(void)
{
    return (uint32_t)random_below(4) * 700;
}

// A connection that may give a command, or -1.
static int any_conn(void)
{
    int conn = (int)random_below(MODEL_CONNS);
    return model.conn[conn].wait == MODEL_IDLE ? conn : -1;
}

static struct model_job *by_id(uint64_t id)
{
    for (int i = 0; i < MODEL_JOBS; i++)
        if (id != 0 && model.job[i].id == id)
            return &model.job[i];
    return NULL;
}

static void wait_fired(struct later *later)
{
    fired[CONTAINER_OF(later, struct broker_waiter, later) - waiters] = true;
}

// ---- jobs come ----

static void do_put(void)
{
    struct model_job *job = model_free_place();
    if (job == NULL || job->waited_for)
        return;
    int tube = any_tube();
    int64_t delay_ns = random_below(3) == 0 ? (int64_t)random_below(5) * HL_SECOND : 0;
    struct broker_put_spec spec = {.tube = tubes[tube],
                                   .pri = any_pri(),
                                   .delay_ns = delay_ns,
                                   .submitter = any_submitter(&numbers),
                                   .ttr_ns = (int64_t)random_below(6) * HL_SECOND};
    struct job_body *body = engine_body("body");
    uint64_t id;
    SAME(broker_put(broker, &spec, &body, &id), 0);
    SAME(id, ++model.last_id);
    *job = (struct model_job){.id = id,
                              .tube = tube,
                              .submitter = spec.submitter,
                              .pri = spec.pri,
                              .ttr_ns = spec.ttr_ns > 0 ? spec.ttr_ns : HL_SECOND,
                              .delay_ns = delay_ns,
                              .due_ns = clock_now_ns() + delay_ns,
                              .match_of = -1};
    model.put++;
    if (delay_ns > 0)
        job->state = JOB_DELAYED;
    else
        model_ready(job);
}

// ---- consumers ----

static void do_take(void)
{
    int tube = any_tube();
    struct model_job *job = model_best(&tube, 1);
    struct broker_lease lease;
    int rc = broker_take(consumers[tube], &lease, 0);
    SAME(rc, job != NULL ? 0 : ETIMEDOUT);
    if (rc != 0)
        return;
    SAME(lease.id, job->id);
    model_reserve(job, MODEL_NOBODY);
    job->token = lease.token;
    SAME(strcmp(lease.tube, tube_names[job->tube]), 0);
    broker_lease_fini(&lease);
}

static void do_settle(void)
{
    struct model_job *job = any_place();
    if (job->id != 0 && job->state == JOB_RESERVED && job->owner != MODEL_NOBODY)
        return;
    uint64_t token = random_below(4) != 0 ? job->token : job->token + 1;
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = (enum job_outcome_kind)random_below(JOB_OUTCOME_COUNT);
    outcome.rules = &model_rules;
    job_outcome_reason(&outcome, "%s", random_below(2) == 0 ? "a reason" : "");
    bool good = job->id != 0 && job->state == JOB_RESERVED && token == job->token;
    SAME(broker_settle(broker, job->id, token, &outcome), good ? 0 : ESTALE);
    job_outcome_fini(&outcome);
    if (!good)
        return;
    if (job->cancelled) {
        model.done += outcome.kind == JOB_OUTCOME_DONE;
        model.cancelled += outcome.kind != JOB_OUTCOME_DONE;
        model_remove(job);
    } else
        model_attempt_ends(job, outcome.kind);
}

static void do_cancel_job(void)
{
    const struct broker_change change = {.action = BROKER_DO_CANCEL, .reason = "a reason"};
    struct model_job *job = any_place();
    enum job_state state;
    int expected = job->id == 0 ? ENOENT : job->state == JOB_BURIED ? EBUSY : 0;
    const struct trust_view *asker = any_asker(&numbers, job, &expected);
    SAME(broker_apply_job(broker, asker, job->id, &change, &state, NULL), expected);
    if (expected != 0)
        return;
    if (job->state == JOB_RESERVED && job->owner == MODEL_NOBODY) {
        job->cancelled = true;
        return;
    }
    model.cancelled++;
    model_remove(job);
}

// ---- connections ----

// The broker's answer to a reserve, and the model's.
static void reserve_same(int rc, struct broker_lease *lease, int expected, struct model_job *job)
{
    SAME(rc, expected);
    if (rc != 0)
        return;
    SAME(lease->id, job->id);
    SAME(lease->attempt, job->reserves);
    SAME(lease->pri, job->pri);
    job->token = lease->token;
    job->match_of = -1;
    broker_lease_fini(lease);
}

static void do_reserve(void)
{
    int which = any_conn();
    if (which < 0)
        return;
    struct model_conn *conn = &model.conn[which];
    struct model_job *job;
    struct broker_lease lease;
    int64_t timeout_ns = (int64_t)random_below(4) * HL_SECOND;
    conn->with_token = random_below(3) == 0;
    conn->timeout_ns = clock_now_ns() + timeout_ns;
    model_asks(which);
    int expected = model_try_reserve(which, &job);
    int rc = broker_reserve(&conns[which].client, &conns[which].reserver, timeout_ns,
                            conn->with_token ? BROKER_WITH_TOKEN : 0, &lease);
    reserve_same(rc, &lease, expected, job);
}

static void do_finish(void)
{
    int which = (int)random_below(MODEL_CONNS);
    struct model_conn *conn = &model.conn[which];
    if (conn->wait != MODEL_MATCHED && conn->wait != MODEL_ENDED)
        return;
    struct broker_lease lease;
    struct model_job *job = by_id(conn->match_id);
    int expected = 0;
    if (conn->wait == MODEL_ENDED)
        expected = conn->end;
    else if (job == NULL || job->state != JOB_RESERVED || job->match_of != which)
        expected = model_try_reserve(which, &job);
    int rc = broker_reserve_finish(&conns[which].client, &lease);
    if (rc != EINPROGRESS)
        conn->wait = MODEL_IDLE;
    reserve_same(rc, &lease, expected, job);
}

static void do_cancel(void)
{
    int which = (int)random_below(MODEL_CONNS);
    bool waits = model.conn[which].wait == MODEL_WAITS;
    SAME(later_cancel(&conns[which].reserver.wait.later), waits);
    if (waits)
        model.conn[which].wait = MODEL_IDLE;
}

static void do_reserve_job(void)
{
    int which = any_conn();
    if (which < 0)
        return;
    struct model_job *job = any_place();
    bool with_token = random_below(3) == 0;
    bool good = job->id != 0 && job->state != JOB_RESERVED;
    struct broker_lease lease;
    model_asks(which);
    if (good) {
        model.kicked += job->state == JOB_BURIED;
        model_reserve(job, with_token ? MODEL_TOKENS : which);
    }
    int rc = broker_reserve_job(&conns[which].client, &trust_all, job->id,
                                with_token ? BROKER_WITH_TOKEN : 0, &lease);
    reserve_same(rc, &lease, good ? 0 : ENOENT, job);
}

// Chooses who speaks of which job, with which token (0: its own lease), and what must come of it.
static int speak(int *which, struct model_job **job, uint64_t *token)
{
    *which = any_conn();
    *job = any_place();
    bool leased = (*job)->id != 0 && (*job)->state == JOB_RESERVED;
    *token = leased && (*job)->owner == MODEL_TOKENS && random_below(4) != 0 ? (*job)->token : 0;
    if (random_below(8) == 0)
        *token = (*job)->token + 1;
    if (*token != 0)
        return leased && (*job)->owner == MODEL_TOKENS && *token == (*job)->token ? 0 : ESTALE;
    return leased && (*job)->owner == *which ? 0 : ENOENT;
}

static void do_release(void)
{
    int which;
    struct model_job *job;
    uint64_t token;
    int expected = speak(&which, &job, &token);
    if (which < 0)
        return;
    uint32_t pri = any_pri();
    int64_t delay_ns = (int64_t)random_below(3) * HL_SECOND;
    SAME(broker_release(&conns[which].client, &trust_all, job->id, token, pri, delay_ns), expected);
    if (expected != 0)
        return;
    job->pri = pri;
    job->releases++;
    model_delay(job, delay_ns);
}

static void do_bury(void)
{
    int which;
    struct model_job *job;
    uint64_t token;
    int expected = speak(&which, &job, &token);
    if (which < 0)
        return;
    uint32_t pri = any_pri();
    SAME(broker_bury(&conns[which].client, &trust_all, job->id, token, pri), expected);
    if (expected != 0)
        return;
    job->pri = pri;
    model_bury(job);
}

static void do_touch(void)
{
    int which;
    struct model_job *job;
    uint64_t token;
    int expected = speak(&which, &job, &token);
    if (which < 0)
        return;
    SAME(broker_touch(&conns[which].client, &trust_all, job->id, token), expected);
    if (expected == 0)
        job->due_ns = clock_now_ns() + job->ttr_ns;
}

static void do_delete(void)
{
    int which;
    struct model_job *job;
    uint64_t token;
    int expected = speak(&which, &job, &token);
    if (which < 0)
        return;
    const struct trust_view *asker = &trust_all;
    if (token == 0 && job->id != 0 && job->state != JOB_RESERVED) {
        expected = 0; // whoever may edit
        asker = any_asker(&numbers, job, &expected);
    }
    SAME(broker_client_delete(&conns[which].client, asker, job->id, token), expected);
    if (expected != 0)
        return;
    model.done += job->state == JOB_RESERVED; // who has it says so
    model.deleted += job->state == JOB_READY || job->state == JOB_DELAYED;
    model.deletes++;
    model_remove(job);
}

static void do_watch(void)
{
    int which = any_conn(), tube = any_tube(), at = 0;
    if (which < 0)
        return;
    struct model_conn *conn = &model.conn[which];
    const char *name = tube_names[tube];
    size_t count;
    while (at < conn->watch_count && conn->watched[at] != tube)
        at++;
    if (random_below(2) == 0) {
        SAME(broker_watch(&conns[which].client, name, strlen(name), &count), 0);
        if (at == conn->watch_count)
            conn->watched[conn->watch_count++] = tube;
    } else {
        bool last = at < conn->watch_count && conn->watch_count == 1;
        SAME(broker_ignore(&conns[which].client, name, strlen(name), &count), last ? EBUSY : 0);
        if (!last && at < conn->watch_count)
            conn->watched[at] = conn->watched[--conn->watch_count];
    }
    SAME(count, conn->watch_count);
    for (size_t i = 0; i < count; i++)
        SAME(strcmp(broker_watch_name(&conns[which].client, i), tube_names[conn->watched[i]]), 0);
}

static void do_disconnect(void)
{
    int which = (int)random_below(MODEL_CONNS);
    if (random_below(8) != 0)
        return;
    struct model_conn *conn = &model.conn[which];
    enum model_wait was = conn->wait;
    struct model_job *job = by_id(conn->match_id);
    conn->wait = MODEL_IDLE;
    // A token that nobody was told of goes first, then its leases, the best job first.
    if (was == MODEL_MATCHED && conn->with_token && job != NULL && job->match_of == which)
        model_give_back(job);
    while ((job = model_best_lease(which)) != NULL) {
        job->losses++;
        model_give_back(job);
    }
    SAME(engine_conn_fini(&conns[which]), was == MODEL_IDLE || was == MODEL_WAITS);
    engine_conn_init(&conns[which], broker);
    model_connect(which);
}

// ---- tubes ----

static void do_kick(void)
{
    int tube = any_tube();
    uint64_t count = random_below(4), kicked, expected = 0;
    enum job_state from = model_first(tube, JOB_BURIED) != NULL ? JOB_BURIED : JOB_DELAYED;
    struct model_job *job;
    while (expected < count && (job = model_first(tube, from)) != NULL) {
        expected++;
        job->kicks++;
        model.kicked += from == JOB_BURIED;
        model_ready(job);
    }
    SAME(broker_kick(broker, tubes[tube], count, &kicked), 0);
    SAME(kicked, expected);
}

static void do_kick_job(void)
{
    struct model_job *job = any_place();
    int expected = job->state == JOB_BURIED || job->state == JOB_DELAYED ? 0 : ENOENT;
    expected = job->id != 0 ? expected : ENOENT;
    const struct trust_view *asker = any_asker(&numbers, job, &expected);
    SAME(broker_kick_job(broker, asker, job->id), expected);
    if (expected != 0)
        return;
    job->kicks++;
    model.kicked += job->state == JOB_BURIED;
    model_ready(job);
}

static void do_pause(void)
{
    int tube = any_tube();
    if (random_below(3) != 0)
        return;
    int64_t pause_ns = (int64_t)random_below(4) * HL_SECOND;
    SAME(broker_pause(broker, &trust_all, tube_names[tube], strlen(tube_names[tube]), pause_ns), 0);
    if (pause_ns == 0)
        model_resume(tube);
    else
        model.pause_end_ns[tube] = clock_now_ns() + pause_ns;
}

static void do_clear(void)
{
    int tube = any_tube();
    if (random_below(10) != 0)
        return;
    uint64_t cleared, expected = 0;
    for (int i = 0; i < MODEL_JOBS; i++) {
        struct model_job *job = &model.job[i];
        if (job->id == 0 || job->tube != tube || job->state == JOB_RESERVED)
            continue;
        expected++;
        model.deleted += job->state != JOB_BURIED;
        model.deletes++;
        model_remove(job);
    }
    SAME(broker_clear(broker, tube_names[tube], strlen(tube_names[tube]), &cleared), 0);
    SAME(cleared, expected);
}

static void do_move(void)
{
    struct model_job *job = any_place();
    int to = any_tube();
    int expected = job->id != 0 && job->state != JOB_RESERVED ? 0 : ENOENT;
    const struct trust_view *asker = any_asker(&numbers, job, &expected);
    SAME(broker_move(broker, asker, job->id, tube_names[to], strlen(tube_names[to])), expected);
    if (expected != 0 || job->tube == to)
        return;
    job->tube = to;
    if (job->state == JOB_READY)
        model_ready(job);
}

// ---- time, waiting for the end ----

static void do_time(void)
{
    clock_virtual_advance((int64_t)random_below(1500) * 1000000);
    int64_t expected = model_due();
    SAME(broker_due(broker), expected);
}

static void do_wait(void)
{
    struct model_job *job = any_place();
    size_t place = (size_t)(job - model.job);
    if (job->waited_for) {
        SAME(later_cancel(&waiters[place].later), !job->ended);
        job->waited_for = job->ended = fired[place] = false;
        return;
    }
    waiters[place].later.fire = wait_fired;
    int rc = broker_wait_async(broker, &trust_all, job->id, &waiters[place]);
    SAME(rc, job->id == 0 ? ENOENT : 0);
    if (rc == 0 && job->state == JOB_BURIED) {
        SAME(fired[place], true);
        fired[place] = false;
    } else if (rc == 0)
        job->waited_for = true;
}

enum { RUN_PLAIN, RUN_PLAIN_TOO, RUN_MEMORY_JOURNAL, RUN_DISK };

static struct durable durable;

static void journal_start(int kind, const struct broker_options *options)
{
    disk_start();
    durable_init(&durable);
    durable.options = *options;
    if (kind == RUN_MEMORY_JOURNAL)
        durable.settings.directory = NULL;
    else
        durable.log.cache_size = 20;
    durable_again(&durable);
    broker = durable.broker;
}

static void journal_end(void)
{
    broker = NULL;
    ck_assert_int_eq(durable_close(&durable), 0);
    disk_stop();
}

// Commits and compacts now and then.
static void journal_step(void)
{
    if (random_below(10) != 0)
        return;
    durable_commit(&durable);
    (void)broker_compact(broker);
}

static void run_start(int kind)
{
    clock_virtual_start(1000);
    struct broker_options options = {.ended = run_seed % 2 == 0 ? engine_ends_drop : NULL};
    if (kind < RUN_MEMORY_JOURNAL)
        ck_assert_int_eq(broker_new(&broker, &options), 0);
    else
        journal_start(kind, &options);
    model_init();
    memset(fired, 0, sizeof(fired)); // of the run before, where Check does not fork
    numbers = unit_random_seed(run_seed);
    for (int i = 0; i < MODEL_TUBES; i++) {
        ck_assert_int_eq(broker_use(broker, tube_names[i], strlen(tube_names[i]), &tubes[i]), 0);
        consumers[i] = engine_consumer(broker, tube_names[i]);
    }
    for (int i = 0; i < MODEL_CONNS; i++)
        engine_conn_init(&conns[i], broker);
}

static void run_end(int kind)
{
    for (int i = 0; i < MODEL_JOBS; i++)
        if (model.job[i].waited_for)
            SAME(later_cancel(&waiters[i].later), !model.job[i].ended);
    for (int i = 0; i < MODEL_CONNS; i++)
        (void)engine_conn_fini(&conns[i]);
    for (int i = 0; i < MODEL_TUBES; i++) {
        broker_consumer_free(&consumers[i]);
        broker_unuse(broker, &tubes[i]);
    }
    if (kind < RUN_MEMORY_JOURNAL)
        broker_free(&broker);
    else
        journal_end();
    clock_virtual_stop();
}

START_TEST(random_commands)
{
    // Puts and deletes balance, so that the places are sometimes all taken and sometimes all free.
    static void (*const commands[])(void) = {
        do_put,    do_put,    do_put,     do_put,     do_put,         do_put,       do_take,
        do_settle, do_settle, do_reserve, do_reserve, do_reserve,     do_finish,    do_finish,
        do_finish, do_cancel, do_release, do_release, do_reserve_job, do_bury,      do_touch,
        do_delete, do_delete, do_watch,   do_kick,    do_kick_job,    do_pause,     do_clear,
        do_move,   do_time,   do_time,    do_wait,    do_disconnect,  do_cancel_job};
    uint64_t steps = engine_env("HILERA_MODEL_STEPS", (uint64_t)unit_rounds(STEPS));
    run_seed = engine_env("HILERA_MODEL_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)_i);
    if (run_seed == 0)
        run_seed = 1;
    printf("# model seed %llu, %llu steps\n", (unsigned long long)run_seed,
           (unsigned long long)steps);
    run_start(_i);
    for (run_step = 0; run_step < steps; run_step++) {
        clock_virtual_advance(1 + (int64_t)random_below(1000));
        SAME(broker_due(broker), model_due());
        commands[random_below(sizeof(commands) / sizeof(commands[0]))]();
        compare_job(any_place());
        compare_tube(any_tube());
        compare_counts();
        if (_i >= RUN_MEMORY_JOURNAL)
            journal_step();
    }
    run_end(_i);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_model");
    TCase *random = tcase_create("random");
    tcase_set_timeout(random, 0); // as long as the steps asked for take
    tcase_add_loop_test(random, random_commands, 0, 4);
    suite_add_tcase(suite, random);
    return unit_main(suite);
}
