// SPDX-License-Identifier: MIT
// How a job is out, over the end of the process: leases under a token go on, what workers of the
// daemon had goes back, charged or not.

#include "blocking.h"
#include "durable.h"
#include "unit_random.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TTR (60 * HL_SECOND)

static struct durable durable;
static struct engine_records records;
static struct engine_conn conn;

static void setup(void)
{
    durable_begin(&durable, &records);
}

static void teardown(void)
{
    durable_end(&durable, &records);
}

static void kill_and_start(const struct broker_charge *charge)
{
    durable_kill(&durable, NULL);
    durable.charge = charge;
    durable_again(&durable);
}

static void stop_and_start(void)
{
    ck_assert_int_eq(durable_close(&durable), 0);
    durable_again(&durable);
}

static uint64_t put(const char *tube)
{
    struct tube *use;
    struct job_body *body = engine_body("body");
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, tube, strlen(tube), &use), 0);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = use, .pri = 7, .ttr_ns = TTR};
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    broker_unuse(durable.broker, &use);
    return id;
}

static uint64_t reserve(uint64_t *token)
{
    engine_conn_init(&conn, durable.broker);
    uint64_t id = engine_reserve_token(&conn, token);
    ck_assert(engine_conn_fini(&conn));
    return id;
}

static int touch(uint64_t id, uint64_t token)
{
    engine_conn_init(&conn, durable.broker);
    int rc = broker_touch(&conn.client, &trust_all, id, token);
    ck_assert(engine_conn_fini(&conn));
    return rc;
}

static int settle(uint64_t id, uint64_t token, enum job_outcome_kind kind)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = kind;
    return broker_settle(durable.broker, id, token, &outcome);
}

static bool anybody_gets_one(void)
{
    engine_conn_init(&conn, durable.broker);
    uint64_t id = engine_reserve(&conn);
    ck_assert(engine_conn_fini(&conn));
    return id != 0;
}

static enum job_state state_of(uint64_t id)
{
    return engine_view(durable.broker, id).state;
}

// ---- tokens ----

enum how { HOW_KILL, HOW_POWER, HOW_STOP, HOW_COMPACTED, HOWS };

static void restart(enum how how)
{
    struct unit_random numbers = unit_random_seed(7);
    durable_commit(&durable);
    if (how == HOW_COMPACTED)
        for (int i = 0; i < 400; i++) { // until the first segment is history
            uint64_t id =
                engine_put(durable.broker, "other", 1, 0, "filling that is to be written");
            durable_commit(&durable);
            ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
            (void)durable_compact(&durable);
        }
    durable_commit(&durable);
    if (how == HOW_STOP)
        ck_assert_int_eq(durable_close(&durable), 0);
    else
        durable_kill(&durable, how == HOW_POWER ? &numbers : NULL);
    durable_again(&durable);
}

START_TEST(a_token_is_good_after_a_restart)
{
    uint64_t token;
    uint64_t id = put("default");
    ck_assert_uint_eq(reserve(&token), id);
    restart((enum how)_i);
    ck_assert_uint_eq(durable.taken.tokens, 1);
    struct job_view view = engine_view(durable.broker, id);
    ck_assert_int_eq(view.state, JOB_RESERVED);
    ck_assert(!view.local);
    ck_assert_uint_eq(view.reserves, 1);
    ck_assert(!anybody_gets_one());
    ck_assert_int_eq(settle(id, token ^ 1, JOB_OUTCOME_DONE), ESTALE);
    ck_assert_int_eq(touch(id, token ^ 1), ESTALE);
    restart((enum how)_i);
    ck_assert_int_eq(settle(id, token, JOB_OUTCOME_DONE), 0);
    restart((enum how)_i);
    ck_assert_uint_eq(engine_stats(durable.broker).unfinished, 0);
}
END_TEST

START_TEST(its_time_goes_on)
{
    uint64_t token;
    uint64_t id = put("default");
    reserve(&token);
    clock_virtual_advance(TTR / 2);
    restart((enum how)_i);
    clock_virtual_advance(TTR / 2 - 1);
    (void)broker_due(durable.broker);
    ck_assert_int_eq(state_of(id), JOB_RESERVED);
    ck_assert_int_le(engine_view(durable.broker, id).time_left_ns, HL_SECOND);
    clock_virtual_advance(HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_int_eq(state_of(id), JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.timeouts, 1);
    ck_assert_int_eq(settle(id, token, JOB_OUTCOME_DONE), ESTALE);
    restart((enum how)_i);
    (void)broker_due(durable.broker); // a kill may have come before that was written
    ck_assert_int_eq(state_of(id), JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.timeouts, 1);
}
END_TEST

START_TEST(what_is_over_meanwhile_times_out)
{
    uint64_t token;
    uint64_t id = put("default");
    reserve(&token);
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    clock_virtual_advance(TTR + HL_SECOND);
    durable_again(&durable);
    (void)broker_due(durable.broker);
    ck_assert_int_eq(state_of(id), JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.timeouts, 1);
    ck_assert(anybody_gets_one());
}
END_TEST

START_TEST(a_touch_is_recorded)
{
    uint64_t token;
    uint64_t id = put("default");
    reserve(&token);
    (void)blocking_told();
    for (int i = 0; i < 3; i++) {
        clock_virtual_advance(TTR / 2);
        ck_assert_int_eq(touch(id, token), 0);
        struct ticket ticket = blocking_told();
        ck_assert_uint_ne(ticket.durable, 0); // TOUCHED is told when that is
        ck_assert_int_eq(broker_ticket_wait(durable.broker, &ticket, HL_FOREVER), 0);
        if (i == 1)
            restart((enum how)_i);
    }
    restart((enum how)_i);
    struct job_view view = engine_view(durable.broker, id);
    ck_assert_int_eq(view.state, JOB_RESERVED);
    ck_assert_int_gt(view.time_left_ns, TTR - HL_SECOND);
    ck_assert_uint_eq(view.reserves, 1);
    ck_assert_int_eq(settle(id, token, JOB_OUTCOME_DONE), 0);
}
END_TEST

static void end_lease(int i, uint64_t id, uint64_t token)
{
    engine_conn_init(&conn, durable.broker);
    switch (i) {
    case 0:
        ck_assert_int_eq(broker_release(&conn.client, &trust_all, id, token, 1, 0), 0);
        break;
    case 1:
        ck_assert_int_eq(broker_release(&conn.client, &trust_all, id, token, 1, HL_SECOND), 0);
        break;
    case 2:
        ck_assert_int_eq(broker_bury(&conn.client, &trust_all, id, token, 1), 0);
        break;
    case 3:
        ck_assert_int_eq(settle(id, token, JOB_OUTCOME_RETURNED), 0);
        break;
    case 4:
        ck_assert_int_eq(settle(id, token, JOB_OUTCOME_CRASHED), 0);
        break;
    default:
        clock_virtual_advance(2 * TTR);
        (void)broker_due(durable.broker);
        break;
    }
    ck_assert(engine_conn_fini(&conn));
}

START_TEST(what_ends_a_lease_ends_it_for_good)
{
    uint64_t token;
    uint64_t id = put("default");
    reserve(&token);
    if (_i % 2 == 1) // one that the replay told of
        restart(HOW_KILL);
    end_lease(_i / 2, id, token);
    enum job_state state = state_of(id);
    ck_assert_int_ne(state, JOB_RESERVED);
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "default", 7, 0), 0);
    restart(HOW_KILL);
    ck_assert_int_eq(state_of(id), state);
    ck_assert_int_eq(settle(id, token, JOB_OUTCOME_DONE), ESTALE);
    ck_assert_uint_eq(engine_view(durable.broker, id).reserves, 1);
}
END_TEST

// The match is made by who puts; who waited is told when the lease is on the disk.
START_TEST(who_waits_is_told_what_is_durable)
{
    struct broker_lease lease;
    engine_conn_init(&conn, durable.broker);
    ck_assert_int_eq(
        broker_reserve(&conn.client, &conn.reserver, HL_FOREVER, BROKER_WITH_TOKEN, &lease),
        EINPROGRESS);
    uint64_t id = put("default");
    struct ticket putter = blocking_told();
    ck_assert_uint_eq(atomic_load(&conn.fired), 1);
    ck_assert_int_eq(broker_reserve_finish(&conn.client, &lease), 0);
    struct ticket mine = conn.client.ticket;
    ck_assert_uint_ne(mine.durable, 0);
    ck_assert_uint_ge(putter.durable, 1);
    ck_assert_int_eq(broker_ticket_wait(durable.broker, &mine, HL_FOREVER), 0);
    ck_assert(engine_conn_fini(&conn));
    durable_kill(&durable, NULL);
    durable_again(&durable);
    ck_assert_int_eq(settle(id, lease.token, JOB_OUTCOME_DONE), 0);
    broker_lease_fini(&lease);
}
END_TEST

// Nobody knows that token: the job is free again, also after a restart.
START_TEST(who_hangs_up_before_leaves_nothing)
{
    struct broker_lease lease;
    engine_conn_init(&conn, durable.broker);
    ck_assert_int_eq(
        broker_reserve(&conn.client, &conn.reserver, HL_FOREVER, BROKER_WITH_TOKEN, &lease),
        EINPROGRESS);
    uint64_t id = put("default");
    ck_assert(!engine_conn_fini(&conn));
    ck_assert_int_eq(state_of(id), JOB_READY);
    restart(HOW_KILL);
    ck_assert_int_eq(state_of(id), JOB_READY);
}
END_TEST

static void part_look(const void *bytes, size_t len, void *arg)
{
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
    if (entry.type == JOB_ENTRY_PUT)
        *(struct job_entry *)arg = entry;
}

START_TEST(the_journal_does_not_have_the_token)
{
    struct job_entry entry = {.out = JOB_OUT_NOT};
    uint64_t token, id = put("default");
    reserve(&token);
    (void)broker_digest(durable.broker, part_look, &entry);
    ck_assert_int_eq(entry.out, JOB_OUT_TOKEN);
    ck_assert_uint_ne(entry.out_key, token);
    ck_assert_uint_eq(entry.out_key, job_token_key(id, token));
    ck_assert_uint_ne(entry.out_key, job_token_key(id + 1, token));
    ck_assert_int_eq(settle(id, entry.out_key, JOB_OUTCOME_DONE), ESTALE);
    restart(HOW_KILL);
    ck_assert_int_eq(settle(id, entry.out_key, JOB_OUTCOME_DONE), ESTALE);
    ck_assert_int_eq(settle(id, token, JOB_OUTCOME_DONE), 0);
}
END_TEST

START_TEST(a_plain_lease_ends_with_the_process)
{
    uint64_t id = put("default");
    engine_conn_init(&conn, durable.broker);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    (void)put("default"); // what was recorded before is on the disk with it
    durable_commit(&durable);
    disk_dead(true);
    ck_assert(engine_conn_fini(&conn));
    kill_and_start(NULL);
    struct job_view view = engine_view(durable.broker, id);
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_uint_eq(view.reserves, 1);
}
END_TEST

// Where it can't be recorded nobody gets a token, and a touch changes nothing.
START_TEST(without_room_there_is_no_token)
{
    uint64_t token, kept;
    uint64_t id = put("default");
    ck_assert_uint_eq(reserve(&token), id);
    put("default");
    durable_commit(&durable);
    disk_space(disk_used());
    int rc;
    unsigned touches = 0;
    while ((rc = touch(id, token)) == 0) {
        durable_commit(&durable);
        ck_assert_uint_lt(++touches, 1000000);
    }
    ck_assert_int_eq(rc, ENOSPC);
    kept = (uint64_t)engine_view(durable.broker, id).time_left_ns;
    clock_virtual_advance(HL_SECOND);
    ck_assert_int_eq(touch(id, token), ENOSPC);
    ck_assert_uint_eq((uint64_t)engine_view(durable.broker, id).time_left_ns, kept - HL_SECOND);
    struct broker_lease lease;
    engine_conn_init(&conn, durable.broker);
    ck_assert_int_eq(broker_reserve(&conn.client, &conn.reserver, 0, BROKER_WITH_TOKEN, &lease),
                     ENOSPC);
    ck_assert_int_eq(
        broker_reserve_job(&conn.client, &trust_all, id + 1, BROKER_WITH_TOKEN, &lease), ENOSPC);
    ck_assert_int_eq(state_of(id + 1), JOB_READY);
    ck_assert_uint_eq(engine_reserve(&conn), id + 1); // without one, as ever
    ck_assert(engine_conn_fini(&conn));
    ck_assert_int_eq(settle(id, token, JOB_OUTCOME_RETURNED), ENOSPC);
    ck_assert_int_eq(state_of(id), JOB_RESERVED);
    ck_assert_int_eq(settle(id, token, JOB_OUTCOME_DONE), 0); // for that there always is
    disk_space(UINT64_MAX);
}
END_TEST

// ---- workers of the daemon ----

static const struct broker_charge nobodys_rules = {.rules = NULL};

// Taken, and the process ends before anything else is written.
static uint64_t die_with(const char *tube, bool harmless, const struct broker_charge *charge)
{
    struct broker_lease lease;
    struct broker_consumer *consumer = engine_consumer(durable.broker, tube);
    if (harmless)
        broker_consumer_harmless(consumer);
    uint64_t id = engine_take(consumer, &lease);
    broker_lease_fini(&lease);
    disk_dead(true);
    broker_consumer_free(&consumer);
    kill_and_start(charge);
    return id;
}

START_TEST(a_job_that_ends_the_daemon_is_charged)
{
    uint64_t id = put("default"), other = put("default");
    durable_commit(&durable);
    for (unsigned i = 1; i <= JOB_CRASHES_DEFAULT; i++) {
        ck_assert_uint_eq(die_with("default", false, &nobodys_rules), id);
        ck_assert_uint_eq(durable.taken.charged, 1);
        struct job_view view = engine_view(durable.broker, id);
        ck_assert_uint_eq(view.tries.crashes, i);
        ck_assert_uint_eq(view.reserves, i);
        ck_assert_int_eq(view.state, i < JOB_CRASHES_DEFAULT ? JOB_DELAYED : JOB_BURIED);
        ck_assert_uint_eq(durable.taken.buried, i == JOB_CRASHES_DEFAULT);
        ck_assert_uint_eq(engine_view(durable.broker, other).tries.crashes, 0);
        clock_virtual_advance(3600 * HL_SECOND);
        (void)broker_due(durable.broker);
    }
    ck_assert_str_eq(engine_view(durable.broker, id).reason, "hilerad was ended while it ran");
    ck_assert_uint_eq(records.count, 1);
    ck_assert_int_eq(records.record[0]->kind, JOB_OUTCOME_CRASHED);
    kill_and_start(&nobodys_rules);
    ck_assert_int_eq(state_of(id), JOB_BURIED);
}
END_TEST

START_TEST(nobody_is_charged_without_reason)
{
    uint64_t id = put("default");
    durable_commit(&durable);
    ck_assert_uint_eq(die_with("default", false, NULL), id);
    ck_assert_uint_eq(durable.taken.returned, 1);
    ck_assert_int_eq(state_of(id), JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.crashes, 0);
    kill_and_start(&nobodys_rules); // that it went back was recorded
    ck_assert_uint_eq(durable.taken.charged + durable.taken.returned, 0);
    ck_assert_int_eq(state_of(id), JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.crashes, 0);
    ck_assert_uint_eq(die_with("default", true, &nobodys_rules), id);
    ck_assert_int_eq(state_of(id), JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.crashes, 0);
    stop_and_start();
    ck_assert_int_eq(state_of(id), JOB_READY);
}
END_TEST

START_TEST(what_went_back_is_not_charged)
{
    struct broker_lease lease;
    uint64_t id = put("default");
    struct broker_consumer *consumer = engine_consumer(durable.broker, "default");
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_int_eq(
        engine_settle(durable.broker, &lease, _i == 0 ? JOB_OUTCOME_RETURNED : JOB_OUTCOME_FAILED),
        0);
    put("default");
    durable_commit(&durable);
    broker_consumer_free(&consumer);
    kill_and_start(&nobodys_rules);
    ck_assert_uint_eq(durable.taken.charged, 0);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.crashes, 0);
}
END_TEST

static const struct job_rules *once(const char *tube, void *arg)
{
    static const struct job_rules rules = {.set = JOB_RULE_CRASHES, .crashes = 1};
    (void)arg;
    return strcmp(tube, "once") == 0 ? &rules : NULL;
}

START_TEST(the_rules_of_the_pool_count)
{
    static const struct broker_charge charge = {.rules = once};
    uint64_t id = put("once"), other = put("default");
    durable_commit(&durable);
    ck_assert_uint_eq(die_with("default", false, &charge), other);
    ck_assert_int_eq(state_of(other), JOB_DELAYED);
    ck_assert_uint_eq(die_with("once", false, &charge), id);
    ck_assert_int_eq(state_of(id), JOB_BURIED);
}
END_TEST

// A copy by compaction says it, too.
START_TEST(a_copy_says_who_ran)
{
    struct broker_lease lease;
    uint64_t id = put("default");
    struct broker_consumer *consumer = engine_consumer(durable.broker, "default");
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    broker_lease_fini(&lease);
    broker_consumer_free(&consumer); // its lease stays
    durable.left = true;
    restart(HOW_KILL);
    ck_assert(engine_view(durable.broker, id).local);
    restart(HOW_COMPACTED);
    ck_assert(engine_view(durable.broker, id).local);
    ck_assert_int_eq(broker_take_over(durable.broker, &nobodys_rules, &durable.taken), 0);
    ck_assert_uint_eq(durable.taken.charged, 1);
    ck_assert_int_eq(state_of(id), JOB_DELAYED);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("out");
    TCase *tokens = tcase_create("tokens");
    tcase_add_checked_fixture(tokens, setup, teardown);
    tcase_add_loop_test(tokens, a_token_is_good_after_a_restart, 0, HOWS);
    tcase_add_loop_test(tokens, its_time_goes_on, 0, HOWS);
    tcase_add_test(tokens, what_is_over_meanwhile_times_out);
    tcase_add_loop_test(tokens, a_touch_is_recorded, 0, HOWS);
    tcase_add_loop_test(tokens, what_ends_a_lease_ends_it_for_good, 0, 12);
    tcase_add_test(tokens, who_waits_is_told_what_is_durable);
    tcase_add_test(tokens, who_hangs_up_before_leaves_nothing);
    tcase_add_test(tokens, the_journal_does_not_have_the_token);
    tcase_add_test(tokens, a_plain_lease_ends_with_the_process);
    tcase_add_test(tokens, without_room_there_is_no_token);
    suite_add_tcase(suite, tokens);
    TCase *workers = tcase_create("workers");
    tcase_add_checked_fixture(workers, setup, teardown);
    tcase_add_test(workers, a_job_that_ends_the_daemon_is_charged);
    tcase_add_test(workers, nobody_is_charged_without_reason);
    tcase_add_loop_test(workers, what_went_back_is_not_charged, 0, 2);
    tcase_add_test(workers, the_rules_of_the_pool_count);
    tcase_add_test(workers, a_copy_says_who_ran);
    suite_add_tcase(suite, workers);
    return unit_main(suite);
}
