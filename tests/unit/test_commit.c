// SPDX-License-Identifier: MIT
// Commit: tickets, what they promise, what vanishes before it is written, and who leads.

#include "journal_owner.h"

#include "base/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static struct owner owner;
static int rc;

static void setup(void)
{
    kit_setup();
    memset(&owner, 0, sizeof(owner));
    kit_init(&owner.kit);
}

// A journal that has two appends under way, or eight, and answers in any order.
static void setup_two(void)
{
    setup();
    owner.windows = 2;
}

static void setup_eight(void)
{
    setup();
    owner.windows = 8;
}

static void teardown(void)
{
    if (owner.commit != NULL)
        owner_stop(&owner);
    kit_fini(&owner.kit);
    kit_teardown();
}

static const struct commit_options by_hand = {.thread = false};

static void lead(enum commit_want want)
{
    commit_want(owner.commit, want);
    ck_assert_int_eq(commit_lead(owner.commit), 0);
}

static uint64_t reached(enum commit_want want)
{
    return commit_reached(owner.commit, want);
}

START_TEST(tickets_are_reached_in_order)
{
    owner_start(&owner, &by_hand);
    ck_assert_uint_eq(owner_put(&owner, 1, 10, &rc), 1);
    ck_assert_uint_eq(owner_put(&owner, 2, 10, &rc), 2);
    ck_assert_int_eq(commit_lead(owner.commit), 0); // nobody wants it
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), 0);
    lead(COMMIT_WRITTEN);
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), 2);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 0);
    ck_assert_uint_eq(owner_put(&owner, 3, 10, &rc), 3);
    lead(COMMIT_DURABLE);
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), 3);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 3);
    ck_assert_uint_eq(atomic_load(&owner.published), 2);
    struct commit_stat stat = owner_stat(&owner);
    ck_assert_uint_eq(stat.commits, 2);
    ck_assert_uint_eq(stat.changes, 3);
    ck_assert_uint_eq(stat.batch_max, 2);
    ck_assert_uint_eq(stat.batch_log2[2], 1);
    ck_assert_uint_eq(stat.pending, 0);
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert(owner.job[1].alive && owner.job[2].alive && owner.job[3].alive);
    ck_assert_uint_eq(owner.kit.seen.count, 3);
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(written_becomes_durable_without_new_changes)
{
    owner_start(&owner, &by_hand);
    owner_put(&owner, 1, 10, &rc);
    lead(COMMIT_WRITTEN);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 0);
    lead(COMMIT_DURABLE);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 1);
    ck_assert_uint_eq(owner_stat(&owner).commits, 1);
}
END_TEST

START_TEST(places_are_told)
{
    struct buf record = BUF_EMPTY;
    owner_start(&owner, &by_hand);
    owner_put(&owner, 1, 10, &rc);
    owner_release(&owner, 1, 20, &rc);
    owner_put(&owner, 2, 30, &rc);
    ck_assert(!owner.job[1].placed);
    lead(COMMIT_WRITTEN);
    ck_assert(owner.job[1].placed && owner.job[2].placed);
    for (uint64_t id = 1; id <= 2; id++) {
        struct job_entry entry;
        ck_assert_int_eq(journal_read(owner.kit.journal, owner.job[id].locator, &record), 0);
        ck_assert_int_eq(job_entry_decode(&entry, record.data, record.len), 0);
        ck_assert_uint_eq(entry.id, id);
        ck_assert_mem_eq(entry.body, owner.job[id].body->bytes, entry.body_len);
    }
    buf_fini(&record);
}
END_TEST

// ---- cancel-out ----

START_TEST(put_and_finished_before_a_commit_vanishes)
{
    bool cancelled = false;
    owner_start(&owner, &by_hand);
    uint64_t other = owner_put(&owner, 7, 10, &rc);
    owner_put(&owner, 1, 10, &rc);
    owner_release(&owner, 1, 20, &rc);
    owner_release(&owner, 1, 30, &rc);
    uint64_t ticket = owner_finish(&owner, 1, &cancelled, &rc);
    ck_assert(cancelled);
    ck_assert_uint_eq(ticket, other + 4); // the order of answers is as ever
    lead(COMMIT_DURABLE);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), ticket);
    struct commit_stat stat = owner_stat(&owner);
    ck_assert_uint_eq(stat.changes, 1);
    ck_assert_uint_eq(stat.cancelled, 4);
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert_uint_eq(owner.kit.seen.count, 1);
    ck_assert(owner.job[7].alive && !owner.job[1].alive);
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(nothing_is_written_when_all_vanishes)
{
    bool cancelled;
    owner_start(&owner, &by_hand);
    struct journal_stat before, after;
    journal_stat(owner.kit.journal, &before);
    for (uint64_t id = 1; id < 100; id++) {
        owner_put(&owner, id, 1, &rc);
        owner_finish(&owner, id, &cancelled, &rc);
        ck_assert(cancelled);
    }
    lead(COMMIT_DURABLE);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 198);
    journal_stat(owner.kit.journal, &after);
    ck_assert_uint_eq(after.frames, before.frames);
    ck_assert_uint_eq(after.syncs, before.syncs);
    ck_assert_uint_eq(owner_stat(&owner).pending_bytes, 0);
}
END_TEST

START_TEST(written_put_needs_its_delete)
{
    bool cancelled = true;
    owner_start(&owner, &by_hand);
    owner_put(&owner, 1, 10, &rc);
    lead(COMMIT_WRITTEN);
    owner_release(&owner, 1, 20, &rc);
    owner_finish(&owner, 1, &cancelled, &rc);
    ck_assert(!cancelled);
    lead(COMMIT_DURABLE);
    ck_assert_uint_eq(owner_stat(&owner).changes, 2); // the release is of no use any more
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert(!owner.job[1].alive);
    ck_assert_uint_eq(owner.kit.seen.count, 2);
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(copy_of_compaction_does_not_cancel_its_job)
{
    bool cancelled = true;
    owner_start(&owner, &by_hand);
    owner_put(&owner, 1, 10, &rc);
    lead(COMMIT_WRITTEN);
    struct buf record = BUF_EMPTY;
    ck_assert_int_eq(journal_read(owner.kit.journal, owner.job[1].locator, &record), 0);
    ck_assert_int_eq(owner_copy(&owner, owner.job[1].locator, record.data, record.len), 0);
    buf_fini(&record);
    owner_finish(&owner, 1, &cancelled, &rc);
    ck_assert(!cancelled); // its first PUT is on the disk
    lead(COMMIT_DURABLE);
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert(!owner.job[1].alive);
    ck_assert_uint_eq(owner.kit.seen.count, 2);
    owner_start(&owner, &by_hand);
}
END_TEST

// ---- limits and faults ----

START_TEST(pending_bytes_are_bounded)
{
    owner.body_len = 1000;
    owner_start(&owner, &(struct commit_options){.pending_max = 10000});
    uint64_t id = 1;
    while (owner_put(&owner, id, 1, &rc) != 0)
        id++;
    ck_assert_int_eq(rc, EAGAIN);
    ck_assert_uint_ge(id, 8);
    ck_assert_uint_le(id, 10);
    ck_assert_uint_ne(owner_release(&owner, 1, 5, &rc), 0); // states go on
    lead(COMMIT_WRITTEN);
    ck_assert_uint_ne(owner_put(&owner, id, 1, &rc), 0);
    // One that is larger than the bound goes alone.
    lead(COMMIT_WRITTEN);
    owner.body_len = 50000;
    ck_assert_uint_ne(owner_put(&owner, id + 1, 1, &rc), 0);
    hl_lock_acquire(owner.lock);
    ck_assert_int_eq(commit_admit(owner.commit, JOURNAL_PUT, 1, (size_t)JOURNAL_RECORD_MAX + 1),
                     EMSGSIZE);
    hl_lock_release(owner.lock);
}
END_TEST

START_TEST(large_batches_are_several_frames)
{
    owner.body_len = 1000;
    owner_start(&owner, &(struct commit_options){.frame_max = 10000});
    for (uint64_t id = 1; id <= 500; id++)
        ck_assert_uint_ne(owner_put(&owner, id, 1, &rc), 0);
    lead(COMMIT_DURABLE);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 500);
    ck_assert_uint_ge(owner_stat(&owner).commits, 50);
    struct journal_stat stat;
    journal_stat(owner.kit.journal, &stat);
    ck_assert_uint_le(stat.syncs, 2 * stat.segments); // header and end of each
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert_uint_eq(owner.kit.seen.count, 500);
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(failure_is_for_good)
{
    bool cancelled;
    owner_start(&owner, &by_hand);
    owner_put(&owner, 1, 1, &rc);
    lead(COMMIT_DURABLE);
    owner_put(&owner, 2, 1, &rc);
    disk_fail(2, EIO, false); // the sync
    commit_want(owner.commit, COMMIT_DURABLE);
    ck_assert_int_eq(commit_lead(owner.commit), EIO);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 1);
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), 1);
    ck_assert_uint_eq(atomic_load(&owner.failed), 1);
    ck_assert_int_eq(owner.failed_with, EIO);
    disk_fail(0, 0, false);
    ck_assert_uint_eq(owner_put(&owner, 3, 1, &rc), 0);
    ck_assert_int_eq(rc, EIO);
    ck_assert_uint_eq(owner_finish(&owner, 1, &cancelled, &rc), 0);
    ck_assert_int_eq(rc, EIO);
    ck_assert_int_eq(commit_lead(owner.commit), EIO);
    ck_assert_int_eq(commit_trim(owner.commit, 0), EIO);
    ck_assert_int_eq(commit_stop(owner.commit), EIO);
    ck_assert_uint_eq(atomic_load(&owner.failed), 1);
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert(owner.job[1].alive);
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(full_disk_waits_and_goes_on)
{
    owner.body_len = 1000;
    owner_start(&owner, &by_hand);
    disk_space(disk_used());
    uint64_t id = 0, durable;
    int led = 0;
    do { // so many that the state changes' segment is used up, too
        if (++id < OWNER_JOBS && owner_put(&owner, id, 1, &rc) == 0)
            break;
        commit_want(owner.commit, COMMIT_DURABLE);
        led = commit_lead(owner.commit);
    } while (led == 0);
    ck_assert(led == ENOSPC || rc == ENOSPC);
    durable = reached(COMMIT_DURABLE);
    ck_assert_uint_gt(durable, 50);
    ck_assert_uint_eq(atomic_load(&owner.failed), 0);
    // Room again: what was taken goes on where it stopped.
    disk_space(0);
    uint64_t last = owner_stat(&owner).last;
    lead(COMMIT_DURABLE);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), last);
    owner_kill(&owner);
    owner_recover(&owner);
    ck_assert_uint_eq(owner.kit.seen.count, last); // each once
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(stop_commits_what_is_pending)
{
    owner_start(&owner, &by_hand);
    owner_put(&owner, 1, 1, &rc);
    owner_put(&owner, 2, 1, &rc);
    owner_stop(&owner);
    owner_recover(&owner);
    ck_assert(owner.job[1].alive && owner.job[2].alive);
    ck_assert(owner.kit.replayed.clean);
    owner_start(&owner, &by_hand);
}
END_TEST

// With the thread that prepares, room is what is ready; also right after a start, when all of it
// was there already.
START_TEST(room_is_known_after_a_restart)
{
    owner.kit.settings.prepare_inline = false;
    for (uint64_t id = 1; id < 400; id += 100) {
        owner_start(&owner, &by_hand);
        struct journal_room room;
        journal_room(owner.kit.journal, &room);
        ck_assert_int_ge(room.put, (int64_t)KIT_SEGMENT);
        ck_assert_int_ge(room.copy, 3 * (int64_t)KIT_SEGMENT);
        for (uint64_t i = 0; i < 100; i++)
            ck_assert_uint_ne(owner_put(&owner, id + i, 1, &rc), 0);
        lead(COMMIT_DURABLE);
        owner_stop(&owner);
        owner_recover(&owner);
    }
    owner_start(&owner, &by_hand);
}
END_TEST

// ---- the thread ----

START_TEST(idle_tail_is_synced)
{
    clock_virtual_start(1000);
    owner_start(&owner, &(struct commit_options){.thread = true});
    uint64_t ticket = owner_put(&owner, 1, 1, &rc);
    ck_assert_int_eq(commit_due_ns(owner.commit), 1000 + COMMIT_WITHIN_LAZY);
    lead(COMMIT_WRITTEN);
    ck_assert_uint_eq(reached(COMMIT_WRITTEN), ticket);
    park_await_sleepers(1);
    clock_virtual_advance(COMMIT_WITHIN_LAZY - 1);
    ck_assert_uint_eq(reached(COMMIT_DURABLE), 0);
    park_await_sleepers(1);
    clock_virtual_advance(1);
    ck_assert(owner_await(&owner, COMMIT_DURABLE, ticket));
    ck_assert_int_eq(commit_due_ns(owner.commit), CLOCK_NEVER);
    // What is only pending is written and synced in its time, too.
    ticket = owner_put(&owner, 2, 1, &rc);
    park_await_sleepers(1);
    clock_virtual_advance(COMMIT_WITHIN_LAZY);
    ck_assert(owner_await(&owner, COMMIT_DURABLE, ticket));
    owner_stop(&owner);
    clock_virtual_stop();
    owner_start(&owner, &by_hand);
}
END_TEST

START_TEST(shorter_interval_comes_first)
{
    clock_virtual_start(1000);
    owner_start(&owner, &(struct commit_options){.thread = true});
    owner_put(&owner, 1, 1, &rc);
    park_await_sleepers(1);
    hl_lock_acquire(owner.lock);
    struct job_entry entry = {.type = JOB_ENTRY_LEASE, .id = 1};
    ck_assert_int_eq(commit_admit(owner.commit, JOURNAL_STATE, 1, 64), 0);
    uint64_t ticket =
        commit_add(owner.commit, &(struct commit_change){.entry = &entry, .within_ns = 5000});
    hl_lock_release(owner.lock);
    ck_assert_int_eq(commit_due_ns(owner.commit), 6000);
    clock_virtual_advance(5000); // far less than the thread was going to sleep
    ck_assert(owner_await(&owner, COMMIT_DURABLE, ticket));
    owner_stop(&owner);
    clock_virtual_stop();
    owner_start(&owner, &by_hand);
}
END_TEST

// Producers that each wait for their answer, some finishing at once; compared afterwards with what
// is on the disk.
#define WORKERS 4
#define ROUNDS 400

struct worker {
    struct owner *owner;
    uint64_t first;
    int (*lead)(struct commit *commit);
    uint64_t kept;
};

static void work(void *arg)
{
    struct worker *worker = arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t id = worker->first + i;
        int result;
        uint64_t ticket;
        while ((ticket = owner_put(worker->owner, id, 1, &result)) == 0) {
            ck_assert_int_eq(result, EAGAIN);
            commit_want(worker->owner->commit, COMMIT_WRITTEN);
            (void)worker->lead(worker->owner->commit);
            sched_yield();
        }
        bool cancelled;
        if (i % 3 == 0)
            ticket = owner_finish(worker->owner, id, &cancelled, &result);
        else
            worker->kept++;
        enum commit_want want = i % 5 == 0 ? COMMIT_WRITTEN : COMMIT_DURABLE;
        commit_want(worker->owner->commit, want);
        (void)worker->lead(worker->owner->commit);
        ck_assert(owner_await(worker->owner, want, ticket));
    }
}

static void many(bool thread, int (*one)(struct commit *), int (*other)(struct commit *))
{
    owner.kit.settings.prepare_inline = false;
    owner_start(&owner, &(struct commit_options){.thread = thread});
    struct worker worker[WORKERS];
    hl_thread *threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        worker[i] = (struct worker){
            .owner = &owner, .first = 1 + (uint64_t)i * ROUNDS, .lead = i % 2 == 0 ? one : other};
        struct hl_thread_options options = {.target = work, .arg = &worker[i]};
        ck_assert_int_eq(hl_thread_new(&threads[i], &options), 0);
        ck_assert_int_eq(hl_thread_start(threads[i]), 0);
    }
    uint64_t kept = 0;
    for (int i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(hl_thread_join(threads[i], HL_FOREVER), 0);
        hl_thread_free(&threads[i]);
        kept += worker[i].kept;
    }
    struct commit_stat stat = owner_stat(&owner);
    ck_assert_uint_eq(stat.written, stat.last);
    ck_assert_int_eq(stat.failed, 0);
    owner_stop(&owner);
    owner_recover(&owner);
    uint64_t alive = 0;
    for (size_t id = 0; id < OWNER_JOBS; id++)
        alive += owner.job[id].alive;
    ck_assert_uint_eq(alive, kept);
    owner_start(&owner, &by_hand);
}

START_TEST(everybody_leads)
{
    many(false, commit_lead, commit_lead);
}
END_TEST

START_TEST(everybody_leads_briefly)
{
    many(true, commit_lead_inline, commit_lead_inline);
}
END_TEST

START_TEST(all_at_once)
{
    many(true, commit_lead, commit_lead_inline);
}
END_TEST

static void add(Suite *suite, const char *name, void (*begin)(void))
{
    TCase *all = tcase_create(name);
    tcase_add_checked_fixture(all, begin, teardown);
    tcase_add_test(all, tickets_are_reached_in_order);
    tcase_add_test(all, written_becomes_durable_without_new_changes);
    tcase_add_test(all, places_are_told);
    tcase_add_test(all, put_and_finished_before_a_commit_vanishes);
    tcase_add_test(all, nothing_is_written_when_all_vanishes);
    tcase_add_test(all, written_put_needs_its_delete);
    tcase_add_test(all, copy_of_compaction_does_not_cancel_its_job);
    tcase_add_test(all, pending_bytes_are_bounded);
    tcase_add_test(all, large_batches_are_several_frames);
    tcase_add_test(all, failure_is_for_good);
    tcase_add_test(all, full_disk_waits_and_goes_on);
    tcase_add_test(all, stop_commits_what_is_pending);
    tcase_add_test(all, room_is_known_after_a_restart);
    tcase_add_test(all, idle_tail_is_synced);
    tcase_add_test(all, shorter_interval_comes_first);
    tcase_add_test(all, everybody_leads);
    tcase_add_test(all, everybody_leads_briefly);
    tcase_add_test(all, all_at_once);
    suite_add_tcase(suite, all);
}

int main(void)
{
    Suite *suite = suite_create("commit");
    add(suite, "commit", setup);
    add(suite, "window of two", setup_two);
    add(suite, "window of eight", setup_eight);
    return unit_main(suite);
}
