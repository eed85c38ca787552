// SPDX-License-Identifier: MIT
// What concerns a tube as a whole: the first job of each state, kick, pause, clear, move, limits.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

static struct broker *broker;
static struct engine_conn a, b;
static struct tube *used; // "default"

static void setup_with(const struct broker_options *options)
{
    clock_virtual_start(HL_SECOND);
    ck_assert_int_eq(broker_new(&broker, options), 0);
    ck_assert_int_eq(broker_use(broker, "default", 7, &used), 0);
    engine_conn_init(&a, broker);
    engine_conn_init(&b, broker);
}

static void setup(void)
{
    setup_with(NULL);
}

static void teardown(void)
{
    (void)engine_conn_fini(&a);
    (void)engine_conn_fini(&b);
    broker_unuse(broker, &used);
    broker_free(&broker);
    clock_virtual_stop();
}

static uint64_t put(const char *tube, uint32_t pri, int64_t delay_ns)
{
    return engine_put(broker, tube, pri, delay_ns, "body");
}

static void pass(int64_t by_ns)
{
    clock_virtual_advance(by_ns);
    (void)broker_due(broker);
}

static enum job_state state(uint64_t id)
{
    return engine_view(broker, id).state;
}

static uint64_t put_buried(const char *tube)
{
    struct broker_lease lease;
    uint64_t id = put(tube, 0, 0);
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, id, 0, &lease), 0);
    broker_lease_fini(&lease);
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, id, 0, 0), 0);
    return id;
}

static uint64_t first(enum job_state of)
{
    struct job_view view;
    int rc = broker_peek_first(broker, used, of, &view, NULL);
    ck_assert(rc == 0 || rc == ENOENT);
    return rc == 0 ? view.id : 0;
}

static uint64_t kick(uint64_t count)
{
    uint64_t kicked;
    ck_assert_int_eq(broker_kick(broker, used, count, &kicked), 0);
    return kicked;
}

static uint64_t clear(const char *tube)
{
    uint64_t cleared;
    ck_assert_int_eq(broker_clear(broker, tube, strlen(tube), &cleared), 0);
    return cleared;
}

static int move(uint64_t id, const char *tube)
{
    return broker_move(broker, &trust_all, id, tube, strlen(tube));
}

// ---- the first of each state ----

START_TEST(the_first_of_each_state)
{
    ck_assert_uint_eq(first(JOB_READY), 0);
    ck_assert_uint_eq(first(JOB_DELAYED), 0);
    ck_assert_uint_eq(first(JOB_BURIED), 0);
    uint64_t buried = put_buried("default");
    put_buried("default");
    put("default", 9, 0);
    uint64_t best = put("default", 1, 0);
    put("default", 0, 2 * HL_SECOND);
    uint64_t soonest = put("default", 9, HL_SECOND);
    put("other", 0, 0);
    ck_assert_uint_eq(first(JOB_READY), best);
    ck_assert_uint_eq(first(JOB_DELAYED), soonest);
    ck_assert_uint_eq(first(JOB_BURIED), buried);
    struct job_view view;
    struct job_body *body;
    ck_assert_int_eq(broker_peek_first(broker, used, JOB_READY, &view, &body), 0);
    ck_assert_mem_eq(body->bytes, "body", 4);
    job_body_unref(&body);
}
END_TEST

START_TEST(a_peek_keeps_the_body_of_a_deleted_job)
{
    struct job_view view;
    struct job_body *body;
    uint64_t id = put("default", 0, 0);
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, &body), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert_mem_eq(body->bytes, "body", 4);
    job_body_unref(&body);
}
END_TEST

// ---- kick ----

START_TEST(kick_takes_the_buried_first)
{
    uint64_t one = put_buried("default"), two = put_buried("default");
    uint64_t later = put("default", 0, 9 * HL_SECOND), soon = put("default", 0, HL_SECOND);
    ck_assert_uint_eq(kick(0), 0);
    ck_assert_uint_eq(kick(1), 1);
    ck_assert_int_eq(state(one), JOB_READY);
    ck_assert_uint_eq(kick(10), 1); // only buried ones, as long as there is one
    ck_assert_int_eq(state(two), JOB_READY);
    ck_assert_uint_eq(kick(1), 1);
    ck_assert_int_eq(state(soon), JOB_READY);
    ck_assert_int_eq(state(later), JOB_DELAYED);
    ck_assert_uint_eq(kick(10), 1);
    ck_assert_uint_eq(kick(10), 0);
    ck_assert_uint_eq(engine_view(broker, one).kicks, 1);
    ck_assert_uint_eq(engine_view(broker, soon).kicks, 1);
}
END_TEST

START_TEST(a_kicked_job_is_unfinished_again)
{
    uint64_t id = put_buried("default");
    ck_assert_int_eq(broker_join(broker, "default", 0, NULL), 0);
    ck_assert_int_eq(broker_kick_job(broker, &trust_all, id), 0);
    ck_assert_int_eq(broker_join(broker, "default", 0, NULL), ETIMEDOUT);
    ck_assert_uint_eq(engine_reserve(&a), id);
    ck_assert_int_eq(broker_kick_job(broker, &trust_all, id), ENOENT); // reserved
    ck_assert_int_eq(broker_client_delete(&a.client, &trust_all, id, 0), 0);
    ck_assert_int_eq(broker_kick_job(broker, &trust_all, id), ENOENT); // gone
    struct broker_totals totals;
    ck_assert_int_eq(broker_join(broker, "default", 0, &totals), 0);
    ck_assert_uint_eq(totals.put, 1);
    ck_assert_uint_eq(totals.kicked, 1);
    ck_assert_uint_eq(totals.failed, 1);
    ck_assert_uint_eq(totals.done, 1);
    ck_assert_uint_eq(totals.deleted, 0);
}
END_TEST

START_TEST(kick_one_delayed_or_ready)
{
    uint64_t delayed = put("x", 0, HL_SECOND), ready = put("x", 0, 0);
    ck_assert_int_eq(broker_kick_job(broker, &trust_all, delayed), 0);
    ck_assert_int_eq(state(delayed), JOB_READY);
    ck_assert_int_eq(broker_kick_job(broker, &trust_all, ready), ENOENT);
    ck_assert_int_eq(broker_due(broker), CLOCK_NEVER);
}
END_TEST

START_TEST(a_kick_of_thousands)
{
    for (int i = 0; i < 1500; i++)
        put("default", 0, HL_SECOND);
    ck_assert_uint_eq(kick(1400), 1400);
    struct broker_stats stats = engine_stats(broker);
    ck_assert_uint_eq(stats.count[JOB_READY], 1400);
    ck_assert_uint_eq(stats.count[JOB_DELAYED], 100);
}
END_TEST

// ---- walks ----

START_TEST(a_walk_keeps_to_what_it_began_with)
{
    struct broker_bulk walk;
    for (int i = 0; i < 300; i++)
        put_buried("default");
    for (int i = 0; i < 5; i++)
        put("default", 0, HL_SECOND);
    broker_kick_begin(broker, used, 1000, &walk);
    ck_assert_int_eq(broker_bulk_on(&walk), EINPROGRESS);
    ck_assert_uint_gt(walk.done, 0);
    ck_assert_uint_lt(walk.done, 300);
    ck_assert_uint_eq(engine_stats(broker).count[JOB_READY], walk.done);
    uint64_t late = put("default", 0, 0); // reserved and buried while it goes on
    uint64_t held = engine_reserve(&a);
    ck_assert_int_eq(broker_bury(&a.client, &trust_all, held, 0, 0), 0);
    ck_assert_int_eq(broker_bulk_on(&walk), 0);
    ck_assert_uint_eq(walk.done, 300);
    broker_bulk_end(&walk);
    ck_assert_int_eq(state(late), JOB_READY);
    struct broker_stats stats = engine_stats(broker);
    ck_assert_uint_eq(stats.count[JOB_BURIED], 1);
    ck_assert_uint_eq(stats.count[JOB_DELAYED], 5);
}
END_TEST

START_TEST(a_walk_ends_when_others_were_faster)
{
    struct broker_bulk walk;
    for (int i = 0; i < 400; i++)
        put("default", 0, HL_SECOND);
    broker_kick_begin(broker, used, 400, &walk);
    ck_assert_int_eq(broker_bulk_on(&walk), EINPROGRESS);
    uint64_t done = walk.done;
    ck_assert_uint_eq(clear("default"), 400);
    ck_assert_int_eq(broker_bulk_on(&walk), 0);
    ck_assert_uint_eq(walk.done, done);
    broker_bulk_end(&walk);
}
END_TEST

START_TEST(a_walk_may_be_given_up_and_keeps_its_tube)
{
    struct broker_bulk walk;
    for (int i = 0; i < 300; i++)
        put("x", 0, 0);
    ck_assert_int_eq(broker_clear_begin(broker, "nobody", 6, &walk), ENOENT);
    ck_assert_int_eq(broker_clear_begin(broker, "x", 1, &walk), 0);
    ck_assert_int_eq(broker_bulk_on(&walk), EINPROGRESS);
    ck_assert_uint_eq(clear("x"), 300 - walk.done);
    ck_assert_uint_eq(engine_stats(broker).tubes, 2); // nothing else keeps it
    broker_bulk_end(&walk);
    ck_assert_uint_eq(engine_stats(broker).tubes, 1);
}
END_TEST

// ---- pause ----

START_TEST(a_paused_tube_keeps_its_jobs)
{
    uint64_t got, id = put("default", 0, 0);
    ck_assert_int_eq(broker_pause(broker, &trust_all, "nobody", 6, HL_SECOND), ENOENT);
    ck_assert_int_eq(broker_pause(broker, &trust_all, "default", 7, 3 * HL_SECOND), 0);
    ck_assert_uint_eq(engine_reserve(&a), 0);
    ck_assert_uint_eq(first(JOB_READY), id); // but it can be looked at
    ck_assert_int_eq(engine_reserve_rc(&a, HL_FOREVER, NULL), EINPROGRESS);
    ck_assert_int_eq(engine_reserve_rc(&b, HL_FOREVER, NULL), EINPROGRESS);
    uint64_t urgent = put("default", 0, 0);
    pass(HL_SECOND);
    struct broker_stats stats = engine_tube_stats(broker, "default");
    ck_assert_uint_eq(stats.pauses, 1);
    ck_assert_int_eq(stats.pause_ns, 3 * HL_SECOND);
    ck_assert_int_eq(stats.pause_left_ns, 2 * HL_SECOND);
    ck_assert_uint_eq(stats.waiting, 2);
    ck_assert_int_eq(broker_due(broker), clock_now_ns() + 2 * HL_SECOND);
    ck_assert_uint_eq(a.fired, 0);
    pass(2 * HL_SECOND); // then those who waited are served in their order
    ck_assert_int_eq(engine_finish(&a, &got), 0);
    ck_assert_uint_eq(got, id);
    ck_assert_int_eq(engine_finish(&b, &got), 0);
    ck_assert_uint_eq(got, urgent);
    stats = engine_tube_stats(broker, "default");
    ck_assert_int_eq(stats.pause_ns, 0);
    ck_assert_int_eq(stats.pause_left_ns, 0);
    ck_assert_int_eq(broker_due(broker), clock_now_ns() + 60 * HL_SECOND); // their leases
}
END_TEST

START_TEST(a_pause_of_nothing_ends_the_pause)
{
    put("default", 0, 0);
    ck_assert_int_eq(broker_pause(broker, &trust_all, "default", 7, 100 * HL_SECOND), 0);
    ck_assert_int_eq(broker_pause(broker, &trust_all, "default", 7, 0), 0);
    ck_assert_uint_ne(engine_reserve(&a), 0);
    ck_assert_uint_eq(engine_tube_stats(broker, "default").pauses, 2);
}
END_TEST

START_TEST(a_pause_stops_only_taking)
{
    struct broker_lease lease;
    uint64_t elsewhere = put("x", 5, 0), id = put("default", 0, 0), gone = put("default", 0, 0);
    size_t count;
    ck_assert_int_eq(broker_watch(&a.client, "x", 1, &count), 0);
    ck_assert_int_eq(broker_pause(broker, &trust_all, "default", 7, HL_SECOND), 0);
    ck_assert_uint_eq(engine_reserve(&a), elsewhere); // other tubes flow
    ck_assert_int_eq(broker_reserve_job(&a.client, &trust_all, id, 0, &lease), 0);
    broker_lease_fini(&lease);
    ck_assert_int_eq(broker_release(&a.client, &trust_all, id, 0, 0, 0), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, gone), 0);
    pass(HL_SECOND);
    ck_assert_uint_eq(engine_reserve(&a), id);
}
END_TEST

// ---- clear ----

START_TEST(clear_leaves_what_is_reserved)
{
    uint64_t cleared, held = put("default", 0, 0);
    ck_assert_uint_eq(engine_reserve(&a), held);
    put_buried("default");
    for (int i = 0; i < 600; i++) {
        put("default", 0, 0);
        put("default", 0, HL_SECOND);
    }
    uint64_t other = put("x", 0, 0);
    ck_assert_int_eq(broker_clear(broker, "nobody", 6, &cleared), ENOENT);
    ck_assert_uint_eq(clear("default"), 1201);
    ck_assert_uint_eq(clear("default"), 0);
    struct broker_stats stats = engine_tube_stats(broker, "default");
    ck_assert_uint_eq(stats.unfinished, 1);
    ck_assert_uint_eq(stats.totals.deleted, 1200);
    ck_assert_uint_eq(stats.deletes, 1201);
    ck_assert_uint_eq(stats.bytes, 4);
    ck_assert_int_eq(state(held), JOB_RESERVED);
    ck_assert_int_eq(state(other), JOB_READY);
}
END_TEST

static void count_records(struct list *ends, void *arg)
{
    struct job_end *end;
    for (; (end = engine_end_pop(ends)) != NULL; job_end_unref(&end))
        ++*(unsigned *)arg;
}

START_TEST(clear_ends_joins_and_leaves_no_records)
{
    unsigned records = 0;
    teardown();
    setup_with(&(struct broker_options){.ended = count_records, .records_arg = &records});
    for (int i = 0; i < 10; i++)
        put("x", 0, 0);
    ck_assert_int_eq(broker_join(broker, "x", 0, NULL), ETIMEDOUT);
    ck_assert_uint_eq(clear("x"), 10);
    ck_assert_int_eq(broker_join(broker, "x", 0, NULL), 0);
    ck_assert_uint_eq(records, 0);
}
END_TEST

// ---- move ----

START_TEST(a_moved_job_keeps_all_but_its_tube)
{
    uint64_t ready = put("default", 3, 0), delayed = put("default", 4, 9 * HL_SECOND);
    uint64_t buried = put_buried("default"), held = put("default", 0, 0);
    ck_assert_uint_eq(engine_reserve(&a), held);
    ck_assert_int_eq(move(held, "x"), ENOENT);
    ck_assert_int_eq(move(999, "x"), ENOENT);
    ck_assert_int_eq(move(ready, "-x"), EINVAL);
    ck_assert_int_eq(move(ready, "default"), 0);
    ck_assert_int_eq(move(ready, "x"), 0);
    ck_assert_int_eq(move(delayed, "x"), 0);
    ck_assert_int_eq(move(buried, "x"), 0);
    struct job_view view = engine_view(broker, ready);
    ck_assert_str_eq(view.tube, "x");
    ck_assert_uint_eq(view.pri, 3);
    ck_assert_int_eq(view.state, JOB_READY);
    ck_assert_int_eq(engine_view(broker, delayed).time_left_ns, 9 * HL_SECOND);
    ck_assert_int_eq(state(buried), JOB_BURIED);
    struct broker_stats stats = engine_tube_stats(broker, "x");
    ck_assert_uint_eq(stats.unfinished, 2);
    ck_assert_uint_eq(stats.count[JOB_BURIED], 1);
    ck_assert_uint_eq(stats.bytes, 12);
    ck_assert_uint_eq(stats.totals.moved_in, 2);
    ck_assert_uint_eq(engine_tube_stats(broker, "default").unfinished, 1);
    ck_assert_uint_eq(clear("x"), 3);
    ck_assert_int_eq(broker_tube_stats(broker, "x", 1, &stats), ENOENT); // it went with them
}
END_TEST

static unsigned joined;

static void note(struct later *later)
{
    (void)later;
    joined++;
}

START_TEST(a_move_carries_the_count_along)
{
    struct broker_waiter join = {.later.fire = note};
    joined = 0;
    uint64_t got, id = put("default", 0, 0);
    engine_watch_only(&b, "x");
    ck_assert_int_eq(broker_join_async(broker, "default", &join), 0);
    ck_assert_int_eq(engine_reserve_rc(&b, HL_FOREVER, NULL), EINPROGRESS);
    ck_assert_int_eq(move(id, "x"), 0);
    ck_assert_uint_eq(joined, 1); // nothing is unfinished there any more
    ck_assert_int_eq(broker_join(broker, "x", 0, NULL), ETIMEDOUT);
    ck_assert_int_eq(engine_finish(&b, &got), 0); // and here it is taken
    ck_assert_uint_eq(got, id);
}
END_TEST

// ---- limits ----

START_TEST(a_tube_may_be_limited)
{
    teardown();
    setup_with(&(struct broker_options){.tube_jobs_max = 3, .tube_bytes_max = 10});
    uint64_t id = put("x", 0, 0);
    put("x", 0, 0);
    ck_assert_int_eq(engine_put_rc(broker, "x", "123"), ENOBUFS); // 4 + 4 + 3 bytes
    ck_assert_int_eq(engine_put_rc(broker, "x", "12"), 0);
    ck_assert_int_eq(engine_put_rc(broker, "x", ""), ENOBUFS); // the fourth job
    uint64_t other = put("default", 0, 0);
    ck_assert_int_eq(move(other, "x"), ENOBUFS);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert_int_eq(move(other, "x"), 0);
    ck_assert_uint_eq(engine_tube_stats(broker, "x").bytes, 10);
}
END_TEST

START_TEST(refused_puts_use_up_an_id)
{
    uint64_t id = put("default", 0, 0);
    broker_drain(broker, true);
    ck_assert_int_eq(engine_put_rc(broker, "default", "x"), EHOSTDOWN);
    broker_drain(broker, false);
    ck_assert_uint_eq(broker_take_id(broker), id + 2);
    ck_assert_uint_eq(put("default", 0, 0), id + 3);
}
END_TEST

// Its place among the others is that of its id, and draining doesn't cost a second one.
START_TEST(a_put_with_an_id_of_its_own)
{
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .ttr_ns = HL_SECOND, .id = broker_take_id(broker)};
    struct job_body *body = engine_body("early");
    uint64_t id, later = put("default", 0, 0);
    ck_assert_uint_eq(later, spec.id + 1);
    ck_assert_int_eq(broker_use(broker, "default", 7, &spec.tube), 0);
    broker_drain(broker, true);
    ck_assert_int_eq(broker_put(broker, &spec, &body, &id), EHOSTDOWN);
    broker_drain(broker, false);
    ck_assert_int_eq(broker_put(broker, &spec, &body, &id), 0);
    ck_assert_uint_eq(id, spec.id);
    broker_unuse(broker, &spec.tube);
    struct job_view view;
    struct tube *tube;
    ck_assert_int_eq(broker_use(broker, "default", 7, &tube), 0);
    ck_assert_int_eq(broker_peek_first(broker, tube, JOB_READY, &view, NULL), 0);
    ck_assert_uint_eq(view.id, spec.id);
    broker_unuse(broker, &tube);
    ck_assert_uint_eq(put("default", 0, 0), later + 1);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_tube");
    TCase *tcase = tcase_create("tube");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_first_of_each_state);
    tcase_add_test(tcase, a_peek_keeps_the_body_of_a_deleted_job);
    tcase_add_test(tcase, kick_takes_the_buried_first);
    tcase_add_test(tcase, a_kicked_job_is_unfinished_again);
    tcase_add_test(tcase, kick_one_delayed_or_ready);
    tcase_add_test(tcase, a_kick_of_thousands);
    tcase_add_test(tcase, a_walk_keeps_to_what_it_began_with);
    tcase_add_test(tcase, a_walk_ends_when_others_were_faster);
    tcase_add_test(tcase, a_walk_may_be_given_up_and_keeps_its_tube);
    tcase_add_test(tcase, a_paused_tube_keeps_its_jobs);
    tcase_add_test(tcase, a_pause_of_nothing_ends_the_pause);
    tcase_add_test(tcase, a_pause_stops_only_taking);
    tcase_add_test(tcase, clear_leaves_what_is_reserved);
    tcase_add_test(tcase, clear_ends_joins_and_leaves_no_records);
    tcase_add_test(tcase, a_moved_job_keeps_all_but_its_tube);
    tcase_add_test(tcase, a_move_carries_the_count_along);
    tcase_add_test(tcase, a_tube_may_be_limited);
    tcase_add_test(tcase, refused_puts_use_up_an_id);
    tcase_add_test(tcase, a_put_with_an_id_of_its_own);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
