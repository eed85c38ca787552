// SPDX-License-Identifier: MIT
/*
 * Watches: a list of them, and the types of all in one word, which is 0 as long as there are none.
 */
#include "broker/watch_priv.h"

HELD static void types_sum(struct broker *broker)
{
    broker->observed = 0;
    struct list_node *node = list_first(&broker->watches);
    for (; node != NULL; node = list_next(&broker->watches, node))
        broker->observed |= CONTAINER_OF(node, struct change_watch, node)->types;
}

void change_watch(struct broker *broker, struct change_watch *watch)
{
    list_append(&broker->watches, &watch->node);
    types_sum(broker);
}

void change_unwatch(struct broker *broker, struct change_watch *watch)
{
    list_remove(&watch->node);
    types_sum(broker);
}

void watch_tell(struct broker *broker, const struct change *change)
{
    queue_domain_assert_held(broker->ledger.domain);
    struct list_node *node = list_first(&broker->watches);
    for (; node != NULL; node = list_next(&broker->watches, node)) {
        struct change_watch *watch = CONTAINER_OF(node, struct change_watch, node);
        if ((watch->types & WATCH_TYPE(change->type)) != 0)
            watch->change(watch, change);
    }
}

/* ---- what has no entry ---- */

void watch_tell_back(struct job *job)
{
    const struct change change = {.type = JOB_ENTRY_RETRY,
                                  .from = JOB_RESERVED,
                                  .to = JOB_READY,
                                  .kind = JOB_OUTCOME_RETURNED,
                                  .job = job};
    watch_tell(broker_of(job->tube), &change);
}

void watch_tell_due(struct job *job)
{
    const struct change change = {
        .type = CHANGE_TYPE_DUE, .from = JOB_DELAYED, .to = JOB_READY, .job = job};
    watch_tell(broker_of(job->tube), &change);
}

void watch_tell_resume(struct tube *tube)
{
    const struct change change = {.type = JOB_ENTRY_PAUSE, .to = JOB_READY, .tube = tube};
    watch_tell(broker_of(tube), &change);
}
