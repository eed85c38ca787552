// SPDX-License-Identifier: MIT
// Commit, bodies that are made late: when their frame is, outside of the owner's lock, and once.

#include "journal_owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct owner owner;

static struct thing {
    int number, made, dropped;
    int no_memory; // so often
} things[8];

static int make(void *late, struct job_body **body)
{
    struct thing *thing = late;
    char text[32];
    hl_lock_acquire(owner.lock); // nobody has it
    hl_lock_release(owner.lock);
    if (thing->no_memory-- > 0)
        return ENOMEM;
    int len = snprintf(text, sizeof(text), "late %d", thing->number);
    ck_assert_int_eq(job_body_new(body, (size_t)len), 0);
    memcpy((*body)->bytes, text, (size_t)len);
    thing->made++;
    return 0;
}

static void drop(void *late)
{
    struct thing *thing = late;
    thing->dropped++;
}

static const struct commit_options by_hand = {.thread = false, .make = make, .drop = drop};

static void setup(void)
{
    kit_setup();
    memset(&owner, 0, sizeof(owner));
    kit_init(&owner.kit);
    memset(things, 0, sizeof(things));
    for (int i = 0; i < 8; i++)
        things[i].number = i;
    owner_start(&owner, &by_hand);
}

static void teardown(void)
{
    if (owner.commit != NULL)
        owner_stop(&owner);
    kit_fini(&owner.kit);
    kit_teardown();
}

static uint64_t add(int which)
{
    const struct job_entry entry = {
        .type = JOB_ENTRY_RESULT, .id = 1, .number = (uint64_t)which + 1};
    const struct commit_change change = {
        .entry = &entry, .late = &things[which], .late_most = 32, .class = JOURNAL_PUT};
    hl_lock_acquire(owner.lock);
    ck_assert_int_eq(commit_admit(owner.commit, JOURNAL_PUT, 1, 64), 0);
    uint64_t ticket = commit_add(owner.commit, &change);
    hl_lock_release(owner.lock);
    return ticket;
}

static int lead(void)
{
    commit_want(owner.commit, COMMIT_DURABLE);
    return commit_lead(owner.commit);
}

static void seen_is(size_t at, int which)
{
    size_t len;
    const char *bytes = kit_record(&owner.kit.seen, at, &len);
    struct job_entry entry;
    char text[32];
    int text_len = snprintf(text, sizeof(text), "late %d", which);
    ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
    ck_assert_int_eq((int)entry.type, JOB_ENTRY_RESULT);
    ck_assert_uint_eq(entry.number, (uint64_t)which + 1);
    ck_assert_uint_eq(entry.body_len, (size_t)text_len);
    ck_assert_mem_eq(entry.body, text, (size_t)text_len);
}

static void again(void)
{
    owner_kill(&owner);
    ck_assert_int_eq(kit_open(&owner.kit), 0);
}

// The first three were made and dropped once each, and are in the journal.
static void three_are_there(void)
{
    for (int i = 0; i < 3; i++)
        ck_assert(things[i].made == 1 && things[i].dropped == 1);
    again();
    ck_assert_uint_eq(owner.kit.seen.count, 3);
    for (int i = 0; i < 3; i++)
        seen_is((size_t)i, i);
}

START_TEST(they_are_made_for_their_frame)
{
    uint64_t last = 0;
    for (int i = 0; i < 3; i++)
        last = add(i);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(things[i].made, 0);
    ck_assert_uint_ge(owner_stat(&owner).pending_bytes, (uint64_t)3 * 32);
    ck_assert_int_eq(lead(), 0);
    ck_assert_uint_eq(commit_reached(owner.commit, COMMIT_DURABLE), last);
    three_are_there();
}
END_TEST

// The round is tried again, and what stands before and behind it doesn't go out without it.
START_TEST(without_memory_the_round_waits)
{
    things[1].no_memory = 2;
    add(0);
    uint64_t last = add(1);
    add(2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(lead(), ENOSPC);
        ck_assert_uint_eq(commit_reached(owner.commit, COMMIT_WRITTEN), 0);
    }
    ck_assert_int_eq(lead(), 0);
    ck_assert_uint_ge(commit_reached(owner.commit, COMMIT_DURABLE), last);
    three_are_there();
}
END_TEST

// What never reaches a frame is dropped, too: a commit that ends, one that broke.
START_TEST(they_are_dropped_unmade)
{
    add(0);
    if (_i == 1) {
        disk_fail(1, EIO, true);
        ck_assert_int_eq(lead(), EIO);
        disk_fail(0, 0, false);
    }
    owner_kill(&owner);
    ck_assert_int_eq(things[0].dropped, 1);
}
END_TEST

// However large frames are, and whichever is the last that was written.
#define FRAME_SIZES 16
#define FRAMES 8
START_TEST(a_result_is_with_its_end)
{
    const struct commit_options small = {
        .make = make, .drop = drop, .frame_max = (size_t)(1 + 12 * (_i / FRAMES))};
    size_t found[JOB_ENTRY_RESULT + 1] = {0};
    int rc;
    owner_stop(&owner);
    owner_start(&owner, &small);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_ne(owner_put(&owner, (uint64_t)i + 1, 5, &rc), 0);
    ck_assert_int_eq(lead(), 0);
    for (int i = 0; i < 3; i++) {
        (void)add(i);
        ck_assert_uint_ne(owner_finish(&owner, (uint64_t)i + 1, NULL, &rc), 0);
    }
    disk_fail((uint64_t)(_i % FRAMES) + 1, EIO, true);
    (void)lead();
    disk_fail(0, 0, false);
    again();
    for (size_t i = 0; i < owner.kit.seen.count; i++) {
        size_t len;
        const char *bytes = kit_record(&owner.kit.seen, i, &len);
        struct job_entry entry;
        ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
        if (entry.type <= JOB_ENTRY_RESULT)
            found[entry.type]++;
    }
    ck_assert_uint_eq(found[JOB_ENTRY_PUT], 3);
    ck_assert_uint_eq(found[JOB_ENTRY_RESULT], found[JOB_ENTRY_DELETE]);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("late");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, they_are_made_for_their_frame);
    tcase_add_test(all, without_memory_the_round_waits);
    tcase_add_loop_test(all, they_are_dropped_unmade, 0, 2);
    tcase_add_loop_test(all, a_result_is_with_its_end, 0, FRAME_SIZES * FRAMES);
    Suite *suite = suite_create("commit_late");
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
