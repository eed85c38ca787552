// SPDX-License-Identifier: MIT
/*
 * The broker's life, its options, and draining. What it does with jobs is in a file for each verb:
 * put, take (consumers), reserve (clients), settle, delete, kick, move, pause, wait. Nothing of the
 * folder calls this file; it hands down what files below call of those above (struct line_calls,
 * the overlay).
 */
#include "base/clock.h"
#include "base/hash.h"
#include "broker/client_priv.h"
#include "broker/events_priv.h"
#include "broker/finish_priv.h"
#include "broker/line_priv.h"
#include "broker/put_priv.h"
#include "broker/spare_priv.h"

#include <errno.h>
#include <stdlib.h>

static const struct broker_hooks no_hooks = {.sooner = NULL};

/* What lines do with those who stand in them. */
static const struct line_calls calls = {.decide = op_decide,
                                        .cancel = op_cancel,
                                        .reserve_again = reserver_again,
                                        .reserve_refused = reserver_refused,
                                        .reserve_until = reserver_until,
                                        .reserve_cancel = reserver_cancel};

static void options_set(struct broker *broker, const struct broker_options *options)
{
    if (options != NULL)
        broker->options = *options;
    if (broker->options.body_max == 0)
        broker->options.body_max = BROKER_BODY_MAX_DEFAULT;
    broker->ledger.daemon_uid = broker->options.daemon_uid;
    broker->ledger.durability = broker->options.durability;
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
    broker->calls = &calls;
    options_set(broker, options);
    strmap_init(&broker->key_watches);
    broker->chance = hash_random_seed() | 1;
    list_init(&broker->waiting_puts);
    list_init(&broker->prefetchers);
    list_init(&broker->consumers);
    list_init(&broker->ends);
    list_init(&broker->watches);
    list_init(&broker->spare_ends);
    list_init(&broker->lingering.ends);
    heap_init(&broker->due, broker_timer_less, NULL, broker_timer_moved);
    broker->told_ns = CLOCK_NEVER;
    broker_lock(broker);
    client_start(&broker->tokens, broker);
    rc = client_extra_need(&broker->tokens);
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
        client_stop(&broker->tokens);
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
        waiting_puts_refuse(broker, EHOSTDOWN);
    broker_unlock(broker);
}

bool broker_is_draining(struct broker *broker)
{
    broker_lock(broker);
    bool draining = broker->draining;
    broker_unlock(broker);
    return draining;
}

void broker_set_hooks(struct broker *broker, const struct broker_hooks *hooks, void *arg)
{
    broker_lock(broker);
    broker->hooks = hooks != NULL ? hooks : &no_hooks;
    broker->hooks_arg = arg;
    if (broker->ledger.store != NULL)
        store_compacted(broker->ledger.store, broker->hooks->compaction_wanted != NULL);
    broker_unlock(broker);
    if (broker->ledger.store != NULL)
        store_published(broker->ledger.store); /* who waited for what doesn't come any more */
}

int broker_stop(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    if (broker->ledger.store == NULL)
        return 0;
    fetch_stop(broker);
    return store_stop(broker->ledger.store);
}
