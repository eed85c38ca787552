// SPDX-License-Identifier: MIT
/*
 * The broker on a journal: its face is the broker's, the work is the store's.
 */
#include "broker/state_priv.h"

#include <errno.h>

bool broker_is_durable(const struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return broker->ledger.store != NULL;
}

struct ticket broker_ticket_wanted(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    struct ticket ticket = {0};
    broker_lock(broker);
    if (broker->ledger.store != NULL)
        ticket = store_wanted(broker->ledger.store);
    broker_unlock(broker);
    return ticket;
}

int broker_ticket_reached(struct broker *broker, struct ticket *reached)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return store_ticket_reached(broker->ledger.store, reached);
}

int broker_ticket_state(const struct broker *broker, const struct ticket *ticket)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return store_ticket_state(broker->ledger.store, ticket);
}

int broker_ticket_wait(struct broker *broker, const struct ticket *ticket, int64_t timeout_ns)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return store_ticket_wait(broker->ledger.store, ticket, timeout_ns);
}

bool broker_lead(struct broker *broker, const struct ticket *ticket, bool more)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return store_lead(broker->ledger.store, ticket, more);
}

void broker_lead_elsewhere(struct broker *broker, const struct ticket *ticket)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    store_lead_elsewhere(broker->ledger.store, ticket);
}

void broker_results_durable(struct broker *broker, uint64_t number)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    if (broker->ledger.store != NULL)
        store_results_durable(broker->ledger.store, number);
}

int broker_compact(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return broker->ledger.store != NULL ? store_compact(broker->ledger.store) : ENOENT;
}

void broker_store_stats(struct broker *broker, struct store_stats *stats)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    store_stats(broker->ledger.store, stats);
    broker_lock(broker);
    stats->standing = broker->standing;
    stats->impatient = broker->impatient;
    broker_unlock(broker);
}

uint64_t broker_digest(struct broker *broker,
                       void (*visit)(const void *bytes, size_t len, void *arg), void *arg)
{
    broker_lock(broker);
    uint64_t digest = ledger_digest(&broker->ledger, visit, arg);
    broker_unlock(broker);
    return digest;
}
