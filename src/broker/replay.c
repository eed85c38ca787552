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

/* ---- counts ---- */

static void open_task(struct job *job)
{
    queue_core_open_task(&job->tube->ready);
    queue_core_open_task(&job->tube->broker->all);
    group_open_task(job);
}

static void close_task(struct job *job)
{
    MUST(queue_core_close_task(&job->tube->ready));
    MUST(queue_core_close_task(&job->tube->broker->all));
    group_close_task(job);
}

/* ---- states ---- */

/* Out of its container and unfinished, as if somebody had it. */
static int job_claim(struct job *job)
{
    int rc = tube_room(job->tube, JOB_READY);
    if (rc != 0)
        return rc;
    tube_job_leave(job);
    if (job->state == JOB_BURIED)
        open_task(job);
    tube_job_move(job, JOB_RESERVED);
    return 0;
}

/* From NEW or claimed, after tube_room. */
static void job_settle(struct job *job, enum job_state state, int64_t key_ns)
{
    tube_job_enter(job, state, key_ns);
    if (state == JOB_BURIED)
        close_task(job);
}

/* ---- put, delete ---- */

static void job_drop(struct replay *replay, struct job *job)
{
    struct broker *broker = replay->broker;
    struct broker_tube *tube = job->tube;
    tube_job_leave(job);
    if (job->state != JOB_BURIED) {
        close_task(job);
        tube_job_move(job, JOB_RESERVED);
    }
    tube_job_move(job, JOB_FINISHED);
    tube->stats.bytes -= job->body.len;
    broker->stats.bytes -= job->body.len;
    replay->log->live_bytes -= log_cost(job);
    if (job->evicted) {
        replay->log->evicted_jobs--;
        replay->log->evicted_bytes -= job->body.len;
    }
    key_remove(job, tube);
    group_leave(job);
    job_table_remove(broker, job);
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

static void burial_seen(struct replay *replay, uint64_t burial)
{
    if ((int64_t)burial > replay->broker->last_burial)
        replay->broker->last_burial = (int64_t)burial;
}

static int replay_put(struct replay *replay, const struct job_entry *entry, uint64_t locator)
{
    struct broker *broker = replay->broker;
    struct job *job = idtable_get(&broker->jobs, entry->id);
    if (job != NULL)
        job_drop(replay, job); /* a copy of it */
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
    group_enter(job, false);
    tube_ref(job->tube);
    job->tube->stats.bytes += job->body.len;
    broker->stats.bytes += job->body.len;
    replay->log->live_bytes += log_cost(job);
    if (job->evicted) {
        replay->log->evicted_jobs++;
        replay->log->evicted_bytes += job->body.len;
    }
    open_task(job);
    burial_seen(replay, entry->burial);
    if (state == JOB_DELAYED && at_is_ahead(job) &&
        entry->until_wall_ns == job->rare->options->at_wall_ns)
        (void)at_begin(job);
    job_settle(job, state,
               state == JOB_BURIED ? (int64_t)entry->burial
                                   : resolve_mono(replay, entry->until_wall_ns));
    return 0;
}

/* ---- changes ---- */

static int replay_bury(struct replay *replay, struct job *job, const struct job_entry *entry)
{
    char *reason = entry->reason_len > 0 ? strndup(entry->reason, entry->reason_len) : NULL;
    int rc = entry->reason_len > 0 && reason == NULL ? ENOMEM : 0;
    if (rc == 0 && job_rare_need(job) == NULL)
        rc = ENOMEM;
    if (rc == 0)
        rc = tube_room(job->tube, JOB_BURIED);
    if (rc == 0)
        rc = job_claim(job);
    if (rc != 0) {
        free(reason);
        return rc;
    }
    job->pri = entry->pri;
    free(job->rare->reason);
    job->rare->reason = reason;
    job_count(&job->rare->buries);
    job_tries_raise(&job->rare->tries, &entry->tries);
    rc = job_past_of_entry(&job->rare->past, entry);
    burial_seen(replay, entry->burial);
    /* claimed from buried: the room made for it was its own slot */
    job_settle(job, JOB_BURIED, (int64_t)entry->burial);
    return rc;
}

/* The counts of a group as they were there. */
static int replay_group(struct replay *replay, const struct job_entry *entry)
{
    struct broker_group *group;
    int rc = group_need(replay->broker, job_entry_submitter(entry), entry->group, entry->group_len,
                        &group);
    if (rc != 0)
        return rc;
    group->counts = entry->group_counts;
    group->number = entry->group_number;
    if (entry->group_number > replay->broker->last_group)
        replay->broker->last_group = entry->group_number;
    return 0;
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
        group_count(group, JOB_COUNT_REOPENED);
    group_count(group, entry->group_count);
    return 0;
}

/* One that is a change as it was made. */
static int replay_carry_out(struct replay *replay, const struct job_entry *entry)
{
    struct change change;
    int rc = change_resolve(replay, entry, &change);
    if (rc == 0)
        rc = change_room(&change);
    if (rc != 0) {
        job_past_free(&replay->past);
        return rc == ENOENT ? 0 : rc;
    }
    if (change.type == JOB_ENTRY_MOVE)
        tube_ref(change.tube); /* the job's */
    change_apply(&change);
    if (change.job != NULL)
        tube_job_contain(change.job);
    if (change.type == JOB_ENTRY_MOVE)
        tube_unref(change.tube);
    return 0;
}

static int replay_change(struct replay *replay, const struct job_entry *entry)
{
    struct job *job = idtable_get(&replay->broker->jobs, entry->id);
    if (job == NULL)
        return 0;
    if (entry->type == JOB_ENTRY_DELETE) {
        job_drop(replay, job);
        return 0;
    }
    uint64_t cost = log_cost(job); /* a reason or another tube's name changes it */
    int rc = entry->type == JOB_ENTRY_BURY ? replay_bury(replay, job, entry)
                                           : replay_carry_out(replay, entry);
    replay->log->live_bytes += log_cost(job) - cost;
    return rc;
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
    case JOB_ENTRY_PAUSE:
        return replay_carry_out(replay, entry);
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
