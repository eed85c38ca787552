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
 * Release, bury and touch are here, too; delete is a way to finish (settle.c).
 */
#include "base/clock.h"
#include "broker/ask_priv.h"
#include "broker/finish_priv.h"
#include "broker/holder_priv.h"
#include "broker/lease_priv.h"
#include "broker/make_priv.h"
#include "broker/settle_priv.h"
#include "broker/sink_priv.h"
#include "broker/verbs_priv.h"
#include "broker/watch_priv.h"

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

void lease_trouble(struct job *job, enum job_outcome_kind kind)
{
    struct job_tries tries = job->rare->tries;
    struct change change = {.type =
                                kind == JOB_OUTCOME_TIMEOUT ? JOB_ENTRY_TIMEOUT : JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = JOB_READY,
                            .flags = CHANGE_SOFT,
                            .kind = (uint8_t)kind,
                            .job = job,
                            .delay_ns = job->rare->delay_ns,
                            .tries = &tries};
    if (change_admit(&change) == 0) {
        job_count(job_tries_of(&tries, kind));
        make_back(&change);
        return;
    }
    if (job->rare->token != 0)
        lease_end(job);
    lease_give_back(job);
}

void lease_give_back(struct job *job)
{
    ASSERT(job->state == JOB_RESERVED && job->rare->token == 0);
    tube_job_move(job, JOB_READY);
    if (broker_of(job->tube)->observed != 0)
        watch_tell_back(job);
    tube_job_contain(job);
}

void lease_given(void *item, struct queue_wait *wait)
{
    struct job *job = item;
    if (wait->later.cancel == reserver_cancel) {
        reserver_given(wait, job);
        return;
    }
    struct broker_sink *sink = CONTAINER_OF(wait, struct sink_wait, wait)->sink;
    MAGIC_CHECK(sink, BROKER_SINK_MAGIC);
    sink_begin(sink, job);
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

/* The job that the operation is about, for who may work there. */
HELD static int lease_ask(const struct broker_op *op, struct job **out)
{
    int rc = op->holder != NULL ? lease_find(op->holder, op->id, op->token, out) : ENOENT;
    return rc == 0 && job_ask(op->asker, *out, TRUST_work) != 0 ? EACCES : rc;
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
    broker_place_drop(&lease->place);
}

/* Its TTR begins anew; of a token's lease that is recorded. ENOSPC, EIO, ENOMEM, EAGAIN:
 * nothing changed. */
HELD static int touch(struct job *job)
{
    struct job_rare *rare = job->rare;
    struct broker_holder *owner = rare->holder;
    struct job_tries tries = rare->tries;
    struct change change = {.type = JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = JOB_RESERVED,
                            .flags = rare->token_is_key ? CHANGE_KEYED : 0,
                            .out = rare->out,
                            .job = job,
                            .key_ns = clock_deadline(job_ttr_ns(job)),
                            .token = rare->token,
                            .delay_ns = rare->delay_ns,
                            .tries = &tries};
    if (rare->out == JOB_OUT_TOKEN && job_is_logged(job)) {
        int rc = change_admit(&change);
        if (rc == 0)
            make_back(&change);
        return rc;
    }
    rare->key_ns = change.key_ns;
    heap_update(&owner->rare->leases, job->pos);
    holder_alarm_update(owner);
    return 0;
}

int decide_touch(struct broker *broker, struct broker_op *op)
{
    struct job *job;
    int rc = lease_ask(op, &job);
    (void)broker;
    return rc == 0 ? touch(job) : rc;
}

/* ENOMEM, ENOSPC, EIO, EAGAIN: nothing changed. */
HELD static int release(struct job *job, uint32_t pri, int64_t delay_ns)
{
    struct change change = {.type = JOB_ENTRY_RELEASE,
                            .from = JOB_RESERVED,
                            .to = delay_ns > 0 ? JOB_DELAYED : JOB_READY,
                            .job = job,
                            .pri = pri,
                            .key_ns = delay_ns > 0 ? clock_deadline(delay_ns) : 0,
                            .delay_ns = delay_ns > 0 ? delay_ns : 0};
    int rc = change_room(&change);
    if (rc == 0)
        rc = change_admit(&change);
    if (rc == 0)
        make_back(&change);
    return rc;
}

int decide_release(struct broker *broker, struct broker_op *op)
{
    struct job *job;
    int rc = lease_ask(op, &job);
    (void)broker;
    return rc == 0 ? release(job, op->back.pri, op->back.delay_ns) : rc;
}

/* Ready again, which is recorded. As lease_return. */
HELD static int give_back_recorded(struct job *job)
{
    bool token = job->rare->out == JOB_OUT_TOKEN;
    struct job_tries tries = job->rare->tries;
    struct change change = {.type = JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = JOB_READY,
                            .flags = token ? 0 : CHANGE_SOFT,
                            .kind = JOB_OUTCOME_RETURNED,
                            .job = job,
                            .delay_ns = job->rare->delay_ns,
                            .tries = &tries};
    int rc = change_admit(&change);
    if (rc == 0)
        make_back(&change);
    else if (!token) {
        lease_end(job);
        lease_give_back(job);
        rc = 0;
    }
    return rc;
}

int lease_return(struct job *job, int64_t delay_ns)
{
    if (delay_ns > 0) {
        int rc = release(job, job->pri, delay_ns);
        if (rc == 0 || rc == ENOMEM || rc == EAGAIN)
            return rc;
    }
    if (job->rare->out != JOB_OUT_NOT && job_is_logged(job))
        return give_back_recorded(job);
    job->rare->out = JOB_OUT_NOT;
    lease_end(job);
    lease_give_back(job);
    return 0;
}

HELD static int bury(struct job *job, uint32_t pri)
{
    struct job_outcome outcome;
    struct job *gone; /* none: it is buried */
    uint32_t before = job->pri;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_FAILED;
    const struct finish finish = {.job = job, .outcome = &outcome};
    job->pri = pri; /* it is in the heap of leases, which asks for no priority */
    int rc = finish_job(broker_of(job->tube), &finish, &gone);
    if (rc != 0)
        job->pri = before;
    return rc;
}

int decide_bury(struct broker *broker, struct broker_op *op)
{
    struct job *job;
    int rc = lease_ask(op, &job);
    (void)broker;
    return rc == 0 ? bury(job, op->back.pri) : rc;
}

/* Who has it says that it is done. */
HELD static int delete_leased(struct broker *broker, struct job *job, struct job **gone)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    const struct finish finish = {.job = job, .outcome = &outcome, .deletes = true};
    return finish_job(broker, &finish, gone);
}

int decide_delete(struct broker *broker, struct broker_op *op)
{
    struct job *job = idtable_get(&broker->ledger.jobs, op->id);
    if (op->token == 0 && job != NULL && job->state != JOB_RESERVED) {
        int asked = job_ask(op->asker, job, TRUST_edit);
        if (asked == 0)
            return settle_delete_idle(broker, job, &op->gone);
        return op->holder == NULL ? asked : ENOENT;
    }
    int rc = lease_ask(op, &job);
    return rc == 0 ? delete_leased(broker, job, &op->gone) : rc;
}
