// SPDX-License-Identifier: MIT
/*
 * The ledger's life: how it begins, and how all that is in it is freed.
 */
#include "ledger/group.h"
#include "ledger/key.h"
#include "ledger/tube.h"

int ledger_init(struct ledger *ledger, const struct ledger_hooks *hooks)
{
    int rc = queue_domain_new(&ledger->domain, "broker", lock_class(LOCK_CLASS_broker));
    if (rc != 0)
        return rc;
    ledger->hooks = hooks;
    idtable_init(&ledger->jobs);
    idtable_init(&ledger->locators);
    strmap_init(&ledger->tubes);
    strmap_init(&ledger->settings);
    strmap_init(&ledger->keys);
    strmap_init(&ledger->groups);
    list_init(&ledger->idle_groups);
    list_init(&ledger->group_list);
    list_init(&ledger->tube_list);
    names_init(&ledger->names);
    queue_core_init(&ledger->all, ledger->domain,
                    &(struct queue_core_options){.name = "all tubes"});
    ledger->clocks_apart = clocks_apart();
    return 0;
}

/* Takes every job out of its containers and frees it. */
HELD static void free_jobs(struct ledger *ledger)
{
    struct idtable_cursor cursor = {0};
    struct job *job;
    while ((job = idtable_next(&ledger->jobs, &cursor)) != NULL) {
        struct tube *tube = job->tube;
        group_leave(job);
        tube_job_leave(job);
        if (job->state == JOB_DELAYED || job->state == JOB_RESERVED)
            heap_unpromise(&tube->ready.heap);
        job_free(&job);
        tube_unref(tube);
    }
}

/* Pauses that are in the journal keep their tubes. */
HELD static void free_pauses(struct ledger *ledger)
{
    struct list_node *node = list_first(&ledger->tube_list);
    while (node != NULL) {
        struct tube *tube = CONTAINER_OF(node, struct tube, node);
        node = list_next(&ledger->tube_list, node);
        if (tube->pause_kept)
            tube_unref(tube);
    }
}

void ledger_empty(struct ledger *ledger)
{
    free_jobs(ledger);
    free_pauses(ledger);
}

void ledger_fini(struct ledger *ledger)
{
    ASSERT(list_empty(&ledger->tube_list)); /* a user, a sink or a waiter is left otherwise */
    ASSERT(list_empty(&ledger->names.all)); /* somebody reads them otherwise */
    queue_core_fini(&ledger->all);
    groups_free(ledger);
    strmap_fini(&ledger->tubes);
    settings_free(ledger);
    keys_free(ledger);
    idtable_fini(&ledger->jobs);
    idtable_fini(&ledger->locators);
    hl_queue_domain_free(&ledger->domain);
}
