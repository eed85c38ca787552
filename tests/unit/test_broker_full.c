// SPDX-License-Identifier: MIT
// A disk without space: whatever jobs are on it when puts are refused, each of them can still be
// finished, in any order, with compaction as the house does it, and nothing of that is lost by a
// kill. Small segments and many orders; HILERA_MODEL_SEED changes the seed.

#include "blocking.h"
#include "durable.h"
#include "unit_random.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JOBS_MAX 20000
#define BODY_MAX 3000

static struct durable durable;
static struct unit_random numbers;
static uint64_t ids[JOBS_MAX];
static size_t count;
static unsigned cases_run;
static char text[BODY_MAX + 1];

static void setup(void)
{
    numbers = unit_random_seed(UINT64_C(0xf0110001) + (uint64_t)cases_run++);
    durable_begin(&durable, NULL);
    memset(text, 'x', BODY_MAX);
    count = 0;
}

static void teardown(void)
{
    durable_end(&durable, NULL);
}

static int put(size_t len, uint64_t *id)
{
    struct tube *tube;
    struct job_body *body;
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    ck_assert_int_eq(job_body_new(&body, len), 0);
    memcpy(body->bytes, text, len);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 60 * HL_SECOND};
    int rc = broker_put(durable.broker, &spec, &body, id);
    job_body_unref(&body);
    broker_unuse(durable.broker, &tube);
    return rc;
}

// Until one is refused. `together`: puts of one commit.
static void fill(size_t least, size_t most, unsigned together)
{
    uint64_t id;
    int rc;
    while ((rc = put(least + unit_random_below(&numbers, most - least + 1), &id)) == 0) {
        ids[count++] = id;
        ck_assert_uint_lt(count, JOBS_MAX);
        if (count % together == 0)
            durable_commit(&durable);
    }
    ck_assert_int_eq(rc, ENOSPC);
    durable_commit(&durable);
    ck_assert_uint_gt(count, 50);
}

enum order { OLDEST_FIRST, NEWEST_FIRST, ANY };

static void order_make(enum order order)
{
    for (size_t i = 0; order != OLDEST_FIRST && i + 1 < count; i++) {
        size_t other = order == ANY ? i + unit_random_below(&numbers, count - i) : count - 1 - i;
        if (order == NEWEST_FIRST && other <= i)
            break;
        uint64_t id = ids[i];
        ids[i] = ids[other];
        ids[other] = id;
    }
}

// As the house does when it is called: all that is due, as far as it goes.
static void compact(void)
{
    unsigned steps = 0;
    int rc;
    while ((rc = broker_compact(durable.broker)) == 0 || rc == EAGAIN)
        ck_assert_uint_lt(++steps, 1000000);
    ck_assert(rc == ENOENT || rc == ENOSPC);
}

static void drain(enum order order)
{
    order_make(order);
    for (size_t i = 0; i < count; i++) {
        int rc = broker_delete(durable.broker, &trust_all, ids[i]);
        if (rc != 0)
            ck_abort_msg("delete %zu of %zu: %s", i + 1, count, strerrordesc_np(rc));
        durable_commit(&durable);
        compact();
    }
    ck_assert_int_eq(put(0, &ids[0]), 0);
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    ck_assert_uint_eq(durable.recovered.jobs, 1);
    disk_space(0);
}

static const struct {
    size_t least, most; // bytes of a body
    unsigned together;  // puts of a commit
    unsigned segments;  // of the disk
    enum order order;
} cases[] = {
    {0, BODY_MAX, 7, 10, ANY}, // the one that is left under a sanitizer
    {0, 0, 1, 10, OLDEST_FIRST},
    {0, 0, 1, 10, NEWEST_FIRST},
    {0, 0, 1, 10, ANY},
    {0, 0, 200, 10, ANY},
    {0, 0, 200, 10, NEWEST_FIRST},
    {64, 64, 1, 10, ANY},
    {64, 64, 200, 30, ANY},
    {0, BODY_MAX, 7, 30, NEWEST_FIRST},
    {BODY_MAX, BODY_MAX, 5, 10, ANY},
};

START_TEST(every_job_can_be_deleted)
{
    disk_space((uint64_t)cases[_i].segments * JOURNAL_SEGMENT_MIN);
    fill(cases[_i].least, cases[_i].most, cases[_i].together);
    drain(cases[_i].order);
}
END_TEST

// Each job is buried with a long reason as long as that goes, so that a copy of it takes many times
// what its put took.
START_TEST(every_buried_job_can_be_deleted)
{
    disk_space((uint64_t)10 * JOURNAL_SEGMENT_MIN);
    fill(0, 0, 50);
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_FAILED;
    memset(outcome.reason, 'r', sizeof(outcome.reason) - 1);
    struct broker_lease lease;
    size_t buried = 0;
    int rc = 0;
    while (rc == 0 && engine_take(consumer, &lease) != 0) {
        rc = broker_settle(durable.broker, lease.id, lease.token, &outcome);
        buried += rc == 0;
        durable_commit(&durable);
        if (_i == 1)
            compact();
        if (rc != 0) {
            outcome.kind = JOB_OUTCOME_RETURNED;
            (void)broker_settle(durable.broker, lease.id, lease.token, &outcome);
        }
        broker_lease_fini(&lease);
    }
    ck_assert(rc == 0 || rc == ENOSPC);
    ck_assert_uint_gt(buried, 10);
    broker_consumer_free(&consumer);
    compact();
    drain(ANY);
}
END_TEST

// A first start that has no room for what puts need, not even for the ceiling of ids: puts are
// refused at once, as on a disk that became full. (This clock stands still, so one that waits would
// wait for ever.)
START_TEST(a_first_start_without_space_refuses_puts)
{
    ck_assert_int_eq(durable_close(&durable), 0);
    disk_stop();
    disk_start();
    disk_space((uint64_t)_i * JOURNAL_SEGMENT_MIN + JOURNAL_SEGMENT_MIN / 2);
    durable_again(&durable);
    uint64_t id;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put(10, &id), ENOSPC);
    struct store_stats stats;
    broker_store_stats(durable.broker, &stats);
    ck_assert(stats.journal.full);
    ck_assert_int_eq(durable_close(&durable), 0);
    disk_space(0);
    durable_again(&durable);
    ck_assert_int_eq(put(10, &id), 0);
    durable_commit(&durable);
}
END_TEST

// Refused puts use up ids, and ids need a record of their ceiling, which needs room, too. Each put
// hears at once that there is none. (This clock stands still, so one that waits would wait for
// ever.)
START_TEST(refused_puts_use_up_ids_at_once)
{
    uint64_t id, more = 2 * (UINT64_C(1) << 17); // blocks of ids, as in src/store/id_limit.c
    if (_i == 0) {
        disk_space((uint64_t)10 * JOURNAL_SEGMENT_MIN);
        fill(0, 0, 200);
    } else {
        ck_assert_int_eq(durable_close(&durable), 0);
        disk_stop();
        disk_start();
        disk_space(((uint64_t)_i - 1) * JOURNAL_SEGMENT_MIN + JOURNAL_SEGMENT_MIN / 2);
        durable_again(&durable);
    }
    for (uint64_t refused = 0; refused < more;) {
        int rc = put(10, &id);
        ck_assert(rc == ENOSPC || (rc == 0 && _i == 0)); // there, what is left takes a few
        refused += rc == ENOSPC;
        count += rc == 0;
        ck_assert_uint_lt(count, JOBS_MAX);
    }
    disk_space(0);
}
END_TEST

// ---- changes that find no room ----

// Changes that take room and end where they began, until one is refused.
static unsigned some_changes(uint64_t id)
{
    const struct broker_change bury = {.action = BROKER_DO_BURY, .reason = "again"};
    enum job_state state;
    unsigned changes = 0;
    int rc;
    do {
        rc = engine_view(durable.broker, id).state == JOB_BURIED
                 ? broker_kick_job(durable.broker, &trust_all, id)
                 : broker_apply_job(durable.broker, &trust_all, id, &bury, &state, NULL);
        if (rc == 0 && ++changes % 50 == 0)
            durable_commit(&durable);
    } while (rc == 0);
    ck_assert_int_eq(rc, ENOSPC);
    durable_commit(&durable);
    return changes;
}

// What a restart would not know isn't told before it, either: leases and their ends that aren't
// recorded aren't counted, and a buried job isn't handed out, since that makes it unfinished again.
START_TEST(what_is_not_recorded_is_not_counted)
{
    struct engine_conn conn;
    struct broker_lease lease;
    const struct broker_change bury = {.action = BROKER_DO_BURY, .reason = "because"};
    enum job_state state;
    uint64_t buried, churned, id;
    ck_assert_int_eq(put(10, &buried), 0);
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, buried, &bury, &state, NULL), 0);
    ck_assert_int_eq(put(10, &churned), 0);
    disk_space((uint64_t)10 * JOURNAL_SEGMENT_MIN);
    fill(500, BODY_MAX, 20);
    while (some_changes(churned) > 0)
        continue; // a commit may have made a little room
    uint64_t before = broker_digest(durable.broker, NULL, NULL);
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
    ck_assert_uint_ne(id = engine_reserve(&conn), 0);
    ck_assert_uint_eq(engine_view(durable.broker, id).reserves, 0);
    clock_virtual_advance(61 * HL_SECOND); // its TTR
    (void)broker_due(durable.broker);
    ck_assert_int_eq(engine_view(durable.broker, id).state, JOB_READY);
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.timeouts, 0);
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, buried, 0, &lease), ENOSPC);
    ck_assert_int_eq(engine_view(durable.broker, buried).state, JOB_BURIED);
    ck_assert_uint_ne(engine_reserve(&conn), 0);
    ck_assert(engine_conn_fini(&conn)); // a loss
    ck_assert_uint_eq(engine_view(durable.broker, id).tries.losses, 0);
    ck_assert_uint_eq(broker_digest(durable.broker, NULL, NULL), before);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    ck_assert_uint_eq(broker_digest(durable.broker, NULL, NULL), before);
    disk_space(0);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_full");
    TCase *tcase = tcase_create("full");
    tcase_add_checked_fixture(tcase, setup, teardown);
    _Static_assert(sizeof(cases) / sizeof(cases[0]) == 10, "all of them are run");
    tcase_add_loop_test(tcase, every_job_can_be_deleted, 0, unit_rounds(10));
    tcase_add_loop_test(tcase, every_buried_job_can_be_deleted, 0, unit_rounds(2));
    tcase_add_loop_test(tcase, a_first_start_without_space_refuses_puts, 0, 3);
    tcase_add_loop_test(tcase, refused_puts_use_up_ids_at_once, 0, 4);
    tcase_add_test(tcase, what_is_not_recorded_is_not_counted);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
