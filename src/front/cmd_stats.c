// SPDX-License-Identifier: MIT
/*
 * stats and stats-tube: YAML, byte for byte as beanstalkd 1.13 writes it. Keys keep its order and
 * its quotes; keys of our own stand behind all of them, one flat `key: value` a line, for that is
 * all that some clients can read. (stats-job is in cmd_job.c.)
 *
 * Waiting counts connections that wait for a job, as there; local worker threads have a key of our
 * own. The binlog's keys tell of the journal. `id` names this run of the daemon.
 */
#include "front/front_priv.h"
#include "front/reply_priv.h"
#include "front/rights_priv.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- what both have ---- */

/* Connections that wait for a job. */
static uint64_t stats_waiting(const struct broker_stats *stats)
{
    return stats->waiting - stats->waiting_consumers;
}

static int stats_jobs(struct buf *yaml, const struct broker_stats *stats)
{
    return buf_printf(yaml,
                      "current-jobs-urgent: %" PRIu64 "\ncurrent-jobs-ready: %" PRIu64
                      "\ncurrent-jobs-reserved: %" PRIu64 "\ncurrent-jobs-delayed: %" PRIu64
                      "\ncurrent-jobs-buried: %" PRIu64 "\n",
                      stats->urgent, stats->count[JOB_READY], stats->count[JOB_RESERVED],
                      stats->count[JOB_DELAYED], stats->count[JOB_BURIED]);
}

/* ---- stats-tube ---- */

int parse_stats_tube(struct scan *scan, struct command_args *args)
{
    return parse_name(scan, args);
}

static int stats_tube_yaml(struct buf *yaml, const struct command_args *args,
                           const struct broker_stats *stats)
{
    int rc = buf_printf(yaml, "---\nname: \"%.*s\"\n", (int)args->name_len, args->name);
    if (rc == 0)
        rc = stats_jobs(yaml, stats);
    if (rc == 0)
        rc = buf_printf(
            yaml,
            "total-jobs: %" PRIu64 "\ncurrent-using: %" PRIu64 "\ncurrent-watching: %" PRIu64
            "\ncurrent-waiting: %" PRIu64 "\ncmd-delete: %" PRIu64 "\ncmd-pause-tube: %" PRIu64
            "\npause: %" PRId64 "\npause-time-left: %" PRId64 "\n",
            stats->totals.put, stats->using, stats->watching, stats_waiting(stats), stats->deletes,
            stats->pauses, stats->pause_ns / HL_SECOND, stats->pause_left_ns / HL_SECOND);
    return rc;
}

void do_stats_tube(struct session *session, const struct command_args *args)
{
    struct broker_stats stats;
    if (broker_tube_stats(session->front->broker, args->name, args->name_len, &stats) != 0) {
        reply_word(session, "NOT_FOUND\r\n");
        return;
    }
    struct buf yaml = BUF_EMPTY;
    int rc = stats_tube_yaml(&yaml, args, &stats);
    reply_yaml(session, rc, &yaml);
}

/* ---- stats ---- */

int parse_stats(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

/* Beanstalkd's own counters, in its order. */
static const enum command_id counted[] = {
    COMMAND_put,
    COMMAND_peek,
    COMMAND_peek_ready,
    COMMAND_peek_delayed,
    COMMAND_peek_buried,
    COMMAND_reserve,
    COMMAND_reserve_with_timeout,
    COMMAND_delete,
    COMMAND_release,
    COMMAND_use,
    COMMAND_watch,
    COMMAND_ignore,
    COMMAND_bury,
    COMMAND_kick,
    COMMAND_touch,
    COMMAND_stats,
    COMMAND_stats_job,
    COMMAND_stats_tube,
    COMMAND_list_tubes,
    COMMAND_list_tube_used,
    COMMAND_list_tubes_watched,
    COMMAND_pause_tube,
};
#define COUNTED (sizeof(counted) / sizeof(counted[0]))

static int stats_command(struct buf *yaml, const struct front *front, size_t id)
{
    return buf_printf(yaml, "cmd-%s: %" PRIu64 "\n", commands[id].name, front_counted(front, id));
}

static int stats_commands(struct buf *yaml, const struct front *front)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < COUNTED; i++)
        rc = stats_command(yaml, front, counted[i]);
    return rc;
}

static int stats_totals(struct buf *yaml, const struct front *front,
                        const struct broker_stats *stats)
{
    uint64_t opened = front_counted(front, FRONT_OPENED);
    uint64_t closed = front_counted(front, FRONT_CLOSED);
    return buf_printf(yaml,
                      "job-timeouts: %" PRIu64 "\ntotal-jobs: %" PRIu64 "\nmax-job-size: %zu"
                      "\ncurrent-tubes: %" PRIu64 "\ncurrent-connections: %" PRIu64
                      "\ncurrent-producers: %" PRIu64 "\ncurrent-workers: %" PRIu64
                      "\ncurrent-waiting: %" PRIu64 "\ntotal-connections: %" PRIu64 "\n",
                      stats->timeouts, stats->totals.put, front->body_max, stats->tubes,
                      opened > closed ? opened - closed : 0, stats->producers, stats->workers,
                      stats_waiting(stats), opened);
}

/* The journal, in the words of beanstalkd's binlog. */
struct binlog_keys {
    uint64_t oldest, current, migrated, written, max_size;
};

#define BINLOG_MAX_SIZE 10485760 /* what a beanstalkd without a binlog says */

/* Segments are numbered from 1 as the journal has used them, as beanstalkd numbers its files. */
static struct binlog_keys binlog_read_keys(const struct front *front)
{
    struct store_stats stats;
    broker_store_stats(front->broker, &stats);
    if (!stats.on)
        return (struct binlog_keys){.max_size = BINLOG_MAX_SIZE};
    uint64_t oldest = stats.compact.trims + 1;
    uint64_t files = stats.journal.segments + stats.journal.segments_ready;
    return (struct binlog_keys){
        .oldest = oldest,
        .current = oldest + stats.journal.segments - (stats.journal.segments > 0),
        .migrated = stats.copied,
        .written = stats.commit.changes,
        .max_size = files > 0 ? stats.journal.bytes_total / files : BINLOG_MAX_SIZE};
}

static int stats_process(struct buf *yaml, const struct front *front)
{
    struct rusage usage = {.ru_maxrss = 0};
    struct utsname system = {.nodename = ""};
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)uname(&system);
    const struct binlog_keys binlog = binlog_read_keys(front);
    return buf_printf(
        yaml,
        "pid: %ld\nversion: \"%s\"\nrusage-utime: %ld.%06ld\nrusage-stime: %ld.%06ld"
        "\nuptime: %" PRId64 "\nbinlog-oldest-index: %" PRIu64 "\nbinlog-current-index: %" PRIu64
        "\nbinlog-records-migrated: %" PRIu64 "\nbinlog-records-written: %" PRIu64
        "\nbinlog-max-size: %" PRIu64 "\ndraining: %s\nid: %s"
        "\nhostname: \"%s\"\nos: \"%s\"\nplatform: \"%s\"\n",
        (long)getpid(), HL_VERSION, (long)usage.ru_utime.tv_sec, (long)usage.ru_utime.tv_usec,
        (long)usage.ru_stime.tv_sec, (long)usage.ru_stime.tv_usec,
        (clock_now_ns() - front->started_ns) / HL_SECOND, binlog.oldest, binlog.current,
        binlog.migrated, binlog.written, binlog.max_size,
        broker_is_draining(front->broker) ? "true" : "false", front->id, system.nodename,
        system.version, system.machine);
}

/* Keys that beanstalkd doesn't have: those of commands in the order of their table. */
static int stats_own(struct buf *yaml, const struct front *front, const struct broker_stats *stats)
{
    bool done[COMMAND_COUNT] = {false};
    int rc = 0;
    for (size_t i = 0; i < COUNTED; i++)
        done[counted[i]] = true;
    for (size_t id = 0; rc == 0 && id < COMMAND_COUNT; id++)
        if (!done[id])
            rc = stats_command(yaml, front, id);
    if (rc == 0)
        rc = buf_printf(yaml,
                        "current-workers-waiting: %" PRIu64 "\ncurrent-puts-waiting: %" PRIu64 "\n",
                        stats->waiting_consumers, stats->putting);
    return rc;
}

/* ---- of what the peer may see, where it may not monitor ---- */

struct seen {
    const struct session *session;
    struct broker_stats sum;
};

static bool seen_add(const char *name, const struct broker_stats *stats, void *arg)
{
    struct seen *seen = arg;
    if (!rights_in(seen->session, name, strlen(name), TRUST_see))
        return true;
    seen->sum.urgent += stats->urgent;
    seen->sum.count[JOB_READY] += stats->count[JOB_READY];
    seen->sum.count[JOB_RESERVED] += stats->count[JOB_RESERVED];
    seen->sum.count[JOB_DELAYED] += stats->count[JOB_DELAYED];
    seen->sum.count[JOB_BURIED] += stats->count[JOB_BURIED];
    seen->sum.totals.put += stats->totals.put;
    seen->sum.tubes++;
    return true;
}

static void stats_seen(struct session *session)
{
    struct seen seen = {.session = session};
    struct buf yaml = BUF_EMPTY;
    int rc = broker_each_tube(session->front->broker, seen_add, &seen);
    if (rc == 0)
        rc = buf_printf(&yaml, "---\n");
    if (rc == 0)
        rc = stats_jobs(&yaml, &seen.sum);
    if (rc == 0)
        rc = buf_printf(&yaml,
                        "total-jobs: %" PRIu64 "\nmax-job-size: %zu\ncurrent-tubes: %" PRIu64 "\n",
                        seen.sum.totals.put, session->front->body_max, seen.sum.tubes);
    reply_yaml(session, rc, &yaml);
}

void do_stats(struct session *session, const struct command_args *args)
{
    (void)args;
    if (!trust_may_server(&session->view, TRUST_monitor)) {
        stats_seen(session);
        return;
    }
    const struct front *front = session->front;
    struct broker_stats stats;
    broker_stats(front->broker, &stats);
    struct buf yaml = BUF_EMPTY;
    int rc = buf_printf(&yaml, "---\n");
    if (rc == 0)
        rc = stats_jobs(&yaml, &stats);
    if (rc == 0)
        rc = stats_commands(&yaml, front);
    if (rc == 0)
        rc = stats_totals(&yaml, front, &stats);
    if (rc == 0)
        rc = stats_process(&yaml, front);
    if (rc == 0)
        rc = stats_own(&yaml, front, &stats);
    reply_yaml(session, rc, &yaml);
}
