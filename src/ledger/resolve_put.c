// SPDX-License-Identifier: MIT
/*
 * Whole jobs out of entries: a put, or a copy by compaction, which stands in place of all that was
 * said of the job before.
 */
#include "ledger/resolve_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* NULL: no memory. */
HELD static struct job *job_of_entry(struct replay *replay, const struct job_entry *entry,
                                     bool stays)
{
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
static int extra_of_entry(struct job *job, const struct job_entry *entry)
{
    static const struct job_tries no_tries;
    bool counted = (entry->reserves | entry->releases | entry->buries | entry->kicks) != 0 ||
                   memcmp(&entry->tries, &no_tries, sizeof(no_tries)) != 0 || entry->past_len > 0;
    if (!counted && entry->delay_ns == 0 && entry->state == JOB_READY && entry->option_len == 0 &&
        entry->out == JOB_OUT_NOT)
        return 0;
    struct job_extra *extra = job_extra_need(job);
    if (extra == NULL)
        return ENOMEM;
    extra->delay_ns = entry->delay_ns;
    extra->reserves = entry->reserves;
    extra->releases = entry->releases;
    extra->buries = entry->buries;
    extra->kicks = entry->kicks;
    extra->tries = entry->tries;
    int rc = job_attempts_of_entry(&extra->past, entry);
    if (rc == 0)
        rc = job_options_of_entry(&extra->options, entry);
    if (rc != 0 || entry->reason_len == 0)
        return rc;
    extra->reason = strndup(entry->reason, entry->reason_len);
    return extra->reason != NULL ? 0 : ENOMEM;
}

/* Before jobs had submitters, those that had come through the door of a guarded tube were marked:
 * that was open to the daemon's user, as far as is known. */
static uint32_t submitter_of_entry(const struct ledger *ledger, const struct job *job,
                                   const struct job_entry *entry)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    bool authorised = options != NULL && (options->set & JOB_OPTION_AUTHORISED) != 0;
    return authorised && !entry->has_submitter ? ledger->daemon_uid : job_entry_submitter(entry);
}

HELD static void where_it_goes(struct replay *replay, const struct job_entry *entry,
                               struct change *change)
{
    const struct job *job = change->job;
    change->to = (uint8_t)entry->state;
    resolve_out(replay, entry, change);
    if (entry->state == JOB_BURIED) {
        change->key_ns = (int64_t)entry->burial;
        resolve_burial(replay, change->key_ns);
        return;
    }
    if (entry->state != JOB_DELAYED)
        return;
    change->to = (uint8_t)resolve_state(replay, entry->until_wall_ns);
    change->key_ns = resolve_mono(replay, entry->until_wall_ns);
    if (change->to == JOB_DELAYED && at_is_ahead(job) &&
        entry->until_wall_ns == job->extra->options->at_wall_ns)
        change->flags |= CHANGE_BY_WALL;
}

int resolve_put(struct replay *replay, const struct job_entry *entry, bool with_body,
                struct change *change)
{
    struct ledger *ledger = replay->ledger;
    *change = (struct change){.type = JOB_ENTRY_PUT, .from = JOB_NEW};
    int rc = resolve_tube(replay, entry->tube, entry->tube_len);
    if (rc != 0)
        return rc;
    struct job *job = change->job = job_of_entry(replay, entry, with_body);
    if (job == NULL)
        return ENOMEM;
    job->tube = replay->tube;
    rc = extra_of_entry(job, entry);
    if (rc == 0)
        rc = submitter_set(ledger, job, submitter_of_entry(ledger, job, entry));
    if (rc != 0) {
        job_free(&change->job);
        return rc;
    }
    where_it_goes(replay, entry, change);
    return 0;
}
