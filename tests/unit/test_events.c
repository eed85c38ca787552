// SPDX-License-Identifier: MIT
// Events: each change is told once, with what the job was before and is afterwards. Who is told of
// what, and when, is in test_events_listen.c, many listeners on several threads in
// test_events_many.c.
//
// HILERA_EVENTS_SEED changes the seed of the random work; a failure names it.

#include "churn.h"
#include "events_kit.h"

#include "base/clock.h"
#include "base/idtable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void outcome_is(const struct broker_event *event, enum job_outcome_kind kind)
{
    ck_assert(event->has_outcome);
    ck_assert_str_eq(job_outcome_word(event->outcome), job_outcome_word(kind));
}

// ---- each type ----

static struct engine_conn conn;

static uint64_t reserved(void)
{
    uint64_t id = events_put(0);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_uint_eq(events_hear(), 2);
    return id;
}

static void conn_begin(void)
{
    events_listen_all();
    engine_conn_init(&conn, heard.durable.broker);
    engine_watch_only(&conn, "t");
}

START_TEST(jobs_of_connections)
{
    conn_begin();
    uint64_t id = events_put(0);
    events_told(BROKER_EVENT_PUT, id, JOB_NEW, JOB_READY);
    clock_virtual_advance(3 * HL_SECOND);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_int_eq(events_told(BROKER_EVENT_RESERVE, id, JOB_READY, JOB_RESERVED)->waited_ns,
                     3 * HL_SECOND);
    ck_assert_int_eq(heard.got[0].ran_ns, -1);
    clock_virtual_advance(2 * HL_SECOND);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, id, 0, 7, 0), 0);
    ck_assert_int_eq(events_told(BROKER_EVENT_RELEASE, id, JOB_RESERVED, JOB_READY)->ran_ns,
                     2 * HL_SECOND);
    ck_assert_int_eq(heard.got[0].waited_ns, 3 * HL_SECOND);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, id, 0, 7, HL_SECOND), 0);
    events_told(BROKER_EVENT_RELEASE, id, JOB_RESERVED, JOB_DELAYED);
    clock_virtual_advance(HL_SECOND);
    (void)broker_due(heard.durable.broker);
    events_told(BROKER_EVENT_DUE, id, JOB_DELAYED, JOB_READY);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(broker_bury(&conn.client, &trust_all, id, 0, 7), 0);
    outcome_is(events_told(BROKER_EVENT_BURY, id, JOB_RESERVED, JOB_BURIED), JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_kick_job(heard.durable.broker, &trust_all, id), 0);
    events_told(BROKER_EVENT_KICK, id, JOB_BURIED, JOB_READY);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(broker_touch(&conn.client, &trust_all, id, 0), 0);
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, id, 0), 0);
    outcome_is(events_told(BROKER_EVENT_FINISH, id, JOB_RESERVED, JOB_FINISHED), JOB_OUTCOME_DONE);
    engine_conn_fini(&conn);
}
END_TEST

START_TEST(leases_that_end_otherwise)
{
    conn_begin();
    uint64_t id = reserved();
    clock_virtual_advance(3600 * HL_SECOND);
    (void)broker_due(heard.durable.broker);
    outcome_is(events_told(BROKER_EVENT_RETRY, id, JOB_RESERVED, JOB_READY), JOB_OUTCOME_TIMEOUT);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_uint_eq(events_hear(), 1);
    engine_conn_fini(&conn);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(heard.got[0].from, JOB_RESERVED);
    ck_assert_int_eq(heard.got[0].to, JOB_READY);
    ck_assert(heard.got[0].has_outcome);
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
    outcome_is(events_told(BROKER_EVENT_FINISH, id, JOB_READY, JOB_FINISHED), JOB_OUTCOME_DELETED);
}
END_TEST

START_TEST(a_touch_is_no_event)
{
    uint64_t token;
    conn_begin();
    uint64_t id = events_put(0);
    ck_assert_uint_eq(engine_reserve_token(&conn, &token), id);
    ck_assert_uint_eq(events_hear(), 2);
    ck_assert_int_eq(broker_touch(&conn.client, &trust_all, id, token), 0);
    ck_assert_uint_eq(events_hear(), 0);
    engine_conn_fini(&conn);
}
END_TEST

static const struct {
    enum job_outcome_kind kind;
    enum broker_event_type type;
    enum job_state to;
} settled[] = {{JOB_OUTCOME_DONE, BROKER_EVENT_FINISH, JOB_FINISHED},
               {JOB_OUTCOME_DELETED, BROKER_EVENT_FINISH, JOB_FINISHED},
               {JOB_OUTCOME_FAILED, BROKER_EVENT_BURY, JOB_BURIED},
               {JOB_OUTCOME_BURIED, BROKER_EVENT_BURY, JOB_BURIED},
               {JOB_OUTCOME_TIMEOUT, BROKER_EVENT_BURY, JOB_BURIED},
               {JOB_OUTCOME_CRASHED, BROKER_EVENT_RETRY, JOB_DELAYED},
               {JOB_OUTCOME_RETURNED, BROKER_EVENT_RETURN, JOB_READY}};

START_TEST(jobs_of_workers)
{
    struct broker_lease lease;
    struct broker_consumer *consumer = engine_consumer(heard.durable.broker, "t");
    events_listen_all();
    uint64_t id = events_put(0);
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_uint_eq(events_hear(), 2);
    clock_virtual_advance(HL_SECOND);
    ck_assert_int_eq(engine_settle(heard.durable.broker, &lease, settled[_i].kind), 0);
    outcome_is(events_told(settled[_i].type, id, JOB_RESERVED, settled[_i].to), settled[_i].kind);
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(cancels_and_what_nobody_has)
{
    enum job_state now;
    struct broker_lease lease;
    struct broker_consumer *consumer = engine_consumer(heard.durable.broker, "t");
    const struct broker_change cancel = {.action = BROKER_DO_CANCEL, .reason = "no"};
    const struct broker_change bury = {.action = BROKER_DO_BURY, .reason = "no"};
    events_listen_all();
    uint64_t id = events_put(0);
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_uint_eq(events_hear(), 2);
    ck_assert_int_eq(broker_apply_job(heard.durable.broker, &trust_all, id, &cancel, &now, NULL),
                     0);
    outcome_is(events_told(BROKER_EVENT_CANCEL, id, JOB_RESERVED, JOB_RESERVED),
               JOB_OUTCOME_CANCELLED);
    ck_assert_int_eq(engine_settle(heard.durable.broker, &lease, JOB_OUTCOME_RETURNED), 0);
    outcome_is(events_told(BROKER_EVENT_FINISH, id, JOB_RESERVED, JOB_FINISHED),
               JOB_OUTCOME_CANCELLED);
    id = events_put(HL_SECOND);
    events_told(BROKER_EVENT_PUT, id, JOB_NEW, JOB_DELAYED);
    ck_assert_int_eq(broker_apply_job(heard.durable.broker, &trust_all, id, &bury, &now, NULL), 0);
    outcome_is(events_told(BROKER_EVENT_BURY, id, JOB_DELAYED, JOB_BURIED), JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
    outcome_is(events_told(BROKER_EVENT_FINISH, id, JOB_BURIED, JOB_FINISHED), JOB_OUTCOME_DELETED);
    id = events_put(HL_SECOND);
    events_told(BROKER_EVENT_PUT, id, JOB_NEW, JOB_DELAYED);
    ck_assert_int_eq(broker_apply_job(heard.durable.broker, &trust_all, id, &cancel, &now, NULL),
                     0);
    outcome_is(events_told(BROKER_EVENT_FINISH, id, JOB_DELAYED, JOB_FINISHED),
               JOB_OUTCOME_CANCELLED);
    broker_consumer_free(&consumer);
}
END_TEST

START_TEST(moves_and_pauses)
{
    events_listen_all();
    uint64_t id = events_put(0);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(broker_move(heard.durable.broker, &trust_all, id, "other", 5), 0);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(heard.got[0].type, BROKER_EVENT_MOVE);
    ck_assert_str_eq(heard.got[0].tube, "other");
    ck_assert_str_eq(heard.got[0].from_tube, "t");
    ck_assert_int_eq(heard.got[0].to, JOB_READY);
    ck_assert_int_eq(broker_move(heard.durable.broker, &trust_all, id, "t", 1), 0);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(broker_pause(heard.durable.broker, &trust_all, "t", 1, HL_SECOND), 0);
    events_told(BROKER_EVENT_PAUSE, 0, JOB_NEW, JOB_DELAYED);
    clock_virtual_advance(HL_SECOND);
    (void)broker_due(heard.durable.broker);
    events_told(BROKER_EVENT_RESUME, 0, JOB_NEW, JOB_READY);
    ck_assert_int_eq(broker_pause(heard.durable.broker, &trust_all, "t", 1, 0), 0);
    events_told(BROKER_EVENT_RESUME, 0, JOB_NEW, JOB_READY);
}
END_TEST

// What follows from a change is the next event: who waited has it.
START_TEST(a_change_stands_before_what_follows_from_it)
{
    conn_begin();
    ck_assert_int_eq(engine_reserve_rc(&conn, HL_FOREVER, NULL), EINPROGRESS);
    uint64_t id = events_put(0);
    ck_assert_uint_eq(events_hear(), 2);
    ck_assert_int_eq(heard.got[0].type, BROKER_EVENT_PUT);
    ck_assert_int_eq(heard.got[0].to, JOB_READY);
    ck_assert_int_eq(heard.got[1].type, BROKER_EVENT_RESERVE);
    ck_assert_uint_eq(heard.got[1].id, id);
    ck_assert_uint_eq(heard.got[1].number, heard.got[0].number + 1);
    ck_assert_int_eq(engine_finish(&conn, &id), 0);
    engine_conn_fini(&conn);
}
END_TEST

// ---- random work, and a mirror of it ----

struct seen {
    enum job_state state;
    char tube[JOB_TUBE_NAME_MAX + 1];
};

static struct idtable mirror;

// Each event begins where the one before has ended.
static void mirror_event(const struct broker_event *event)
{
    struct seen *seen = idtable_get(&mirror, event->id);
    if (event->id == 0)
        return;
    if (event->type == BROKER_EVENT_PUT) {
        ck_assert_ptr_null(seen);
        seen = calloc(1, sizeof(*seen));
        ck_assert_int_eq(idtable_put(&mirror, event->id, seen), 0);
    } else {
        ck_assert_msg(seen != NULL, "job %" PRIu64 " wasn't put", event->id);
        ck_assert_msg(seen->state == event->from, "job %" PRIu64 ": %s from %s, but it is %s",
                      event->id, broker_event_word(event->type), job_state_word(event->from),
                      job_state_word(seen->state));
        ck_assert_str_eq(seen->tube,
                         event->type == BROKER_EVENT_MOVE ? event->from_tube : event->tube);
        if (event->type != BROKER_EVENT_CANCEL && event->type != BROKER_EVENT_MOVE)
            ck_assert_int_ne(event->from, event->to);
    }
    seen->state = event->to;
    (void)snprintf(seen->tube, sizeof(seen->tube), "%s", event->tube);
    if (event->to == JOB_FINISHED)
        free(idtable_remove(&mirror, event->id));
}

static void mirror_compare(void)
{
    uint64_t id = 0;
    const struct seen *seen;
    ck_assert_uint_eq(mirror.len, heard.durable.broker->ledger.jobs.len);
    for (; (seen = idtable_from(&mirror, &id)) != NULL; id++) {
        const struct job_view view = engine_view(heard.durable.broker, id);
        ck_assert_str_eq(job_state_word(view.state), job_state_word(seen->state));
        ck_assert_str_eq(view.tube, seen->tube);
    }
}

static struct churn churn;

START_TEST(random_work_is_told_as_it_is)
{
    int steps = unit_rounds(20000);
    churn = (struct churn){.numbers = unit_random_seed(engine_env("HILERA_EVENTS_SEED", 12))};
    durable_prepare(&heard.durable, NULL);
    churn_options(&churn, &heard.durable.options);
    heard.durable.log.cache_size = 200; // jobs change their memory
    durable_again(&heard.durable);
    heard.listener = (struct broker_listener){.broker = NULL};
    idtable_init(&mirror);
    events_listen_all();
    churn_join(&churn, heard.durable.broker);
    for (int step = 0; step < steps; step++) {
        churn_step(&churn);
        size_t count = events_hear();
        ck_assert(!heard.gap);
        for (; count > 0; count = events_hear_of(&heard.listener))
            for (size_t i = 0; i < count; i++)
                mirror_event(&heard.got[i]);
        if (step % 50 == 0)
            mirror_compare();
    }
    mirror_compare();
    ck_assert_uint_gt(mirror.len, 10);
    churn_leave(&churn);
    struct seen *seen;
    for (uint64_t id = 0; (seen = idtable_from(&mirror, &id)) != NULL;)
        free(idtable_remove(&mirror, id));
    idtable_fini(&mirror);
    broker_unlisten(&heard.listener);
    durable_end(&heard.durable, NULL);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("events");
    TCase *types = tcase_create("types");
    tcase_add_checked_fixture(types, events_setup, events_teardown);
    tcase_add_test(types, jobs_of_connections);
    tcase_add_test(types, leases_that_end_otherwise);
    tcase_add_test(types, a_touch_is_no_event);
    tcase_add_loop_test(types, jobs_of_workers, 0, sizeof(settled) / sizeof(settled[0]));
    tcase_add_test(types, cancels_and_what_nobody_has);
    tcase_add_test(types, moves_and_pauses);
    tcase_add_test(types, a_change_stands_before_what_follows_from_it);
    suite_add_tcase(suite, types);
    TCase *own = tcase_create("random");
    tcase_set_timeout(own, 300);
    tcase_add_test(own, random_work_is_told_as_it_is);
    suite_add_tcase(suite, own);
    return unit_main(suite);
}
