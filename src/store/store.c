// SPDX-License-Identifier: MIT
/*
 * The store's life, its figures, and the check of what it counts.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <stdlib.h>

int store_new(struct ledger *ledger, const struct store_options *options,
              void (*look)(struct ledger *ledger))
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return ENOMEM;
    MAGIC_INIT(store, STORE_MAGIC);
    store->ledger = ledger;
    store->options = *options;
    store->look = look;
    store->journal = options->journal;
    store->died_bytes = JOURNAL_SEGMENT_MAX; /* it isn't known: enough */
    store->results.durable = options->result_found != NULL ? ledger->last_result : UINT64_MAX;
    ledger->store = store;
    return 0;
}

TAKES_LOCK static void owner_lock(void *arg)
{
    const struct store *store = arg;
    ledger_lock(store->ledger);
}

GIVES_LOCK static void owner_unlock(void *arg)
{
    const struct store *store = arg;
    ledger_unlock(store->ledger);
}

static void commit_published(void *arg)
{
    store_published(arg);
}

static void commit_broken(void *arg, int error)
{
    struct store *store = arg;
    if (store->options.failed != NULL)
        store->options.failed(error, store->options.arg);
    store_published(store); /* those who wait are told that it never comes */
}

int store_begin(struct store *store, uint64_t last_sequence)
{
    const struct store_options *options = &store->options;
    const struct commit_options commit = {.journal = store->journal,
                                          .last_sequence = last_sequence,
                                          .pending_max = options->pending_max,
                                          .frame_max = options->frame_max,
                                          .thread = options->thread,
                                          .lock = owner_lock,
                                          .unlock = owner_unlock,
                                          .placed = store_placed,
                                          .published = commit_published,
                                          .failed = commit_broken,
                                          .make = result_bytes_make,
                                          .drop = result_bytes_drop,
                                          .arg = store};
    int rc = commit_new(&store->commit, &commit);
    const struct compact_options compact = {
        .journal = store->journal, .commit = store->commit, .record = store_living, .arg = store};
    return rc == 0 ? compact_new(&store->compact, &compact) : rc;
}

struct ledger *store_ledger(const struct store *store)
{
    return store->ledger;
}

void store_end(struct store *store)
{
    if (store->compact != NULL)
        compact_free(&store->compact);
    if (store->commit != NULL)
        commit_free(&store->commit);
}

int store_stop(struct store *store)
{
    ledger_lock(store->ledger);
    if (!store->stopped)
        id_limit_end(store);
    store->stopped = true;
    ledger_unlock(store->ledger);
    int rc = commit_stop(store->commit);
    return rc == EBUSY ? 0 : rc;
}

void store_free(struct store **store)
{
    if (*store == NULL)
        return;
    struct store *mine;
    MAGIC_TAKE(mine, store, STORE_MAGIC);
    store_end(mine);
    results_free(mine);
    MAGIC_WIPE(mine);
    free(mine);
}

/* ---- figures ---- */

void store_stats(struct store *store, struct store_stats *stats)
{
    *stats = (struct store_stats){.on = store != NULL};
    if (store == NULL)
        return;
    journal_stat(store->journal, &stats->journal);
    commit_stat(store->commit, &stats->commit);
    compact_stat(store->compact, &stats->compact);
    ledger_lock(store->ledger);
    stats->live_bytes = store->live_bytes;
    stats->results = store->results.count;
    stats->results_untied = store->results.untied;
    stats->copied = store->copied;
    stats->evicted_jobs = store->evicted_jobs;
    stats->evicted_bytes = store->evicted_bytes;
    stats->cached_bytes = store->ledger->counts.bytes - store->evicted_bytes;
    ledger_unlock(store->ledger);
    stats->fetches = atomic_load(&store->fetches);
    stats->fetch_failures = atomic_load(&store->fetch_failures);
}

/* ---- the check ---- */

/* Nothing is evicted that isn't placed. */
bool store_valid(const struct ledger *ledger)
{
    const struct store *store = ledger->store;
    uint64_t live_bytes = 0, evicted_jobs = 0, evicted_bytes = 0;
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&ledger->jobs, &cursor)) != NULL) {
        live_bytes += job_is_logged(job) ? store_cost(job) : 0;
        evicted_jobs += job->evicted;
        evicted_bytes += job->evicted ? job->body.len : 0;
        uint64_t place = locator_get(job);
        bool readable = place != 0 && place < JOB_LOCATOR_KEPT;
        bool cancelled = job->extra != NULL && job->extra->cancelled;
        if (job->evicted && !readable && !cancelled)
            return false;
    }
    if (store == NULL)
        return evicted_jobs == 0;
    return store->live_bytes == live_bytes + store->results.bytes &&
           store->evicted_jobs == evicted_jobs && store->evicted_bytes == evicted_bytes;
}
