// SPDX-License-Identifier: MIT
/*
 * Replay: one entry of the journal, carried out on the broker.
 *
 * An entry is carried out as it comes, on the structures themselves, so it costs about what the
 * change had cost, and no memory but the job's. Most entries are made the change that they were
 * (resolve.c) and carried out by the functions that did it then (apply.c); what isn't done is what
 * had an outside: nobody is told, nothing is recorded. Whole jobs, their burial and their end are
 * carried out here. Jobs come in order of id as a rule, which is what heaps and tables like best.
 *
 * Each entry is right on top of any state that the job may be in, because compaction writes whole
 * jobs anew between the entries of others: a second put of a job replaces it, and an entry about a
 * job that isn't there is of one whose put was compacted away after it was finished, and means
 * nothing.
 *
 * A new type of entry: a row in job/job_entries.def, and its cases in change_resolve, change_apply
 * and entry_fill (entry.c).
 */
#include "base/clock.h"
#include "broker/apply_priv.h"
#include "broker/replay_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- put, delete ---- */

/* What the log keeps of it, once more or once less. */
static void count_log(struct replay *replay, const struct job *job, int by)
{
    const uint64_t more = by > 0 ? 1 : UINT64_MAX; /* unsigned arithmetic wraps by definition */
    replay->log->live_bytes += more * log_cost(job);
    replay->log->evicted_jobs += job->evicted ? more : 0;
    replay->log->evicted_bytes += job->evicted ? more * job->body.len : 0;
}

static void replay_delete(struct replay *replay, struct change *change)
{
    struct job *job = change->job;
    struct broker_tube *tube = job->tube;
    count_log(replay, job, -1);
    apply_delete(change);
    job_free(&job);
    tube_unref(tube);
}

/* With or without its bytes, as the cache allows. NULL: no memory. */
static struct job *job_of_entry(struct replay *replay, const struct job_entry *entry)
{
    const struct broker_log *log = replay->log;
    uint64_t cached = replay->broker->stats.bytes - log->evicted_bytes + entry->body_len;
    bool stays = log->options.cache_size == 0 || cached <= log->options.cache_size;
    struct job_body *body;
    if (job_body_new(&body, stays ? entry->body_len : 0) != 0)
        return NULL;
    if (stays && entry->body_len > 0)
        memcpy(body->bytes, entry->body, entry->body_len);
    body->len = (uint32_t)entry->body_len;
    struct job *job = job_from_body(&body);
    job->evicted = !stays && entry->body_len > 0;
    job->id = entry->id;
    job->pri = entry->pri;
    job->ttr_s = entry->ttr_s > 0 ? entry->ttr_s : 1;
    int64_t created_us = resolve_mono(replay, entry->created_wall_ns) / 1000;
    job->created_us = created_us > JOB_CREATED_US_MAX    ? JOB_CREATED_US_MAX
                      : created_us < -JOB_CREATED_US_MAX ? -JOB_CREATED_US_MAX
                                                         : created_us;
    return job;
}

/* What few jobs have. */
static int rare_of_entry(struct job *job, const struct job_entry *entry)
{
    static const struct job_tries no_tries;
    bool counted = (entry->reserves | entry->releases | entry->buries | entry->kicks) != 0 ||
                   memcmp(&entry->tries, &no_tries, sizeof(no_tries)) != 0 || entry->past_len > 0;
    if (!counted && entry->delay_ns == 0 && entry->state == JOB_READY && entry->option_len == 0)
        return 0;
    struct job_rare *rare = job_rare_need(job);
    if (rare == NULL)
        return ENOMEM;
    rare->delay_ns = entry->delay_ns;
    rare->reserves = entry->reserves;
    rare->releases = entry->releases;
    rare->buries = entry->buries;
    rare->kicks = entry->kicks;
    rare->tries = entry->tries;
    int rc = job_past_of_entry(&rare->past, entry);
    if (rc == 0)
        rc = job_options_of_entry(&rare->options, entry);
    if (rc != 0 || entry->reason_len == 0)
        return rc;
    rare->reason = strndup(entry->reason, entry->reason_len);
    return rare->reason != NULL ? 0 : ENOMEM;
}

/* Before jobs had submitters, those that had come through the door of a guarded tube were marked:
 * that was open to the daemon's user, as far as is known. */
static uint32_t submitter_of_entry(const struct broker *broker, const struct job *job,
                                   const struct job_entry *entry)
{
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    bool vouched = options != NULL && (options->set & JOB_OPTION_VOUCHED) != 0;
    return vouched && !entry->has_submitter ? broker->options.daemon_uid
                                            : job_entry_submitter(entry);
}

static int replay_put(struct replay *replay, const struct job_entry *entry, uint64_t locator)
{
    struct broker *broker = replay->broker;
    struct job *job = idtable_get(&broker->jobs, entry->id);
    if (job != NULL) /* a copy of it */
        replay_delete(replay,
                      &(struct change){.type = JOB_ENTRY_DELETE, .to = JOB_FINISHED, .job = job});
    int rc = resolve_tube(replay, entry->tube, entry->tube_len);
    if (rc != 0 || (job = job_of_entry(replay, entry)) == NULL)
        return rc != 0 ? rc : ENOMEM;
    enum job_state state = entry->state;
    if (state == JOB_DELAYED)
        state = resolve_state(replay, entry->until_wall_ns);
    rc = rare_of_entry(job, entry);
    if (rc == 0)
        rc = submitter_set(broker, job, submitter_of_entry(broker, job, entry));
    if (rc == 0)
        rc = tube_room(replay->tube, state);
    job->tube = replay->tube;
    if (rc == 0)
        rc = group_admit(job);
    if (rc == 0)
        rc = key_add(job, replay->tube);
    if (rc == 0)
        rc = job_table_add(broker, job);
    if (rc != 0) {
        job_free(&job);
        return rc;
    }
    where_set(job, locator != 0 ? locator : JOB_WHERE_KEPT);
    count_log(replay, job, 1);
    struct change change = {.type = JOB_ENTRY_PUT, .to = (uint8_t)state, .job = job};
    if (state == JOB_BURIED) {
        change.key_ns = (int64_t)entry->burial;
        if (change.key_ns > broker->last_burial)
            broker->last_burial = change.key_ns;
    } else if (state == JOB_DELAYED) {
        change.key_ns = resolve_mono(replay, entry->until_wall_ns);
        if (at_is_ahead(job) && entry->until_wall_ns == job->rare->options->at_wall_ns)
            (void)at_begin(job);
    }
    apply_put(&change);
    tube_job_contain(job);
    return 0;
}

/* ---- changes ---- */

/* The counts of a group as they were there. */
static int replay_group(struct replay *replay, const struct job_entry *entry)
{
    struct broker_group *group;
    int rc = group_need(replay->broker, job_entry_submitter(entry), entry->group, entry->group_len,
                        &group);
    if (rc != 0)
        return rc;
    group->counts = group->kept = entry->group_counts;
    group->number = entry->group_number;
    if (entry->group_number > replay->broker->last_group)
        replay->broker->last_group = entry->group_number;
    return 0;
}

static void count_both(struct broker_group *group, enum job_fate_count count)
{
    group_count(&group->counts, count);
    group_count(&group->kept, count);
}

/*
 * A buried job counts as failed until it comes back. Earlier versions left the entry that says so
 * out of the journal when the job was finished before the next commit: its next count tells.
 */
static bool return_was_lost(const struct replay *replay, const struct job_entry *entry)
{
    const struct job *job = idtable_get(&replay->broker->jobs, entry->id);
    return job != NULL && job->state == JOB_BURIED && entry->group_count != JOB_COUNT_REOPENED;
}

/* One more or less. Also of a job that isn't there any more. */
static int replay_group_count(struct replay *replay, const struct job_entry *entry)
{
    struct broker_group *group;
    int rc = group_need(replay->broker, job_entry_submitter(entry), entry->group, entry->group_len,
                        &group);
    if (rc != 0)
        return rc;
    if (return_was_lost(replay, entry))
        count_both(group, JOB_COUNT_REOPENED);
    count_both(group, entry->group_count);
    return 0;
}

static void carry_out(struct replay *replay, struct change *change)
{
    if (change->type == JOB_ENTRY_DELETE) {
        replay_delete(replay, change);
        return;
    }
    uint64_t cost = change->job != NULL ? log_cost(change->job) : 0;
    if (change->type == JOB_ENTRY_MOVE)
        tube_ref(change->tube); /* the job's */
    change_apply(change);
    if (change->type == JOB_ENTRY_MOVE)
        tube_unref(change->tube);
    if (change->job == NULL)
        return;
    tube_job_contain(change->job);
    replay->log->live_bytes += log_cost(change->job) - cost; /* a reason, another tube's name */
}

static int replay_change(struct replay *replay, const struct job_entry *entry)
{
    struct change change;
    int rc = change_resolve(replay, entry, &change);
    if (rc == 0)
        rc = change_room(&change);
    if (rc == 0)
        carry_out(replay, &change);
    job_past_free(&replay->past); /* not taken over */
    free(replay->reason);
    replay->reason = NULL;
    return rc == ENOENT ? 0 : rc;
}

int replay_entry(struct replay *replay, const struct job_entry *entry, uint64_t locator)
{
    if (entry->id > replay->last_id)
        replay->last_id = entry->id;
    int rc = entry->group_count != JOB_COUNT_NONE ? replay_group_count(replay, entry) : 0;
    if (rc != 0)
        return rc;
    switch (entry->type) {
    case JOB_ENTRY_GROUP:
        return replay_group(replay, entry);
    case JOB_ENTRY_RESULT:
        return replay_result(replay, entry);
    case JOB_ENTRY_PUT:
        return replay_put(replay, entry, locator);
    case JOB_ENTRY_LIMITS:
        replay->id_ceiling = entry->id_ceiling;
        return 0;
    default:
        return replay_change(replay, entry);
    }
}

void replay_end(struct replay *replay)
{
    if (replay->tube != NULL)
        tube_unref(replay->tube);
    replay->tube = NULL;
}
