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
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>
#include <string.h>

/* Wall-clock and monotonic time drift apart while a pause lasts. */
#define SAME_PAUSE_NS HL_SECOND

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
    rc = log_copy(job, body);
    job_body_unref(&body);
    return rc;
}

HELD static int living_put(struct broker *broker, uint64_t locator, const struct job_entry *entry)
{
    struct job *job = idtable_get(&broker->jobs, entry->id);
    if (job == NULL || !job_is_logged(job))
        return 0;
    uint64_t where = where_get(job);
    if ((where & JOB_WHERE_PENDING) != 0)
        return EAGAIN;
    if (where != locator)
        return 0;
    return job->evicted ? copy_evicted(job, entry) : log_copy(job, &job->body);
}

HELD static int living_pause(struct broker *broker, const struct job_entry *entry)
{
    struct broker_tube *tube = tube_find(broker, entry->tube, entry->tube_len);
    if (tube == NULL || !tube->pause_kept || entry->until_wall_ns == 0)
        return 0;
    int64_t until_ns = entry->until_wall_ns - clock_wall_ns() + clock_now_ns();
    int64_t apart = until_ns - tube->pause_end_ns;
    if (apart > SAME_PAUSE_NS || apart < -SAME_PAUSE_NS)
        return 0;
    return log_copy_pause(tube);
}

HELD static int living_group(struct broker *broker, const struct job_entry *entry)
{
    struct broker_group *group =
        group_find(broker, job_entry_submitter(entry), entry->group, entry->group_len);
    return group != NULL && group->number == entry->group_number ? log_copy_group(group) : 0;
}

HELD static int living_limits(struct broker_log *log, const struct job_entry *entry)
{
    return entry->id_ceiling == log->id_ceiling ? log_copy_limits(log) : 0;
}

int log_living(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct broker_log *log = arg;
    struct job_entry entry;
    if (job_entry_decode(&entry, bytes, len) != 0)
        return 0; /* damaged; replay reported it */
    int rc = 0;
    broker_lock(log->broker);
    if (entry.type == JOB_ENTRY_PUT)
        rc = living_put(log->broker, locator, &entry);
    else if (entry.type == JOB_ENTRY_PAUSE)
        rc = living_pause(log->broker, &entry);
    else if (entry.type == JOB_ENTRY_GROUP)
        rc = living_group(log->broker, &entry);
    else if (entry.type == JOB_ENTRY_RESULT)
        rc = result_living(log, &entry);
    else if (entry.type == JOB_ENTRY_LIMITS)
        rc = living_limits(log, &entry);
    broker_unlock(log->broker);
    return rc;
}
