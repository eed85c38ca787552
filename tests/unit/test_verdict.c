// SPDX-License-Identifier: MIT
// A program that can't be started since its user has too many processes: it is tried again for
// long, but not longer than the rules of its pool say.

#include "durable.h"

#include "base/clock.h"
#include "worker/program_priv.h"

#include <errno.h>

static struct durable durable;
static struct broker_consumer *consumer;
static struct engine_records records;

static void setup(void)
{
    durable_begin(&durable, &records);
    consumer = engine_consumer(durable.broker, "t");
}

static void teardown(void)
{
    broker_consumer_free(&consumer);
    durable_end(&durable, &records);
}

static uint64_t put(void)
{
    return engine_put(durable.broker, "t", 5, 0, "x");
}

// Takes the only job, which doesn't start; whether it is buried then.
static bool fails(uint64_t id, const struct job_rules *pool)
{
    struct broker_lease lease;
    struct job_outcome outcome;
    struct handler_call call = {.lease = &lease, .outcome = &outcome};
    const struct spawn_news news = {.step = SPAWN_STEP_fork, .error = EAGAIN, .own = true};
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    job_outcome_init(&outcome);
    outcome.started_ns = outcome.ended_ns = clock_now_ns();
    outcome.rules = pool;
    verdict_no_start(&call, &news, "/bin/true");
    ck_assert_int_eq(outcome.kind, JOB_OUTCOME_CRASHED);
    ck_assert_int_eq(broker_settle(durable.broker, lease.id, lease.token, &outcome), 0);
    broker_lease_fini(&lease);
    job_outcome_fini(&outcome);
    struct job_view view = engine_view(durable.broker, id);
    clock_virtual_advance(view.time_left_ns);
    (void)broker_due(durable.broker);
    return view.state == JOB_BURIED;
}

START_TEST(it_is_tried_twenty_times)
{
    uint64_t id = put();
    for (int i = 1; i < 20; i++)
        ck_assert(!fails(id, NULL));
    ck_assert(fails(id, NULL));
}
END_TEST

START_TEST(the_rules_of_the_pool_go_first)
{
    const struct job_rules few = {.set = JOB_RULE_CRASHES, .crashes = 2};
    uint64_t id = put();
    ck_assert(!fails(id, &few));
    ck_assert(fails(id, &few));
    const struct job_rules young = {.set = JOB_RULE_MAX_AGE, .max_age_ns = HL_SECOND};
    id = put();
    ck_assert(!fails(id, &young));
    clock_virtual_advance(2 * HL_SECOND);
    ck_assert(fails(id, &young));
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("verdict");
    TCase *all = tcase_create("no start");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, it_is_tried_twenty_times);
    tcase_add_test(all, the_rules_of_the_pool_go_first);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
