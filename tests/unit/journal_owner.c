// SPDX-License-Identifier: MIT
// The tests' owner of jobs; see the header.

#include "journal_owner.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void lock(void *arg)
{
    struct owner *owner = arg;
    hl_lock_acquire(owner->lock);
}

static void unlock(void *arg)
{
    struct owner *owner = arg;
    hl_lock_release(owner->lock);
}

static void placed(void *arg, const struct commit_placed *places, size_t count)
{
    struct owner *owner = arg;
    lock(owner);
    for (size_t i = 0; i < count; i++) {
        struct owner_job *job = &owner->job[places[i].id];
        if (job->alive && job->put == places[i].ticket) {
            job->placed = true;
            job->locator = places[i].locator;
        }
    }
    unlock(owner);
}

static void ring(struct owner *owner)
{
    atomic_fetch_add(&owner->bell, 1);
    park_wake(&owner->bell, INT32_MAX);
}

static void published(void *arg)
{
    struct owner *owner = arg;
    atomic_fetch_add(&owner->published, 1);
    ring(owner);
}

static void failed(void *arg, int error)
{
    struct owner *owner = arg;
    owner->failed_with = error;
    atomic_fetch_add(&owner->failed, 1);
    ring(owner);
}

void owner_start(struct owner *owner, const struct commit_options *options)
{
    if (owner->kit.journal == NULL)
        ck_assert_int_eq(kit_open(&owner->kit), 0);
    if (owner->windows > 0)
        owner->window =
            window_before(&owner->kit.journal, owner->kit.sequence, owner->windows, owner->distant);
    ck_assert_int_eq(hl_lock_new(&owner->lock, "owner", lock_class(LOCK_CLASS_broker)), 0);
    struct commit_options mine = *options;
    mine.journal = owner->kit.journal;
    mine.last_sequence = owner->kit.sequence;
    mine.lock = lock;
    mine.unlock = unlock;
    mine.placed = placed;
    mine.published = published;
    mine.failed = failed;
    mine.arg = owner;
    ck_assert_int_eq(commit_new(&owner->commit, &mine), 0);
}

static void forget(struct owner *owner)
{
    commit_free(&owner->commit);
    hl_lock_free(&owner->lock);
    for (size_t i = 0; i < OWNER_JOBS; i++)
        job_body_unref(&owner->job[i].body);
    memset(owner->job, 0, sizeof(owner->job));
}

void owner_stop(struct owner *owner)
{
    (void)commit_stop(owner->commit);
    forget(owner);
    (void)kit_close(&owner->kit);
}

void owner_kill(struct owner *owner)
{
    disk_dead(true);
    forget(owner);
    disk_dead(false);
    kit_kill(&owner->kit, NULL);
}

static void body_fill(struct job_body *body, uint64_t id, uint32_t pri)
{
    memset(body->bytes, '.', body->len);
    char text[64];
    int len = snprintf(text, sizeof(text), "%" PRIu64 " %u", id, pri);
    memcpy(body->bytes, text, (size_t)len < body->len ? (size_t)len : body->len);
}

static struct job_entry put_entry(uint64_t id, const struct owner_job *job)
{
    return (struct job_entry){.type = JOB_ENTRY_PUT,
                              .state = JOB_READY,
                              .id = id,
                              .pri = job->pri,
                              .releases = job->releases,
                              .ttr_s = 60,
                              .created_wall_ns = clock_wall_ns(),
                              .tube = "default",
                              .tube_len = 7,
                              .body = job->body->bytes,
                              .body_len = job->body->len};
}

uint64_t owner_put(struct owner *owner, uint64_t id, uint32_t pri, int *rc)
{
    struct job_body *body;
    ck_assert_int_eq(job_body_new(&body, owner->body_len > 0 ? owner->body_len : 24), 0);
    body_fill(body, id, pri);
    lock(owner);
    struct owner_job *job = &owner->job[id];
    ck_assert(!job->alive);
    uint64_t ticket = 0;
    *rc = commit_admit(owner->commit, JOURNAL_PUT, 1, body->len + 64);
    if (*rc == 0) {
        *job = (struct owner_job){.alive = true, .pri = pri, .body = body};
        struct job_entry entry = put_entry(id, job);
        ticket = commit_add(owner->commit, &(struct commit_change){.entry = &entry, .body = body});
        job->ticket = job->put = ticket;
    }
    unlock(owner);
    if (*rc != 0)
        job_body_unref(&body);
    return ticket;
}

uint64_t owner_release(struct owner *owner, uint64_t id, uint32_t pri, int *rc)
{
    lock(owner);
    struct owner_job *job = &owner->job[id];
    ck_assert(job->alive);
    uint64_t ticket = 0;
    *rc = commit_admit(owner->commit, JOURNAL_STATE, 1, 64);
    if (*rc == 0) {
        job->pri = pri;
        job->releases++;
        struct job_entry entry = {.type = JOB_ENTRY_RELEASE, .id = id, .pri = pri};
        ticket = commit_add(
            owner->commit,
            &(struct commit_change){.entry = &entry, .older = job->ticket, .class = JOURNAL_STATE});
        job->ticket = ticket;
    }
    unlock(owner);
    return ticket;
}

uint64_t owner_finish(struct owner *owner, uint64_t id, bool *cancelled, int *rc)
{
    struct job_body *body = NULL;
    lock(owner);
    struct owner_job *job = &owner->job[id];
    ck_assert(job->alive);
    uint64_t ticket = 0;
    *rc = commit_admit(owner->commit, JOURNAL_STATE, 1, 64);
    if (*rc == 0) {
        ticket = commit_finish(owner->commit, id, job->ticket, 0, NULL, cancelled);
        job->alive = false;
        body = job->body;
        job->body = NULL;
    }
    unlock(owner);
    job_body_unref(&body);
    return ticket;
}

int owner_copy(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct owner *owner = arg;
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
    if (entry.type != JOB_ENTRY_PUT)
        return 0;
    int rc = 0;
    lock(owner);
    struct owner_job *job = &owner->job[entry.id];
    if (job->alive && job->placed && job->locator == locator) {
        rc = commit_admit(owner->commit, JOURNAL_COMPACT, 1, job->body->len + 64);
        if (rc == 0) {
            entry = put_entry(entry.id, job);
            job->ticket =
                commit_add(owner->commit, &(struct commit_change){.entry = &entry,
                                                                  .body = job->body,
                                                                  .older = job->ticket,
                                                                  .class = JOURNAL_COMPACT});
            job->put = job->ticket;
        }
    }
    unlock(owner);
    return rc;
}

void owner_recover(struct owner *owner)
{
    ck_assert_int_eq(kit_open(&owner->kit), 0);
    ck_assert_uint_eq(owner->kit.seen.damages, 0);
    const struct kit_seen *seen = &owner->kit.seen;
    for (size_t i = 0; i < seen->count; i++) {
        struct job_entry entry;
        size_t len;
        const char *bytes = kit_record(seen, i, &len);
        ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
        struct owner_job *job = &owner->job[entry.id];
        if (entry.type == JOB_ENTRY_DELETE) {
            job_body_unref(&job->body);
            *job = (struct owner_job){0};
        } else if (entry.type == JOB_ENTRY_RELEASE) {
            job->pri = entry.pri;
            job->releases++;
        } else {
            job_body_unref(&job->body);
            *job = (struct owner_job){.alive = true,
                                      .placed = true,
                                      .pri = entry.pri,
                                      .releases = entry.releases,
                                      .locator = seen->locator[i]};
            ck_assert_int_eq(job_body_new(&job->body, entry.body_len), 0);
            memcpy(job->body->bytes, entry.body, entry.body_len);
            ck_assert_uint_eq(strtoull(entry.body, NULL, 10), entry.id);
        }
    }
}

bool owner_await(struct owner *owner, enum commit_want want, uint64_t ticket)
{
    for (;;) {
        uint32_t seen = atomic_load(&owner->bell);
        if (commit_reached(owner->commit, want) >= ticket)
            return true;
        if (atomic_load(&owner->failed) > 0)
            return false;
        (void)park_wait(&owner->bell, seen, CLOCK_NEVER);
    }
}

struct commit_stat owner_stat(struct owner *owner)
{
    struct commit_stat stat;
    commit_stat(owner->commit, &stat);
    return stat;
}

uint64_t owner_live(struct owner *owner)
{
    uint64_t bytes = 0;
    lock(owner);
    for (size_t i = 0; i < OWNER_JOBS; i++)
        if (owner->job[i].alive)
            bytes += owner->job[i].body->len + 40;
    unlock(owner);
    return bytes;
}
