// SPDX-License-Identifier: MIT
/*
 * Leases: a job that is reserved belongs to a holder, to a token, or to a local sink, until its TTR
 * is over or somebody ends it.
 *
 * The lease itself is in the job's side record: token, end, and whose it is. Leases of holders are
 * in the holder's heap, those that belong to a token in the heap of one holder that is no
 * connection (broker->tokens), so every lease that time can end is in exactly one heap, and each of
 * these heaps has one alarm. A local sink's lease is in none: its worker has the process in hand.
 *
 * A lease of a token outlives the process: the journal has the token's key and the end of the TTR,
 * and who shows the token after a restart settles the job. So it is recorded, or refused, and so is
 * each touch of it. What outlives a process of a worker's lease is that there was one.
 *
 * How a lease ends and the job stays is in giveback.c; release, bury, touch and delete are in
 * lease_verbs.c.
 */
#include "base/clock.h"
#include "broker/holder_priv.h"
#include "broker/lease_priv.h"
#include "broker/make_priv.h"
#include "broker/settle_priv.h"
#include "broker/sink_priv.h"

#include <errno.h>

void lease_begin(struct job *job, struct broker_holder *holder, enum job_out out)
{
    struct change change = {.type = JOB_ENTRY_LEASE,
                            .from = job->state,
                            .to = JOB_RESERVED,
                            .flags = out == JOB_OUT_TOKEN ? 0 : CHANGE_SOFT,
                            .out = (uint8_t)out,
                            .job = job,
                            .key_ns = clock_deadline(job_ttr_ns(job)),
                            .token = token_next(job->tube->ledger)};
    if (change_admit(&change) != 0) {
        ASSERT(job->state != JOB_BURIED);
        change.flags = CHANGE_LEFT_OUT;
    }
    make_lease(&change);
    job->rare->holder = holder;
    if (holder == NULL)
        return;
    MUST(heap_insert(&holder->rare->leases, job));
    holder_alarm_update(holder);
}

void lease_contain(struct job *job)
{
    if (job->rare->out != JOB_OUT_TOKEN)
        return;
    struct broker_holder *owner = &broker_of(job->tube)->tokens;
    job->rare->holder = owner;
    MUST(heap_insert(&owner->rare->leases, job));
    holder_alarm_update(owner);
}

bool lease_has_key(const struct job *job, uint64_t token)
{
    return job->rare->token == job_token_key(job->id, token);
}

void lease_end(struct job *job)
{
    struct job_rare *rare = job->rare;
    ASSERT(job->state == JOB_RESERVED && rare->token != 0);
    struct broker_holder *holder = rare->holder;
    rare->token = 0;
    rare->pins = 0;
    rare->holder = NULL;
    if (rare->out == JOB_OUT_TOKEN) { /* not recorded: time ends it after a restart, too */
        rare->out = JOB_OUT_NOT;
        rare->token_is_key = false;
    }
    if (rare->sink != NULL)
        sink_count_lease(rare->sink, false);
    rare->sink = NULL;
    if (holder == NULL)
        return;
    heap_remove(&holder->rare->leases, job->pos);
    holder_alarm_update(holder);
}

int lease_find(const struct broker_holder *holder, uint64_t id, uint64_t token, struct job **out)
{
    struct broker *broker = holder->broker;
    struct job *job = idtable_get(&broker->ledger.jobs, id);
    bool leased = job != NULL && job->state == JOB_RESERVED;
    bool mine = leased &&
                (token == 0 ? job->rare->holder == holder
                            : job->rare->holder == &broker->tokens && lease_has_token(job, token));
    if (!mine)
        return token == 0 ? ENOENT : ESTALE;
    *out = job;
    return 0;
}

static bool is_vouched(const struct job *job)
{
    const struct job_options *options = job->rare->options;
    return options != NULL && (options->set & JOB_OPTION_VOUCHED) != 0;
}

void lease_fill(struct job *job, struct broker_lease *lease)
{
    *lease = (struct broker_lease){
        .id = job->id,
        .token = job->rare->token,
        .size = job->body.len,
        .body = job->evicted ? NULL : job_body_ref(&job->body),
        .tube = job->rare->holder == NULL ? job->tube->name : NULL,
        .pri = job->pri,
        /* one that found no room in the journal isn't counted */
        .attempt = job->rare->reserves > 0 ? job->rare->reserves : 1,
        .ttr_ns = job_ttr_ns(job),
        .timeout_ns = retry_timeout(job),
        .reserved_ns =
            job->rare->key_ns == CLOCK_NEVER ? clock_now_ns() : job->rare->key_ns - job_ttr_ns(job),
        .created_ns = job_created_ns(job),
        .submitter = submitter_of(job),
        .vouched = is_vouched(job),
    };
    if (job->evicted)
        lease->place = store_place(job);
}

void broker_lease_fini(struct broker_lease *lease)
{
    job_body_unref(&lease->body);
    store_place_drop(&lease->place);
}
