// SPDX-License-Identifier: MIT
/*
 * The broker's journal in use: tickets, the ceiling of ids, and what to do when the journal is
 * busy.
 *
 * Who is told of a change must not tell on before its ticket is reached. Whoever makes changes says
 * where their highest ticket goes (broker->teller): into the operation, the holder, the walk. That
 * of all together (`wanted`) is for who learns of a change that somebody else made (a join that
 * fires).
 *
 * Ids below the ceiling may be issued once the record of the ceiling is durable, so an id that
 * anybody ever saw is never issued again, whatever is lost. The ceiling is raised when half of
 * a block is used up, and nobody waits for that but in the rare case that a whole half is used up
 * before one sync is done.
 *
 * Busy: a put finds too much pending, no prepared segment, or a journal that compaction has to make
 * smaller first (space.c). It stands in line then (line.c), and whoever stands wants a commit: the
 * thread "commit" leads it, or a thread that may block. Nothing that a commit needs stands, so
 * nothing can wait in a circle.
 */
#include "base/clock.h"
#include "broker/events_priv.h"

#include <errno.h>
#include <stdlib.h>

#define LIMITS_BLOCK (UINT64_C(1) << 17)
/* Who parks looks again so often; a wake-up comes as a rule. */
#define PARK_NS (HL_SECOND / 10)

HELD static void log_tell(struct broker_log *log, const struct broker_ticket *ticket)
{
    if (log->broker->teller != NULL)
        broker_ticket_add(log->broker->teller, ticket);
}

void log_told(struct broker_log *log, enum broker_level level, uint64_t ticket)
{
    struct broker_ticket now = {.written = level == BROKER_INTERVAL ? ticket : 0,
                                .durable = level == BROKER_COMMIT ? ticket : 0};
    if (level == BROKER_INTERVAL)
        log->wanted.written = ticket;
    else if (level == BROKER_COMMIT)
        log->wanted.durable = ticket;
    log_tell(log, &now);
}

void log_told_all(struct broker *broker)
{
    if (broker->log != NULL)
        log_tell(broker->log, &broker->log->wanted);
}

struct broker_ticket broker_ticket_wanted(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    struct broker_ticket ticket = {0};
    broker_lock(broker);
    if (broker->log != NULL)
        ticket = broker->log->wanted;
    broker_unlock(broker);
    return ticket;
}

/* ---- how far it is ---- */

int broker_ticket_reached(struct broker *broker, struct broker_ticket *reached)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    const struct broker_log *log = broker->log;
    *reached = (struct broker_ticket){.written = UINT64_MAX, .durable = UINT64_MAX};
    if (log == NULL)
        return 0;
    /* The failure is looked at first: what is reached after it was reached before it. */
    int rc = commit_failed(log->commit) != 0 ? EIO : 0;
    reached->written = commit_reached(log->commit, COMMIT_WRITTEN);
    reached->durable = commit_reached(log->commit, COMMIT_DURABLE);
    return rc;
}

/* 0: it is. EINPROGRESS: not yet. EIO: never. */
static int ticket_state(struct broker *broker, const struct broker_ticket *ticket)
{
    struct broker_ticket now;
    int rc = broker_ticket_reached(broker, &now);
    if (now.written >= ticket->written && now.durable >= ticket->durable)
        return 0;
    return rc != 0 ? rc : EINPROGRESS;
}

static void want(struct broker_log *log, const struct broker_ticket *ticket)
{
    if (ticket->durable > commit_reached(log->commit, COMMIT_DURABLE))
        commit_want(log->commit, COMMIT_DURABLE);
    if (ticket->written > commit_reached(log->commit, COMMIT_WRITTEN))
        commit_want(log->commit, COMMIT_WRITTEN);
}

bool broker_lead(struct broker *broker, const struct broker_ticket *ticket, bool more)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    struct broker_log *log = broker->log;
    if (log == NULL)
        return true;
    if (more && ticket->durable > commit_reached(log->commit, COMMIT_DURABLE) &&
        commit_failed(log->commit) == 0 && commit_may_gather(log->commit))
        return false;
    want(log, ticket);
    (void)commit_lead_inline(log->commit); /* broker_ticket_reached tells */
    return true;
}

void broker_lead_elsewhere(struct broker *broker, const struct broker_ticket *ticket)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    struct broker_log *log = broker->log;
    if (log == NULL)
        return;
    want(log, ticket);
    (void)commit_lead_elsewhere(log->commit);
}

/* Until something was published after `seen`, for a short time. */
static void park(struct broker_log *log, uint32_t seen, int64_t deadline_ns)
{
    int64_t soon_ns = clock_deadline(PARK_NS);
    atomic_fetch_add(&log->parked, 1);
    if (atomic_load(&log->published) == seen) {
        hl_thread_wait_begin("journal", "commit");
        (void)park_wait(&log->published, seen, deadline_ns < soon_ns ? deadline_ns : soon_ns);
        hl_thread_wait_end();
    }
    atomic_fetch_sub(&log->parked, 1);
}

int broker_ticket_wait(struct broker *broker, const struct broker_ticket *ticket,
                       int64_t timeout_ns)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    int rc;
    while ((rc = ticket_state(broker, ticket)) == EINPROGRESS) {
        struct broker_log *log = broker->log;
        uint32_t seen = atomic_load(&log->published);
        want(log, ticket);
        int led = commit_lead_inline(log->commit);
        if (ticket_state(broker, ticket) != EINPROGRESS)
            continue;
        if (clock_now_ns() >= deadline_ns)
            return ETIMEDOUT;
        if (led != 0)
            park(log, seen, deadline_ns);
    }
    return rc;
}

void log_park(struct broker_log *log, uint32_t seen)
{
    park(log, seen, CLOCK_NEVER);
}

void log_published(void *arg)
{
    struct broker_log *log = arg;
    struct broker *broker = log->broker;
    bool due;
    broker_lock(broker);
    space_look(log, &due);
    lines_serve(log);
    if (broker->events != NULL)
        listen_published(broker->events);
    void (*crowded)(void *arg) = due ? broker->hooks->crowded : NULL;
    void *crowded_arg = broker->hooks_arg;
    broker_unlock(broker);
    if (crowded != NULL)
        crowded(crowded_arg);
    atomic_fetch_add(&log->published, 1);
    if (atomic_load(&log->parked) > 0)
        park_wake(&log->published, INT32_MAX);
    if (log->options.published != NULL)
        log->options.published(log->options.arg);
}

/* ---- a busy journal ---- */

int log_make_room(struct broker *broker)
{
    struct broker_log *log = broker->log;
    uint32_t seen = atomic_load(&log->published);
    int rc = EBUSY;
    if (!atomic_load(&log->puts_wait)) {          /* else a commit is no help */
        commit_want(log->commit, COMMIT_DURABLE); /* the ceiling must be durable, too */
        rc = commit_lead_inline(log->commit);
    }
    if (rc == EBUSY) {
        park(log, seen, CLOCK_NEVER);
        rc = commit_failed(log->commit) != 0 ? EIO : 0;
    }
    return rc;
}

void log_want_room(struct broker *broker)
{
    struct broker_log *log = broker->log;
    if (log == NULL || atomic_load(&log->puts_wait))
        return;
    commit_want(log->commit, COMMIT_DURABLE);
    (void)commit_lead_elsewhere(log->commit);
}

/* ---- ids ---- */

static bool ceiling_is_near(const struct broker_log *log)
{
    return log->id_ceiling < JOB_ID_MAX &&
           log->broker->last_id + LIMITS_BLOCK / 2 >= log->id_ceiling;
}

HELD static int limits_raise(struct broker_log *log)
{
    int rc = log_admit_limits(log);
    if (rc != 0)
        return rc;
    log->id_ceiling = job_serial_add(log->broker->last_id, 1 + LIMITS_BLOCK);
    log->limits_ticket = log_limits(log);
    return 0;
}

int log_id_admit(struct broker *broker, uint64_t id)
{
    struct broker_log *log = broker->log;
    if (id >= JOB_ID_MAX)
        return ENOTRECOVERABLE;
    if (log->limits_ticket != 0 &&
        commit_reached(log->commit, COMMIT_DURABLE) >= log->limits_ticket) {
        log->id_safe = log->id_ceiling;
        log->limits_ticket = 0;
    }
    int raised = 0;
    if (log->limits_ticket == 0 && ceiling_is_near(log))
        raised = limits_raise(log);
    if (id < log->id_safe)
        return 0; /* if it can't be raised now, what is left of the block is there to try again */
    if (commit_failed(log->commit) != 0)
        return EIO;
    /* Without room for the record nothing is pending that a commit could end. */
    return raised != 0 ? raised : EAGAIN;
}

bool broker_is_durable(const struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    return broker->log != NULL;
}

/* ---- the end ---- */

int broker_stop(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    struct broker_log *log = broker->log;
    if (log == NULL)
        return 0;
    fetch_stop(log);
    broker_lock(broker);
    if (!log->stopped && log_admit_limits(log) == 0) {
        log->id_ceiling = log->id_safe = job_serial_add(broker->last_id, 1);
        (void)log_limits(log);
    }
    log->stopped = true;
    broker_unlock(broker);
    int rc = commit_stop(log->commit);
    return rc == EBUSY ? 0 : rc;
}

void log_free(struct broker_log **log)
{
    if (*log == NULL)
        return;
    struct broker_log *mine;
    MAGIC_TAKE(mine, log, BROKER_LOG_MAGIC);
    fetch_stop(mine);
    if (mine->compact != NULL)
        compact_free(&mine->compact);
    if (mine->commit != NULL)
        commit_free(&mine->commit);
    results_free(mine);
    MAGIC_WIPE(mine);
    free(mine);
}

void broker_log_stats(struct broker *broker, struct broker_log_stats *stats)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    struct broker_log *log = broker->log;
    *stats = (struct broker_log_stats){.on = log != NULL};
    if (log == NULL)
        return;
    journal_stat(log->journal, &stats->journal);
    commit_stat(log->commit, &stats->commit);
    compact_stat(log->compact, &stats->compact);
    broker_lock(broker);
    stats->live_bytes = log->live_bytes;
    stats->results = log->results.count;
    stats->results_untied = log->results.untied;
    stats->standing = log->standing;
    stats->impatient = log->impatient;
    stats->copied = log->copied;
    stats->evicted_jobs = log->evicted_jobs;
    stats->evicted_bytes = log->evicted_bytes;
    stats->cached_bytes = broker->stats.bytes - log->evicted_bytes;
    broker_unlock(broker);
    stats->fetches = atomic_load(&log->fetches);
    stats->fetch_failures = atomic_load(&log->fetch_failures);
}
