// SPDX-License-Identifier: MIT
/*
 * Leases: a job that is reserved belongs to a client, to a token, or to a local consumer, until its
 * TTR is over or somebody ends it.
 *
 * The lease itself is in the job's side record: token, end, and whose it is. Leases of clients are
 * in the client's heap, those that belong to a token in the heap of one client that is no
 * connection (broker->tokens), so every lease that time can end is in exactly one heap, and each of
 * these heaps has one timer. A local consumer's lease is in none: its worker has the process in
 * hand.
 *
 * A lease of a token outlives the process: the journal has the token's key and the end of the TTR,
 * and who shows the token after a restart settles the job. So it is recorded, or refused, and so is
 * each touch of it. What outlives a process of a worker's lease is that there was one.
 *
 * How a lease ends and the job stays is in giveback.c; release, bury, touch and delete are in
 * lease_verbs.c.
 */
#include "base/clock.h"
#include "broker/client_priv.h"
#include "broker/consumer_priv.h"
#include "broker/lease_priv.h"
#include "broker/make_priv.h"
#include "broker/settle_priv.h"

#include <errno.h>

void lease_begin(struct job *job, struct broker_client *client, enum job_out out)
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
    job->extra->client = client;
    if (client == NULL)
        return;
    MUST(heap_insert(&client->extra->leases, job));
    client_timer_update(client);
}

void lease_contain(struct job *job)
{
    if (job->extra->out != JOB_OUT_TOKEN)
        return;
    struct broker_client *owner = &broker_of(job->tube)->tokens;
    job->extra->client = owner;
    MUST(heap_insert(&owner->extra->leases, job));
    client_timer_update(owner);
}

bool lease_has_key(const struct job *job, uint64_t token)
{
    return job->extra->token == job_token_key(job->id, token);
}

void lease_end(struct job *job)
{
    struct job_extra *extra = job->extra;
    ASSERT(job->state == JOB_RESERVED && extra->token != 0);
    struct broker_client *client = extra->client;
    extra->token = 0;
    extra->pins = 0;
    extra->client = NULL;
    if (extra->out == JOB_OUT_TOKEN) { /* not recorded: time ends it after a restart, too */
        extra->out = JOB_OUT_NOT;
        extra->token_is_key = false;
    }
    if (extra->consumer != NULL)
        consumer_count_lease(extra->consumer, false);
    extra->consumer = NULL;
    if (client == NULL)
        return;
    heap_remove(&client->extra->leases, job->pos);
    client_timer_update(client);
}

int lease_find(const struct broker_client *client, uint64_t id, uint64_t token, struct job **out)
{
    struct broker *broker = client->broker;
    struct job *job = idtable_get(&broker->ledger.jobs, id);
    bool leased = job != NULL && job->state == JOB_RESERVED;
    bool mine = leased &&
                (token == 0 ? job->extra->client == client
                            : job->extra->client == &broker->tokens && lease_has_token(job, token));
    if (!mine)
        return token == 0 ? ENOENT : ESTALE;
    *out = job;
    return 0;
}

static bool is_authorised(const struct job *job)
{
    const struct job_options *options = job->extra->options;
    return options != NULL && (options->set & JOB_OPTION_AUTHORISED) != 0;
}

void lease_fill(struct job *job, struct broker_lease *lease)
{
    *lease = (struct broker_lease){
        .id = job->id,
        .token = job->extra->token,
        .size = job->body.len,
        .body = job->evicted ? NULL : job_body_ref(&job->body),
        .tube = job->extra->client == NULL ? job->tube->name : NULL,
        .pri = job->pri,
        /* one that found no room in the journal isn't counted */
        .attempt = job->extra->reserves > 0 ? job->extra->reserves : 1,
        .ttr_ns = job_ttr_ns(job),
        .timeout_ns = retry_timeout(job),
        .reserved_ns = job->extra->key_ns == CLOCK_NEVER ? clock_now_ns()
                                                         : job->extra->key_ns - job_ttr_ns(job),
        .created_ns = job_created_ns(job),
        .submitter = submitter_of(job),
        .authorised = is_authorised(job),
    };
    if (job->evicted)
        lease->place = store_place(job);
}

void broker_lease_fini(struct broker_lease *lease)
{
    job_body_unref(&lease->body);
    store_place_drop(&lease->place);
}
