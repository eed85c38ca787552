// SPDX-License-Identifier: MIT
/*
 * The broker is filled from its journal. What the journal tells is the store's; the counts since
 * the start, which it doesn't tell, begin with the jobs that are there: as put, the buried ones as
 * failed, too.
 */
#include "broker/events_priv.h"
#include "broker/groups_priv.h"
#include "broker/line_priv.h"

#include <errno.h>

HELD static void totals_begin(struct broker *broker)
{
    struct list_node *node = list_first(&broker->ledger.tube_list);
    for (; node != NULL; node = list_next(&broker->ledger.tube_list, node)) {
        struct tube *tube = CONTAINER_OF(node, struct tube, node);
        struct broker_totals *totals = &broker_tube(tube)->stats.totals;
        totals->put = tube_jobs(tube);
        totals->failed = tube->counts.count[JOB_BURIED];
        broker->stats.totals.put += totals->put;
        broker->stats.totals.failed += totals->failed;
    }
}

/* The journal is one commit further, or smaller: who stands for it is served. */
static void look(struct ledger *ledger)
{
    struct broker *broker = broker_of_ledger(ledger);
    broker_lock(broker);
    bool due = store_look(ledger->store);
    lines_serve(broker);
    if (broker->events != NULL)
        listen_published(broker->events);
    void (*compaction_wanted)(void *arg) = due ? broker->hooks->compaction_wanted : NULL;
    void *compaction_wanted_arg = broker->hooks_arg;
    broker_unlock(broker);
    if (compaction_wanted != NULL)
        compaction_wanted(compaction_wanted_arg);
}

int broker_recover(struct broker *broker, const struct store_options *options,
                   struct store_recovered *recovered, struct journal_error *error)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    ASSERT(broker->ledger.store == NULL && broker->ledger.jobs.len == 0);
    struct recovery *recovery = NULL;
    int rc = store_new(&broker->ledger, options, look);
    if (rc != 0)
        return rc;
    broker_lock(broker);
    store_compacted(broker->ledger.store, broker->hooks->compaction_wanted != NULL);
    rc = store_replay(broker->ledger.store, recovered, error, &recovery);
    if (rc == 0)
        groups_trim(broker, broker->ledger.groups.len);
    totals_begin(broker); /* also after half a replay: what is there must be counted */
    broker->memory_peak = broker_memory(broker);
    broker_unlock(broker);
    rc = store_start(broker->ledger.store, &recovery, rc);
    if (rc == 0 && options->cache_size > 0)
        rc = fetch_start(broker);
    if (rc != 0)
        store_end(broker->ledger.store);
    return rc;
}
