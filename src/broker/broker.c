// SPDX-License-Identifier: MIT
/*
 * The broker's life, its lock, and draining. What it does with jobs is in a file for each verb:
 * put, take (sinks), reserve (holders), lease, settle (and delete), kick, move, pause, wait; tubes
 * in tube.c, holders in holder.c, deadlines in alarm.c, copies out in view.c.
 *
 * The lock is the domain that all tubes share. It is taken briefly and never twice: what a call
 * makes ready (a waiting sink, a joiner) runs when the domain is released, and so does the hook
 * that tells the due thread of an earlier deadline. Ends of jobs go to whoever keeps records just
 * before, so nobody hears of one earlier.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "broker/events_priv.h"
#include "broker/finish_priv.h"
#include "broker/holder_priv.h"
#include "broker/lease_priv.h"
#include "broker/line_priv.h"
#include "broker/put_priv.h"
#include "broker/spare_priv.h"

#include <errno.h>
#include <stdlib.h>

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
        broker_lead_elsewhere(broker, &told);
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

static const struct broker_hooks no_hooks = {.sooner = NULL};

/* ---- the overlay: what the ledger tells ---- */

HELD static int overlay_tube_made(struct tube *tube)
{
    struct broker *broker = broker_of(tube);
    struct broker_tube *mine = broker_tube(tube);
    int rc = alarm_init(broker, &mine->alarm, ALARM_TUBE);
    if (rc != 0)
        return rc;
    list_init(&mine->putters);
    tube->trust_class = trust_tube_class(broker->options.trust, tube->name, tube->name_len);
    if (broker->events != NULL)
        listen_tube_made(tube);
    return 0;
}

HELD static void overlay_tube_gone(struct tube *tube)
{
    struct broker *broker = broker_of(tube);
    ASSERT(list_empty(&broker_tube(tube)->putters)); /* each has a reference */
    if (broker->events != NULL)
        listen_tube_gone(tube);
    alarm_fini(broker, &broker_tube(tube)->alarm);
}

HELD static int overlay_lease_room(struct ledger *ledger)
{
    return heap_reserve(&broker_of_ledger(ledger)->tokens.rare->leases, 1);
}

static const struct ledger_hooks overlay = {.tube_size = sizeof(struct broker_tube),
                                            .tube_made = overlay_tube_made,
                                            .tube_gone = overlay_tube_gone,
                                            .tube_times = tube_alarm_update,
                                            .given = lease_given,
                                            .lease_room = overlay_lease_room,
                                            .lease_enter = lease_contain,
                                            .lease_end = lease_end};

/* ---- life ---- */

static void options_set(struct broker *broker, const struct broker_options *options)
{
    if (options != NULL)
        broker->options = *options;
    if (broker->options.body_max == 0)
        broker->options.body_max = BROKER_BODY_MAX_DEFAULT;
    broker->ledger.daemon_uid = broker->options.daemon_uid;
    broker->ledger.durability = broker->options.level;
    broker->ledger.interval_ns = broker->options.interval_ns;
    broker->ledger.last_result = broker->options.last_result;
}

int broker_new(struct broker **out, const struct broker_options *options)
{
    struct broker *broker = calloc(1, sizeof(*broker));
    if (broker == NULL)
        return ENOMEM;
    int rc = ledger_init(&broker->ledger, &overlay);
    if (rc != 0) {
        free(broker);
        return rc;
    }
    MAGIC_INIT(broker, BROKER_MAGIC);
    broker->hooks = &no_hooks;
    options_set(broker, options);
    strmap_init(&broker->key_watches);
    broker->chance = hash_random_seed() | 1;
    list_init(&broker->putters);
    list_init(&broker->hoards);
    list_init(&broker->sinks);
    list_init(&broker->ends);
    list_init(&broker->watches);
    list_init(&broker->spare_ends);
    list_init(&broker->lingering.ends);
    heap_init(&broker->due, alarm_less, NULL, alarm_moved);
    broker->told_ns = CLOCK_NEVER;
    broker_lock(broker);
    holder_start(&broker->tokens, broker);
    rc = holder_rare_need(&broker->tokens);
    if (rc == 0)
        rc = tube_need(&broker->ledger, JOB_TUBE_DEFAULT, sizeof(JOB_TUBE_DEFAULT) - 1,
                       &broker->fallback);
    if (rc == 0)
        rc = lines_init(broker);
    broker_unlock(broker);
    if (rc != 0)
        broker_free(&broker);
    else
        *out = broker;
    return rc;
}

/* What is in it; the rest of it isn't valid any more, so the lock is its own. */
IS_LOCK static void free_contents(struct broker *broker)
{
    queue_domain_acquire(broker->ledger.domain);
    ledger_empty(&broker->ledger);
    if (broker->fallback != NULL)
        tube_unref(broker->fallback);
    if (broker->tokens.magic != 0)
        holder_stop(&broker->tokens);
    linger_end_all(broker);
    queue_domain_release(broker->ledger.domain);
}

void broker_free(struct broker **broker)
{
    if (*broker == NULL)
        return;
    struct broker *mine;
    MAGIC_TAKE(mine, broker, BROKER_MAGIC);
    fetch_stop(mine);
    broker_lock(mine);
    lines_fini(mine);
    broker_unlock(mine);
    store_free(&mine->ledger.store);
    events_free(mine);
    free_contents(mine);
    spares_free(mine);
    ends_free(mine);
    heap_fini(&mine->due);
    strmap_fini(&mine->key_watches); /* puts are over */
    ledger_fini(&mine->ledger);
    MAGIC_WIPE(mine);
    free(mine);
}

size_t broker_body_max(const struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return broker->options.body_max;
}

const struct broker_options *broker_get_options(const struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return &broker->options;
}

void broker_drain(struct broker *broker, bool draining)
{
    broker_lock(broker);
    broker->draining = draining;
    if (draining)
        putters_refuse(broker, EHOSTDOWN);
    broker_unlock(broker);
}

bool broker_is_draining(struct broker *broker)
{
    broker_lock(broker);
    bool draining = broker->draining;
    broker_unlock(broker);
    return draining;
}

uint64_t broker_memory(const struct broker *broker)
{
    const struct store *store = broker->ledger.store;
    uint64_t evicted = store != NULL ? store_evicted_bytes(store) : 0;
    return broker->ledger.counts.bytes - evicted +
           broker->ledger.jobs.len * (sizeof(struct job) + 3 * sizeof(void *));
}

bool broker_memory_fell(struct broker *broker)
{
    broker_lock(broker);
    uint64_t now = broker_memory(broker);
    bool fell = now <= broker->memory_peak / 2 && broker->memory_peak - now >= BROKER_FELL_MIN;
    if (fell)
        broker->memory_peak = now;
    broker_unlock(broker);
    return fell;
}

uint64_t broker_take_id(struct broker *broker)
{
    broker_lock(broker);
    uint64_t id = ++broker->ledger.last_id;
    broker_unlock(broker);
    return id;
}

void broker_set_hooks(struct broker *broker, const struct broker_hooks *hooks, void *arg)
{
    broker_lock(broker);
    broker->hooks = hooks != NULL ? hooks : &no_hooks;
    broker->hooks_arg = arg;
    if (broker->ledger.store != NULL)
        store_compacted(broker->ledger.store, broker->hooks->crowded != NULL);
    broker_unlock(broker);
    if (broker->ledger.store != NULL)
        store_published(broker->ledger.store); /* who waited for what doesn't come any more */
}
