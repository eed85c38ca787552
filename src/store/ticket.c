// SPDX-License-Identifier: MIT
/*
 * Tickets: how far the changes are that somebody was told of, and how to get there.
 *
 * Who is told of a change must not tell on before its ticket is reached. Whoever makes changes says
 * where their highest ticket goes (ledger->teller): into the operation, the client, the walk. That
 * of all together (`wanted`) is for who learns of a change that somebody else made (a join that
 * fires).
 */
#include "store/store_priv.h"

#include "base/clock.h"

#include <errno.h>

/* Who parks looks again so often; a wake-up comes as a rule. */
#define PARK_NS (HL_SECOND / 10)

HELD static void tell(struct store *store, const struct ticket *ticket)
{
    if (store->ledger->teller != NULL)
        ticket_add(store->ledger->teller, ticket);
}

void store_told(struct store *store, enum durability durability, uint64_t ticket)
{
    struct ticket now = {.written = durability == DURABILITY_INTERVAL ? ticket : 0,
                         .durable = durability == DURABILITY_COMMIT ? ticket : 0};
    if (durability == DURABILITY_INTERVAL)
        store->wanted.written = ticket;
    else if (durability == DURABILITY_COMMIT)
        store->wanted.durable = ticket;
    tell(store, &now);
}

void store_told_all(struct ledger *ledger)
{
    if (ledger->store != NULL)
        tell(ledger->store, &ledger->store->wanted);
}

struct ticket store_wanted(const struct store *store)
{
    return store->wanted;
}

uint64_t store_last(const struct store *store)
{
    return commit_last(store->commit);
}

/* ---- how far it is ---- */

int store_ticket_reached(const struct store *store, struct ticket *reached)
{
    *reached = (struct ticket){.written = UINT64_MAX, .durable = UINT64_MAX};
    if (store == NULL)
        return 0;
    /* The failure is looked at first: what is reached after it was reached before it. */
    int rc = commit_failed(store->commit) != 0 ? EIO : 0;
    reached->written = commit_reached(store->commit, COMMIT_WRITTEN);
    reached->durable = commit_reached(store->commit, COMMIT_DURABLE);
    return rc;
}

int store_ticket_state(const struct store *store, const struct ticket *ticket)
{
    struct ticket now;
    int rc = store_ticket_reached(store, &now);
    if (ticket_is_reached(ticket, &now))
        return 0;
    return rc != 0 ? rc : EINPROGRESS;
}

static void want(struct store *store, const struct ticket *ticket)
{
    if (ticket->durable > commit_reached(store->commit, COMMIT_DURABLE))
        commit_want(store->commit, COMMIT_DURABLE);
    if (ticket->written > commit_reached(store->commit, COMMIT_WRITTEN))
        commit_want(store->commit, COMMIT_WRITTEN);
}

bool store_lead(struct store *store, const struct ticket *ticket, bool more)
{
    if (store == NULL)
        return true;
    if (more && ticket->durable > commit_reached(store->commit, COMMIT_DURABLE) &&
        commit_failed(store->commit) == 0 && commit_may_gather(store->commit))
        return false;
    want(store, ticket);
    (void)commit_lead_inline(store->commit); /* store_ticket_reached tells */
    return true;
}

void store_lead_elsewhere(struct store *store, const struct ticket *ticket)
{
    if (store == NULL)
        return;
    want(store, ticket);
    (void)commit_lead_elsewhere(store->commit);
}

/* Until something was published after `seen`, for a short time. */
static void park(struct store *store, uint32_t seen, int64_t deadline_ns)
{
    int64_t soon_ns = clock_deadline(PARK_NS);
    atomic_fetch_add(&store->parked, 1);
    if (atomic_load(&store->published) == seen) {
        hl_thread_wait_begin("journal", "commit");
        (void)park_wait(&store->published, seen, deadline_ns < soon_ns ? deadline_ns : soon_ns);
        hl_thread_wait_end();
    }
    atomic_fetch_sub(&store->parked, 1);
}

int store_ticket_wait(struct store *store, const struct ticket *ticket, int64_t timeout_ns)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    int rc;
    while ((rc = store_ticket_state(store, ticket)) == EINPROGRESS) {
        uint32_t seen = atomic_load(&store->published);
        want(store, ticket);
        int led = commit_lead_inline(store->commit);
        if (store_ticket_state(store, ticket) != EINPROGRESS)
            continue;
        if (clock_now_ns() >= deadline_ns)
            return ETIMEDOUT;
        if (led != 0)
            park(store, seen, deadline_ns);
    }
    return rc;
}

void store_park(struct store *store, uint32_t seen)
{
    park(store, seen, CLOCK_NEVER);
}

void store_published(struct store *store)
{
    store->look(store->ledger);
    atomic_fetch_add(&store->published, 1);
    if (atomic_load(&store->parked) > 0)
        park_wake(&store->published, INT32_MAX);
    if (store->options.published != NULL)
        store->options.published(store->options.arg);
}

/* ---- a busy journal ---- */

int store_make_room(struct store *store)
{
    uint32_t seen = atomic_load(&store->published);
    int rc = EBUSY;
    if (!atomic_load(&store->puts_wait)) {          /* else a commit is no help */
        commit_want(store->commit, COMMIT_DURABLE); /* the ceiling must be durable, too */
        rc = commit_lead_inline(store->commit);
    }
    if (rc == EBUSY) {
        park(store, seen, CLOCK_NEVER);
        rc = commit_failed(store->commit) != 0 ? EIO : 0;
    }
    return rc;
}

void store_want_room(struct store *store)
{
    if (store == NULL || atomic_load(&store->puts_wait))
        return;
    commit_want(store->commit, COMMIT_DURABLE);
    (void)commit_lead_elsewhere(store->commit);
}
