// SPDX-License-Identifier: MIT
// Ends that linger: how a job ended of which no record is kept, for who said that he will ask.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

static struct broker *broker;
static struct broker_consumer *consumer;
static struct engine_records records;

static void start(const struct broker_options *options)
{
    ck_assert_int_eq(broker_new(&broker, options), 0);
    consumer = engine_consumer(broker, "t");
}

static void stop(void)
{
    broker_consumer_free(&consumer);
    broker_free(&broker);
}

static void setup(void)
{
    clock_virtual_start(1000 * HL_SECOND);
    start(NULL);
}

static void teardown(void)
{
    stop();
    clock_virtual_stop();
}

static uint64_t put(bool awaited, const struct job_options *options)
{
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .options = options, .awaited = awaited, .ttr_ns = HL_SECOND};
    struct job_body *body = NULL;
    uint64_t id;
    ck_assert_int_eq(broker_use(broker, "t", 1, &spec.tube), 0);
    ck_assert_int_eq(job_body_new(&body, 0), 0);
    ck_assert_int_eq(broker_put(broker, &spec, &body, &id), 0);
    broker_unuse(broker, &spec.tube);
    return id;
}

static void end(enum job_outcome_kind kind, size_t output)
{
    struct broker_lease lease;
    struct job_outcome outcome;
    (void)engine_take(consumer, &lease);
    job_outcome_init(&outcome);
    outcome.kind = kind;
    outcome.exit_status = kind == JOB_OUTCOME_DONE ? 0 : 3;
    for (size_t i = 0; i < output; i++)
        ck_assert_int_eq(buf_append_char(&outcome.out, 'x'), 0);
    ck_assert_int_eq(broker_settle(broker, lease.id, lease.token, &outcome), 0);
    job_outcome_fini(&outcome);
    broker_lease_fini(&lease);
}

// How it ended; -1: that isn't known.
static int ended(uint64_t id, size_t *output)
{
    struct job_end *found = broker_last_end(broker, id);
    if (found == NULL)
        return -1;
    ck_assert_uint_eq(found->view.id, id);
    ck_assert_uint_eq(found->number, 0);
    int kind = (int)found->outcome.kind;
    *output = found->outcome.out.len;
    job_end_unref(&found);
    return kind;
}

START_TEST(who_said_so_is_told)
{
    size_t output = 0;
    uint64_t other = put(false, NULL);
    end(JOB_OUTCOME_DONE, 0);
    uint64_t id = put(true, NULL);
    ck_assert_int_eq(ended(id, &output), -1); // it isn't over
    end(JOB_OUTCOME_DONE, 7);
    ck_assert_int_eq(ended(other, &output), -1);
    ck_assert_int_eq(ended(id, &output), JOB_OUTCOME_DONE);
    ck_assert_uint_eq(output, 7);
    clock_virtual_advance(60 * HL_SECOND - 1);
    broker_forget_ends(broker);
    ck_assert_int_eq(ended(id, &output), JOB_OUTCOME_DONE);
    clock_virtual_advance(1);
    broker_forget_ends(broker);
    ck_assert_int_eq(ended(id, &output), -1);
}
END_TEST

// Buried, kicked, done: the latest end counts.
START_TEST(the_latest_end_counts)
{
    size_t output;
    uint64_t id = put(true, NULL);
    end(JOB_OUTCOME_FAILED, 1);
    ck_assert_int_eq(ended(id, &output), JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_kick_job(broker, &trust_all, id), 0);
    end(JOB_OUTCOME_DONE, 2);
    ck_assert_int_eq(ended(id, &output), JOB_OUTCOME_DONE);
    ck_assert_uint_eq(output, 2);
}
END_TEST

START_TEST(the_oldest_go_first)
{
    size_t output;
    uint64_t first = 0, last = 0;
    for (int i = 0; i < 257; i++) {
        last = put(true, NULL);
        first = i == 0 ? last : first;
        end(JOB_OUTCOME_DONE, 0);
    }
    ck_assert_int_eq(ended(first, &output), -1);
    ck_assert_int_eq(ended(first + 1, &output), JOB_OUTCOME_DONE);
    ck_assert_int_eq(ended(last, &output), JOB_OUTCOME_DONE);
    uint64_t large = put(true, NULL); // more than all may have: it stays alone
    end(JOB_OUTCOME_DONE, (size_t)5 << 20);
    ck_assert_int_eq(ended(last, &output), -1);
    ck_assert_int_eq(ended(large, &output), JOB_OUTCOME_DONE);
    (void)put(true, NULL);
    end(JOB_OUTCOME_DONE, 0);
    ck_assert_int_eq(ended(large, &output), -1);
}
END_TEST

// What history has needn't linger; a job that asked for no record does.
START_TEST(a_record_is_enough)
{
    size_t output;
    const struct job_options none = {.set = JOB_OPTION_RETENTION, .retention_ns = 0};
    stop();
    engine_records_init(&records);
    start(&(struct broker_options){.ended = engine_records_add, .records_arg = &records});
    uint64_t kept = put(true, NULL);
    end(JOB_OUTCOME_DONE, 0);
    uint64_t bare = put(true, &none);
    end(JOB_OUTCOME_DONE, 0);
    ck_assert_uint_eq(records.count, 1);
    ck_assert_uint_eq(records.record[0]->id, kept);
    ck_assert_int_eq(ended(kept, &output), -1);
    ck_assert_int_eq(ended(bare, &output), JOB_OUTCOME_DONE);
    // deleted by who has it: as if somebody waited
    struct engine_conn conn;
    engine_conn_init(&conn, broker);
    ck_assert_int_eq(broker_watch(&conn.client, "t", 1, &(size_t){0}), 0);
    uint64_t deleted = put(true, NULL);
    ck_assert_uint_eq(engine_reserve(&conn), deleted);
    ck_assert_int_eq(broker_client_delete(&conn.client, &trust_all, deleted, 0), 0);
    ck_assert_uint_eq(records.count, 2);
    ck_assert_uint_eq(records.record[1]->id, deleted);
    ck_assert_int_eq(records.record[1]->kind, JOB_OUTCOME_DONE);
    (void)engine_conn_fini(&conn);
    stop();
    engine_records_fini(&records);
    start(NULL);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("linger");
    TCase *all = tcase_create("linger");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, who_said_so_is_told);
    tcase_add_test(all, the_latest_end_counts);
    tcase_add_test(all, the_oldest_go_first);
    tcase_add_test(all, a_record_is_enough);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
