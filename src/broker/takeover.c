// SPDX-License-Identifier: MIT
/*
 * Taking over: what becomes of jobs that workers of the daemon had when the process before ended.
 *
 * After the replay they are reserved, each under a token that nobody was told. They are settled
 * like any attempt, by changes that are recorded: RETURNED where nobody is to blame, CRASHED where
 * the process was ended and one of them may have done it. Which one isn't known, so all are
 * charged; who did it will be there again the next time, and the others rarely. The rules of the
 * job, its tube and its pool say how often that is forgiven.
 *
 * Leases under a token need nothing: replay put them where they were.
 */
#include "base/clock.h"
#include "broker/client_priv.h"

#include <errno.h>
#include <stdio.h>

#define SOME 64 /* jobs that are looked up in one hold of the lock */
/* A start isn't held up for longer by a disk that is full. */
#define DURABLE_NS (10 * HL_SECOND)

struct left_job {
    uint64_t id, token;
    char tube[JOB_TUBE_NAME_MAX + 1];
};

static bool is_left(const struct job *job)
{
    return job->state == JOB_RESERVED && job->extra->client == NULL;
}

/* The next of them in the order of the table, which loses none meanwhile. */
static size_t left_some(struct broker *broker, struct idtable_cursor *cursor, struct left_job *left)
{
    size_t count = 0;
    const struct job *job;
    broker_lock(broker);
    while (count < SOME && (job = idtable_next(&broker->ledger.jobs, cursor)) != NULL)
        if (is_left(job)) {
            left[count].id = job->id;
            left[count].token = job->extra->token;
            snprintf(left[count].tube, sizeof(left[count].tube), "%s", job->tube->name);
            count++;
        }
    broker_unlock(broker);
    return count;
}

static int give_back(struct broker *broker, const struct left_job *left)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_RETURNED;
    return broker_settle(broker, left->id, left->token, &outcome);
}

/* What broker_settle says. */
static int charge_one(struct broker *broker, const struct broker_charge *charge,
                      const struct left_job *left)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_CRASHED;
    outcome.rules = charge->rules != NULL ? charge->rules(left->tube, charge->arg) : NULL;
    job_outcome_reason(&outcome, "hilerad was ended while it ran");
    return broker_settle(broker, left->id, left->token, &outcome);
}

static int take_over(struct broker *broker, const struct broker_charge *charge,
                     const struct left_job *left, struct broker_taken *taken)
{
    int rc = charge != NULL ? charge_one(broker, charge, left) : ENOENT;
    if (rc == 0) {
        taken->charged++;
        return 0;
    }
    taken->returned++;
    int returned = give_back(broker, left);
    return charge != NULL ? rc : returned;
}

/* All that was changed is on the disk. */
static int all_durable(struct broker *broker)
{
    broker_lock(broker);
    struct ticket ticket = {.durable = store_last(broker->ledger.store)};
    broker_unlock(broker);
    return broker_ticket_wait(broker, &ticket, DURABLE_NS);
}

int broker_take_over(struct broker *broker, const struct broker_charge *charge,
                     struct broker_taken *taken)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    ASSERT(broker->ledger.store != NULL);
    *taken = (struct broker_taken){0};
    struct left_job left[SOME];
    struct idtable_cursor cursor = {0};
    uint64_t buried = broker->ledger.counts.count[JOB_BURIED];
    size_t count;
    int rc = 0;
    do {
        count = left_some(broker, &cursor, left);
        for (size_t i = 0; i < count; i++) {
            int one = take_over(broker, charge, &left[i], taken);
            rc = rc == 0 ? one : rc;
        }
    } while (count == SOME);
    taken->tokens = broker->tokens.extra->leases.len;
    taken->buried = broker->ledger.counts.count[JOB_BURIED] - buried;
    if (rc == 0 && taken->returned + taken->charged > 0)
        rc = all_durable(broker);
    return rc;
}
