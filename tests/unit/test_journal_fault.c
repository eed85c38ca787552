// SPDX-License-Identifier: MIT
// Faults: every call of the disk fails once, power fails at any moment, space runs out. What was
// said to be durable is there afterwards, in its order, once; nothing trimmed comes back.

#include "journal_kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD 3000 // so that a segment has about twenty

static struct kit kit;

static void setup(void)
{
    kit_setup();
    kit_init(&kit);
}

static void teardown(void)
{
    kit_fini(&kit);
    kit_teardown();
}

// What a run was told: records first to acknowledged - 1 are durable, up to tried - 1 were tried.
struct run {
    unsigned first, first_tried; // the oldest that isn't trimmed; that may be trimmed
    unsigned acknowledged, tried;
};

static int append_number(struct run *run, bool sync)
{
    char text[RECORD];
    memset(text, '.', sizeof(text));
    snprintf(text, sizeof(text), "%06u", run->tried);
    run->tried++;
    int rc = kit_append_bytes(&kit, text, sizeof(text), sync, NULL);
    if (rc == 0 && sync)
        run->acknowledged = run->tried;
    return rc;
}

// The oldest segment goes, as if all in it were finished.
static int trim_one(struct run *run)
{
    struct kit_seen seen;
    kit_seen_init(&seen);
    struct journal_visitor visitor = kit_visitor(&seen);
    struct journal_scan scan;
    int rc = journal_scan_begin(kit.journal, &scan);
    if (rc != 0)
        return rc;
    while ((rc = journal_scan_next(kit.journal, &scan, &visitor, 100)) == EAGAIN) {
    }
    uint64_t end = scan.end;
    journal_scan_end(kit.journal, &scan);
    unsigned count = (unsigned)seen.count;
    kit_seen_fini(&seen);
    if (rc != 0)
        return rc;
    run->first_tried += count;
    rc = journal_trim(kit.journal, end, &kit.sequence);
    if (rc == 0)
        run->first = run->first_tried;
    return rc;
}

// Appends, crosses segments, trims and uses them again; ends at the first error.
static int session(struct run *run, unsigned records)
{
    int rc = kit_open(&kit);
    struct journal_stat stat = {0};
    for (unsigned i = 0; rc == 0 && i < records; i++) {
        rc = append_number(run, i % 3 != 0);
        if (rc == 0)
            journal_stat(kit.journal, &stat);
        if (rc == 0 && stat.segments > 2)
            rc = trim_one(run);
    }
    return rc;
}

// Opens after a crash and compares with what the run was told.
static void check_run(struct run *run, uint64_t n)
{
    int rc = kit_open(&kit);
    ck_assert_msg(rc == 0, "%lu: open: %s", (unsigned long)n, kit.error.text);
    ck_assert_msg(kit.seen.damages == 0, "%lu: %s", (unsigned long)n, kit.seen.damage);
    unsigned next = 0;
    for (size_t i = 0; i < kit.seen.count; i++) {
        size_t len;
        unsigned number = (unsigned)strtoul(kit_record(&kit.seen, i, &len), NULL, 10);
        ck_assert_uint_eq(len, RECORD);
        if (i == 0)
            ck_assert_msg(number == run->first || number == run->first_tried,
                          "%lu: begins with %u, not %u or %u", (unsigned long)n, number, run->first,
                          run->first_tried);
        else
            ck_assert_msg(number == next, "%lu: %u after %u", (unsigned long)n, number, next - 1);
        next = number + 1;
    }
    if (kit.seen.count == 0) {
        ck_assert_uint_eq(run->acknowledged, 0);
        next = 0;
    }
    ck_assert_msg(next >= run->acknowledged && next <= run->tried,
                  "%lu: ends with %u, %u were acknowledged", (unsigned long)n, next,
                  run->acknowledged);
    // What was recovered is as good as acknowledged: it is there after another power loss.
    run->acknowledged = run->tried = next;
    if (kit.seen.count > 0) {
        size_t len;
        run->first = run->first_tried = (unsigned)strtoul(kit_record(&kit.seen, 0, &len), NULL, 10);
    }
}

static void one_call_fails(int error, bool from_then_on, bool power)
{
    struct unit_random random = {42};
    bool failed = true;
    const uint64_t step = 10 / (uint64_t)unit_rounds(10); // under a sanitizer every tenth
    for (uint64_t n = 1; failed; n += step) {
        struct run run = {0};
        disk_start();
        disk_fail(n, error, from_then_on);
        int rc = session(&run, 90);
        bool opened = kit.journal != NULL;
        failed = disk_calls() >= n;
        if (opened && rc == EIO) { // broken for good, whatever the disk would do now
            disk_fail(0, 0, false);
            ck_assert_int_eq(kit_append(&kit, "no", NULL), EIO);
            ck_assert_int_eq(journal_sync(kit.journal), EIO);
            struct journal_stat stat;
            journal_stat(kit.journal, &stat);
            ck_assert_int_eq(stat.broken, error);
        }
        disk_fail(0, 0, false);
        if (opened && n % 2 == 0 && rc == EIO)
            ck_assert_int_eq(kit_close(&kit), EIO);
        else if (opened)
            kit_kill(&kit, power ? &random : NULL);
        disk_kill();
        check_run(&run, n);
        ck_assert_int_eq(append_number(&run, true), 0);
        ck_assert_int_eq(kit_close(&kit), 0);
        check_run(&run, n);
        ck_assert_int_eq(kit_close(&kit), 0);
    }
}

START_TEST(nth_call_fails)
{
    one_call_fails(EIO, false, false);
}
END_TEST

START_TEST(nth_call_and_all_after_fail)
{
    one_call_fails(EIO, true, false);
}
END_TEST

START_TEST(nth_call_fails_and_power_goes)
{
    one_call_fails(EIO, false, true);
}
END_TEST

START_TEST(nth_call_finds_no_space)
{
    one_call_fails(ENOSPC, false, true);
}
END_TEST

// Power fails, or the process is killed, after any number of calls; started again, power fails
// again.
START_TEST(power_fails)
{
    struct unit_random random = {(uint64_t)_i * 1000 + 1};
    struct run run = {0};
    for (int round = 0; round < unit_rounds(40); round++) {
        disk_fail(1 + unit_random_below(&random, 60), EIO, true);
        (void)session(&run, 1000); // ends when the calls begin to fail
        bool power = unit_random_below(&random, 2) == 0;
        if (kit.journal != NULL)
            kit_kill(&kit, power ? &random : NULL);
        else if (power)
            disk_power_loss(&random);
        disk_fail(0, 0, false);
        check_run(&run, (uint64_t)round);
        ck_assert_int_eq(append_number(&run, true), 0);
        if (round % 4 == 0)
            ck_assert_int_eq(kit_close(&kit), 0);
        else
            kit_kill(&kit, &random);
    }
}
END_TEST

// What isn't synced in one segment is, before the next one is begun: a synced frame there vouches
// for all before it.
START_TEST(segment_is_synced_before_the_next)
{
    struct unit_random random = {(uint64_t)_i + 1};
    struct run run = {0};
    struct journal_stat stat;
    ck_assert_int_eq(kit_open(&kit), 0);
    do {
        ck_assert_int_eq(append_number(&run, false), 0);
        journal_stat(kit.journal, &stat);
    } while (stat.segments < 2);
    ck_assert_int_eq(append_number(&run, true), 0);
    kit_kill(&kit, &random);
    check_run(&run, 0);
}
END_TEST

// Space that runs out is no damage: it is said, and nothing is broken.
START_TEST(space_comes_back)
{
    struct run run = {0};
    ck_assert_int_eq(kit_open(&kit), 0);
    disk_space(disk_used());
    int rc;
    while ((rc = append_number(&run, true)) == 0) {
    }
    ck_assert_int_eq(rc, ENOSPC);
    run.tried--; // it may be tried again, with the same number
    ck_assert_int_eq(append_number(&run, true), ENOSPC);
    run.tried--;
    disk_space(0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(append_number(&run, true), 0);
    struct journal_room room;
    journal_room(kit.journal, &room);
    ck_assert(!room.full);
    kit_kill(&kit, NULL);
    check_run(&run, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_fault");
    TCase *all = tcase_create("journal_fault");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, nth_call_fails);
    tcase_add_test(all, nth_call_and_all_after_fail);
    tcase_add_test(all, nth_call_fails_and_power_goes);
    tcase_add_test(all, nth_call_finds_no_space);
    tcase_add_loop_test(all, power_fails, 0, unit_rounds(20));
    tcase_add_loop_test(all, segment_is_synced_before_the_next, 0, unit_rounds(10));
    tcase_add_test(all, space_comes_back);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
