// SPDX-License-Identifier: MIT
/*
 * Reading bodies back that are in the journal only (body.c), for those who may not block: the
 * thread "fetch" reads, one after the other, in order of asking.
 */
#include "base/clock.h"
#include "broker/ask_priv.h"

#include <errno.h>

int broker_place_get(struct broker *broker, const struct trust_view *asker, uint64_t id,
                     struct job_place *place)
{
    broker_lock(broker);
    const struct job *job = idtable_get(&broker->ledger.jobs, id);
    int rc = job != NULL && job->evicted ? job_ask(asker, job, TRUST_read) : ENOENT;
    if (rc == 0)
        *place = store_place(job);
    broker_unlock(broker);
    return rc;
}

void broker_place_drop(struct job_place *place)
{
    store_place_drop(place);
}

int broker_fetch(struct job_place *place, struct job_body **body)
{
    return store_read(place, body);
}

/* ---- the thread ---- */

static bool fetch_cancel(struct later *later)
{
    (void)later;
    return false;
}

static void fetch_one(struct broker_fetch *fetch)
{
    int rc = broker_fetch(&fetch->place, &fetch->body);
    later_tell(&fetch->later, rc);
}

void broker_fetch_start(struct broker_fetch *fetch)
{
    struct fetcher *fetcher = &broker_of_ledger(store_ledger(fetch->place.store))->fetcher;
    struct list_node *node = &fetch->later.node;
    later_wait(&fetch->later, fetch_cancel);
    if (fetcher->thread == NULL) {
        fetch_one(fetch);
        return;
    }
    struct list_node *top = atomic_load(&fetcher->inbox);
    do
        node->next = top;
    while (!atomic_compare_exchange_weak(&fetcher->inbox, &top, node));
    atomic_fetch_add(&fetcher->bell, 1);
    park_wake(&fetcher->bell, 1);
}

/* What is there now, oldest first. */
static struct list_node *inbox_take(struct fetcher *fetcher)
{
    struct list_node *top = atomic_exchange(&fetcher->inbox, NULL), *oldest = NULL;
    while (top != NULL) {
        struct list_node *below = top->next;
        top->next = oldest;
        oldest = top;
        top = below;
    }
    return oldest;
}

static void fetch_run(void *arg)
{
    struct fetcher *fetcher = arg;
    for (;;) {
        uint32_t seen = atomic_load(&fetcher->bell);
        struct list_node *node = inbox_take(fetcher);
        if (node == NULL && atomic_load(&fetcher->stop))
            return;
        if (node == NULL) {
            hl_thread_wait_begin("journal", "fetch");
            (void)park_wait(&fetcher->bell, seen, CLOCK_NEVER);
            hl_thread_wait_end();
        }
        while (node != NULL) {
            struct broker_fetch *fetch = CONTAINER_OF(node, struct broker_fetch, later.node);
            node = node->next; /* it is its owner's when it has fired */
            list_node_init(&fetch->later.node);
            fetch_one(fetch);
        }
    }
}

int fetch_start(struct broker *broker)
{
    struct fetcher *fetcher = &broker->fetcher;
    const struct hl_thread_options options = {
        .target = fetch_run, .arg = fetcher, .name = "fetch", .daemon = HL_DAEMON_NO};
    int rc = hl_thread_new(&fetcher->thread, &options);
    if (rc != 0)
        return rc;
    rc = hl_thread_start(fetcher->thread);
    if (rc != 0)
        hl_thread_free(&fetcher->thread);
    return rc;
}

void fetch_stop(struct broker *broker)
{
    struct fetcher *fetcher = &broker->fetcher;
    if (fetcher->thread == NULL)
        return;
    atomic_store(&fetcher->stop, true);
    atomic_fetch_add(&fetcher->bell, 1);
    park_wake(&fetcher->bell, 1);
    MUST(hl_thread_join(fetcher->thread, HL_FOREVER));
    hl_thread_free(&fetcher->thread);
}
