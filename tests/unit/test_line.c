// SPDX-License-Identifier: MIT
// Operations that stand in line while the journal is busy: their order, their patience, what ends
// their wait, and what becomes of leases meanwhile.

#include "blocking.h"
#include "busy.h"
#include "durable.h"

#include "base/clock.h"
#include "journal/journal.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>

#define OPS_MAX 1000 // several turns
#define DROPPED 1500
// All together lift the ceiling no higher than it is.
#define LARGE_PUTS 40
#define LARGE 8000

struct standing {
    struct broker_op op;
    unsigned fired; // 0: not yet; else how many were fired before it, and it
    _Atomic bool done;
};

static struct durable durable;
static struct tube *tube, *volatile_tube;
static struct engine_conn conn;
static struct standing standing[OPS_MAX];
static unsigned fired;
static uint64_t last_put;

static void open_all(void)
{
    durable.options.put_waits = true;
    durable.options.tube_jobs_max = 20000;
    durable_again(&durable);
    ck_assert_int_eq(broker_tube_durability(durable.broker, "v", 1, DURABILITY_MEMORY, 0), 0);
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    ck_assert_int_eq(broker_use(durable.broker, "v", 1, &volatile_tube), 0);
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
    memset(standing, 0, sizeof(standing));
    fired = 0;
}

static void setup(void)
{
    durable_prepare(&durable, NULL);
    open_all();
}

static void teardown(void)
{
    for (size_t i = 0; i < OPS_MAX; i++) {
        (void)later_cancel(&standing[i].op.later);
        broker_op_fini(&standing[i].op);
    }
    (void)engine_conn_fini(&conn);
    broker_unuse(durable.broker, &tube);
    broker_unuse(durable.broker, &volatile_tube);
    durable_end(&durable, NULL);
}

static void fire(struct later *later)
{
    struct standing *mine = CONTAINER_OF(later, struct standing, op.later);
    mine->fired = ++fired;
    atomic_store(&mine->done, true);
}

static struct broker_op *op_at(size_t i)
{
    standing[i].fired = 0;
    standing[i].op.later.fire = fire;
    return &standing[i].op;
}

static int put_begin(struct broker_op *op, struct tube *to, size_t len)
{
    struct job_body *body;
    ck_assert_int_eq(job_body_new(&body, len), 0);
    memset(body->bytes, 'x', len);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = to, .ttr_ns = 60 * HL_SECOND};
    return broker_op_put(op, durable.broker, &spec, &body);
}

static int put_now(struct tube *to, size_t len)
{
    return busy_put(durable.broker, to, len, &last_put);
}

static int put_stands(size_t i, size_t len)
{
    struct broker_op *op = op_at(i);
    ck_assert_int_eq(put_begin(op, tube, len), 0);
    op->flags = OP_STANDS;
    return broker_run(durable.broker, op);
}

static int run_stands(size_t i, enum broker_verb verb, uint64_t id, uint64_t token)
{
    struct broker_op *op = op_at(i);
    broker_op_init(op, verb, id, token);
    op->flags = OP_STANDS;
    op->client = &conn.client;
    op->asker = &trust_all;
    op->back.pri = 0;
    op->back.delay_ns = 0;
    return broker_run(durable.broker, op);
}

static enum job_state state_of(uint64_t id)
{
    return engine_view(durable.broker, id).state;
}

// ---- puts: the journal is as large as it may be, and the test compacts ----

static void three_puts_stand(void)
{
    busy_puts(durable.broker, tube);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(put_stands(i, 100), EINPROGRESS);
    ck_assert_uint_eq(engine_stats(durable.broker).putting, 3);
}

START_TEST(puts_come_in_as_they_came)
{
    three_puts_stand();
    ck_assert_uint_eq(fired, 0);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(standing[i].fired, i + 1);
        ck_assert_int_eq(standing[i].op.later.result, 0);
        ck_assert_int_eq(state_of(standing[i].op.id), JOB_READY);
        ck_assert_uint_gt(standing[i].op.ticket.durable, 0); // its answer waits for that
    }
    ck_assert_uint_lt(standing[0].op.id, standing[1].op.id);
    ck_assert_uint_eq(engine_stats(durable.broker).putting, 0);
    ck_assert_int_eq(put_now(tube, 100), 0);
}
END_TEST

START_TEST(a_journal_that_is_busy_stops_no_volatile_put)
{
    three_puts_stand();
    ck_assert_int_eq(put_now(volatile_tube, 100), 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, last_put), 0);
    ck_assert_uint_eq(fired, 0);
}
END_TEST

START_TEST(a_put_has_half_a_minute)
{
    three_puts_stand();
    clock_virtual_advance(20 * HL_SECOND);
    ck_assert_int_eq(put_stands(3, 100), EINPROGRESS);
    (void)broker_due(durable.broker);
    ck_assert_uint_eq(fired, 0);
    clock_virtual_advance(11 * HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_uint_eq(fired, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(standing[i].op.later.result, ENOSR);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_uint_eq(fired, 4); // who came later had not lost its patience
    ck_assert_int_eq(standing[3].op.later.result, 0);
}
END_TEST

START_TEST(who_is_cancelled_holds_nobody_up)
{
    three_puts_stand();
    ck_assert(later_cancel(&standing[0].op.later));
    ck_assert(!later_cancel(&standing[0].op.later));
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_uint_eq(standing[0].fired, 0);
    ck_assert_uint_eq(standing[1].fired, 1);
    ck_assert_uint_eq(standing[2].fired, 2);
    ck_assert(!later_cancel(&standing[1].op.later)); // too late
}
END_TEST

START_TEST(draining_refuses_those_who_stand)
{
    three_puts_stand();
    broker_drain(durable.broker, true);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(standing[i].op.later.result, EHOSTDOWN);
    ck_assert_uint_eq(fired, 3);
}
END_TEST

// It stands for its tube, then for the journal, and comes in behind those who stood there before.
START_TEST(a_put_changes_the_line)
{
    busy_puts(durable.broker, tube);
    while (put_now(volatile_tube, 0) == 0)
        ;
    struct broker_op *op = op_at(0);
    ck_assert_int_eq(put_begin(op, volatile_tube, 10), 0);
    op->flags = OP_STANDS | OP_MAY_WAIT;
    ck_assert_int_eq(broker_run(durable.broker, op), EINPROGRESS);
    ck_assert(!broker_op_hurry(op));
    ck_assert_int_eq(put_stands(1, 10), EINPROGRESS);
    ck_assert(broker_op_hurry(&standing[1].op));
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_uint_eq(standing[1].fired, 1);
    ck_assert_uint_eq(standing[0].fired, 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, last_put - 1), 0);
    ck_assert_uint_eq(standing[0].fired, 2);
    ck_assert_int_eq(standing[0].op.later.result, 0);
}
END_TEST

START_TEST(many_come_in_over_several_turns)
{
    busy_puts(durable.broker, tube);
    for (size_t i = 0; i < OPS_MAX; i++)
        ck_assert_int_eq(put_stands(i, 10), EINPROGRESS);
    (void)blocking_told();
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "t", 1, HL_SECOND), 0);
    struct ticket paused = blocking_told();       // one commit
    broker_set_hooks(durable.broker, NULL, NULL); // nobody compacts: nobody waits for that
    ck_assert_int_eq(broker_ticket_wait(durable.broker, &paused, HL_FOREVER), 0);
    ck_assert_uint_gt(fired, 0);
    ck_assert_uint_lt(fired, OPS_MAX);
    ck_assert_int_eq(put_now(tube, 10), EAGAIN); // there is room, and those who stand come first
    while (fired < OPS_MAX) {
        clock_virtual_advance(HL_SECOND / 10);
        (void)broker_due(durable.broker);
        durable_commit(&durable);
    }
    for (unsigned i = 0; i < OPS_MAX; i++) {
        ck_assert_uint_eq(standing[i].fired, i + 1);
        ck_assert_int_eq(standing[i].op.later.result, 0);
    }
}
END_TEST

static uint64_t used(void)
{
    struct store_stats stats;
    broker_store_stats(durable.broker, &stats);
    return stats.journal.bytes_used;
}

// The journal is at its ceiling, which is far above what lives: so many jobs lived once.
static void ceiling_reached_after_drop(void)
{
    for (int i = 0; i < DROPPED; i++)
        ck_assert_int_eq(put_now(tube, 1000), 0);
    durable_commit(&durable);
    for (uint64_t id = last_put; id > last_put - DROPPED; id--)
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    durable_commit(&durable);
    busy_puts(durable.broker, tube);
}

// What is given back lets in as many as there is room for below the ceiling, and not all who fit
// into prepared segments.
START_TEST(those_who_come_in_stay_below_the_ceiling)
{
    ceiling_reached_after_drop();
    const uint64_t most = used();
    for (size_t i = 0; i < LARGE_PUTS; i++)
        ck_assert_int_eq(put_stands(i, LARGE), EINPROGRESS);
    while (fired < LARGE_PUTS) {
        unsigned before = fired;
        int rc = broker_compact(durable.broker);
        ck_assert(rc == 0 || rc == EAGAIN || (rc == ENOENT && fired > before));
        durable_commit(&durable);
        // One put more, and what compaction copies before it gives back.
        ck_assert_uint_le(used(), most + LARGE + JOURNAL_SEGMENT_MIN);
    }
    for (unsigned i = 0; i < LARGE_PUTS; i++) {
        ck_assert_uint_eq(standing[i].fired, i + 1);
        ck_assert_int_eq(standing[i].op.later.result, 0);
    }
}
END_TEST

// ---- changes: the disk is full, and compaction is about to make room ----

static uint64_t make_changes_wait(void)
{
    return busy_changes(durable.broker, tube, &conn.client);
}

START_TEST(a_change_stands_and_is_carried_out)
{
    uint64_t id = make_changes_wait();
    ck_assert_int_eq(run_stands(0, BROKER_RELEASE, id, 0), EINPROGRESS);
    ck_assert_int_eq(state_of(id), JOB_RESERVED);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_uint_eq(standing[0].fired, 1);
    ck_assert_int_eq(standing[0].op.later.result, 0);
    ck_assert_int_eq(state_of(id), JOB_READY);
    disk_space(0);
}
END_TEST

START_TEST(a_change_has_three_seconds)
{
    uint64_t id = make_changes_wait();
    ck_assert_int_eq(run_stands(0, BROKER_RELEASE, id, 0), EINPROGRESS);
    clock_virtual_advance(HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_uint_eq(fired, 0);
    clock_virtual_advance(2 * HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_uint_eq(fired, 1);
    ck_assert_int_eq(standing[0].op.later.result, ENOSR);
    ck_assert_int_eq(state_of(id), JOB_RESERVED); // and it can be tried again
    disk_space(0);
}
END_TEST

// Its time would be over while the worker's word stands.
START_TEST(a_lease_lasts_while_its_release_stands)
{
    uint64_t id = make_changes_wait();
    clock_virtual_advance(58 * HL_SECOND);
    ck_assert_int_eq(run_stands(0, BROKER_RELEASE, id, 0), EINPROGRESS);
    clock_virtual_advance(5 * HL_SECOND / 2); // it was 60 s
    (void)broker_due(durable.broker);
    ck_assert_uint_eq(fired, 0);
    ck_assert_int_eq(state_of(id), JOB_RESERVED);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_int_eq(standing[0].op.later.result, 0);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.timeouts, 0);
    disk_space(0);
}
END_TEST

START_TEST(a_lease_ends_when_its_release_was_refused)
{
    uint64_t id = make_changes_wait();
    clock_virtual_advance(58 * HL_SECOND);
    ck_assert_int_eq(run_stands(0, BROKER_RELEASE, id, 0), EINPROGRESS);
    clock_virtual_advance(4 * HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_int_eq(standing[0].op.later.result, ENOSR);
    clock_virtual_advance(2 * HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_int_eq(state_of(id), JOB_READY);
    ck_assert_uint_eq(engine_tube_stats(durable.broker, "t").timeouts, 1);
    disk_space(0);
}
END_TEST

// What was true when it began to stand needn't be when its turn comes.
START_TEST(it_is_decided_again)
{
    uint64_t id = make_changes_wait();
    ck_assert_int_eq(run_stands(0, BROKER_RELEASE, id, 0), EINPROGRESS);
    ck_assert_int_eq(run_stands(1, BROKER_TOUCH, id, 0), 0); // no record of a plain one
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, id, 0), 0);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_int_eq(standing[0].op.later.result, ENOENT);
    disk_space(0);
}
END_TEST

START_TEST(changes_come_as_they_stand)
{
    uint64_t id = make_changes_wait();
    ck_assert_int_eq(run_stands(0, BROKER_RELEASE, id, 0), EINPROGRESS);
    ck_assert_int_eq(run_stands(1, BROKER_BURY, id, 0), EINPROGRESS);
    ck_assert_int_eq(run_stands(2, BROKER_ROOM, 0, 0), EINPROGRESS);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_int_eq(standing[0].op.later.result, 0);
    ck_assert_int_eq(standing[1].op.later.result, ENOENT); // it was released before
    ck_assert_int_eq(standing[2].op.later.result, 0);
    ck_assert_uint_eq(fired, 3);
    disk_space(0);
}
END_TEST

// ---- the disk is slow, and too much isn't written yet ----

static struct journal_sys slow_sys;
static _Atomic uint32_t syncs_wait; // 0: they don't

static int slow_sync(int fd)
{
    while (atomic_load(&syncs_wait) != 0)
        (void)park_wait(&syncs_wait, 1, HL_FOREVER);
    return disk_sys.sync_data(fd);
}

static void syncs_go_on(void)
{
    atomic_store(&syncs_wait, 0);
    park_wake(&syncs_wait, INT32_MAX);
}

static struct engine_records records;

static void found_none(uint64_t number, struct job_record **found, void *arg)
{
    (void)arg;
    ck_abort_msg("record %" PRIu64 " of %p, and nothing was there", number, (void *)*found);
}

static void setup_slow(void)
{
    durable_prepare(&durable, &records);
    slow_sys = disk_sys;
    slow_sys.sync_data = slow_sync;
    durable.settings.sys = &slow_sys;
    durable.log.thread = true;
    durable.log.pending_max = 8192;
    durable.log.result_found = found_none;
    open_all();
}

static void teardown_slow(void)
{
    syncs_go_on();
    for (size_t i = 0; i < OPS_MAX; i++)
        broker_op_fini(&standing[i].op);
    (void)engine_conn_fini(&conn);
    broker_unuse(durable.broker, &tube);
    broker_unuse(durable.broker, &volatile_tube);
    durable_end(&durable, &records);
}

// A burial whose record doesn't fit just now stands in the line of changes, where no plain lease
// does: that is recorded, and counted, at once.
START_TEST(a_plain_lease_stands_behind_nobody)
{
    ck_assert_int_eq(put_now(tube, 10), 0);
    ck_assert_int_eq(put_now(tube, 10), 0);
    uint64_t second = last_put;
    durable_commit(&durable);
    uint64_t first = engine_reserve(&conn);
    atomic_store(&syncs_wait, 1);
    while (put_now(tube, 1000) == 0)
        ;
    for (int i = 0; i < 100; i++) // changes don't wait for that
        ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "t", 1, 0), 0);
    ck_assert_int_eq(run_stands(0, BROKER_BURY, first, 0), EINPROGRESS);
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, second, 0, &lease), 0);
    broker_lease_fini(&lease);
    ck_assert_uint_eq(engine_view(durable.broker, second).reserves, 1);
    syncs_go_on();
    while (atomic_load(&standing[0].done) == 0)
        sched_yield();
    ck_assert_int_eq(standing[0].op.later.result, 0);
    ck_assert_int_eq(state_of(first), JOB_BURIED);
}
END_TEST

// ---- a reserve with a token, which is recorded ----

static int reserve_token(void)
{
    struct broker_lease lease;
    int rc = broker_reserve(&conn.client, &conn.reserver, HL_FOREVER, BROKER_WITH_TOKEN, &lease);
    if (rc == 0)
        broker_lease_fini(&lease);
    return rc;
}

START_TEST(a_reserve_stands_for_its_record)
{
    struct broker_lease lease;
    uint64_t id = make_changes_wait();
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, id, 0), 0);
    durable_commit(&durable);
    ck_assert_int_eq(run_stands(0, BROKER_ROOM, 0, 0), EINPROGRESS);
    ck_assert_int_eq(reserve_token(), EINPROGRESS);
    ck_assert_uint_eq(conn.fired, 0);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_uint_eq(conn.fired, 1);
    ck_assert_int_eq(broker_reserve_finish(&conn.client, &lease), 0);
    ck_assert_int_eq(state_of(lease.id), JOB_RESERVED);
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, lease.id, lease.token), 0);
    broker_lease_fini(&lease);
    disk_space(0);
}
END_TEST

START_TEST(a_reserve_loses_its_patience)
{
    struct broker_lease lease;
    (void)make_changes_wait();
    ck_assert_int_eq(run_stands(0, BROKER_ROOM, 0, 0), EINPROGRESS);
    ck_assert_int_eq(reserve_token(), EINPROGRESS);
    clock_virtual_advance(4 * HL_SECOND);
    (void)broker_due(durable.broker);
    ck_assert_uint_eq(conn.fired, 1);
    ck_assert_int_eq(broker_reserve_finish(&conn.client, &lease), ENOSR);
    ck_assert(!broker_is_reserving(&conn.client));
    disk_space(0);
}
END_TEST

START_TEST(a_reserve_that_stands_goes_with_its_connection)
{
    (void)make_changes_wait();
    ck_assert_int_eq(run_stands(0, BROKER_ROOM, 0, 0), EINPROGRESS);
    ck_assert_int_eq(reserve_token(), EINPROGRESS);
    ck_assert(later_cancel(&conn.reserver.wait.later));
    ck_assert(!broker_is_reserving(&conn.client));
    ck_assert_int_eq(reserve_token(), EINPROGRESS);
    ck_assert(engine_conn_fini(&conn)); // free at once
    engine_conn_init(&conn, durable.broker);
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_int_eq(standing[0].op.later.result, 0);
    disk_space(0);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("line");
    TCase *puts = tcase_create("puts");
    tcase_add_checked_fixture(puts, setup, teardown);
    tcase_add_test(puts, puts_come_in_as_they_came);
    tcase_add_test(puts, a_journal_that_is_busy_stops_no_volatile_put);
    tcase_add_test(puts, a_put_has_half_a_minute);
    tcase_add_test(puts, who_is_cancelled_holds_nobody_up);
    tcase_add_test(puts, draining_refuses_those_who_stand);
    tcase_add_test(puts, a_put_changes_the_line);
    tcase_add_test(puts, many_come_in_over_several_turns);
    tcase_add_test(puts, those_who_come_in_stay_below_the_ceiling);
    suite_add_tcase(suite, puts);
    TCase *changes = tcase_create("changes");
    tcase_add_checked_fixture(changes, setup, teardown);
    tcase_add_test(changes, a_change_stands_and_is_carried_out);
    tcase_add_test(changes, a_change_has_three_seconds);
    tcase_add_test(changes, a_lease_lasts_while_its_release_stands);
    tcase_add_test(changes, a_lease_ends_when_its_release_was_refused);
    tcase_add_test(changes, it_is_decided_again);
    tcase_add_test(changes, changes_come_as_they_stand);
    tcase_add_test(changes, a_reserve_stands_for_its_record);
    tcase_add_test(changes, a_reserve_loses_its_patience);
    tcase_add_test(changes, a_reserve_that_stands_goes_with_its_connection);
    suite_add_tcase(suite, changes);
    TCase *slow = tcase_create("slow");
    tcase_add_checked_fixture(slow, setup_slow, teardown_slow);
    tcase_add_test(slow, a_plain_lease_stands_behind_nobody);
    suite_add_tcase(suite, slow);
    return unit_main(suite);
}
