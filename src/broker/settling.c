// SPDX-License-Identifier: MIT
/*
 * Settling for threads that may block: one attempt, several, and one that can't begin.
 */
#include "broker/finish_priv.h"
#include "broker/lease_priv.h"
#include "broker/settle_priv.h"

#include "broker/op.h"

#include <errno.h>

int broker_settle(struct broker *broker, uint64_t id, uint64_t token, struct job_outcome *outcome)
{
    struct attempt_end last;
    int rc = attempt_end_make(&last, outcome);
    if (rc != 0)
        return rc;
    struct broker_op op;
    broker_op_init(&op, BROKER_SETTLE, id, token);
    op.settle.outcome = outcome;
    op.settle.last = &last;
    rc = broker_run_blocking(broker, &op);
    broker_op_fini(&op);
    attempt_end_free(&last);
    return rc;
}

void broker_return(struct broker *broker, uint64_t id, uint64_t token)
{
    broker_lock(broker);
    struct job *job = job_under_token(broker, id, token);
    if (job != NULL)
        (void)lease_return(job, 0);
    broker_unlock(broker);
}

/* Those that leave; the others have EINPROGRESS, and those for which the journal has no room
 * just now. */
HELD static size_t settle_some(struct broker *broker, struct broker_settlement *list, size_t count,
                               struct job *gone[BROKER_SETTLE_MAX])
{
    size_t gone_count = 0;
    for (size_t i = 0; i < count; i++) {
        list[i].rc = EINPROGRESS;
        if (list[i].outcome->kind != JOB_OUTCOME_DONE)
            continue;
        const struct finish finish = {.job = job_under_token(broker, list[i].id, list[i].token),
                                      .outcome = list[i].outcome};
        list[i].rc = finish.job != NULL ? finish_job(broker, &finish, &gone[gone_count]) : ESTALE;
        gone_count += list[i].rc == 0;
        if (list[i].rc == EAGAIN)
            list[i].rc = EINPROGRESS;
    }
    return gone_count;
}

void broker_settle_many(struct broker *broker, struct broker_settlement *list, size_t count)
{
    struct job *gone[BROKER_SETTLE_MAX];
    ASSERT(count <= BROKER_SETTLE_MAX);
    broker_lock_to_finish(broker, count);
    size_t gone_count = settle_some(broker, list, count, gone);
    broker_unlock(broker);
    for (size_t i = 0; i < gone_count; i++)
        job_free(&gone[i]);
    for (size_t i = 0; i < count; i++)
        if (list[i].rc == EINPROGRESS)
            list[i].rc = broker_settle(broker, list[i].id, list[i].token, list[i].outcome);
}

int broker_bury_damaged(struct broker *broker, uint64_t id, uint64_t token)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_BURIED; /* another attempt would find the same */
    job_outcome_reason(&outcome, "its body in the journal is damaged");
    int rc = broker_settle(broker, id, token, &outcome);
    job_outcome_fini(&outcome);
    return rc;
}

bool broker_is_cancelled(struct broker *broker, uint64_t id, uint64_t token)
{
    broker_lock(broker);
    const struct job *job = job_under_token(broker, id, token);
    bool cancelled = job != NULL && job->extra->cancelled;
    broker_unlock(broker);
    return cancelled;
}
