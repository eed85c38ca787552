// SPDX-License-Identifier: MIT
/*
 * The method `stats`: every counter there is, in groups that belong to who counts: the daemon,
 * jobs, tubes, pools, history, the journal, connections, commands, and the rates of the latest
 * sample.
 *
 * The groups are copied one after the other, so sums over them may differ by what happened between.
 *
 * Without the right to monitor there are the tubes that the caller may see, and the sums of these.
 *
 * Where there are many tubes the answer is made as it is read (rows.c).
 */
#include "api/api_priv.h"
#include "api/result_priv.h"
#include "api/rows_priv.h"

#include "base/log.h"

#include <string.h>
#include <unistd.h>

/* So many are no more than other answers have: 100 KiB, and a few milliseconds to make it. */
#define TUBES_AT_ONCE 200

const struct api_param params_stats[] = {{.name = NULL}};

static void out_totals(struct out out, const struct broker_stats *stats)
{
    out_u64(out, "ready", stats->count[JOB_READY]);
    out_u64(out, "urgent", stats->urgent);
    out_u64(out, "reserved", stats->count[JOB_RESERVED]);
    out_u64(out, "delayed", stats->count[JOB_DELAYED]);
    out_u64(out, "buried", stats->count[JOB_BURIED]);
    out_u64(out, "unfinished", stats->unfinished);
    out_u64(out, "bytes", stats->bytes);
    out_u64(out, "waiting", stats->waiting);
    out_u64(out, "put", stats->totals.put);
    out_u64(out, "done", stats->totals.done);
    out_u64(out, "failed", stats->totals.failed);
    out_u64(out, "deleted", stats->totals.deleted);
    out_u64(out, "cancelled", stats->totals.cancelled);
    out_u64(out, "retries", stats->retries);
}

/* What is told of tubes: those that the caller may see. */
struct tubes_seen {
    const struct api_call *call;
    const struct out *tubes; /* NULL: they are only added up */
    struct broker_stats sum;
};

static void sum_add(struct broker_stats *sum, const struct broker_stats *stats)
{
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        sum->count[state] += stats->count[state];
    sum->urgent += stats->urgent;
    sum->unfinished += stats->unfinished;
    sum->bytes += stats->bytes;
    sum->waiting += stats->waiting;
    sum->retries += stats->retries;
    sum->totals.put += stats->totals.put;
    sum->totals.done += stats->totals.done;
    sum->totals.failed += stats->totals.failed;
    sum->totals.deleted += stats->totals.deleted;
    sum->totals.cancelled += stats->totals.cancelled;
}

void out_tube(struct out row, const char *name, const struct broker_stats *stats)
{
    out_str(row, "name", name);
    out_totals(row, stats);
    out_u64(row, "using", stats->using);
    out_u64(row, "watching", stats->watching);
    out_seconds(row, "pause_left", stats->pause_left_ns);
}

static bool tube_visit(const char *name, const struct broker_stats *stats, void *arg)
{
    struct tubes_seen *seen = arg;
    if (!api_may_in(seen->call, name, TRUST_see))
        return true;
    sum_add(&seen->sum, stats);
    if (seen->tubes == NULL)
        return true;
    out_tube(out_array_object(*seen->tubes), name, stats);
    return *seen->tubes->rc == 0;
}

void out_pool(const struct api_call *call, struct out row, const struct worker_pool *pool)
{
    struct worker_pool_stats stats;
    worker_pool_stats(pool, &stats);
    out_str(row, "name", stats.name);
    out_str(row, "handler", stats.handler);
    struct out tubes = out_array(row, "tubes");
    for (size_t i = 0; i < stats.tube_count; i++)
        if (api_may_in(call, stats.tubes[i], TRUST_see))
            out_array_str(tubes, stats.tubes[i]);
    if (stats.weights != NULL) {
        struct out weights = out_object(row, "weights");
        for (size_t i = 0; i < stats.tube_count; i++)
            if (api_may_in(call, stats.tubes[i], TRUST_see))
                out_u64(weights, stats.tubes[i], stats.weights[i]);
    }
    out_u64(row, "workers", stats.workers);
    out_u64(row, "busy", stats.busy);
    out_u64(row, "leaving", stats.leaving);
    out_bool(row, "paused", stats.paused);
    if (stats.trouble[0] != '\0')
        out_bytes(row, "trouble", stats.trouble, strlen(stats.trouble));
    out_u64(row, "done", stats.done);
    out_u64(row, "failed", stats.failed);
    out_u64(row, "retried", stats.retried);
    out_u64(row, "timeouts", stats.timeouts);
    out_u64(row, "crashed", stats.crashed);
    out_u64(row, "cancelled", stats.cancelled);
    out_u64(row, "returned", stats.returned);
}

static void group_visit(const char *name, uint64_t unfinished, const struct broker_totals *totals,
                        void *arg)
{
    const struct out *groups = arg;
    struct out group = out_array_object(*groups);
    out_str(group, "name", name);
    out_u64(group, "unfinished", unfinished);
    out_u64(group, "put", totals->put);
    out_u64(group, "done", totals->done);
    out_u64(group, "failed", totals->failed);
    out_u64(group, "deleted", totals->deleted);
    out_u64(group, "cancelled", totals->cancelled);
}

static void out_connections(struct out result, const struct api_links *links)
{
    struct api_connections stats = {.open = 0};
    links->connections(&stats, links->arg);
    struct out connections = out_object(result, "connections");
    out_u64(connections, "open", stats.open);
    out_u64(connections, "accepted", stats.accepted);
    out_u64(connections, "accept_pauses", stats.accept_pauses);
    out_u64(connections, "refused", stats.refused);
    out_u64(connections, "bytes_in", stats.bytes_in);
    out_u64(connections, "bytes_out", stats.bytes_out);
}

static void command_visit(const char *name, uint64_t count, void *to)
{
    const struct out *commands = to;
    out_u64(*commands, name, count);
}

static void out_sample(struct out result, struct house *house)
{
    struct house_sample *sample = house_sample_ref(house);
    if (sample == NULL)
        return;
    struct out rates = out_object(result, "sample");
    out_u64(rates, "number", sample->number);
    out_seconds(rates, "taken", sample->wall_ns);
    /* jobs a second, in the same form as seconds: six digits */
    out_seconds(rates, "put_rate", (int64_t)(sample->put_rate * (double)HL_SECOND));
    out_seconds(rates, "finished_rate", (int64_t)(sample->finished_rate * (double)HL_SECOND));
    house_sample_unref(&sample);
}

static void out_history(struct out result, struct history *history)
{
    struct history_stats stats;
    history_stats(history, &stats);
    struct out row = out_object(result, "history");
    out_u64(row, "count", stats.count);
    out_u64(row, "bytes", stats.bytes);
    out_u64(row, "added", stats.added);
    out_u64(row, "dropped", stats.dropped);
    out_u64(row, "lost", stats.lost);
    if (!stats.file)
        return;
    out_bool(row, "healthy", stats.healthy);
    out_bool(row, "resting", stats.resting);
    out_u64(row, "pending", stats.pending);
    out_u64(row, "batches", stats.batches);
    out_u64(row, "batch_max", stats.batch_max);
    out_seconds(row, "write_time", stats.write_ns);
    out_u64(row, "file_bytes", stats.file_bytes);
}

/* The upper limit of the class of a histogram of powers of two in which the given part of all lies.
 */
static uint64_t log2_part(const uint64_t log2[JOURNAL_LOG2], unsigned percent)
{
    uint64_t all = 0, below = 0;
    for (unsigned i = 0; i < JOURNAL_LOG2; i++)
        all += log2[i];
    for (unsigned i = 0; i < JOURNAL_LOG2; i++) {
        below += log2[i];
        if (below > 0 && below * 100 >= all * percent)
            return UINT64_C(1) << i;
    }
    return 0;
}

static void out_files(struct out row, const struct store_stats *stats)
{
    const struct journal_stat *files = &stats->journal;
    out_u64(row, "segments", files->segments);
    out_u64(row, "segments_ready", files->segments_ready);
    out_u64(row, "bytes_total", files->bytes_total);
    out_u64(row, "bytes_used", files->bytes_used);
    out_u64(row, "bytes_live", stats->live_bytes);
    out_u64(row, "bytes_written", files->bytes);
    out_u64(row, "records_written", files->records);
    out_u64(row, "segments_compacted", stats->compact.trims);
    out_u64(row, "results", stats->results);
    out_u64(row, "results_untied", stats->results_untied);
    out_u64(row, "standing", stats->standing);
    out_u64(row, "impatient", stats->impatient);
    out_bool(row, "full", files->full);
}

static void out_commits(struct out row, const struct store_stats *stats)
{
    const struct journal_stat *files = &stats->journal;
    const struct commit_stat *commit = &stats->commit;
    out_u64(row, "commits", commit->commits);
    out_u64(row, "commits_inline", commit->led_inline);
    out_u64(row, "changes", commit->changes);
    out_u64(row, "changes_cancelled", commit->cancelled);
    out_u64(row, "changes_pending", commit->pending);
    out_u64(row, "changes_unsynced",
            commit->last > commit->durable ? commit->last - commit->durable : 0);
    out_u64(row, "batch_p50", log2_part(commit->batch_log2, 50));
    out_u64(row, "batch_p99", log2_part(commit->batch_log2, 99));
    out_u64(row, "batch_max", commit->batch_max);
    out_u64(row, "syncs", files->syncs);
    out_seconds(row, "sync_time", (int64_t)files->sync_ns);
    out_u64(row, "sync_us_p50", log2_part(files->sync_log2_us, 50));
    out_u64(row, "sync_us_p99", log2_part(files->sync_log2_us, 99));
    out_u64(row, "sync_us_max", files->sync_max_ns / 1000);
}

static void out_journal(struct out result, const struct api_links *links)
{
    struct api_store store = {.directory = NULL};
    struct store_stats stats;
    links->store(&store, links->arg);
    broker_store_stats(links->broker, &stats);
    struct out row = out_object(result, "journal");
    out_bool(row, "on", stats.on);
    if (!stats.on)
        return;
    out_str(row, "directory", store.directory);
    out_bool(row, "healthy", stats.commit.failed == 0 && stats.journal.broken == 0);
    out_files(row, &stats);
    out_commits(row, &stats);
    out_u64(row, "bodies_cached_bytes", stats.cached_bytes);
    out_u64(row, "bodies_evicted", stats.evicted_jobs);
    out_u64(row, "bodies_evicted_bytes", stats.evicted_bytes);
    out_u64(row, "fetches", stats.fetches);
    out_u64(row, "fetch_failures", stats.fetch_failures);
    out_u64(row, "recovered_jobs", store.recovered_jobs);
    out_seconds(row, "recovery_time", store.recovery_ns);
    out_u64(row, "damages", store.damages);
    out_u64(row, "torn_bytes", store.torn_bytes);
}

/* Adds "tubes"; to `sum`, unless it is NULL, what they have together. */
static int out_tubes(struct api_call *call, struct out result, uint64_t count,
                     struct broker_stats *sum)
{
    struct out tubes = out_array(result, "tubes");
    bool many = count > TUBES_AT_ONCE;
    struct tubes_seen seen = {.call = call, .tubes = many ? NULL : &tubes};
    int rc = many ? rows_tubes_begin(call) : 0;
    if (rc == 0 && (!many || sum != NULL))
        rc = broker_each_tube(call->api->links.broker, tube_visit, &seen);
    if (sum != NULL)
        *sum = seen.sum;
    return rc;
}

static int stats_seen(struct api_call *call, uint64_t count, struct out result)
{
    struct broker_stats sum;
    struct out jobs = out_object(result, "jobs");
    int rc = out_tubes(call, result, count, &sum);
    out_totals(jobs, &sum);
    return rc;
}

static void out_denials(struct out result)
{
    struct out denied = out_object(result, "denied");
    for (unsigned i = 0; i < TRUST_RIGHT_COUNT; i++)
        out_u64(denied, trust_right_word((enum trust_right_bit)i),
                trust_denials((enum trust_right_bit)i));
}

int run_stats(struct api_call *call, const cJSON *params, struct out result)
{
    (void)params;
    const struct api_links *links = &call->api->links;
    struct broker_stats all;
    broker_stats(links->broker, &all);
    if (!trust_may_server(call->asker, TRUST_monitor))
        return stats_seen(call, all.tubes, result);
    struct out daemon = out_object(result, "daemon");
    out_str(daemon, "version", HL_VERSION);
    out_i64(daemon, "pid", getpid());
    out_seconds(daemon, "uptime", clock_now_ns() - call->api->started_ns);
    out_bool(daemon, "draining", broker_is_draining(links->broker));
    out_health(daemon, call->api);
    struct log_stat log;
    log_stat(&log);
    out_u64(daemon, "log_dropped", log.dropped);
    struct out jobs = out_object(result, "jobs");
    out_totals(jobs, &all);
    out_u64(jobs, "unrecorded", all.unrecorded);
    int rc = out_tubes(call, result, all.tubes, NULL);
    struct out groups = out_array(result, "groups");
    if (rc == 0)
        rc = broker_each_group(links->broker, call->asker, group_visit, &groups);
    struct out pools = out_array(result, "pools");
    for (size_t i = 0; i < links->pool_count; i++)
        out_pool(call, out_array_object(pools), links->pools[i]);
    out_history(result, links->history);
    if (links->store != NULL)
        out_journal(result, links);
    if (links->connections != NULL)
        out_connections(result, links);
    if (links->commands != NULL) {
        struct out commands = out_object(result, "commands");
        links->commands(command_visit, &commands, links->arg);
    }
    out_denials(result);
    if (links->house != NULL)
        out_sample(result, links->house);
    return rc;
}
