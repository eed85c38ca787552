// SPDX-License-Identifier: MIT
/*
 * Entries: what the broker writes into its journal.
 *
 * Every call that changes something first asks for room (log_admit...), then adds the entry of the
 * change, then carries it out, all in one hold of the lock: so a change that can't be recorded
 * doesn't happen, and the order of entries is the order of changes. Leases and their ends by time
 * or by a lost connection happen all the same where there is no room, but aren't counted then. That
 * of a token is refused like any other change: it must be there after a restart.
 *
 * A job knows two things of the journal. `where` is its put: pending (a ticket), then placed (a
 * locator, set by evict.c's hook). rare->ticket is its last change after that. Both together make
 * the chain by which a job that is put and finished before the next commit vanishes from it.
 *
 * Times are monotonic in memory and wall-clock time in the journal.
 */
#include "base/clock.h"
#include "broker/change_priv.h"

#include <errno.h>
#include <string.h>

/* What an entry takes at most beside tube, reason and body; see job/codec.h. */
#define ENTRY_BYTES 96
/* What the put of a plain job takes beside tube and body, its part of a frame included. */
#define COST_BYTES 40

static int64_t wall_of(int64_t at_ns)
{
    int64_t wall_ns, now_ns = clock_now_ns();
    bool over = __builtin_add_overflow(at_ns, clock_wall_ns() - now_ns, &wall_ns);
    return over ? INT64_MAX : wall_ns;
}

static void entry_submitter(struct job_entry *entry, uint32_t submitter)
{
    entry->has_submitter = submitter != JOB_NOBODY;
    entry->submitter = submitter;
}

/* What the change counts as for the job's group. */
static void entry_group(struct job_entry *entry, const struct job *job, enum job_fate_count count)
{
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    if (count == JOB_COUNT_NONE || options == NULL || options->group[0] == '\0')
        return;
    entry->group_count = count;
    entry->group = options->group;
    entry->group_len = strlen(entry->group);
    entry_submitter(entry, submitter_of(job));
}

static struct broker_log *log_of(const struct job *job)
{
    return job->tube->broker->log;
}

/* The ticket of the job's change before; 0: none that could be pending. */
HELD static uint64_t older_of(const struct job *job)
{
    if (job->rare != NULL && job->rare->ticket != 0)
        return job->rare->ticket;
    uint64_t where = where_get(job);
    return (where & JOB_WHERE_PENDING) != 0 ? where & ~JOB_WHERE_PENDING : 0;
}

static const struct job_options *options_of(const struct job *job)
{
    return job->rare != NULL ? job->rare->options : NULL;
}

/* Bytes of its options in the journal. */
static size_t options_size(const struct job *job)
{
    const struct job_options *options = options_of(job);
    return options != NULL ? options->encoded : 0;
}

/* Likewise of its past attempts, about. */
static size_t past_size(const struct job *job)
{
    return job->rare != NULL ? job_past_size(job->rare->past) : 0;
}

uint64_t log_cost(const struct job *job)
{
    size_t reason = job->rare != NULL && job->rare->reason != NULL ? strlen(job->rare->reason) : 0;
    return COST_BYTES + job->tube->name_len + job->body.len + reason + options_size(job) +
           past_size(job);
}

/* ---- admitting ---- */

/* Somebody stands whose turn comes first. */
HELD static bool stands(const struct broker_log *log, enum log_line line)
{
    return log->turn == LOG_TURN_FIRST && !list_empty(&log->lines[line].standing);
}

/* Not inline, so a put costs no more while nobody stands. */
HELD __attribute__((noinline)) static bool put_waits_in_turn(const struct broker_log *log)
{
    if (log->turn == LOG_TURN_LINE)
        return space_line_waits(log);
    return stands(log, LOG_LINE_PUTS) || space_puts_wait(log);
}

HELD static bool put_waits(const struct broker_log *log)
{
    return log->turn == LOG_TURN_NONE ? space_puts_wait(log) : put_waits_in_turn(log);
}

int log_admit_put(const struct broker_tube *tube, const struct job *job)
{
    if (tube->broker->log == NULL)
        return 0;
    int rc = job->state == JOB_NEW ? log_id_admit(tube->broker, job->id) : 0;
    if (rc != 0 || !tube_is_logged(tube))
        return rc;
    if (put_waits(tube->broker->log))
        return EAGAIN;
    /* And its final record, and its group. */
    size_t bytes = job->body.len + tube->name_len + 3 * options_size(job) + (size_t)3 * ENTRY_BYTES;
    return commit_admit(tube->broker->log->commit, JOURNAL_PUT, 3, bytes);
}

/* A full disk is waited for as long as compaction gains: what it copies takes, for a moment, what
 * is kept back for changes. */
HELD static int admit_state(struct broker_log *log, enum journal_class class, size_t bytes)
{
    if (class != JOURNAL_LAST && stands(log, LOG_LINE_CHANGES)) /* the last ones make room */
        return EAGAIN;
    int rc = commit_admit(log->commit, class, 1, bytes);
    return rc == ENOSPC && space_may_come(log) ? EAGAIN : rc;
}

HELD static int admit_change(struct broker_log *log)
{
    return admit_state(log, JOURNAL_STATE, JOB_ENTRY_CHANGE_MAX);
}

int log_admit_any(struct broker_log *log)
{
    return admit_change(log);
}

int log_admit(const struct job *job)
{
    return job_is_logged(job) ? admit_change(log_of(job)) : 0;
}

int log_admit_final(const struct job *job)
{
    return job_is_logged(job)
               ? admit_state(log_of(job), JOURNAL_LAST, ENTRY_BYTES + options_size(job))
               : 0;
}

/* ---- jobs ---- */

/* How the job is out; token, and end of the lease, are those. */
static void entry_out(struct job_entry *entry, enum job_out out, uint64_t token, bool is_key,
                      int64_t until_ns)
{
    entry->out = out;
    if (out != JOB_OUT_TOKEN)
        return;
    entry->out_key = is_key ? token : job_token_key(entry->id, token);
    entry->out_until_wall_ns = wall_of(until_ns);
}

static void entry_counters(struct job_entry *entry, const struct job_rare *rare)
{
    entry->delay_ns = rare->delay_ns;
    entry->reserves = rare->reserves;
    entry->releases = rare->releases;
    entry->buries = rare->buries;
    entry->kicks = rare->kicks;
    entry->past = rare->past;
    entry->tries = rare->tries;
    entry->reason = rare->reason; /* also if it has come back */
    entry->reason_len = rare->reason != NULL ? strlen(rare->reason) : 0;
}

/* The whole job, as if it were in that state. */
static struct job_entry entry_in(const struct job *job, enum job_state state, int64_t key_ns,
                                 bool by_wall)
{
    const struct job_rare *rare = job->rare;
    struct job_entry entry = {.type = JOB_ENTRY_PUT,
                              .state = state,
                              .id = job->id,
                              .pri = job->pri,
                              .ttr_s = job->ttr_s,
                              .created_wall_ns = wall_of(job_created_ns(job)),
                              .tube = job->tube->name,
                              .tube_len = job->tube->name_len,
                              .body_len = job->body.len,
                              .options = options_of(job)};
    entry_submitter(&entry, submitter_of(job));
    if (rare != NULL)
        entry_counters(&entry, rare);
    if (state == JOB_DELAYED)
        entry.until_wall_ns = by_wall ? rare->options->at_wall_ns : wall_of(key_ns);
    if (state == JOB_BURIED)
        entry.burial = (uint64_t)key_ns;
    return entry;
}

struct job_entry entry_of_job(const struct job *job)
{
    enum job_state state = (enum job_state)job->state;
    if (state == JOB_RESERVED)
        state = JOB_READY;
    const struct job_rare *rare = job->rare;
    int64_t key_ns = rare == NULL || state == JOB_READY ? 0 : rare->key_ns;
    struct job_entry entry = entry_in(job, state, key_ns, rare != NULL && rare->by_wall);
    if (rare != NULL && rare->out != JOB_OUT_NOT)
        entry_out(&entry, (enum job_out)rare->out, rare->token, rare->token_is_key, rare->key_ns);
    return entry;
}

struct job_entry entry_of_group(const struct broker_group *group)
{
    struct job_entry entry = {.type = JOB_ENTRY_GROUP,
                              .group = group->name,
                              .group_len = group->name_len,
                              .group_counts = group->kept,
                              .group_number = group->number};
    entry_submitter(&entry, group->submitter);
    return entry;
}

/* The entry that holds from now on. */
HELD static struct job_entry next_of_group(struct broker_group *group)
{
    group->number = group->broker->last_group = job_serial_add(group->broker->last_group, 1);
    return entry_of_group(group);
}

/* Admitted with the put that names it first. */
HELD static void log_group(struct broker_log *log, struct broker_group *group,
                           enum journal_class class)
{
    const struct job_entry entry = next_of_group(group);
    const struct commit_change change = {.entry = &entry, .class = class};
    (void)commit_add(log->commit, &change);
}

void log_put(struct job *job, enum job_state state, int64_t key_ns, bool by_wall)
{
    struct broker_tube *tube = job->tube;
    if (!tube_is_logged(tube) || job_is_logged(job))
        return;
    struct broker_log *log = tube->broker->log;
    struct broker_group *group = group_to_log(job);
    bool failed = group != NULL && state == JOB_BURIED; /* and was counted without the journal */
    if (failed)
        group_count(&group->kept, JOB_COUNT_FAILED);
    if (group != NULL && (failed || group->number == 0))
        log_group(log, group, JOURNAL_PUT);
    const struct job_entry entry = entry_in(job, state, key_ns, by_wall);
    const struct commit_change change = {.entry = &entry,
                                         .body = job->body.len > 0 ? &job->body : NULL,
                                         .within_ns = tube->within_ns,
                                         .class = JOURNAL_PUT};
    uint64_t ticket = commit_add(log->commit, &change);
    where_set(job, JOB_WHERE_PENDING | ticket);
    if (job->rare != NULL)
        job->rare->ticket = ticket;
    log->live_bytes += log_cost(job);
    log_told(log, tube->level, ticket);
}

/* The job is finished; it isn't in the journal any more. */
HELD static void record_delete(const struct change *change)
{
    struct job *job = change->job;
    const struct broker_tube *tube = job->tube;
    struct broker_log *log = tube->broker->log;
    struct job_entry last = {.type = JOB_ENTRY_DELETE, .id = job->id};
    entry_group(&last, job, (enum job_fate_count)change->count);
    uint64_t ticket = commit_finish(log->commit, job->id, older_of(job), tube->within_ns,
                                    last.group_count != JOB_COUNT_NONE ? &last : NULL, NULL);
    where_set(job, 0); /* a copy that is made from now on would outlive it */
    log->live_bytes -= log_cost(job);
    log->died_bytes += log_cost(job);
    log_told(log, tube->level, ticket);
}

/* ---- changes ---- */

static void until_of(const struct change *change, struct job_entry *entry)
{
    if (change->to == JOB_DELAYED)
        entry->until_wall_ns = wall_of(change->key_ns);
}

void change_entry(const struct change *change, struct job_entry *entry)
{
    memset(entry, 0, sizeof(*entry));
    entry->type = change->type;
    if (change->job != NULL)
        entry->id = change->job->id;
    switch (change->type) {
    case JOB_ENTRY_RELEASE:
        entry->pri = change->pri;
        entry->delay_ns = change->delay_ns;
        until_of(change, entry);
        break;
    case JOB_ENTRY_RETRY:
        entry->delay_ns = change->delay_ns;
        entry->tries = *change->tries;
        entry->past = change->past != NULL ? *change->past : NULL;
        until_of(change, entry);
        break;
    case JOB_ENTRY_BURY:
        entry->pri = change->pri;
        entry->burial = (uint64_t)change->key_ns;
        entry->tries = *change->tries;
        entry->past = change->past != NULL ? *change->past : NULL;
        entry->reason = change->reason != NULL ? *change->reason : NULL;
        entry->reason_len = entry->reason != NULL ? strlen(entry->reason) : 0;
        break;
    case JOB_ENTRY_KICK:
        entry->reset = (change->flags & CHANGE_RESET) != 0;
        break;
    case JOB_ENTRY_PAUSE:
        entry->delay_ns = change->delay_ns;
        until_of(change, entry);
        break;
    default: /* LEASE, TIMEOUT, MOVE */
        break;
    }
    if (change->to == JOB_RESERVED)
        entry_out(entry, (enum job_out)change->out, change->token,
                  (change->flags & CHANGE_KEYED) != 0, change->key_ns);
    if (change->tube != NULL) {
        entry->tube = change->tube->name;
        entry->tube_len = change->tube->name_len;
    }
}

/*
 * A ready job has no side record as a rule: its put is the only link of the chain of its changes
 * then, and a move that is cancelled too late would be an entry of a job that is gone, which is
 * none.
 */
static void ticket_keep(const struct change *change, uint64_t ticket)
{
    struct job *job = change->job;
    if (job == NULL)
        return;
    if (job->rare != NULL)
        job->rare->ticket = ticket;
    if (change->type != JOB_ENTRY_MOVE)
        log_of(job)->died_bytes +=
            COST_BYTES; /* the put has to be written anew with the next copy */
}

int change_admit(struct change *change)
{
    if (!job_is_logged(change->job))
        return 0;
    change->flags |= CHANGE_LOGGED;
    struct broker_log *log = log_of(change->job);
    /* Nobody waits for it, so it has no place in a line: it is recorded if there is room. */
    if ((change->flags & CHANGE_SOFT) != 0)
        return commit_admit(log->commit, JOURNAL_STATE, 1, JOB_ENTRY_CHANGE_MAX);
    return admit_change(log);
}

void change_record_there(const struct change *change)
{
    struct job *job = change->job;
    if (change->type == JOB_ENTRY_DELETE) {
        record_delete(change);
        return;
    }
    const struct broker_tube *tube = change->tube;
    uint64_t older = 0;
    struct job_entry entry;
    change_entry(change, &entry);
    if (job != NULL) {
        tube = tube != NULL ? tube : job->tube;
        older = older_of(job);
        entry_group(&entry, job, (enum job_fate_count)change->count);
    }
    struct broker_log *log = tube->broker->log;
    bool soft = (change->flags & CHANGE_SOFT) != 0;
    const struct commit_change commit = {.entry = &entry,
                                         .older = older,
                                         .within_ns = soft ? 0 : tube->within_ns,
                                         .class = JOURNAL_STATE};
    uint64_t ticket = commit_add(log->commit, &commit);
    ticket_keep(change, ticket);
    if (!soft)
        log_told(log, tube->level, ticket);
}

/* ---- tubes and counters ---- */

struct job_entry entry_of_pause(const struct broker_tube *tube)
{
    bool paused = tube->pause_end_ns != CLOCK_NEVER;
    return (struct job_entry){.type = JOB_ENTRY_PAUSE,
                              .tube = tube->name,
                              .tube_len = tube->name_len,
                              .delay_ns = paused ? tube->stats.pause_ns : 0,
                              .until_wall_ns = paused ? wall_of(tube->pause_end_ns) : 0};
}

int log_admit_pause(const struct broker_tube *tube)
{
    if (!tube_is_logged(tube))
        return 0;
    return admit_change(tube->broker->log);
}

static struct job_entry entry_of_limits(const struct broker_log *log)
{
    return (struct job_entry){.type = JOB_ENTRY_LIMITS, .id_ceiling = log->id_ceiling};
}

int log_admit_limits(struct broker_log *log)
{
    return commit_admit(log->commit, JOURNAL_LAST, 1, JOB_ENTRY_CHANGE_MAX);
}

uint64_t log_limits(struct broker_log *log)
{
    const struct job_entry entry = entry_of_limits(log);
    const struct commit_change change = {.entry = &entry, .class = JOURNAL_STATE};
    return commit_add(log->commit, &change);
}

/* ---- copies, for compaction: as it is now, and nobody waits ---- */

int log_copy(struct job *job, struct job_body *body)
{
    struct commit *commit = log_of(job)->commit;
    size_t bytes = (size_t)job->body.len + options_size(job) + JOB_ENTRY_CHANGE_MAX +
                   (size_t)2 * past_size(job);
    int rc = commit_admit(commit, JOURNAL_COMPACT, 1, bytes);
    if (rc != 0)
        return rc;
    const struct job_entry entry = entry_of_job(job);
    const struct commit_change change = {
        .entry = &entry, .body = job->body.len > 0 ? body : NULL, .class = JOURNAL_COMPACT};
    (void)commit_add(commit, &change);
    log_of(job)->copied++;
    return 0;
}

static int copy(struct broker_log *log, const struct job_entry *entry)
{
    int rc = commit_admit(log->commit, JOURNAL_COMPACT, 1, JOB_ENTRY_CHANGE_MAX);
    if (rc != 0)
        return rc;
    const struct commit_change change = {.entry = entry, .class = JOURNAL_COMPACT};
    (void)commit_add(log->commit, &change);
    log->copied++;
    return 0;
}

int log_copy_pause(struct broker_tube *tube)
{
    const struct job_entry entry = entry_of_pause(tube);
    return copy(tube->broker->log, &entry);
}

int log_copy_group(struct broker_group *group)
{
    const struct job_entry entry = next_of_group(group);
    return copy(group->broker->log, &entry);
}

int log_copy_limits(struct broker_log *log)
{
    const struct job_entry entry = entry_of_limits(log);
    return copy(log, &entry);
}
