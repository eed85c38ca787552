// SPDX-License-Identifier: MIT
// Operations in batches: whatever way the same operations are split into holds of the lock, they
// end
// the same.

#include "blocking.h"
#include "engine.h"
#include "unit_random.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define STEPS 20000
#define SIDES 2 // one runs each alone

struct side {
    struct broker *broker;
    struct tube *tubes[3];
    struct engine_conn conn;
    struct broker_op op[BROKER_RUN_MAX];
    unsigned count;
    int answers[STEPS];
    unsigned answered;
};

static const char *const names[] = {"a", "b", "c"};
static struct side sides[SIDES];
static struct unit_random numbers;

static void setup(void)
{
    const struct broker_options options = {.tube_jobs_max = 300, .jobs_max = 600};
    memset(sides, 0, sizeof(sides));
    clock_virtual_start(HL_SECOND);
    numbers = unit_random_seed(UINT64_C(0xba7c4));
    for (size_t i = 0; i < SIDES; i++) {
        ck_assert_int_eq(broker_new(&sides[i].broker, &options), 0);
        engine_conn_init(&sides[i].conn, sides[i].broker);
        for (size_t k = 0; k < 3; k++)
            ck_assert_int_eq(broker_use(sides[i].broker, names[k], 1, &sides[i].tubes[k]), 0);
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < SIDES; i++) {
        (void)engine_conn_fini(&sides[i].conn);
        for (size_t k = 0; k < 3; k++)
            broker_unuse(sides[i].broker, &sides[i].tubes[k]);
        broker_free(&sides[i].broker);
    }
    clock_virtual_stop();
}

static void note(struct side *side, struct broker_op *op, int rc)
{
    side->answers[side->answered++] = rc;
    broker_op_fini(op);
}

static void run(struct side *side)
{
    struct broker_op *ops[BROKER_RUN_MAX];
    for (unsigned i = 0; i < side->count; i++)
        ops[i] = &side->op[i];
    ck_assert_uint_eq(broker_run_some(side->broker, ops, side->count), side->count);
    for (unsigned i = 0; i < side->count; i++)
        note(side, ops[i], ops[i]->rc);
    side->count = 0;
}

struct step {
    enum broker_verb verb;
    uint64_t id;
    uint32_t number;
    unsigned tube;
};

static void put_make(struct side *side, struct broker_op *op, const struct step *step)
{
    struct job_body *body = engine_body("body");
    const struct broker_put_spec spec = {.submitter = JOB_NOBODY,
                                         .tube = side->tubes[step->tube],
                                         .pri = step->number,
                                         .delay_ns = step->number % 3 == 0 ? HL_SECOND : 0,
                                         .ttr_ns = 60 * HL_SECOND};
    ck_assert_int_eq(broker_op_put(op, side->broker, &spec, &body), 0);
}

static void op_make(struct side *side, struct broker_op *op, const struct step *step)
{
    if (step->verb == BROKER_PUT) {
        put_make(side, op, step);
        return;
    }
    broker_op_init(op, step->verb, step->id, 0);
    op->client = &side->conn.client;
    op->asker = &trust_all;
    if (step->verb == BROKER_MOVE || step->verb == BROKER_PAUSE) {
        op->tube.name = names[step->tube];
        op->tube.len = 1;
        op->tube.pause_ns = step->number % 2 * HL_SECOND;
    } else {
        op->back.pri = step->number;
        op->back.delay_ns = step->number % 3 * HL_SECOND;
    }
}

static struct step any_step(uint64_t known)
{
    static const enum broker_verb verbs[] = {
        BROKER_PUT,   BROKER_PUT,  BROKER_PUT,     BROKER_DELETE, BROKER_KICK,  BROKER_MOVE,
        BROKER_PAUSE, BROKER_BURY, BROKER_RELEASE, BROKER_TOUCH,  BROKER_DELETE};
    return (struct step){.verb =
                             verbs[unit_random_below(&numbers, sizeof(verbs) / sizeof(verbs[0]))],
                         .id = 1 + unit_random_below(&numbers, known + 1),
                         .number = (uint32_t)unit_random_below(&numbers, 9),
                         .tube = (unsigned)unit_random_below(&numbers, 3)};
}

// Both reserve the same job, or none.
static void both_reserve(uint64_t id)
{
    struct broker_lease lease;
    int rc[SIDES];
    for (size_t i = 0; i < SIDES; i++) {
        run(&sides[i]);
        rc[i] = broker_reserve_job(&sides[i].conn.client, &trust_all, id, 0, &lease);
        if (rc[i] == 0)
            broker_lease_fini(&lease);
    }
    ck_assert_int_eq(rc[0], rc[1]);
}

static void same_jobs(uint64_t last)
{
    for (uint64_t id = 1; id <= last; id++) {
        struct job_view view[SIDES];
        int rc[SIDES];
        for (size_t i = 0; i < SIDES; i++)
            rc[i] = broker_peek(sides[i].broker, &trust_all, id, &view[i], NULL);
        ck_assert_int_eq(rc[0], rc[1]);
        if (rc[0] != 0)
            continue;
        ck_assert_int_eq(view[0].state, view[1].state);
        ck_assert_uint_eq(view[0].pri, view[1].pri);
        ck_assert_str_eq(view[0].tube, view[1].tube);
        ck_assert_uint_eq(view[0].releases, view[1].releases);
        ck_assert_uint_eq(view[0].buries, view[1].buries);
    }
}

START_TEST(any_split_ends_the_same)
{
    uint64_t puts = 0;
    unsigned most = 1;
    for (unsigned i = 0; i < STEPS; i++) {
        struct step step = any_step(puts);
        puts += step.verb == BROKER_PUT;
        op_make(&sides[0], &sides[0].op[0], &step);
        note(&sides[0], &sides[0].op[0], broker_run(sides[0].broker, &sides[0].op[0]));
        op_make(&sides[1], &sides[1].op[sides[1].count++], &step);
        if (sides[1].count == most) {
            run(&sides[1]);
            most = 1 + (unsigned)unit_random_below(&numbers, 16);
        }
        if (unit_random_below(&numbers, 20) == 0)
            both_reserve(step.id);
        if (unit_random_below(&numbers, 100) == 0) {
            run(&sides[1]);
            clock_virtual_advance(HL_SECOND);
            for (size_t k = 0; k < SIDES; k++)
                (void)broker_due(sides[k].broker);
        }
    }
    run(&sides[1]);
    ck_assert_uint_eq(sides[0].answered, sides[1].answered);
    ck_assert_mem_eq(sides[0].answers, sides[1].answers, sides[0].answered * sizeof(int));
    same_jobs(puts);
}
END_TEST

START_TEST(nothing_is_a_batch)
{
    ck_assert_uint_eq(broker_run_some(sides[0].broker, NULL, 0), 0);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, any_split_ends_the_same);
    tcase_add_test(tcase, nothing_is_a_batch);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
