// SPDX-License-Identifier: MIT
/*
 * The ledger's lock: the domain that all tubes share. It is taken briefly and never twice: what a
 * change makes ready (a waiting worker, a joiner) runs when the domain is released.
 */
#include "ledger/state.h"

#include "base/assert.h"

IS_LOCK void ledger_lock(struct ledger *ledger)
{
    queue_domain_acquire(ledger->domain);
}

IS_LOCK void ledger_unlock(struct ledger *ledger)
{
    ASSERT_EXPENSIVE(ledger_is_large(ledger) || ledger_valid(ledger));
    queue_domain_release(ledger->domain);
}
