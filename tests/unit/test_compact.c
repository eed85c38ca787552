// SPDX-License-Identifier: MIT
// Compaction: the journal stays within a few times of what is alive, whatever order jobs go in, and
// what is alive stays alive through it, through crashes too.

#include "journal_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct owner owner;
static struct compact *compact;
static int rc;

static void start(void)
{
    owner_start(&owner, &(struct commit_options){.thread = false});
    ck_assert_int_eq(compact_new(&compact, &(struct compact_options){.journal = owner.kit.journal,
                                                                     .commit = owner.commit,
                                                                     .slice = 50,
                                                                     .record = owner_copy,
                                                                     .arg = &owner}),
                     0);
}

static void setup(void)
{
    kit_setup();
    memset(&owner, 0, sizeof(owner));
    kit_init(&owner.kit);
    owner.body_len = 500;
    start();
}

static void teardown(void)
{
    compact_free(&compact);
    if (owner.commit != NULL)
        owner_stop(&owner);
    kit_fini(&owner.kit);
    kit_teardown();
}

static void lead(void)
{
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead(owner.commit), 0);
}

// As a housekeeper would: while it is due, one slice after the other.
static void compact_all(void)
{
    for (int steps = 0; compact_is_due(compact, owner_live(&owner)); steps++) {
        int step = compact_step(compact);
        ck_assert(step == 0 || step == EAGAIN || step == ENOENT);
        if (step == EAGAIN)
            lead();
        ck_assert_int_lt(steps, 100000);
    }
}

static struct journal_room room_now(void)
{
    struct journal_room room;
    journal_room(owner.kit.journal, &room);
    return room;
}

static struct journal_stat stat_now(void)
{
    struct journal_stat stat;
    journal_stat(owner.kit.journal, &stat);
    return stat;
}

// The jobs as they are: alive, priority, releases.
static struct owner_job before[OWNER_JOBS];

static void check_recovered(bool killed)
{
    memcpy(before, owner.job, sizeof(before));
    compact_free(&compact);
    if (killed)
        owner_kill(&owner);
    else
        owner_stop(&owner);
    owner_recover(&owner);
    for (size_t id = 0; id < OWNER_JOBS; id++) {
        ck_assert_msg(owner.job[id].alive == before[id].alive, "job %zu", id);
        if (!before[id].alive)
            continue;
        ck_assert_uint_eq(owner.job[id].pri, before[id].pri);
        ck_assert_uint_eq(owner.job[id].releases, before[id].releases);
    }
    start();
}

START_TEST(one_job_released_for_ever)
{
    owner_put(&owner, 1, 0, &rc);
    for (uint32_t i = 1; i <= 60000; i++) {
        ck_assert_uint_ne(owner_release(&owner, 1, i, &rc), 0);
        if (i % 100 == 0) {
            lead();
            compact_all();
            ck_assert_uint_le(stat_now().bytes_used, 5 * KIT_SEGMENT);
        }
    }
    struct compact_stat stat;
    compact_stat(compact, &stat);
    ck_assert_uint_ge(stat.trims, 10);
    ck_assert_uint_gt(stat.looked_at, 50000);
    check_recovered(true);
    ck_assert_uint_eq(owner.job[1].pri, 60000);
}
END_TEST

START_TEST(old_jobs_do_not_pin_the_rest)
{
    for (uint64_t id = 1; id <= 5; id++) // they stay
        owner_put(&owner, id, 7, &rc);
    for (unsigned i = 0; i < (unsigned)unit_rounds(8000); i++) {
        uint64_t id = 10 + i % 100;
        ck_assert_uint_ne(owner_put(&owner, id, i, &rc), 0);
        if (i % 2 == 0)
            lead(); // written, so that its delete is, too
        ck_assert_uint_ne(owner_finish(&owner, id, NULL, &rc), 0);
        if (i % 50 == 0) {
            lead();
            compact_all();
            ck_assert_uint_le(stat_now().bytes_used, 5 * KIT_SEGMENT);
        }
    }
    lead();
    check_recovered(true);
    ck_assert(owner.job[1].alive && owner.job[5].alive);
}
END_TEST

// A backlog that is drained in any order, with crashes on the way.
START_TEST(backlog_drained_at_random)
{
    struct unit_random random = {(uint64_t)_i + 1};
    static uint64_t ids[2000];
    size_t count = sizeof(ids) / sizeof(ids[0]);
    for (size_t i = 0; i < count; i++) {
        ids[i] = i + 1;
        ck_assert_uint_ne(owner_put(&owner, ids[i], (uint32_t)i, &rc), 0);
    }
    lead();
    while (count > 0) {
        size_t at = unit_random_below(&random, count);
        if (unit_random_below(&random, 4) == 0) {
            ck_assert_uint_ne(owner_release(&owner, ids[at], (uint32_t)count, &rc), 0);
        } else {
            ck_assert_uint_ne(owner_finish(&owner, ids[at], NULL, &rc), 0);
            ids[at] = ids[--count];
        }
        if (unit_random_below(&random, 20) == 0) {
            lead();
            compact_all();
            ck_assert_uint_le(stat_now().bytes_used,
                              2 * owner_live(&owner) + 5 * (uint64_t)KIT_SEGMENT);
        }
        if (unit_random_below(&random, 300) == 0) {
            for (int i = 0; i < 3; i++) // somewhere in the middle of a compaction
                (void)compact_step(compact);
            lead();
            check_recovered(unit_random_below(&random, 2) == 0);
        }
    }
    lead();
    compact_all();
    check_recovered(true);
}
END_TEST

// A full disk with one dead job in three: puts are refused, deletes go on, compaction makes room
// for puts.
START_TEST(full_disk_is_drained)
{
    uint64_t id = 1;
    for (; id < 600; id++)
        ck_assert_uint_ne(owner_put(&owner, id, 1, &rc), 0);
    lead();
    disk_space(disk_used());
    do { // inline, a full disk is noticed by the append
        if (owner_put(&owner, id, 1, &rc) != 0)
            id++;
        lead();
    } while (rc == 0 && id < OWNER_JOBS && !room_now().full);
    uint64_t refused = 0;
    for (int i = 0; i < 500 && rc == 0; i++, refused++) {
        if (owner_put(&owner, id, 1, &rc) != 0)
            id++;
        lead();
    }
    ck_assert_int_eq(rc, ENOSPC);
    for (uint64_t victim = 1; victim < id; victim += 3) {
        ck_assert_uint_ne(owner_finish(&owner, victim, NULL, &rc), 0);
        lead();
    }
    for (int step = 0, i = 0; i < 4000 && compact_is_due(compact, owner_live(&owner)); i++) {
        step = compact_step(compact);
        ck_assert(step == 0 || step == EAGAIN || step == ENOENT);
        if (step == EAGAIN)
            lead();
        if (owner_put(&owner, id, 1, &rc) != 0)
            break;
    }
    ck_assert_int_eq(rc, 0);
    lead();
    check_recovered(true);
}
END_TEST

// Killed at the moment at which the segment is given up: its copies are on the disk by then.
START_TEST(copies_are_durable_before_the_trim)
{
    for (uint64_t id = 1; id <= 300; id++)
        ck_assert_uint_ne(owner_put(&owner, id, 1, &rc), 0);
    lead();
    int step;
    while ((step = compact_step(compact)) != ENOENT) {
        ck_assert(step == 0 || step == EAGAIN);
        if (step == EAGAIN)
            lead();
    }
    check_recovered(true);
    for (uint64_t id = 1; id <= 300; id++)
        ck_assert(owner.job[id].alive);
}
END_TEST

START_TEST(nothing_to_do)
{
    ck_assert(!compact_is_due(compact, 0));
    ck_assert_int_eq(compact_step(compact), ENOENT);
    owner_put(&owner, 1, 1, &rc);
    lead();
    ck_assert_int_eq(compact_step(compact), ENOENT); // the only segment is being written
}
END_TEST

START_TEST(owner_that_refuses_is_asked_again)
{
    for (uint64_t id = 1; id <= 300; id++)
        ck_assert_uint_ne(owner_put(&owner, id, 1, &rc), 0);
    lead();
    ck_assert_uint_ge(stat_now().segments, 2);
    compact_free(&compact);
    owner_stop(&owner);
    owner_recover(&owner);
    owner_start(&owner, &(struct commit_options){.pending_max = 3000}); // less than a slice
    ck_assert_int_eq(compact_new(&compact, &(struct compact_options){.journal = owner.kit.journal,
                                                                     .commit = owner.commit,
                                                                     .record = owner_copy,
                                                                     .arg = &owner}),
                     0);
    int refused = 0, step;
    while ((step = compact_step(compact)) != ENOENT) {
        ck_assert(step == 0 || step == EAGAIN);
        refused += step == EAGAIN;
        if (step == EAGAIN)
            lead();
    }
    ck_assert_int_ge(refused, 10);
    lead();
    check_recovered(true);
    for (uint64_t id = 1; id <= 300; id++)
        ck_assert(owner.job[id].alive);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compact");
    TCase *all = tcase_create("compact");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, one_job_released_for_ever);
    tcase_add_test(all, old_jobs_do_not_pin_the_rest);
    tcase_add_loop_test(all, backlog_drained_at_random, 0, unit_rounds(5));
    tcase_add_test(all, full_disk_is_drained);
    tcase_add_test(all, copies_are_durable_before_the_trim);
    tcase_add_test(all, nothing_to_do);
    tcase_add_test(all, owner_that_refuses_is_asked_again);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
