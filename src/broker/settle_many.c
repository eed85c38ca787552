// SPDX-License-Identifier: MIT
/*
 * Many jobs that are done, settled under one hold of the lock.
 *
 * Each has its own lease and token and is settled by itself: a stale token, or a job of whose end
 * somebody has to hear first, holds up no other. What can't be done in this way (another outcome, a
 * record to make, a journal that has no room at the moment) is settled afterwards as broker_settle
 * does it. Memory is freed without the lock.
 */
#include "broker/broker_priv.h"

#include <errno.h>

/* Settles some; the others have EINPROGRESS. */
static void settle_some(struct broker *broker, struct broker_settlement *list, size_t count)
{
    struct job *gone[BROKER_SETTLE_MAX];
    size_t gone_count = 0;
    broker_lock(broker);
    for (size_t i = 0; i < count; i++) {
        list[i].rc = EINPROGRESS;
        if (list[i].outcome->kind != JOB_OUTCOME_DONE)
            continue;
        list[i].rc = settle_done_quietly(broker, list[i].id, list[i].token, &gone[gone_count]);
        gone_count += list[i].rc == 0;
    }
    broker_unlock(broker);
    for (size_t i = 0; i < gone_count; i++)
        job_free(&gone[i]);
}

void broker_settle_many(struct broker *broker, struct broker_settlement *list, size_t count)
{
    ASSERT(count <= BROKER_SETTLE_MAX);
    settle_some(broker, list, count);
    for (size_t i = 0; i < count; i++)
        if (list[i].rc == EINPROGRESS)
            list[i].rc = broker_settle(broker, list[i].id, list[i].token, list[i].outcome);
}
