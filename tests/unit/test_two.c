// SPDX-License-Identifier: MIT
// Two brokers in one process, each with a journal of its own: what a thread does with one is
// nothing
// to the other.

#include "blocking.h"
#include "durable.h"
#include "peer.h"

#include <errno.h>
#include <stdio.h>

#define ROUNDS 300

static struct durable sides[2]; // one on the disk in memory, one on a real one

static void setup(void)
{
    disk_start();
    const char *directory = peer_temp_make();
    for (size_t i = 0; i < 2; i++)
        durable_init(&sides[i]);
    sides[1].settings.directory = directory;
    sides[1].settings.sys = NULL;
    for (size_t i = 0; i < 2; i++)
        durable_again(&sides[i]);
}

static void teardown(void)
{
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(durable_close(&sides[i]), 0);
    peer_temp_remove();
    disk_stop();
}

static struct broker_op put(struct broker *broker)
{
    struct tube *tube;
    struct broker_op op;
    struct job_body *body = engine_body("x");
    ck_assert_int_eq(broker_use(broker, "t", 1, &tube), 0);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 60 * HL_SECOND};
    ck_assert_int_eq(broker_op_put(&op, broker, &spec, &body), 0);
    ck_assert_int_eq(broker_run_blocking(broker, &op), 0);
    broker_op_fini(&op);
    broker_unuse(broker, &tube);
    return op;
}

static bool is_reached(struct broker *broker, const struct ticket *ticket)
{
    struct ticket reached;
    ck_assert_int_eq(broker_ticket_reached(broker, &reached), 0);
    return ticket_is_reached(ticket, &reached);
}

// One thread works with both in turn: each answer waits for its own journal.
START_TEST(tickets_are_told_apart)
{
    for (int i = 0; i < 3; i++)
        (void)put(sides[0].broker); // so that the numbers differ
    struct broker_op first = put(sides[0].broker), second = put(sides[1].broker);
    struct broker_op third = put(sides[0].broker);
    ck_assert_uint_ne(first.ticket.durable, 0);
    ck_assert_uint_ne(second.ticket.durable, 0);
    ck_assert_uint_gt(third.ticket.durable, first.ticket.durable);
    ck_assert_uint_lt(second.ticket.durable, first.ticket.durable);
    ck_assert(!is_reached(sides[0].broker, &first.ticket));
    ck_assert(!is_reached(sides[1].broker, &second.ticket));
    ck_assert_int_eq(broker_ticket_wait(sides[1].broker, &second.ticket, HL_FOREVER), 0);
    ck_assert(is_reached(sides[1].broker, &second.ticket));
    ck_assert(!is_reached(sides[0].broker, &first.ticket));
    ck_assert_int_eq(broker_ticket_wait(sides[0].broker, &third.ticket, HL_FOREVER), 0);
    ck_assert(is_reached(sides[0].broker, &first.ticket));
}
END_TEST

// What was acknowledged by one is there when that one is killed, whatever the other did between.
START_TEST(each_has_what_it_acknowledged)
{
    struct broker_op kept = put(sides[0].broker), other = put(sides[1].broker);
    ck_assert_int_eq(broker_ticket_wait(sides[1].broker, &other.ticket, HL_FOREVER), 0);
    ck_assert_int_eq(broker_ticket_wait(sides[0].broker, &kept.ticket, HL_FOREVER), 0);
    (void)put(sides[0].broker); // not waited for
    ck_assert_int_eq(broker_delete(sides[1].broker, &trust_all, other.id), 0);
    durable_kill(&sides[0], NULL);
    durable_again(&sides[0]);
    ck_assert_uint_eq(sides[0].recovered.jobs, 1);
    ck_assert_int_eq(engine_view(sides[0].broker, kept.id).state, JOB_READY);
    ck_assert_int_eq(durable_close(&sides[1]), 0);
    durable_again(&sides[1]);
    ck_assert_uint_eq(sides[1].recovered.jobs, 0);
}
END_TEST

// A connection's client on each: their tickets go to the clients.
START_TEST(clients_are_told_apart)
{
    struct engine_conn conns[2];
    uint64_t token;
    for (size_t i = 0; i < 2; i++) {
        struct broker_op op = put(sides[i].broker);
        ck_assert_int_eq(broker_ticket_wait(sides[i].broker, &op.ticket, HL_FOREVER), 0);
        engine_conn_init(&conns[i], sides[i].broker);
        engine_watch_only(&conns[i], "t");
    }
    (void)engine_reserve_token(&conns[0], &token);
    ck_assert_uint_ne(conns[0].client.ticket.durable, 0);
    ck_assert(ticket_is_none(&conns[1].client.ticket));
    ck_assert(!is_reached(sides[0].broker, &conns[0].client.ticket));
    ck_assert_uint_ne(engine_reserve(&conns[1]), 0);
    ck_assert(ticket_is_none(&conns[1].client.ticket)); // a plain lease isn't waited for
    for (size_t i = 0; i < 2; i++)
        (void)engine_conn_fini(&conns[i]);
}
END_TEST

static void work(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct broker *broker = sides[i % 2].broker;
        struct broker_op op = put(broker);
        ck_assert_int_eq(broker_ticket_wait(broker, &op.ticket, HL_FOREVER), 0);
        ck_assert_int_eq(broker_delete(broker, &trust_all, op.id), 0);
    }
}

START_TEST(threads_use_both)
{
    hl_thread *threads[3];
    for (size_t i = 0; i < 3; i++)
        threads[i] = engine_thread(work, NULL);
    for (size_t i = 0; i < 3; i++)
        engine_thread_join(&threads[i]);
    for (size_t i = 0; i < 2; i++) {
        struct broker_stats stats = engine_stats(sides[i].broker);
        ck_assert_uint_eq(stats.totals.put, 3 * ROUNDS / 2);
        ck_assert_uint_eq(stats.unfinished, 0);
    }
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("two");
    TCase *tcase = tcase_create("two");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tickets_are_told_apart);
    tcase_add_test(tcase, each_has_what_it_acknowledged);
    tcase_add_test(tcase, clients_are_told_apart);
    tcase_add_test(tcase, threads_use_both);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
