// SPDX-License-Identifier: MIT
// Who is called, and who has to wait, when the journal takes too much space: commits call for
// compaction, puts wait for it beyond the ceiling and no longer than half a minute, and nobody
// waits where nobody compacts.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static struct durable durable;
static char text[1001];
static _Atomic unsigned calls;

static void compaction_wanted(void *arg)
{
    ck_assert_ptr_eq(arg, &durable);
    calls++;
}

static const struct broker_hooks hooks = {.compaction_wanted = compaction_wanted};

static void setup(void)
{
    durable_begin(&durable, NULL);
    memset(text, 'x', sizeof(text) - 1);
    calls = 0;
}

static void teardown(void)
{
    durable_end(&durable, NULL);
}

static struct store_stats log_stats(void)
{
    struct store_stats stats;
    broker_store_stats(durable.broker, &stats);
    return stats;
}

static uint64_t bound(const struct store_stats *stats, uint64_t times, uint64_t segments)
{
    return times * stats->live_bytes + segments * JOURNAL_SEGMENT_MIN;
}

// One job comes and goes, and all of it is in the journal. What the put said.
static int come_and_go(void)
{
    struct tube *tube;
    struct job_body *body;
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    ck_assert_int_eq(job_body_new(&body, (uint32_t)strlen(text)), 0);
    memcpy(body->bytes, text, strlen(text));
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 60 * HL_SECOND};
    int rc = broker_put(durable.broker, &spec, &body, &id);
    broker_unuse(durable.broker, &tube);
    if (rc != 0) {
        job_body_unref(&body);
        return rc;
    }
    durable_commit(&durable);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    durable_commit(&durable);
    return 0;
}

START_TEST(a_commit_calls_for_compaction)
{
    broker_set_hooks(durable.broker, &hooks, &durable);
    for (int i = 0; calls == 0; i++) {
        ck_assert_int_lt(i, 1000);
        ck_assert_int_eq(come_and_go(), 0);
    }
    struct store_stats stats = log_stats();
    ck_assert_uint_gt(stats.journal.bytes_used, bound(&stats, 2, 1));
    ck_assert_uint_le(stats.journal.bytes_used, bound(&stats, 2, 4));
    ck_assert_uint_gt(durable_compact(&durable), 0);
    calls = 0;
    stats = log_stats();
    ck_assert_uint_le(stats.journal.bytes_used, bound(&stats, 2, 2));
    ck_assert_int_eq(come_and_go(), 0);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(nobody_waits_where_nobody_compacts)
{
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(come_and_go(), 0);
    struct store_stats stats = log_stats();
    ck_assert_uint_gt(stats.journal.bytes_used, bound(&stats, 3, 20));
    ck_assert_uint_gt(durable_compact(&durable), 0);
}
END_TEST

// The journal is large for what lives, but puts didn't make it so.
START_TEST(puts_go_on_after_much_was_deleted)
{
    broker_set_hooks(durable.broker, &hooks, &durable);
    for (int i = 0; i < 1500; i++)
        ck_assert_int_eq(engine_put_rc(durable.broker, "t", text), 0);
    durable_commit(&durable);
    for (uint64_t id = 1; id <= 1500; id++)
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    durable_commit(&durable);
    ck_assert_uint_gt(calls, 0);
    struct store_stats stats = log_stats();
    ck_assert_uint_gt(stats.journal.bytes_used, bound(&stats, 3, 15));
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(come_and_go(), 0);
}
END_TEST

// ---- a put that waits ----

static _Atomic bool enough, ended;
static _Atomic int result;

static void writer_run(void *arg)
{
    (void)arg;
    int rc = 0;
    while (rc == 0 && !atomic_load(&enough))
        rc = come_and_go();
    atomic_store(&result, rc);
    atomic_store(&ended, true);
}

static hl_thread *writer_start(void)
{
    const struct hl_thread_options options = {
        .target = writer_run, .name = "writer", .daemon = HL_DAEMON_NO};
    hl_thread *writer;
    atomic_store(&enough, false);
    atomic_store(&ended, false);
    ck_assert_int_eq(hl_thread_new(&writer, &options), 0);
    ck_assert_int_eq(hl_thread_start(writer), 0);
    return writer;
}

static int writer_join(hl_thread *writer)
{
    ck_assert_int_eq(hl_thread_join(writer, HL_FOREVER), 0);
    hl_thread_free(&writer);
    return atomic_load(&result);
}

// Until the writer has filled the journal up to the ceiling, and waits.
static struct store_stats await_full(void)
{
    struct store_stats stats = log_stats();
    while (stats.journal.bytes_used <= bound(&stats, 3, 8)) {
        sched_yield();
        stats = log_stats();
    }
    park_await_sleepers(1);
    return log_stats();
}

START_TEST(puts_wait_for_compaction)
{
    broker_set_hooks(durable.broker, &hooks, &durable);
    hl_thread *writer = writer_start();
    for (int i = 0; i < 10; i++) {
        struct store_stats stats = await_full();
        ck_assert_uint_le(stats.journal.bytes_used, bound(&stats, 3, 10));
        if (i == 9)
            atomic_store(&enough, true);
        ck_assert_uint_gt(durable_compact(&durable), 0);
    }
    ck_assert_int_eq(writer_join(writer), 0);
}
END_TEST

START_TEST(they_wait_for_half_a_minute_at_most)
{
    broker_set_hooks(durable.broker, &hooks, &durable);
    hl_thread *writer = writer_start();
    (void)await_full();
    int64_t begun_ns = clock_now_ns();
    while (!atomic_load(&ended)) {
        clock_virtual_advance(HL_SECOND / 5);
        sched_yield();
    }
    ck_assert_int_eq(writer_join(writer), ENOSR);
    ck_assert_int_ge(clock_now_ns() - begun_ns, 30 * HL_SECOND);
    // and deletes go on meanwhile: what made room is compacted
    ck_assert_uint_gt(durable_compact(&durable), 0);
    ck_assert_int_eq(come_and_go(), 0);
}
END_TEST

START_TEST(they_do_not_wait_for_one_that_went_away)
{
    broker_set_hooks(durable.broker, &hooks, &durable);
    hl_thread *writer = writer_start();
    (void)await_full();
    atomic_store(&enough, true);
    broker_set_hooks(durable.broker, NULL, NULL);
    ck_assert_int_eq(writer_join(writer), 0);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_space");
    TCase *alone = tcase_create("alone");
    tcase_add_checked_fixture(alone, setup, teardown);
    tcase_add_test(alone, a_commit_calls_for_compaction);
    tcase_add_test(alone, nobody_waits_where_nobody_compacts);
    tcase_add_test(alone, puts_go_on_after_much_was_deleted);
    suite_add_tcase(suite, alone);
    TCase *waiting = tcase_create("waiting");
    tcase_add_checked_fixture(waiting, setup, teardown);
    tcase_add_test(waiting, puts_wait_for_compaction);
    tcase_add_test(waiting, they_wait_for_half_a_minute_at_most);
    tcase_add_test(waiting, they_do_not_wait_for_one_that_went_away);
    suite_add_tcase(suite, waiting);
    return unit_main(suite);
}
