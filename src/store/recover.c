// SPDX-License-Identifier: MIT
/*
 * Recovery: the ledger as the journal tells it.
 *
 * Every record of the journal is carried out in order. An entry is made the change that it tells of
 * (resolve.c) and carried out by the functions that did it when it happened (apply.c), on the
 * structures themselves, so it costs about what the change had cost, and no memory but the job's;
 * what isn't done is what had an outside: nobody is told, nothing is recorded. What a connection
 * had reserved when the daemon ended is ready: its leases only counted. What is leased under a
 * token is so again; what workers of the daemon had is reserved until broker_take_over
 * (takeover.c). Counts since the start begin with the jobs that are there: as put, the buried ones
 * as failed, too. Then the journal becomes the broker's: ids go on behind all that may have been
 * issued, and the first limit is durable before anybody can ask for an id.
 *
 * A record that is whole and no entry costs itself and is counted; one of a newer hilera stops the
 * start, for nobody knows what it would have changed.
 */
#include "store/recover_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- entries ---- */

/* What the log keeps of it, once more or once less. */
HELD static void count_log(struct recovery *recovery, const struct job *job, int by)
{
    const uint64_t more = by > 0 ? 1 : UINT64_MAX; /* unsigned arithmetic wraps by definition */
    recovery->store->live_bytes += more * store_cost(job);
    recovery->store->evicted_jobs += job->evicted ? more : 0;
    recovery->store->evicted_bytes += job->evicted ? more * job->body.len : 0;
}

HELD static void replay_delete(struct recovery *recovery, struct change *change)
{
    struct job *job = change->job;
    struct tube *tube = job->tube;
    count_log(recovery, job, -1);
    apply_delete(change);
    job_free(&job);
    tube_unref(tube);
}

/* Its bytes stay in memory, as far as the cache allows. */
HELD static bool body_stays(const struct store *store, const struct job_entry *entry)
{
    uint64_t cached = store->ledger->counts.bytes - store->evicted_bytes + entry->body_len;
    return store->options.cache_size == 0 || cached <= store->options.cache_size;
}

/* A second one of the same job is a copy of it. */
HELD static int replay_put(struct recovery *recovery, const struct job_entry *entry,
                           uint64_t locator)
{
    struct change change;
    struct job *job = idtable_get(&recovery->replay.ledger->jobs, entry->id);
    if (job != NULL)
        replay_delete(recovery,
                      &(struct change){.type = JOB_ENTRY_DELETE, .to = JOB_FINISHED, .job = job});
    int rc = resolve_put(&recovery->replay, entry, body_stays(recovery->store, entry), &change);
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
    locator_set(change.job, locator != 0 ? locator : JOB_LOCATOR_KEPT);
    count_log(recovery, change.job, 1);
    apply_put(&change);
    tube_job_contain(change.job);
    return 0;
}

/* The counts of a group as they were there. */
HELD static int replay_group(struct recovery *recovery, const struct job_entry *entry)
{
    struct job_group *group;
    int rc = group_need(recovery->replay.ledger, job_entry_submitter(entry), entry->group,
                        entry->group_len, &group);
    if (rc != 0)
        return rc;
    group->counts = group->kept = entry->group_counts;
    group->number = entry->group_number;
    if (entry->group_number > recovery->replay.ledger->last_group)
        recovery->replay.ledger->last_group = entry->group_number;
    return 0;
}

HELD static void count_both(struct job_group *group, enum job_fate_count count)
{
    group_count(&group->counts, count);
    group_count(&group->kept, count);
}

/*
 * A buried job counts as failed until it comes back. Earlier versions left the entry that says so
 * out of the journal when the job was finished before the next commit: its next count tells.
 */
static bool return_was_lost(const struct recovery *recovery, const struct job_entry *entry)
{
    const struct job *job = idtable_get(&recovery->replay.ledger->jobs, entry->id);
    return job != NULL && job->state == JOB_BURIED && entry->group_count != JOB_COUNT_REOPENED;
}

/* One more or less. Also of a job that isn't there any more. */
HELD static int replay_group_count(struct recovery *recovery, const struct job_entry *entry)
{
    struct job_group *group;
    int rc = group_need(recovery->replay.ledger, job_entry_submitter(entry), entry->group,
                        entry->group_len, &group);
    if (rc != 0)
        return rc;
    if (return_was_lost(recovery, entry))
        count_both(group, JOB_COUNT_REOPENED);
    count_both(group, entry->group_count);
    return 0;
}

HELD static void carry_out(struct recovery *recovery, struct change *change)
{
    if (change->type == JOB_ENTRY_DELETE) {
        replay_delete(recovery, change);
        return;
    }
    uint64_t cost = change->job != NULL ? store_cost(change->job) : 0;
    if (change->type == JOB_ENTRY_MOVE)
        tube_ref(change->tube); /* the job's */
    change_apply(change);
    if (change->type == JOB_ENTRY_MOVE)
        tube_unref(change->tube);
    if (change->job == NULL)
        return;
    tube_job_contain(change->job);
    recovery->store->live_bytes +=
        store_cost(change->job) - cost; /* a reason, another tube's name */
}

HELD static int replay_change(struct recovery *recovery, const struct job_entry *entry)
{
    struct change change;
    int rc = change_resolve(&recovery->replay, entry, &change);
    if (rc == 0)
        rc = change_room(&change);
    if (rc == 0 && change.to == JOB_RESERVED)
        rc = out_room(&change);
    if (rc == 0)
        carry_out(recovery, &change);
    replay_clean(&recovery->replay);
    return rc == ENOENT ? 0 : rc;
}

HELD static int replay_entry(struct recovery *recovery, const struct job_entry *entry,
                             uint64_t locator)
{
    if (entry->id > recovery->last_id)
        recovery->last_id = entry->id;
    int rc = entry->group_count != JOB_COUNT_NONE ? replay_group_count(recovery, entry) : 0;
    if (rc != 0)
        return rc;
    switch (entry->type) {
    case JOB_ENTRY_GROUP:
        return replay_group(recovery, entry);
    case JOB_ENTRY_RESULT:
        return recover_result(recovery, entry);
    case JOB_ENTRY_PUT:
        return replay_put(recovery, entry, locator);
    case JOB_ENTRY_LIMITS:
        recovery->id_limit = entry->id_limit;
        return 0;
    default:
        return replay_change(recovery, entry);
    }
}

/* ---- records ---- */

static void tell_damage(struct recovery *recovery, const char *text)
{
    const struct store_options *options = &recovery->store->options;
    if (options->damaged != NULL)
        options->damaged(text, options->arg);
}

HELD static int visit_record(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct recovery *recovery = arg;
    struct job_entry entry;
    int rc = job_entry_decode(&entry, bytes, len);
    if (rc == 0)
        rc = replay_entry(recovery, &entry, locator);
    if (rc == EBADMSG) {
        recovery->recovered->unreadable++;
        tell_damage(recovery, "a record that is whole is no entry: it was damaged when it was "
                              "written, and is passed over");
        return 0;
    }
    if (rc == EOPNOTSUPP) {
        char of[40] = ""; /* of a type that isn't known the id isn't either */
        if (entry.id != 0)
            snprintf(of, sizeof(of), " (job %" PRIu64 ")", entry.id);
        snprintf(recovery->error->text, sizeof(recovery->error->text),
                 "the journal has an entry of type %u%s that this version doesn't know; start the "
                 "hilerad that wrote it, or a newer one",
                 (unsigned)entry.type, of);
    } else if (rc != 0)
        snprintf(recovery->error->text, sizeof(recovery->error->text),
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

HELD static int replay_all(struct recovery *recovery)
{
    const struct journal_visitor visitor = {
        .record = visit_record, .damaged = visit_damage, .arg = recovery};
    int rc = journal_replay(recovery->store->journal, &visitor, &recovery->recovered->replayed,
                            recovery->error);
    replay_end(&recovery->replay);
    return rc;
}

/* Ids go on behind all that may have been issued. */
HELD static void counters_set(const struct recovery *recovery)
{
    struct ledger *ledger = recovery->replay.ledger;
    const struct store_recovered *recovered = recovery->recovered;
    ledger->last_id = recovery->last_id;
    if (recovery->id_limit > 0 && recovery->id_limit - 1 > ledger->last_id)
        ledger->last_id = recovery->id_limit - 1;
    if (recovered->replayed.damages + recovered->unreadable > 0)
        ledger->last_id = job_serial_add(ledger->last_id, JOURNAL_GAP_AFTER_DAMAGE);
}

/* Nobody gave out so many: the journal is damaged, or was made by somebody else. */
static void tell_no_ids(struct recovery *recovery)
{
    const struct ledger *ledger = recovery->replay.ledger;
    char text[160];
    if (job_serial_add(ledger->last_id, 1) < JOB_ID_MAX)
        return;
    snprintf(text, sizeof(text),
             "it says that id %" PRIu64 " was given out; no ids are left, so all puts are refused",
             ledger->last_id);
    tell_damage(recovery, text);
}

HELD static void figures_set(const struct recovery *recovery)
{
    const struct ledger *ledger = recovery->replay.ledger;
    struct store_recovered *recovered = recovery->recovered;
    recovered->jobs = ledger->jobs.len;
    recovered->ready = ledger->counts.count[JOB_READY];
    recovered->delayed = ledger->counts.count[JOB_DELAYED];
    recovered->reserved = ledger->counts.count[JOB_RESERVED];
    recovered->buried = ledger->counts.count[JOB_BURIED];
    recovered->evicted = recovery->store->evicted_jobs;
}

int store_replay(struct store *store, struct store_recovered *recovered,
                 struct journal_error *error, struct recovery **out)
{
    *recovered = (struct store_recovered){0};
    error->text[0] = '\0';
    /* no magic: it ends with the start */
    struct recovery *recovery = calloc(1, sizeof(*recovery));
    *out = recovery;
    if (recovery == NULL)
        return ENOMEM;
    recovery->replay = (struct replay){
        .ledger = store->ledger, .wall_ns = clock_wall_ns(), .mono_ns = clock_now_ns()};
    recovery->store = store;
    recovery->recovered = recovered;
    recovery->error = error;
    int rc = replay_all(recovery);
    counters_set(recovery);
    figures_set(recovery);
    tell_no_ids(recovery);
    return rc;
}

int store_start(struct store *store, struct recovery **recovery, int rc)
{
    struct recovery *mine = *recovery;
    *recovery = NULL;
    if (rc == 0)
        rc = store_begin(store, mine->recovered->replayed.last_sequence);
    if (rc == 0 && (rc = id_limit_begin(store)) != 0)
        snprintf(mine->error->text, sizeof(mine->error->text),
                 "the journal can't be written to: %s", strerror(rc));
    if (mine != NULL)
        recover_results_end(mine, rc == 0);
    free(mine);
    return rc;
}
