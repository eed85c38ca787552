// SPDX-License-Identifier: MIT
/*
 * The store's life, its figures, and the check of what it counts.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    if (mine->compact != NULL)
        compact_free(&mine->compact);
    if (mine->commit != NULL)
        commit_free(&mine->commit);
    results_free(mine);
    MAGIC_WIPE(mine);
    free(mine);
}

/* ---- figures ---- */

static void journal_figures(const struct store *store, struct store_stats *stats)
{
    _Static_assert(JOURNAL_LOG2 == STORE_LOG2, "histograms have the same places");
    struct journal_stat from;
    journal_stat(store->journal, &from);
    stats->journal.segments = from.segments;
    stats->journal.segments_ready = from.segments_ready;
    stats->journal.segment_size = from.segment_size;
    stats->journal.bytes_total = from.bytes_total;
    stats->journal.bytes_used = from.bytes_used;
    stats->journal.frames = from.frames;
    stats->journal.records = from.records;
    stats->journal.bytes = from.bytes;
    stats->journal.syncs = from.syncs;
    stats->journal.sync_ns = from.sync_ns;
    stats->journal.sync_max_ns = from.sync_max_ns;
    memcpy(stats->journal.sync_log2_us, from.sync_log2_us, sizeof(from.sync_log2_us));
    stats->journal.waits = from.waits;
    stats->journal.recycled = from.recycled;
    stats->journal.created = from.created;
    stats->journal.removed = from.removed;
    stats->journal.full = from.full;
    stats->journal.broken = from.broken;
}

static void commit_figures(const struct store *store, struct store_stats *stats)
{
    struct commit_stat from;
    commit_stat(store->commit, &from);
    stats->commit.commits = from.commits;
    stats->commit.changes = from.changes;
    stats->commit.cancelled = from.cancelled;
    memcpy(stats->commit.batch_log2, from.batch_log2, sizeof(from.batch_log2));
    stats->commit.batch_max = from.batch_max;
    stats->commit.pending = from.pending;
    stats->commit.pending_bytes = from.pending_bytes;
    stats->commit.last = from.last;
    stats->commit.written = from.written;
    stats->commit.durable = from.durable;
    stats->commit.led_inline = from.led_inline;
    stats->commit.failed = from.failed;
}

static void compact_figures(const struct store *store, struct store_stats *stats)
{
    struct compact_stat from;
    compact_stat(store->compact, &from);
    stats->compact.trims = from.trims;
    stats->compact.looked_at = from.looked_at;
    stats->compact.steps = from.steps;
}

void store_stats(struct store *store, struct store_stats *stats)
{
    *stats = (struct store_stats){.on = store != NULL};
    if (store == NULL)
        return;
    journal_figures(store, stats);
    commit_figures(store, stats);
    compact_figures(store, stats);
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
