// SPDX-License-Identifier: MIT
// Groups: who waits for one and when, what the counts say, and that they are right after a kill, a
// compaction, and jobs that never reached the disk.

#include "blocking.h"
#include "durable.h"
#include "unit_random.h"

#include "base/clock.h"
#include "job/codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct durable durable;

static void setup(void)
{
    durable_begin(&durable, NULL);
}

static void teardown(void)
{
    durable_end(&durable, NULL);
}

static uint64_t put(const char *name, const char *group)
{
    struct tube *tube;
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, name, strlen(name), &tube), 0);
    struct job_body *body = engine_body("body");
    const struct job_options options = {.group = group};
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 60 * HL_SECOND, .options = &options};
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    broker_unuse(durable.broker, &tube);
    return id;
}

static void settle(const char *tube, uint64_t id, enum job_outcome_kind kind)
{
    struct broker_consumer *consumer = engine_consumer(durable.broker, tube);
    struct broker_lease lease;
    ck_assert_uint_eq(engine_take(consumer, &lease), id);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, kind), 0);
    broker_consumer_free(&consumer);
}

// With others in one hold of the lock, as workers of a brief handler do.
static void settle_many(const char *tube, size_t count)
{
    struct broker_consumer *consumer = engine_consumer(durable.broker, tube);
    struct broker_lease lease[BROKER_SETTLE_MAX];
    struct job_outcome outcome[BROKER_SETTLE_MAX];
    struct broker_settlement list[BROKER_SETTLE_MAX];
    size_t taken;
    ck_assert_int_eq(broker_take_many(consumer, lease, BROKER_SETTLE_MAX, &taken, 0), 0);
    ck_assert_uint_eq(taken, count);
    for (size_t i = 0; i < count; i++) {
        job_outcome_init(&outcome[i]);
        list[i] = (struct broker_settlement){
            .id = lease[i].id, .token = lease[i].token, .outcome = &outcome[i]};
    }
    broker_settle_many(durable.broker, list, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(list[i].rc, 0);
        broker_lease_fini(&lease[i]);
    }
    broker_consumer_free(&consumer);
}

static void counts_are(const char *group, uint64_t unfinished, uint64_t done, uint64_t failed,
                       uint64_t deleted)
{
    struct broker_totals totals;
    uint64_t left;
    ck_assert_int_eq(broker_group_stats(durable.broker, &trust_all, group, &left, &totals), 0);
    ck_assert_uint_eq(left, unfinished);
    ck_assert_uint_eq(totals.done, done);
    ck_assert_uint_eq(totals.failed, failed);
    ck_assert_uint_eq(totals.deleted, deleted);
    ck_assert_uint_eq(totals.put, unfinished + done + failed + deleted);
}

static void kill_and_start(void)
{
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
}

static int record_pass(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    (void)arg;
    (void)locator;
    (void)bytes;
    (void)len;
    return 0;
}

static void append_done(struct journal_append *append)
{
    (void)append; // the disk in memory does it at once
}

// While the broker is down: that entry behind all others, as another program would have left it.
static void entry_write(const struct job_entry *entry)
{
    char head[JOB_ENTRY_HEAD_MAX];
    struct journal_record record = {.head = head,
                                    .head_len = (uint32_t)job_entry_encode(entry, head)};
    const struct journal_visitor visitor = {.record = record_pass};
    struct journal_replayed replayed;
    struct journal *journal;
    ck_assert_int_eq(journal_open(&journal, &durable.settings, &durable.error), 0);
    ck_assert_int_eq(journal_acquire(journal, &durable.error), 0);
    ck_assert_int_eq(journal_replay(journal, &visitor, &replayed, &durable.error), 0);
    struct journal_append append = {.records = &record,
                                    .count = 1,
                                    .class = JOURNAL_STATE,
                                    .sync = true,
                                    .expected = replayed.last_sequence,
                                    .done = append_done,
                                    .result = -1};
    journal_append(journal, &append);
    ck_assert_int_eq(append.result, 0);
    ck_assert_int_eq(journal_close(&journal), 0);
}

static int put_by(uint32_t uid, const char *group)
{
    struct tube *tube;
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &tube), 0);
    struct job_body *body = engine_body("body");
    const struct job_options options = {.group = group};
    const struct broker_put_spec spec = {
        .tube = tube, .submitter = uid, .ttr_ns = 60 * HL_SECOND, .options = &options};
    int rc = broker_put(durable.broker, &spec, &body, &id);
    job_body_unref(&body);
    broker_unuse(durable.broker, &tube);
    return rc;
}

static int put_says(const char *group)
{
    return put_by(JOB_NOBODY, group);
}

static bool is_known(const char *group)
{
    struct broker_totals totals;
    uint64_t left;
    return broker_group_stats(durable.broker, &trust_all, group, &left, &totals) == 0;
}

static unsigned fired;

static void note_fired(struct later *waiter)
{
    (void)waiter;
    fired++;
}

static void join_begin(struct broker_waiter *waiter, const char *group)
{
    *waiter = (struct broker_waiter){.later.fire = note_fired};
    fired = 0;
    ck_assert_int_eq(broker_join_group_async(durable.broker, &trust_all, group, waiter), 0);
}

START_TEST(a_join_waits_for_all_of_them)
{
    struct broker_waiter waiter, second;
    uint64_t one = put("t", "g"), two = put("u", "g"), three = put("u", "g");
    (void)put("t", "other");
    (void)engine_put(durable.broker, "t", 0, 0, "of none");
    join_begin(&waiter, "g");
    settle("u", two, JOB_OUTCOME_DONE);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, one), 0);
    ck_assert_uint_eq(fired, 0);
    settle("u", three, JOB_OUTCOME_FAILED);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(waiter.totals.put, 3);
    ck_assert_uint_eq(waiter.totals.done, 1);
    ck_assert_uint_eq(waiter.totals.failed, 1);
    ck_assert_uint_eq(waiter.totals.deleted, 1);
    join_begin(&second, "g"); // at once, with the same counts
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(second.totals.put, 3);
    join_begin(&second, "nobody");
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(second.totals.put, 0);
    // A kick takes the failure back; what the job becomes then counts.
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, three), 0);
    counts_are("g", 1, 1, 0, 1);
    join_begin(&waiter, "g");
    ck_assert(later_cancel(&waiter.later));
    ck_assert_uint_eq(fired, 0);
    join_begin(&waiter, "g");
    settle("u", three, JOB_OUTCOME_DONE);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(waiter.totals.done, 2);
    ck_assert_uint_eq(waiter.totals.failed, 0);
    ck_assert_int_eq(broker_join_group_async(durable.broker, &trust_all, "", &waiter), EINVAL);
}
END_TEST

// The first end of a job that the disk never saw, the last of one that it did.
START_TEST(counts_are_kept)
{
    uint64_t one = put("t", "g");
    settle("t", one, JOB_OUTCOME_DONE);
    kill_and_start();
    counts_are("g", 0, 1, 0, 0);
    uint64_t two = put("t", "g"), three = put("t", "g"), four = put("t", "g");
    durable_commit(&durable);
    settle("t", two, JOB_OUTCOME_FAILED);
    settle("t", three, JOB_OUTCOME_DONE);
    kill_and_start();
    counts_are("g", 1, 2, 1, 0);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, two), 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, four), 0);
    kill_and_start();
    counts_are("g", 1, 2, 0, 1);
    struct engine_conn conn;
    engine_conn_init(&conn, durable.broker);
    engine_watch_only(&conn, "t");
    ck_assert_uint_eq(engine_reserve(&conn), two);
    ck_assert_int_eq(broker_bury(&conn.client, &trust_all, two, 0, 3), 0);
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, two, 0, &lease),
                     0); // as a kick does
    broker_lease_fini(&lease);
    engine_conn_fini(&conn);
    counts_are("g", 1, 2, 0, 1);
    kill_and_start();
    counts_are("g", 1, 2, 0, 1);
    ck_assert_int_eq(durable_close(&durable), 0);
    durable_again(&durable);
    counts_are("g", 1, 2, 0, 1);
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, two, "v", 1), 0);
    settle("v", two, JOB_OUTCOME_DONE);
    kill_and_start();
    counts_are("g", 0, 3, 0, 1);
}
END_TEST

// The same counts now, after a kill, after a compaction and another kill, and after a clean stop.
static void counts_stay(const char *group, uint64_t unfinished, uint64_t done, uint64_t failed,
                        uint64_t deleted)
{
    counts_are(group, unfinished, done, failed, deleted);
    kill_and_start();
    counts_are(group, unfinished, done, failed, deleted);
    (void)durable_compact(&durable);
    kill_and_start();
    counts_are(group, unfinished, done, failed, deleted);
    ck_assert_int_eq(durable_close(&durable), 0);
    durable_again(&durable);
    counts_are(group, unfinished, done, failed, deleted);
}

// A job that ends takes its pending changes with it, but not what they were to its group.
START_TEST(a_return_and_an_end_in_one_commit_count)
{
    uint64_t kicked = put("t", "g");
    settle("t", kicked, JOB_OUTCOME_FAILED);
    durable_commit(&durable);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, kicked), 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, kicked), 0);
    counts_stay("g", 0, 0, 0, 1);

    uint64_t worked = put("t", "g");
    settle("t", worked, JOB_OUTCOME_FAILED);
    durable_commit(&durable);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, worked), 0);
    settle("t", worked, JOB_OUTCOME_DONE);
    counts_stay("g", 0, 1, 0, 1);

    // As a kick does, by the way of a lease.
    uint64_t reserved = put("t", "g");
    settle("t", reserved, JOB_OUTCOME_FAILED);
    durable_commit(&durable);
    struct engine_conn conn;
    engine_conn_init(&conn, durable.broker);
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, reserved, 0, &lease), 0);
    broker_lease_fini(&lease);
    ck_assert_int_eq(broker_bury(&conn.client, &trust_all, reserved, 0, 3), 0);
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, reserved, 0, &lease), 0);
    broker_lease_fini(&lease);
    engine_conn_fini(&conn);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, reserved), 0);
    counts_stay("g", 0, 1, 0, 2);
}
END_TEST

START_TEST(a_burial_and_an_end_in_one_commit_count)
{
    uint64_t known = put("t", "g");
    durable_commit(&durable);
    settle("t", known, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, known), 0);
    counts_stay("g", 0, 0, 1, 0);

    // The disk never sees the job.
    uint64_t unknown = put("t", "g");
    settle("t", unknown, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, unknown), 0);
    counts_stay("g", 0, 0, 2, 0);

    uint64_t through = put("t", "g");
    settle("t", through, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, through), 0);
    settle("t", through, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, through), 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, through), 0);
    counts_stay("g", 0, 0, 2, 1);
}
END_TEST

#define WALK_JOBS 16
#define WALK_STEPS 400

struct walk {
    uint64_t id[WALK_JOBS];
    bool buried[WALK_JOBS];
    uint64_t done, failed, deleted, unfinished;
};

// One job, in a tube of its own, lives on by one step.
static void walk_step(struct walk *walk, unsigned which, uint64_t way)
{
    char tube[32];
    (void)snprintf(tube, sizeof(tube), "w%u", which);
    uint64_t id = walk->id[which];
    if (id == 0) {
        walk->id[which] = put(tube, "g");
        walk->unfinished++;
    } else if (walk->buried[which] && way % 2 == 0) {
        ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, id), 0);
        walk->buried[which] = false;
        walk->failed--;
        walk->unfinished++;
    } else if (walk->buried[which]) { // it stays a failure
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
        walk->buried[which] = false;
        walk->id[which] = 0;
    } else {
        walk->unfinished--;
        walk->buried[which] = way % 3 == 0;
        walk->id[which] = walk->buried[which] ? id : 0;
        walk->failed += way % 3 == 0;
        walk->done += way % 3 == 1;
        walk->deleted += way % 3 == 2;
        if (way % 3 == 2)
            ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
        else
            settle(tube, id, way % 3 == 0 ? JOB_OUTCOME_FAILED : JOB_OUTCOME_DONE);
    }
}

START_TEST(any_way_through_life_counts_the_same_after_a_kill)
{
    struct unit_random random = unit_random_seed(0x9201 + (uint64_t)_i);
    struct walk walk = {{0}, {false}, 0, 0, 0, 0};
    for (unsigned step = 0; step < WALK_STEPS; step++) {
        walk_step(&walk, (unsigned)unit_random_below(&random, WALK_JOBS),
                  unit_random_below(&random, 6));
        if (unit_random_below(&random, 8) == 0)
            durable_commit(&durable);
        if (unit_random_below(&random, 32) == 0)
            (void)durable_compact(&durable);
        counts_are("g", walk.unfinished, walk.done, walk.failed, walk.deleted);
        if (unit_random_below(&random, 16) == 0)
            kill_and_start();
        counts_are("g", walk.unfinished, walk.done, walk.failed, walk.deleted);
    }
}
END_TEST

// The directory of an earlier version: the return of the job is missing from it.
START_TEST(a_return_that_was_never_written_is_inferred)
{
    uint64_t deleted = put("t", "g"), again = put("t", "g"), left = put("t", "g");
    settle("t", deleted, JOB_OUTCOME_FAILED);
    settle("t", again, JOB_OUTCOME_FAILED);
    settle("t", left, JOB_OUTCOME_FAILED);
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    entry_write(&(struct job_entry){.type = JOB_ENTRY_DELETE,
                                    .id = deleted,
                                    .group = "g",
                                    .group_len = 1,
                                    .group_count = JOB_COUNT_DELETED});
    entry_write(&(struct job_entry){.type = JOB_ENTRY_BURY,
                                    .id = again,
                                    .burial = 99,
                                    .group = "g",
                                    .group_len = 1,
                                    .group_count = JOB_COUNT_FAILED});
    entry_write(&(struct job_entry){.type = JOB_ENTRY_DELETE, .id = left}); // while buried
    durable_again(&durable);
    counts_stay("g", 0, 0, 2, 1);
}
END_TEST

START_TEST(jobs_that_are_settled_together_count)
{
    put("t", "g");
    durable_commit(&durable);
    put("t", "g");
    settle_many("t", 2);
    counts_are("g", 0, 2, 0, 0);
    kill_and_start();
    counts_are("g", 0, 2, 0, 0);
}
END_TEST

START_TEST(counts_outlive_segments)
{
    struct store_stats stats;
    static char text[2001];
    uint64_t unfinished[2] = {0, 0}, done = 0, id = 0, segments = 0;
    memset(text, 'x', sizeof(text) - 1);
    uint64_t buried = put("b", "g"), kept = put("k", "g");
    settle("b", buried, JOB_OUTCOME_FAILED);
    for (int turn = 0; turn < 4; turn++) {
        do {
            id = put("t", "g");
            durable_commit(&durable);
            settle("t", id, JOB_OUTCOME_DONE);
            done++;
            uint64_t other = engine_put(durable.broker, "other", 1, 0, text);
            durable_commit(&durable);
            ck_assert_int_eq(broker_delete(durable.broker, &trust_all, other), 0);
            durable_commit(&durable);
            (void)durable_compact(&durable);
            broker_store_stats(durable.broker, &stats);
            ck_assert_uint_lt(other, 100000000);
        } while (stats.compact.trims == segments);
        segments = turn % 2 == 0 ? 0 : stats.compact.trims; // a start begins to count anew
        if (turn % 2 == 0)
            kill_and_start();
        counts_are("g", 1, done, 1, 0);
        unfinished[turn % 2] = id;
    }
    ck_assert_uint_ne(unfinished[0], unfinished[1]);
    settle("k", kept, JOB_OUTCOME_DONE);
    ck_assert_int_eq(broker_kick_job(durable.broker, &trust_all, buried), 0);
    kill_and_start();
    counts_are("g", 1, done + 1, 0, 0);
}
END_TEST

START_TEST(a_group_is_forgotten_after_a_day)
{
    uint64_t left;
    struct broker_totals totals;
    struct broker_waiter waiter;
    settle("t", put("t", "g"), JOB_OUTCOME_DONE);
    uint64_t kept = put("t", "kept");
    clock_virtual_advance(24 * 3600 * HL_SECOND - 1);
    broker_forget_groups(durable.broker);
    counts_are("g", 0, 1, 0, 0);
    clock_virtual_advance(1);
    broker_forget_groups(durable.broker);
    ck_assert_int_eq(broker_group_stats(durable.broker, &trust_all, "g", &left, &totals), ENOENT);
    ck_assert_uint_eq(broker_groups(durable.broker), 1);
    join_begin(&waiter, "kept");
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, kept), 0);
    ck_assert_uint_eq(fired, 1);
    // The name begins anew, in the journal, too.
    (void)put("t", "g");
    counts_are("g", 1, 0, 0, 0);
    kill_and_start();
    counts_are("g", 1, 0, 0, 0);
    counts_are("kept", 0, 0, 0, 1);
}
END_TEST

START_TEST(in_memory_a_group_ends_with_the_daemon)
{
    ck_assert_int_eq(durable_close(&durable), 0);
    durable.options.durability = DURABILITY_MEMORY;
    durable_again(&durable);
    settle("t", put("t", "g"), JOB_OUTCOME_DONE);
    counts_are("g", 0, 1, 0, 0);
    kill_and_start();
    ck_assert_uint_eq(broker_groups(durable.broker), 0);
}
END_TEST

// One group more than there may be: of those without jobs the one goes that is so for longest; and
// where all have jobs, the put is refused.
START_TEST(groups_are_bounded)
{
    durable_kill(&durable, NULL);
    durable.options.groups_max = 3;
    durable_again(&durable);
    uint64_t first = put("t", "first"), second = put("t", "second");
    put("t", "third");
    ck_assert_int_eq(put_says("fourth"), EDQUOT);
    ck_assert(!is_known("fourth"));
    ck_assert_int_eq(put_says("third"), 0); // which is there
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, second), 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, first), 0);
    ck_assert_int_eq(put_says("fourth"), 0);
    ck_assert(!is_known("second"));
    counts_are("first", 0, 0, 0, 1);
    durable_commit(&durable);
    // after a start they are as many again, those without jobs first
    durable_kill(&durable, NULL);
    durable.options.groups_max = 2;
    durable_again(&durable);
    ck_assert(!is_known("first"));
    ck_assert(!is_known("second"));
    counts_are("third", 2, 0, 0, 0);
    counts_are("fourth", 1, 0, 0, 0);
    ck_assert_int_eq(put_says("fifth"), EDQUOT);
}
END_TEST

// How many new groups that user can name.
static unsigned groups_of(uint32_t uid)
{
    static unsigned number;
    unsigned count = 0;
    char name[32];
    int rc;
    do {
        snprintf(name, sizeof(name), "group-%u", ++number);
        rc = put_by(uid, name);
        count += rc == 0;
        ck_assert_uint_le(count, 1000);
    } while (rc == 0);
    ck_assert_int_eq(rc, EDQUOT);
    return count;
}

// Whatever others name, root and the daemon's user can name some more.
START_TEST(root_and_the_daemons_user_have_a_share)
{
    static const struct {
        unsigned max, share;
    } cases[] = {{3, 16}, {256, 16}, {320, 20}};
    const unsigned max = cases[_i].max, share = cases[_i].share;
    durable_kill(&durable, NULL);
    durable.options.groups_max = max;
    durable.options.daemon_uid = 900;
    durable_again(&durable);
    ck_assert_uint_eq(groups_of(1000), max);
    ck_assert_uint_eq(groups_of(JOB_NOBODY), 0);
    ck_assert_int_eq(put_by(900, "mine"), 0);
    ck_assert_uint_eq(groups_of(0), share - 1);
    ck_assert_uint_eq(groups_of(900), 0);
    ck_assert_uint_eq(groups_of(1000), 0);
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    ck_assert_uint_eq(broker_groups(durable.broker), max + share);
    // When the share's jobs have gone the next new group of anybody takes their groups away.
    uint64_t cleared;
    ck_assert_int_eq(broker_clear(durable.broker, "t", 1, &cleared), 0);
    ck_assert_uint_eq(cleared, max + share);
    ck_assert_int_eq(put_by(1001, "new"), 0);
    ck_assert_uint_eq(broker_groups(durable.broker), max);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("group");
    TCase *all = tcase_create("group");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, a_join_waits_for_all_of_them);
    tcase_add_test(all, counts_are_kept);
    tcase_add_test(all, a_return_and_an_end_in_one_commit_count);
    tcase_add_test(all, a_burial_and_an_end_in_one_commit_count);
    tcase_add_loop_test(all, any_way_through_life_counts_the_same_after_a_kill, 0, 4);
    tcase_add_test(all, a_return_that_was_never_written_is_inferred);
    tcase_add_test(all, jobs_that_are_settled_together_count);
    tcase_add_test(all, counts_outlive_segments);
    tcase_add_test(all, a_group_is_forgotten_after_a_day);
    tcase_add_test(all, in_memory_a_group_ends_with_the_daemon);
    tcase_add_test(all, groups_are_bounded);
    tcase_add_loop_test(all, root_and_the_daemons_user_have_a_share, 0, 3);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
