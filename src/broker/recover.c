// SPDX-License-Identifier: MIT
/*
 * Recovery: the broker as the journal tells it.
 *
 * Every record of the journal is carried out in order. An entry is made the change that it tells of
 * (resolve.c) and carried out by the functions that did it when it happened (apply.c), on the
 * structures themselves, so it costs about what the change had cost, and no memory but the job's;
 * what isn't done is what had an outside: nobody is told, nothing is recorded. What a connection
 * had reserved when the daemon ended is ready: its leases only counted. What is leased under a
 * token is so again; what workers of the daemon had is reserved until broker_take_over
 * (takeover.c). Counts since the start begin with the jobs that are there: as put, the buried ones
 * as failed, too. Then the journal becomes the broker's: ids go on behind all that may have been
 * issued, and the first ceiling is durable before anybody can ask for an id.
 *
 * Records of finished jobs that history lost come last, when nothing can fail any more.
 *
 * A record that is whole and no entry costs itself and is counted; one of a newer hilera stops the
 * start, for nobody knows what it would have changed.
 */
#include "base/clock.h"
#include "base/log.h"
#include "broker/apply_priv.h"
#include "broker/replay_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- entries ---- */

/* What the log keeps of it, once more or once less. */
HELD static void count_log(struct replay *replay, const struct job *job, int by)
{
    const uint64_t more = by > 0 ? 1 : UINT64_MAX; /* unsigned arithmetic wraps by definition */
    replay->log->live_bytes += more * log_cost(job);
    replay->log->evicted_jobs += job->evicted ? more : 0;
    replay->log->evicted_bytes += job->evicted ? more * job->body.len : 0;
}

HELD static void replay_delete(struct replay *replay, struct change *change)
{
    struct job *job = change->job;
    struct broker_tube *tube = job->tube;
    count_log(replay, job, -1);
    apply_delete(change);
    job_free(&job);
    tube_unref(tube);
}

/* A second one of the same job is a copy of it. */
HELD static int replay_put(struct replay *replay, const struct job_entry *entry, uint64_t locator)
{
    struct change change;
    struct job *job = idtable_get(&replay->broker->jobs, entry->id);
    if (job != NULL)
        replay_delete(replay,
                      &(struct change){.type = JOB_ENTRY_DELETE, .to = JOB_FINISHED, .job = job});
    int rc = resolve_put(replay, entry, &change);
    if (rc != 0)
        return rc;
    rc = group_admit(change.job);
    if (rc == 0)
        rc = out_room(&change);
    if (rc == 0)
        rc = put_room(&change);
    if (rc != 0) {
        job_free(&change.job);
        return rc;
    }
    where_set(change.job, locator != 0 ? locator : JOB_WHERE_KEPT);
    count_log(replay, change.job, 1);
    apply_put(&change);
    tube_job_contain(change.job);
    return 0;
}

/* The counts of a group as they were there. */
HELD static int replay_group(struct replay *replay, const struct job_entry *entry)
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

HELD static void count_both(struct broker_group *group, enum job_fate_count count)
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
HELD static int replay_group_count(struct replay *replay, const struct job_entry *entry)
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

HELD static void carry_out(struct replay *replay, struct change *change)
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

HELD static int replay_change(struct replay *replay, const struct job_entry *entry)
{
    struct change change;
    int rc = change_resolve(replay, entry, &change);
    if (rc == 0)
        rc = change_room(&change);
    if (rc == 0 && change.to == JOB_RESERVED)
        rc = out_room(&change);
    if (rc == 0)
        carry_out(replay, &change);
    job_past_free(&replay->past); /* not taken over */
    free(replay->reason);
    replay->reason = NULL;
    return rc == ENOENT ? 0 : rc;
}

HELD static int replay_entry(struct replay *replay, const struct job_entry *entry, uint64_t locator)
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

HELD static void replay_end(struct replay *replay)
{
    if (replay->tube != NULL)
        tube_unref(replay->tube);
    replay->tube = NULL;
}

/* ---- records ---- */

static void tell_damage(struct replay *replay, const char *text)
{
    const struct broker_log_options *options = &replay->log->options;
    if (options->damaged != NULL)
        options->damaged(text, options->arg);
}

HELD static int visit_record(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct replay *replay = arg;
    struct job_entry entry;
    int rc = job_entry_decode(&entry, bytes, len);
    if (rc == 0)
        rc = replay_entry(replay, &entry, locator);
    if (rc == EBADMSG) {
        replay->recovered->unreadable++;
        tell_damage(replay, "a record that is whole is no entry: it was damaged when it was "
                            "written, and is passed over");
        return 0;
    }
    if (rc == EOPNOTSUPP) {
        char of[40] = ""; /* of a type that isn't known the id isn't either */
        if (entry.id != 0)
            snprintf(of, sizeof(of), " (job %" PRIu64 ")", entry.id);
        snprintf(replay->error->text, sizeof(replay->error->text),
                 "the journal has an entry of type %u%s that this version doesn't know; start the "
                 "hilerad that wrote it, or a newer one",
                 (unsigned)entry.type, of);
    } else if (rc != 0)
        snprintf(replay->error->text, sizeof(replay->error->text),
                 "job %" PRIu64 " can't be recovered: %s", entry.id, strerror(rc));
    return rc;
}

static void visit_damage(void *arg, const struct journal_damage *damage)
{
    char text[640];
    if (damage->file[0] == '\0')
        snprintf(text, sizeof(text), "%s", damage->text);
    else
        snprintf(text, sizeof(text), "%s, byte %" PRIu64 ", %" PRIu64 " bytes: %s", damage->file,
                 damage->offset, damage->size, damage->text);
    tell_damage(arg, text);
}

HELD static int replay_all(struct replay *replay)
{
    const struct journal_visitor visitor = {
        .record = visit_record, .damaged = visit_damage, .arg = replay};
    int rc =
        journal_replay(replay->log->journal, &visitor, &replay->recovered->replayed, replay->error);
    replay_end(replay);
    return rc;
}

/* Ids go on behind all that may have been issued. */
HELD static void counters_set(const struct replay *replay)
{
    struct broker *broker = replay->broker;
    const struct broker_recovered *recovered = replay->recovered;
    broker->last_id = replay->last_id;
    if (replay->id_ceiling > 0 && replay->id_ceiling - 1 > broker->last_id)
        broker->last_id = replay->id_ceiling - 1;
    if (recovered->replayed.damages + recovered->unreadable > 0)
        broker->last_id = job_serial_add(broker->last_id, JOURNAL_GAP_AFTER_DAMAGE);
}

/* Nobody gave out so many: the journal is damaged, or was made by somebody else. */
static void tell_no_ids(struct replay *replay)
{
    const struct broker *broker = replay->broker;
    char text[160];
    if (job_serial_add(broker->last_id, 1) < JOB_ID_MAX)
        return;
    snprintf(text, sizeof(text),
             "it says that id %" PRIu64 " was given out; no ids are left, so all puts are refused",
             broker->last_id);
    tell_damage(replay, text);
}

/* Those since the start. */
HELD static void totals_begin(struct broker *broker)
{
    struct list_node *node = list_first(&broker->tube_list);
    for (; node != NULL; node = list_next(&broker->tube_list, node)) {
        struct broker_tube *tube = CONTAINER_OF(node, struct broker_tube, node);
        tube->stats.totals.put = tube_jobs(tube);
        tube->stats.totals.failed = tube->stats.count[JOB_BURIED];
        broker->stats.totals.put += tube->stats.totals.put;
        broker->stats.totals.failed += tube->stats.totals.failed;
    }
}

HELD static void figures_set(const struct replay *replay)
{
    struct broker *broker = replay->broker;
    struct broker_recovered *recovered = replay->recovered;
    recovered->jobs = broker->jobs.len;
    recovered->ready = broker->stats.count[JOB_READY];
    recovered->delayed = broker->stats.count[JOB_DELAYED];
    recovered->reserved = broker->stats.count[JOB_RESERVED];
    recovered->buried = broker->stats.count[JOB_BURIED];
    recovered->evicted = replay->log->evicted_jobs;
    broker->memory_peak = broker_memory(broker);
}

/* ---- life ---- */

TAKES_LOCK static void owner_lock(void *arg)
{
    const struct broker_log *log = arg;
    broker_lock(log->broker);
}

GIVES_LOCK static void owner_unlock(void *arg)
{
    const struct broker_log *log = arg;
    broker_unlock(log->broker);
}

static void log_failed(void *arg, int error)
{
    const struct broker_log *log = arg;
    if (log->options.failed != NULL)
        log->options.failed(error, log->options.arg);
    log_published(arg); /* those who wait are told that it never comes */
}

static int log_new(struct broker_log **out, struct broker *broker,
                   const struct broker_log_options *options)
{
    struct broker_log *log = calloc(1, sizeof(*log));
    if (log == NULL)
        return ENOMEM;
    MAGIC_INIT(log, BROKER_LOG_MAGIC);
    log->broker = broker;
    log->options = *options;
    log->journal = options->journal;
    log->died_bytes = JOURNAL_SEGMENT_MAX; /* it isn't known: enough */
    log->results.durable = options->result_found != NULL ? broker->last_result : UINT64_MAX;
    *out = log;
    return 0;
}

static int log_start(struct broker_log *log, uint64_t last_sequence)
{
    const struct broker_log_options *options = &log->options;
    const struct commit_options commit = {.journal = log->journal,
                                          .last_sequence = last_sequence,
                                          .pending_max = options->pending_max,
                                          .frame_max = options->frame_max,
                                          .thread = options->thread,
                                          .lock = owner_lock,
                                          .unlock = owner_unlock,
                                          .placed = log_placed,
                                          .published = log_published,
                                          .failed = log_failed,
                                          .make = result_bytes_make,
                                          .drop = result_bytes_drop,
                                          .arg = log};
    int rc = commit_new(&log->commit, &commit);
    const struct compact_options compact = {
        .journal = log->journal, .commit = log->commit, .record = log_living, .arg = log};
    if (rc == 0)
        rc = compact_new(&log->compact, &compact);
    if (rc == 0 && options->cache_size > 0)
        rc = fetch_start(log);
    return rc;
}

/* The first ceiling is durable before anybody needs it, unless the disk is full: then puts are
 * refused until it isn't. */
static int ceiling_begin(struct broker *broker)
{
    broker_lock(broker);
    int rc = log_id_admit(broker, broker->last_id + 1);
    struct broker_ticket ticket = {.durable = broker->log->limits_ticket};
    broker_unlock(broker);
    if (rc == EIO || ticket.durable == 0)
        return rc == EIO ? EIO : 0;
    rc = log_make_room(broker);
    if (rc == ENOSPC)
        return 0;
    return rc == 0 ? broker_ticket_wait(broker, &ticket, HL_FOREVER) : rc;
}

int broker_recover(struct broker *broker, const struct broker_log_options *options,
                   struct broker_recovered *recovered, struct journal_error *error)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    ASSERT(broker->log == NULL && broker->jobs.len == 0);
    *recovered = (struct broker_recovered){0};
    error->text[0] = '\0';
    struct replay replay = {.broker = broker,
                            .recovered = recovered,
                            .error = error,
                            .wall_ns = clock_wall_ns(),
                            .mono_ns = clock_now_ns()};
    int rc = log_new(&replay.log, broker, options);
    if (rc != 0)
        return rc;
    broker->log = replay.log; /* broker_free's, whatever happens */
    broker_lock(broker);
    rc = lines_init(broker, replay.log);
    if (rc == 0)
        rc = replay_all(&replay);
    if (rc == 0)
        groups_trim(broker, broker->groups.len);
    /* After half a replay, too: what is there must be counted, though it can only be freed. */
    counters_set(&replay);
    totals_begin(broker);
    figures_set(&replay);
    tell_no_ids(&replay);
    broker_unlock(broker);
    if (rc == 0)
        rc = log_start(replay.log, recovered->replayed.last_sequence);
    if (rc == 0 && (rc = ceiling_begin(broker)) != 0)
        snprintf(error->text, sizeof(error->text), "the journal can't be written to: %s",
                 strerror(rc));
    replay_results_end(&replay, rc == 0);
    return rc;
}
