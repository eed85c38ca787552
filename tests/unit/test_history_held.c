// SPDX-License-Identifier: MIT
// History's file is never ahead of the journal: a record is held, and what is behind it, until the
// journal has reached the ticket of its end. The journal commits when the test says so.

#include "history_kit.h"

#include "base/clock.h"
#include "durable.h"

#include <errno.h>
#include <string.h>

static struct durable durable;
static struct broker_consumer *consumer;
static hl_event *wanted; // set when history waits for a ticket
static bool leads;       // history's wants are met

static void published(void *arg)
{
    (void)arg;
    if (kit.history != NULL)
        history_reached(kit.history);
}

static void found(uint64_t number, struct job_record **record, void *arg)
{
    (void)arg;
    ck_assert_int_eq(history_restore(kit.history, number, record), 0);
}

static int reached(const struct ticket *ticket, void *arg)
{
    (void)arg;
    return broker_ticket_state(durable.broker, ticket);
}

static void want(const struct ticket *ticket, void *arg)
{
    (void)arg;
    ck_assert(!ticket_is_none(ticket));
    if (leads)
        broker_lead_elsewhere(durable.broker, ticket);
    hl_event_set(wanted);
}

static void start(void)
{
    db_open();
    durable.options.last_result = history_last(kit.history);
    durable_again(&durable);
    consumer = engine_consumer(durable.broker, "t");
}

static void level(enum durability level, int64_t interval_ns)
{
    ck_assert_int_eq(broker_tube_durability(durable.broker, "t", 1, level, interval_ns), 0);
}

static void setup(void)
{
    leads = false;
    ck_assert_int_eq(hl_event_new(&wanted, "wanted"), 0);
    db_up();
    kit.settings.reached = reached;
    kit.settings.want = want;
    durable_prepare(&durable, NULL);
    durable.options.ended = db_offer;
    durable.options.ended_after = db_take_in;
    durable.log.published = published;
    durable.log.result_found = found;
}

static void teardown(void)
{
    broker_consumer_free(&consumer);
    if (durable.broker != NULL) {
        (void)broker_stop(durable.broker);
        db_close();
        broker_free(&durable.broker);
        (void)journal_close(&durable.journal);
    }
    durable_end(&durable, NULL);
    db_down();
    hl_event_free(&wanted);
}

// History goes first: it asks the broker.
static void die(void)
{
    broker_consumer_free(&consumer);
    db_close();
    durable_kill(&durable, NULL);
    start();
}

static void end_as(uint64_t id, enum job_outcome_kind kind)
{
    struct broker_lease lease;
    struct job_outcome outcome;
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    job_outcome_init(&outcome);
    outcome.kind = kind;
    outcome.started_ns = clock_now_ns() - HL_SECOND;
    outcome.ended_ns = clock_now_ns();
    ck_assert_int_eq(broker_settle(durable.broker, id, lease.token, &outcome), 0);
    job_outcome_fini(&outcome);
    broker_lease_fini(&lease);
}

// Put, which is durable, and ended so, which isn't yet.
static uint64_t ended(enum job_outcome_kind kind)
{
    uint64_t id = engine_put(durable.broker, "t", 5, 0, "x");
    durable_commit(&durable);
    end_as(id, kind);
    return id;
}

static int64_t rows(void)
{
    return db_sql("SELECT count(*) FROM job");
}

// The batch is due, and the thread has seen that it is held.
static void await_held(void)
{
    hl_event_clear(wanted);
    clock_virtual_advance(HL_SECOND);
    ck_assert_int_eq(hl_event_wait(wanted, HL_FOREVER), 0);
}

static bool shown(uint64_t id)
{
    struct job_record *record = NULL;
    int rc = history_get(kit.history, id, &record);
    job_record_unref(&record);
    return rc == 0;
}

static enum job_state state_of(uint64_t id)
{
    struct job_view seen;
    int rc = broker_peek(durable.broker, &trust_all, id, &seen, NULL);
    return rc == ENOENT ? JOB_FINISHED : seen.state;
}

static const struct level_case {
    enum durability level;
    int64_t interval_ns;
} levels[] = {{DURABILITY_COMMIT, 0}, {DURABILITY_INTERVAL, 1000 * HL_SECOND}};

START_TEST(it_is_written_when_its_end_is_sure)
{
    start();
    level(levels[_i].level, levels[_i].interval_ns);
    uint64_t id = ended(JOB_OUTCOME_DONE);
    await_held();
    ck_assert_int_eq(rows(), 0);
    ck_assert(shown(id));
    ck_assert_uint_eq(history_durable(kit.history), 0);
    durable_commit(&durable);
    db_await(1);
    ck_assert_int_eq(rows(), 1);
    ck_assert_int_eq(db_sql("SELECT id FROM job"), (int64_t)id);
}
END_TEST

START_TEST(a_kill_leaves_the_job_or_its_record)
{
    start();
    level(levels[_i].level, levels[_i].interval_ns);
    uint64_t lost = ended(JOB_OUTCOME_DONE);
    await_held();
    die();
    ck_assert_int_eq(state_of(lost), JOB_READY);
    ck_assert(!shown(lost));
    end_as(lost, JOB_OUTCOME_DONE);
    durable_commit(&durable);
    die();
    ck_assert_int_eq(state_of(lost), JOB_FINISHED);
    ck_assert(shown(lost));
}
END_TEST

// A number that is durable is so with all below it.
START_TEST(none_overtakes)
{
    start();
    (void)ended(JOB_OUTCOME_DONE);
    ck_assert_int_eq(broker_tube_durability(durable.broker, "u", 1, DURABILITY_MEMORY, 0), 0);
    uint64_t second = engine_put(durable.broker, "u", 5, 0, "x");
    const struct broker_change cancel = {.action = BROKER_DO_CANCEL, .reason = "by a test"};
    enum job_state state;
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, second, &cancel, &state, NULL),
                     0);
    await_held();
    ck_assert_int_eq(rows(), 0);
    durable_commit(&durable);
    db_await(2);
    ck_assert_int_eq(rows(), 2);
    // What nobody can take back waits for nothing.
    uint64_t third = engine_put(durable.broker, "u", 5, 0, "x");
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, third, &cancel, &state, NULL), 0);
    clock_virtual_advance(HL_SECOND);
    db_await(3);
}
END_TEST

// A job that was buried is kicked and ends once more: where that is lost, the burial is not.
START_TEST(a_second_end_doesn_t_cost_the_first)
{
    start();
    uint64_t id = ended(JOB_OUTCOME_FAILED);
    durable_commit(&durable);
    const struct broker_change kick = {.action = BROKER_DO_KICK};
    enum job_state state;
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &kick, &state, NULL), 0);
    end_as(id, JOB_OUTCOME_DONE);
    clock_virtual_advance(HL_SECOND);
    db_await(1);
    await_held();
    ck_assert_int_eq(rows(), 1);
    ck_assert_int_eq(db_sql("SELECT number FROM job"), 1);
    struct job_record *records[4];
    size_t count;
    uint64_t next;
    ck_assert_int_eq(history_list(kit.history, &(struct history_query){.any_kind = true}, 4,
                                  records, &count, &next),
                     0);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(records[0]->kind, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(records[0]->earlier_count, 1);
    job_record_unref(&records[0]);
    if (_i == 0) {
        die();
        ck_assert_int_ne(state_of(id), JOB_FINISHED);
        ck_assert_int_eq(db_sql("SELECT number FROM job"), 1);
        return;
    }
    durable_commit(&durable);
    db_await(2);
    ck_assert_int_eq(rows(), 1);
    ck_assert_int_eq(db_sql("SELECT number FROM job"), 2);
    ck_assert_int_eq(db_sql("SELECT count(*) FROM attempt"), 1);
}
END_TEST

// The first one waits in memory still when the second comes, and stands in the way of nobody.
START_TEST(both_ends_wait)
{
    start();
    uint64_t id = ended(JOB_OUTCOME_FAILED);
    const struct broker_change kick = {.action = BROKER_DO_KICK};
    enum job_state state;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &kick, &state, NULL), 0);
        end_as(id, i < 4 ? JOB_OUTCOME_FAILED : JOB_OUTCOME_DONE);
    }
    ck_assert_uint_eq(db_stats().pending, 6);
    await_held();
    durable_commit(&durable);
    db_await(6);
    ck_assert_uint_eq(db_stats().pending, 0);
    ck_assert_uint_eq(db_stats().count, 1);
    ck_assert_int_eq(db_sql("SELECT number FROM job"), 6);
}
END_TEST

// Nobody else waits for the end of a job that nobody asked for.
START_TEST(what_is_held_is_wanted)
{
    leads = true;
    durable.log.thread = true;
    start();
    level(DURABILITY_INTERVAL, 1000 * HL_SECOND);
    for (uint64_t number = 1; number <= 20; number++) {
        (void)ended(JOB_OUTCOME_DONE);
        clock_virtual_advance(HL_SECOND);
        db_await(number);
    }
    ck_assert_int_eq(rows(), 20);
}
END_TEST

// The last commit comes before history's end.
START_TEST(a_stop_keeps_all)
{
    start();
    for (int i = 0; i < 10; i++)
        (void)ended(JOB_OUTCOME_DONE);
    ck_assert_int_eq(broker_stop(durable.broker), 0);
    db_close();
    ck_assert_int_eq(rows(), 10);
}
END_TEST

// Then no ticket comes any more, and nothing hangs.
START_TEST(a_journal_that_failed_keeps_them_out)
{
    start();
    (void)ended(JOB_OUTCOME_DONE);
    disk_fail(1, EIO, true);
    struct ticket ticket = broker_ticket_wanted(durable.broker);
    ck_assert_int_eq(broker_ticket_wait(durable.broker, &ticket, HL_FOREVER), EIO);
    await_held();
    ck_assert_int_ne(broker_stop(durable.broker), 0);
    db_close();
    ck_assert_int_eq(rows(), 0);
    disk_fail(0, 0, false);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("history_held");
    TCase *all = tcase_create("held");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_loop_test(all, it_is_written_when_its_end_is_sure, 0, 2);
    tcase_add_loop_test(all, a_kill_leaves_the_job_or_its_record, 0, 2);
    tcase_add_test(all, none_overtakes);
    tcase_add_loop_test(all, a_second_end_doesn_t_cost_the_first, 0, 2);
    tcase_add_test(all, both_ends_wait);
    tcase_add_test(all, what_is_held_is_wanted);
    tcase_add_test(all, a_stop_keeps_all);
    tcase_add_test(all, a_journal_that_failed_keeps_them_out);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
