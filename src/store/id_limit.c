// SPDX-License-Identifier: MIT
/*
 * The limit of ids.
 *
 * Ids below the limit may be issued once the record of the limit is durable, so an id that anybody
 * ever saw is never issued again, whatever is lost. The limit is raised when half of a block is
 * used up, and nobody waits for that but in the rare case that a whole half is used up before one
 * sync is done.
 */
#include "store/store_priv.h"

#include <errno.h>

#define LIMITS_BLOCK (UINT64_C(1) << 17)

static int limit_admit(struct store *store)
{
    return commit_admit(store->commit, JOURNAL_LAST, 1, JOB_ENTRY_CHANGE_MAX);
}

/* Its ticket. */
static uint64_t limit_add(struct store *store)
{
    const struct job_entry entry = {.type = JOB_ENTRY_LIMITS, .id_limit = store->id_limit};
    const struct commit_change change = {.entry = &entry, .class = JOURNAL_STATE};
    return commit_add(store->commit, &change);
}

static bool limit_is_near(const struct store *store)
{
    return store->id_limit < JOB_ID_MAX &&
           store->ledger->last_id + LIMITS_BLOCK / 2 >= store->id_limit;
}

HELD static int limit_raise(struct store *store)
{
    int rc = limit_admit(store);
    if (rc != 0)
        return rc;
    store->id_limit = job_serial_add(store->ledger->last_id, 1 + LIMITS_BLOCK);
    store->limits_ticket = limit_add(store);
    return 0;
}

int id_admit(struct store *store, uint64_t id)
{
    if (id >= JOB_ID_MAX)
        return ENOTRECOVERABLE;
    if (store->limits_ticket != 0 &&
        commit_reached(store->commit, COMMIT_DURABLE) >= store->limits_ticket) {
        store->id_safe = store->id_limit;
        store->limits_ticket = 0;
    }
    int raised = 0;
    if (store->limits_ticket == 0 && limit_is_near(store))
        raised = limit_raise(store);
    if (id < store->id_safe)
        return 0; /* if it can't be raised now, what is left of the block is there to try again */
    if (commit_failed(store->commit) != 0)
        return EIO;
    /* Without room for the record nothing is pending that a commit could end. */
    return raised != 0 ? raised : EAGAIN;
}

void id_limit_end(struct store *store)
{
    if (limit_admit(store) != 0)
        return;
    store->id_limit = store->id_safe = job_serial_add(store->ledger->last_id, 1);
    (void)limit_add(store);
}

int id_limit_begin(struct store *store)
{
    ledger_lock(store->ledger);
    int rc = id_admit(store, store->ledger->last_id + 1);
    struct ticket ticket = {.durable = store->limits_ticket};
    ledger_unlock(store->ledger);
    if (rc == EIO || ticket.durable == 0)
        return rc == EIO ? EIO : 0;
    rc = store_make_room(store);
    if (rc == ENOSPC)
        return 0;
    return rc == 0 ? store_ticket_wait(store, &ticket, HL_FOREVER) : rc;
}
