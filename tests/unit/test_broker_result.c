// SPDX-License-Identifier: MIT
// Results that the journal keeps until history has them: after a kill and after a power loss each
// is handed over once, under its number, until it is durable elsewhere; through compaction too.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define OUTPUT "what it printed"
#define FOUND_MAX 64

static struct durable durable;
static struct broker_consumer *consumer;
static struct unit_random chance;

// A history of which nothing is on the disk but what `last` says.
static struct {
    uint64_t number, last;
    size_t count; // of those that came after the start
    struct job_record *found[FOUND_MAX];
    uint64_t numbers[FOUND_MAX];
} past;

static void past_offer(struct list *ends, void *arg)
{
    struct job_end *end;
    ck_assert_ptr_eq(arg, &past);
    for (; (end = engine_end_pop(ends)) != NULL; job_end_unref(&end)) {
        ck_assert_uint_gt(end->number, past.number);
        past.number = end->number;
    }
}

static void past_found(uint64_t number, struct job_record **record, void *arg)
{
    ck_assert_ptr_eq(arg, &durable);
    ck_assert_uint_lt(past.count, FOUND_MAX);
    ck_assert_uint_gt(number, past.last);
    if (past.count > 0)
        ck_assert_uint_gt(number, past.numbers[past.count - 1]);
    past.numbers[past.count] = number;
    past.found[past.count++] = *record;
    past.number = number > past.number ? number : past.number;
    *record = NULL;
}

static void past_clear(void)
{
    while (past.count > 0)
        job_record_unref(&past.found[--past.count]);
}

static void start(void)
{
    past_clear();
    past.number = 0;
    durable.options.last_result = past.last;
    durable_again(&durable);
    consumer = engine_consumer(durable.broker, "t");
}

static void setup(void)
{
    chance = unit_random_seed(7);
    memset(&past, 0, sizeof(past));
    durable_prepare(&durable, NULL);
    durable.options.ended = past_offer;
    durable.options.records_arg = &past;
    durable.log.result_found = past_found;
    start();
}

static void teardown(void)
{
    broker_consumer_free(&consumer);
    durable_end(&durable, NULL);
    past_clear();
}

static void die(bool power)
{
    broker_consumer_free(&consumer);
    durable_kill(&durable, power ? &chance : NULL);
    start();
}

static struct store_stats log_stats(void)
{
    struct store_stats stats;
    broker_store_stats(durable.broker, &stats);
    return stats;
}

static void take(uint64_t id, struct broker_lease *lease)
{
    ck_assert_uint_eq(engine_take(consumer, lease), id);
}

static int settle_with(struct broker_lease *lease, enum job_outcome_kind kind, const char *output)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = kind;
    outcome.exit_status = kind == JOB_OUTCOME_DONE ? 0 : 3;
    outcome.started_ns = clock_now_ns() - HL_SECOND;
    outcome.ended_ns = clock_now_ns();
    ck_assert_int_eq(buf_append_str(&outcome.out, output), 0);
    int rc = broker_settle(durable.broker, lease->id, lease->token, &outcome);
    job_outcome_fini(&outcome);
    broker_lease_fini(lease);
    return rc;
}

// Put, taken, and ended so.
static uint64_t ended(enum job_outcome_kind kind)
{
    struct broker_lease lease;
    uint64_t id = engine_put(durable.broker, "t", 5, 0, "x");
    take(id, &lease);
    ck_assert_int_eq(settle_with(&lease, kind, OUTPUT), 0);
    return id;
}

static void found_is(size_t at, uint64_t number, uint64_t id, enum job_outcome_kind kind)
{
    ck_assert_uint_lt(at, past.count);
    const struct job_record *record = past.found[at];
    ck_assert_uint_eq(past.numbers[at], number);
    ck_assert_uint_eq(record->id, id);
    ck_assert_int_eq(record->kind, kind);
    ck_assert_str_eq(record->tube, "t");
    ck_assert_str_eq(record->out, OUTPUT);
    ck_assert_uint_eq(record->out_len, strlen(OUTPUT));
    ck_assert_int_eq(record->duration_ns, HL_SECOND);
}

static bool gone(uint64_t id)
{
    struct job_view seen;
    return broker_peek(durable.broker, &trust_all, id, &seen, NULL) == ENOENT;
}

START_TEST(a_crash_costs_no_result)
{
    bool power = _i == 1;
    uint64_t one = ended(JOB_OUTCOME_DONE), other = ended(JOB_OUTCOME_FAILED);
    durable_commit(&durable);
    ck_assert_uint_eq(log_stats().results, 2);
    for (int i = 0; i < 3; i++) { // a crash before history has them changes nothing
        die(power);
        ck_assert_uint_eq(past.count, 2);
        ck_assert_uint_eq(durable.recovered.results, 2);
        found_is(0, 1, one, JOB_OUTCOME_DONE);
        found_is(1, 2, other, JOB_OUTCOME_FAILED);
        ck_assert_int_eq(past.found[1]->exit_status, 3);
        ck_assert(gone(one));
        ck_assert_int_eq(engine_view(durable.broker, other).state, JOB_BURIED);
        ck_assert_uint_eq(log_stats().results, 2);
    }
    uint64_t third = ended(JOB_OUTCOME_DONE);
    durable_commit(&durable);
    past.last = 2;
    die(power);
    ck_assert_uint_eq(past.count, 1);
    found_is(0, 3, third, JOB_OUTCOME_DONE);
    past.last = 3;
    die(power);
    ck_assert_uint_eq(past.count, 0);
    ck_assert_uint_eq(durable.recovered.jobs, 1);
}
END_TEST

// What is written and not synced may be lost in part; a job that is gone has a result all the same.
START_TEST(none_is_gone_without)
{
    enum { JOBS = 24 };
    bool has[JOBS + 1] = {false};
    for (int i = 0; i < JOBS; i++)
        (void)engine_put(durable.broker, "t", 5, 0, "x");
    durable_commit(&durable);
    ck_assert_int_eq(
        broker_tube_durability(durable.broker, "t", 1, DURABILITY_INTERVAL, 100 * HL_SECOND), 0);
    for (uint64_t id = 1; id <= JOBS; id++) {
        struct broker_lease lease;
        take(id, &lease);
        ck_assert_int_eq(settle_with(&lease, JOB_OUTCOME_DONE, OUTPUT), 0);
        durable_commit(&durable); // which writes
    }
    chance = unit_random_seed((uint64_t)_i);
    die(true);
    for (size_t i = 0; i < past.count; i++) {
        ck_assert(!has[past.found[i]->id]);
        has[past.found[i]->id] = true;
    }
    for (uint64_t id = 1; id <= JOBS; id++)
        ck_assert(!gone(id) || has[id]);
}
END_TEST

START_TEST(what_history_has_is_let_go)
{
    uint64_t before = log_stats().live_bytes;
    for (int i = 0; i < 10; i++)
        (void)ended(JOB_OUTCOME_DONE);
    durable_commit(&durable);
    ck_assert_uint_eq(log_stats().results, 10);
    ck_assert_uint_gt(log_stats().live_bytes, before + 10 * strlen(OUTPUT));
    broker_results_durable(durable.broker, 7);
    ck_assert_uint_eq(log_stats().results, 3);
    broker_results_durable(durable.broker, 5); // nothing falls
    ck_assert_uint_eq(log_stats().results, 3);
    broker_results_durable(durable.broker, 10);
    ck_assert_uint_eq(log_stats().live_bytes, before);
}
END_TEST

// Segments go while results in them live, and when they don't any more.
START_TEST(compaction_keeps_them)
{
    static char text[1001];
    memset(text, 'x', sizeof(text) - 1);
    uint64_t first = ended(JOB_OUTCOME_DONE), lost = ended(JOB_OUTCOME_FAILED);
    broker_results_durable(durable.broker, 0);
    for (int i = 0; i < 1500; i++) {
        uint64_t id = engine_put(durable.broker, "u", 5, 0, text);
        durable_commit(&durable);
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    }
    durable_commit(&durable);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_uint_gt(log_stats().copied, 1);
    durable_commit(&durable);
    die(_i == 1);
    ck_assert_uint_eq(past.count, 2);
    found_is(0, 1, first, JOB_OUTCOME_DONE);
    found_is(1, 2, lost, JOB_OUTCOME_FAILED);
    broker_results_durable(durable.broker, 2);
    for (int i = 0; i < 1500; i++) {
        uint64_t id = engine_put(durable.broker, "u", 5, 0, text);
        durable_commit(&durable);
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    }
    ck_assert_uint_gt(durable_compact(&durable), 0);
    durable_commit(&durable);
    die(_i == 1); // history is asked for what it has: nothing of them is left here
    ck_assert_uint_eq(past.count, 0);
}
END_TEST

START_TEST(a_second_life)
{
    uint64_t id = ended(JOB_OUTCOME_FAILED);
    const struct broker_change kick = {.action = BROKER_DO_KICK};
    enum job_state state;
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &kick, &state, NULL), 0);
    struct broker_lease lease;
    take(id, &lease);
    ck_assert_int_eq(settle_with(&lease, JOB_OUTCOME_DONE, OUTPUT), 0);
    durable_commit(&durable);
    die(false);
    ck_assert_uint_eq(past.count, 2);
    found_is(0, 1, id, JOB_OUTCOME_FAILED);
    found_is(1, 2, id, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(past.found[1]->reserves, 2);
    ck_assert_uint_eq(past.found[1]->earlier_count, 1);
    ck_assert(gone(id));
}
END_TEST

// The record of a burial counts what the job counts afterwards.
START_TEST(a_burial_counts_itself)
{
    uint64_t id = ended(JOB_OUTCOME_FAILED);
    const struct broker_change kick = {.action = BROKER_DO_KICK};
    enum job_state state;
    struct broker_lease lease;
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &kick, &state, NULL), 0);
    take(id, &lease);
    ck_assert_int_eq(settle_with(&lease, JOB_OUTCOME_FAILED, OUTPUT), 0);
    ck_assert_uint_eq(engine_view(durable.broker, id).buries, 2);
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &kick, &state, NULL), 0);
    take(id, &lease);
    ck_assert_int_eq(settle_with(&lease, JOB_OUTCOME_DONE, OUTPUT), 0);
    durable_commit(&durable);
    die(false);
    ck_assert_uint_eq(past.count, 3);
    ck_assert_uint_eq(past.found[0]->buries, 1);
    ck_assert_uint_eq(past.found[1]->buries, 2);
    ck_assert_uint_eq(past.found[2]->buries, 2);
}
END_TEST

static void told(uint64_t id, uint64_t token, void *arg)
{
    (void)id;
    (void)token;
    (void)arg;
}

START_TEST(cancelled_ones_too)
{
    static const struct broker_consumer_hooks hooks = {.cancel = told};
    broker_consumer_set_hooks(consumer, &hooks, NULL);
    const struct broker_change cancel = {.action = BROKER_DO_CANCEL, .reason = "by a test"};
    enum job_state state;
    struct broker_lease lease;
    uint64_t ready = engine_put(durable.broker, "t", 5, 0, "x");
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, ready, &cancel, &state, NULL), 0);
    uint64_t running = engine_put(durable.broker, "t", 5, 0, "x");
    take(running, &lease);
    durable_commit(&durable);
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, running, &cancel, &state, NULL),
                     0);
    ck_assert_int_eq(settle_with(&lease, JOB_OUTCOME_RETURNED, OUTPUT), 0);
    durable_commit(&durable);
    die(false);
    ck_assert_uint_eq(past.count, 2);
    ck_assert_uint_eq(past.found[0]->id, ready);
    ck_assert_str_eq(past.found[0]->reason, "by a test");
    found_is(1, 2, running, JOB_OUTCOME_CANCELLED);
    ck_assert_uint_eq(durable.recovered.jobs, 0);
}
END_TEST

// Nothing is kept for history where it wants nothing, or in memory.
START_TEST(what_is_not_kept)
{
    ck_assert_int_eq(broker_tube_durability(durable.broker, "t", 1, DURABILITY_MEMORY, 0), 0);
    (void)ended(JOB_OUTCOME_DONE);
    ck_assert_uint_eq(log_stats().results, 0);
    ck_assert_int_eq(broker_tube_durability(durable.broker, "t", 1, DURABILITY_COMMIT, 0), 0);
    (void)ended(JOB_OUTCOME_DONE);
    ck_assert_uint_eq(log_stats().results, 1);
    durable_commit(&durable);
    durable.log.result_found = NULL;
    die(false);
    ck_assert_uint_eq(past.count, 0);
    (void)ended(JOB_OUTCOME_DONE);
    ck_assert_uint_eq(log_stats().results, 0);
    ck_assert_uint_eq(log_stats().live_bytes, 0);
}
END_TEST

// A full disk costs the result its second place, and nothing else.
START_TEST(a_full_disk_leaves_them_out)
{
    struct broker_lease lease;
    uint64_t id = engine_put(durable.broker, "t", 5, 0, "x"), fill = 0;
    durable_commit(&durable);
    take(id, &lease);
    disk_space(disk_used());
    static char text[4001];
    memset(text, 'x', sizeof(text) - 1);
    int rc;
    while ((rc = engine_put_rc(durable.broker, "u", text)) == 0) {
        ck_assert_uint_lt(++fill, 10000);
        durable_commit(&durable);
    }
    ck_assert_int_eq(rc, ENOSPC);
    ck_assert_int_eq(settle_with(&lease, JOB_OUTCOME_DONE, text), 0);
    ck_assert_uint_eq(log_stats().results, 0);
    ck_assert_uint_eq(log_stats().results_untied, 1);
    durable_commit(&durable);
    ck_assert(gone(id));
    die(false);
    ck_assert_uint_eq(past.count, 0);
    ck_assert(gone(id));
}
END_TEST

// The job never reaches the disk; its result does.
START_TEST(a_job_that_was_never_written)
{
    broker_consumer_harmless(consumer); // else the take writes it
    uint64_t id = ended(JOB_OUTCOME_DONE);
    durable_commit(&durable);
    struct store_stats stats = log_stats();
    ck_assert_uint_ge(stats.commit.cancelled, 2); // the put and the delete
    die(false);
    found_is(0, 1, id, JOB_OUTCOME_DONE);
    ck_assert_uint_gt(engine_put(durable.broker, "t", 5, 0, "x"), id);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_result");
    TCase *all = tcase_create("result");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_loop_test(all, a_crash_costs_no_result, 0, 2);
    tcase_add_loop_test(all, none_is_gone_without, 0, 20);
    tcase_add_test(all, what_history_has_is_let_go);
    tcase_add_loop_test(all, compaction_keeps_them, 0, 2);
    tcase_add_test(all, a_second_life);
    tcase_add_test(all, a_burial_counts_itself);
    tcase_add_test(all, cancelled_ones_too);
    tcase_add_test(all, what_is_not_kept);
    tcase_add_test(all, a_full_disk_leaves_them_out);
    tcase_add_test(all, a_job_that_was_never_written);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
