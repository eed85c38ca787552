// SPDX-License-Identifier: MIT
/*
 * Ends that linger: how jobs ended of which no record is kept, for who will ask a moment later.
 *
 * Who puts a job and waits for it can't do both at once, and a job may be over in between. So a put
 * can say that somebody will wait (broker_put_spec.awaited). If such a job leaves no record its end
 * is kept here for a while: a few, for a minute, the oldest go first.
 */
#include "base/clock.h"
#include "broker/finish_priv.h"

#define LINGER_NS (60 * HL_SECOND)
#define LINGER_MAX 256
#define LINGER_BYTES_MAX ((size_t)4 << 20)

HELD static void oldest_drop(struct broker *broker)
{
    struct job_end *oldest = CONTAINER_OF(list_last(&broker->lingering.ends), struct job_end, node);
    list_remove(&oldest->node);
    broker->lingering.count--;
    broker->lingering.bytes -= job_end_memory(oldest);
    job_end_unref(&oldest);
}

void linger_begin(struct broker *broker, struct job_end **end)
{
    struct lingering *lingering = &broker->lingering;
    list_prepend(&lingering->ends, &(*end)->node);
    lingering->count++;
    lingering->bytes += job_end_memory(*end);
    *end = NULL;
    while (lingering->count > LINGER_MAX ||
           (lingering->bytes > LINGER_BYTES_MAX && lingering->count > 1))
        oldest_drop(broker);
}

void linger_end_all(struct broker *broker)
{
    while (broker->lingering.count > 0)
        oldest_drop(broker);
}

void broker_forget_ends(struct broker *broker)
{
    int64_t oldest_ns = clock_now_ns() - LINGER_NS;
    broker_lock(broker);
    struct list_node *node;
    while ((node = list_last(&broker->lingering.ends)) != NULL &&
           CONTAINER_OF(node, struct job_end, node)->now_ns <= oldest_ns)
        oldest_drop(broker);
    broker_unlock(broker);
}

struct job_end *broker_last_end(struct broker *broker, uint64_t id)
{
    struct job_end *found = NULL;
    broker_lock(broker);
    struct list_node *node = list_first(&broker->lingering.ends);
    for (; node != NULL && found == NULL; node = list_next(&broker->lingering.ends, node)) {
        struct job_end *end = CONTAINER_OF(node, struct job_end, node);
        if (end->view.id == id)
            found = job_end_ref(end);
    }
    broker_unlock(broker);
    return found;
}
