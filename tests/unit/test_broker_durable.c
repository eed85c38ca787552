// SPDX-License-Identifier: MIT
// The broker with its journal: what comes back after a stop, a kill and a power loss, what answers
// wait for, and what happens when the disk is full or fails. Random sessions are in
// test_broker_crash.c, bodies that leave memory in test_broker_evict.c.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

static struct durable durable;
static struct engine_conn conn;

static void setup(void)
{
    durable_begin(&durable, NULL);
}

static void teardown(void)
{
    durable_end(&durable, NULL);
}

static uint64_t put(const char *text)
{
    return engine_put(durable.broker, "t", 5, 0, text);
}

static void kill_and_start(void)
{
    durable_kill(&durable, NULL);
    durable_again(&durable);
}

static struct store_stats log_stats(void)
{
    struct store_stats stats;
    broker_store_stats(durable.broker, &stats);
    ck_assert(stats.on);
    return stats;
}

static bool gone(uint64_t id)
{
    struct job_view view;
    return broker_peek(durable.broker, &trust_all, id, &view, NULL) == ENOENT;
}

static bool body_is(uint64_t id, const char *text)
{
    struct job_view view;
    struct job_body *body = NULL;
    ck_assert_int_eq(broker_peek(durable.broker, &trust_all, id, &view, &body), 0);
    ck_assert_ptr_nonnull(body);
    bool same = body->len == strlen(text) && memcmp(body->bytes, text, body->len) == 0;
    job_body_unref(&body);
    return same;
}

static void conn_open(void)
{
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
}

// ---- what comes back ----

START_TEST(what_was_committed_is_there_after_a_kill)
{
    uint64_t first = put("first"), second = put("");
    durable_commit(&durable);
    uint64_t third = put("nobody was told");
    kill_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 2);
    ck_assert_uint_eq(durable.recovered.ready, 2);
    ck_assert(body_is(first, "first"));
    ck_assert(body_is(second, ""));
    ck_assert(gone(third));
    struct job_view view = engine_view(durable.broker, first);
    ck_assert_str_eq(view.tube, "t");
    ck_assert_uint_eq(view.pri, 5);
    ck_assert_int_eq(view.ttr_ns, 60 * HL_SECOND);
    struct broker_stats stats = engine_stats(durable.broker);
    ck_assert_uint_eq(stats.totals.put, 2);
    ck_assert_uint_eq(stats.unfinished, 2);
    // the id of the third may have been seen, though nobody was told of it
    ck_assert_uint_gt(put("fourth"), third);
}
END_TEST

START_TEST(a_clean_stop_keeps_all_and_the_exact_counter)
{
    uint64_t id = put("x");
    ck_assert_int_eq(durable_close(&durable), 0);
    durable_again(&durable);
    ck_assert(durable.recovered.replayed.clean);
    ck_assert(body_is(id, "x"));
    ck_assert_uint_eq(put("y"), id + 1);
}
END_TEST

START_TEST(a_finished_job_stays_away)
{
    uint64_t deleted = put("a"), done = put("b"), kept = put("c");
    durable_commit(&durable);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, deleted), 0);
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), done);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&consumer);
    durable_commit(&durable);
    kill_and_start();
    ck_assert(gone(deleted) && gone(done) && !gone(kept));
}
END_TEST

START_TEST(a_reserved_job_comes_back_ready_and_counted)
{
    uint64_t id = put("x");
    conn_open();
    ck_assert_uint_eq(engine_reserve(&conn), id);
    durable_commit(&durable);
    engine_conn_fini(&conn);
    kill_and_start();
    struct job_view view = engine_view(durable.broker, id);
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_uint_eq(view.reserves, 1);
}
END_TEST

START_TEST(release_keeps_priority_delay_and_counters)
{
    uint64_t now = put("now"), later = put("later");
    conn_open();
    ck_assert_uint_eq(engine_reserve(&conn), now);
    ck_assert_uint_eq(engine_reserve(&conn), later);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, now, 0, 77, 0), 0);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, later, 0, 78, 100 * HL_SECOND), 0);
    engine_conn_fini(&conn);
    durable_commit(&durable);
    clock_virtual_advance(30 * HL_SECOND);
    kill_and_start();
    struct job_view view = engine_view(durable.broker, now);
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_uint_eq(view.pri, 77);
    ck_assert_uint_eq(view.releases, 1);
    ck_assert_uint_eq(view.reserves, 1);
    ck_assert_int_eq(view.age_ns / HL_SECOND, 30);
    view = engine_view(durable.broker, later);
    ck_assert_int_eq(view.state, JOB_DELAYED);
    ck_assert_int_eq(view.time_left_ns, 70 * HL_SECOND);
    ck_assert_int_eq(view.delay_ns, 100 * HL_SECOND);
    durable_kill(&durable, NULL);
    clock_virtual_advance(70 * HL_SECOND);
    durable_again(&durable);
    ck_assert_int_eq(engine_view(durable.broker, later).state, JOB_READY);
}
END_TEST

START_TEST(a_delayed_put_is_delayed)
{
    uint64_t id = engine_put(durable.broker, "t", 0, 50 * HL_SECOND, "x");
    durable_commit(&durable);
    kill_and_start();
    ck_assert_int_eq(engine_view(durable.broker, id).time_left_ns, 50 * HL_SECOND);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, id), 0);
    durable_commit(&durable);
    kill_and_start();
    ck_assert_int_eq(engine_view(durable.broker, id).state, JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).kicks, 1);
}
END_TEST

START_TEST(buried_jobs_keep_order_reason_and_priority)
{
    uint64_t one = put("1"), two = put("2"), three = put("3");
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease[3];
    for (int i = 0; i < 3; i++)
        ck_assert_uint_ne(engine_take(consumer, &lease[i]), 0);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_FAILED;
    job_outcome_reason(&outcome, "went wrong");
    const int order[3] = {2, 0, 1};
    for (int i = 0; i < 3; i++) {
        struct broker_lease *which = &lease[order[i]];
        ck_assert_int_eq(broker_settle(durable.broker, which->id, which->token, &outcome), 0);
        broker_lease_fini(which);
    }
    broker_consumer_free(&consumer);
    durable_commit(&durable);
    kill_and_start();
    ck_assert_uint_eq(durable.recovered.buried, 3);
    struct job_view view = engine_view(durable.broker, one);
    ck_assert_int_eq(view.state, JOB_BURIED);
    ck_assert_str_eq(view.reason, "went wrong");
    ck_assert_uint_eq(view.buries, 1);
    ck_assert_uint_eq(engine_stats(durable.broker).totals.failed, 3);
    struct tube *tube;
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    ck_assert_int_eq(broker_peek_first(durable.broker, tube, JOB_BURIED, &view, NULL), 0);
    ck_assert_uint_eq(view.id, three);
    uint64_t kicked;
    ck_assert_int_eq(broker_kick(durable.broker, tube, 2, &kicked), 0);
    ck_assert_uint_eq(kicked, 2);
    broker_unuse(durable.broker, &tube);
    durable_commit(&durable);
    kill_and_start();
    ck_assert_int_eq(engine_view(durable.broker, three).state, JOB_READY);
    ck_assert_int_eq(engine_view(durable.broker, one).state, JOB_READY);
    ck_assert_int_eq(engine_view(durable.broker, two).state, JOB_BURIED);
}
END_TEST

START_TEST(a_buried_job_that_was_reserved_by_id_is_ready)
{
    uint64_t id = put("x");
    conn_open();
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_int_eq(broker_bury(&conn.client, &trust_all, id, 0, 9), 0);
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, id, 0, &lease), 0);
    broker_lease_fini(&lease);
    durable_commit(&durable);
    ck_assert_int_eq(broker_touch(&conn.client, &trust_all, id, 0), 0);
    engine_conn_fini(&conn);
    put("takes the lease's record with it");
    durable_commit(&durable);
    kill_and_start();
    struct job_view view = engine_view(durable.broker, id);
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_uint_eq(view.pri, 9);
    ck_assert_uint_eq(view.reserves, 2);
    ck_assert_uint_eq(view.buries, 1);
}
END_TEST

START_TEST(a_timeout_counts)
{
    uint64_t id = put("x");
    conn_open();
    ck_assert_uint_eq(engine_reserve(&conn), id);
    clock_virtual_advance(60 * HL_SECOND);
    broker_due(durable.broker);
    put("takes it along");
    durable_commit(&durable);
    engine_conn_fini(&conn);
    kill_and_start();
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.timeouts, 1);
}
END_TEST

START_TEST(a_moved_job_is_in_its_new_tube)
{
    uint64_t id = put("x"), delayed = engine_put(durable.broker, "t", 0, 9 * HL_SECOND, "y");
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, id, "other", 5), 0);
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, delayed, "other", 5), 0);
    durable_commit(&durable);
    kill_and_start();
    ck_assert_str_eq(engine_view(durable.broker, id).tube, "other");
    ck_assert_str_eq(engine_view(durable.broker, delayed).tube, "other");
    ck_assert_int_eq(engine_view(durable.broker, delayed).state, JOB_DELAYED);
}
END_TEST

START_TEST(a_pause_goes_on)
{
    uint64_t id = put("x");
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "t", 1, 100 * HL_SECOND), 0);
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "default", 7, 5 * HL_SECOND), 0);
    durable_commit(&durable);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    clock_virtual_advance(10 * HL_SECOND);
    durable_again(&durable);
    // it keeps its tube, which has nothing else any more
    ck_assert_int_eq(engine_tube_stats(durable.broker, "t").pause_left_ns, 90 * HL_SECOND);
    ck_assert_int_eq(engine_tube_stats(durable.broker, "default").pause_left_ns, 0);
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "t", 1, 0), 0);
    struct broker_stats stats;
    ck_assert_int_eq(broker_tube_stats(durable.broker, "t", 1, &stats), ENOENT);
    durable_commit(&durable);
    kill_and_start();
    ck_assert_int_eq(broker_tube_stats(durable.broker, "t", 1, &stats), ENOENT);
}
END_TEST

START_TEST(tokens_differ_after_a_restart)
{
    put("x");
    conn_open();
    uint64_t before, after;
    uint64_t id = engine_reserve_token(&conn, &before);
    durable_commit(&durable);
    engine_conn_fini(&conn);
    kill_and_start();
    conn_open();
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, id, before, 0, 0), 0);
    ck_assert_uint_eq(engine_reserve_token(&conn, &after), id);
    ck_assert_uint_ne(after, before);
    engine_conn_fini(&conn);
}
END_TEST

// ---- tickets ----

START_TEST(what_must_be_waited_for)
{
    struct broker *broker = durable.broker;
    struct ticket ticket = blocking_told(), reached;
    ck_assert(ticket_is_none(&ticket));
    uint64_t id = put("x");
    ticket = blocking_told();
    ck_assert_uint_ne(ticket.durable, 0);
    ck_assert_uint_eq(ticket.written, 0);
    ck_assert_int_eq(broker_ticket_reached(broker, &reached), 0);
    ck_assert_uint_lt(reached.durable, ticket.durable);
    (void)broker_lead(broker, &ticket, false);
    ck_assert_int_eq(broker_ticket_reached(broker, &reached), 0);
    ck_assert_uint_ge(reached.durable, ticket.durable);
    // a lease is not waited for, its end is
    conn_open();
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert(ticket_is_none(&conn.client.ticket));
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, id, 0), 0);
    ticket = blocking_told();
    ck_assert_uint_gt(ticket.durable, reached.durable);
    engine_conn_fini(&conn);
}
END_TEST

static void nothing(struct later *waiter)
{
    (void)waiter;
}

START_TEST(a_join_waits_for_what_ended_it)
{
    struct broker_waiter waiter = {.later.fire = nothing}, late = {.later.fire = nothing};
    uint64_t id = put("x");
    durable_commit(&durable);
    ck_assert_int_eq(broker_join_async(durable.broker, "t", &waiter), 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    struct ticket deleted = blocking_told();
    ck_assert_uint_ge(waiter.ticket.durable, deleted.durable);
    // who comes when it is over has to wait as long
    ck_assert_int_eq(broker_join_async(durable.broker, NULL, &late), 0);
    ck_assert_uint_ge(late.ticket.durable, deleted.durable);
    ck_assert_int_eq(broker_wait_async(durable.broker, &trust_all, id, &late), ENOENT);
    ck_assert_uint_ge(late.ticket.durable, deleted.durable);
}
END_TEST

START_TEST(a_job_that_is_finished_before_the_commit_leaves_nothing)
{
    struct store_stats before = log_stats();
    for (int i = 0; i < 100; i++) {
        uint64_t id = put("comes and goes");
        conn_open();
        ck_assert_uint_eq(engine_reserve(&conn), id);
        ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, id, 0), 0);
        engine_conn_fini(&conn);
    }
    durable_commit(&durable);
    struct store_stats after = log_stats();
    ck_assert_uint_eq(after.commit.changes, before.commit.changes);
    ck_assert_uint_eq(after.commit.cancelled, 300);
    ck_assert_uint_eq(after.live_bytes, 0);
}
END_TEST

// ---- levels ----

START_TEST(levels)
{
    struct broker *broker = durable.broker;
    ck_assert_int_eq(broker_tube_durability(broker, "m", 1, DURABILITY_MEMORY, 0), 0);
    ck_assert_int_eq(broker_tube_durability(broker, "i", 1, DURABILITY_INTERVAL, 50000000), 0);
    ck_assert_int_eq(broker_tube_durability(broker, "-", 1, DURABILITY_MEMORY, 0), EINVAL);
    uint64_t memory = engine_put(broker, "m", 0, 0, "m");
    struct ticket ticket = blocking_told();
    ck_assert(ticket_is_none(&ticket));
    uint64_t interval = engine_put(broker, "i", 0, 0, "i");
    ticket = blocking_told();
    ck_assert_uint_eq(ticket.durable, 0);
    ck_assert_uint_ne(ticket.written, 0);
    ck_assert_int_eq(broker_ticket_wait(broker, &ticket, 0), 0);
    struct ticket reached;
    ck_assert_int_eq(broker_ticket_reached(broker, &reached), 0);
    ck_assert_uint_lt(reached.durable, ticket.written); // written, not synced
    // moved to where more is promised, it is in the journal from then on
    uint64_t moved = engine_put(broker, "m", 0, 0, "moved"), back = put("back");
    ck_assert_int_eq(broker_move(broker, &trust_all, moved, "t", 1), 0);
    ck_assert_int_eq(broker_move(broker, &trust_all, back, "m", 1), 0);
    durable_commit(&durable);
    kill_and_start();
    ck_assert(gone(memory) && !gone(interval));
    ck_assert(body_is(moved, "moved"));
    ck_assert_str_eq(engine_view(durable.broker, back).tube, "m");
    ck_assert_uint_gt(put("x"), moved);
}
END_TEST

// ---- a disk that is full, or fails ----

START_TEST(a_full_disk_refuses_puts_and_drains)
{
    uint64_t ids[4000], count = 0, refused;
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    disk_space((uint64_t)10 * JOURNAL_SEGMENT_MIN);
    while ((refused = (uint64_t)engine_put_rc(durable.broker, "t", text)) == 0) {
        ids[count++] = engine_stats(durable.broker).totals.put;
        ck_assert_uint_lt(count, 4000);
        durable_commit(&durable);
    }
    ck_assert_uint_eq(refused, ENOSPC);
    ck_assert_uint_gt(count, 100);
    // deletes go on, and when enough is dead, puts do, too
    for (uint64_t i = 0; i < count; i++) {
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, ids[i]), 0);
        durable_commit(&durable);
        (void)durable_compact(&durable);
    }
    ck_assert_int_eq(engine_put_rc(durable.broker, "t", text), 0);
    durable_commit(&durable);
    kill_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 1);
    disk_space(0);
}
END_TEST

START_TEST(nothing_is_durable_any_more_after_a_failed_sync)
{
    uint64_t kept = put("kept");
    durable_commit(&durable);
    uint64_t lost = put("lost");
    struct ticket ticket = blocking_told(), reached;
    disk_fail(1, EIO, true);
    ck_assert_int_eq(broker_ticket_wait(durable.broker, &ticket, HL_FOREVER), EIO);
    ck_assert_int_eq(atomic_load(&durable.failed), EIO);
    ck_assert_int_eq(broker_ticket_reached(durable.broker, &reached), EIO);
    ck_assert_uint_lt(reached.durable, ticket.durable);
    disk_fail(0, 0, false);
    ck_assert_int_eq(engine_put_rc(durable.broker, "t", "x"), EIO);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, kept), EIO);
    ck_assert(!gone(kept));
    ck_assert_int_eq(broker_stop(durable.broker), EIO);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    ck_assert(!gone(kept));
    (void)lost; // was never acknowledged
}
END_TEST

// ---- compaction ----

START_TEST(a_start_on_a_disk_that_refuses_changes_nothing)
{
    uint64_t id = put("first");
    (void)put("second");
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    disk_fail(0, 0, false);
    durable_again(&durable);
    const uint64_t calls = disk_calls();
    ck_assert_uint_gt(calls, 3);
    ck_assert_uint_lt(calls, 500);
    const uint64_t step = 10 / (uint64_t)unit_rounds(10); // under a sanitizer every tenth
    for (uint64_t n = 1; n <= calls + 1; n += step) {
        durable_kill(&durable, NULL);
        disk_fail(n, EIO, false);
        int rc = durable_open(&durable);
        ck_assert(rc == 0 || rc == EIO);
        ck_assert(rc == 0 || durable.error.text[0] != '\0');
        disk_fail(0, 0, false);
        if (rc != 0)
            durable_again(&durable);
        ck_assert_uint_eq(durable.recovered.jobs, 2);
        ck_assert(body_is(id, "first"));
    }
}
END_TEST

START_TEST(a_job_that_is_released_all_the_time_takes_bounded_space)
{
    uint64_t id = put("x");
    conn_open();
    for (int i = 0; i < 20000; i++) {
        ck_assert_uint_eq(engine_reserve(&conn), id);
        ck_assert_int_eq(
            broker_release(&conn.client, &trust_all, id, 0, (uint32_t)i, 3 * HL_SECOND), 0);
        clock_virtual_advance(3 * HL_SECOND);
        broker_due(durable.broker);
        durable_commit(&durable);
        (void)durable_compact(&durable);
    }
    engine_conn_fini(&conn);
    struct store_stats stats = log_stats();
    ck_assert_uint_le(stats.journal.segments, 5);
    ck_assert_uint_gt(stats.compact.trims, 10);
    kill_and_start();
    ck_assert_uint_eq(engine_view(durable.broker, id).pri, 19999);
    ck_assert_uint_eq(engine_view(durable.broker, id).releases, 20000);
}
END_TEST

START_TEST(what_lives_is_copied)
{
    char text[500];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(broker_tube_durability(durable.broker, "p", 1, DURABILITY_COMMIT, 0), 0);
    struct tube *paused;
    ck_assert_int_eq(broker_use(durable.broker, "p", 1, &paused), 0);
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "p", 1, 10000 * HL_SECOND), 0);
    broker_unuse(durable.broker, &paused);
    uint64_t old = put("old"), delayed = engine_put(durable.broker, "t", 1, 9 * HL_SECOND, "later");
    uint64_t last = 0;
    for (int i = 0; i < 3000; i++) {
        if (last != 0)
            ck_assert_int_eq(broker_delete(durable.broker, &trust_all, last), 0);
        last = put(text);
        durable_commit(&durable);
        (void)durable_compact(&durable);
    }
    ck_assert_uint_le(log_stats().journal.segments, 5);
    // each pass over a segment copies three jobs, a pause and ceilings at most, of hundreds of
    // records
    ck_assert_uint_ge(log_stats().copied, 4);
    ck_assert_uint_le(log_stats().copied, 5 * log_stats().compact.trims);
    kill_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 3);
    ck_assert(body_is(old, "old"));
    ck_assert_int_eq(engine_view(durable.broker, delayed).state, JOB_DELAYED);
    ck_assert_int_gt(engine_tube_stats(durable.broker, "p").pause_left_ns, 0);
    ck_assert_uint_gt(put("y"), last);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_durable");
    TCase *back = tcase_create("back");
    tcase_add_checked_fixture(back, setup, teardown);
    tcase_add_test(back, what_was_committed_is_there_after_a_kill);
    tcase_add_test(back, a_clean_stop_keeps_all_and_the_exact_counter);
    tcase_add_test(back, a_finished_job_stays_away);
    tcase_add_test(back, a_reserved_job_comes_back_ready_and_counted);
    tcase_add_test(back, release_keeps_priority_delay_and_counters);
    tcase_add_test(back, a_delayed_put_is_delayed);
    tcase_add_test(back, buried_jobs_keep_order_reason_and_priority);
    tcase_add_test(back, a_buried_job_that_was_reserved_by_id_is_ready);
    tcase_add_test(back, a_timeout_counts);
    tcase_add_test(back, a_moved_job_is_in_its_new_tube);
    tcase_add_test(back, a_pause_goes_on);
    tcase_add_test(back, tokens_differ_after_a_restart);
    suite_add_tcase(suite, back);
    TCase *tickets = tcase_create("tickets");
    tcase_add_checked_fixture(tickets, setup, teardown);
    tcase_add_test(tickets, what_must_be_waited_for);
    tcase_add_test(tickets, a_join_waits_for_what_ended_it);
    tcase_add_test(tickets, a_job_that_is_finished_before_the_commit_leaves_nothing);
    tcase_add_test(tickets, levels);
    suite_add_tcase(suite, tickets);
    TCase *disk = tcase_create("disk");
    tcase_add_checked_fixture(disk, setup, teardown);
    tcase_add_test(disk, a_full_disk_refuses_puts_and_drains);
    tcase_add_test(disk, nothing_is_durable_any_more_after_a_failed_sync);
    tcase_add_test(disk, a_start_on_a_disk_that_refuses_changes_nothing);
    tcase_add_test(disk, a_job_that_is_released_all_the_time_takes_bounded_space);
    tcase_add_test(disk, what_lives_is_copied);
    suite_add_tcase(suite, disk);
    return unit_main(suite);
}
