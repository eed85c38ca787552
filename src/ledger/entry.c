// SPDX-License-Identifier: MIT
/*
 * What is true as entries of the journal, and changes as entries: the inverse of resolve.c.
 *
 * Times are monotonic in memory and wall-clock time in the journal.
 */
#include "ledger/entry.h"

#include "base/clock.h"

#include <string.h>

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

void entry_count(struct job_entry *entry, const struct job *job, enum job_fate_count count)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    if (count == JOB_COUNT_NONE || options == NULL || options->group[0] == '\0')
        return;
    entry->group_count = count;
    entry->group = options->group;
    entry->group_len = strlen(entry->group);
    entry_submitter(entry, submitter_of(job));
}

static const struct job_options *options_of(const struct job *job)
{
    return job->extra != NULL ? job->extra->options : NULL;
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

static void entry_counters(struct job_entry *entry, const struct job_extra *extra)
{
    entry->delay_ns = extra->delay_ns;
    entry->reserves = extra->reserves;
    entry->releases = extra->releases;
    entry->buries = extra->buries;
    entry->kicks = extra->kicks;
    entry->past = extra->past;
    entry->tries = extra->tries;
    entry->reason = extra->reason; /* also if it has come back */
    entry->reason_len = extra->reason != NULL ? strlen(extra->reason) : 0;
}

struct job_entry entry_of_job_in(const struct job *job, enum job_state state, int64_t key_ns,
                                 bool by_wall)
{
    const struct job_extra *extra = job->extra;
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
    if (extra != NULL)
        entry_counters(&entry, extra);
    if (state == JOB_DELAYED)
        entry.until_wall_ns = by_wall ? extra->options->at_wall_ns : wall_of(key_ns);
    if (state == JOB_BURIED)
        entry.burial = (uint64_t)key_ns;
    return entry;
}

struct job_entry entry_of_job(const struct job *job)
{
    enum job_state state = (enum job_state)job->state;
    if (state == JOB_RESERVED)
        state = JOB_READY;
    const struct job_extra *extra = job->extra;
    int64_t key_ns = extra == NULL || state == JOB_READY ? 0 : extra->key_ns;
    struct job_entry entry = entry_of_job_in(job, state, key_ns, extra != NULL && extra->by_wall);
    if (extra != NULL && extra->out != JOB_OUT_NOT)
        entry_out(&entry, (enum job_out)extra->out, extra->token, extra->token_is_key,
                  extra->key_ns);
    return entry;
}

struct job_entry entry_of_group(const struct job_group *group)
{
    struct job_entry entry = {.type = JOB_ENTRY_GROUP,
                              .group = group->name,
                              .group_len = group->name_len,
                              .group_counts = group->kept,
                              .group_number = group->number};
    entry_submitter(&entry, group->submitter);
    return entry;
}

struct job_entry entry_next_of_group(struct job_group *group)
{
    group->number = group->ledger->last_group = job_serial_add(group->ledger->last_group, 1);
    return entry_of_group(group);
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

/* ---- tubes ---- */

struct job_entry entry_of_pause(const struct tube *tube)
{
    bool paused = tube->pause_end_ns != CLOCK_NEVER;
    return (struct job_entry){.type = JOB_ENTRY_PAUSE,
                              .tube = tube->name,
                              .tube_len = tube->name_len,
                              .delay_ns = paused ? tube->pause_ns : 0,
                              .until_wall_ns = paused ? wall_of(tube->pause_end_ns) : 0};
}
