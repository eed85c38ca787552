// SPDX-License-Identifier: MIT
/*
 * Clients: what the broker knows of a connection. What time does to it and its end are in
 * client_end.c, waiting is in reserve.c, leases are in lease.c.
 *
 * Most connections watch one tube, so one watched tube is in place and all else is allocated when
 * it is needed: an idle connection, or one that only puts, has neither leases nor a place in line
 * (struct client_extra).
 */
#include "base/clock.h"
#include "broker/client_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void client_start(struct broker_client *client, struct broker *broker)
{
    memset(client, 0, sizeof(*client));
    MAGIC_INIT(client, BROKER_CLIENT_MAGIC);
    client->broker = broker;
    client->watched = &client->first_watched;
    client->watch_cap = 1;
}

int client_extra_need(struct broker_client *client)
{
    if (client->extra != NULL)
        return 0;
    struct client_extra *extra = calloc(1, sizeof(*extra));
    if (extra == NULL)
        return ENOMEM;
    int rc = broker_timer_init(client->broker, &extra->timer, TIMER_CLIENT);
    if (rc != 0) {
        free(extra);
        return rc;
    }
    MAGIC_INIT(extra, CLIENT_EXTRA_MAGIC);
    extra->client = client;
    heap_init(&extra->leases, job_key_less, NULL, job_moved);
    extra->links = &extra->first_link;
    extra->link_cap = 1;
    client->extra = extra;
    return 0;
}

HELD static void extra_free(struct broker *broker, struct client_extra **extra)
{
    if (*extra == NULL)
        return;
    struct client_extra *mine;
    MAGIC_TAKE(mine, extra, CLIENT_EXTRA_MAGIC);
    ASSERT(mine->leases.len == 0 && mine->leases.promised == 0);
    broker_timer_fini(broker, &mine->timer);
    heap_fini(&mine->leases);
    if (mine->links != &mine->first_link)
        free(mine->links);
    job_extra_free(&mine->spare);
    MAGIC_WIPE(mine);
    free(mine);
}

bool client_holds(const struct broker_client *client)
{
    return client->extra != NULL && client->extra->leases.len > 0;
}

void client_stop(struct broker_client *client)
{
    ASSERT(client->watch_count == 0);
    extra_free(client->broker, &client->extra);
    if (client->watched != &client->first_watched)
        free(client->watched);
    MAGIC_WIPE(client);
}

bool broker_is_reserving(const struct broker_client *client)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    return client->extra != NULL && client->extra->reserver != NULL;
}

/* ---- time ---- */

bool reserver_lined(const struct broker_client *client)
{
    if (!broker_is_reserving(client))
        return false;
    const struct later *later = &client->extra->reserver->wait.later;
    return later->state == LATER_WAITS && later->cancel == client->broker->calls->reserve_cancel;
}

void client_timer_update(struct broker_client *client)
{
    const struct job *soonest = heap_first(&client->extra->leases);
    int64_t at_ns = soonest != NULL ? soonest->extra->key_ns : CLOCK_NEVER;
    if (reserver_lined(client)) {
        if (soonest != NULL && at_ns != CLOCK_NEVER)
            at_ns -= BROKER_MARGIN_NS;
        if (client->extra->timeout_ns < at_ns)
            at_ns = client->extra->timeout_ns;
    }
    broker_timer_set(client->broker, &client->extra->timer, at_ns);
}

void reserver_unlined(struct broker_client *client)
{
    client->broker->stats.waiting--;
    heap_unpromise(&client_of_leases(client, client->extra->with_token)->extra->leases);
    client_timer_update(client);
}

/* ---- watching ---- */

/* The index of the tube among the watched ones, or their number. */
HELD static uint32_t watch_find(const struct broker_client *client, const struct tube *tube)
{
    uint32_t i = 0;
    while (i < client->watch_count && client->watched[i] != &tube->ready)
        i++;
    return i;
}

HELD static int watch_room(struct broker_client *client)
{
    if (client->watch_count < client->watch_cap)
        return 0;
    uint32_t cap = client->watch_cap * 2;
    bool in_place = client->watched == &client->first_watched;
    struct queue_core **watched =
        reallocarray(in_place ? NULL : client->watched, cap, sizeof(*watched));
    if (watched == NULL)
        return ENOMEM;
    if (in_place)
        watched[0] = client->first_watched;
    client->watched = watched;
    client->watch_cap = cap;
    return 0;
}

HELD static int watch_add(struct broker_client *client, const char *name, size_t len)
{
    struct broker *broker = client->broker;
    struct tube *tube = tube_find(&broker->ledger, name, len);
    if (tube != NULL && watch_find(client, tube) < client->watch_count)
        return 0;
    if (client->watch_count >= BROKER_WATCHED_MAX)
        return ENOBUFS;
    int rc = watch_room(client);
    if (rc == 0)
        rc = tube_need(&broker->ledger, name, len, &tube);
    if (rc != 0)
        return rc;
    broker_tube(tube)->stats.watching++;
    broker->stats.watching++;
    client->watched[client->watch_count++] = &tube->ready;
    return 0;
}

/* The last one moves into the hole. */
void client_unwatch(struct broker_client *client, uint32_t index)
{
    struct tube *tube = tube_of_core(client->watched[index]);
    client->watched[index] = client->watched[--client->watch_count];
    broker_tube(tube)->stats.watching--;
    client->broker->stats.watching--;
    tube_unref(tube);
}

int broker_watch(struct broker_client *client, const char *name, size_t len, size_t *count)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    ASSERT(!broker_is_reserving(client));
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    broker_lock(client->broker);
    rc = watch_add(client, name, len);
    broker_unlock(client->broker);
    *count = client->watch_count;
    return rc;
}

int broker_ignore(struct broker_client *client, const char *name, size_t len, size_t *count)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    ASSERT(!broker_is_reserving(client));
    int rc = 0;
    broker_lock(client->broker);
    const struct tube *tube = tube_find(&client->broker->ledger, name, len);
    uint32_t index = tube != NULL ? watch_find(client, tube) : client->watch_count;
    if (index < client->watch_count) {
        if (client->watch_count == 1)
            rc = EBUSY;
        else
            client_unwatch(client, index);
    }
    broker_unlock(client->broker);
    *count = client->watch_count;
    return rc;
}

void broker_watch_none(struct broker_client *client)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    broker_lock(client->broker);
    while (client->watch_count > 0)
        client_unwatch(client, client->watch_count - 1);
    broker_unlock(client->broker);
}

size_t broker_watch_count(const struct broker_client *client)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    return client->watch_count;
}

const char *broker_watch_name(const struct broker_client *client, size_t index)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    ASSERT(index < client->watch_count);
    return tube_of_core(client->watched[index])->name;
}

/* ---- life ---- */

int broker_client_init(struct broker_client *client, struct broker *broker)
{
    broker_lock(broker);
    client_start(client, broker);
    int rc = watch_add(client, JOB_TUBE_DEFAULT, sizeof(JOB_TUBE_DEFAULT) - 1);
    if (rc != 0)
        client_stop(client);
    broker_unlock(broker);
    return rc;
}

void broker_client_produces(struct broker_client *client)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    if (client->producer)
        return;
    client->producer = true;
    broker_lock(client->broker);
    client->broker->stats.producers++;
    broker_unlock(client->broker);
}
