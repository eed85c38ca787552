// SPDX-License-Identifier: MIT
/*
 * What lives in the journal: compaction asks for each record of the oldest segment, and what counts
 * is added again as it is now.
 *
 *   a put      if it is where the job is now
 *   a pause    if it is the present one of its tube: it ends at the same moment
 *   a group    if that is the last one of its name: its counts as they are now
 *   a result   if history hasn't got it on the disk yet
 *   a ceiling  if it is the present one
 *
 * Everything else is dead by being oldest; journal/compact.h says why. A job whose put is written
 * but not yet placed makes the question come again.
 */
#include "store/store_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

/* Wall-clock and monotonic time drift apart while a pause lasts. */
#define SAME_PAUSE_NS HL_SECOND

/* ---- copies, for compaction: as it is now, and nobody waits ---- */

HELD static int copy_job(struct job *job, struct job_body *body)
{
    struct commit *commit = store_of(job)->commit;
    size_t bytes = (size_t)job->body.len + options_size(job) + JOB_ENTRY_CHANGE_MAX +
                   (size_t)2 * past_size(job);
    int rc = commit_admit(commit, JOURNAL_COMPACT, 1, bytes);
    if (rc != 0)
        return rc;
    const struct job_entry entry = entry_of_job(job);
    const struct commit_change change = {
        .entry = &entry, .body = job->body.len > 0 ? body : NULL, .class = JOURNAL_COMPACT};
    (void)commit_add(commit, &change);
    store_of(job)->copied++;
    return 0;
}

HELD static int copy_entry(struct store *store, const struct job_entry *entry)
{
    int rc = commit_admit(store->commit, JOURNAL_COMPACT, 1, JOB_ENTRY_CHANGE_MAX);
    if (rc != 0)
        return rc;
    const struct commit_change change = {.entry = entry, .class = JOURNAL_COMPACT};
    (void)commit_add(store->commit, &change);
    store->copied++;
    return 0;
}

/* The body of an evicted job is in the record. */
HELD static int copy_evicted(struct job *job, const struct job_entry *entry)
{
    if (entry->body_len != job->body.len)
        return 0; /* what is read there later is damaged all the same */
    struct job_body *body;
    int rc = job_body_new(&body, entry->body_len);
    if (rc != 0)
        return rc;
    memcpy(body->bytes, entry->body, entry->body_len);
    rc = copy_job(job, body);
    job_body_unref(&body);
    return rc;
}

HELD static int living_put(struct ledger *ledger, uint64_t locator, const struct job_entry *entry)
{
    struct job *job = idtable_get(&ledger->jobs, entry->id);
    if (job == NULL || !job_is_logged(job))
        return 0;
    uint64_t where = locator_get(job);
    if ((where & JOB_LOCATOR_PENDING) != 0)
        return EAGAIN;
    if (where != locator)
        return 0;
    return job->evicted ? copy_evicted(job, entry) : copy_job(job, &job->body);
}

HELD static int living_pause(struct ledger *ledger, const struct job_entry *entry)
{
    struct tube *tube = tube_find(ledger, entry->tube, entry->tube_len);
    if (tube == NULL || !tube->pause_kept || entry->until_wall_ns == 0)
        return 0;
    int64_t until_ns = entry->until_wall_ns - clock_wall_ns() + clock_now_ns();
    int64_t apart = until_ns - tube->pause_end_ns;
    if (apart > SAME_PAUSE_NS || apart < -SAME_PAUSE_NS)
        return 0;
    const struct job_entry copy = entry_of_pause(tube);
    return copy_entry(ledger->store, &copy);
}

HELD static int living_group(struct ledger *ledger, const struct job_entry *entry)
{
    struct job_group *group =
        group_find(ledger, job_entry_submitter(entry), entry->group, entry->group_len);
    if (group == NULL || group->number != entry->group_number)
        return 0;
    const struct job_entry copy = entry_next_of_group(group);
    return copy_entry(ledger->store, &copy);
}

HELD static int living_limits(struct store *store, const struct job_entry *entry)
{
    return entry->id_limit == store->id_limit ? copy_entry(store, entry) : 0;
}

int store_living(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct store *store = arg;
    struct job_entry entry;
    if (job_entry_decode(&entry, bytes, len) != 0)
        return 0; /* damaged; replay reported it */
    int rc = 0;
    ledger_lock(store->ledger);
    if (entry.type == JOB_ENTRY_PUT)
        rc = living_put(store->ledger, locator, &entry);
    else if (entry.type == JOB_ENTRY_PAUSE)
        rc = living_pause(store->ledger, &entry);
    else if (entry.type == JOB_ENTRY_GROUP)
        rc = living_group(store->ledger, &entry);
    else if (entry.type == JOB_ENTRY_RESULT)
        rc = result_living(store, &entry);
    else if (entry.type == JOB_ENTRY_LIMITS)
        rc = living_limits(store, &entry);
    ledger_unlock(store->ledger);
    return rc;
}
