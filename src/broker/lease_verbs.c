// SPDX-License-Identifier: MIT
/*
 * Verbs of who has a job: touch, release, bury, delete.
 */
#include "broker/ask_priv.h"
#include "broker/client_priv.h"
#include "broker/finish_priv.h"
#include "broker/lease_priv.h"
#include "broker/make_priv.h"
#include "broker/settle_priv.h"
#include "broker/verbs_priv.h"

#include "base/clock.h"

#include <errno.h>

/* The job that the operation is about, for who may work there. */
HELD static int lease_ask(const struct broker_op *op, struct job **out)
{
    int rc = op->client != NULL ? lease_find(op->client, op->id, op->token, out) : ENOENT;
    return rc == 0 && job_ask(op->asker, *out, TRUST_work) != 0 ? EACCES : rc;
}

/* Its TTR begins anew; of a token's lease that is recorded. ENOSPC, EIO, ENOMEM, EAGAIN:
 * nothing changed. */
HELD static int touch(struct job *job)
{
    struct job_extra *extra = job->extra;
    struct broker_client *owner = extra->client;
    struct job_tries tries = extra->tries;
    struct change change = {.type = JOB_ENTRY_RETRY,
                            .from = JOB_RESERVED,
                            .to = JOB_RESERVED,
                            .flags = extra->token_is_key ? CHANGE_KEYED : 0,
                            .out = extra->out,
                            .job = job,
                            .key_ns = clock_deadline(job_ttr_ns(job)),
                            .token = extra->token,
                            .delay_ns = extra->delay_ns,
                            .tries = &tries};
    if (extra->out == JOB_OUT_TOKEN && job_is_logged(job)) {
        int rc = change_admit(&change);
        if (rc == 0)
            make_back(&change);
        return rc;
    }
    extra->key_ns = change.key_ns;
    heap_update(&owner->extra->leases, job->pos);
    client_timer_update(owner);
    return 0;
}

int decide_touch(struct broker *broker, struct broker_op *op)
{
    struct job *job;
    int rc = lease_ask(op, &job);
    (void)broker;
    return rc == 0 ? touch(job) : rc;
}

int decide_release(struct broker *broker, struct broker_op *op)
{
    struct job *job;
    int rc = lease_ask(op, &job);
    (void)broker;
    return rc == 0 ? lease_release(job, op->back.pri, op->back.delay_ns) : rc;
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
        return op->client == NULL ? asked : ENOENT;
    }
    int rc = lease_ask(op, &job);
    return rc == 0 ? delete_leased(broker, job, &op->gone) : rc;
}
