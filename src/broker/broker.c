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

#include <errno.h>
#include <stdlib.h>

IS_LOCK void broker_lock(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    queue_domain_acquire(broker->domain);
}

/* With what has to be done before and after. Apart: who has none of it saves fewer registers. */
IS_LOCK static __attribute__((noinline)) void unlock_and_tell(struct broker *broker)
{
    const struct broker_options *options = &broker->options;
    unsigned tell = broker->unlock_tells;
    void (*sooner)(void *arg) = (tell & UNLOCK_SOONER) != 0 ? broker->hooks->sooner : NULL;
    void *arg = broker->hooks_arg;
    const struct broker_ticket told =
        (tell & UNLOCK_TOLD) != 0 ? broker->events->wanted : (struct broker_ticket){0};
    broker->unlock_tells = 0;
    if ((tell & UNLOCK_ENDED) != 0)
        options->ended(&broker->ends, options->records_arg);
    queue_domain_release(broker->domain);
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
    broker->teller = NULL;
    if (broker->unlock_tells != 0)
        unlock_and_tell(broker);
    else
        queue_domain_release(broker->domain);
}

static const struct broker_hooks no_hooks = {.sooner = NULL};

int broker_new(struct broker **out, const struct broker_options *options)
{
    struct broker *broker = calloc(1, sizeof(*broker));
    if (broker == NULL)
        return ENOMEM;
    int rc = queue_domain_new(&broker->domain, "broker", lock_class(LOCK_CLASS_broker));
    if (rc != 0) {
        free(broker);
        return rc;
    }
    MAGIC_INIT(broker, BROKER_MAGIC);
    broker->hooks = &no_hooks;
    if (options != NULL)
        broker->options = *options;
    if (broker->options.body_max == 0)
        broker->options.body_max = BROKER_BODY_MAX_DEFAULT;
    idtable_init(&broker->jobs);
    idtable_init(&broker->wheres);
    strmap_init(&broker->tubes);
    strmap_init(&broker->levels);
    strmap_init(&broker->keys);
    strmap_init(&broker->key_watches);
    strmap_init(&broker->groups);
    list_init(&broker->idle_groups);
    list_init(&broker->group_list);
    broker->chance = hash_random_seed() | 1;
    list_init(&broker->tube_list);
    names_init(&broker->names);
    list_init(&broker->putters);
    list_init(&broker->hoards);
    list_init(&broker->sinks);
    list_init(&broker->ends);
    list_init(&broker->watches);
    list_init(&broker->spare_ends);
    list_init(&broker->lingering.ends);
    broker->last_result = broker->options.last_result;
    heap_init(&broker->due, alarm_less, NULL, alarm_moved);
    broker->told_ns = CLOCK_NEVER;
    queue_core_init(&broker->all, broker->domain,
                    &(struct queue_core_options){.name = "all tubes"});
    broker_lock(broker);
    at_start(broker);
    holder_start(&broker->tokens, broker);
    rc = holder_rare_need(&broker->tokens);
    if (rc == 0)
        rc = tube_need(broker, JOB_TUBE_DEFAULT, sizeof(JOB_TUBE_DEFAULT) - 1, &broker->fallback);
    broker_unlock(broker);
    if (rc != 0)
        broker_free(&broker);
    else
        *out = broker;
    return rc;
}

/* Takes every job out of its containers and frees it. */
HELD static void free_jobs(struct broker *broker)
{
    struct idtable_cursor cursor = {0};
    struct job *job;
    while ((job = idtable_next(&broker->jobs, &cursor)) != NULL) {
        struct broker_tube *tube = job->tube;
        group_leave(job);
        tube_job_leave(job);
        if (job->state == JOB_DELAYED || job->state == JOB_RESERVED)
            heap_unpromise(&tube->ready.heap);
        job_free(&job);
        tube_unref(tube);
    }
}

/* Pauses that are in the journal keep their tubes. */
HELD static void free_pauses(struct broker *broker)
{
    struct list_node *node = list_first(&broker->tube_list);
    while (node != NULL) {
        struct broker_tube *tube = CONTAINER_OF(node, struct broker_tube, node);
        node = list_next(&broker->tube_list, node);
        if (tube->pause_kept)
            tube_unref(tube);
    }
}

/* What is in it; the rest of it isn't valid any more, so the lock is its own. */
IS_LOCK static void free_contents(struct broker *broker)
{
    queue_domain_acquire(broker->domain);
    free_jobs(broker);
    free_pauses(broker);
    if (broker->fallback != NULL)
        tube_unref(broker->fallback);
    if (broker->tokens.magic != 0)
        holder_stop(&broker->tokens);
    ASSERT(list_empty(&broker->tube_list)); /* a user, a sink or a waiter is left otherwise */
    ASSERT(list_empty(&broker->names.all)); /* somebody reads them otherwise */
    queue_core_fini(&broker->all);
    groups_free(broker);
    linger_end_all(broker);
    queue_domain_release(broker->domain);
}

void broker_free(struct broker **broker)
{
    if (*broker == NULL)
        return;
    struct broker *mine;
    MAGIC_TAKE(mine, broker, BROKER_MAGIC);
    if (mine->log != NULL) {
        broker_lock(mine);
        lines_fini(mine, mine->log);
        broker_unlock(mine);
    }
    log_free(&mine->log);
    events_free(mine);
    free_contents(mine);
    spares_free(mine);
    ends_free(mine);
    heap_fini(&mine->due);
    strmap_fini(&mine->tubes);
    levels_free(mine);
    keys_free(mine);
    idtable_fini(&mine->jobs);
    idtable_fini(&mine->wheres);
    hl_queue_domain_free(&mine->domain);
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
    uint64_t evicted = broker->log != NULL ? broker->log->evicted_bytes : 0;
    return broker->stats.bytes - evicted +
           broker->jobs.len * (sizeof(struct job) + 3 * sizeof(void *));
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
    uint64_t id = ++broker->last_id;
    broker_unlock(broker);
    return id;
}

void broker_set_hooks(struct broker *broker, const struct broker_hooks *hooks, void *arg)
{
    broker_lock(broker);
    broker->hooks = hooks != NULL ? hooks : &no_hooks;
    broker->hooks_arg = arg;
    broker_unlock(broker);
    if (broker->log != NULL)
        log_published(broker->log); /* who waited for a compaction that doesn't come any more */
}
