// SPDX-License-Identifier: MIT
// Puts with a key that wait for who keeps records: they are decided after the answer, whatever came
// and went meanwhile, and nothing of them is left when they are cancelled.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define PUTS 3

struct put {
    struct broker_op op;
    unsigned fired;
};

static struct broker *broker;
static struct tube *tube;
static struct put asks[PUTS];

// Who keeps records: he answers when a test says so.
static struct {
    struct broker_key_question *asked[PUTS];
    size_t count;
    bool too_late; // a cancel isn't in time
} keeper;

static bool key_cancel(struct later *later)
{
    return !keeper.too_late && later_leave(later);
}

static int key_kept(struct broker_key_question *question, void *arg)
{
    (void)arg;
    ck_assert_uint_lt(keeper.count, PUTS);
    ck_assert_str_eq(question->tube, "t");
    if (question->later.fire == NULL)
        return EAGAIN;
    later_wait(&question->later, key_cancel);
    keeper.asked[keeper.count++] = question;
    return EINPROGRESS;
}

static void answer(size_t which, uint64_t id)
{
    keeper.asked[which]->id = id;
    later_tell(&keeper.asked[which]->later, 0);
}

static void fire(struct later *later)
{
    CONTAINER_OF(later, struct put, op.later)->fired++;
}

static void start(const struct broker_options *options)
{
    memset(asks, 0, sizeof(asks));
    memset(&keeper, 0, sizeof(keeper));
    clock_virtual_start(HL_SECOND);
    ck_assert_int_eq(broker_new(&broker, options), 0);
    ck_assert_int_eq(broker_use(broker, "t", 1, &tube), 0);
}

static void setup(void)
{
    start(&(struct broker_options){
        .key_kept = key_kept, .ended = engine_ends_drop, .tube_jobs_max = 2, .put_waits = true});
}

static void setup_refusing(void)
{
    start(&(struct broker_options){
        .key_kept = key_kept, .ended = engine_ends_drop, .tube_jobs_max = 2});
}

static void teardown(void)
{
    ck_assert_uint_eq(engine_stats(broker).putting, 0);
    if (tube != NULL)
        broker_unuse(broker, &tube);
    broker_free(&broker);
    clock_virtual_stop();
}

static int put_of(size_t which, const char *key, struct broker_client *client)
{
    const struct job_options options = {.key = key};
    const struct broker_put_spec spec = {.submitter = JOB_NOBODY,
                                         .tube = tube,
                                         .ttr_ns = 60 * HL_SECOND,
                                         .client = client,
                                         .options = &options};
    struct job_body *body = engine_body("body");
    struct broker_op *op = &asks[which].op;
    int rc = broker_op_put(op, broker, &spec, &body);
    op->later.fire = fire;
    op->flags = OP_STANDS | OP_MAY_WAIT;
    if (rc == 0)
        rc = broker_run(broker, op);
    if (rc != 0 && rc != EINPROGRESS)
        broker_op_unput(op, &body);
    ck_assert((body == NULL) == (rc == 0 || rc == EINPROGRESS));
    job_body_unref(&body);
    return rc;
}

static void put(size_t which, const char *key)
{
    ck_assert_int_eq(put_of(which, key, NULL), EINPROGRESS);
    ck_assert_uint_eq(asks[which].fired, 0);
}

static void check_result(size_t which, int result, uint64_t id)
{
    ck_assert_uint_eq(asks[which].fired, 1);
    ck_assert_int_eq(asks[which].op.later.result, result);
    if (id != 0)
        ck_assert_uint_eq(asks[which].op.id, id);
    ck_assert(!later_cancel(&asks[which].op.later));
    ck_assert(!broker_op_hurry(&asks[which].op));
    broker_op_fini(&asks[which].op);
}

static uint64_t jobs(void)
{
    return engine_stats(broker).unfinished;
}

static uint64_t run_one(enum job_outcome_kind kind)
{
    struct broker_consumer *consumer = engine_consumer(broker, "t");
    struct broker_lease lease;
    uint64_t id = engine_take(consumer, &lease);
    ck_assert_uint_ne(id, 0);
    ck_assert_int_eq(engine_settle(broker, &lease, kind), 0);
    broker_consumer_free(&consumer);
    return id;
}

START_TEST(it_is_put_after_the_answer)
{
    put(0, "k");
    ck_assert_uint_eq(jobs(), 0);
    ck_assert_uint_eq(engine_stats(broker).putting, 1);
    answer(0, 0);
    check_result(0, 0, 0);
    ck_assert_uint_eq(jobs(), 1);
    ck_assert_int_eq(put_of(1, "k", NULL), EEXIST); // is here: nobody is asked
    ck_assert_uint_eq(asks[1].op.id, asks[0].op.id);
    ck_assert_uint_eq(keeper.count, 1);
}
END_TEST

START_TEST(it_is_the_one_whose_record_is_kept)
{
    put(0, "k");
    answer(0, 77);
    check_result(0, EEXIST, 77);
    ck_assert_uint_eq(jobs(), 0);
}
END_TEST

// Of two that ask the first one is put; the second one is told of it, also when it has run since.
START_TEST(two_ask_for_one_key)
{
    put(0, "k");
    put(1, "k");
    put(2, "other");
    answer(1, 0);
    check_result(1, 0, 0);
    ck_assert_uint_eq(run_one(JOB_OUTCOME_DONE), asks[1].op.id);
    answer(0, 0);
    check_result(0, EEXIST, asks[1].op.id);
    answer(2, 0);
    check_result(2, 0, 0);
    ck_assert_uint_eq(jobs(), 1);
}
END_TEST

// The tube is gone with its last user meanwhile, but for the put.
START_TEST(its_tube_stays)
{
    put(0, "k");
    broker_unuse(broker, &tube);
    answer(0, 0);
    check_result(0, 0, 0);
    ck_assert_uint_eq(engine_tube_stats(broker, "t").unfinished, 1);
}
END_TEST

START_TEST(a_cancel_in_time)
{
    put(0, "k");
    ck_assert(later_cancel(&asks[0].op.later));
    ck_assert(!later_cancel(&asks[0].op.later));
    broker_op_fini(&asks[0].op);
    ck_assert_uint_eq(asks[0].fired, 0);
    ck_assert_uint_eq(jobs(), 0);
    put(1, "k"); // nothing is known of the first one's
    answer(1, 0);
    check_result(1, 0, 0);
}
END_TEST

// What can't be taken back any more is put; but nobody is there to wait for room.
START_TEST(a_cancel_that_is_too_late)
{
    for (int full = 0; full < 2; full++) {
        memset(asks, 0, sizeof(asks));
        keeper.count = 0;
        keeper.too_late = true;
        if (full)
            (void)engine_put(broker, "t", 0, 0, "second");
        put(0, full ? "k2" : "k");
        ck_assert(!later_cancel(&asks[0].op.later));
        answer(0, 0);
        check_result(0, full ? ENOBUFS : 0, 0);
    }
    ck_assert_uint_eq(jobs(), 2);
}
END_TEST

START_TEST(it_stands_in_line_after_the_answer)
{
    (void)engine_put(broker, "t", 0, 0, "first");
    (void)engine_put(broker, "t", 0, 0, "second");
    put(0, "k");
    put(1, "l");
    put(2, "m");
    answer(1, 0);
    answer(0, 0);
    answer(2, 5); // it needs no room
    check_result(2, EEXIST, 5);
    ck_assert_uint_eq(asks[0].fired + asks[1].fired, 0);
    ck_assert_uint_eq(engine_stats(broker).putting, 2);
    (void)run_one(JOB_OUTCOME_DONE);
    check_result(1, 0, 0);
    ck_assert_uint_eq(asks[0].fired, 0);
    ck_assert(later_cancel(&asks[0].op.later));
    broker_op_fini(&asks[0].op);
    (void)run_one(JOB_OUTCOME_DONE);
    ck_assert_uint_eq(jobs(), 1);
}
END_TEST

// Who sends no more hears of the key, and waits for no room.
START_TEST(in_a_hurry)
{
    put(0, "k");
    ck_assert(broker_op_hurry(&asks[0].op));
    ck_assert_uint_eq(asks[0].fired, 0);
    answer(0, 0);
    check_result(0, 0, 0);
    (void)engine_put(broker, "t", 0, 0, "second");
    put(1, "l");
    ck_assert(broker_op_hurry(&asks[1].op));
    answer(1, 0);
    check_result(1, ENOBUFS, 0);
    put(2, "m");
    answer(2, 0);
    ck_assert_uint_eq(engine_stats(broker).putting, 1);
    ck_assert(!broker_op_hurry(&asks[2].op));
    ck_assert(later_cancel(&asks[2].op.later));
    broker_op_fini(&asks[2].op);
}
END_TEST

// It was never run.
START_TEST(one_that_is_given_up)
{
    const struct job_options options = {.key = "k"};
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .options = &options};
    struct job_body *body = engine_body("body");
    struct broker_op op;
    ck_assert_int_eq(broker_op_put(&op, broker, &spec, &body), 0);
    ck_assert_int_eq(broker_run(broker, &op), EAGAIN);
    broker_op_unput(&op, &body);
    ck_assert_int_eq(broker_op_put(&op, broker, &spec, &body), 0);
    broker_op_fini(&op);
    ck_assert_uint_eq(keeper.count, 0);
}
END_TEST

START_TEST(where_puts_do_not_wait)
{
    (void)engine_put(broker, "t", 0, 0, "first");
    put(0, "k");
    put(1, "l");
    answer(0, 0);
    check_result(0, 0, 0);
    answer(1, 0);
    check_result(1, ENOBUFS, 0);
}
END_TEST

START_TEST(a_daemon_that_drains_meanwhile)
{
    put(0, "k");
    put(1, "l");
    broker_drain(broker, true);
    answer(0, 0);
    check_result(0, EHOSTDOWN, 0);
    answer(1, 9);
    check_result(1, EEXIST, 9);
    ck_assert_uint_eq(jobs(), 0);
}
END_TEST

// Who holds jobs might wait for himself.
START_TEST(who_holds_jobs_waits_for_no_room)
{
    struct engine_conn conn;
    engine_conn_init(&conn, broker);
    engine_watch_only(&conn, "t");
    (void)engine_put(broker, "t", 0, 0, "first");
    (void)engine_put(broker, "t", 0, 0, "second");
    ck_assert_int_eq(put_of(0, "k", &conn.client), EINPROGRESS);
    ck_assert_uint_ne(engine_reserve(&conn), 0);
    answer(0, 0);
    check_result(0, ENOBUFS, 0);
    (void)engine_conn_fini(&conn);
}
END_TEST

// A thread that may block waits for the answer.
static void answer_soon(void *arg)
{
    (void)arg;
    answer(0, 33);
}

static hl_thread *answering;

static int key_kept_soon(struct broker_key_question *question, void *arg)
{
    int rc = key_kept(question, arg);
    if (rc == EINPROGRESS)
        answering = engine_thread(answer_soon, NULL);
    return rc;
}

START_TEST(a_thread_that_blocks)
{
    const struct job_options options = {.key = "k"};
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .options = &options};
    struct job_body *body = engine_body("body");
    uint64_t id = 0;
    ck_assert_int_eq(broker_put(broker, &spec, &body, &id), EEXIST);
    ck_assert_uint_eq(id, 33);
    job_body_unref(&body);
    engine_thread_join(&answering);
}
END_TEST

static void setup_soon(void)
{
    start(&(struct broker_options){.key_kept = key_kept_soon, .ended = engine_ends_drop});
}

// ---- with a journal ----

static struct durable durable;

// Ids up to where the next one needs a commit first: the journal is busy for who puts.
static void setup_busy(void)
{
    memset(asks, 0, sizeof(asks));
    memset(&keeper, 0, sizeof(keeper));
    durable_prepare(&durable, NULL);
    durable.options.key_kept = key_kept;
    durable.options.ended = engine_ends_drop;
    durable.options.tube_jobs_max = 1;
    durable.options.put_waits = true;
    durable_again(&durable);
    broker = durable.broker;
    ck_assert_int_eq(broker_use(broker, "t", 1, &tube), 0);
    for (int i = 0; i < 2 << 17; i++)
        (void)broker_take_id(broker);
}

static void teardown_busy(void)
{
    ck_assert_uint_eq(engine_stats(broker).putting, 0);
    broker_unuse(broker, &tube);
    durable_end(&durable, NULL);
}

// The thread that answers doesn't wait for the journal: the put does, in line, until a commit. That
// is done at once here, as there is no thread for it.
START_TEST(a_busy_journal)
{
    put(0, "k");
    put(1, "l");
    answer(0, 0);
    answer(1, 0);
    ck_assert_uint_gt(asks[0].op.ticket.durable, 0);
    check_result(0, 0, 0);
    ck_assert_uint_eq(asks[1].fired, 0); // it waits for room
    ck_assert(later_cancel(&asks[1].op.later));
    broker_op_fini(&asks[1].op);
    ck_assert_uint_eq(jobs(), 1);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("put_ask");
    TCase *all = tcase_create("waits");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, it_is_put_after_the_answer);
    tcase_add_test(all, it_is_the_one_whose_record_is_kept);
    tcase_add_test(all, two_ask_for_one_key);
    tcase_add_test(all, its_tube_stays);
    tcase_add_test(all, a_cancel_in_time);
    tcase_add_test(all, a_cancel_that_is_too_late);
    tcase_add_test(all, it_stands_in_line_after_the_answer);
    tcase_add_test(all, in_a_hurry);
    tcase_add_test(all, one_that_is_given_up);
    tcase_add_test(all, a_daemon_that_drains_meanwhile);
    tcase_add_test(all, who_holds_jobs_waits_for_no_room);
    suite_add_tcase(suite, all);
    TCase *refusing = tcase_create("refuses");
    tcase_add_checked_fixture(refusing, setup_refusing, teardown);
    tcase_add_test(refusing, where_puts_do_not_wait);
    suite_add_tcase(suite, refusing);
    TCase *blocks = tcase_create("blocks");
    tcase_add_checked_fixture(blocks, setup_soon, teardown);
    tcase_add_test(blocks, a_thread_that_blocks);
    suite_add_tcase(suite, blocks);
    TCase *busy = tcase_create("busy");
    tcase_add_checked_fixture(busy, setup_busy, teardown_busy);
    tcase_add_test(busy, a_busy_journal);
    suite_add_tcase(suite, busy);
    return unit_main(suite);
}
