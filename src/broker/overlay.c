// SPDX-License-Identifier: MIT
/*
 * The overlay: what the broker has beside the ledger, as the ledger asks for it. Its own part of
 * each tube, and who has the reserved jobs.
 */
#include "broker/client_priv.h"
#include "broker/consumer_priv.h"
#include "broker/events_priv.h"
#include "broker/lease_priv.h"

HELD static int overlay_tube_made(struct tube *tube)
{
    struct broker *broker = broker_of(tube);
    struct broker_tube *mine = broker_tube(tube);
    int rc = broker_timer_init(broker, &mine->timer, TIMER_TUBE);
    if (rc != 0)
        return rc;
    list_init(&mine->waiting_puts);
    tube->trust_class = trust_tube_class(broker->options.trust, tube->name, tube->name_len);
    if (broker->events != NULL)
        listen_tube_made(tube);
    return 0;
}

HELD static void overlay_tube_gone(struct tube *tube)
{
    struct broker *broker = broker_of(tube);
    ASSERT(list_empty(&broker_tube(tube)->waiting_puts)); /* each has a reference */
    if (broker->events != NULL)
        listen_tube_gone(tube);
    broker_timer_fini(broker, &broker_tube(tube)->timer);
}

HELD static int overlay_lease_room(struct ledger *ledger)
{
    return heap_reserve(&broker_of_ledger(ledger)->tokens.extra->leases, 1);
}

/* A ready job goes to whoever waited longest. */
HELD static void overlay_given(void *item, struct queue_wait *wait)
{
    struct job *job = item;
    if (wait->later.cancel == reserver_cancel) {
        reserver_given(wait, job);
        return;
    }
    struct broker_consumer *consumer = CONTAINER_OF(wait, struct consumer_wait, wait)->consumer;
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    consumer_begin(consumer, job);
}

const struct ledger_hooks overlay = {.tube_size = sizeof(struct broker_tube),
                                     .tube_made = overlay_tube_made,
                                     .tube_gone = overlay_tube_gone,
                                     .tube_times = tube_timer_update,
                                     .given = overlay_given,
                                     .lease_room = overlay_lease_room,
                                     .lease_enter = lease_contain,
                                     .lease_end = lease_end};
