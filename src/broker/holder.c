// SPDX-License-Identifier: MIT
/*
 * Holders: what the broker knows of a connection. What time does to it and its end are in
 * holder_end.c, waiting is in reserve.c, leases are in lease.c.
 *
 * Most connections watch one tube, so one watched tube is in place and all else is allocated when
 * it is needed: an idle connection, or one that only puts, has neither leases nor a place in line
 * (struct holder_rare).
 */
#include "base/clock.h"
#include "broker/holder_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void holder_start(struct broker_holder *holder, struct broker *broker)
{
    memset(holder, 0, sizeof(*holder));
    MAGIC_INIT(holder, BROKER_HOLDER_MAGIC);
    holder->broker = broker;
    holder->watched = &holder->first_watched;
    holder->watch_cap = 1;
}

int holder_rare_need(struct broker_holder *holder)
{
    if (holder->rare != NULL)
        return 0;
    struct holder_rare *rare = calloc(1, sizeof(*rare));
    if (rare == NULL)
        return ENOMEM;
    int rc = alarm_init(holder->broker, &rare->alarm, ALARM_HOLDER);
    if (rc != 0) {
        free(rare);
        return rc;
    }
    MAGIC_INIT(rare, HOLDER_RARE_MAGIC);
    rare->holder = holder;
    heap_init(&rare->leases, job_key_less, NULL, job_moved);
    rare->links = &rare->first_link;
    rare->link_cap = 1;
    holder->rare = rare;
    return 0;
}

HELD static void rare_free(struct broker *broker, struct holder_rare **rare)
{
    if (*rare == NULL)
        return;
    struct holder_rare *mine;
    MAGIC_TAKE(mine, rare, HOLDER_RARE_MAGIC);
    ASSERT(mine->leases.len == 0 && mine->leases.promised == 0);
    alarm_fini(broker, &mine->alarm);
    heap_fini(&mine->leases);
    if (mine->links != &mine->first_link)
        free(mine->links);
    job_rare_free(&mine->spare);
    MAGIC_WIPE(mine);
    free(mine);
}

bool holder_holds(const struct broker_holder *holder)
{
    return holder->rare != NULL && holder->rare->leases.len > 0;
}

void holder_stop(struct broker_holder *holder)
{
    ASSERT(holder->watch_count == 0);
    rare_free(holder->broker, &holder->rare);
    if (holder->watched != &holder->first_watched)
        free(holder->watched);
    MAGIC_WIPE(holder);
}

bool broker_is_reserving(const struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    return holder->rare != NULL && holder->rare->reserver != NULL;
}

/* ---- time ---- */

bool reserver_lined(const struct broker_holder *holder)
{
    if (!broker_is_reserving(holder))
        return false;
    const struct later *later = &holder->rare->reserver->wait.later;
    return later->state == LATER_WAITS && later->cancel == holder->broker->calls->reserve_cancel;
}

void holder_alarm_update(struct broker_holder *holder)
{
    const struct job *soonest = heap_first(&holder->rare->leases);
    int64_t at_ns = soonest != NULL ? soonest->rare->key_ns : CLOCK_NEVER;
    if (reserver_lined(holder)) {
        if (soonest != NULL && at_ns != CLOCK_NEVER)
            at_ns -= BROKER_MARGIN_NS;
        if (holder->rare->timeout_ns < at_ns)
            at_ns = holder->rare->timeout_ns;
    }
    alarm_set(holder->broker, &holder->rare->alarm, at_ns);
}

void reserver_unlined(struct broker_holder *holder)
{
    holder->broker->stats.waiting--;
    heap_unpromise(&holder_of_leases(holder, holder->rare->with_token)->rare->leases);
    holder_alarm_update(holder);
}

/* ---- watching ---- */

/* The index of the tube among the watched ones, or their number. */
HELD static uint32_t watch_find(const struct broker_holder *holder, const struct tube *tube)
{
    uint32_t i = 0;
    while (i < holder->watch_count && holder->watched[i] != &tube->ready)
        i++;
    return i;
}

HELD static int watch_room(struct broker_holder *holder)
{
    if (holder->watch_count < holder->watch_cap)
        return 0;
    uint32_t cap = holder->watch_cap * 2;
    bool in_place = holder->watched == &holder->first_watched;
    struct queue_core **watched =
        reallocarray(in_place ? NULL : holder->watched, cap, sizeof(*watched));
    if (watched == NULL)
        return ENOMEM;
    if (in_place)
        watched[0] = holder->first_watched;
    holder->watched = watched;
    holder->watch_cap = cap;
    return 0;
}

HELD static int watch_add(struct broker_holder *holder, const char *name, size_t len)
{
    struct broker *broker = holder->broker;
    struct tube *tube = tube_find(&broker->ledger, name, len);
    if (tube != NULL && watch_find(holder, tube) < holder->watch_count)
        return 0;
    if (holder->watch_count >= BROKER_WATCHED_MAX)
        return ENOBUFS;
    int rc = watch_room(holder);
    if (rc == 0)
        rc = tube_need(&broker->ledger, name, len, &tube);
    if (rc != 0)
        return rc;
    broker_tube(tube)->stats.watching++;
    broker->stats.watching++;
    holder->watched[holder->watch_count++] = &tube->ready;
    return 0;
}

/* The last one moves into the hole. */
void holder_unwatch(struct broker_holder *holder, uint32_t index)
{
    struct tube *tube = tube_of_core(holder->watched[index]);
    holder->watched[index] = holder->watched[--holder->watch_count];
    broker_tube(tube)->stats.watching--;
    holder->broker->stats.watching--;
    tube_unref(tube);
}

int broker_watch(struct broker_holder *holder, const char *name, size_t len, size_t *count)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    ASSERT(!broker_is_reserving(holder));
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    broker_lock(holder->broker);
    rc = watch_add(holder, name, len);
    broker_unlock(holder->broker);
    *count = holder->watch_count;
    return rc;
}

int broker_ignore(struct broker_holder *holder, const char *name, size_t len, size_t *count)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    ASSERT(!broker_is_reserving(holder));
    int rc = 0;
    broker_lock(holder->broker);
    const struct tube *tube = tube_find(&holder->broker->ledger, name, len);
    uint32_t index = tube != NULL ? watch_find(holder, tube) : holder->watch_count;
    if (index < holder->watch_count) {
        if (holder->watch_count == 1)
            rc = EBUSY;
        else
            holder_unwatch(holder, index);
    }
    broker_unlock(holder->broker);
    *count = holder->watch_count;
    return rc;
}

void broker_watch_none(struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    broker_lock(holder->broker);
    while (holder->watch_count > 0)
        holder_unwatch(holder, holder->watch_count - 1);
    broker_unlock(holder->broker);
}

size_t broker_watch_count(const struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    return holder->watch_count;
}

const char *broker_watch_name(const struct broker_holder *holder, size_t index)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    ASSERT(index < holder->watch_count);
    return tube_of_core(holder->watched[index])->name;
}

/* ---- life ---- */

int broker_holder_init(struct broker_holder *holder, struct broker *broker)
{
    broker_lock(broker);
    holder_start(holder, broker);
    int rc = watch_add(holder, JOB_TUBE_DEFAULT, sizeof(JOB_TUBE_DEFAULT) - 1);
    if (rc != 0)
        holder_stop(holder);
    broker_unlock(broker);
    return rc;
}

void broker_holder_produces(struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    if (holder->producer)
        return;
    holder->producer = true;
    broker_lock(holder->broker);
    holder->broker->stats.producers++;
    broker_unlock(holder->broker);
}
