// SPDX-License-Identifier: MIT
/*
 * The broker's lock is the ledger's: taken briefly and never twice.
 *
 * What a call makes ready (a waiting consumer, a joiner) runs when the domain is released, and so
 * does the hook that tells the due thread of an earlier deadline. Ends of jobs go to whoever keeps
 * records just before, so nobody hears of one earlier.
 */
#include "broker/events_priv.h"

IS_LOCK void broker_lock(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    queue_domain_acquire(broker->ledger.domain);
}

/* With what has to be done before and after. Apart: who has none of it saves fewer registers. */
IS_LOCK static __attribute__((noinline)) void unlock_and_tell(struct broker *broker)
{
    const struct broker_options *options = &broker->options;
    unsigned tell = broker->unlock_tells;
    void (*sooner)(void *arg) = (tell & UNLOCK_SOONER) != 0 ? broker->hooks->sooner : NULL;
    void *arg = broker->hooks_arg;
    const struct ticket told =
        (tell & UNLOCK_TOLD) != 0 ? broker->events->wanted : (struct ticket){0};
    broker->unlock_tells = 0;
    if ((tell & UNLOCK_ENDED) != 0)
        options->ended(&broker->ends, options->records_arg);
    queue_domain_release(broker->ledger.domain);
    if ((tell & UNLOCK_ENDED) != 0 && options->ended_after != NULL)
        options->ended_after(options->records_arg);
    if (sooner != NULL)
        sooner(arg);
    if ((tell & UNLOCK_TOLD) != 0)
        store_lead_elsewhere(broker->ledger.store, &told);
}

IS_LOCK void broker_unlock(struct broker *broker)
{
    ASSERT_EXPENSIVE(broker_valid(broker));
    broker->ledger.teller = NULL;
    if (broker->unlock_tells != 0)
        unlock_and_tell(broker);
    else
        queue_domain_release(broker->ledger.domain);
}
