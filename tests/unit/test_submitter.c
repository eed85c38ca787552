// SPDX-License-Identifier: MIT
// Who put a job: it is told with the job wherever that is shown, stays what it was whatever becomes
// of the job, over kills and compaction too, and keeps the keys of users apart.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct durable durable;
static struct engine_records records;

static uint64_t kept_id;        // what the hook for keys says, of one submitter
static uint32_t kept_submitter; // whose it is
static unsigned kept_asked;

static int key_kept(struct broker_key_question *question, void *arg)
{
    (void)arg;
    ck_assert_str_eq(question->tube, "t");
    ck_assert_str_eq(question->key, "k");
    kept_asked++;
    question->id = question->submitter == kept_submitter ? kept_id : 0;
    return 0;
}

static void setup(void)
{
    kept_id = kept_asked = 0;
    durable_begin(&durable, &records);
}

static void teardown(void)
{
    durable_end(&durable, &records);
}

static int put_rc(uint32_t submitter, const struct job_options *options, int64_t delay_ns,
                  uint64_t *id)
{
    struct tube *tube;
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    struct job_body *body = engine_body("body");
    const struct broker_put_spec spec = {.tube = tube,
                                         .ttr_ns = 60 * HL_SECOND,
                                         .delay_ns = delay_ns,
                                         .options = options,
                                         .submitter = submitter};
    int rc = broker_put(durable.broker, &spec, &body, id);
    job_body_unref(&body);
    broker_unuse(durable.broker, &tube);
    return rc;
}

static uint64_t put(uint32_t submitter)
{
    uint64_t id;
    ck_assert_int_eq(put_rc(submitter, NULL, 0, &id), 0);
    return id;
}

// By a key: the id of the job that it is, and whether that is a new one.
static uint64_t put_key(uint32_t submitter, const char *key, bool new)
{
    const struct job_options options = {.key = key};
    uint64_t id;
    ck_assert_int_eq(put_rc(submitter, &options, 0, &id), new ? 0 : EEXIST);
    return id;
}

static uint32_t submitter_of_job(uint64_t id)
{
    return engine_view(durable.broker, id).submitter;
}

static void kill_and_start(void)
{
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
}

static const uint32_t users[] = {0, 1, 1000, 65534, UINT32_MAX - 1, JOB_NOBODY};
#define USERS (sizeof(users) / sizeof(users[0]))

START_TEST(it_is_told_with_the_job)
{
    uint32_t user = users[_i];
    uint64_t id = put(user);
    ck_assert_uint_eq(submitter_of_job(id), user);
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_uint_eq(lease.submitter, user);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_DONE), 0);
    broker_consumer_free(&consumer);
    ck_assert_uint_eq(records.count, 1);
    ck_assert_uint_eq(records.record[0]->submitter, user);
}
END_TEST

// Through each state, and a restart in each.
START_TEST(nothing_changes_it)
{
    uint32_t user = users[_i];
    struct engine_conn conn;
    uint64_t id = put(user), gone;
    kill_and_start();
    ck_assert_uint_eq(submitter_of_job(id), user);
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_int_eq(broker_release(&conn.client, &trust_all, id, 0, 5, HL_SECOND), 0);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, id), 0);
    ck_assert_uint_eq(engine_reserve(&conn), id);
    ck_assert_int_eq(broker_bury(&conn.client, &trust_all, id, 0, 5), 0);
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, id, "u", 1), 0);
    engine_conn_fini(&conn);
    ck_assert_uint_eq(submitter_of_job(id), user);
    kill_and_start();
    ck_assert_uint_eq(submitter_of_job(id), user);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, id), 0);
    ck_assert_int_eq(put_rc(user, NULL, 3600 * HL_SECOND, &gone), 0); // with a side record
    kill_and_start();
    ck_assert_uint_eq(submitter_of_job(id), user);
    ck_assert_uint_eq(submitter_of_job(gone), user);
}
END_TEST

// More users than have a place in the header of a job; bodies in memory, or in the journal only.
START_TEST(many_users)
{
    enum { JOBS = 150 };
    uint64_t id[JOBS];
    durable.log.cache_size = _i == 0 ? 0 : 100;
    kill_and_start();
    for (uint32_t i = 0; i < JOBS; i++)
        id[i] = put(5000 + i);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < JOBS; i++) {
            ck_assert_uint_eq(submitter_of_job(id[i]), 5000 + i);
            ck_assert_uint_eq(submitter_of_job(put(5000 + i)), 5000 + i);
        }
        kill_and_start();
    }
    ck_assert(_i == 0 || durable.recovered.evicted > 0);
}
END_TEST

// What compaction writes again, and what came before it.
START_TEST(compaction_keeps_it)
{
    struct store_stats stats;
    uint64_t first = put(1000), second = put(JOB_NOBODY), third = put(1001), copied = 0;
    for (int i = 0; i < 5000; i++)
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, put(0)), 0);
    durable_commit(&durable);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 4000; k++) {
            uint64_t id = put(0);
            durable_commit(&durable);
            ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
        }
        (void)durable_compact(&durable);
        broker_store_stats(durable.broker, &stats);
        copied += stats.copied;
        kill_and_start();
        ck_assert_uint_eq(submitter_of_job(first), 1000);
        ck_assert_uint_eq(submitter_of_job(second), JOB_NOBODY);
        ck_assert_uint_eq(submitter_of_job(third), 1001);
    }
    ck_assert_uint_gt(copied, 0);
}
END_TEST

// ---- keys ----

START_TEST(a_key_is_its_submitters)
{
    uint64_t attackers = put_key(4000, "k", true), mine = put_key(1000, "k", true);
    uint64_t nobodys = put_key(JOB_NOBODY, "k", true);
    ck_assert_uint_eq(put_key(4000, "k", false), attackers);
    ck_assert_uint_eq(put_key(1000, "k", false), mine);
    ck_assert_uint_eq(put_key(JOB_NOBODY, "k", false), nobodys);
    kill_and_start();
    ck_assert_uint_eq(put_key(4000, "k", false), attackers);
    ck_assert_uint_eq(put_key(1000, "k", false), mine);
    ck_assert_uint_eq(put_key(JOB_NOBODY, "k", false), nobodys);
    // It is free again with its own job alone.
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, attackers), 0);
    ck_assert_uint_eq(put_key(1000, "k", false), mine);
    ck_assert_uint_ne(put_key(4000, "k", true), attackers);
    // And goes along into another tube.
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, mine, "u", 1), 0);
    ck_assert_uint_ne(put_key(1000, "k", true), mine);
}
END_TEST

// Names and keys can't be put together so that two of them are alike.
START_TEST(keys_have_an_end)
{
    const uint32_t like = 'a' | 'b' << 8 | 'c' << 16 | (uint32_t)'d' << 24;
    uint64_t one = put_key(like, "abcd", true), other = put_key(like, "abcdabcd", true);
    ck_assert_uint_ne(one, other);
    ck_assert_uint_eq(put_key(like, "abcd", false), one);
}
END_TEST

START_TEST(who_keeps_records_is_asked_for_the_submitters)
{
    durable.options.key_kept = key_kept;
    kill_and_start();
    kept_id = 77;
    kept_submitter = 4000;
    uint64_t mine = put_key(1000, "k", true);
    ck_assert_uint_eq(put_key(4000, "k", false), 77);
    ck_assert_uint_eq(put_key(1000, "k", false), mine);
    ck_assert_uint_eq(kept_asked, 2);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("submitter");
    TCase *told = tcase_create("told");
    tcase_add_checked_fixture(told, setup, teardown);
    tcase_add_loop_test(told, it_is_told_with_the_job, 0, USERS);
    tcase_add_loop_test(told, nothing_changes_it, 0, USERS);
    tcase_add_loop_test(told, many_users, 0, 2);
    tcase_add_test(told, compaction_keeps_it);
    suite_add_tcase(suite, told);
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, setup, teardown);
    tcase_add_test(keys, a_key_is_its_submitters);
    tcase_add_test(keys, keys_have_an_end);
    tcase_add_test(keys, who_keeps_records_is_asked_for_the_submitters);
    suite_add_tcase(suite, keys);
    return unit_main(suite);
}
