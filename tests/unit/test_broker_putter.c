// SPDX-License-Identifier: MIT
// Puts that wait for room: the line of a tube, the line of all, and what ends a wait.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

struct put {
    struct broker_op op;
    unsigned fired;
};

static struct broker *broker;
static struct engine_conn conn;
static struct tube *tube, *other;
static struct put waits[4];

static void fire(struct later *later)
{
    CONTAINER_OF(later, struct put, op.later)->fired++;
}

static void start(const struct broker_options *options)
{
    memset(waits, 0, sizeof(waits));
    clock_virtual_start(HL_SECOND);
    ck_assert_int_eq(broker_new(&broker, options), 0);
    ck_assert_int_eq(broker_use(broker, "t", 1, &tube), 0);
    ck_assert_int_eq(broker_use(broker, "u", 1, &other), 0);
    engine_conn_init(&conn, broker);
    engine_watch_only(&conn, "t");
}

static void setup(void)
{
    start(&(struct broker_options){.tube_jobs_max = 2, .tube_bytes_max = 100, .put_waits = true});
}

static void teardown(void)
{
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        broker_op_fini(&waits[i].op);
    (void)engine_conn_fini(&conn);
    broker_unuse(broker, &tube);
    broker_unuse(broker, &other);
    broker_free(&broker);
    clock_virtual_stop();
}

static int put_spec(int which, const struct broker_put_spec *spec, size_t len)
{
    struct job_body *body;
    ck_assert_int_eq(job_body_new(&body, len), 0);
    memset(body->bytes, 'x', len);
    broker_op_fini(&waits[which].op);
    waits[which].op.later.fire = fire;
    int rc = broker_put_wait(broker, spec, &body, &waits[which].op);
    ck_assert((body == NULL) == (rc == 0 || rc == EINPROGRESS));
    job_body_unref(&body);
    return rc;
}

static int put(int which, size_t len)
{
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 60 * HL_SECOND};
    return put_spec(which, &spec, len);
}

static void fill(void)
{
    ck_assert_uint_eq(engine_put(broker, "t", 0, 0, "1"), 1);
    ck_assert_uint_eq(engine_put(broker, "t", 0, 0, "2"), 2);
}

// The put came in, as that job.
static void came_in(int which, uint64_t id)
{
    ck_assert_uint_eq(waits[which].fired, 1);
    ck_assert_int_eq(waits[which].op.later.result, 0);
    ck_assert_uint_eq(waits[which].op.id, id);
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
}

START_TEST(with_room_it_is_a_put)
{
    ck_assert_int_eq(put(0, 10), 0);
    ck_assert_uint_eq(waits[0].op.id, 1);
    ck_assert_uint_eq(waits[0].fired, 0);
    ck_assert_int_eq(put(0, BROKER_BODY_MAX_DEFAULT + 1), EMSGSIZE);
}
END_TEST

START_TEST(first_come_first_in)
{
    fill();
    ck_assert_int_eq(put(0, 1), EINPROGRESS);
    ck_assert_int_eq(put(1, 1), EINPROGRESS);
    ck_assert_uint_eq(engine_stats(broker).putting, 2);
    ck_assert_int_eq(broker_join(broker, "t", 0, NULL), ETIMEDOUT);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 1), 0);
    came_in(0, 3);
    ck_assert_uint_eq(waits[1].fired, 0);
    ck_assert_uint_eq(engine_reserve(&conn), 2);
    ck_assert_uint_eq(waits[1].fired, 0); // a reserved job takes its room
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, 2, 0), 0);
    came_in(1, 4);
    ck_assert_uint_eq(engine_stats(broker).putting, 0);
}
END_TEST

START_TEST(a_small_one_waits_behind_a_large_one)
{
    ck_assert_uint_eq(engine_put(broker, "t", 0, 0, "1"), 1);
    ck_assert_int_eq(put(0, 100), EINPROGRESS);
    ck_assert_int_eq(put(1, 1), EINPROGRESS); // though there would be room
    ck_assert(later_cancel(&waits[0].op.later));
    came_in(1, 2);
    ck_assert_uint_eq(waits[0].fired, 0);
}
END_TEST

START_TEST(a_job_that_comes_in_goes_to_who_waits)
{
    uint64_t id;
    fill();
    ck_assert_int_eq(broker_pause(broker, &trust_all, "t", 1, 9 * HL_SECOND), 0);
    ck_assert_int_eq(put(0, 1), EINPROGRESS);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 1), 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 2), 0);
    came_in(0, 3);
    ck_assert_int_eq(engine_reserve_rc(&conn, HL_FOREVER, NULL), EINPROGRESS);
    ck_assert_int_eq(broker_pause(broker, &trust_all, "t", 1, 0), 0);
    ck_assert_int_eq(engine_finish(&conn, &id), 0);
    ck_assert_uint_eq(id, 3);
}
END_TEST

START_TEST(its_delay_begins_when_it_comes_in)
{
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .delay_ns = 5 * HL_SECOND};
    fill();
    ck_assert_int_eq(put_spec(0, &spec, 1), EINPROGRESS);
    clock_virtual_advance(100 * HL_SECOND);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 1), 0);
    came_in(0, 3);
    ck_assert_int_eq(engine_view(broker, 3).time_left_ns, 5 * HL_SECOND);
}
END_TEST

START_TEST(who_holds_jobs_may_not_wait)
{
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .tube = tube, .client = &conn.client};
    fill();
    ck_assert_int_eq(put_spec(0, &spec, 1), EINPROGRESS);
    ck_assert(later_cancel(&waits[0].op.later));
    ck_assert_uint_eq(engine_reserve(&conn), 1);
    ck_assert_int_eq(put_spec(0, &spec, 1), ENOBUFS);
}
END_TEST

START_TEST(draining_ends_the_wait)
{
    fill();
    ck_assert_int_eq(put(0, 1), EINPROGRESS);
    ck_assert_int_eq(put(1, 1), EINPROGRESS);
    broker_drain(broker, true);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(waits[i].fired, 1);
        ck_assert_int_eq(waits[i].op.later.result, EHOSTDOWN);
        ck_assert(!later_cancel(&waits[i].op.later));
    }
    ck_assert_int_eq(put(2, 1), EHOSTDOWN);
    ck_assert_uint_eq(engine_stats(broker).putting, 0);
}
END_TEST

START_TEST(moved_and_cleared_jobs_make_room)
{
    uint64_t cleared;
    fill();
    ck_assert_int_eq(put(0, 1), EINPROGRESS);
    ck_assert_int_eq(put(1, 1), EINPROGRESS);
    ck_assert_int_eq(broker_move(broker, &trust_all, 1, "u", 1), 0);
    came_in(0, 3);
    ck_assert_int_eq(broker_clear(broker, "t", 1, &cleared), 0);
    ck_assert_uint_eq(cleared, 2); // what was there when it began
    ck_assert_uint_eq(waits[1].fired, 1);
}
END_TEST

// The limit of all tubes: its line, and the change from one line to the other.
START_TEST(the_limit_of_all)
{
    teardown();
    start(&(struct broker_options){.jobs_max = 3, .tube_jobs_max = 2, .put_waits = true});
    struct broker_put_spec to_other = {.submitter = JOB_NOBODY, .tube = other};
    fill();
    ck_assert_int_eq(put(0, 1), EINPROGRESS); // the tube is full
    ck_assert_int_eq(put_spec(1, &to_other, 1), 0);
    ck_assert_int_eq(put_spec(2, &to_other, 1), EINPROGRESS); // all is full
    ck_assert_int_eq(broker_delete(broker, &trust_all, 3), 0);
    came_in(2, 4);
    ck_assert_uint_eq(waits[0].fired, 0);
    ck_assert_int_eq(put_spec(3, &to_other, 1), EINPROGRESS);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 1), 0);
    came_in(0, 5); // its tube has room, and so has all
    ck_assert_uint_eq(waits[3].fired, 0);
    ck_assert_int_eq(broker_delete(broker, &trust_all, 5), 0);
    came_in(3, 6);
}
END_TEST

START_TEST(where_it_is_not_configured)
{
    teardown();
    start(&(struct broker_options){.tube_jobs_max = 2});
    fill();
    ck_assert_int_eq(put(0, 1), ENOBUFS);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_putter");
    TCase *tcase = tcase_create("putter");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, with_room_it_is_a_put);
    tcase_add_test(tcase, first_come_first_in);
    tcase_add_test(tcase, a_small_one_waits_behind_a_large_one);
    tcase_add_test(tcase, a_job_that_comes_in_goes_to_who_waits);
    tcase_add_test(tcase, its_delay_begins_when_it_comes_in);
    tcase_add_test(tcase, who_holds_jobs_may_not_wait);
    tcase_add_test(tcase, draining_ends_the_wait);
    tcase_add_test(tcase, moved_and_cleared_jobs_make_room);
    tcase_add_test(tcase, the_limit_of_all);
    tcase_add_test(tcase, where_it_is_not_configured);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
